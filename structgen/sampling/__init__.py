"""Sampling that keeps the model's distribution, given a constraint. The front door is `sample`."""

from __future__ import annotations

from structgen.sampling.constraint import PredicateConstraint
from structgen.sampling.language_model import Forwards
from structgen.sampling.prefix_trie import PrefixTrie, StateError
from structgen.sampling.result import Budget, Diagnostics, Progress, SampleResult
from structgen.sampling.sampler import sample
from structgen.sampling.trie_file import load_trie, save_trie

__all__ = [
    "Budget",
    "Diagnostics",
    "Forwards",
    "PredicateConstraint",
    "PrefixTrie",
    "Progress",
    "SampleResult",
    "StateError",
    "load_trie",
    "sample",
    "save_trie",
]

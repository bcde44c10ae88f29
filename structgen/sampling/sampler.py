"""`sample`: texts from the model's own distribution, given that they are valid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, get_args

import numpy as np
import torch
import transformers

from structgen.errors import OptionError
from structgen.sampling import awrs
from structgen.sampling.asap import asap
from structgen.sampling.auto import auto
from structgen.sampling.constraint import CheckedGrammar, Constraint, GrammarConstraint, as_constraint
from structgen.sampling.language_model import LanguageModel, PromptCache, prompt_ids
from structgen.sampling.mask import TokenMask
from structgen.sampling.mcmc import Cut, mcmc, restart_with_weights
from structgen.sampling.particles import AwrsProposal, Critic, LocalProposal, Proposal
from structgen.sampling.prefix_trie import PrefixTrie
from structgen.sampling.randomness import Randomness, Scheme
from structgen.sampling.result import Budget, ProgressCallback, SampleResult
from structgen.sampling.run import Run
from structgen.sampling.smc import Twist, independent, smc
from structgen.sampling.target import LengthRule, Target, is_count
from structgen.sampling.tries import by_trying
from structgen.tokenizers import eos_ids_of
from structgen.vocabulary import Vocabulary
from structgen.warmup import ensure_kernels

Method = Literal["auto", "local", "rejection", "cars", "asap", "awrs", "smc", "mcmc"]

_WITH_CRITIC: Final = ("local", "awrs", "smc")
_SAMPLED_VALUES: Final = 256  # of each parameter, for the digest of a model


def sample(
    model: Any,
    tokenizer: Any,
    constraint: Any,
    prompt: str | Sequence[int],
    *,
    method: Method = "auto",
    n: int | None = None,
    particles: int = 20,
    ess_threshold: float = 0.5,
    resampling: Scheme = "stratified",
    twist: Twist = "learned",
    max_new_tokens: int = 256,
    length: LengthRule = "condition",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    critic: Critic | None = None,
    variant: awrs.Variant = "auto",
    mcmc_steps: int = 20,
    cut: Cut = "priority",
    budget: Budget | None = None,
    batch_size: int = 64,
    generator: torch.Generator | None = None,
    state: PrefixTrie | None = None,
    progress: ProgressCallback | None = None,
) -> SampleResult:
    """Sample w with probability proportional to P(w) 1[w is valid], P the model's after ``prompt``.

    model, tokenizer: a decoder-only model of transformers and its tokenizer.
    constraint: a compiled grammar; ``check(prefix) -> bool`` or an object with such a method (see
        `structgen.sampling.constraint.PredicateConstraint`); or a pair of the two.
    method: "cars", "rejection": independent exact draws. "smc", "awrs": texts with unbiased weights.
        "asap", "mcmc": exact in the limit. "local": what masking gives, with the weights that correct it.
        "auto": "cars" where a pilot forecasts that the budget suffices, else "smc".
    n: how many texts (1). smc: None returns the particles of one population, a number one particle of
        each of so many populations.
    particles, ess_threshold, resampling: of smc. A population is resampled ("stratified", "systematic")
        when its effective sample size is under ``ess_threshold`` times its number.
    twist: of smc, where the mask is exact. "learned": particles are steered by what the prefix trie knows of
        the future, taught by every population before and by a pilot of small ones (none with a ``state``
        whose pilot went well, and neither pilot nor steering where one population is wanted and a few
        particles find most of P valid); "none": each step knows its own mask only. Weights are unbiased
        either way.
    max_new_tokens, length, temperature, top_k, top_p: part of the target, see `structgen.sampling.target`.
    critic: ``critic(text, complete) -> log potential``, for smc, awrs and local; the target becomes
        P(w) 1[valid] exp(critic(w, True)).
    variant: of awrs, which also proposes for smc and mcmc where a predicate has to be asked: "averaged"
        (which "auto" is), "recursive", "geometric", "two-round".
    mcmc_steps, cut: of mcmc; where a chain's text is cut: "uniform", "priority" (by entropy), "restart".
    budget: see `Budget`. batch_size: rows of a forward pass at most.
    generator: of the CPU; None for torch's global one. The same seed gives the same result.
    state: a `PrefixTrie` kept from earlier calls; what is learned is added to it.
    progress: called with a `Progress` after every step.

    Ctrl-C ends the call and returns what is there (``diagnostics.stopped == "interrupted"``).

    Raises `OptionError` on wrong arguments, `StateError` for a trie of another model, prompt, constraint or
    target, `BitmaskError` where the model's logits do not fit the vocabulary.
    """
    _check_model(model, tokenizer)
    ensure_kernels("sampling")
    budget = Budget() if budget is None else budget
    _check_options(
        method, n, particles, ess_threshold, resampling, twist, variant, mcmc_steps, cut, batch_size
    )
    _check_objects(critic, generator, budget, state, progress)
    ids = prompt_ids(tokenizer, prompt)
    rules = as_constraint(constraint, lambda: _vocabulary_of(model, tokenizer))
    _check_fit(method, rules, critic, cut)
    target = Target(rules.vocabulary, max_new_tokens, length, temperature, top_k, top_p)
    trie = PrefixTrie(None) if state is None else state
    if (
        state is not None
    ):  # else nobody sees the trie: a model of 100M parameters takes 7 ms to tell from others
        trie.belongs_to(identity_of(model, ids, rules, target))
    if trie.constraint is None:
        trie.constraint = rules
    rules = trie.constraint  # an equal one: its answers and the states in the trie stay good
    cache: PromptCache | None = trie.prompt_cache
    language_model = LanguageModel(model, ids, target, cache)
    trie.prompt_cache = language_model.cache
    if method == "awrs" and isinstance(rules, GrammarConstraint):
        rules = CheckedGrammar(rules)
    run = Run(language_model, rules, Randomness(generator), trie, budget, batch_size, progress, rules.checks)
    mask = TokenMask(target)
    proposal: Proposal = (
        LocalProposal(run.randomness)
        if rules.is_exact
        else AwrsProposal(run.randomness, mask, target.stop, variant)
    )
    count = 1 if n is None else n
    twist = twist if rules.is_exact else "none"
    match method:
        case "local" | "awrs":
            return independent(run, method, proposal, count, critic)
        case "rejection" | "cars":
            return by_trying(run, method, count)
        case "asap":
            return asap(run, count)
        case "mcmc":
            if rules.is_exact:
                return mcmc(run, count, mcmc_steps, cut)
            return restart_with_weights(run, proposal, count, mcmc_steps)
        case "smc":
            return smc(
                run, proposal, n=n, particles=particles, ess_threshold=ess_threshold, scheme=resampling,
                critic=critic, twist=twist,
            )  # fmt: skip
        case "auto":
            return auto(
                run, proposal, n=count, particles=particles, ess_threshold=ess_threshold, scheme=resampling,
                twist=twist,
            )  # fmt: skip


def identity_of(model: Any, prompt: Sequence[int], constraint: Constraint, target: Target) -> dict[str, str]:
    """What a prefix trie belongs to: digests of the model, the prompt, the constraint, the target."""
    return {
        "model": model_digest(model),
        "prompt": hashlib.blake2b(repr(list(prompt)).encode(), digest_size=16).hexdigest(),
        "constraint": constraint.identity,
        "target": target.digest,
    }


def model_digest(model: Any) -> str:
    """Hash of a model's parameters and buffers: names, shapes, about 256 values of each."""
    content = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // _SAMPLED_VALUES)
        content.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        some = flat[::step]
        if some.device.type == "cpu" and some.dtype == torch.float32:  # the same in a quarter of the time
            content.update(some.numpy().astype(np.float64).tobytes())
        else:
            content.update(some.to(torch.float64).cpu().numpy().tobytes())
    config = getattr(model, "config", None)
    if config is not None and hasattr(config, "to_dict"):
        # where it was loaded from, by which version and in which attention kernel: not the model's content
        told = {
            key: value for key, value in config.to_dict().items() if not key.startswith(("_", "transformers"))
        }
        content.update(json.dumps(told, sort_keys=True, default=str).encode())
    return content.hexdigest()


def _vocabulary_of(model: Any, tokenizer: Any) -> Vocabulary:
    width = model.get_output_embeddings().weight.shape[0]
    return Vocabulary.from_tokenizer(tokenizer, width, eos_ids_of(model, tokenizer))


def _check_model(model: Any, tokenizer: Any) -> None:
    if not isinstance(model, transformers.PreTrainedModel):
        raise OptionError("model", type(model).__name__, "a causal language model of transformers")
    if getattr(model.config, "is_encoder_decoder", False):
        raise OptionError("model", type(model).__name__, "a decoder-only model")
    if not callable(tokenizer) or not hasattr(tokenizer, "bos_token_id"):
        raise OptionError("tokenizer", type(tokenizer).__name__, "the model's tokenizer, of transformers")


def _check_options(
    method: str,
    n: int | None,
    particles: int,
    ess_threshold: float,
    resampling: str,
    twist: str,
    variant: str,
    mcmc_steps: int,
    cut: str,
    batch_size: int,
) -> None:
    choices = {
        "method": (method, get_args(Method)),
        "resampling": (resampling, get_args(Scheme)),
        "twist": (twist, get_args(Twist)),
        "variant": (variant, get_args(awrs.Variant)),
        "cut": (cut, get_args(Cut)),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise OptionError(name, value, f"one of {', '.join(allowed)}")
    counts = {"particles": particles, "mcmc_steps": mcmc_steps, "batch_size": batch_size}
    for name, number in (counts if n is None else {"n": n, **counts}).items():
        if not is_count(number):
            raise OptionError(name, number, "a positive int")
    if (
        isinstance(ess_threshold, bool)
        or not isinstance(ess_threshold, int | float)
        or not 0 <= ess_threshold <= 1
    ):
        raise OptionError("ess_threshold", ess_threshold, "a number from 0 (never resample) to 1")


def _check_objects(critic: Any, generator: Any, budget: Any, state: Any, progress: Any) -> None:
    functions: dict[str, tuple[Any, str]] = {
        "critic": (critic, "critic(text, complete) -> log potential"),
        "progress": (progress, "progress(Progress) -> None"),
    }
    for name, (value, expected) in functions.items():
        if value is not None and not isinstance(value, Callable):  # type: ignore[arg-type]  # an ABC
            raise OptionError(name, value, expected)
    if generator is not None and (
        not isinstance(generator, torch.Generator) or generator.device.type != "cpu"
    ):
        raise OptionError("generator", generator, "a torch.Generator of the CPU, for any device of the model")
    if not isinstance(budget, Budget):
        raise OptionError("budget", budget, "a structgen.Budget")
    if state is not None and not isinstance(state, PrefixTrie):
        raise OptionError("state", state, "a PrefixTrie (structgen.sampling.load_trie reads a saved one)")


def _check_fit(method: str, rules: Constraint, critic: Any, cut: str) -> None:
    """Refuse what would break a method's guarantee."""
    if critic is not None and method not in _WITH_CRITIC:
        raise OptionError(
            "critic",
            critic,
            f"None with method {method!r}, whose texts all weigh the same: a critic reweights them; use smc",
        )
    if not rules.is_exact and method in ("local", "asap"):
        raise OptionError(
            "method",
            method,
            "awrs, smc, cars, rejection, mcmc or auto with a predicate: this one needs the mask of all "
            "tokens, which would ask the predicate about each of them",
        )
    if not rules.is_exact and method == "mcmc" and cut != "restart":
        raise OptionError(
            "cut", cut, "'restart' with a predicate: other cuts need exact masses at every step"
        )

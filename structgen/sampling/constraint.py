"""What a text must satisfy: a compiled grammar, a Python predicate on prefixes, or both.

A constraint makes states; a state stands for one prefix and writes a mask of the tokens that may come
next. `is_exact` says whether the mask is all there is to say. Where it is not, a token that it allows has
to be tried (`extended`), which costs a call of the predicate, a *constraint check*.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from structgen.compiled import CompiledGrammar
from structgen.errors import OptionError
from structgen.matcher import Matcher
from structgen.vocabulary import Vocabulary

_REMEMBERED = 1 << 16  # answers of a predicate that are kept, so that shared prefixes are asked once

Bitmask = npt.NDArray[np.int32]


class State(Protocol):
    """One prefix under a constraint. Immutable."""

    def fill(self, bitmask: Bitmask, row: int) -> None:
        """Write the tokens that may come next into ``bitmask[row]``, stop ids included."""

    def extended(self, token: int) -> State | None:
        """The state after ``token``, which is no stop id; None when the prefix would be invalid."""

    def is_complete(self) -> bool:
        """Whether the text may end here."""

    @property
    def kind(self) -> int | None:
        """A number >= 0 that states share after which the same may follow; None where that is not known."""


class Constraint(Protocol):
    """A set of valid texts over one vocabulary."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def is_exact(self) -> bool: ...

    @property
    def checks(self) -> int:
        """Calls of a predicate so far."""

    def start(self) -> State:
        """The state of the empty text."""

    @property
    def identity(self) -> str:
        """What tells this constraint from others; begins with "unnamed" where only this process can tell."""


class GrammarState:
    __slots__ = ("_matcher",)

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def fill(self, bitmask: Bitmask, row: int) -> None:
        self._matcher.fill_bitmask(bitmask, row)

    def extended(self, token: int) -> GrammarState | None:
        matcher = self._matcher.fork()
        return GrammarState(matcher) if matcher.accept(token) else None

    def is_complete(self) -> bool:
        return self._matcher.is_accepting

    @property
    def kind(self) -> int:
        return self._matcher.configuration


class GrammarConstraint:
    """A compiled grammar. Its masks are exact, so that no token is ever tried."""

    is_exact = True
    checks = 0

    def __init__(self, grammar: CompiledGrammar) -> None:
        self.grammar = grammar
        self.vocabulary = grammar.vocabulary

    def start(self) -> GrammarState:
        return GrammarState(self.grammar.matcher())

    @property
    def identity(self) -> str:
        source = self.grammar.source
        options = sorted((key, repr(value)) for key, value in source.options.items())
        content = hashlib.blake2b(repr((source.kind, source.text, options)).encode(), digest_size=16)
        content.update(self.vocabulary.digest)
        return content.hexdigest()


class CheckedState:
    __slots__ = ("_inner", "_of")

    def __init__(self, of: CheckedGrammar, inner: GrammarState) -> None:
        self._of = of
        self._inner = inner

    def fill(self, bitmask: Bitmask, row: int) -> None:
        bitmask[row] = self._of.writable

    def extended(self, token: int) -> CheckedState | None:
        self._of.checks += 1
        inner = self._inner.extended(token)
        return None if inner is None else CheckedState(self._of, inner)

    def is_complete(self) -> bool:
        self._of.checks += 1
        return self._inner.is_complete()

    @property
    def kind(self) -> int:
        return self._inner.kind


class CheckedGrammar:
    """A compiled grammar that is asked about single tokens, as if masks were too dear; asks are counted."""

    is_exact = False

    def __init__(self, grammar: GrammarConstraint) -> None:
        self._grammar = grammar
        self.vocabulary = grammar.vocabulary
        self.writable = _writable(grammar.vocabulary)
        self.checks = 0

    def start(self) -> CheckedState:
        return CheckedState(self, self._grammar.start())

    @property
    def identity(self) -> str:
        return self._grammar.identity


class PredicateState:
    __slots__ = ("_data", "_of", "_valid_end")

    def __init__(self, of: PredicateConstraint, data: bytes, valid_end: int) -> None:
        self._of = of
        self._data = data
        self._valid_end = valid_end  # bytes that are whole characters

    @property
    def text(self) -> str:
        return self._data[: self._valid_end].decode()

    def fill(self, bitmask: Bitmask, row: int) -> None:
        self._of.fill(self.text, bitmask, row)

    def extended(self, token: int) -> PredicateState | None:
        data = self._data + (self._of.vocabulary.tokens[token] or b"")
        if len(data) == len(self._data):
            return None
        try:
            text, used = codecs.utf_8_decode(data[self._valid_end :], "strict", False)
        except UnicodeDecodeError:
            return None
        after = PredicateState(self._of, data, self._valid_end + used)
        return after if not text or self._of.allows(after.text) else None

    def is_complete(self) -> bool:
        return self._valid_end == len(self._data) and self._of.accepts(self.text)

    @property
    def kind(self) -> None:
        return None


class PredicateConstraint:
    """``check(prefix) -> bool``: whether a text may begin so; a text is valid when each prefix is.

    check: called with str. Of a character of which not all bytes are there yet nothing is asked.
    accepts: ``accepts(text) -> bool``, whether a text may end so; without it, where ``check`` says True.
    mask: ``mask(prefix) -> bool (V,)``, tokens among which all the valid ones are; they are checked still.
    name: what tells the predicate from others when a prefix trie is saved.
    Both must give the same answer whenever asked: answers are kept.
    """

    is_exact = False

    def __init__(
        self,
        check: Callable[[str], bool],
        vocabulary: Vocabulary,
        *,
        accepts: Callable[[str], bool] | None = None,
        mask: Callable[[str], Any] | None = None,
        name: str | None = None,
    ) -> None:
        self._check = check
        self._accepts = accepts
        self._mask = mask
        self._name = name
        self._known: dict[tuple[bool, str], bool] = {}
        self.vocabulary = vocabulary
        self._writable = _writable(vocabulary)
        self.checks = 0

    def start(self) -> PredicateState:
        return PredicateState(self, b"", 0)

    @property
    def identity(self) -> str:
        if self._name is not None:
            return f"predicate {self._name} {self.vocabulary.digest.hex()}"
        function = getattr(self._check, "__func__", self._check)
        return f"unnamed {id(function)} {id(getattr(self._check, '__self__', None))}"

    def allows(self, prefix: str) -> bool:
        return self._answer(self._check, False, prefix)

    def accepts(self, text: str) -> bool:
        if self._accepts is None:
            return self.allows(text)
        return self._answer(self._accepts, True, text)

    def fill(self, prefix: str, bitmask: Bitmask, row: int) -> None:
        bitmask[row] = self._writable
        if self._mask is None:
            return
        allowed = np.asarray(self._mask(prefix), np.bool_)
        if allowed.shape != (self.vocabulary.size,):
            raise OptionError(
                "constraint", f"a mask of shape {allowed.shape}", f"bool ({self.vocabulary.size},)"
            )
        bits = np.zeros(32 * bitmask.shape[1], np.bool_)
        bits[: allowed.size] = allowed
        bitmask[row] &= np.packbits(bits, bitorder="little").view(np.int32)

    def _answer(self, ask: Callable[[str], bool], complete: bool, text: str) -> bool:
        key = (complete, text)
        known = self._known.get(key)
        if known is None:
            self.checks += 1
            known = bool(ask(text))
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = known
        return known


class JointState:
    __slots__ = ("_grammar", "_predicate")

    def __init__(self, grammar: GrammarState, predicate: PredicateState) -> None:
        self._grammar = grammar
        self._predicate = predicate

    def fill(self, bitmask: Bitmask, row: int) -> None:
        self._grammar.fill(bitmask, row)

    def extended(self, token: int) -> JointState | None:
        grammar = self._grammar.extended(token)
        if grammar is None:
            return None
        predicate = self._predicate.extended(token)
        return None if predicate is None else JointState(grammar, predicate)

    def is_complete(self) -> bool:
        return self._grammar.is_complete() and self._predicate.is_complete()

    @property
    def kind(self) -> None:
        return None


class JointConstraint:
    """A grammar, which masks, and a predicate, which is asked about tokens that the mask allows."""

    is_exact = False

    def __init__(self, grammar: GrammarConstraint, predicate: PredicateConstraint) -> None:
        self._grammar = grammar
        self._predicate = predicate
        self.vocabulary = grammar.vocabulary

    @property
    def checks(self) -> int:
        return self._predicate.checks

    def start(self) -> JointState:
        return JointState(self._grammar.start(), self._predicate.start())

    @property
    def identity(self) -> str:
        return f"{self._predicate.identity} and {self._grammar.identity}"


def _writable(vocabulary: Vocabulary) -> npt.NDArray[np.int32]:
    """The ids with bytes and the stop ids, int32 (words,)."""
    bits = np.zeros(-(-vocabulary.size // 32) * 32, np.bool_)
    bits[: vocabulary.size] = np.diff(vocabulary.offsets) > 0
    bits[list(vocabulary.eos_token_ids)] = True
    packed: npt.NDArray[np.int32] = np.packbits(bits, bitorder="little").view(np.int32)
    return packed


def as_constraint(given: Any, vocabulary: Callable[[], Vocabulary]) -> Constraint:
    """What `sample` was given as a `Constraint`; ``vocabulary``: makes that of the model where needed.

    A compiled grammar; a function or an object with ``check(prefix)`` (and perhaps ``accepts(text)``,
    ``mask(prefix)`` and ``name``); or a pair of a compiled grammar and one of these. Raises `OptionError`.
    """
    if isinstance(given, CompiledGrammar):
        return GrammarConstraint(given)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes) and len(given) == 2:
        grammars = [part for part in given if isinstance(part, CompiledGrammar)]
        others = [part for part in given if not isinstance(part, CompiledGrammar)]
        if len(grammars) == 1:
            predicate = _as_predicate(others[0], grammars[0].vocabulary)
            return JointConstraint(GrammarConstraint(grammars[0]), predicate)
    return _as_predicate(given, vocabulary)


def _as_predicate(given: Any, vocabulary: Vocabulary | Callable[[], Vocabulary]) -> PredicateConstraint:
    if isinstance(given, PredicateConstraint):
        return given
    check = getattr(given, "check", given)
    if not callable(check) or isinstance(given, type):
        raise OptionError(
            "constraint",
            given,
            "a compiled grammar (see Compiler), check(prefix) -> bool, or a pair of the two",
        )
    return PredicateConstraint(
        check,
        vocabulary if isinstance(vocabulary, Vocabulary) else vocabulary(),
        accepts=getattr(given, "accepts", None),
        mask=getattr(given, "mask", None),
        name=getattr(given, "name", None),
    )

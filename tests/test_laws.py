"""The laws of the engine, against the naive oracle, on random grammars, texts and vocabularies."""

from __future__ import annotations

import os
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive import NaiveMatcher
from strategies import grammars, vocabularies

from structgen import tables
from structgen.bitmask import allocate_bitmask
from structgen.charset import CharSet
from structgen.compiler import Compiler
from structgen.errors import UnsatisfiableGrammarError
from structgen.grammar import Choice, Grammar, RuleRef, Sequence, Terminal
from structgen.matcher import Matcher
from structgen.regex.syntax import Chars, Concat, Literal, Repeat
from structgen.vocabulary import Vocabulary

EXAMPLES = int(os.environ.get("STRUCTGEN_LAW_EXAMPLES", "600"))
laws = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def allowed(matcher: Matcher) -> set[int]:
    vocabulary = matcher.grammar.vocabulary
    bitmask = allocate_bitmask(2, vocabulary.size)
    bitmask[:] = -1
    matcher.fill_bitmask(bitmask, 1)
    assert (bitmask[0] == -1).all()
    bits = np.unpackbits(bitmask[1].view(np.uint8), bitorder="little")
    assert not bits[vocabulary.size :].any()
    return set(np.flatnonzero(bits).tolist())


# From how many trie nodes on a terminal state takes its tokens from the mask store: by default, and so low
# that most states do, since the vocabularies here are small.
stored_limits = st.sampled_from([tables.STORED_NODES, 2, 0])


def compiled(grammar: Grammar, vocabulary: Vocabulary, stored: int) -> Matcher | None:
    """A matcher; None where the grammar is refused, after checking that it had to be."""
    oracle = NaiveMatcher(grammar, vocabulary)
    try:
        with mock.patch.object(tables, "STORED_NODES", stored):
            matcher = Compiler(vocabulary).compile(grammar).matcher()
    except UnsatisfiableGrammarError:
        assert not oracle.recogniser.is_viable
        return None
    assert oracle.recogniser.is_viable
    return matcher


@laws
@given(grammars(), vocabularies(), stored_limits, st.randoms(use_true_random=False))
def test_masks_are_sound_and_complete(grammar, vocabulary, stored, random):
    matcher = compiled(grammar, vocabulary, stored)
    if matcher is None:
        return
    oracle = NaiveMatcher(grammar, vocabulary)
    for _ in range(8):
        expected = oracle.allowed()
        assert allowed(matcher) == expected
        assert matcher.is_accepting == oracle.is_accepting
        assert expected or matcher.is_terminated
        for token in range(vocabulary.size):  # mask == accept, and a refused token changes nothing
            fork = matcher.fork()
            assert fork.accept(token) == (token in expected)
            if token not in expected:
                assert allowed(fork) == expected
        if not expected:
            break
        token = random.choice(sorted(expected))
        assert matcher.accept(token) and oracle.accept(token)


@laws
@given(grammars(), vocabularies(), stored_limits, st.randoms(use_true_random=False))
def test_any_history_equals_a_replay(grammar, vocabulary, stored, random):
    matcher = compiled(grammar, vocabulary, stored)
    if matcher is None:
        return
    check_histories(matcher, random, 25)


def check_histories(matcher: Matcher, random, steps: int) -> list[Matcher]:
    """Take, refuse, roll back, fork and reset at random: what is left equals a replay. The matchers then."""
    size = matcher.grammar.vocabulary.size
    live: list[tuple[Matcher, list[int]]] = [(matcher, [])]
    for _ in range(steps):
        matcher, history = random.choice(live)
        action = random.random()
        if action < 0.6:
            token = random.choice(sorted(allowed(matcher)) or [0])
            if random.random() < 0.2:
                token = random.randrange(size)
            if matcher.accept(token):
                history.append(token)
        elif action < 0.8:
            n = random.randint(0, len(history))
            matcher.rollback(n)
            del history[len(history) - n :]
        elif action < 0.95:
            live.append((matcher.fork(), list(history)))
        else:
            matcher.reset()
            history.clear()
    for matcher, history in live:
        replay = matcher.grammar.matcher()
        assert all(replay.accept(token) for token in history)
        assert allowed(replay) == allowed(matcher)
        assert replay.is_accepting == matcher.is_accepting
        assert replay.is_terminated == matcher.is_terminated
        assert replay.forced_bytes() == matcher.forced_bytes()
        assert matcher.n_accepted == len(history)
    return [matcher for matcher, _ in live]


@laws
@given(grammars(), vocabularies(), stored_limits)
def test_forced_bytes_are_the_only_way_on(grammar, vocabulary, stored):
    matcher = compiled(grammar, vocabulary, stored)
    if matcher is None:
        return
    oracle = NaiveMatcher(grammar, vocabulary).recogniser
    alphabet = {byte for token in vocabulary.tokens for byte in token or b""}
    for _ in range(4):
        forced = matcher.forced_bytes()
        for byte in forced[:40]:
            assert not oracle.is_complete
            ways = [b for b in alphabet if oracle.feed(bytes([b])) and (oracle.undo(1) or True)]
            assert ways == [byte]
            assert oracle.feed(bytes([byte]))
        if len(forced) > 40 or not matcher.accept_bytes(forced):
            break
        ways = sorted(b for b in alphabet if oracle.feed(bytes([b])) and (oracle.undo(1) or True))
        assert sorted(np.flatnonzero(matcher.following_bytes()).tolist()) == ways
        assert oracle.is_complete or len(ways) != 1
        if not ways:
            break
        assert oracle.feed(bytes([ways[0]])) and matcher.accept_bytes(bytes([ways[0]]))


def test_a_terminal_may_end_before_the_longest_match():
    """Terminals /aaa/, /a+b+z/, /b+x/, text aaabbx: looking one byte ahead does not tell them apart."""
    some_a, some_b = (Repeat(Chars(CharSet.chars(char)), 1, None) for char in "ab")
    a = Terminal(Literal("aaa"))
    b = Terminal(Concat((some_a, some_b, Literal("z"))))
    c = Terminal(Concat((some_b, Literal("x"))))
    grammar = Grammar(
        {"start": Choice((Sequence((a, c)), Sequence((b, c)), RuleRef("start")))}, "start", "lark"
    )
    vocabulary = Vocabulary([b"a", b"b", b"x", b"z", b"aaab", b"bx", b"aab", b"abbx", b"aaabbx", None], 9)
    for split in ([4, 5], [8], [0, 6, 5], [0, 0, 0, 1, 1, 2], [0, 0, 7]):
        matcher = Compiler(vocabulary).compile(grammar).matcher()
        for token in split:
            assert token in allowed(matcher)
            assert matcher.accept(token)
        assert allowed(matcher) == {9}


@pytest.mark.parametrize("n", [10, 3000])
def test_deep_recursion_needs_no_python_stack(n):
    grammar = Grammar(
        {
            "s": Choice(
                (
                    Sequence((Terminal(Literal("(")), RuleRef("s"), Terminal(Literal(")")))),
                    Terminal(Literal("x")),
                )
            )
        },
        "s",
        "lark",
    )
    vocabulary = Vocabulary([b"(", b")", b"x", b"((((", b"))))", None], 5)
    matcher = Compiler(vocabulary).compile(grammar).matcher()
    assert matcher.accept_bytes(b"(" * n + b"x" + b")" * (n - 1))
    assert allowed(matcher) == {1}
    assert matcher.accept(1) and allowed(matcher) == {5}

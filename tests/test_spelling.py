"""Vocabularies in which not every byte is a token: what cannot be spelled to an end is not begun."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import ALPHABET, grammars, regexes
from test_laws import allowed, laws

from structgen.automata.build import compile_regex
from structgen.automata.dfa import Dfa
from structgen.bitmask import allocate_bitmask
from structgen.compiler import Compiler
from structgen.errors import UnsatisfiableGrammarError
from structgen.grammar import Choice, Grammar, RuleRef, Sequence, Terminal
from structgen.machine import Machine
from structgen.regex.syntax import Literal
from structgen.vocabulary import Vocabulary

tokens = st.lists(st.text(ALPHABET, min_size=1, max_size=3).map(str.encode), min_size=1, max_size=8)


def can_end(automaton: Dfa, state: int, texts: list[bytes]) -> bool:
    """Whether some sequence of tokens leads to an accepting state: a search of the automaton."""
    seen, stack = {state}, [state]
    while stack:
        state = stack.pop()
        if state and automaton.accepting[state]:
            return True
        for text in texts:
            after = automaton.step(state, text)
            if after and after not in seen:
                seen.add(after)
                stack.append(after)
    return False


@laws
@given(regexes(), tokens, st.randoms(use_true_random=False))
def test_regular_languages_against_a_search(node, texts, random):
    vocabulary = Vocabulary([*texts, None], len(texts))
    grammar = Grammar({"start": Terminal(node)}, "start", "regex")
    automaton = compile_regex(node)
    try:
        matcher = Compiler(vocabulary).compile(grammar).matcher()
    except UnsatisfiableGrammarError:
        assert not can_end(automaton, 1, texts)
        return
    assert can_end(automaton, 1, texts)
    state = 1
    for _ in range(6):
        expected = {
            t for t, text in enumerate(texts) if can_end(automaton, automaton.step(state, text), texts)
        }
        if automaton.accepting[state]:
            expected.add(len(texts))
        assert allowed(matcher) == expected
        for token in range(vocabulary.size):
            assert matcher.fork().accept(token) == (token in expected)
        token = random.choice(sorted(expected))
        assert matcher.accept(token)
        if token == len(texts):
            break
        state = automaton.step(state, texts[token])


@laws
@given(grammars(), tokens, st.randoms(use_true_random=False))
def test_no_dead_ends_in_any_grammar(grammar, texts, random):
    vocabulary = Vocabulary([*texts, None], len(texts))
    try:
        matcher = Compiler(vocabulary).compile(grammar).matcher()
    except UnsatisfiableGrammarError:
        return
    for _ in range(10):
        choices = sorted(allowed(matcher))
        assert choices or matcher.is_terminated
        if not choices:
            break
        assert matcher.accept(random.choice(choices))


def nested(inner: str) -> Grammar:
    body = Choice(
        (Sequence((Terminal(Literal("(")), RuleRef("s"), Terminal(Literal(")")))), Terminal(Literal(inner)))
    )
    return Grammar({"s": body}, "s", "lark")


def test_stacks_are_taken_into_account():
    """Closing brackets come in pairs only: an odd depth could never be closed."""
    vocabulary = Vocabulary([b"(", b"x", b"))", b"((", None], 4)
    matcher = Compiler(vocabulary).compile(nested("x")).matcher()
    assert allowed(matcher) == {0, 1, 3}
    assert matcher.accept(0) and allowed(matcher) == {0, 3}
    assert matcher.accept(0) and allowed(matcher) == {0, 1, 3}
    assert matcher.accept(1) and allowed(matcher) == {2}
    assert matcher.accept(2) and allowed(matcher) == {4}


@pytest.mark.parametrize("texts", [[b"(", b"x"], [b"(x", b"))"], [b"y"], [b"()", b"x("]])
def test_what_cannot_be_spelled_is_refused(texts):
    grammar = nested("x") if b"x" not in texts else nested("xy")
    with pytest.raises(UnsatisfiableGrammarError, match="the vocabulary's tokens can spell"):
        Compiler(Vocabulary([*texts, None], len(texts))).compile(grammar)


def test_a_mask_whose_narrowing_was_interrupted_is_narrowed_again() -> None:
    """``x`` may be followed by ``d`` only, which is a byte of some token, and no token itself."""
    vocabulary = Vocabulary([b"a", b"x", b"cd", None], 3)
    matcher = Compiler(vocabulary).regex("a|xd").matcher()
    bitmask = allocate_bitmask(1, vocabulary.size)
    with (
        mock.patch.object(Machine, "_drop_unspellable", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        matcher.fill_bitmask(bitmask)
    assert bitmask[0, 0] == 0b11  # the wide mask, which is kept by then
    for _ in range(2):
        assert allowed(matcher) == {0}
    assert not matcher.accept(1) and matcher.accept(0)

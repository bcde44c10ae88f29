"""The laws of grammars with a lexer, against a naive twin, on random grammars, texts and vocabularies."""

from __future__ import annotations

import itertools
import os
from collections import Counter, deque

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from naive_lexed import ContextualTwin, Token, TwinGrammar, accepts_basic
from test_laws import allowed, check_histories

from structgen.compiler import Compiler
from structgen.errors import UnsatisfiableGrammarError, UnsupportedGrammarError
from structgen.matcher import Matcher
from structgen.vocabulary import Vocabulary

EXAMPLES = int(os.environ.get("STRUCTGEN_LAW_EXAMPLES", "120"))
laws = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
ALPHABET = "abc "
PATTERNS = [
    ("a", False), ("b", False), ("c", False), ("ab", False), ("ba", False), ("abc", False), ("aa", False),
    ("a+", True), ("[ab]+", True), ("ab*", True), ("b+c?", True), ("a+?b", True), ("[abc]b*", True),
    ("a(?!b)", True), ("b(?=c)", True), ("ab(?![ab])", True), ("(?:ab)+c", True), ("c[^c]*c", True),
    ("a.*?c", True), ("[a-c]", True), (" a", False), ("b +", True),
]  # fmt: skip
IGNORED = [(), (" +", True), (" ", False), ("c", False), ("(?:b )+", True)]


@st.composite
def grammars(draw: st.DrawFn) -> TwinGrammar:
    chosen = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4, unique=True))
    tokens = [
        Token(f"T{'ABCDE'[i]}", pattern, is_regex, draw(st.sampled_from([0, 0, 0, 1, 2])))
        for i, (pattern, is_regex) in enumerate(chosen)
    ]
    ignored = draw(st.sampled_from(IGNORED))
    names = [token.name for token in tokens]
    if ignored and ignored not in chosen:
        tokens.append(Token("IGN", *ignored))
    symbols = st.sampled_from([*names, *names, "start", "p", "q"])
    bodies = st.lists(st.lists(symbols, max_size=3).map(tuple), min_size=1, max_size=3)
    rules = {name: list(dict.fromkeys(draw(bodies))) for name in ("start", "p", "q")}
    return TwinGrammar(tuple(tokens), rules, ("IGN",) if tokens[-1].name == "IGN" else ())


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    longer = draw(st.lists(st.text(ALPHABET, min_size=2, max_size=6), max_size=12))
    tokens: list[bytes | None] = [*(char.encode() for char in ALPHABET), *(text.encode() for text in longer)]
    tokens += [None, None]
    return Vocabulary(tokens, len(tokens) - 1)


def compiled(grammar: TwinGrammar, vocabulary: Vocabulary, lexer: str) -> Matcher | None:
    """A matcher; None where the grammar is refused."""
    try:
        return Compiler(vocabulary).lark(str(grammar), lexer=lexer).matcher()
    except UnsupportedGrammarError:
        return None
    except UnsatisfiableGrammarError:
        for n in range(4):
            for text in itertools.product(ALPHABET, repeat=n):
                assert not accepts_basic(grammar, "".join(text)) or lexer == "contextual"
        return None


def completion(matcher: Matcher, limit: int = 1500) -> str | None:
    """A shortest text that completes what was read; '?' where it is not found soon; None: there is none."""
    queue = deque([(matcher.fork(), "")])
    seen = {matcher._config}
    while queue:
        one, text = queue.popleft()
        if one.is_accepting:
            return text
        for char in ALPHABET:
            other = one.fork()
            if other.accept_bytes(char.encode()) and other._config not in seen:
                seen.add(other._config)
                queue.append((other, text + char))
        if len(seen) > limit:
            return "?"
    return None


outcomes: Counter[str] = Counter()


@pytest.mark.parametrize("lexer", ["basic", "contextual"])
@laws
@given(grammars())
def test_texts_are_those_of_the_twin(lexer, grammar):
    vocabulary = Vocabulary([*(char.encode() for char in ALPHABET), None], len(ALPHABET))
    matcher = compiled(grammar, vocabulary, lexer)
    outcomes[f"{lexer} refused" if matcher is None else f"{lexer} compiled"] += 1
    if matcher is None:
        return
    twin = ContextualTwin(grammar) if lexer == "contextual" else None

    def accepted(text: str) -> bool | None:
        return accepts_basic(grammar, text) if twin is None else twin.accepts(text)

    texts = ["".join(text) for n in range(6) for text in itertools.product(ALPHABET, repeat=n)]
    known = {text: accepted(text) for text in texts}
    if None in known.values():
        return
    begun = {text[:n] for text, is_in in known.items() if is_in for n in range(len(text) + 1)}
    for text in texts:
        if len(text) > 4:
            break
        reader = matcher.fork()
        if not reader.accept_bytes(text.encode()):
            assert text not in begun, f"{text!r} is refused"
            continue
        assert reader.is_accepting == known[text], text
        if text not in begun:
            rest = completion(reader)
            assert rest is not None, f"{text!r} leads nowhere"
            outcomes["completion not found" if rest == "?" else "completion found"] += 1
            assert rest == "?" or accepted(text + rest) is not False, (
                f"{text + rest!r} is not in the language"
            )


def test_most_random_grammars_are_compiled():
    """Else the law above says little."""
    if sum(outcomes.values()) >= 200:
        for lexer in ("basic", "contextual"):
            assert outcomes[f"{lexer} compiled"] > outcomes[f"{lexer} refused"], outcomes
        assert outcomes["completion found"] > 20 * outcomes["completion not found"], outcomes


@pytest.mark.parametrize("lexer", ["basic", "contextual"])
@laws
@given(grammars(), vocabularies(), st.randoms(use_true_random=False))
def test_masks_are_what_is_accepted(lexer, grammar, vocabulary, random):
    matcher = compiled(grammar, vocabulary, lexer)
    if matcher is None:
        return
    for _ in range(8):
        expected = {
            token
            for token, data in enumerate(vocabulary.tokens)
            if data and matcher.fork().accept_bytes(data)
        }
        if matcher.is_accepting:
            expected |= set(vocabulary.eos_token_ids)
        assert allowed(matcher) == expected
        assert expected
        for token in range(vocabulary.size):
            fork = matcher.fork()
            assert fork.accept(token) == (token in expected)
            if token not in expected:
                assert allowed(fork) == expected
        token = random.choice(sorted(expected))
        assert matcher.accept(token)
        if matcher.is_terminated:
            break


@pytest.mark.parametrize("lexer", ["basic", "contextual"])
@laws
@given(grammars(), vocabularies(), st.randoms(use_true_random=False))
def test_any_history_equals_a_replay(lexer, grammar, vocabulary, random):
    matcher = compiled(grammar, vocabulary, lexer)
    if matcher is None:
        return
    for one in check_histories(matcher, random, 20):
        for byte in one.forced_bytes()[:10]:
            if one.is_terminated:
                break
            ways = np.flatnonzero(one.following_bytes()).tolist()
            assert ways == [byte] and not one.is_accepting
            assert one.accept_bytes(bytes([byte]))

"""The laws where texts are remembered: keys and items that may not come twice, against a naive oracle.

Run with several vocabularies, and with so low a bound for the mask store that most states take their tokens
from it, as states of strings do with real vocabularies.
"""

from __future__ import annotations

import os
import random
from typing import Any
from unittest import mock

import numpy as np
import pytest
from naive_texts import ByKey, Distinct, Either, Kind, Listed, Strings, Words, viable
from structgen_bench.tokenizers import load_tokenizer

from structgen import growing_arrays
from structgen.bitmask import allocate_bitmask
from structgen.compiled import CompiledGrammar
from structgen.compiler import Compiler
from structgen.matcher import Matcher
from structgen.vocabulary import Vocabulary

WALKS = int(os.environ.get("STRUCTGEN_TEXT_WALKS", "5"))
STEPS = 22

TRUE = Listed(((b"true", True),))
DIGITS = Listed(((b"-0", 0), *((str(n).encode(), n) for n in range(13))))
BOOLEANS = Listed(((b"true", True), (b"false", False)))
CHARS = 'é😀"\n/'
D4 = "http://json-schema.org/draft-04/schema#"
BOTH = {"enum": [True, False]}
INTEGER = {"type": "integer", "minimum": 0, "maximum": 12}


def keys(pattern: str | None, *, least: int = 0, most: int | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "additionalProperties": {"const": True}}
    if pattern is not None:
        schema["propertyNames"] = {"pattern": f"^(?:{pattern})$"}
    if most is not None:
        schema["maxProperties"] = most
    return {**schema, "minProperties": least}


def named(properties: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": D4, "type": "object", "properties": properties, **others}


def items(inner: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "uniqueItems": True, "items": inner, **more}


def words(pattern: str, alphabet: str = "ab", longest: int = 1000) -> Strings:
    return Strings(Words(pattern, alphabet, longest))


# name: schema, what it means
CASES: dict[str, tuple[dict[str, Any], Kind]] = {
    "any keys": (keys(None), Distinct(Strings(Words()), member=TRUE)),
    "keys that run out": (
        keys("a{0,2}b?|c[ab]{3,}"),
        Distinct(words("a{0,2}b?|c[ab]{3,}", "abc"), member=TRUE),
    ),
    "many keys": (keys("[ab]{0,6}", least=2, most=4), Distinct(words("[ab]{0,6}", longest=6), 2, 4, TRUE)),
    "two sorts of keys": (
        {
            "type": "object",
            "patternProperties": {"^a+$": {"const": True}, "^a?b*$": {"enum": [True, False]}},
            "additionalProperties": False,
        },
        Distinct(words("a+|a?b*"), member=ByKey((("a+", TRUE), ("a?b*", BOOLEANS)))),
    ),
    "short keys": (
        {**keys(None), "propertyNames": {"maxLength": 1}},
        Distinct(Strings(Words(longest=1)), member=TRUE),
    ),
    "keys in many spellings": (
        keys('[é😀"\\n/]{0,4}'),
        Distinct(words('[é😀"\n/]{0,4}', CHARS, 4), member=TRUE),
    ),
    "keys of keys": (
        {**keys(None), "additionalProperties": keys("a*")},
        Distinct(Strings(Words()), member=Distinct(words("a*", "a"), member=TRUE)),
    ),
    "names and other keys": (
        named({"a": {"enum": [True]}, "ab": BOTH, 'é"': {"enum": [True]}}, {"additionalProperties": INTEGER}),
        Distinct(Strings(Words()), member=ByKey((('a|é"', TRUE), ("ab", BOOLEANS), ("(?s:.*)", DIGITS)))),
    ),
    "names and a number of other keys": (
        named({"a": {"enum": [True]}, "aa": BOTH}, {"additionalProperties": INTEGER, "minProperties": 2}),
        Distinct(Strings(Words()), 2, member=ByKey((("a", TRUE), ("aa", BOOLEANS), ("(?s:.*)", DIGITS)))),
    ),
    "names that a pattern has": (
        named(
            {"a": {"enum": [True]}},
            {"patternProperties": {"^a+b?$": BOTH}, "additionalProperties": False},
        ),
        Distinct(words("a+b?"), member=ByKey((("a", TRUE), ("a+b?", BOOLEANS)))),
    ),
    "names that are all a pattern has there": (
        named(
            {"a": {"enum": [True]}, "ab": BOTH},
            {"patternProperties": {"^(?:ab?|b+a)$": BOTH}, "additionalProperties": False},
        ),
        Distinct(words("ab?|b+a"), member=ByKey((("a", TRUE), ("ab|b+a", BOOLEANS)))),
    ),
    "a name that is required": (
        named({"a": {"enum": [True]}, "b": BOTH}, {"additionalProperties": INTEGER, "required": ["b"]}),
        Distinct(
            Strings(Words()),
            member=ByKey((("a", TRUE), ("b", BOOLEANS), ("(?s:.*)", DIGITS))),
            required="b",
        ),
    ),
    "strings": (items({"type": "string"}), Distinct(Strings(Words()))),
    "few strings": (items({"type": "string", "pattern": "^a{0,2}b?$"}), Distinct(words("a{0,2}b?"))),
    "all strings there are": (
        items({"type": "string", "pattern": "^a{0,2}b?$"}, minItems=6),
        Distinct(words("a{0,2}b?"), 6),
    ),
    "strings with a way out": (
        items({"type": "string", "pattern": "^(?:a{0,3}|b+a)$"}),
        Distinct(words("a{0,3}|b+a")),
    ),
    "booleans": (items({"type": "boolean"}), Distinct(BOOLEANS)),
    "integers": ({"$schema": D4, **items(INTEGER, minItems=2)}, Distinct(DIGITS, 2)),
    "strings and integers": (
        {"$schema": D4, **items({"anyOf": [INTEGER, {"type": "string", "pattern": "^a{0,2}$"}]})},
        Distinct(Either((DIGITS, words("a{0,2}", "a")))),
    ),
    "arrays in arrays": (
        items(items({"type": "string", "pattern": "^[ab]*$"}), maxItems=3),
        Distinct(Distinct(words("[ab]*")), 0, 3),
    ),
    "objects in arrays": (
        items({**keys("[ab]{1,6}"), "maxProperties": 2}),
        Distinct(Distinct(words("[ab]{1,6}", "ab", 6), 0, 2, TRUE)),
    ),
}  # fmt: skip

SPANNING = [
    '":',
    '","',
    'a":true,"b',
    '","a":',
    '"a"',
    '"a":true,"',
    "\\u0061",
    "\\u00",
    "\\u",
    "6",
    "61",
    "\\ud83d",
    "\\ude00",
]
SPANNING += [
    "e,",
    'e,"',
    'true,"a',
    '["',
    '"]',
    '[["',
    '","a',
    '","b"]',
    '"a","a',
    "aa",
    "ab",
    'b"',
    "{}",
    '{"',
    '"}',
    "e}",
    "true",
    "1,",
    "1,1",
    "12",
    "0,-",
]
SPANNING += [
    "é",
    "😀",
    '\\"',
    "\\n",
    "\\/",
    '"\\u0061"',
    "[]",
    ",[",
    '],["a"',
    '"},{"',
    '{"a":true}',
    "aab",
    "aaaa",
]
HALVES = [
    b"\xc3",
    b"\xa9",
    b"\xf0\x9f",
    b"\x98\x80",
    b'\xa9"',
    b'\x80":',
    b"a\xc3",
    b"\\ud83d\\u",
    b"de00",
    b'\\u00e9"',
]
SINGLE = [bytes([byte]) for byte in range(256)]
VOCABULARIES = {
    "bytes": Vocabulary([*SINGLE, None], 256),
    "spanning": Vocabulary([*SINGLE, *(text.encode() for text in SPANNING), None], 256 + len(SPANNING)),
    "halves": Vocabulary(
        [*SINGLE, *HALVES, *(text.encode() for text in SPANNING[::2]), b"a", b'"', None, b""],
        256 + len(HALVES) + len(SPANNING[::2]) + 2,
    ),
}  # fmt: skip
# The bytes for which the oracle is asked, beside all longer tokens.
ASKED = sorted({*b'{}[]":,\\/truefalsnu019-abcdDC68\x1f\xc3\xa9\xf0\x9f\x98\x80\xed\xff '})

_compiled: dict[tuple[str, str, int], CompiledGrammar] = {}


def compiled(case: str, vocabulary: str, stored: int) -> CompiledGrammar:
    key = case, vocabulary, stored
    if key not in _compiled:
        with mock.patch.object(growing_arrays, "STORED_NODES", stored):
            _compiled[key] = Compiler(VOCABULARIES[vocabulary]).json_schema(
                CASES[case][0], whitespace="compact", any_order=True
            )
    return _compiled[key]


def allowed(matcher: Matcher) -> set[int]:
    bitmask = allocate_bitmask(1, matcher.grammar.vocabulary.size)
    matcher.fill_bitmask(bitmask)
    bits = np.unpackbits(bitmask[0].view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def check_state(matcher: Matcher, kind: Kind, text: bytes) -> set[int]:
    """mask == accept; both say what the oracle says; not empty; other bytes follow accordingly."""
    vocabulary = matcher.grammar.vocabulary
    mask = allowed(matcher)
    assert mask, text
    for token, data in enumerate(vocabulary.tokens):
        assert matcher.fork().accept(token) == (token in mask), (text, data)
        if data and (len(data) > 1 or data[0] in ASKED):
            assert (token in mask) == viable(kind, text + data)[0], (text, data)
        elif not data:
            assert (token in mask) == (token in vocabulary.eos_token_ids and viable(kind, text)[1]), text
    assert matcher.is_accepting == viable(kind, text)[1], text
    following = np.flatnonzero(matcher.following_bytes()).tolist()
    assert following == sorted(token for token in mask if token < 256), text
    return mask


def drawn(mask: set[int], matcher: Matcher, rng: random.Random) -> int:
    """Tokens that lead on rather than bytes of which there are hundreds; an end only at times."""
    vocabulary = matcher.grammar.vocabulary
    tokens = [t for t in mask if len(vocabulary.tokens[t] or b"") > 1 or t in ASKED]
    tokens = [t for t in tokens if t not in {0x5D, 0x7D} or rng.random() < 0.2] or tokens
    return rng.choice(sorted(tokens or mask))


@pytest.mark.parametrize("stored", [64, 4, 0])
@pytest.mark.parametrize("vocabulary", VOCABULARIES)
@pytest.mark.parametrize("case", CASES)
def test_masks_are_sound_and_complete(case: str, vocabulary: str, stored: int) -> None:
    grammar, kind = compiled(case, vocabulary, stored), CASES[case][1]
    rng = random.Random(f"{case} {vocabulary}")
    checked: set[bytes] = set()
    for _ in range(WALKS):
        matcher, text = grammar.matcher(), b""
        for _ in range(STEPS):
            mask = allowed(matcher)
            if text not in checked:
                checked.add(text)
                assert check_state(matcher, kind, text) == mask
            token = drawn(mask, matcher, rng)
            assert matcher.accept(token)
            if matcher.is_terminated:
                break
            text += grammar.vocabulary.tokens[token] or b""


@pytest.mark.parametrize("vocabulary", ["spanning", "halves"])
@pytest.mark.parametrize("case", CASES)
def test_any_history_equals_a_replay(case: str, vocabulary: str) -> None:
    grammar = compiled(case, vocabulary, 4)
    rng = random.Random(f"replay {case}")
    live: list[tuple[Matcher, list[int]]] = [(grammar.matcher(), [])]
    for _ in range(20 * WALKS):
        matcher, history = rng.choice(live)
        action = rng.random()
        if action < 0.6:
            mask = allowed(matcher)
            token = (
                drawn(mask, matcher, rng)
                if mask and rng.random() < 0.8
                else rng.randrange(grammar.vocabulary.size)
            )
            assert matcher.accept(token) == (token in mask)
            if token in mask:
                history.append(token)
        elif action < 0.8:
            n = rng.randint(0, len(history))
            matcher.rollback(n)
            del history[len(history) - n :]
        elif len(live) < 12:
            live.append((matcher.fork(), list(history)))
    for matcher, history in live:
        replay = grammar.matcher()
        assert all(replay.accept(token) for token in history)
        fresh = compiled(case, vocabulary, 64).matcher()  # which has met other things before
        assert all(fresh.accept(token) for token in history)
        for other in (replay, fresh):
            assert allowed(other) == allowed(matcher)
            assert other.is_accepting == matcher.is_accepting
            assert other.forced_bytes() == matcher.forced_bytes()


# text, tokens' texts that must not follow, and that must
ROWS: list[tuple[str, bytes, list[str], list[str]]] = [
    ("any keys", b'{"a":true,"b":true,"', ['a":true,"b', 'b"'], ["a", "\\u00", "aa", "b"]),
    ("any keys", b'{"a":true,"\\u0', [], ["0", "6"]),
    ("any keys", b'{"a":true,"\\u006', [], ["1", "6"]),
    ("any keys", b'{"a":true,"\\u0061', ['"', '":'], ["a", "\\u00"]),
    ("any keys", b'{"\xf0\x9f\x98\x80":true,"\\ud83d', [], ["\\", "\\ude00"]),
    ("any keys", b'{"\xf0\x9f\x98\x80":true,"\\ud83d\\ude00', ['"', '":'], ["a"]),
    ("keys that run out", b'{"aa":true,"aab":true,"a', [], ['"', "b", 'b"']),
    ("keys that run out", b'{"aa":true,"aab":true,"a":true,"', ["aa", "aab"], ["a", "ab", 'b"', '":']),
    ("keys that run out", b'{"aa":true,"aab":true,"a":true,"ab":true,"', ["a", "\\u0061"], ['b"', "c"]),
    ("names and other keys", b'{"', ['"a"'], ["a", "ab", "\\u00", "aab"]),
    ("names and other keys", b'{"a', [], ['"', '":', "b", "aa"]),
    ("names and other keys", b'{"aa":1,"\\u0061', [], ['"', "a", "b"]),
    ("names that a pattern has", b'{"a', [], ['"', "a", "ab", 'b"']),
    ("names that are all a pattern has there", b'{"ab', [], ['"', '":']),
    ("names that are all a pattern has there", b'{"ab":true,"a', ["b", 'b"'], ['"', '":']),
    ("few strings", b'["aa","aab","a', ["a", "aa", "aab"], ['"', '","', '"]']),
    ("few strings", b'["","a","b","aa","ab",', [], ['"']),
    ("few strings", b'["","a","b","aa","ab","aab"', [",", '",'], ["]"]),
    ("all strings there are", b'["","a","b","aa","ab"', ["]"], [","]),
    ("booleans", b"[true,", ["true", "t"], ["f"]),
    ("booleans", b"[true,false", [","], ["]"]),
    ("integers", b"[1", ["]"], ["1", "2", ","]),
    ("integers", b"[1,1", [",", "]"], ["0", "1,", "1", "2"]),
    ("integers", b"[1,10,11,12,", ["1", "1,"], ["0", "2"]),
    ("integers", b"[0,-", ["0", "0,"], []),
]  # fmt: skip


@pytest.mark.parametrize("stored", [64, 0])
@pytest.mark.parametrize(("case", "text", "refused", "taken"), ROWS)
def test_rows(case: str, text: bytes, refused: list[str], taken: list[str], stored: int) -> None:
    grammar = compiled(case, "spanning", stored)
    matcher = grammar.matcher()
    if text == b"[0,-":  # -0 is 0: there is no way on
        assert not matcher.accept_bytes(text)
        return
    assert matcher.accept_bytes(text)
    mask = {grammar.vocabulary.tokens[token] for token in allowed(matcher)}
    assert [text for text in refused if text.encode() in mask] == []
    assert [text for text in taken if text.encode() not in mask] == []


@pytest.fixture(scope="module")
def tekken() -> Compiler:
    pytest.importorskip("mistral_common", reason="the tokenizer's data come with mistral-common")
    tokens = load_tokenizer("tekken").vocabulary
    return Compiler(Vocabulary(tokens.tokens, tokens.eos_ids))


@pytest.mark.parametrize("case", ["any keys", "keys that run out", "few strings", "strings and integers"])
def test_a_real_vocabulary(case: str, tekken: Compiler) -> None:
    """131,072 tokens, of which some are tried at each step, those above all that end keys and items."""
    schema, kind = CASES[case]
    grammar = tekken.json_schema(schema, whitespace="compact", any_order=True)
    vocabulary = tekken.vocabulary
    rng = random.Random(case)
    likely = [
        t for t, data in enumerate(vocabulary.tokens) if data and set(data) <= set(b'{}[]":,\\/abtrue019')
    ]
    for _ in range(2 * WALKS):
        matcher, text = grammar.matcher(), b""
        for _ in range(12):
            mask = allowed(matcher)
            some = rng.sample(sorted(mask), min(30, len(mask)))
            for token in {*rng.sample(range(vocabulary.size), 60), *rng.sample(likely, 60), *some}:
                data = vocabulary.tokens[token]
                assert matcher.fork().accept(token) == (token in mask), (text, data)
                assert not data or (token in mask) == viable(kind, text + data)[0], (text, data)
            pool = [t for t in likely if t in mask] or sorted(mask)
            token = rng.choice(pool)
            if not matcher.accept(token) or matcher.is_terminated:
                break
            text += vocabulary.tokens[token] or b""


def _keys_of(pattern: str, tokens: list[bytes], **more: object) -> CompiledGrammar:
    schema = {"type": "object", "patternProperties": {pattern: {}}, "additionalProperties": False, **more}
    return Compiler(Vocabulary([*tokens, None], [len(tokens)])).json_schema(schema)


def _same_as_accepting(matcher: Matcher, n_tokens: int) -> None:
    mask = allowed(matcher)
    assert mask == {t for t in range(n_tokens) if matcher.fork().accept(t)}
    assert mask


def test_a_new_key_may_be_one_that_only_escapes_can_write():
    """The vocabulary lacks the bytes of é, so the second key has to be spelled as backslash, u, 00e9."""
    ascii_bytes = [bytes([byte]) for byte in range(128)]
    matcher = _keys_of("^(a|é+)$", ascii_bytes, minProperties=2).matcher()
    for byte in b'{"a":1,"\\u00e9":2}':
        _same_as_accepting(matcher, 128)
        assert matcher.accept(byte)
    assert matcher.is_accepting
    matcher.rollback(len('":2}'))
    for byte in b"\\u00E9":  # another key of two characters
        _same_as_accepting(matcher, 128)
        assert matcher.accept(byte)
    assert matcher.accept_bytes(b'":2,"\\u00e9')
    assert not matcher.accept_bytes(b'\\u00e9"')  # seen, in another spelling
    assert matcher.accept_bytes(b'":3}')


def test_two_spellings_of_one_key_are_one_way_out():
    """The one token that ends a key and begins another, of which only the first is left, in two spellings."""
    pairs = [bytes((121, a, b)) for a in range(97, 123) for b in range(97, 123)]
    many = pairs + [pair + bytes([c]) for pair in pairs for c in range(97, 107)]  # so that they are stored
    tokens = [*(bytes([byte]) for byte in range(256)), *many, b'x\\n":1,"x\\']
    matcher = _keys_of("^(x\\n?|y[a-z]*)$", tokens).matcher()
    assert matcher.accept_bytes(b'{"')
    _same_as_accepting(matcher, len(tokens))
    assert len(tokens) - 1 not in allowed(matcher)

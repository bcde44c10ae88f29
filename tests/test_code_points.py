"""Automata made over kinds of code points are those made byte by byte, and what spares automata is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from naive_regex import matches

from structgen.automata import build, code_points, json_text
from structgen.automata.build import compile_regex, intersect
from structgen.automata.dfa import Dfa
from structgen.automata.encoding import Encoding
from structgen.charset import ANY, CharSet
from structgen.errors import CompileLimitError
from structgen.regex import parse
from structgen.regex.absorb import absorbed
from structgen.regex.matching import matches_whole
from structgen.regex.syntax import (
    ANYTHING,
    EPSILON,
    NOTHING,
    Chars,
    Complement,
    Concat,
    Intersection,
    Literal,
    Regex,
    Repeat,
    Union,
)
from structgen.sources.json_schema.strings import (
    Pattern,
    StringFacts,
    few_texts,
    patterns_apart,
    string_content,
    string_language,
    surely_within,
)

ENCODINGS: tuple[Encoding, ...] = ("json-string", "utf-8")
# Characters of all lengths, with a short escape, a hex escape, two escapes; a slash has two spellings.
SETS = [CharSet.chars(text) for text in ("a", "ab", "/", '"\\', "\n\x00", "é", "€￿", "😀a", "")]
SETS += [ANY, ANY - CharSet.chars("ab"), CharSet.of([(0x20, 0x7F)]), CharSet.of([(0x7FF, 0x10001)])]


def nodes() -> st.SearchStrategy[Regex]:
    """Expressions with sets of all sorts, complements and intersections."""
    leaves = st.sampled_from(SETS).map(Chars) | st.sampled_from(["", "a", "ba", "a/é", "😀"]).map(Literal)
    return st.recursive(
        leaves | st.just(ANYTHING),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Concat(tuple(parts))),
            st.lists(inner, max_size=3).map(lambda options: Union(tuple(options))),
            st.tuples(inner, st.integers(0, 2), st.none() | st.integers(0, 5)).map(
                lambda made: Repeat(made[0], made[1], None if made[2] is None else made[1] + made[2])
            ),
            st.tuples(inner, inner).map(lambda pair: Intersection(*pair)),
            inner.map(Complement),
        ),
        max_leaves=6,
    )


def by_bytes(node: Regex, encoding: Encoding) -> Dfa:
    if isinstance(node, Intersection):
        return intersect(by_bytes(node.left, encoding), by_bytes(node.right, encoding))
    if isinstance(node, Complement):
        return build.difference(compile_regex(ANYTHING, encoding), by_bytes(node.item, encoding))

    class Nfa(build._Nfa):
        def _add_inner(self, node: Regex, source: int, target: int) -> None:
            self.add_dfa(by_bytes(node, encoding), source, target)

        def _another(self) -> build._Nfa:
            return Nfa(encoding, build.MAX_STATES)

    nfa = Nfa(encoding, build.MAX_STATES)
    start, final = nfa.new_state(), nfa.new_state()
    nfa.add(node, start, final)
    return nfa.determinise(start, final)


def by_kinds(node: Regex, encoding: Encoding) -> Dfa | None:
    kinds = code_points.kinds_of(node)
    if kinds is None or not kinds.n:
        return None
    over = build.over_kinds(node, kinds, build.MAX_STATES)
    return build.spelled(over, kinds, encoding, build.MAX_STATES, quoted=False)


def spelling_of(sets: Sequence[CharSet], encoding: Encoding) -> code_points.Spelling:
    ranges = sorted((low, high, kind) for kind, charset in enumerate(sets) for low, high in charset.ranges)
    return code_points.spelling_of(np.array(ranges, np.int32).tobytes(), len(sets) + 1, encoding)


@settings(max_examples=300, deadline=None)
@given(nodes())
@example(Repeat(Concat((Chars(ANY - CharSet.chars(" \n")), Chars(CharSet.chars(" \n")))), 0, 30))
@example(Concat((ANYTHING, Chars(CharSet.chars("u\\0/")), ANYTHING)))
@example(Complement(Complement(Literal("a"))))
@example(Intersection(ANYTHING, NOTHING))
def test_as_byte_by_byte(node: Regex) -> None:
    for encoding in ENCODINGS:
        made = by_kinds(node, encoding)
        assert made is None or made.digest == by_bytes(node, encoding).digest


@settings(max_examples=300, deadline=None)
@given(nodes(), nodes())
@example(Literal(""), NOTHING)
@example(NOTHING, NOTHING)
@example(ANYTHING, Repeat(Chars(ANY), 0, None))
@example(Union((Literal(""), Concat((Chars(ANY), ANYTHING)))), ANYTHING)
@example(Literal('"'), Literal("\\"))
@example(Literal("".join(map(chr, range(0x4E00, 0x4E00 + 300)))), Literal("a"))  # more kinds than allowed
def test_strings_as_their_contents_between_quotes(node: Regex, other: Regex) -> None:
    content = by_bytes(node, "json-string")
    made = json_text.matching(node)
    assert made is not None and made.digest == json_text.quoted(content).digest
    is_other = content.digest == by_bytes(other, "json-string").digest
    unlike = json_text.matching(node, unless=other)
    assert unlike == (None if is_other else made)


@settings(max_examples=200, deadline=None)
@given(nodes())
@example(Repeat(Literal("ab"), 0, None))
@example(Repeat(Chars(CharSet.chars("a")), 0, None))
@example(Literal(""))
@example(ANYTHING)
@example(Union((Literal(""), Concat((Literal("ab"), Repeat(Literal("b"), 0, None))))))
def test_strings_that_are_not_empty(node: Regex) -> None:
    content = by_bytes(node, "json-string")
    longer = intersect(content, by_bytes(Repeat(Chars(ANY), 1, None), "json-string"))
    assert json_text.quoted(content, empty=False) == json_text.quoted(longer)


@pytest.mark.parametrize(
    "text",
    [
        r"^(?:\S+\s+){0,99}\S+$",
        "dev|alpha|beta|rc|RC|stable",
        r"^\p{L}{2,60}\d$",
        "^(?!a).{3,60}$",
        r"^[^\"\\]{1,60}\/$",
    ],
)
def test_patterns_that_are_large(text: str) -> None:
    node = parse(text, "ecma", search=True)
    assert code_points.is_large(node)
    for encoding in ENCODINGS:
        assert compile_regex(node, encoding).digest == by_bytes(node, encoding).digest


def test_a_limit_holds_in_bytes() -> None:
    node = Repeat(Chars(CharSet.chars("é")), 200, 200)  # 201 states over kinds, many more in bytes
    size = compile_regex(node, "json-string").n_states
    with pytest.raises(CompileLimitError):
        compile_regex(node, "json-string", size - 1)
    assert compile_regex(node, "json-string", size).n_states == size
    with pytest.raises(CompileLimitError):
        json_text.matching(node, size - 1)
    made = json_text.matching(node, size)
    assert made is not None and made.n_states == size + 2


def test_more_kinds_than_there_are_numbers() -> None:
    node = Literal("".join(map(chr, range(0x4E00, 0x4E00 + 300))))
    assert code_points.kinds_of(node) is None
    assert compile_regex(node).accepts(node.text.encode())


@settings(max_examples=500, deadline=None)
@given(nodes(), st.text(alphabet='ab/é😀"', max_size=6))
def test_a_text_is_matched_as_by_derivatives(node: Regex, text: str) -> None:
    assert matches_whole(node, text) == matches(node, text)


@settings(max_examples=300, deadline=None)
@given(nodes(), nodes(), nodes())
def test_what_any_text_takes_may_be_left_out(left: Regex, middle: Regex, right: Regex) -> None:
    for node in (
        Concat((left, ANYTHING, right)),
        Concat((ANYTHING, left, middle, ANYTHING)),
        Union((Concat((left, ANYTHING)), Concat((ANYTHING, ANYTHING, right)))),
    ):
        assert by_bytes(absorbed(node), "utf-8").digest == by_bytes(node, "utf-8").digest


def test_repetitions_beside_any_text_are_short() -> None:
    node = absorbed(parse("[a-z]{1,255}", "ecma", search=True))
    assert node == Concat((ANYTHING, Chars(CharSet.of([(97, 122)])), ANYTHING))
    assert absorbed(Concat((ANYTHING, Repeat(Literal("a"), 0, 9), EPSILON, ANYTHING))) == Concat((ANYTHING,))


def texts_of(automaton: Dfa) -> Iterator[str]:
    """Of a finite automaton in UTF-8."""
    pending = [(1, b"")]
    while pending:
        state, text = pending.pop()
        if automaton.accepting[state]:
            yield text.decode()
        for byte in range(256):
            after = automaton.step(state, bytes((byte,)))
            if after:
                pending.append((after, text + bytes((byte,))))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("^ab$", 4, 1),
        ("^(a|bc)[0-3]{1}$", 8, 8),
        ("^(a|bc)[0-3]{1}$", 7, None),
        ("^x{2,4}$", 4, 3),
        ("^(ab?){0,2}$", 9, 7),
        ("^a", 64, None),
        ("a$", 64, None),
        ("^[^a]$", 64, None),
        ("^(?!a)b$", 64, 1),
        ("^a+$", 64, None),
        ("^$", 1, 1),
    ],
)
def test_few_texts(text: str, limit: int, expected: int | None) -> None:
    found = few_texts(Pattern(text, ""), limit)
    assert (None if found is None else len(found)) == expected
    if found is not None:
        assert sorted(found) == sorted(texts_of(compile_regex(parse(text, "ecma", search=True))))


@pytest.mark.parametrize(
    "texts",
    [
        ("^a", "^b"),
        ("^ab", "^ac"),
        ("^a", "^ab"),
        ("a", "b"),
        ("^[ab]c", "^[bc]c", "^[ac]c"),
        ("^a$", "^ab$"),
    ],
)
def test_patterns_that_begin_apart_have_no_text_in_common(texts: tuple[str, ...]) -> None:
    automata = [compile_regex(parse(text, "ecma", search=True)) for text in texts]
    common = automata[0]
    for automaton in automata[1:]:
        common = intersect(common, automaton)
    if patterns_apart([Pattern(text, "") for text in texts]):
        assert common.is_empty


@pytest.mark.parametrize(
    ("minimum", "maximum"), [(0, None), (2, None), (0, 4), (3, 5), (4, 4), (7, 6), (0, 70)]
)
def test_lengths_of_what_is_large(minimum: int, maximum: int | None) -> None:
    text = "^(?:aé?|b){0,60}$"
    node = parse(text, "ecma", search=True)
    assert code_points.is_large(node)
    facts = StringFacts(minimum, maximum, (Pattern(text, ""),))
    wanted = string_language(facts, 100_000, whole=True)
    sized = string_content(facts, 100_000)
    for sample in ("", "b", "aé", "éa", "aéb", "abab", "aéaé", "babab", "aéaéaé", "b" * 60, "b" * 61):
        fits = len(sample) >= minimum and (maximum is None or len(sample) <= maximum)
        expected = fits and matches(node, sample)
        assert sized.accepts(sample.encode()) == expected
        if wanted and isinstance(wanted[0][0], Dfa):
            assert wanted[0][0].accepts(f'"{sample}"'.encode()) == expected
        elif not wanted:
            assert not expected


@pytest.mark.parametrize("lengths", [(0, None), (3, None), (0, 40), (5, 300)])
@pytest.mark.parametrize(
    "text", [r"^(?:\S+\s+){0,20}\S+$", "^[a-z]{1,300}$", "^(a.{3}){2,20}$", "^x.{0,60}y{1,3}$"]
)
def test_what_is_said_to_be_within_a_limit_is(text: str, lengths: tuple[int, int | None]) -> None:
    facts = StringFacts(*lengths, (Pattern(text, ""),))
    for limit in (300, 1_000, 3_000, 10_000, 100_000):
        try:
            within = surely_within(facts, limit)
        except CompileLimitError:
            within = False
        if within:
            string_language(facts, limit)
    assert surely_within(facts, 100_000)


def test_kernels_see_arrays_of_one_kind() -> None:
    spelling = spelling_of((CharSet.chars("aé"), ANY - CharSet.chars("aé")), "json-string")
    assert (spelling.table.dtype, spelling.kind_of.dtype, spelling.order.dtype) == (
        np.int32,
        np.int32,
        np.int64,
    )
    assert sorted(set(spelling.kind_of.tolist())) == [-1, 0, 1, 2]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sets(st.integers(0, 0x10FFFF), min_size=1, max_size=6), min_size=1, max_size=4), st.data())
def test_spellings_of_kinds(points: list[set[int]], data: st.DataObject) -> None:
    """Every spelling of a code point ends at the end of its kind, and nothing else ends."""
    taken: set[int] = set()
    sets = []
    for chosen in points:
        wide = {p + i for p in chosen for i in range(data.draw(st.sampled_from([1, 3, 70, 0x500])))}
        charset = CharSet.of((p, p) for p in wide - taken if p <= 0x10FFFF)
        taken |= wide
        if charset:
            sets.append(charset)
    if not sets:
        return
    for encoding in ENCODINGS:
        spelling = spelling_of(sets, encoding)
        for kind, charset in enumerate(sets):
            own = compile_regex(Chars(charset), encoding)
            # the automaton of the spellings that end at this kind
            accepting = np.ascontiguousarray(spelling.kind_of == kind)
            assert build.minimal(spelling.table.copy(), accepting, spelling.byte_class).digest == own.digest

"""Random grammars, texts and vocabularies over a small alphabet, for the property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from structgen.automata.build import compile_regex
from structgen.automata.dfa import BoundedDfa, CountedDfa
from structgen.charset import CharSet
from structgen.grammar import Choice, Expr, Grammar, Repetition, RuleRef, Sequence, Terminal
from structgen.regex.syntax import Chars, Concat, Literal, Regex, Repeat, Union
from structgen.vocabulary import Vocabulary

ALPHABET = "abcé"
RULES = ("start", "p", "q")


def regexes(alphabet: str = ALPHABET) -> st.SearchStrategy[Regex]:
    leaves = st.one_of(
        st.text(alphabet, min_size=0, max_size=3).map(Literal),
        st.sets(st.sampled_from(alphabet), min_size=1).map(
            lambda chars: Chars(CharSet.chars("".join(chars)))
        ),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Concat(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda options: Union(tuple(options))),
            st.tuples(inner, bounds()).map(lambda pair: Repeat(pair[0], *pair[1])),
        ),
        max_leaves=4,
    )


def bounds() -> st.SearchStrategy[tuple[int, int | None]]:
    return st.tuples(st.integers(0, 2), st.one_of(st.none(), st.integers(0, 2))).map(
        lambda pair: (pair[0], None if pair[1] is None else pair[0] + pair[1])
    )


def counted() -> st.SearchStrategy[CountedDfa]:
    """``c`` units of ``a``, ``ba`` or ``é``, then ``c``."""
    unit = compile_regex(Union((Literal("a"), Literal("ba"), Literal("é"))))
    return st.tuples(st.sampled_from([b"c", b"", b"cb"]), bounds(), st.sampled_from([b"c", b"cb"])).map(
        lambda made: CountedDfa(made[0], unit, *made[1], made[2])
    )


def bounded() -> st.SearchStrategy[BoundedDfa]:
    """Texts of a regex without ``c``, of at most so many characters, then ``c``."""
    contents = regexes("abé").map(lambda node: compile_regex(node, "json-string"))
    heads, tails = st.sampled_from([b"c", b"", b"cb"]), st.sampled_from([b"c", b"cb"])
    return st.tuples(heads, contents, st.integers(0, 4), tails).map(lambda made: BoundedDfa(*made))


def expressions() -> st.SearchStrategy[Expr]:
    terminals = st.one_of(
        regexes().map(lambda node: Terminal(node)),
        regexes().map(lambda node: Terminal(compile_regex(node))),
        counted().map(lambda node: Terminal(node)),
        bounded().map(lambda node: Terminal(node)),
    )
    leaves = st.one_of(terminals, st.sampled_from(RULES).map(RuleRef))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=0, max_size=3).map(lambda items: Sequence(tuple(items))),
            st.lists(inner, min_size=1, max_size=3).map(lambda options: Choice(tuple(options))),
            st.tuples(inner, bounds()).map(lambda pair: Repetition(pair[0], *pair[1])),
        ),
        max_leaves=5,
    )


def grammars() -> st.SearchStrategy[Grammar]:
    ignores = st.one_of(
        st.none(), st.none(), st.sampled_from(["a", "bc"]).map(lambda text: Terminal(Literal(text)))
    )
    return st.tuples(
        st.tuples(*[expressions() for _ in RULES]), ignores, st.sampled_from(["gbnf", "lark"])
    ).map(lambda made: Grammar(dict(zip(RULES, made[0], strict=True)), "start", made[2], made[1]))


BYTES = sorted({bytes([byte]) for byte in ALPHABET.encode()})


def vocabularies() -> st.SearchStrategy[Vocabulary]:
    """All single bytes of the alphabet (or all but one), longer tokens, duplicates, ids without bytes."""
    longer = st.lists(
        st.text(ALPHABET, min_size=1, max_size=5).map(str.encode)
        | st.sampled_from([b"a\xc3", b"\xa9", b"\xa9b", b"\xc3"]),
        max_size=14,
    )
    dropped = st.sampled_from([None, None, None, *BYTES])

    def build(made: tuple[list[bytes], bytes | None, int]) -> Vocabulary:
        tokens, without, n_eos = made
        texts: list[bytes | None] = [
            token for token in BYTES + tokens if without is None or without not in token
        ]
        texts += [None, b"", None]
        n = len(texts)
        return Vocabulary(texts, list(range(n - 1, n - 1 - n_eos, -2)))

    return st.tuples(longer, dropped, st.integers(1, 3)).map(build)

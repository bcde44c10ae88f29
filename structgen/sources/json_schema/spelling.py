"""How strings and names may be spelled: in any way that JSON has, or in one canonical way.

The canonical spelling (``escapes="needed"``) is that of ``json.dumps(..., ensure_ascii=False)``: the quote,
the backslash and the control characters that have a short escape take it, the other control characters
are ``\\u00`` and two lower-case digits, and everything else stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

from structgen.automata import json_text
from structgen.automata.build import compile_regex, intersect
from structgen.automata.dfa import BoundedDfa, CountedDfa, Dfa
from structgen.automata.marked import MarkedDfa
from structgen.charset import ANY, CharSet
from structgen.regex.syntax import Chars, Concat, Literal, Regex, Repeat, Union
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.strings import Automaton, Parts, StringFacts, string_language
from structgen.untracked import untracked

Spelled = Callable[[Automaton], Automaton | None]
"""An automaton as far as the vocabulary has the bytes for it; None: not at all."""

_ESCAPED = [chr(c) for c in (*range(0x20), 0x22, 0x5C)]
_UNBOUNDED = 1 << 30  # what is left of an automaton is never larger than it was, but for a few states


def string_automata(facts: StringFacts, options: SchemaOptions, *, whole: bool = False) -> Parts:
    """`string_language` in the spelling that the options ask for; alternatives without a text left out."""
    language = string_language(facts, options.max_states, whole=whole)
    if options.escapes != "needed":
        return language
    language = tuple(tuple(map(_canonical, parts)) for parts in language)
    return tuple(
        parts for parts in language if not any(isinstance(part, Dfa) and part.is_empty for part in parts)
    )


def key_automaton(name: str, options: SchemaOptions) -> Dfa:
    """The spellings of one name, with its quotes."""
    return keys_automaton((name,), options) if options.escapes == "needed" else json_text.key(name)


def keys_automaton(names: tuple[str, ...], options: SchemaOptions) -> Dfa:
    """The spellings of any of these names, sorted and distinct, with their quotes."""
    if options.escapes == "needed":
        return json_text.words(tuple(f'"{json_text.encoded(name).decode()}"' for name in names))
    return json_text.strings(names)


def is_written(language: Parts, spelled: Spelled | None) -> bool:
    """True when the vocabulary has the bytes for some text of the language. ``spelled`` None: it has all."""
    if spelled is None:
        return bool(language)
    return any(all(spelled(part) is not None for part in parts) for parts in language)


@lru_cache(maxsize=4096)
@untracked
def _canonical(automaton: Automaton) -> Automaton:
    """As much of a part of a string as is in the canonical spelling."""
    if isinstance(automaton, MarkedDfa):
        automaton = automaton.whole()
    if isinstance(automaton, CountedDfa):
        unit = intersect(automaton.unit, _character(), _UNBOUNDED)
        return CountedDfa(automaton.head, unit, automaton.minimum, automaton.maximum, automaton.tail)
    if isinstance(automaton, BoundedDfa):
        content = intersect(automaton.content, _characters(), _UNBOUNDED)
        return BoundedDfa(automaton.head, content, automaton.maximum, automaton.tail)
    if automaton.is_empty:
        return automaton
    return intersect(automaton, _beginning(), _UNBOUNDED)


@cache
def _node() -> Regex:
    plain = Chars(ANY - CharSet.chars("".join(_ESCAPED)))
    return Union((plain, *(Literal(json_text.encoded(char).decode()) for char in _ESCAPED)))


@cache
def _character() -> Dfa:
    """One character, canonically spelled; over bytes, not over what they decode to."""
    return compile_regex(_node())


@cache
def _characters() -> Dfa:
    return compile_regex(Repeat(_node(), 0, None))


@cache
def _beginning() -> Dfa:
    """A string, with or without its end."""
    quote = Literal('"')
    return compile_regex(Concat((quote, Repeat(_node(), 0, None), Repeat(quote, 0, 1))))

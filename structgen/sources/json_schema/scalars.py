"""What may be written of null, booleans, numbers and strings where a conjunction has to hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

from structgen.automata import json_text
from structgen.automata.dfa import SpelledText, SpelledTexts
from structgen.parser_states import Value
from structgen.sources.json_schema.dialects import DIALECTS, Dialect
from structgen.sources.json_schema.facts import Conjunction, LiteralFacts, NumberFacts, StringFacts
from structgen.sources.json_schema.keyword_sets import SAYING
from structgen.sources.json_schema.keywords import Draft
from structgen.sources.json_schema.normal_form import NormalForms
from structgen.sources.json_schema.numbers import number_language
from structgen.sources.json_schema.options import SchemaOptions
from structgen.sources.json_schema.spelling import string_automata
from structgen.sources.json_schema.strings import Automaton, few_texts, string_matches
from structgen.sources.json_schema.values import BOOLEAN, NULL, NUMBER, STRING, is_spellable
from structgen.untracked import untrack

Piece = Automaton | SpelledText | SpelledTexts
Parts = tuple[tuple[Piece, ...], ...]
"""Alternatives, each of pieces one after another."""

# Schemas of these keywords only, with plain values, come to the same in all documents. ``pattern`` is not
# among them: what is wrong with one is said with its place.
_PLAIN = frozenset(
    (
        "type",
        "enum",
        "const",
        "format",
        "minLength",
        "maxLength",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    )
)
BESIDE_TYPE = SAYING - {"type"}
_BESIDE_LISTED = SAYING - {"type", "enum"}
_NOT_EASY = SAYING - {"type", "minLength", "maxLength", "enum"}
SCALARS = ("string", "integer", "number", "boolean", "null")
_FEW_VALUES = 64  # of an ``enum``
_FEW_TEXTS = 128  # of a pattern
_MOST_BYTES = 32 << 20
_MOST_TYPED = 64
_typed: dict[tuple[Draft, Hashable], dict[str, tuple[Value, ...]]] = {}
_known: dict[tuple[Hashable, Hashable], tuple[Parts, bool]] = {}
_known_bytes = [0]
_keeping = threading.Lock()


class Scalars:
    """The scalars of a document's conjunctions, each worked out once; plain ones once for all documents."""

    def __init__(self, forms: NormalForms, options: SchemaOptions) -> None:
        self._forms = forms
        self._options = options
        self._of: dict[Conjunction, tuple[Parts, bool]] = {}
        self._keys: dict[Conjunction, Hashable | None] = {}
        self.recalls = False  # what other documents have found
        self._meaning = (
            options.format,
            options.integers,
            options.escapes,
            options.max_digits,
            options.max_states,
            options.lenient,
        )

    def of(self, conjunction: Conjunction) -> tuple[Parts, bool]:
        """The alternatives, each of one or more automata; and: may there be an array or an object?"""
        known = self._of.get(conjunction)
        if known is None and self._options.escapes == "any":
            values = _plain_values(conjunction)
            if values is not None:
                known = self._of[conjunction] = tuple(_spelled(values)), False
        if known is None:
            plain = self._key(conjunction)
            known = None if plain is None else _known.get((plain, self._meaning))
            if known is None:
                known = tuple(self.found(conjunction, whole=False)), self._forms.of(conjunction).has_children
                if plain is not None:
                    _keep((plain, self._meaning), known)
            self._of[conjunction] = known
        return known

    def _key(self, conjunction: Conjunction) -> Hashable | None:
        """`_plain_key`, which is asked for twice of most."""
        if conjunction not in self._keys:
            self._keys[conjunction] = _plain_key(conjunction)
        return self._keys[conjunction]

    def typed(self, dialect: Dialect) -> dict[str, tuple[Value, ...]]:
        """By type: what a value is one of, where a subschema says no more than that type. One for all
        documents of a dialect; to be filled by who asks.
        """
        if dialect is not DIALECTS.get(dialect.draft):
            return {}
        known = _typed.get((dialect.draft, self._meaning))
        if known is None:
            if len(_typed) >= _MOST_TYPED:
                _typed.clear()
            known = _typed[dialect.draft, self._meaning] = {}
        return known

    def easy(self, conjunction: Conjunction) -> tuple[Parts, bool] | None:
        """The same where it is quickly worked out, which hangs on the schema alone;
        with ``recalls`` also where another document has found it. None elsewhere.
        """
        if len(conjunction) != 1:
            return None
        schema = conjunction[0].schema
        if type(schema) is not dict:
            return None
        if not _NOT_EASY.isdisjoint(schema):
            plain = self._key(conjunction) if self.recalls else None
            return None if plain is None else _known.get((plain, self._meaning))
        values = schema.get("enum", ())
        if type(values) is list and not (len(values) <= _FEW_VALUES and all(type(v) is str for v in values)):
            return None
        types = schema.get("type", "string" if values else None)
        if not (all(name in SCALARS for name in types) if type(types) is list else types in SCALARS):
            return None
        return self.of(conjunction)

    def found(self, conjunction: Conjunction, *, whole: bool) -> Iterator[tuple[Piece, ...]]:
        """The alternatives. ``whole``: strings are one automaton each."""
        form = self._forms.of(conjunction)
        words: set[str] = set()
        for facts in (*form.by_type[NULL], *form.by_type[BOOLEAN]):
            if isinstance(facts, LiteralFacts):
                words.update(map(json.dumps, facts.values))
        if words:
            yield (json_text.words(tuple(sorted(words))),)
        for facts in form.by_type[NUMBER]:
            if isinstance(facts, NumberFacts):
                language = number_language(facts, max_digits=self._options.max_digits)
                if not language.is_empty:
                    yield (language,)
        for facts in form.by_type[STRING]:
            if isinstance(facts, StringFacts):
                values = None if whole or self._options.escapes != "any" else _listed(facts)
                if values is not None:
                    yield from _spelled(values)
                else:
                    yield from string_automata(facts, self._options, whole=whole)


def _listed(facts: StringFacts) -> Sequence[str] | None:
    """The strings where they are given one by one, or by a pattern such as ``^(ab|c)$``; None elsewhere.

    Spelled they need no automaton: that of 411 texts has 24,000 states, which take 15 ms.
    """
    if facts.values is not None:
        return facts.values if facts == StringFacts(values=facts.values) else None
    if not facts.patterns:
        return None
    texts = few_texts(facts.patterns[0], _FEW_TEXTS)
    if texts is None:
        return None
    others = replace(facts, patterns=facts.patterns[1:])
    if others == StringFacts():
        return texts
    return [text for text in texts if string_matches(others, text)]


def _plain_values(conjunction: Conjunction) -> Sequence[str] | None:
    """The strings of an ``enum`` that is all that is asked, but for ``type``; None elsewhere."""
    if len(conjunction) != 1:
        return None
    schema = conjunction[0].schema
    if type(schema) is not dict or conjunction[0].negated or not _BESIDE_LISTED.isdisjoint(schema):
        return None
    values = schema.get("enum")
    if type(values) is not list or schema.get("type", "string") != "string":
        return None
    return values if all(type(value) is str for value in values) else None


def _spelled(values: Iterable[str]) -> Iterator[tuple[Piece]]:
    texts = tuple(sorted({value for value in values if is_spellable(value)}))
    if len(texts) == 1:
        yield (SpelledText(texts[0]),)
    elif texts:
        yield (SpelledTexts(texts),)


def _keep(key: tuple[Hashable, Hashable], found: tuple[Parts, bool]) -> None:
    """Keep what was found, unless it is large, in place of what was found first, if there is too much: to
    begin anew would free all at once, tens of milliseconds.
    """
    size = _size(key, found)
    if size > _MOST_BYTES // 16:
        return
    with _keeping:
        if key in _known:
            return
        while _known and _known_bytes[0] + size > _MOST_BYTES:
            first = next(iter(_known))
            _known_bytes[0] -= _size(first, _known.pop(first))
        _known[untrack(key)] = untrack(found)
        _known_bytes[0] += size


def _size(key: tuple[Hashable, Hashable], found: tuple[Parts, bool]) -> int:
    """About how many bytes it takes."""
    parts = (part for parts in found[0] for part in parts)
    return 2 * len(repr(key)) + sum(
        part.nbytes for part in parts if not isinstance(part, SpelledText | SpelledTexts)
    )


def _plain_key(conjunction: Conjunction) -> Hashable | None:
    """Equal for conjunctions that plainly mean the same; None where that is not plain. (): any value."""
    if len(conjunction) != 1:
        return None if conjunction else ()
    node = conjunction[0]
    schema, dialect = node.schema, node.resource.dialect
    if node.negated or dialect is not DIALECTS.get(dialect.draft):
        return None
    if type(schema) is not dict:
        return () if schema is True else None
    key: list[Hashable] = [dialect.draft]
    for keyword, value in schema.items():
        if keyword in _PLAIN:
            kind: type = type(value)
            if kind is list and len(value) <= _FEW_VALUES and all(type(item) is str for item in value):
                key.append((keyword, *value))
            elif kind is str or kind is int or kind is float or kind is bool:
                key.append((keyword, kind, value))
            else:
                return None
        elif keyword in SAYING:
            return None
    return tuple(key)

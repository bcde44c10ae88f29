"""The formats by name: their languages, and whether a text is of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structgen.automata.build import MAX_STATES, compile_regex
from structgen.automata.dfa import Dfa
from structgen.automata.json_text import encoded
from structgen.regex.syntax import Complement, Regex
from structgen.sources.json_schema.formats import (
    dates,
    idna,
    mail,
    network,
    pointers,
    regexes,
    saved_automata,
    uris,
)


@dataclass(frozen=True, slots=True)
class Format:
    """``language``: texts of the format, all of them when ``none_of`` is None; else that has surely none.

    ``decide``: of the texts between, is this one? ``max_length``: a bound on the code points besides.
    """

    language: Regex
    none_of: Regex | None = None
    decide: Callable[[str], bool] | None = None
    max_length: int | None = None


_FORMATS = {
    # JSON Schema 2020-12 (Validation), section 7.3.1
    "date-time": Format(dates.DATE_TIME, Complement(dates.DATE_TIME_OR_NOT), dates.is_leap_second),
    "date": Format(dates.FULL_DATE),
    "time": Format(dates.FULL_TIME, Complement(dates.TIME_OR_NOT), dates.is_leap_second),
    "duration": Format(dates.DURATION),
    # Section 7.3.2
    "email": Format(mail.EMAIL),
    "idn-email": Format(mail.IDN_EMAIL, Complement(mail.IDN_EMAIL_OR_NOT), mail.has_u_labels),
    # Section 7.3.3
    "hostname": Format(
        idna.HOSTNAME, Complement(idna.HOSTNAME_OR_NOT), idna.is_hostname, max_length=idna.MAX_HOSTNAME
    ),
    "idn-hostname": Format(
        idna.IDN_HOSTNAME,
        Complement(idna.IDN_HOSTNAME_OR_NOT),
        idna.is_hostname,
        max_length=idna.MAX_HOSTNAME,
    ),
    # Section 7.3.4
    "ipv4": Format(network.IP_V4_ADDRESS),
    "ipv6": Format(network.IP_V6_ADDRESS),
    # Section 7.3.5
    "uri": Format(uris.URI),
    "uri-reference": Format(uris.URI_REFERENCE),
    "iri": Format(uris.IRI),
    "iri-reference": Format(uris.IRI_REFERENCE),
    "uuid": Format(network.UUID),
    # Section 7.3.6
    "uri-template": Format(uris.URI_TEMPLATE),
    # Section 7.3.7
    "json-pointer": Format(pointers.JSON_POINTER),
    "relative-json-pointer": Format(
        pointers.RELATIVE_JSON_POINTER, Complement(pointers.RELATIVE_JSON_POINTER_OF_ANY_DRAFT)
    ),
    # Section 7.3.8
    "regex": Format(regexes.PATTERN, regexes.NO_PATTERN, regexes.is_pattern),
}
FORMATS = frozenset(_FORMATS)


def format_language(name: str) -> Regex:
    """Texts of the format: every one of them when `format_is_exact`, as many as an automaton can tell if not.

    Longer texts than `format_max_length` are none, in either case. Raises KeyError for other names than
    `FORMATS`; so do all functions here.
    """
    return _FORMATS[name].language


def format_automaton(name: str, max_states: int = MAX_STATES) -> Dfa:
    """The automaton of `format_language` in the json-string encoding, read from a file where that is quicker.

    Raises `CompileLimitError` (``max_states``) as `compile_regex` does.
    """
    saved = saved_automata.saved(name) if max_states >= saved_automata.ENOUGH_STATES else None
    return compile_regex(_FORMATS[name].language, "json-string", max_states) if saved is None else saved


def open_format_automata() -> None:
    """Find the file of all formats' automata, or make it."""
    saved_automata.open_saved(lambda name: compile_regex(_FORMATS[name].language, "json-string"))


def format_complement(name: str) -> Regex:
    """Texts that are surely not of the format, for ``not``; those that are too long for it are left out."""
    known = _FORMATS[name]
    return Complement(known.language) if known.none_of is None else known.none_of


def format_max_length(name: str) -> int | None:
    """The most code points that a text of the format has, where `format_language` does not say so."""
    return _FORMATS[name].max_length


def format_is_exact(name: str) -> bool:
    """Is every text of the format in `format_language`?"""
    return _FORMATS[name].none_of is None


def format_matches(name: str, text: str) -> bool:
    """Is ``text`` of the format? It is exact where `format_language` is not."""
    known = _FORMATS[name]
    if known.max_length is not None and len(text) > known.max_length:
        return False
    spelled = encoded(text)
    if format_automaton(name).accepts(spelled):
        return True
    if known.none_of is None or known.decide is None:
        return False
    return not compile_regex(known.none_of, "json-string").accepts(spelled) and known.decide(text)

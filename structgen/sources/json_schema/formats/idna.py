"""Internationalised labels: IDNA2008 (RFC 5890 to 5893), exactly on a text and in part as a language.

What makes a U-label is partly arithmetic: it has to fit into 63 octets once it is written in Punycode
(RFC 3492). Rules on context, on direction and on normal form would each multiply the automaton. So
`U_LABEL` holds labels that are valid for simple reasons: their letters are lower-case, alike in direction,
in normal form whatever stands beside them, and so few that they fit. `are_labels` knows all the rules.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from structgen.charset import CharSet
from structgen.regex.properties import property_set
from structgen.regex.syntax import ANYTHING, Chars, Regex
from structgen.sources.json_schema.formats.abnf import (
    ALNUM,
    ANY_CHARACTER,
    MAX_ASCII,
    alt,
    between,
    both,
    but,
    many,
    one_of,
    opt,
    seq,
    text,
    times,
)

# RFC 1123, section 2.1, and RFC 1034, section 3.1: of 255 octets, one counts each label and one ends the name
MAX_HOSTNAME = 253
MAX_LABEL = 63
# Code points of `LETTERS` that fit into a label: in the worst case 60 octets with "xn--". The first takes
# four digits of Punycode at most and each other five, when they come from both ends of the set.
MAX_U_LABEL = 11
# Labels of a name that has U-labels: more would fit (4 * 60 + 3 dots), at 1,200 states each.
MAX_U_LABELS = 3

# RFC 5892, section 2.6
_PVALID = frozenset("\u00df\u03c2\u06fd\u06fe\u0f0b\u3007")
_DISALLOWED = frozenset("\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b")
# Sections 2.8, 2.9 and 2.13
_OLD_HANGUL_JAMO = CharSet.of([(0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB)])
_IGNORABLE_BLOCKS = CharSet.of([(0x20D0, 0x20FF), (0x1D100, 0x1D24F)])
_LETTER_DIGITS = frozenset(["Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"])
_VIRAMA = 9  # canonical combining class
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_ARABIC_INDIC = frozenset(map(chr, range(0x660, 0x66A)))
_EXTENDED_ARABIC_INDIC = frozenset(map(chr, range(0x6F0, 0x6FA)))
# ArabicShaping.txt: the letters of the Arabic block that join to nothing, and to the one before only
_NON_JOINING = frozenset("\u0621\u0674")
_RIGHT_JOINING = CharSet.of(
    [
        (0x622, 0x625),
        (0x627, 0x627),
        (0x629, 0x629),
        (0x62F, 0x632),
        (0x648, 0x648),
        (0x671, 0x673),
        (0x675, 0x677),
        (0x688, 0x699),
        (0x6C0, 0x6C0),
        (0x6C3, 0x6CB),
        (0x6CD, 0x6CD),
        (0x6CF, 0x6CF),
        (0x6D2, 0x6D3),
        (0x6D5, 0x6D5),
        (0x6EE, 0x6EF),
    ]
)

# RFC 1123, section 2.1: letters, digits and hyphens, no hyphen first or last
LDH_LABEL = seq(ALNUM, opt(times(0, MAX_LABEL - 2, alt(ALNUM, text("-"))), ALNUM))
# RFC 5890, section 2.3.2.1: what begins like an A-label is one, or nothing; no automaton can tell which.
_ACE_PREFIX = seq(one_of("xX"), one_of("nN"), text("--"))
_RESERVED = seq(times(2, 2, alt(ALNUM, between((MAX_ASCII + 1, 0x10FFFF)))), text("--"))
HOST_LABEL = but(LDH_LABEL, seq(_ACE_PREFIX, ANYTHING))
NR_LDH_LABEL = but(LDH_LABEL, seq(_RESERVED, ANYTHING))

# RFC 3490, section 3.1
DOT = one_of(".\u3002\uff0e\uff61")
# PVALID letters of the left-to-right scripts that registries have most of, in lower case; none combines.
LETTERS = between(
    (0xDF, 0xF6),
    (0xF8, 0xFF),
    *((code_point, code_point) for code_point in (*range(0x101, 0x132, 2), *range(0x13A, 0x13F, 2))),
    *((code_point, code_point) for code_point in (*range(0x142, 0x149, 2), *range(0x14B, 0x178, 2))),
    ("\u017a", "\u017a"),
    ("\u017c", "\u017c"),
    ("\u017e", "\u017e"),
    ("\u03ac", "\u03ce"),
    ("\u0430", "\u045f"),
    ("\u3041", "\u3096"),
    ("\u30a1", "\u30fa"),
    ("\u4e00", "\u9fff"),
    ("\uac00", "\ud7a3"),
)
# PVALID marks, for addresses, whose labels need no normal form
MARKS = between((0x300, 0x33F), (0x346, 0x34E), (0x350, 0x36F))


def _u_label(first: Chars, others: Chars) -> Regex:
    label = seq(first, opt(times(0, MAX_U_LABEL - 2, alt(others, text("-"))), others))
    international = seq(ANYTHING, between((MAX_ASCII + 1, 0x10FFFF)), ANYTHING)
    return both(but(label, seq(_RESERVED, ANYTHING)), international)


_LOWER = between(("a", "z"), ("0", "9"))
_FIRST = Chars(_LOWER.charset | LETTERS.charset)
U_LABEL = _u_label(_FIRST, _FIRST)
MAIL_U_LABEL = _u_label(_FIRST, Chars(_FIRST.charset | MARKS.charset))


def names_of(label: Regex, separator: Regex) -> Regex:
    """Labels with separators in between."""
    return seq(label, many(separator, label))


HOSTNAME = names_of(HOST_LABEL, text("."))
# Beside U-labels, others are as short: 63 more states for each would be spelled out otherwise.
_SHORT_LABEL = alt(both(NR_LDH_LABEL, times(1, MAX_U_LABEL, ANY_CHARACTER)), U_LABEL)
IDN_HOSTNAME = alt(
    names_of(NR_LDH_LABEL, DOT),
    seq(_SHORT_LABEL, times(0, MAX_U_LABELS - 1, DOT, _SHORT_LABEL)),
)
# What is not here is no name at all.
HOSTNAME_OR_NOT = names_of(LDH_LABEL, text("."))
_LABEL_CHARACTERS = Chars(ALNUM.charset | one_of("-").charset | (~CharSet.of([(0, MAX_ASCII)]) - DOT.charset))
IDN_HOSTNAME_OR_NOT = names_of(times(1, None, _LABEL_CHARACTERS), DOT)


def are_labels(labels: Sequence[str], *, normal_form: bool = True) -> bool:
    """Are these the labels of a domain name, each an NR-LDH label, an A-label or a U-label (RFC 5890)?

    ``normal_form=False`` takes U-labels in whatever normal form. Unicode data are those of the running
    Python; joining types (RFC 5892, appendix A.1) are known for the Arabic block.
    """
    decoded = [_decoded(label) for label in labels]
    known = [label for label in decoded if label]
    if len(known) < len(labels) or not all(_is_label(label, normal_form) for label in known):
        return False
    octets = [len(_encoded(label)) for label in known]
    if max(octets) > MAX_LABEL or sum(octets) + len(octets) - 1 > MAX_HOSTNAME:
        return False
    return not any(map(_is_right_to_left, known)) or all(map(_keeps_direction, known))


def _decoded(label: str) -> str | None:
    """What an A-label stands for, other labels as they are; None for what only looks like an A-label."""
    if not label.lower().startswith("xn--"):
        return label
    digits = label[4:].lower()
    try:
        decoded = digits.encode("ascii").decode("punycode")
        again = decoded.encode("punycode").decode("ascii")
    except (UnicodeError, OverflowError):
        return None
    return None if decoded.isascii() or again != digits else decoded


def _encoded(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _is_label(label: str, normal_form: bool) -> bool:
    """RFC 5891, section 4.2.3, for either kind of label."""
    if label[0] == "-" or label[-1] == "-" or label[2:4] == "--":
        return False
    if label.isascii():
        return all(char.isalnum() or char == "-" for char in label)
    if unicodedata.category(label[0])[0] == "M":
        return False
    if normal_form and not unicodedata.is_normalized("NFC", label):
        return False
    return all(_is_in_place(label, place) or _is_pvalid(char) for place, char in enumerate(label))


def _is_pvalid(char: str) -> bool:
    """RFC 5892, section 3, in its order."""
    code_point = ord(char)
    if char in _PVALID or char in _DISALLOWED:
        return char in _PVALID
    if code_point <= MAX_ASCII:
        return char.islower() or char.isdigit() or char == "-"
    if _needs_context(char) or code_point in _OLD_HANGUL_JAMO or code_point in _IGNORABLE_BLOCKS:
        return False
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    if folded != char or unicodedata.category(char) not in _LETTER_DIGITS:
        return False
    return code_point not in property_set("Default_Ignorable_Code_Point")


def _needs_context(char: str) -> bool:
    return (
        char in "\u00b7\u0375\u05f3\u05f4\u30fb\u200c\u200d" or char in _ARABIC_INDIC | _EXTENDED_ARABIC_INDIC
    )


def _is_in_place(label: str, place: int) -> bool:
    """Is this a character that depends on context, in a context that it needs (RFC 5892, appendix A)?"""
    char = label[place]
    before = label[place - 1] if place else ""
    after = label[place + 1 : place + 2]
    if char in (_ZWNJ, _ZWJ):
        if before and unicodedata.combining(before) == _VIRAMA:
            return True
        return char == _ZWNJ and _joins(label[:place], label[place + 1 :])
    if char == "\u00b7":
        return before == after == "l"
    if char == "\u0375":
        return _is_of(after, "Greek")
    if char in "\u05f3\u05f4":
        return _is_of(before, "Hebrew")
    if char == "\u30fb":
        return any(_is_of(other, script) for other in label for script in ("Hiragana", "Katakana", "Han"))
    if char in _ARABIC_INDIC:
        return not _EXTENDED_ARABIC_INDIC.intersection(label)
    return char in _EXTENDED_ARABIC_INDIC and not _ARABIC_INDIC.intersection(label)


def _is_of(char: str, script: str) -> bool:
    return bool(char) and ord(char) in property_set(f"Script={script}")


def _joins(before: str, after: str) -> bool:
    """Does a letter that joins forward stand before, and one that joins backward after, marks left out?"""
    left = [char for char in before if unicodedata.category(char) not in ("Mn", "Me", "Cf")]
    right = [char for char in after if unicodedata.category(char) not in ("Mn", "Me", "Cf")]
    return (
        bool(left and right)
        and _is_joining(left[-1])
        and (_is_joining(right[0]) or ord(right[0]) in _RIGHT_JOINING)
    )


def _is_joining(char: str) -> bool:
    """Joining type D, in the Arabic block."""
    is_letter = 0x620 <= ord(char) <= 0x6FF and unicodedata.category(char) == "Lo"
    return is_letter and char not in _NON_JOINING and ord(char) not in _RIGHT_JOINING


def _is_right_to_left(label: str) -> bool:
    return any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in label)


def _keeps_direction(label: str) -> bool:
    """The Bidi rule (RFC 5893, section 2), for a label of a name that has right-to-left ones."""
    classes = [unicodedata.bidirectional(char) for char in label]
    neutral = {"EN", "ES", "CS", "ET", "ON", "BN", "NSM"}
    while classes[-1] == "NSM" and len(classes) > 1:
        classes.pop()
    if classes[0] == "L":
        return classes[-1] in ("L", "EN") and set(classes) <= neutral | {"L"}
    return (
        classes[0] in ("R", "AL")
        and classes[-1] in ("R", "AL", "EN", "AN")
        and set(classes) <= neutral | {"R", "AL", "AN"}
        and not {"EN", "AN"} <= set(classes)
    )


def is_hostname(name: str) -> bool:
    """Is a text of `IDN_HOSTNAME_OR_NOT` a host name, internationalised or not?"""
    for char in "\u3002\uff0e\uff61":
        name = name.replace(char, ".")
    return are_labels(name.split("."))

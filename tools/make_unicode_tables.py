"""Write structgen/regex/unicode_tables.py: the code points of every Unicode property a regex can name.

Development only. Sources: the third-party package ``regex`` (general categories, binary properties,
script extensions, simple case folding) and ``fontTools.unicodedata`` (names of the scripts); the two must
be of the same Unicode version, which this script checks by their scripts. Run from the repository root:

    python tools/make_unicode_tables.py
"""

from __future__ import annotations

import base64
import re as stdlib_re
import sys
import zlib
from pathlib import Path

import regex
from fontTools.unicodedata import Scripts

TARGET = Path(__file__).resolve().parents[1] / "structgen" / "regex" / "unicode_tables.py"
EVERY_CHARACTER = "".join(map(chr, range(0x110000)))

CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn"
# ECMA-262, table "Binary Unicode property aliases"; ASCII, Any and Assigned are made in properties.py.
BINARY = """
ASCII_Hex_Digit Alphabetic Bidi_Control Bidi_Mirrored Case_Ignorable Cased Changes_When_Casefolded
Changes_When_Casemapped Changes_When_Lowercased Changes_When_Titlecased
Changes_When_Uppercased Dash Default_Ignorable_Code_Point Deprecated Diacritic Emoji Emoji_Component
Emoji_Modifier Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic Extender Grapheme_Base
Grapheme_Extend Hex_Digit IDS_Binary_Operator IDS_Trinary_Operator ID_Continue ID_Start Ideographic
Join_Control Logical_Order_Exception Lowercase Math Noncharacter_Code_Point Pattern_Syntax
Pattern_White_Space Quotation_Mark Radical Regional_Indicator Sentence_Terminal Soft_Dotted
Terminal_Punctuation Unified_Ideograph Uppercase Variation_Selector White_Space XID_Continue XID_Start
"""
# The two characters that only Turkish folds (status T in CaseFolding.txt): not part of simple folding.
TURKISH = (0x130, 0x131)


def ranges_of(name: str) -> list[tuple[int, int]]:
    pattern = regex.compile(rf"\p{{{name}}}+")
    return [(m.start(), m.end() - 1) for m in pattern.finditer(EVERY_CHARACTER)]


def encoded(ranges: list[tuple[int, int]]) -> bytes:
    """Differences of successive range boundaries as base-128 numbers, low digits first."""
    out = bytearray()
    last = 0
    for low, high in ranges:
        for boundary in (low, high + 1):
            gap = boundary - last
            last = boundary
            while gap > 0x7F:
                out.append(gap & 0x7F | 0x80)
                gap >>= 7
            out.append(gap)
    return bytes(out)


def folding_classes() -> list[list[int]]:
    """Sets of two and more characters that are equal under simple case folding."""
    classes: dict[int, list[int]] = {}
    cased = regex.compile(r"[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}\p{Cased}\p{M}]")
    seen: set[int] = set()
    candidates = [ord(c) for c in cased.findall(EVERY_CHARACTER) if ord(c) not in TURKISH]
    text = "".join(map(chr, candidates))
    for code_point in candidates:
        if code_point in seen:
            continue
        equal = regex.findall(f"(?V0i){regex.escape(chr(code_point))}", text)
        members = sorted(ord(c) for c in equal)
        if len(members) > 1:
            classes[members[0]] = members
            seen.update(members)
    return [classes[first] for first in sorted(classes)]


def check_versions() -> str:
    """The Unicode version, after making sure that both sources agree on every script."""
    version = stdlib_re.search(r"Scripts-(\d+\.\d+)", Path(Scripts.__file__).read_text(encoding="utf-8"))
    if version is None:
        sys.exit("no version in fontTools' script data")
    edges = [*Scripts.RANGES, 0x110000]
    for code, name in Scripts.NAMES.items():
        ours = set(ranges_of(f"Script={name}"))
        members = {
            cp
            for low, high, value in zip(edges, edges[1:], Scripts.VALUES, strict=False)
            if value == code
            for cp in range(low, high)
        }
        if members != {cp for low, high in ours for cp in range(low, high + 1)}:
            sys.exit(f"regex and fontTools disagree on the script {name}: different Unicode versions")
    return version.group(1)


def main() -> None:
    version = check_versions()
    entries: dict[str, list[tuple[int, int]]] = {f"gc={c}": ranges_of(f"gc={c}") for c in CATEGORIES.split()}
    for code, name in Scripts.NAMES.items():
        entries[f"sc={code}"] = ranges_of(f"Script={name}")
        extended = ranges_of(f"Script_Extensions={name}")
        if extended != entries[f"sc={code}"]:
            entries[f"scx={code}"] = extended
    for name in BINARY.split():
        entries[name] = ranges_of(name)
    blob = bytearray()
    index: list[str] = []
    for name, ranges in entries.items():
        data = encoded(ranges)
        index.append(f"{name}:{len(data)}")
        blob += data
    folding = " ".join(",".join(f"{cp:x}" for cp in members) for members in folding_classes())
    scripts = " ".join(f"{code}:{name}" for code, name in sorted(Scripts.NAMES.items()))
    parts = [
        '"""Unicode properties as compact tables. Generated by tools/make_unicode_tables.py; do not edit.\n',
        "``INDEX`` names the properties and how many bytes each takes in ``DATA``, in order; the bytes are",
        "the differences of successive range boundaries in base 128, zlib-compressed and base-85 encoded.",
        '"""\n',
        "from __future__ import annotations\n",
        f'UNICODE_VERSION = "{version}"',
        "# short and long name of every script",
        literal("SCRIPTS", scripts),
        "# sets of code points (hexadecimal) that are equal under simple case folding",
        literal("FOLDING", folding),
        literal("INDEX", " ".join(index)),
        literal("DATA", base64.b85encode(zlib.compress(bytes(blob), 9)).decode("ascii")),
    ]
    TARGET.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"{TARGET.name}: Unicode {version}, {len(entries)} properties, {TARGET.stat().st_size:,} bytes")


def literal(name: str, text: str) -> str:
    lines = [text[i : i + 100] for i in range(0, len(text), 100)]
    return f"{name} = (\n" + "".join(f'    "{line}"\n' for line in lines) + ")"


if __name__ == "__main__":
    main()

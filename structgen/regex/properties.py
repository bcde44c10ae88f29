"""Unicode properties, as ``\\p{..}`` names them, and simple case folding.

The data are the project's own tables (`unicode_tables`), of one Unicode version whatever the Python
version is: a pattern compiles to the same automaton on every machine.
"""

from __future__ import annotations

import base64
import zlib
from functools import lru_cache

from structgen.charset import ANY, EMPTY, CharSet
from structgen.untracked import untracked

_CATEGORIES = """
L:Letter LC:Cased_Letter Lu:Uppercase_Letter Ll:Lowercase_Letter Lt:Titlecase_Letter Lm:Modifier_Letter
Lo:Other_Letter M:Mark,Combining_Mark Mn:Nonspacing_Mark Mc:Spacing_Mark Me:Enclosing_Mark N:Number
Nd:Decimal_Number,digit Nl:Letter_Number No:Other_Number P:Punctuation,punct Pc:Connector_Punctuation
Pd:Dash_Punctuation Ps:Open_Punctuation Pe:Close_Punctuation Pi:Initial_Punctuation Pf:Final_Punctuation
Po:Other_Punctuation S:Symbol Sm:Math_Symbol Sc:Currency_Symbol Sk:Modifier_Symbol So:Other_Symbol
Z:Separator Zs:Space_Separator Zl:Line_Separator Zp:Paragraph_Separator C:Other Cc:Control,cntrl Cf:Format
Cs:Surrogate Co:Private_Use Cn:Unassigned
"""
_BINARY = """
ASCII: Any: Assigned: ASCII_Hex_Digit:AHex Alphabetic:Alpha Bidi_Control:Bidi_C Bidi_Mirrored:Bidi_M
Case_Ignorable:CI Cased: Changes_When_Casefolded:CWCF Changes_When_Casemapped:CWCM
Changes_When_Lowercased:CWL Changes_When_Titlecased:CWT Changes_When_Uppercased:CWU Dash:
Default_Ignorable_Code_Point:DI Deprecated:Dep Diacritic:Dia Emoji: Emoji_Component:EComp
Emoji_Modifier:EMod Emoji_Modifier_Base:EBase Emoji_Presentation:EPres Extended_Pictographic:ExtPict
Extender:Ext Grapheme_Base:Gr_Base Grapheme_Extend:Gr_Ext Hex_Digit:Hex IDS_Binary_Operator:IDSB
IDS_Trinary_Operator:IDST ID_Continue:IDC ID_Start:IDS Ideographic:Ideo Join_Control:Join_C
Logical_Order_Exception:LOE Lowercase:Lower Math: Noncharacter_Code_Point:NChar Pattern_Syntax:Pat_Syn
Pattern_White_Space:Pat_WS Quotation_Mark:QMark Radical: Regional_Indicator:RI Sentence_Terminal:STerm
Soft_Dotted:SD Terminal_Punctuation:Term Unified_Ideograph:UIdeo Uppercase:Upper Variation_Selector:VS
White_Space:space XID_Continue:XIDC XID_Start:XIDS
"""
_KINDS = {
    "General_Category": "gc",
    "gc": "gc",
    "Script": "sc",
    "sc": "sc",
    "Script_Extensions": "scx",
    "scx": "scx",
}
# Standard, but absent from the source that the tables are made of.
_WITHOUT_DATA = frozenset(["changeswhennfkccasefolded", "cwkcf"])


class UnknownPropertyError(LookupError):
    """No property of this name. ``known``: it exists in Unicode but there are no data for it here."""

    def __init__(self, expression: str, known: bool = False) -> None:
        self.expression = expression
        self.known = known
        super().__init__(expression)


@lru_cache(maxsize=512)
@untracked
def property_set(expression: str, loose: bool = False) -> CharSet:
    """The code points of ``expression``: ``Lu``, ``Letter``, ``Script=Greek``, ``Alphabetic``, ...

    ``loose=False`` takes the names as ECMA-262 does: exact, scripts only as ``Script=`` or
    ``Script_Extensions=``. ``loose=True`` ignores case, spaces, hyphens and underscores (UAX #44, LM3) and
    takes the bare name of a script too. Raises `UnknownPropertyError`.
    """
    kind, equals, value = expression.partition("=")
    if not equals:
        table_name = _names(loose).get(_loosened(kind) if loose else kind)
    else:
        prefix = _kinds(loose).get(_loosened(kind) if loose else kind)
        table_name = _values(loose).get((prefix, _loosened(value) if loose else value)) if prefix else None
    if table_name is None:
        raise UnknownPropertyError(expression, known=_loosened(expression) in _WITHOUT_DATA)
    return _set_of(table_name)


@lru_cache(maxsize=1)
def folding_classes() -> dict[int, tuple[int, ...]]:
    """Of every code point that simple case folding (CaseFolding.txt, C and S) makes equal to others: all
    of them, itself included."""
    from structgen.regex.unicode_tables import FOLDING

    classes: dict[int, tuple[int, ...]] = {}
    for group in FOLDING.split():
        members = tuple(int(code_point, 16) for code_point in group.split(","))
        for member in members:
            classes[member] = members
    return classes


def _loosened(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def _spelled(table: str) -> list[tuple[str, list[str]]]:
    """(first name, all names) of each entry of a table like ``_CATEGORIES``."""
    entries = []
    for entry in table.split():
        first, _, others = entry.partition(":")
        entries.append((first, [first, *filter(None, others.split(","))]))
    return entries


def _scripts() -> list[tuple[str, list[str]]]:
    from structgen.regex.unicode_tables import SCRIPTS

    more = {"Copt": ["Qaac"], "Zinh": ["Qaai"]}
    return [(code, names + more.get(code, [])) for code, names in _spelled(SCRIPTS)]


@lru_cache(maxsize=2)
def _kinds(loose: bool) -> dict[str, str]:
    return {(_loosened(name) if loose else name): kind for name, kind in _KINDS.items()}


@lru_cache(maxsize=2)
def _values(loose: bool) -> dict[tuple[str, str], str]:
    """(kind, value name) -> name of the table."""
    tables: dict[tuple[str, str], str] = {}
    for code, names in _spelled(_CATEGORIES):
        for name in names:
            tables["gc", _loosened(name) if loose else name] = f"gc={code}"
    for code, names in _scripts():
        for name in names:
            spelled = _loosened(name) if loose else name
            tables["sc", spelled] = f"sc={code}"
            tables["scx", spelled] = f"scx={code}"
    return tables


@lru_cache(maxsize=2)
def _names(loose: bool) -> dict[str, str]:
    """Name that stands alone -> name of the table."""
    tables: dict[str, str] = {}
    if loose:
        tables = {value: table for (kind, value), table in _values(True).items() if kind == "sc"}
    for first, names in _spelled(_BINARY):
        for name in names:
            tables[_loosened(name) if loose else name] = first
    for (kind, value), table in _values(loose).items():
        if kind == "gc":
            tables[value] = table
    return tables


@lru_cache(maxsize=1)
def _packed() -> tuple[dict[str, tuple[int, int]], bytes]:
    from structgen.regex.unicode_tables import DATA, INDEX

    places: dict[str, tuple[int, int]] = {}
    begin = 0
    for entry in INDEX.split():
        name, _, size = entry.rpartition(":")
        places[name] = (begin, begin + int(size))
        begin += int(size)
    return places, zlib.decompress(base64.b85decode(DATA))


@lru_cache(maxsize=512)
@untracked
def _set_of(table_name: str) -> CharSet:
    if table_name == "Any":
        return ANY
    if table_name == "ASCII":
        return CharSet(((0, 0x7F),))
    if table_name == "Assigned":
        return ~_set_of("gc=Cn")
    places, data = _packed()
    if table_name in places:
        begin, end = places[table_name]
        return CharSet.of(_unpacked(data[begin:end]))
    if table_name.startswith("scx="):  # stored only where it differs from the script itself
        return _set_of("sc=" + table_name[4:])
    if table_name == "gc=LC":
        members = ["gc=Lu", "gc=Ll", "gc=Lt"]
    else:  # a group of categories, named by its letter
        members = [name for name in places if name.startswith(table_name)]
    ranges: list[tuple[int, int]] = []
    for name in members:
        ranges += _set_of(name).ranges
    return CharSet.of(ranges) if ranges else EMPTY


def _unpacked(data: bytes) -> list[tuple[int, int]]:
    boundaries: list[int] = []
    boundary = gap = shift = 0
    for byte in data:
        gap |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            boundary += gap
            boundaries.append(boundary)
            gap = shift = 0
    return [(boundaries[i], boundaries[i + 1] - 1) for i in range(0, len(boundaries), 2)]

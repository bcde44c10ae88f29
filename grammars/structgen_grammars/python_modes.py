"""Python's strings and f-strings as modes.

From 3.12 on (PEP 701) the braces of an f-string hold any code. Within the braces of one that 3.11 reads,
its own quotes may not come, nor a backslash, and a line break only between triple quotes. Of several open
f-strings all rules hold, so it is enough to know for each of the two quotes whether it may not come at
all, not as three, or is free: the patterns are made by these surroundings. For 3.12 there is one kind of
surroundings, where all is free.
"""

from __future__ import annotations

from dataclasses import dataclass

from structgen_grammars.profile import Mode

FREE, NOT_THREE, NONE = 0, 1, 2  # what may come of a quote
_LINE_BREAK = r"(?:\r\n?|\n)"
_OPENING = frozenset({"LPAR", "LSQB", "LBRACE"})
_CLOSING = frozenset({"RPAR", "RSQB", "RBRACE"})
_HEX = "[0-9a-fA-F]"
_ESCAPES = {
    "text": rf"\\(?:[^xuUN\r\x00]|\r\n?|x{_HEX}{{2}}|u{_HEX}{{4}}|U(?:0010|000{_HEX}){_HEX}{{4}}"
    r"|N\{[A-Za-z0-9 -]+\})",
    "f-text": rf"\\(?:\{{\{{|\}}\}}|[^{{}}xuUN\r\x00]|\r\n?|x{_HEX}{{2}}|u{_HEX}{{4}}"
    rf"|U(?:0010|000{_HEX}){_HEX}{{4}}|N\{{[A-Za-z0-9 -]+\}})",
    "bytes": rf"\\(?:[\x01-\x0c\x0e-wy-\x7f]|\r\n?|x{_HEX}{{2}})",
    "raw": r"\\(?:[^\r\x00]|\r\n?)",
    "raw f-text": r"\\(?:\{\{|\}\}|[^{}\r\x00]|\r\n?)",
    "raw bytes": r"\\(?:[\x01-\x0c\x0e-\x7f]|\r\n?)",
}


@dataclass(frozen=True, slots=True)
class Quotes:
    """An f-string's quotes: which, how many, and whether it is raw."""

    quote: str
    count: int
    raw: bool

    @property
    def terminal(self) -> str:
        return f"FSTRING_START_{self._letters}"

    @property
    def template_terminal(self) -> str:
        """That of a template string (PEP 750), which goes on as an f-string does."""
        return f"TSTRING_START_{self._letters}"

    @property
    def _letters(self) -> str:
        letter = "S" if self.quote == "'" else "D"
        return f"{'R' if self.raw else ''}{letter * self.count}"


KINDS = tuple(Quotes(quote, count, raw) for quote in "'\"" for count in (3, 1) for raw in (False, True))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the f-strings around forbid of `'` and of `"`. All free: there is none around."""

    single: int = FREE
    double: int = FREE
    nested: bool = False  # code in braces is any code: 3.12 and later

    @property
    def is_outside(self) -> bool:
        return self.single == self.double == FREE

    @property
    def name(self) -> str:
        words = {FREE: "", NOT_THREE: "not three ", NONE: "no "}
        rules = [words[level] + quote for quote, level in (("'", self.single), ('"', self.double)) if level]
        return " and ".join(rules) or "outside"

    @property
    def breaks(self) -> bool:
        """Whether a line break may come."""
        return NONE not in (self.single, self.double)

    def of(self, quote: str) -> int:
        return self.single if quote == "'" else self.double

    def allow(self, quote: str, count: int) -> bool:
        return self.of(quote) == FREE or (self.of(quote) == NOT_THREE and count == 1)

    def within(self, kind: Quotes) -> Surroundings:
        if self.nested:
            return self
        level = NONE if kind.count == 1 else NOT_THREE
        if kind.quote == "'":
            return Surroundings(max(self.single, level), self.double)
        return Surroundings(self.single, max(self.double, level))


ALL = [Surroundings(single, double) for single in range(3) for double in range(3)]


_UNITS = {
    "text": ("", r"'\"\\\x00"),
    "f-text": (r"\{\{|\}\}", r"'\"\\{}\x00"),
    "specification": ("", r"'\"\\{}\x00"),
    "bytes": ("", r"'\"\\\x00\x80-\U0010ffff"),
}


@dataclass(frozen=True, slots=True)
class _Inside:
    """What may be within quotes: ``plain`` (one character or escape), runs of the string's own quote that do
    not end it, and runs of the other quote. Runs are written out, since what follows one decides about it."""

    plain: str
    own: str
    other: str

    def text(self, *, empty: bool) -> str:
        """Texts that do not end with a run of their own quote."""
        if self.own and self.other:
            turns = f"(?:{self.own})?(?:{self.other}{self.own})*"
            before, last = f"(?:{turns}(?:{self.other})?)", f"{turns}{self.other}"
        elif self.own:
            before, last = f"(?:{self.own})?", ""
        elif self.other:
            before, last = f"(?:{self.other})?", self.other
        else:
            before, last = "", ""
        tail = f"(?:{last})?" if last else ""
        if empty:
            return f"(?:{before}{self.plain})*{tail}"
        one_or_more = f"(?:{before}{self.plain})+{tail}"
        return f"(?:{one_or_more}|{last})" if last else one_or_more


def _inside(what: str, escapes: str, quote: str, count: int, around: Surroundings) -> _Inside:
    doubled, stop = _UNITS[what]
    breaks = count == 3 and around.breaks
    units = [f"[^{stop}{'' if breaks else chr(92) + 'r' + chr(92) + 'n'}]"]
    units += [doubled] if doubled else []
    units += [_ESCAPES[escapes]] if around.is_outside else []
    other = {NONE: "", NOT_THREE: "{1,2}", FREE: "+"}[around.of(_other(quote))]
    return _Inside(
        plain=f"(?:{'|'.join(units)})",
        own=f"{quote}{{1,2}}" if count == 3 else "",
        other=_other(quote) + other if other else "",
    )


def _other(quote: str) -> str:
    return '"' if quote == "'" else "'"


_RAW_BYTES_PREFIX = "(?:[bB][rR]|[rR][bB])"
_PREFIXES = {
    "text": {"[uU]?": "text", "[rR]": "raw"},
    "bytes": {"[bB]": "bytes", _RAW_BYTES_PREFIX: "raw bytes"},
}
_F_PREFIXES = {False: "[fF]", True: "(?:[fF][rR]|[rR][fF])"}
_T_PREFIXES = {False: "[tT]", True: "(?:[tT][rR]|[rR][tT])"}
# Between the letter of a conversion and what follows it: nothing for 3.11, else what is ignored in code.
_AFTER_CONVERSION = r"(?:[ \t\f]|\r\n?|\n|\\(?:\r\n?|\n)|#[^\r\n\x00]*(?:\r\n?|\n))*"
_ANY_PREFIX = f"(?:{_RAW_BYTES_PREFIX}|[uUrRbB])?"


def _literals(what: str, around: Surroundings) -> str:
    """Strings or bytes: the long ones first, as the longest match wants it."""
    options = []
    for count in (3, 1):
        for quote in "'\"":
            if around.allow(quote, count):
                for prefix, escapes in _PREFIXES[what].items():
                    inside = _inside(what, escapes, quote, count, around).text(empty=True)
                    options.append(f"{prefix}{quote * count}{inside}{quote * count}")
    return "|".join(options)


_DIGITS = "[0-9](?:_?[0-9])*"
# CPython lets `1if x else y` pass, and the other keywords of operators, but not these.
_NUMBER_AND_WORD = (
    rf"(?:(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?[jJ]?"
    r"|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)(?:as|from)"
)


def _never(around: Surroundings) -> str:
    """Texts that are no terminal, though they begin with some: a number and a keyword at once; an empty
    string and its quote again, which is the start of a long string, and within one, the end of it."""
    options = [_NUMBER_AND_WORD]
    for quote in "'\"":
        level = around.of(quote)
        if level == NONE:
            continue
        options.append(f"{_ANY_PREFIX}{quote * 3}")
        if level == NOT_THREE:
            inside = _inside("text", "text", quote, 1, around).text(empty=False)
            options.append(f"{_ANY_PREFIX}{quote}{inside}{quote * 3}")
            options.append(f"(?:{_F_PREFIXES[True]}|{_F_PREFIXES[False]}){quote * 3}")
    return "|".join(options)


def _strings_of(around: Surroundings) -> dict[str, str]:
    """The terminals of strings in code, with their patterns."""
    patterns = {"STRING": _literals("text", around), "BYTES": _literals("bytes", around)}
    patterns = {name: pattern for name, pattern in patterns.items() if pattern}
    for kind in KINDS:
        if around.allow(kind.quote, kind.count):
            patterns[kind.terminal] = _F_PREFIXES[kind.raw] + kind.quote * kind.count
            if around.nested:
                patterns[kind.template_terminal] = _T_PREFIXES[kind.raw] + kind.quote * kind.count
    return patterns | {"NEVER": _never(around)}


def _text_name(kind: Quotes, around: Surroundings) -> str:
    # Within another f-string there are no backslashes, so that raw or not is the same.
    raw = "rf" if kind.raw and around.is_outside else "f"
    return f"{raw}{kind.quote * kind.count} in {around.name}"


def _strings_lead(around: Surroundings) -> dict[str, str]:
    kinds = [kind for kind in KINDS if around.allow(kind.quote, kind.count)]
    lead = {kind.terminal: _text_name(kind, around) for kind in kinds}
    if around.nested:
        lead |= {kind.template_terminal: _text_name(kind, around) for kind in kinds}
    return lead


def _f_string_modes(kind: Quotes, around: Surroundings) -> list[Mode]:
    """The text of an f-string, code in its braces, and the text of format specifications."""
    text, within = _text_name(kind, around), around.within(kind)
    field, specification = f"field, {text}", f"specification, {text}"
    end, run = kind.quote * kind.count, f"{kind.quote}{{0,2}}" if kind.count == 3 else ""
    backslash = r"\\?" if around.is_outside else ""
    escapes = "raw f-text" if kind.raw else "f-text"
    conversion = "![sra]" + (_AFTER_CONVERSION if around.nested else "")
    brace = {"LBRACE": run + backslash + r"\{"}
    middle = {
        what: {"FSTRING_MIDDLE": _inside(what, escapes, kind.quote, kind.count, around).text(empty=False)}
        for what in ("f-text", "specification")
    }
    never = {"NEVER": kind.quote * 3} if kind.count == 1 and around.of(kind.quote) == NOT_THREE else {}
    return [
        Mode(
            text,
            only=frozenset(),
            patterns=middle["f-text"] | brace | {"FSTRING_END": end} | never,
            push={"LBRACE": field},
            pop=frozenset({"FSTRING_END"}),
        ),
        Mode(
            field,
            without=_not_in(within) | {"COLON", "COLONEQUAL"},
            patterns=_strings_of(within)
            | {
                "FSTRING_COLON": ":",
                "FSTRING_BANG_COLON": conversion + ":",
                "FSTRING_BANG_END": conversion + r"\}",
            },
            push=_strings_lead(within) | dict.fromkeys(_OPENING, _brackets_name(within)),
            goto={"FSTRING_COLON": specification, "FSTRING_BANG_COLON": specification},
            pop=frozenset({"RBRACE", "FSTRING_BANG_END"}),
        ),
        Mode(
            specification,
            only=frozenset(),
            patterns=middle["specification"] | brace | {"RBRACE": run + r"\}"},
            push={"LBRACE": field},
            pop=frozenset({"RBRACE"}),
        ),
    ]


def _brackets_name(around: Surroundings) -> str:
    return f"brackets, {around.name}"


def _not_in(around: Surroundings) -> frozenset[str]:
    """The ignored terminals that code in these surroundings does not have."""
    names: frozenset[str] = frozenset() if around.breaks else frozenset({"LINE_BREAK"})
    return names if around.is_outside else names | {"COMMENT", "LINE_JOIN"}


def _brackets(around: Surroundings) -> Mode:
    return Mode(
        _brackets_name(around),
        without=_not_in(around),
        patterns=_strings_of(around),
        push=_strings_lead(around) | dict.fromkeys(_OPENING, _brackets_name(around)),
        pop=_CLOSING,
    )


def python_modes() -> tuple[Mode, ...]:
    """The modes of Python 3.12 and later, the outermost first."""
    return _modes([Surroundings(nested=True)])


def python_3_11_modes() -> tuple[Mode, ...]:
    """The modes of what 3.11 and later versions all read, the outermost first."""
    return _modes(ALL)


def _modes(surroundings: list[Surroundings]) -> tuple[Mode, ...]:
    outside = surroundings[0]
    outermost = Mode(
        "outermost",
        without=frozenset({"LINE_BREAK"}),
        patterns=_strings_of(outside) | {"NEWLINE": _LINE_BREAK},
        push=_strings_lead(outside) | dict.fromkeys(_OPENING, _brackets_name(outside)),
    )
    modes = [outermost]
    for around in surroundings:
        modes.append(_brackets(around))
        for kind in KINDS:
            if around.allow(kind.quote, kind.count) and (around.is_outside or not kind.raw):
                modes += _f_string_modes(kind, around)
    return tuple(modes)

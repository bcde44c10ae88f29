"""``json-pointer`` and ``relative-json-pointer``: RFC 6901 and its Internet-Draft for relative ones."""

from __future__ import annotations

from structgen.sources.json_schema.formats.abnf import DIGIT, alt, between, many, one_of, opt, seq, text

# RFC 6901, section 3
UNESCAPED = between((0x00, 0x2E), (0x30, 0x7D), (0x7F, 0x10FFFF))
ESCAPED = seq(text("~"), one_of("01"))
REFERENCE_TOKEN = many(alt(UNESCAPED, ESCAPED))
JSON_POINTER = many(text("/"), REFERENCE_TOKEN)

# draft-handrews-relative-json-pointer-01, section 3, as the drafts to 2019-09 have it
NON_NEGATIVE_INTEGER = alt(text("0"), seq(between(("1", "9")), many(DIGIT)))
RELATIVE_JSON_POINTER = seq(NON_NEGATIVE_INTEGER, alt(text("#"), JSON_POINTER))
# draft-bhutton-relative-json-pointer-00, section 3, which 2020-12 cites: "0+1/name" is the next element's.
# A text that is not of this form is no relative pointer in any draft.
INDEX_MANIPULATION = seq(one_of("+-"), NON_NEGATIVE_INTEGER)
RELATIVE_JSON_POINTER_OF_ANY_DRAFT = seq(
    NON_NEGATIVE_INTEGER, opt(INDEX_MANIPULATION), alt(text("#"), JSON_POINTER)
)

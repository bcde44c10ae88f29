"""Random texts out of the masks: token by token, towards an end when the text grows."""

from __future__ import annotations

import random
from dataclasses import dataclass

from structgen.compiled import CompiledGrammar
from structgen_bench.subject import EOS, Subject

SOFT_LIMIT = 120  # bytes from which on every closing character is taken that may be
HARD_LIMIT = 700
_CLOSING = tuple(b'"}]')


@dataclass(frozen=True, slots=True)
class Walk:
    """``ended``: the text is complete. ``problem``: '', or 'dead_end' or 'mask_disagrees' at its end."""

    text: bytes
    ended: bool
    problem: str = ""
    detail: str = ""


class Walker:
    """Random walks. ``hints``: texts (keys, constants) that are tried where a value or a key may begin."""

    def __init__(self, subject: Subject, rng: random.Random, hints: list[bytes]) -> None:
        self.subject = subject
        self.rng = rng
        self.hints = hints
        self._weights = [_weight(token) for token in subject.vocabulary.tokens]

    def walk(self, grammar: CompiledGrammar) -> Walk:
        rng, subject = self.rng, self.subject
        matcher = grammar.matcher()
        text = bytearray()
        while len(text) < HARD_LIMIT:
            allowed = subject.allowed(matcher).tolist()
            if not allowed:
                return Walk(
                    bytes(text), False, "dead_end", "no token is allowed, and the text is not complete"
                )
            if allowed[-1] == EOS:
                if len(allowed) == 1 or len(text) > SOFT_LIMIT or rng.random() < 0.5:
                    if not matcher.is_accepting:
                        return Walk(
                            bytes(text), False, "mask_disagrees", "the end is allowed, yet not accepting"
                        )
                    return Walk(bytes(text), True)
                allowed.pop()
            elif matcher.is_accepting:
                return Walk(bytes(text), False, "mask_disagrees", "accepting, yet the end is not allowed")
            if rng.random() < 0.15:
                token = rng.randrange(subject.vocabulary.size)
                if matcher.fork().accept(token) != (token in allowed) and token != EOS:
                    said = f"token {token}, in the mask: {token in allowed}"
                    return Walk(bytes(text), False, "mask_disagrees", said)
            long = len(text) > SOFT_LIMIT
            if self.hints and rng.random() < (0.7 if long else 0.35):
                hint = rng.choice(self.hints)
                if hint[0] in allowed and matcher.accept_bytes(hint):
                    text += hint
                    continue
            closing = [byte for byte in _CLOSING if byte in allowed] if long else []
            if closing:
                token = rng.choice(closing)
            else:
                token = rng.choices(allowed, [self._weights[token] for token in allowed])[0]
            if not matcher.accept(token):
                return Walk(
                    bytes(text), False, "mask_disagrees", f"token {token} is in the mask, yet refused"
                )
            text += subject.vocabulary.tokens[token] or b""
        return Walk(bytes(text), False)


def _weight(token: bytes | None) -> float:
    if not token:
        return 1.0
    first = token[0]
    if len(token) > 1:
        return 0.5
    if first in b'"}]':
        return 8.0
    if first in b" \t\n\r":
        return 0.15
    if first >= 0x80:
        return 0.1
    return 0.5 if first in b"\\eE" else 2.0

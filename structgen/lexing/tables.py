"""A grammar with a lexer as flat arrays: what the kernels read and a file holds.

The layout is `structgen_kernels.lexed_layout`; this module is the only one that writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from structgen_kernels import lexed_layout as layout

from structgen.lexing.cfg import Cfg
from structgen.lexing.lalr import LalrTables
from structgen.lexing.modes import JOIN, PARSE, CompiledMode
from structgen.lexing.product import LexicalStates, modes_met, modes_of_starts

Int32Array = npt.NDArray[np.int32]


@lru_cache(maxsize=1)
def lexed_layout_digest() -> str:
    """Hash of the layout's numbers: tables written with others would be read wrongly."""
    numbers = sorted((name, value) for name, value in vars(layout).items() if name.isupper())
    return hashlib.blake2b(repr(numbers).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class LexedTables:
    """``static`` int32, read-only. ``names``: of the terminals, the end of the text last.

    ``n_conflicts``: pairs of LR state and terminal with more than one action; 0: the grammar is LALR(1).
    """

    static: Int32Array
    names: tuple[str, ...]
    n_conflicts: int
    digest: bytes = field(default=b"")

    def __post_init__(self) -> None:
        self.static.flags.writeable = False
        if not self.digest:
            digest = hashlib.blake2b(self.static.tobytes(), digest_size=16).digest()
            object.__setattr__(self, "digest", digest)

    @property
    def n_terminal_states(self) -> int:
        """Lexical states, the dead one included."""
        return int(self.static[layout.N_LEXICAL])

    @property
    def n_parser_states(self) -> int:
        return int(self.static[layout.N_LR])

    @property
    def n_modes(self) -> int:
        return int(self.static[layout.N_MODES])

    @property
    def n_sets(self) -> int:
        """Different sets of terminals that lexical states may emit next."""
        return int(self.static[layout.N_SETS])

    @property
    def nbytes(self) -> int:
        return int(self.static.nbytes)

    def met_in(self) -> list[tuple[int, int]]:
        """The lexical states that a text may be in, each with each mode it may be met in."""
        static = self.static
        n, n_classes, n_modes = self.n_terminal_states, int(static[layout.N_CLASSES]), self.n_modes
        delta = static[static[layout.DELTA] :][: n * n_classes].reshape(n, n_classes)
        starts = static[static[layout.START] : static[layout.N_STARTS] + static[layout.START]]
        starts = starts.reshape(-1, n_modes)
        met = modes_met(delta, modes_of_starts(starts))
        return [(p, mode) for p in range(n) for mode in range(n_modes) if met[p] >> mode & 1]


@dataclass(slots=True)
class LayoutTerminals:
    """Numbers of the terminals and modes of indentation; -1: there is none."""

    newline: int = -1
    indent: int = -1
    dedent: int = -1
    line: int = -1
    joined: int = -1


def words_of(sets: Iterable[int], n_words: int) -> npt.NDArray[np.int32]:
    """int32 (sets, n_words) of sets that are ints, bit t for terminal t."""
    data = b"".join(bits.to_bytes(4 * n_words, "little") for bits in sets)
    return np.frombuffer(data, np.int32).reshape(-1, n_words)


class _Writer:
    def __init__(self) -> None:
        self.header = np.zeros(layout.HEADER_SIZE, np.int32)
        self._parts: list[Int32Array] = []
        self._size = layout.HEADER_SIZE

    def add(self, place: int, section: npt.ArrayLike) -> None:
        part = np.ascontiguousarray(section, np.int32).ravel()
        self.header[place] = self._size
        self._parts.append(part)
        self._size += part.shape[0]

    def finish(self) -> Int32Array:
        return np.concatenate([self.header, *self._parts])


def next_modes(
    modes: Sequence[CompiledMode], below: Sequence[frozenset[int]], numbers: LayoutTerminals, n_terminals: int
) -> list[list[list[int]]]:
    """For each mode and terminal the modes that may come next, ascending."""
    found = []
    for number, mode in enumerate(modes):
        row = []
        for terminal in range(n_terminals):
            after = mode.next_modes(terminal, below[number]) if terminal in mode.action else {number}
            if mode.op.get(terminal) == JOIN and number == numbers.line:
                after = {numbers.line, numbers.joined}
            row.append(sorted(after))
        found.append(row)
    return found


def lexed_tables(
    cfg: Cfg,
    lalr: LalrTables,
    states: LexicalStates,
    may_emit: npt.NDArray[np.bool_],
    modes: Sequence[CompiledMode],
    next_mode: Sequence[Sequence[Sequence[int]]],
    lr_modes: Sequence[int] | None,
    adjacent: Sequence[int],
    numbers: LayoutTerminals,
    names: Sequence[str],
    eos_token_ids: Sequence[int],
) -> LexedTables:
    """Write it all down. ``may_emit``: see `structgen.lexing.adjacency.Following.emits`;
    ``next_mode[mode][terminal]``: modes that may come next; ``lr_modes``: the mode of each LR state where
    the lexer is contextual.
    """
    writer = _Writer()
    header = writer.header
    n_terminals = len(names)
    n_words = (n_terminals + 32) // 32
    header[layout.N_LEXICAL], header[layout.N_CLASSES] = states.delta.shape
    writer.add(layout.CLASS_OF, states.byte_class)
    writer.add(layout.DELTA, states.delta)
    writer.add(layout.EMIT_BEGIN, np.cumsum([0, *map(len, states.emitted)]))
    writer.add(layout.EMITTED, [pair for found in states.emitted for pair in found])
    header[layout.N_WORDS] = n_words
    packed = np.packbits(may_emit, axis=1, bitorder="little")
    packed = np.pad(packed, ((0, 0), (0, 4 * n_words - packed.shape[1])))
    emits = np.ascontiguousarray(packed).view(np.int32)
    sets, ids = np.unique(emits, axis=0, return_inverse=True)
    writer.add(layout.EMITS, emits)
    writer.add(layout.EMITS_ID, ids)
    writer.add(layout.SETS, sets)
    header[layout.N_SETS] = sets.shape[0]
    writer.add(layout.START, states.start)
    header[layout.N_STARTS] = states.start.size
    header[layout.N_MODES] = len(modes)
    header[layout.N_TERMINALS] = n_terminals
    ops = np.zeros((len(modes), n_terminals), np.int32)
    actions = np.zeros((len(modes), n_terminals, 3), np.int32)
    always = []
    for number, mode in enumerate(modes):
        for terminal, op in mode.op.items():
            ops[number, terminal] = op
        for terminal, action in mode.action.items():
            actions[number, terminal] = action
        always.append(sum(1 << t for t, op in mode.op.items() if op != PARSE and t in mode.terminals))
    writer.add(layout.OP, ops)
    writer.add(layout.ACTION, actions)
    flat = [after for row in next_mode for after in row]
    writer.add(layout.NEXT_BEGIN, np.cumsum([0, *map(len, flat)]))
    writer.add(layout.NEXT, [m for after in flat for m in after])
    writer.add(layout.ALWAYS, words_of(always, n_words))
    _add_parser(writer, cfg, lalr, n_terminals, n_words)
    writer.add(layout.LR_MODE, lr_modes if lr_modes is not None else [0] * lalr.n_states)
    header[layout.IS_CONTEXTUAL] = lr_modes is not None
    for place, value in (
        (layout.NEWLINE, numbers.newline),
        (layout.INDENT, numbers.indent),
        (layout.DEDENT, numbers.dedent),
        (layout.LINE, numbers.line),
        (layout.JOINED, numbers.joined),
    ):
        header[place] = value
    writer.add(layout.ADJACENT, words_of(adjacent, n_words))
    header[layout.N_EOS] = len(eos_token_ids)
    writer.add(layout.EOS, eos_token_ids)
    return LexedTables(writer.finish(), tuple(names), lalr.n_conflicts)


def _add_parser(writer: _Writer, cfg: Cfg, lalr: LalrTables, n_terminals: int, n_words: int) -> None:
    n_heads = len(cfg.names) + 1
    shift = np.zeros((lalr.n_states, n_terminals), np.int32)
    goto = np.zeros((lalr.n_states, n_heads), np.int32)
    begin, reduces, lookaheads, shift_bits = [0], [], [], []
    for state in range(lalr.n_states):
        bits = 0
        for terminal, target in lalr.shifts[state].items():
            shift[state, terminal] = target + 1
            bits |= 1 << terminal
        shift_bits.append(bits)
        for head, target in lalr.gotos[state].items():
            goto[state, head] = target
        for production, ahead in lalr.reduces[state]:
            reduces.append((lalr.heads[production], lalr.lengths[production]))
            lookaheads.append(ahead)
        begin.append(len(reduces))
    writer.header[layout.N_LR] = lalr.n_states
    writer.header[layout.N_HEADS] = n_heads
    writer.add(layout.SHIFT, shift)
    writer.add(layout.SHIFT_BITS, words_of(shift_bits, n_words))
    writer.add(layout.REDUCE_BEGIN, begin)
    heads = np.array(reduces, np.int32).reshape(-1, 2)
    writer.add(layout.REDUCE, np.concatenate([heads, words_of(lookaheads, n_words)], axis=1))
    writer.add(layout.GOTO, goto)


def adjacent_terminals(
    lalr: LalrTables, modes: Sequence[CompiledMode], numbers: LayoutTerminals, n_terminals: int
) -> list[int]:
    """What may follow each terminal; everything, where other things than the parser decide."""
    everything = (1 << n_terminals) - 1
    found = [0] * n_terminals
    for state in range(lalr.n_states):
        symbol = lalr.accessing[state]
        if symbol is not None and symbol >= 0:
            found[symbol] |= lalr.lookaheads(state)
    for mode in modes:
        for terminal, op in mode.op.items():
            if op != PARSE:
                found[terminal] = everything
    if numbers.newline >= 0:
        found[numbers.newline] = everything
    return found

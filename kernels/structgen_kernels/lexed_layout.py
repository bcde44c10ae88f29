"""Where things stand in the flat arrays of grammars with a lexer. Nothing else defines these numbers.

``static`` int32: the compiled grammar, read-only. A header of section offsets and numbers, then the sections.
``pool`` int32: run-time records, bump-allocated; a record's id is its offset. A header of counters as in
`layout`. ``interned`` int32: open-addressing table of the records, unique by content.
``steps`` int64: open-addressing memo, pairs (key + 1, value).
``scratch`` int64: working room of one call.
Sets of terminals are bitsets of N_WORDS int32 words, bit ``t & 31`` of word ``t >> 5``.
"""

from __future__ import annotations

# --- static: header -------------------------------------------------------------------------------
N_LEXICAL = 0  # lexical states; 0 is dead
N_CLASSES = 1
CLASS_OF = 2  # (256,) class of each byte
DELTA = 3  # (N_LEXICAL, N_CLASSES) next lexical state
EMIT_BEGIN = 4  # (N_LEXICAL + 1,) first emission of each lexical state
EMITTED = 5  # (emissions, 2) (terminal, pending)
N_WORDS = 6
# (N_LEXICAL, N_WORDS) what may be emitted next; END: the text may end here; N_TERMINALS: behind something
# ignored
EMITS = 7
EMITS_ID = 8  # (N_LEXICAL,) number of that set
SETS = 9  # (sets, N_WORDS) the sets by number
START = 10  # (pendings, N_MODES) lexical state after an emission; 0: none
N_MODES = 11
N_TERMINALS = 12  # END included, which is the last
OP = 13  # (N_MODES, N_TERMINALS) what a terminal does
ACTION = 14  # (N_MODES, N_TERMINALS, 3) kind, mode, mode: which mode comes next
NEXT_BEGIN = 15  # (N_MODES * N_TERMINALS + 1,) first mode that may come next
NEXT = 16
ALWAYS = 17  # (N_MODES, N_WORDS) terminals of the mode that the parser does not see
N_LR = 18  # LR states
SHIFT = 19  # (N_LR, N_TERMINALS) LR state + 1, or 0
REDUCE_BEGIN = 20  # (N_LR + 1,)
REDUCE = 21  # (reductions, 2 + N_WORDS) head, length, lookaheads
GOTO = 22  # (N_LR, N_HEADS) LR state
N_HEADS = 23
LR_MODE = 24  # (N_LR,) the mode of an LR state, where the lexer is contextual
IS_CONTEXTUAL = 25
NEWLINE = 26  # terminals of the layout; -1 where there is none
INDENT = 27
DEDENT = 28
LINE = 29  # the mode of a line that has not begun; -1: no such
JOINED = 30
ADJACENT = 31  # (N_TERMINALS, N_WORDS) what the parser may take after a terminal, at least
N_EOS = 32
EOS = 33
N_SETS = 36
N_STARTS = 35  # words of START
SHIFT_BITS = 34  # (N_LR, N_WORDS) what an LR state shifts
HEADER_SIZE = 40

# --- what a terminal does
PARSE = 0
IGNORE = 1
SPACE = 2
TAB = 3
FEED = 4
EMPTY_LINE = 5
JOIN = 6

# --- which mode comes next
STAY = 0
PUSH = 1
GOTO_MODE = 2
POP = 3
GOTO_PUSH = 4

# --- pool: records. [tag, n, n words of content, then fields that are not content]
NODE = 1  # LR state, nodes below, ascending: stacks with this state on top; no node below: the bottom
FRONTIER = 2  # nodes, ascending, one for each top state; fields: N_WORDS viable terminals
MODES = 3  # mode, MODES record below or 0
INDENTS = 4  # column, column with tabs as 1, INDENTS record below or 0; field: how many
PLACE = 5  # frontier, modes, indents, column or -1, other column; see PLACE_*
MIXED = 6  # places: what a terminal leads to where its readings go on in different modes
CONFIG = 7  # (lexical state, place) pairs, ascending; field: accepting: 0 unknown, 1 no, 2 yes
PLACE_CONTENT = 5
PLACE_MODE = 7  # fields of a place, from its start
PLACE_BEGUN = 8  # frontier after the INDENT or DEDENTs that its column stands for; 0: none fits
PLACE_INDENTS = 9  # indents then
PLACE_END = 10  # whether the text may end: 0 unknown, 1 no, 2 yes
PLACE_VIABLE = 11  # N_WORDS
SYMBOLS = 1024  # memo keys are record * SYMBOLS + symbol

# --- store: a node of an entry, in `entries` int32:
# [n groups, n edges, (set, list) * groups, (terminal, mode, node) * edges]; a list >= 0 is a row, else -1
# - offset in `lists`, where [n, tokens...] stand.

# --- pool: further header words (after those of `layout`)
POOL_MODE = 8  # the mode that a status of NEED_ENTRY is about

"""Where things stand in the flat arrays that the kernels share. Nothing else defines these numbers.

``static`` int32: the compiled grammar, read-only. A header of section offsets, then the sections.
``classes`` uint8: 256 bytes per terminal automaton, the column of each byte.
``pool`` int32: run-time records, bump-allocated; a record's id is its offset. A header of counters.
``interned`` int32: open-addressing table of the records that are unique by content, as (record, its hash).
``steps`` int64: open-addressing memo (configuration, byte) -> configuration, packed in one word.
``scratch`` int64: SECTIONS equal sections of working room: threads; a closure's work and its threads; what a
walk of the trie has found; texts; cuts; parser states that are wanted.
"""

from __future__ import annotations

# --- static: header -------------------------------------------------------------------------------
N_STATES = 0  # table states of all terminals; larger state numbers are counted states
ROW = 1  # (N_STATES,) offset of the state's transition row in `static`
CLASS_MAP = 2  # (N_STATES,) offset of the state's 256 classes in `classes`
FLAGS = 3  # (N_STATES,) of TERMINAL_* bits
ALIVE = 4  # (N_STATES, 8) bitset of the bytes that lead on
N_BLOCKS = 5
BLOCKS = 6  # (N_BLOCKS, BLOCK_SIZE) counted terminals
RTN_BEGIN = 7  # (rtn states,) first edge of each parser state
RTN_EDGES = 8  # (edges, 2) (symbol, target); symbol > 0: a terminal's start state, < 0: -(called state)
RTN_FINAL = 9  # (rtn states,) 0, ENDS, or what else happens in the state (see below)
RTN_START = 10  # the start state
N_EOS = 11
EOS = 12  # (N_EOS,) stop token ids
LONGEST_TOKEN = 13  # bytes of the vocabulary's longest token
STORED_NODES = 14  # a terminal state that reaches more trie nodes takes its tokens from the mask store
RTN_COUNT = 15  # (rtn states,) number of edges; UNEXPANDED where they are not known yet
N_RTN = 16  # parser states
N_TABLE = 17  # table states in use; smaller than N_STATES where a grammar may still grow
LACKS_BYTES = 18  # 1 where the vocabulary has not all bytes, so that not every spelling can be written
HEAP = 19  # of growing tables: where what their other sections point to begins
HEADER_SIZE = 24

# --- static: parser states
UNEXPANDED = -1
ENDS = 1  # the rule may end here
# What the following do goes on in the one edge's target. The edge's symbol: 0; of BEGIN_KEY and END_KEY also
# 1 + where in the heap a list of barred strings is: how many words, then the words, ascending: each string
# in UTF-8 and TEXT_ENDS.
BEGIN_KEY = 2  # remember the JSON string that follows, decoded; it is none of the barred ones
BEGIN_TEXT = 3  # remember the text that follows, byte for byte
END_KEY = 4  # refuse a string that was seen before in the same object or array, note it as seen
END_TEXT = 5  # ask the grammar's source where to go on after this very text

# --- static: flags of a terminal state
ACCEPTS = 1  # the terminal may end here
LEADS_ON = 2  # the terminal may go on from here

# --- static: a terminal with implicit states: counted, bounded or spelled
BLOCK_BASE = 0  # first state number; state = base + count * units + unit state
BLOCK_COUNTS = 1  # number of counts told apart
BLOCK_UNITS = 2  # unit states; of a counted terminal, 0 is the boundary between two units
BLOCK_MINIMUM = 3  # counted: units; bounded: 0
BLOCK_MAXIMUM = 4  # -1: none, which a bounded terminal never has
# counted: (units, 256) in `static`: next unit state + 1, UNIT_DONE, or 0
# bounded: (units, BLOCK_COLUMNS): next unit state + 1, negative where that counts, or 0
BLOCK_TABLE = 5
BLOCK_TAIL_BYTE = 6
BLOCK_TAIL_STATE = 7  # state after the tail's first byte
BLOCK_ALIVE = 8  # (units, 8) bitset; counted: of bytes within a unit; bounded: of bytes far from the maximum
BLOCK_KIND = 9  # COUNTED, BOUNDED, SPELLED or SPELLED_SET; what follows is only for bounded terminals
BLOCK_COLUMNS = 10
BLOCK_CLASSES = 11  # (256,) in `static`: the column of each byte
BLOCK_DISTANCE = 12  # (units,) least number of counts before the tail may come; 0: it may come now
BLOCK_GREATEST = 13  # greatest distance of a unit state
BLOCK_DIGEST = 14  # (4,) in `static`: digest of the content
BLOCK_SIZE = 15
COUNTED = 0
BOUNDED = 1
# spelled: a JSON string of one text; BLOCK_TABLE: its code points and a -1; the counts: those behind; the
# units: how far the next one is written (see `spelled`); no tail but the closing quote
SPELLED = 2
# the same of several texts; BLOCK_TABLE: the edges of their trie (see `spelled`), which the counts are
SPELLED_SET = 3
UNIT_DONE = -1

# --- pool: header
POOL_USED = 0  # next free offset
POOL_EPOCH = 1  # stamps the parser states that one closure has visited
POOL_INTERNED = 2  # how many records `interned` holds
POOL_STEPS = 3  # how many entries `steps` holds
POOL_WANTED = 4  # the terminal state that a status of NEED_ENTRY is about
POOL_WALKED = 5  # trie nodes visited so far (work counter)
POOL_COMPUTED = 6  # masks computed so far (work counter)
POOL_TEXT = 7  # the text that a status of NEED_TEXT is about
POOL_HEADER = 16

# --- pool: records; the first word is the tag
TAG_NODE = 1  # [tag, n, (return state, parent node) * n] set of stacks by their top; (0, 0): bottom
TAG_CONTINUATION = 2  # [tag, parser state, node, closure or 0, epoch]
TAG_CLOSURE = 3  # [tag, n, accepting, (terminal state, continuation) * n]
TAG_CONFIG = 4  # [tag, n, accepting, mask or 0, alive * 8, tracked, (terminal state, continuation) * n]
TAG_MASK = 5  # [tag, n rows, n tokens, rows..., tokens...]; first tokens that are taken away, as -1 - token
TAG_ENTRY = 6  # [tag, terminal state, offset of its entry in the store, or NARROW]
TAG_DENSE = 7  # [tag, words...] a whole mask
TAG_TRACKED = 8  # a node with an open cell on top or below
TAG_TEXT = 9  # [tag, text before, byte, depth] a text that is remembered
TAG_PARTIAL = 10  # [tag, text before, what of an escape has been read]
TAG_RESOLVED = 11  # [tag, END_TEXT state, text, parser state to go on in, or 0]
TAG_SET = (
    12  # [tag, n, (byte, set of what follows it) * n] a set of texts, as a trie; (TEXT_ENDS, 1): one ends
)
TEXT_ENDS = 256
TAG_FRESH = (
    13  # [tag, terminal state, set, 1 or 0] can the terminal be finished by a text that is not in the set?
)
TAG_BARRED = 14  # [tag, set, list of barred strings, the set with these]
CONTINUATION_SIZE = 5
CONFIG_TRACKED = 12  # 1 where a text is remembered: then a byte that is alive may be refused all the same
CONFIG_HEAD = 13

# --- pool: cells, nodes of one entry whose "return state" is negative: -(text * CELL + flags).
# An open cell is a text that is being read. A closed one has, in the place of a text, the set of the strings
# that were seen (0: none); between it and an open one there may be another, which has barred ones, too.
CELL = 8
CELL_ONE_UNKNOWN = 2  # closed: one more string was seen, which is not known
CELL_OPEN = 1
CELL_RAW = 2  # byte for byte, not decoded
CELL_NEW = 4  # open: no seen string begins like this one: nothing to compare it with any more
CELL_BARS = 4  # closed: the set has barred strings, too; gone when the open cell above it is closed
TEXT_EMPTY = 1  # texts that are no records: before the opening quote,
TEXT_STARTED = 2  # after it,
TEXT_UNKNOWN = 3  # and any text at all (where a mask is worked out for many at once)

# --- store: an entry of the mask store, in `entries` int32
ENTRY_ROW = 0  # row of `rows` with the tokens that stay inside the terminal or end with it
ENTRY_BEGIN = 1  # (257,) offsets, from the entry, of the crossing trie nodes by their byte
ENTRY_HEAD = 258

# --- cell: int64, where a machine keeps its arrays (see `batch`). Addresses, unless said otherwise
VIEW_STORE = 0  # number of the mask store; 0: masks of this machine are not to be read without its lock
VIEW_POOL = 1
VIEW_POOL_WORDS = 2  # size
VIEW_STEPS = 3
VIEW_STEPS_SIZE = 4  # size
VIEW_BLOB = 5
VIEW_BLOB_SIZE = 6  # size
VIEW_OFFSETS = 7
VIEW_IDS = 8  # size - 1
VIEW_EPOCH = 9  # number: of the store's rows that the masks now kept are made of
NO_EPOCH = -1  # while the rows are changed: masks may be those of another epoch
VIEW_TABLES = 10  # of the cell of its tables
VIEW_INTERNED = 11
VIEW_INTERNED_SIZE = 12  # size
VIEW_SCRATCH = 13
VIEW_SCRATCH_SIZE = 14  # size
VIEW_TRIE = 15
VIEW_TRIE_NODES = 16  # size
VIEW_TOKEN_IDS = 17
VIEW_TOKEN_IDS_SIZE = 18  # size
VIEW_CHILDREN = 19
VIEW_CHILDREN_SIZE = 20  # size
VIEW_ROWS = 21  # of the store, as of its view that the machine has seen last
VIEW_N_ROWS = 22  # size
VIEW_N_WORDS = 23  # size
VIEW_ENTRIES = 24
VIEW_ENTRIES_SIZE = 25  # size
VIEW_SIZE = 26

# --- cell: int64, where tables that may grow keep their arrays
TABLES_STATIC = 0
TABLES_STATIC_SIZE = 1  # size
TABLES_CLASSES = 2
TABLES_CLASSES_SIZE = 3  # size
TABLES_SIZE = 4

# --- what became of a row of a batch
ROW_WRITTEN = 1
ROW_CLEARED = 2
ROW_UNKNOWN = 3
ROW_NARROW = 4
ROW_SKIPPED = 5

# --- what became of a mask that may be known
MASK_UNKNOWN = 0
MASK_WRITTEN = 1
MASK_HAS_NO_ROOM = 2

# --- statuses; results are positive, 0 is dead
NEED_POOL = -1
NEED_INTERNED = -2
NEED_STEPS = -3
NEED_SCRATCH = -4
NEED_ENTRY = -5
NOT_KNOWN = -6  # a step that is not in the memo yet
NEED_STATE = -7  # the edges of the parser states in WANTED_SECTION of `scratch`
NEED_TEXT = -8  # where the END_TEXT state POOL_WANTED goes on after POOL_TEXT
NEED_EXACT = -9  # a text must be known where TEXT_UNKNOWN stands in for it
TOO_MANY_THREADS = -10  # more than MAX_THREADS in a configuration, POOL_WANTED of them
MAX_THREADS = 65536  # ways to read a text at once, of which each byte costs microseconds; 18,747 were met

STEP_VALUE_BITS = 27  # pool offsets fit in these; a larger pool is refused
STEP_KEY_BITS = (
    STEP_VALUE_BITS + 8
)  # those of a configuration and a byte; one more says that keys are forgotten
MAX_POOL = 1 << STEP_VALUE_BITS
SPARSE_TOKENS = 2048  # a mask with more loose tokens than this is kept dense
NARROW = -2  # instead of an entry: the state reaches so few trie nodes that they are walked
UNKNOWN = -1  # neither an entry nor NARROW yet

MAX_TOKEN_BYTES = 65_535  # what a trie node's depth can be

SECTIONS = 7
WANTED_SECTION = 6  # how many parser states NEED_STATE is about, and each, some perhaps twice

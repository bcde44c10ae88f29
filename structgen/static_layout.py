"""The array that growing tables keep everything in: sections with room behind what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from structgen_kernels import layout
from structgen_kernels.growing_tables import move_heap

from structgen.errors import CompileLimitError
from structgen.small_pages import zeros
from structgen.tables import Int32Array

MOST_WORDS = 1 << 28  # 1 GiB: what one grammar's tables may grow to
_OF_STATES = (layout.RTN_BEGIN, layout.RTN_COUNT, layout.RTN_FINAL)  # a word for each parser state
_OF_TABLE = (layout.ROW, layout.CLASS_MAP, layout.FLAGS)  # and for each state of a terminal


def laid_out(
    old: Int32Array, room: Mapping[str, int], used: Mapping[str, int], eos_token_ids: Sequence[int]
) -> Int32Array:
    """A new array with these rooms, and all that the old one holds; that may be its header alone.

    ``room``, ``used``: how many of each there may be and are: parser states (``rtn``), ``edges``, states of
    terminals (``table``), ``blocks``, and words of the ``heap``, which comes last. Raises
    `CompileLimitError`.
    """
    sizes = {layout.EOS: len(eos_token_ids), **_sections(room)}
    total = layout.HEADER_SIZE + sum(sizes.values()) + room["heap"]
    if total > MOST_WORDS:
        raise CompileLimitError("max_table_words", MOST_WORDS, total, fixed=True)
    static = zeros(total)
    static[: layout.HEADER_SIZE] = old[: layout.HEADER_SIZE]
    is_first = old.size == layout.HEADER_SIZE
    held = {} if is_first else _sections(used)
    offset = layout.HEADER_SIZE
    for section, size in sizes.items():
        if section in held:
            begin = int(old[section])
            static[offset : offset + held[section]] = old[begin : begin + held[section]]
        static[section] = offset
        offset += size
    static[static[layout.EOS] : static[layout.EOS] + len(eos_token_ids)] = eos_token_ids
    static[layout.HEAP] = offset
    if not is_first:
        before = int(old[layout.HEAP])
        static[offset : offset + used["heap"]] = old[before : before + used["heap"]]
        move_heap(static, used["table"], used["blocks"], offset - before)
    return static


def _sections(counts: Mapping[str, int]) -> dict[int, int]:
    """The words of each section for so many of each."""
    return {
        **dict.fromkeys(_OF_STATES, counts["rtn"]),
        layout.RTN_EDGES: 2 * counts["edges"],
        **dict.fromkeys(_OF_TABLE, counts["table"]),
        layout.ALIVE: 8 * counts["table"],
        layout.BLOCKS: layout.BLOCK_SIZE * counts["blocks"],
    }

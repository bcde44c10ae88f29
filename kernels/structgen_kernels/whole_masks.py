"""Masks that are kept whole, each in memory of its own: where they are, by configuration.

A table, int64 (HEAD + 2 * slots,): how many slots there are, a power of two, how many are used, and the
slots, each a configuration (0: free) and the address of its mask (0: none any more). One thread at a time
writes to a table. A batch reads it meanwhile, without a lock: an address is written before the configuration
by which it is found, and what is not needed any more is kept while somebody may read it
(`structgen.threads.Readers`).
"""

from __future__ import annotations

from structgen_kernels.jit import Int, Int64Array, kernel
from structgen_kernels.shared_memory import int64_at, publish, published

# words of the cell of a machine that keeps whole masks (that of others: `layout.VIEW_STORE` and below it)
KIND = 0  # WHOLE_MASKS, where others have the number of a store
TABLE = 1  # its address
N_WORDS = 2  # of a mask
WHOLE_MASKS = -1

HEAD = 2
_SLOTS, _USED = 0, 1
_SPREAD = 40503  # odd: configurations that follow on one another get different slots


@kernel
def find(table_address: Int, config: Int) -> Int:
    """The address of the mask of ``config``, or 0."""
    slots = int64_at(table_address, HEAD)[_SLOTS]
    table = int64_at(table_address, HEAD + 2 * slots)
    slot = (config * _SPREAD) & (slots - 1)
    while True:
        known = published(table, HEAD + 2 * slot)
        if known == config:
            return published(table, HEAD + 2 * slot + 1)
        if known == 0:
            return 0
        slot = (slot + 1) & (slots - 1)


@kernel
def note(table: Int64Array, config: Int, address: Int) -> bool:
    """Let ``config`` lead to ``address``; False, and nothing changed, where the table is half full."""
    slots = table[_SLOTS]
    slot = (config * _SPREAD) & (slots - 1)
    while table[HEAD + 2 * slot] != 0:
        if table[HEAD + 2 * slot] == config:
            publish(table, HEAD + 2 * slot + 1, address)
            return True
        slot = (slot + 1) & (slots - 1)
    if 2 * table[_USED] >= slots:
        return False
    table[_USED] += 1
    table[HEAD + 2 * slot + 1] = address
    publish(table, HEAD + 2 * slot, config)
    return True


@kernel
def copy_noted(table: Int64Array, larger: Int64Array) -> None:
    """Note in ``larger``, all 0, what is in ``table`` and has a mask. There must be room for it."""
    larger[_SLOTS] = (larger.shape[0] - HEAD) // 2
    for slot in range(table[_SLOTS]):
        if table[HEAD + 2 * slot + 1] != 0:
            note(larger, table[HEAD + 2 * slot], table[HEAD + 2 * slot + 1])

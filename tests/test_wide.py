"""Several bytes at once: the same by kernels and by their plain twins, from every place on."""

from __future__ import annotations

import numpy as np
from structgen_kernels.jit import lean_kernel
from structgen_kernels.wide import WIDTH, copy_wide, eight_bytes


@lean_kernel
def copied(source, begin, out, to):
    copy_wide(source, begin, out, to)


@lean_kernel
def read(data, at):
    return eight_bytes(data, at)


def test_copies_and_reads_are_those_of_plain_code():
    source = np.random.default_rng(1).integers(0, 256, 80).astype(np.uint8)
    for begin in range(source.size - WIDTH + 1):
        out, expected = np.zeros((2, 50), np.uint8)
        copied(source, begin, out, begin % 7)
        copy_wide(source, begin, expected, begin % 7)
        assert np.array_equal(out, expected)
        assert np.array_equal(out[begin % 7 :][:WIDTH], source[begin : begin + WIDTH])
    for at in range(source.size - 7):
        number = int.from_bytes(source[at : at + 8].tobytes(), "little", signed=True)
        for data in (source, source.reshape(8, 10)):
            assert read(data, at) == eight_bytes(data, at) == number

"""A few rows of hidden states onto a large vocabulary: the output layer of a language model.

Linear algebra libraries are made for square matrices, and pack both before they begin. Here the weights,
which are read once, stay as they lie. The rows are packed beside each other, so that a vector of 16 holds
one number of each (of 8 rows two, of 4 rows four): a weight times a vector is a term of all rows' sums, and
hardly anything is summed across a vector. The next weights are fetched ahead: they are read as six streams,
each too short for the processor to foresee.

On one core of an AMD EPYC (Zen 4), 20 rows times 50,277 x 128 weights take 3.3 ms, where MKL takes 8 and
inner products along the weights, four rows at a time, 4.4; 16 rows times 16,000 x 2,048 weights 12, 32, 23.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from structgen_kernels.jit import Int, kernel, reordering_kernel

TOKENS = 6  # of a tile: its sums are in registers, in vectors of 8, too
WIDTH = 16  # numbers in a vector
FEW_ROWS = 2  # for which inner products are as fast

Floats = NDArray[np.float32]

# numba's and llvmlite's names, of which mypy sees no types
_types: Any = types
_ir: Any = ir
_function: Any = cgutils.get_or_insert_function


@kernel
def lanes_for(rows: Int, size: Int) -> Int:
    """How many of the ``rows`` that are left the next group has room for."""
    if size % 4 == 0 and rows <= 4:
        return 4
    return 8 if size % 4 == 0 and rows <= 8 else WIDTH


def packed(hidden: Floats) -> Floats:
    """hidden float32 (rows, size) as `project` takes it, float32 (n,).

    Of each group of rows (size / steps, lanes, steps), steps being `WIDTH` / lanes; zeros behind the last.
    """
    size = hidden.shape[1]
    groups = []
    while hidden.shape[0]:
        lanes = lanes_for(hidden.shape[0], size)
        group = np.zeros((lanes, size // (WIDTH // lanes), WIDTH // lanes), np.float32)
        group[: hidden.shape[0]] = hidden[:lanes].reshape(-1, *group.shape[1:])
        groups.append(group.transpose(1, 0, 2).reshape(-1))
        hidden = hidden[lanes:]
    return np.concatenate(groups)


def _tile(weights: Floats, first: Int, rows: Floats, place: Int, sums: Floats, lanes: Int) -> None:
    """Write into ``sums`` (TOKENS, lanes, steps), flat, at step 0: weights[first:first + TOKENS] times the
    group of rows that begins at rows[place].
    """
    size, steps = weights.shape[1], WIDTH // lanes
    group = rows[place : place + size * lanes].reshape(-1, lanes, steps).transpose(0, 2, 1)
    sums.reshape(TOKENS, lanes, steps)[:, :, 0] = weights[first : first + TOKENS] @ group.reshape(size, lanes)


def _tile_of(lanes: int) -> Any:
    @intrinsic
    def tile(typing_context: Any, weights: Any, first: Any, rows: Any, place: Any, sums: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            arrays = [
                context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 4)
            ]
            _emit_tile(builder, lanes, arrays, arguments[1], arguments[3])
            return context.get_dummy_value()

        return _types.void(weights, _types.int64, rows, _types.int64, sums), code

    return tile


def _emit_tile(builder: Any, lanes: int, arrays: Any, first: Any, place: Any) -> None:
    """A loop over the size: for some weights of each token of a tile one product and sum of vectors."""
    weights, rows, sums = arrays
    steps = WIDTH // lanes
    word, index, byte = _ir.IntType(32), _ir.IntType(64), _ir.IntType(8)
    vector, some = _ir.VectorType(_ir.FloatType(), WIDTH), _ir.VectorType(_ir.FloatType(), steps)
    size = builder.extract_value(weights.shape, 1)

    def at(data: Any, *factors: Any) -> Any:
        offset = factors[0]
        for factor in factors[1:]:
            offset = builder.mul(offset, factor)
        return builder.gep(data, [offset])

    def shuffled(value: Any, places: list[int]) -> Any:
        return builder.shuffle_vector(value, value, _ir.VectorType(word, WIDTH)(places))

    starts = [at(weights.data, builder.add(first, index(token)), size) for token in range(TOKENS)]
    ahead = at(weights.data, builder.add(first, index(TOKENS)), size)
    group = at(rows.data, place)
    fetch = _function(
        builder.module,
        _ir.FunctionType(_ir.VoidType(), [byte.as_pointer(), word, word, word]),
        "llvm.prefetch.p0",
    )
    before = builder.block
    loop = builder.append_basic_block("tile")
    end = builder.append_basic_block("tile.end")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(index)
    k.add_incoming(index(0), before)
    totals = [builder.phi(vector) for _ in range(TOKENS)]
    # the next tile's weights lie behind this one's; to read, for soon, as data
    fetched = builder.bitcast(at(ahead, k, index(TOKENS)), byte.as_pointer())
    builder.call(fetch, [fetched, word(0), word(3), word(1)])
    column = builder.load(builder.bitcast(at(group, k, index(lanes)), vector.as_pointer()), align=4)
    following = builder.add(k, index(steps))
    k.add_incoming(following, loop)
    results = []
    for start, total in zip(starts, totals, strict=True):
        few = builder.load(builder.bitcast(at(start, k), some.as_pointer()), align=4)
        product = builder.fmul(shuffled(few, list(range(steps)) * lanes), column, flags=("contract",))
        result = builder.fadd(product, total, flags=("contract",))
        total.add_incoming(vector(None), before)
        total.add_incoming(result, loop)
        results.append(result)
    builder.cbranch(builder.icmp_signed("<", following, size), loop, end)
    builder.position_at_end(end)
    for token, result in enumerate(results):
        for apart in (1, 2):
            if apart < steps:
                result = builder.fadd(result, shuffled(result, [i ^ apart for i in range(WIDTH)]))
        target = builder.bitcast(at(sums.data, index(token * WIDTH)), vector.as_pointer())
        builder.store(result, target, align=4)


_tile_4, _tile_8, _tile_16 = _tile_of(4), _tile_of(8), _tile_of(16)


@overload(_tile)
def _overloaded_tile(weights: Any, first: Any, rows: Any, place: Any, sums: Any, lanes: Any) -> Any:
    def code(weights: Any, first: Any, rows: Any, place: Any, sums: Any, lanes: Any) -> Any:
        if lanes == 16:
            _tile_16(weights, first, rows, place, sums)
        elif lanes == 8:
            _tile_8(weights, first, rows, place, sums)
        else:
            _tile_4(weights, first, rows, place, sums)

    return code


@kernel
def project(weights: Floats, rows: Floats, out: Floats, begin: Int, end: Int) -> None:
    """Inner products of some tokens' weights with all hidden rows.

    weights: float32 (tokens, size), rows: what `packed` gives, C-contiguous and read. out: float32 (rows,
    tokens), of which the columns from ``begin`` to ``end`` are written.
    Cost: 2 (end - begin) rows size operations; the weights are read once from memory.
    """
    size = np.int64(weights.shape[1])
    n_rows = out.shape[0]
    whole = end - (end - begin) % TOKENS
    sums = np.empty(TOKENS * WIDTH, np.float32)
    for first in range(begin, whole, TOKENS):
        row = 0
        while row < n_rows:
            lanes = lanes_for(n_rows - row, size)
            steps = WIDTH // lanes
            _tile(weights, np.int64(first), rows, row * size, sums, lanes)
            for lane in range(min(lanes, n_rows - row)):
                for token in range(TOKENS):
                    out[row + lane, first + token] = sums[token * WIDTH + lane * steps]
            row += lanes
    for token in range(whole, end):
        row = 0
        while row < n_rows:
            lanes = lanes_for(n_rows - row, size)
            steps = WIDTH // lanes
            for lane in range(min(lanes, n_rows - row)):
                total = np.float32(0)
                for k in range(size):
                    total += (
                        weights[token, k] * rows[row * size + k // steps * WIDTH + lane * steps + k % steps]
                    )
                out[row + lane, token] = total
            row += lanes


@reordering_kernel
def project_few(weights: Floats, hidden: Floats, out: Floats, begin: Int, end: Int) -> None:
    """The same for one or two rows, hidden float32 (rows, size)."""
    whole = end - (end - begin) % 2
    for token in range(begin, whole, 2):
        for row in range(hidden.shape[0]):
            one = other = np.float32(0)
            for k in range(hidden.shape[1]):
                one += weights[token, k] * hidden[row, k]
                other += weights[token + 1, k] * hidden[row, k]
            out[row, token], out[row, token + 1] = one, other
    for token in range(whole, end):
        for row in range(hidden.shape[0]):
            one = np.float32(0)
            for k in range(hidden.shape[1]):
                one += weights[token, k] * hidden[row, k]
            out[row, token] = one

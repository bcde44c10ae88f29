"""Several bytes of an array at once, wherever they begin: numba reads and writes one by one. Each function is
the plain twin of what numba compiles in its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from structgen_kernels.jit import ByteArray, Int

WIDTH = 16
# numba's names, of which mypy sees no types
_types: Any = types
_gep: Any = cgutils.gep_inbounds


def copy_wide(source: ByteArray, begin: Int, out: ByteArray, to: Int) -> None:
    """Copy `WIDTH` bytes to ``out[to:]``, which there must be in both arrays."""
    out[to : to + WIDTH] = source[begin : begin + WIDTH]


def eight_bytes(data: ByteArray, at: Int) -> Int:
    """The eight bytes from a place on, which there must be, as a signed number; places count all elements."""
    return np.int64(int.from_bytes(data.ravel()[int(at) : int(at) + 8].tobytes(), "little", signed=True))


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any, element: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(_gep(builder, data, index), element.as_pointer())


def _copied(typing_context: Any, source: Any, begin: Any, out: Any, to: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.VectorType(ir.IntType(8), WIDTH)
        kinds = signature.args
        given = _place(context, builder, kinds[0], arguments[0], arguments[1], wide)
        taken = _place(context, builder, kinds[2], arguments[2], arguments[3], wide)
        builder.store(builder.load(given, align=1), taken, align=1)
        return context.get_dummy_value()

    return _types.void(source, _types.int64, out, _types.int64), code


def _read(typing_context: Any, data: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(64))
        return builder.load(place, align=1)

    return _types.int64(data, _types.int64), code


# their first parameter is numba's own
_copy: Any = intrinsic(_copied)
_eight: Any = intrinsic(_read)


@overload(copy_wide)
def _copy_wide(source: Any, begin: Any, out: Any, to: Any) -> Any:
    def code(source: Any, begin: Any, out: Any, to: Any) -> Any:
        _copy(source, begin, out, to)

    return code


@overload(eight_bytes)
def _eight_bytes(data: Any, at: Any) -> Any:
    def code(data: Any, at: Any) -> Any:
        return _eight(data, at)

    return code

"""Arrays by their address, and the few ordered reads and writes by which threads share them without a lock.

A batch of masks is filled from the records of many grammars: as arguments their arrays would cost a
microsecond a row to unpack. What is written with `publish` is seen whole by whoever read it with
`published`. Each function is the plain twin of what numba compiles in its place.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.extending import intrinsic, overload

from structgen_kernels.jit import ByteArray, Int, Int32Array, Int64Array

# numba's names, of which mypy sees no types
_carray: Any = carray
_types: Any = types
_gep: Any = cgutils.gep_inbounds
_POINTER: Any = ir.IntType(8).as_pointer()
_BYTE: Any = ctypes.c_char.from_buffer


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where the content of a C-contiguous array begins. For plain code; keep the array while it is used."""
    if array.size and array.flags.writeable:
        return ctypes.addressof(_BYTE(array))  # in a third of the time
    return int(array.ctypes.data)


def int32_at(address: Int, size: Int) -> Int32Array:
    """int32 (size,) at an address; nothing keeps that memory alive."""
    return np.ctypeslib.as_array(ctypes.cast(int(address), ctypes.POINTER(ctypes.c_int32)), (int(size),))


def int32_rows_at(address: Int, rows: Int, columns: Int) -> Int32Array:
    """int32 (rows, columns) at an address; nothing keeps that memory alive."""
    return int32_at(address, rows * columns).reshape(int(rows), int(columns))


def int64_at(address: Int, size: Int) -> Int64Array:
    """int64 (size,) at an address; nothing keeps that memory alive."""
    return np.ctypeslib.as_array(ctypes.cast(int(address), ctypes.POINTER(ctypes.c_int64)), (int(size),))


def bytes_at(address: Int, size: Int) -> ByteArray:
    """uint8 (size,) at an address; nothing keeps that memory alive."""
    return np.ctypeslib.as_array(ctypes.cast(int(address), ctypes.POINTER(ctypes.c_uint8)), (int(size),))


def publish(array: Any, index: Int, value: Int) -> None:
    """``array[index] = value``, after everything written before it (a store with release order)."""
    array[index] = value


def published(array: Any, index: Int) -> Int:
    """``array[index]``, before everything read after it (a load with acquire order)."""
    return array[index]


def exchange(array: Int64Array, index: Int, value: Int) -> Int:
    """Set ``array[index]`` and return what it was, as one step for all threads; orders all around it."""
    before = int(array[index])
    array[index] = value
    return before


def swap_if(array: Int64Array, index: Int, expected: Int, value: Int) -> Int:
    """`exchange` where ``array[index]`` is ``expected``, else nothing. Returns what it was."""
    before = int(array[index])
    if before == expected:
        array[index] = value
    return before


def call_c(function: Int, argument: Int) -> Int:
    """``int function(void *argument)`` of C, by addresses. Python's lock is as the kernel has it."""
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(int(function))(int(argument))


def call_clock(function: Int, clock: Int, argument: Int) -> Int:
    """``int function(int clock, void *argument)`` of C, by addresses: `clock_gettime`."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    return kind(int(function))(int(clock), int(argument))


def _pointer_to(element: Any) -> Any:
    @intrinsic
    def pointer(typing_context: Any, address: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return _types.CPointer(element)(_types.int64), code

    return pointer


_int32_pointer = _pointer_to(_types.int32)
_int64_pointer = _pointer_to(_types.int64)
_byte_pointer = _pointer_to(_types.uint8)


@overload(int32_at)
def _int32_at(address: Any, size: Any) -> Any:
    def code(address: Any, size: Any) -> Any:
        return _carray(_int32_pointer(address), (size,))

    return code


@overload(int32_rows_at)
def _int32_rows_at(address: Any, rows: Any, columns: Any) -> Any:
    def code(address: Any, rows: Any, columns: Any) -> Any:
        return _carray(_int32_pointer(address), (rows, columns))

    return code


@overload(int64_at)
def _int64_at(address: Any, size: Any) -> Any:
    def code(address: Any, size: Any) -> Any:
        return _carray(_int64_pointer(address), (size,))

    return code


@overload(bytes_at)
def _bytes_at(address: Any, size: Any) -> Any:
    def code(address: Any, size: Any) -> Any:
        return _carray(_byte_pointer(address), (size,))

    return code


def _item_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return _gep(builder, data, index)


def _store_released(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        place = _item_pointer(context, builder, kind, arguments[0], arguments[1])
        builder.store_atomic(arguments[2], place, "release", kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return _types.void(array, _types.int64, array.dtype), code


def _load_acquired(typing_context: Any, array: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        place = _item_pointer(context, builder, kind, arguments[0], arguments[1])
        return builder.load_atomic(place, "acquire", kind.dtype.bitwidth // 8)

    return array.dtype(array, _types.int64), code


def _exchange_atomically(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _item_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        return builder.atomic_rmw("xchg", place, arguments[2], "seq_cst")

    return _types.int64(array, _types.int64, _types.int64), code


def _swap_atomically(typing_context: Any, array: Any, index: Any, expected: Any, value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _item_pointer(context, builder, signature.args[0], arguments[0], arguments[1])
        both = builder.cmpxchg(place, arguments[2], arguments[3], "seq_cst", "seq_cst")
        return builder.extract_value(both, 0)

    return _types.int64(array, _types.int64, _types.int64, _types.int64), code


def _call_of_c(*kinds: Any) -> Any:
    """Code that calls the function whose address is the first argument with the others, as ``kinds``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function_type = ir.FunctionType(ir.IntType(32), kinds)
        function = builder.inttoptr(arguments[0], function_type.as_pointer())
        return builder.call(
            function,
            [
                builder.inttoptr(given, kind)
                if isinstance(kind, ir.PointerType)
                else builder.trunc(given, kind)
                for given, kind in zip(arguments[1:], kinds, strict=True)
            ],
        )

    return code


def _called(typing_context: Any, function: Any, argument: Any) -> Any:
    return _types.int32(_types.int64, _types.int64), _call_of_c(_POINTER)


def _called_clock(typing_context: Any, function: Any, clock: Any, argument: Any) -> Any:
    return _types.int32(_types.int64, _types.int64, _types.int64), _call_of_c(ir.IntType(32), _POINTER)


# their first parameter is numba's own
_store: Any = intrinsic(_store_released)
_load: Any = intrinsic(_load_acquired)
_exchange: Any = intrinsic(_exchange_atomically)
_swap: Any = intrinsic(_swap_atomically)
_call: Any = intrinsic(_called)
_clock: Any = intrinsic(_called_clock)


@overload(publish)
def _publish(array: Any, index: Any, value: Any) -> Any:
    def code(array: Any, index: Any, value: Any) -> Any:
        return _store(array, index, value)

    return code


@overload(published)
def _published(array: Any, index: Any) -> Any:
    def code(array: Any, index: Any) -> Any:
        return _load(array, index)

    return code


@overload(exchange)
def _exchanged(array: Any, index: Any, value: Any) -> Any:
    def code(array: Any, index: Any, value: Any) -> Any:
        return _exchange(array, index, value)

    return code


@overload(swap_if)
def _swapped(array: Any, index: Any, expected: Any, value: Any) -> Any:
    def code(array: Any, index: Any, expected: Any, value: Any) -> Any:
        return _swap(array, index, expected, value)

    return code


@overload(call_c)
def _call_c(function: Any, argument: Any) -> Any:
    def code(function: Any, argument: Any) -> Any:
        return np.int64(_call(function, argument))

    return code


@overload(call_clock)
def _call_clock(function: Any, clock: Any, argument: Any) -> Any:
    def code(function: Any, clock: Any, argument: Any) -> Any:
        return np.int64(_clock(function, clock, argument))

    return code

"""The elements of dlib's serialisation, read one after the other from bytes; nothing in a file is ever run.

An integer is a byte (the count of bytes that follow; its high bit says negative) and that many little-endian bytes. A
text is an integer, its length, and its bytes. A real number is two integers, mantissa and exponent of 2. A truth value
is the letter 1 or 0. A tensor is its version, 2, four dimensions, and little-endian float32. Source: dlib's
`serialize.h` and `cuda/tensor.h` (Boost Software License).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from padkit.errors import WeightsError

NEGATIVE, WIDEST = 0x80, 8  # bytes of an integer
LONGEST_TEXT = 64
TENSOR_VERSION = 2
STEEPEST = 1000  # exponent of 2: dlib writes infinity and NaN as exponents of 32000 and more
FLOAT_BYTES = 4


class Tokens:
    """Reads elements from `content` in order. Every method but `end` moves on, and raises WeightsError on bad bytes.

    Memory stays within that of `content`: a length is compared with what is left before anything is read.

    Args:
        content: The whole file.
        source: What errors call it.
    """

    def __init__(self, content: bytes, source: str | Path) -> None:
        self._content = memoryview(content)
        self._source = source
        self._at = 0

    def fail(self, what: str) -> NoReturn:
        """Raise WeightsError: this is not the file that was expected."""
        raise WeightsError(
            f"dlib: {self._source} is not dlib's face recognition network: {what} (byte {self._at}); fetch it again"
        )

    def _take(self, count: int) -> memoryview:
        if count > len(self._content) - self._at:
            self.fail(f"it ends where {count} more bytes are due")
        self._at += count
        return self._content[self._at - count : self._at]

    def integer(self) -> int:
        """Read an integer."""
        head = self._take(1)[0]
        count = head & ~NEGATIVE
        if not 1 <= count <= WIDEST:
            self.fail(f"an integer of {count} bytes")
        value = int.from_bytes(self._take(count), "little")
        return -value if head & NEGATIVE else value

    def expect(self, wanted: int | Sequence[int], what: str) -> None:
        """Read an integer, or several, and refuse any but `wanted`."""
        for value in [wanted] if isinstance(wanted, int) else wanted:
            found = self.integer()
            if found != value:
                self.fail(f"{what} {found} where {value} is due")

    def name(self, wanted: str) -> None:
        """Read a text and refuse any but `wanted`."""
        length = self.integer()
        if not 0 <= length <= LONGEST_TEXT:
            self.fail(f"a name of {length} bytes where {wanted!r} is due")
        found = bytes(self._take(length))
        if found != wanted.encode():
            self.fail(f"{found.decode('ascii', 'backslashreplace')!r} where {wanted!r} is due")

    def real(self) -> float:
        """Read a finite real number."""
        mantissa, exponent = self.integer(), self.integer()
        if abs(exponent) > STEEPEST:
            self.fail("a number that is not finite")
        return math.ldexp(float(mantissa), exponent)

    def flag(self) -> bool:
        """Read a truth value."""
        found = bytes(self._take(1))
        if found not in (b"0", b"1"):
            self.fail(f"{found!r} where a truth value is due")
        return found == b"1"

    def tensor(self, wanted: tuple[int, int, int, int], what: str) -> Tensor:
        """Read a tensor and refuse any shape but `wanted`; return its numbers in one row, a copy."""
        self.expect(TENSOR_VERSION, "a tensor of version")
        found = tuple(self.integer() for _ in wanted)
        if found != wanted:
            self.fail(f"{what} of shape {_shape(found)} where {_shape(wanted)} is due")
        return self._floats(math.prod(wanted))

    def row(self, what: str, most: int) -> Tensor:
        """Read a tensor of shape n x 1 x 1 x 1 with n in 1..most; return its numbers [n], a copy."""
        self.expect(TENSOR_VERSION, "a tensor of version")
        count, *rest = (self.integer() for _ in range(4))
        if not 1 <= count <= most or rest != [1, 1, 1]:
            self.fail(f"{what} of shape {_shape([count, *rest])}")
        return self._floats(count)

    def _floats(self, count: int) -> Tensor:
        numbers = np.frombuffer(self._take(count * FLOAT_BYTES), dtype="<f4")
        return torch.from_numpy(numbers.astype(np.float32))

    def end(self) -> None:
        """Refuse bytes after the last element."""
        if rest := len(self._content) - self._at:
            self.fail(f"{rest} bytes too many at its end")


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))

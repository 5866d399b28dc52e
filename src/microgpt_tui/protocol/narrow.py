"""Columns that cross the border in one byte a number, where that is enough."""

from __future__ import annotations

from array import array
from itertools import accumulate, chain, islice
from operator import sub
from typing import Any

DIFFERENCES = frozenset({"child_start"})
"""Columns that are sent as differences: how many operands each node has."""
SMALL = frozenset({"op"})
"""Columns of mostly small numbers."""
NARROW = "/1"
"""Behind the name of a column that is sent in one byte a number."""


def narrowed(name: str, column: array[Any], start: int) -> tuple[str, bytes]:
    """A column from a row on: the name to send it by, and the bytes."""
    new = column[start:]
    try:
        if name in DIFFERENCES:
            return name + NARROW, bytes(map(sub, new, chain((column[start - 1] if start else 0,), new)))
        if name in SMALL:
            return name + NARROW, bytes(new.tolist())
    except ValueError:  # one byte is not enough
        pass
    return name, new.tobytes()


def widened(name: str, column: array[Any], start: int, raw: bytes | memoryview) -> bytes | memoryview:
    """The column's own bytes; ``name`` is that which they were sent by."""
    if not name.endswith(NARROW):
        return raw
    numbers = raw.tolist() if isinstance(raw, memoryview) else list(raw)
    if name.removesuffix(NARROW) in DIFFERENCES:
        numbers = list(islice(accumulate(numbers, initial=column[start - 1] if start else 0), 1, None))
    return array(column.typecode, numbers).tobytes()

"""What the allocator holds and nobody uses: a copy of the process that only sleeps gives it back to the system.

Half of the memory of a script that builds graphs is free most of the time: pools that lie between others in use, so
that the allocator cannot return them. Sleeping copies would keep these pages, with nothing in them, once the script
writes to its own. So all free pools are filled with blocks before a fork. The script's process frees them again; the
copy never does, and tells the system that the pages behind them need not be kept.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections import Counter
from contextlib import suppress

BLOCK = 512
"""The allocator's largest blocks."""
POOL, HEADER = 1 << 14, 48
"""Bytes of a pool, and of its header (CPython 3.10 to 3.13)."""
BLOCKS = (POOL - HEADER) // BLOCK
ARENA = 1 << 20
MOST = 256
"""Arenas' worth of blocks that are tried at most."""
_ITEMS = 24
"""Where in a list object its array of items is."""
_DONT_NEED = 4
_PAGES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Unused:
    """Blocks in all pools that were free."""

    def __init__(self) -> None:
        self.blocks: list[list[bytes]] = []
        if not _known():
            return
        with open("/proc/self/statm", "rb", buffering=0) as file:
            size = _size(file.fileno())
            for _ in range(MOST):
                self.blocks.append([bytes(BLOCK - 33) for _ in range(ARENA // POOL * BLOCKS)])
                before, size = size, _size(file.fileno())
                if size >= before + ARENA:  # a new arena: no pool was left
                    return

    def free(self) -> None:
        """The allocator may use them again, in the same order."""
        while self.blocks:
            self.blocks.pop().clear()

    def give_back(self) -> None:
        """In a copy: the blocks are never freed, and their pages are the system's."""
        own = ctypes.pythonapi
        found: list[int] = []
        for batch in self.blocks:
            items = ctypes.c_void_p.from_address(id(batch) + _ITEMS).value
            found += (ctypes.c_uint64 * len(batch)).from_address(items or 0)
            own.PyObject_GC_UnTrack(ctypes.py_object(batch))  # whoever went through it would meet what is no object
            own.Py_IncRef(ctypes.py_object(batch))
        self.blocks = []
        pools = Counter(a // POOL for a in found if (a % POOL - HEADER) % BLOCK == 0)
        whole = sorted(pool for pool, count in pools.items() if count == BLOCKS)
        libc = ctypes.CDLL(None)
        start = end = 0
        for pool in [*whole, 0]:
            if pool != end:
                if end:
                    libc.madvise(ctypes.c_void_p(start * POOL), ctypes.c_size_t((end - start) * POOL), _DONT_NEED)
                start = pool
            end = pool + 1
        with suppress(AttributeError):  # not every C library has it
            libc.malloc_trim(ctypes.c_size_t(0))


def _known() -> bool:
    """True where the allocator is the one that this file knows."""
    return (
        sys.platform == "linux" and sys.implementation.name == "cpython" and sys.version_info < (3, 14)
        and sys.maxsize > 1 << 32 and POOL % _PAGES == 0 and "t" not in sys.abiflags
        and os.environ.get("PYTHONMALLOC", "") in ("", "pymalloc", "default")
        and sys.getsizeof(bytes(BLOCK - 33)) == BLOCK
    )  # fmt: skip


def _size(descriptor: int) -> int:
    """Bytes of the process's address space."""
    return int(os.pread(descriptor, 64, 0).split()[0]) * _PAGES

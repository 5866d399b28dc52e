"""The files that a script has open, opened again for a copy of its process: each with an offset of its own."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST = 1 << 26
"""Bytes of a file, open for reading and writing, that are copied."""


def descriptors() -> list[int]:
    """What is open."""
    try:
        names = os.listdir("/dev/fd")
    except OSError:
        return []
    found = []
    for number in map(int, names):
        try:
            os.fstat(number)
        except OSError:  # the listing's own
            continue
        found.append(number)
    return found


@dataclass(frozen=True, slots=True)
class _Open:
    descriptor: int
    mode: int
    offset: int
    file: tuple[int, int]
    inheritable: bool


class Kept:
    """The regular files that were open when a copy was made, and where in them it was."""

    def __init__(self, found: list[_Open], folder: str) -> None:
        self._found = found
        self._folder = folder

    @classmethod
    def now(cls, descriptors: Iterable[int], folder: str) -> Kept:
        """Of this process; from here on it shares none of them with the one it was forked from."""
        found = []
        for number in descriptors:
            state = os.fstat(number)
            if stat.S_ISREG(state.st_mode):
                mode = fcntl.fcntl(number, fcntl.F_GETFL)
                offset = os.lseek(number, 0, os.SEEK_CUR)
                found.append(_Open(number, mode, offset, (state.st_dev, state.st_ino), os.get_inheritable(number)))
        kept = cls(found, folder)
        kept._part(output=False)
        return kept

    def reopen(self, stdout: str, stderr: str) -> None:
        """For a copy that runs on: its output goes to these files, what it writes to others into its own."""
        self._part(output=True, outputs=(stdout, stderr))

    def _part(self, *, output: bool, outputs: tuple[str, str] = ("", "")) -> None:
        standard = {o.file: outputs[o.descriptor - 1] for o in self._found if o.descriptor in (1, 2)}
        made: dict[tuple[tuple[int, int], int], int] = {}
        opened: list[int] = []
        for was in self._found:
            path = standard.get(was.file)
            if path is not None and not output:
                continue
            key = was.file, was.offset
            new = made.get(key) if path is not None else None
            if new is None:
                new = _output(path, was.offset) if path is not None else self._private(was)
                made[key] = new
                opened.append(new)
            os.dup2(new, was.descriptor, inheritable=was.inheritable)
        for new in opened:
            os.close(new)

    def _private(self, was: _Open) -> int:
        """The same file for reading; a file of this copy's own in its place for writing."""
        source = f"/dev/fd/{was.descriptor}"
        access = was.mode & os.O_ACCMODE
        if access == os.O_RDONLY:
            new = os.open(source, os.O_RDONLY)
        else:
            folder = os.path.join(self._folder, str(os.getpid()))
            os.makedirs(folder, exist_ok=True)
            new = os.open(
                os.path.join(folder, str(was.descriptor)), os.O_CREAT | access | (was.mode & os.O_APPEND), 0o600
            )
            size = os.fstat(was.descriptor).st_size
            os.truncate(new, size)
            if access == os.O_RDWR and size <= LARGEST:
                _copy(source, new, size)
        os.lseek(new, was.offset, os.SEEK_SET)
        return new


def _output(path: str, offset: int) -> int:
    new = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.truncate(new, max(offset, os.fstat(new).st_size))
    os.lseek(new, offset, os.SEEK_SET)
    return new


def _copy(source: str, target: int, size: int) -> None:
    read = os.open(source, os.O_RDONLY)
    at = 0
    while at < size and (piece := os.pread(read, 1 << 20, at)):
        at += os.pwrite(target, piece, at)
    os.close(read)

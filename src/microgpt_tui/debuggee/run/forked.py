"""A question answered in a copy of the script's process: whatever its answer does, the script has not seen it."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable

from microgpt_tui.debuggee.record.silent import silence
from microgpt_tui.protocol import frames
from microgpt_tui.protocol.messages import Answer, Failed

SECONDS = 5
"""An answer that takes longer is given up."""
MEMORY = 1 << 30
"""Bytes that an answer may take beyond what the script has."""
_fork, _exit, _waitpid = os.fork, os._exit, os.waitpid  # the script may replace its own
_state, _set_state = random.getstate, random.setstate  # `random` seeds a copy anew


def answered(answer: Callable[[], Answer]) -> Answer:
    """What ``answer()`` gives in a copy of this process, within its limits."""
    read, write = os.pipe()
    state = _state()
    try:
        child = _forked()
    except OSError as error:
        os.close(read)
        os.close(write)
        return Failed(f"the script's process cannot be copied to answer that: {error.strerror}")
    if child == 0:
        try:
            _set_state(state)
            _answer(answer, write)
        finally:
            _exit(0)
    os.close(write)
    try:
        told = _told(read)
    finally:
        os.close(read)
        os.kill(child, signal.SIGKILL)
        _, status = _waitpid(child, 0)
    if told is not None:
        return told
    number = os.waitstatus_to_exitcode(status)
    if number == -signal.SIGKILL:
        return Failed(f"given up after {SECONDS} seconds; the script is as it was")
    how = signal.Signals(-number).name if number < 0 else f"exit status {number}"
    return Failed(f"it ended the process that answered it ({how}); the script is as it was")


def _forked() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the script has threads: a copy that hangs is given up
        return _fork()


def _told(read: int) -> Answer | None:
    until = time.monotonic() + SECONDS
    held = bytearray()
    while select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
        more = os.read(read, 1 << 16)
        held += more
        if not more:
            break
    if not held:
        return None
    at = 0

    def take(count: int) -> bytearray:
        nonlocal at
        if at + count > len(held):
            raise EOFError
        at += count
        return held[at - count : at]

    try:
        told, _ = frames.unpack(take)
    except EOFError:
        return None
    return told if isinstance(told, Answer) else None


def _answer(answer: Callable[[], Answer], write: int) -> None:
    silence()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGURG):
        signal.signal(number, signal.SIG_DFL)
    _limit_memory()
    try:
        told = answer()
    except SystemExit as leaving:
        told = Failed(f"SystemExit: {leaving.code}: the script would have ended; it is as it was")
    except MemoryError:
        told = Failed(f"MemoryError: it takes more than {MEMORY >> 20} MB; the script is as it was")
    except BaseException as error:  # whatever it is, it is the question's
        told = Failed(f"{type(error).__name__}: {_text(error)}")
    raw = memoryview(frames.pack(told))
    while raw:
        raw = raw[os.write(write, raw) :]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its text cannot be told"


def _limit_memory() -> None:
    with contextlib.suppress(OSError, ValueError):  # not every system tells or limits it
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))

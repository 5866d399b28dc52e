"""Functions of ``os``, ``gc`` and ``sys`` that stand in for Python's own: what they do to the script is the same, but
the debugger lives through it, and cannot be seen through them."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NoReturn

from microgpt_tui.debuggee.record.silent import silence
from microgpt_tui.debuggee.run.control import PAUSE_SIGNAL, Control
from microgpt_tui.protocol.stops import Exited, Replaced, Stop

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def replace(control: Control, descriptors: Iterable[int]) -> Callable[[], None]:
    """Before the script begins. Of the open ``descriptors`` it is not to know. What it gives undoes it."""
    before = {name: getattr(os, name) for name in ("_exit", "execv", "execve", "fork", "forkpty")}
    _ends(control)
    _copies(control)
    _files(control, frozenset(descriptors))
    collector_as_wanted = _collector()
    _tracing(control)

    def undo() -> None:
        vars(os).update(before)
        collector_as_wanted()

    return undo


# -- the end, and other programs -------------------------------------------------------------------


def _ends(control: Control) -> None:
    def last(stop: Stop) -> None:
        """The debugger may look once more, then it happens."""
        if not control.alone:
            control.stop(stop)

    def line() -> int:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename not in control.recorder.files:
            frame = frame.f_back
        return frame.f_lineno if frame is not None else 0

    def before_exec(path: Any) -> None:
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            last(Replaced(os.fsdecode(path), line()))

    leave, execute, execute_in = os._exit, os.execv, os.execve

    def _exit(status: int) -> NoReturn:
        try:
            last(Exited("os._exit", line(), status=int(status) & 0xFF))
        finally:
            leave(status)

    def execv(path: Any, argv: Any, /) -> NoReturn:
        try:
            before_exec(path)
        finally:
            execute(path, argv)

    def execve(path: Any, argv: Any, env: Any) -> NoReturn:
        try:
            before_exec(path)
        finally:
            execute_in(path, argv, env)

    os._exit, os.execv, os.execve = _exit, execv, execve


def _copies(control: Control) -> None:
    """A forked copy of the script runs as plain Python runs it: nothing of it is recorded."""

    def copying(fork: Callable[[], Any], pid_of: Callable[[Any], int]) -> Callable[[], Any]:
        def forked() -> Any:
            made = fork()
            if pid_of(made) == 0:
                signal.signal(PAUSE_SIGNAL, signal.SIG_DFL)
                silence()
                control.begin_alone()
            return made

        return forked

    os.fork = copying(os.fork, lambda pid: pid)
    os.forkpty = copying(os.forkpty, lambda both: both[0])


# -- what is open ----------------------------------------------------------------------------------


def _files(control: Control, fixed: frozenset[int]) -> None:
    close_one, close_range = os.close, os.closerange

    def ours() -> frozenset[int]:
        return fixed | {control.channel.fileno()}

    def close(fd: int) -> None:
        if fd in ours():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        close_one(fd)

    def closerange(fd_low: int, fd_high: int, /) -> None:
        low = fd_low
        for kept in sorted(fd for fd in ours() if fd_low <= fd < fd_high):
            close_range(low, kept)
            low = kept + 1
        close_range(low, fd_high)

    os.close, os.closerange = close, closerange


# -- what is on ------------------------------------------------------------------------------------


def _collector() -> Callable[[], None]:
    """The collector runs between episodes; the script sees it as on or off as it has it, and at last has it so."""
    on, really_on = gc.isenabled(), gc.enable
    gc.disable()

    def isenabled() -> bool:
        return on

    def enable() -> None:
        nonlocal on
        on = True

    def disable() -> None:
        nonlocal on
        on = False

    def as_wanted() -> None:
        if on:
            really_on()

    gc.isenabled, gc.enable, gc.disable = isenabled, enable, disable
    return as_wanted


def _tracing(control: Control) -> None:
    """A trace or profile function of the script hears of its own frames and calls, not of ours."""
    for setter, getter in (("settrace", "gettrace"), ("setprofile", "getprofile")):
        _filtered(setter, getter, control)


def _filtered(setter: str, getter: str, control: Control) -> None:
    set_real, get_real = getattr(sys, setter), getattr(sys, getter)
    log = control.recorder.log

    def ours(frame: FrameType, argument: Any) -> bool:
        return frame.f_code.co_filename.startswith(_OURS) or getattr(argument, "__self__", None) is log

    class Heard:
        """Calls the script's function for what is the script's."""

        def __init__(self, function: Callable[..., Any]) -> None:
            self.function = function

        def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
            if ours(frame, argument if event.startswith("c_") else None):
                return None
            return self.function(frame, event, argument)

    def set_function(function: Any, /) -> None:
        set_real(None if function is None else Heard(function))

    def get_function() -> Any:
        found = get_real()
        return found.function if isinstance(found, Heard) else found

    set_function.__name__, get_function.__name__ = setter, getter
    setattr(sys, setter, set_function)
    setattr(sys, getter, get_function)

"""What a run of the script that is not its first must not do: touch anything outside the session's folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from microgpt_tui.debuggee.run.control import Control
from microgpt_tui.protocol.stops import Withheld

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.rename": ("rename", (0, 1)), "os.remove": ("remove", (0,)), "os.rmdir": ("remove", (0,)),
    "os.mkdir": ("make", (0,)), "os.link": ("link", (0, 1)), "os.symlink": ("link", (1,)),
    "os.truncate": ("truncate", (0,)), "os.chmod": ("change", (0,)), "os.chown": ("change", (0,)),
    "os.utime": ("change", (0,)), "os.setxattr": ("change", (0,)), "os.removexattr": ("change", (0,)),
}  # fmt: skip
"""Audit event -> what it does, and which of its arguments are paths."""
_OUTSIDE = {
    "subprocess.Popen": "start", "os.system": "start", "os.exec": "start", "os.posix_spawn": "start",
    "os.spawn": "start", "pty.spawn": "start", "os.fork": "fork", "os.forkpty": "fork", "os.kill": "signal",
    "os.killpg": "signal", "socket.connect": "connect to", "socket.bind": "bind", "socket.sendto": "send to",
    "signal.pthread_kill": "signal", "shutil.rmtree": "remove",
}  # fmt: skip
"""Audit event -> what it does to the world."""
_NOWHERE = frozenset(("/dev/null", "/dev/tty", "/dev/zero"))


class Guard:
    """Hears what the script does to the world: noted in its first run, stopped in every other."""

    def __init__(self, control: Control, folder: str) -> None:
        self.control = control
        self.folder = os.path.realpath(folder)
        self.stopping = False
        self.stopped = False
        self.touched = False
        """Something outside was touched since this was cleared: only a checkpoint behind that leads beyond it."""

    def hook(self) -> Callable[[str, tuple[Any, ...]], None]:
        """An audit hook. It is called for whatever Python does, each ``id`` of the script among it."""
        told, hear = frozenset(("open", *_PATHS, *_OUTSIDE)).__contains__, self.hear

        def heard(event: str, args: tuple[Any, ...]) -> None:
            if told(event):
                hear(event, args)

        return heard

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Something of what may touch the world is about to happen."""
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & _WRITING and self.is_outside(path):
                self.met("write", path)
        elif (found := _PATHS.get(event)) is not None:
            for place in found[1]:
                if place < len(args) and self.is_outside(args[place]):
                    self.met(found[0], args[place])
        elif (what := _OUTSIDE.get(event)) is not None and not self.control.busy:
            self.met(what, args[0] if args else "")

    def is_outside(self, path: object) -> bool:
        """True for a path that is not in the session's folder."""
        if isinstance(path, int) or path is None:
            return False  # what is open already belongs to this copy
        try:
            name = os.fsdecode(path)  # type: ignore[arg-type]
        except TypeError:
            return True
        real = os.path.realpath(name)
        return real not in _NOWHERE and os.path.commonpath((real, self.folder)) != self.folder

    def met(self, what: str, target: object) -> None:
        """It is about to happen."""
        if self.control.stopped or self.control.busy:
            return  # what the debugger itself does
        self.touched = True
        if self.stopping:
            self.hold(what, os.fsdecode(target) if isinstance(target, str | bytes) else str(target))

    def hold(self, what: str, target: str) -> NoReturn:
        """Wait here: this run goes no further."""
        self.stopped = True
        line = self.line(sys._getframe(1))
        while True:
            self.control.stop(Withheld(what, target, line))

    def line(self, frame: FrameType | None) -> int:
        """The script's line that is executed."""
        while frame is not None and frame.f_code.co_filename not in self.control.recorder.files:
            frame = frame.f_back
        return frame.f_lineno if frame is not None else 0

"""The child process: started, talked to, paused, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from microgpt_tui.protocol import frames, goals
from microgpt_tui.protocol.examination import Examine
from microgpt_tui.protocol.fields import Data, MessageError
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import Command, Quit, Start, Stopped
from microgpt_tui.protocol.stops import Refused
from microgpt_tui.session.checkpoints import Checkpoints, kill
from microgpt_tui.session.folder import RunFolder

Received = tuple[Data, frames.Blobs]
_PACKAGES = Path(__file__).resolve().parents[2]
_BOOT = _PACKAGES / "microgpt_tui" / "debuggee" / "boot"


@dataclass(frozen=True, slots=True)
class Resumed:
    """What is taken over from a recording by a run of its script."""

    path: Path
    moment: str
    """Where it stood, as ``goto`` takes it; empty for nowhere."""
    losses: dict[int, float]
    """Of the finished training steps."""
    files: list[tuple[str, str]]
    """(path, source) of the script's files."""
    bookmarks: dict[str, tuple[int, int]]
    breakpoints: dict[str, Any]
    arguments: list[str]
    settings: dict[str, str]


@dataclass(slots=True)
class Launch:
    """What to run and how."""

    script: Path
    args: list[str] = field(default_factory=list)
    data: Path | None = None
    """Offered to the script as ``input.txt`` in a private working folder."""
    overrides: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable
    goal: Goal = field(default_factory=goals.Episode)
    """What to run until, at first."""
    private_folder: bool = False
    """Run in a private working folder even without ``data``."""
    history_memory: int = 512 << 20
    """Bytes that checkpoints and recorded steps may take; 0 for a run without checkpoints."""
    examine: int | None = None
    """A training step to examine as it begins (``session.examination``)."""
    per_matrix: int = 20
    """How many parameters of each matrix are moved then."""
    what: str = ""
    """Part of the names of functions and matrices that are examined; empty for all."""
    module: str = ""
    """The module to run instead, as ``python -m`` does; ``script`` is what it is called then."""
    text: str | None = None
    """The script itself, where it is no file."""
    stdin: Path | int | None = None
    """What the script reads as its standard input: a file, an open descriptor; None for nothing."""
    recording: Path | None = None
    """A recording to look at instead: nothing runs. ``script`` is what was recorded."""
    most_steps: int = 0
    """Stop behind so many training steps, whatever is asked for; 0 for no limit."""
    resumed: Resumed | None = None
    """What a recording of the script tells: breakpoints, bookmarks, where it stood, the losses that it had."""
    read_only: bool = False
    """Nothing is evaluated or changed in the script, and no file read or written, for the person who looks at it."""
    in_browser: bool = False
    """The screen is shown in a browser: pictures go there, not into files of this machine."""

    @property
    def first(self) -> list[str]:
        """Commands that are given before any other: to where a recording of the script stood."""
        return [f"goto {self.resumed.moment}"] if self.resumed is not None and self.resumed.moment else []


class Connected:
    """A process of the script that can be talked to: the first one, or a copy of it that was woken."""

    gone = "the script is gone"
    """Why a question has no answer when nothing comes any more."""

    def __init__(self, channel: socket.socket, pid: int, stdout: Path, stderr: Path) -> None:
        self.channel = channel
        self.pid = pid
        self.stdout, self.stderr = stdout, stderr
        self._read = frames.reader(channel)

    # -- talking ---------------------------------------------------------------------------

    def send(self, command: Command) -> None:
        """Send a command; one to a script that is gone is dropped: its end is on its way here."""
        with contextlib.suppress(OSError):
            self.channel.sendall(frames.pack(command))

    def receive(self) -> Received | None:
        """The next message, waiting for it; None when the process has closed the channel."""
        try:
            return frames.unpack(self._read)
        except MessageError as error:
            self._signal(signal.SIGKILL)
            return Stopped(Refused(f"{self.stdout}: the script's process was ended: {error}")), {}
        except (EOFError, OSError):
            return None

    # -- signals ---------------------------------------------------------------------------

    def pause(self) -> None:
        """Ask for a pause at once: heard between any two instructions of the script."""
        self._signal(signal.SIGURG)

    def interrupt(self, stage: int) -> str:
        """For a script that does not answer: SIGINT, then SIGTERM, then SIGKILL. Returns what was sent."""
        number = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[min(stage, 2)]
        self._signal(number)
        return number.name

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            os.kill(self.pid, number)

    # -- output ----------------------------------------------------------------------------

    def output(self, start: int, end: int | None = None) -> bytes:
        """Bytes of the script's stdout."""
        return _read_range(self.stdout, start, end)

    def errors(self, start: int = 0, end: int | None = None) -> bytes:
        """Bytes of the script's stderr."""
        return _read_range(self.stderr, start, end)

    def output_size(self) -> int:
        """How many bytes the script has printed."""
        try:
            return self.stdout.stat().st_size
        except OSError:
            return 0

    # -- end -------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit status, or None when it has not ended in time or is not known."""
        return None

    def end(self, timeout: float = 30) -> int | None:
        """Let a script that is over leave in its own way (exit handlers, last output); its exit status.

        A script that is not over ends at once. None when it has not ended in time.
        """
        self.send(Quit())
        return self.wait(timeout)

    def close(self) -> None:
        """End it."""
        kill(self.pid)
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        self.channel.close()


class Process(Connected):
    """A running script: its first process, in a folder of its own."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.folder = RunFolder(launch.script, launch.data, launch.private_folder, launch.stdin, launch.text)
        self.checkpoints = Checkpoints(self.folder, launch.history_memory) if launch.history_memory else None
        ours, theirs = socket.socketpair()
        command = [launch.python, str(_BOOT), str(theirs.fileno()), str(_PACKAGES)]
        self.popen = self.folder.start(command, [theirs.fileno(), self.folder.lifeline], first=_BOOT)
        theirs.close()
        super().__init__(ours, self.popen.pid, self.folder.stdout, self.folder.stderr)
        address = str(self.checkpoints.address) if self.checkpoints is not None else ""
        examine = None
        if launch.examine is not None:
            examine = Examine(launch.examine, str(self.folder.path / "examined"), launch.per_matrix, launch.what)
        self.send(
            Start(
                self.folder.script, tuple(launch.args), launch.overrides, launch.goal, address, self.folder.lifeline,
                examine, launch.module,
            )
        )  # fmt: skip

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(OSError):
            self.popen.send_signal(number)

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit status, or None when it has not ended in time."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """End the process, if it has not, with all copies of it, and remove its folder."""
        self.send(Quit())
        with contextlib.suppress(OSError):
            self.channel.shutdown(socket.SHUT_RDWR)
        if self.checkpoints is not None:
            self.checkpoints.close()
        if self.wait(0.3) is None:
            self._signal(signal.SIGKILL)
            self.wait(5)
        self.channel.close()
        self.folder.close()


def _read_range(path: Path, start: int, end: int | None) -> bytes:
    try:
        with path.open("rb") as handle:
            handle.seek(start)
            return handle.read() if end is None else handle.read(max(0, end - start))
    except OSError:
        return b""


def overrides_from(items: Iterable[str]) -> dict[str, str]:
    """``["n_layer=2"]`` as a mapping; raises ValueError naming what is no NAME=VALUE."""
    found = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign or not name.strip().isidentifier():
            raise ValueError(f"--set {item}: write --set NAME=VALUE, such as --set n_layer=2")
        found[name.strip()] = value.strip()
    return found

"""The checkpoints of a session: the copies of its script that sleep, what memory they take, which are let go."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from microgpt_tui.protocol import frames
from microgpt_tui.protocol.breakpoints import LiveBreakpoint
from microgpt_tui.protocol.fields import Data, MessageError
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import Asleep, Awake, Wake
from microgpt_tui.session.folder import RunFolder

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER."""
PATIENCE = 20.0
"""Seconds that a copy may take to connect."""


@dataclass(slots=True)
class Checkpoint:
    """A copy of the script's process that sleeps at the beginning of an episode."""

    channel: socket.socket
    pid: int
    run: int
    index: int
    private: int = 0
    """Bytes of memory that are its alone, when they were measured last."""

    def measure(self) -> None:
        """Ask the system (Linux) for its private memory."""
        self.private = private_memory(self.pid) or self.private

    def close(self) -> None:
        """End it: it leaves when its connection is closed, and whatever it does at once."""
        self.channel.close()
        kill(self.pid)


class Checkpoints:
    """Hears copies that connect, and keeps to a budget."""

    def __init__(self, folder: RunFolder, budget: int) -> None:
        self.folder = folder
        self.budget = budget
        self.address = folder.path / "copies.socket"
        self._listener = socket.socket(socket.AF_UNIX)
        with frames.reachable(str(self.address)) as address:
            self._listener.bind(address)
        self._listener.listen(64)
        adopt()
        self.items: list[Checkpoint] = []
        self.recorded = 0
        """Bytes of the budget that recorded steps take."""
        self.dropped = 0
        """Checkpoints that were let go to keep to the budget."""
        self.near: frozenset[tuple[int, int]] = frozenset()
        """(run, episode) of the copies that were left on the last way back: neighbours and branches begin there."""
        self._awake: dict[int, socket.socket] = {}
        self._outputs = 0
        self._measured = 0

    # -- connections -------------------------------------------------------------------------

    def welcome(self, timeout: float = 0.0) -> bool:
        """Take those that want to connect, waiting for the first; True when there was one."""
        found = False
        while select.select([self._listener], [], [], 0.0 if found else timeout)[0]:
            channel, _ = self._listener.accept()
            found = True
            channel.settimeout(PATIENCE)
            try:
                message, _ = frames.unpack(frames.reader(channel))
            except (MessageError, EOFError, OSError):
                channel.close()
                continue
            channel.settimeout(None)
            self._take(message, channel)
        return found

    def _take(self, message: Data, channel: socket.socket) -> None:
        if isinstance(message, Asleep):
            self.items.append(Checkpoint(channel, message.pid, message.run, message.index))
            self._account()
        elif isinstance(message, Awake):
            self._awake[message.pid] = channel
        else:
            channel.close()

    # -- the budget --------------------------------------------------------------------------

    @property
    def memory(self) -> int:
        """Private bytes of all of them, as measured."""
        return sum(c.private for c in self.items)

    def _account(self) -> None:
        """One more has come: measure it, the one before it (whose pages are its own by now) and one other."""
        self._measured += 1
        for at in {len(self.items) - 1, len(self.items) - 2, self._measured % len(self.items)}:
            self.items[at].measure()
        self.keep_within(self.budget - self.recorded)

    def keep_within(self, budget: int) -> None:
        """Let go of those that are missed least, until the rest fits."""
        while len(self.items) > 2 and self.memory > budget:
            first: dict[int, int] = {}
            for at, checkpoint in enumerate(self.items):
                if checkpoint.index < self.items[first.setdefault(checkpoint.run, at)].index:
                    first[checkpoint.run] = at
            needed = {at for at, c in enumerate(self.items) if (c.run, c.index) in self.near}
            self.drop(self.items[least_missed([c.index for c in self.items], needed.union(first.values()))])
            self.dropped += 1

    def drop(self, checkpoint: Checkpoint) -> None:
        """Let go of one."""
        self.items.remove(checkpoint)
        checkpoint.close()

    # -- waking ------------------------------------------------------------------------------

    def before(self, index: int, run: int) -> Checkpoint | None:
        """The last one of a run at or before an episode."""
        fitting = [c for c in self.items if c.run == run and c.index <= index]
        return max(fitting, key=lambda c: c.index, default=None)

    def wake(
        self, checkpoint: Checkpoint, goal: Goal, leave: tuple[int, ...], breakpoints: tuple[LiveBreakpoint, ...] = ()
    ) -> tuple[socket.socket, int, Path, Path] | None:  # fmt: skip
        """Let a copy of it run on: its connection, its process, and the files of its output; None when it is gone."""
        stdout, stderr = self.new_outputs()
        if leave:
            self.near = frozenset((checkpoint.run, index) for index in leave)
        order = Wake(goal, str(stdout), str(stderr), leave, breakpoints)
        try:
            checkpoint.channel.sendall(frames.pack(order))
        except OSError:
            self.drop(checkpoint)
            return None
        found = self.awoken()
        if found is None:
            self.drop(checkpoint)
            return None
        return *found, stdout, stderr

    def new_outputs(self) -> tuple[Path, Path]:
        """Files for the output of one more copy."""
        self._outputs += 1
        return self.folder.path / f"stdout.{self._outputs}", self.folder.path / f"stderr.{self._outputs}"

    def awoken(self) -> tuple[socket.socket, int] | None:
        """The copy that has been told to run on: its connection and its process; None when it does not come."""
        while not self._awake:
            if not self.welcome(PATIENCE):
                return None
        pid, channel = self._awake.popitem()
        return channel, pid

    def close(self) -> None:
        """End them all."""
        self._listener.close()
        for checkpoint in self.items:
            checkpoint.close()
        self.items.clear()


def least_missed(indices: list[int], needed: Set[int] = frozenset()) -> int:
    """Which of some checkpoints' places leaves the smallest gap, measured against how long ago it is.

    The first and the last stay, and where others can go those that are ``needed``: the first of every run, without
    which a branch's own past cannot be gone to, and those beside the step that is looked at. A gap near the present
    counts a little more: one goes back a little more often than far.
    """
    order = sorted(range(len(indices)), key=lambda i: indices[i])
    newest = indices[order[-1]]
    inner = order[1:-1]
    gaps = {
        at: (indices[after] - indices[before]) / (newest - indices[at] + 8) ** 0.25
        for before, at, after in zip(order, inner, order[2:], strict=False)
    }
    return min([at for at in inner if at not in needed] or inner, key=lambda at: gaps[at])


def adopt() -> None:
    """Be the parent of copies whose own has gone (Linux): the system's first process need not reap them."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def kill(pid: int) -> None:
    """End a copy of the script, and reap it."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def private_memory(pid: int) -> int:
    """Bytes that are a process's alone; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return 0
    return 1024 * sum(
        int(line.split()[1]) for line in text.splitlines() if line.startswith(("Private_Clean:", "Private_Dirty:"))
    )


__all__ = ["Checkpoint", "Checkpoints", "kill", "least_missed", "private_memory"]

"""Checkpoints: copies of the script's process that sleep at the beginning of an episode, exact to the last bit.

A checkpoint waits on a connection of its own. Woken, it forks once more, so that it stays, and that copy runs on: the
same script in the same state, with files of its own to write to, that touches nothing outside the session's folder.
"""

from __future__ import annotations

import _thread
import os
import random
import resource
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from microgpt_tui.debuggee.run.channel import Channel
from microgpt_tui.debuggee.run.control import Control
from microgpt_tui.debuggee.run.descriptors import Kept, descriptors
from microgpt_tui.debuggee.run.guard import Guard
from microgpt_tui.debuggee.run.unused_memory import Unused
from microgpt_tui.protocol import frames
from microgpt_tui.protocol.messages import (
    Answer,
    Asleep,
    Awake,
    Belong,
    Belongs,
    CannotSleep,
    Failed,
    Split,
    Splitted,
    Wake,
)

SHARE = 0.02
"""Of the script's CPU time that copies may take: forks, and every page that is written to in the episode after."""
LEAST = 0.25
"""CPU seconds between two checkpoints at least."""
SMALL, RISING = 0.7, 0.05
"""An episode's graph is alive when the next begins: a copy is left behind one that has made no more than this part of
what is usual; with every episode that it is waited for, a little more will do."""
_fork, _exit, _waitpid = os.fork, os._exit, os.waitpid  # the script may replace its own
_state, _set_state = random.getstate, random.setstate  # `random` seeds a forked process anew


class Checkpoints:
    """Leaves sleeping copies behind as the script runs."""

    def __init__(self, control: Control, address: str, lifeline: int) -> None:
        self.control = control
        self.address = address
        self.lifeline = lifeline
        self.run = 0
        """The run whose past this process has: the script's own, or a branch."""
        self.wanted: frozenset[int] = frozenset()
        """Episodes before which a copy is left whatever it costs."""
        self.refused = ""
        self.spent_until = 0.0
        self.entries, self.waited = 0.0, 0
        """Entries of the log that an episode makes, as a running mean; episodes since a copy was due."""
        self.cost = 0.0
        """CPU seconds of the last fork."""
        self.system, self.usual = 0.0, 0.0
        """System CPU time when the last episode began, and of an episode without a copy."""
        self.copied = False
        """A copy was left as the last episode began."""
        self.touched = False
        """Something outside the session's folder was written in this episode."""
        control.at_boundary = self.boundary
        control.recorder.keep_ends = True
        control.handlers.update({Split: self.split, Belong: self.belong})
        self.guard = Guard(control, os.path.dirname(address))
        sys.addaudithook(self.guard.hook())

    # -- when ------------------------------------------------------------------------------------

    def boundary(self) -> None:
        """An episode begins: leave a copy here, where that is worth its time."""
        control, index = self.control, self.control.recorder.episode_index
        self.reckon()
        if self.guard.stopped or not (index in self.wanted or self.guard.touched or self.due()):
            return
        control.busy = True  # a pause waits
        try:
            self.guard.touched = False
            reason = self.unfit()
            if reason:
                if reason != self.refused:
                    control.channel.send(CannotSleep(reason, index))
                self.refused = reason
                self.spent_until = time.process_time() + LEAST
            else:
                self.leave_copy()
        finally:
            control.busy = False

    def reckon(self) -> None:
        """What the pages cost that were copied since the last copy was left: as the system's time tells."""
        system = resource.getrusage(resource.RUSAGE_SELF).ru_stime
        spent, self.system = system - self.system, system
        if self.copied:
            self.spent_until += max(0.0, spent - self.usual) / SHARE
        else:
            self.usual = spent
        self.copied = False

    def due(self) -> bool:
        """Enough time has gone by since the last one, and what the last episode has left takes little memory."""
        entries = self.control.recorder.finished.newest
        self.entries += (entries - self.entries) / 8
        if self.spent_until == 0.0:
            return True
        if time.process_time() < self.spent_until:
            self.waited = 0
            return False
        self.waited += 1
        return entries <= (SMALL + RISING * self.waited) * self.entries

    def unfit(self) -> str:
        """Why this process cannot be copied here; empty where it can."""
        if _thread._count():
            return "it runs threads"
        if any(signal.getitimer(kind)[0] for kind in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)):
            return "it has set a timer"
        if _children():
            return "it has child processes"
        for descriptor in self.descriptors():
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISSOCK(mode):
                return "it has an open socket"
            if stat.S_ISFIFO(mode):
                return "it has an open pipe"
        return ""

    def descriptors(self) -> Iterator[int]:
        """The script's own open files."""
        ours = {0, self.lifeline, self.control.channel.fileno()}
        return (d for d in descriptors() if d not in ours)

    # -- forking ---------------------------------------------------------------------------------

    def leave_copy(self) -> None:
        """Fork. Returns in this process, and in every copy that is woken later."""
        before = time.process_time()
        self.control.recorder.finished.release(keep=1)
        unused = Unused()
        if self.forked(lambda: self.sleep(unused)):
            return
        unused.free()
        now = time.process_time()
        self.cost = now - before if not self.cost else (self.cost + now - before) / 2
        self.spent_until = now + max(LEAST, self.cost / SHARE)
        self.system, self.copied = resource.getrusage(resource.RUSAGE_SELF).ru_stime, True

    def forked(self, then: Callable[[], None]) -> bool:
        """Fork twice, so that nobody waits for the copy; it does ``then``, which connects. True in the copy.

        Returns in this process when the copy has connected, or has failed.
        """
        state = _state()
        read, write = os.pipe()
        middle = _fork()
        if middle == 0:
            try:
                if _fork():
                    _exit(0)
                os.close(read)
                _set_state(state)
                self._write = write
                then()
            except BaseException:  # nothing of the script's may run on here
                _exit(1)
            return True
        os.close(write)
        os.read(read, 1)
        os.close(read)
        _waitpid(middle, 0)
        return False

    def connect(self) -> Channel:
        """A connection of this copy's own to the debugger."""
        self.control.channel.close()
        connection = socket.socket(socket.AF_UNIX)
        with frames.reachable(self.address) as address:
            connection.connect(address)
        self.control.channel.use(connection)
        self.control.channel.on_end = _leave
        return self.control.channel

    def connected(self) -> None:
        """The process that has forked this one may go on."""
        os.write(self._write, b".")
        os.close(self._write)

    def sleep(self, unused: Unused) -> None:
        """In a copy: wait for orders. Returns in one more copy whenever it is woken."""
        unused.give_back()
        recorder = self.control.recorder
        kept = Kept.now(self.descriptors(), os.path.join(os.path.dirname(self.address), "copies"))
        channel = self.connect()
        channel.send(
            Asleep(os.getpid(), self.run, recorder.episode_index, recorder.episode_kind, recorder.episode_number)
        )
        self.connected()
        while True:
            order = channel.receive()
            if isinstance(order, Wake) and self.forked(lambda order=order: self.wake(order, kept)):  # type: ignore[misc]
                return

    def split(self, order: Split) -> Answer:
        """Fork where the script waits."""
        reason = self.unfit()
        if reason:
            return Failed(reason)
        busy, self.control.busy = self.control.busy, True
        try:
            self.forked(lambda: self.part(order))
        finally:
            self.control.busy = busy
        return Splitted(os.getpid())

    def part(self, order: Split) -> None:
        """In a copy made where the script waits: it answers on a connection of its own."""
        kept = Kept.now(self.descriptors(), os.path.join(os.path.dirname(self.address), "copies"))
        kept.reopen(order.stdout, order.stderr)
        self.guard.stopping = True
        self.connect().send(Awake(os.getpid()))
        self.connected()

    def belong(self, order: Belong) -> Answer:
        """This copy is a run of its own from here on: with checkpoints from the next episode on."""
        self.run = order.run
        self.wanted = frozenset((self.control.recorder.episode_index + 1,))
        self.spent_until = time.process_time() + LEAST
        self.control.recorder.keep_ends = True
        self.control.recorder.keep_index = self.control.recorder.episode_index
        return Belongs()

    def wake(self, order: Wake, kept: Kept) -> None:
        """In a copy of a sleeping one: go on from here."""
        control = self.control
        kept.reopen(order.stdout, order.stderr)
        self.guard.stopping = True
        control.recorder.keep_ends = False
        self.guard.touched = False
        self.wanted = frozenset(order.leave)
        self.spent_until = time.process_time() + LEAST if self.wanted else 0.0
        channel = self.connect()
        channel.send(Awake(os.getpid()))
        self.connected()
        control.report.begin_again()
        control.recorder.restart_clock()
        control.go(order.goal, order.breakpoints)


def _leave() -> NoReturn:
    """The end of a copy: nothing of the script's is unwound."""
    _exit(0)


def _children() -> bool:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            return bool(file.read().strip())
    except OSError:
        return False

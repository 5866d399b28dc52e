"""The live script: its process, and what it has been told to run until."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from microgpt_tui.protocol import goals
from microgpt_tui.protocol.breakpoints import LiveBreakpoint
from microgpt_tui.protocol.fields import Data
from microgpt_tui.protocol.goals import Goal
from microgpt_tui.protocol.messages import EpisodeBegan, EventsRecorded, Halted, Resume
from microgpt_tui.session.process import Connected, Launch, Process, Received

SECOND_PAUSE = 0.2
"""Seconds that a pause may wait for the first event of an episode."""


class Script:
    """What runs at the end of the history."""

    def __init__(self, launch: Launch, process: Connected | None = None) -> None:
        self.launch = launch
        self.process = process or Process(launch)
        self.running = True
        """It runs now."""
        self.halted_at: int | None = None
        """The statement where it has stopped for a pause (or -1), while its record is on its way here."""
        self._goal: Goal = goals.End()
        self._resumed = 0
        self._inbox: queue.SimpleQueue[Received | None] | None = None

    def listen(self, notify: Callable[[], None]) -> None:
        """Read its messages in a thread of their own from now on; ``notify`` is called in that thread after each."""
        inbox: queue.SimpleQueue[Received | None] = queue.SimpleQueue()
        self._inbox = inbox

        def read() -> None:
            while True:
                received = self.process.receive()
                inbox.put(received)
                notify()
                if received is None:
                    return

        threading.Thread(target=read, name="microgpt-tui reader", daemon=True).start()

    @property
    def listens(self) -> bool:
        """A thread reads its messages."""
        return self._inbox is not None

    def next_message(self) -> Received | None:
        """The next message, waiting for it; None when the process is gone."""
        return self.process.receive() if self._inbox is None else self._inbox.get()

    def come(self) -> Iterator[Received | None]:
        """The messages that have come to a listener."""
        while self._inbox is not None and not self._inbox.empty():
            yield self._inbox.get()

    def note(self, message: Data) -> None:
        """What a message tells about where the script is."""
        if isinstance(message, Halted):
            self.halted_at = message.site
        elif not isinstance(message, EpisodeBegan | EventsRecorded):
            self.halted_at = None

    def resume(self, breakpoints: tuple[LiveBreakpoint, ...], goal: Goal | None = None) -> None:
        """Go on until the goal is met, or that of the last time."""
        self._goal = goal or self._goal
        self.running = True
        self._resumed += 1
        self.process.send(Resume(self._goal, breakpoints))

    def pause(self) -> None:
        """Ask it to stop where it is; between two episodes, before the first event, or soon without one."""
        if self.running:
            self.process.pause()
            again = threading.Timer(SECOND_PAUSE, self._pause_again, (self._resumed,))
            again.daemon = True
            again.start()

    def _pause_again(self, resumed: int) -> None:
        if self.running and self.halted_at is None and self._resumed == resumed:
            self.process.pause()

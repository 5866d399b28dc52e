"""Commands that move: the one that is under way, and those that wait for it."""

from __future__ import annotations

from collections import deque

from microgpt_tui.session.commands import CommandError
from microgpt_tui.session.commands.command import Effect, Moves, faults
from microgpt_tui.session.debugger import Debugger

WAITING = 30
"""Keys that wait while a step runs, at most."""


class Pending:
    """Makes the moves of commands one after another, as far as that goes without waiting for the script."""

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger
        self._current: tuple[Moves, Effect] | None = None
        self._waiting: deque[tuple[Moves, Effect]] = deque()

    def __bool__(self) -> bool:
        return self._current is not None or bool(self._waiting)

    @property
    def full(self) -> bool:
        """No more can wait."""
        return len(self._waiting) >= WAITING

    def add(self, moves: Moves, effect: Effect) -> None:
        """One more command."""
        self._waiting.append((moves, effect))

    def forget(self) -> None:
        """None of them is wanted any more."""
        self._current = None
        self.forget_waiting()

    def forget_waiting(self) -> None:
        """Only the one under way is."""
        self._waiting.clear()

    def advance(self) -> Effect | None:
        """Move until the script runs (for whichever effect), or nothing is left to do. Raises CommandError."""
        while not self._running():
            if self._current is None:
                if not self._waiting:
                    break
                self._current = self._waiting.popleft()
            moves, effect = self._current
            try:
                with faults():
                    done = bool(next(moves, True))
            except CommandError:
                self.forget()
                raise
            if done:
                self._current = None
                if self._debugger.notice:
                    self._waiting.clear()
            elif self._running():
                return effect
        return None

    def _running(self) -> bool:
        return self._debugger.running

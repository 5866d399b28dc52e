"""Keys typed (or pasted) faster than the command line opens or closes: held back until it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual import events
from textual.app import App
from textual.widgets import Input

LEAVING = frozenset({"enter", "escape", "ctrl+c"})
"""Keys after which a person has typed."""
PATIENCE = 0.5
"""Seconds that keys wait for the focus to arrive."""


class TypeAhead:
    """Between a key that moves the focus to the command line, or back, and its arrival, the keys that follow wait.

    So what is typed is never taken for commands, nor the other way round. ``asking`` are the keys after which a
    person types; ``handle`` gets the keys that have waited, one after another.
    """

    def __init__(self, app: App[int], asking: frozenset[str], handle: Callable[[events.Key], Awaitable[None]]) -> None:
        self.app = app
        self.asking = asking
        self.handle = handle
        self._waiting: list[events.Key] | None = None
        self._mover: events.Key | None = None
        """The key that moves the focus."""

    def holds(self, key: events.Key) -> bool:
        """True where a key has to wait (it is kept); one that moves the focus makes those after it wait."""
        if self._waiting is not None:
            self._waiting.append(key)
            return True
        typing = isinstance(self.app.focused, Input)
        if len(self.app.screen_stack) == 1 and key.key in (LEAVING if typing else self.asking):
            self._waiting, self._mover = [], key
            self.app.set_timer(PATIENCE, lambda: self._release(key))
        return False

    async def focus_moved(self) -> None:
        """The focus is somewhere else now: perhaps where the keys belong."""
        mover = self._mover
        if mover is not None and isinstance(self.app.focused, Input) == (mover.key in self.asking):
            await self._release(mover)

    async def _release(self, mover: events.Key) -> None:
        if self._waiting is None or mover is not self._mover:
            return
        waiting, self._waiting = self._waiting, None
        for key in waiting:  # one of them may have others wait again
            await self.handle(key)

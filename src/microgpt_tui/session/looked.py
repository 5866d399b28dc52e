"""Which of the calls around the cursor is looked at."""

from __future__ import annotations

from typing import Protocol

from microgpt_tui.session.moment import Moment


class HasMoment(Protocol):
    """What has a cursor."""

    @property
    def moment(self) -> Moment:
        """The cursor's moment."""


class Looked:
    """Which frame is looked at: the innermost again as soon as the cursor moves."""

    def __init__(self) -> None:
        self._at: tuple[Moment, int] | None = None

    def number(self, debugger: HasMoment) -> int:
        """Of the frame that is looked at."""
        return self._at[1] if self._at is not None and self._at[0] == debugger.moment else 0

    def look(self, debugger: HasMoment, number: int) -> None:
        """Look at another one."""
        self._at = debugger.moment, number

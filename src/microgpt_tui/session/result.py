"""What a command answers, and how it says that it cannot be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microgpt_tui.session.debugger import Debugger


class CommandError(ValueError):
    """A command that cannot be done; the message says why and what would do."""


class Result:
    """What a command answers. ``text`` is for a person, ``data`` for a program (JSON)."""

    def __init__(self, text: str = "", data: dict[str, Any] | None = None,
                 later: Callable[[], tuple[str, dict[str, Any]]] | None = None) -> None:  # fmt: skip
        self._text, self._data, self._later = text, data or {}, later

    @property
    def text(self) -> str:
        """In words; of a command that has sent the script on: where it stands now."""
        return self._later()[0] if self._later is not None else self._text

    @property
    def data(self) -> dict[str, Any]:
        """The same as data."""
        return self._later()[1] if self._later is not None else self._data


Handler = Callable[[Debugger, str], Result]
"""Does a command with its argument."""

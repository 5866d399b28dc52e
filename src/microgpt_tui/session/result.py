"""What a command answers, and how it says that it cannot be done."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from microgpt_tui.session.debugger import Debugger


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


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
        """The same as data, fit for JSON: NaN and infinities are texts."""
        made: dict[str, Any] = _plain(self._later()[1] if self._later is not None else self._data)
        return made


Handler = Callable[[Debugger, str], Result]
"""Does a command with its argument."""

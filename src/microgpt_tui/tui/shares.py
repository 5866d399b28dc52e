"""How the screen is shared out: columns for the code, rows for the panes below it, and what a person made of that."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ENOUGH = 100
"""Columns of the left side in which code is at home: beyond them it gets no more by itself."""
NARROWEST = 30
"""Columns that are left to each side."""
TAB = 52
"""Columns that two tabs at the right need, each."""
WIDE = 160
"""Columns from which there are two of them."""


@dataclass
class Shares:
    """The places of the edges, and the theme: what is remembered from one session to the next."""

    left: int = 0
    """Columns of the left side; 0 for as many as the width allows."""
    rows: tuple[int, int, int] = (10, 4, 6)
    """Shares of source, where and variables in the rows of the left side."""
    theme: str = ""

    def left_columns(self, width: int) -> int:
        """The columns of the left side on a screen so wide."""
        most = width - NARROWEST
        if self.left:
            return max(NARROWEST, min(most, self.left))
        return min(ENOUGH, width - 2 * TAB) if width >= WIDE else min(most, width * 55 // 100)


def load(path: Path) -> Shares:
    """What was remembered; as at first where that cannot be read."""
    with suppress(OSError, ValueError, TypeError):
        known = json.loads(path.read_text(encoding="utf-8"))
        left, theme = int(known["left"]), str(known["theme"])
        first, where, variables = (max(1, min(40, int(rows))) for rows in known["rows"])
        return Shares(max(0, left), (first, where, variables), theme)
    return Shares()


def save(path: Path, shares: Shares) -> None:
    """Remember; a folder that cannot be written to is no error."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(shares)) + "\n", encoding="utf-8")

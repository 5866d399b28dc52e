"""How lines are made: pieces of text with a style, clipped with a sign, wrapped, put side by side."""

from __future__ import annotations

import math
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from microgpt_tui.protocol.escape import visible
from microgpt_tui.tui import palette

Line = list[Segment]
"""One screen line, as segments."""


BLANK = Style()


def text(content: str, look: str | Style = palette.TEXT, *, bold: bool = False) -> Segment:
    """A piece of a line in a colour or a style."""
    return Segment(visible(content), palette.style(look, bold) if isinstance(look, str) else look)


def signed(content: str, value: float) -> Segment:
    """A number as it is written, in the colour of its sign."""
    color = palette.BAD if not math.isfinite(value) else palette.NEGATIVE if value < 0 else palette.POSITIVE
    return text(content, color if value else palette.DIM)


def empty(title: str, *hints: str) -> list[Line]:
    """What an empty pane says: what it would show, and what would fill it."""
    return [[], [text(f"  {title}", bold=True)], *[[text(f"  {hint}", palette.DIM)] for hint in hints]]


def width_of(line: Line) -> int:
    """Columns that a line takes."""
    return sum(segment.cell_length for segment in line)


def clip(content: str, width: int) -> str:
    """At most so wide; what is left out is marked."""
    return content if cell_len(content) <= width else set_cell_size(content, max(0, width - 1)) + "…"


def clip_left(content: str, width: int) -> str:
    """At most so wide: its end."""
    return content if len(content) <= width else "…" + content[len(content) - max(0, width - 1) :]


def fit(content: str, width: int) -> str:
    """Exactly so wide, a blank at the end."""
    return set_cell_size(clip(content, width - 1), width)


def spread(left: Line, right: str, width: int) -> Line:
    """A line with something at its right end, where there is room for it."""
    gap = width - width_of(left) - cell_len(right)
    return [*left, text(" " * gap + right, palette.FAINT)] if gap > 0 else left


def folded(label: str, content: str, color: str, width: int) -> list[Line]:
    """A labelled text, folded at blanks."""
    room = max(10, width - len(label))
    rows = [""]
    for word in content.split(" "):
        if rows[-1] and len(rows[-1]) + 1 + len(word) > room:
            rows.append(word)
        else:
            rows[-1] += f" {word}" if rows[-1] else word
    first = [label, *[" " * len(label)] * (len(rows) - 1)]
    return [[text(f, palette.DIM), text(clip(row, room), color)] for f, row in zip(first, rows, strict=True)]


def wrapped(pieces: Line, width: int, indent: int = 0) -> list[Line]:
    """Pieces put one after another, broken between pieces so that nothing is cut off."""
    lines: list[Line] = [[]]
    used = 0
    for piece in pieces:
        if used and used + piece.cell_length > width:
            lines.append([text(" " * indent)] if indent else [])
            used = indent
            piece = Segment(piece.text.lstrip(), piece.style)
            if not piece.text:
                continue
        lines[-1].append(piece)
        used += piece.cell_length
    return lines


class Visible(LineFilter):
    """Lets no control character through to the terminal, whatever drew the line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments of one line."""
        if all(s.control or s.text.isprintable() for s in segments):
            return segments
        return [s if s.control else Segment(visible(s.text), s.style) for s in segments]


class Row:
    """A line under construction; neighbours of one style are joined."""

    __slots__ = ("_pieces", "_style", "line", "width")

    def __init__(self) -> None:
        self.line: Line = []
        self._pieces: list[str] = []
        self._style: Style = BLANK
        self.width = 0

    def put(self, content: str, look: str | Style = palette.TEXT) -> Self:
        """Add a piece (of one-column characters) in a colour or a style."""
        style = palette.style(look) if isinstance(look, str) else look
        if style is not self._style:
            self._flush()
            self._style = style
        self._pieces.append(visible(content))
        self.width += len(content)
        return self

    def cells(self, line: Line, columns: int) -> Self:
        """Add finished cells that take so many columns."""
        self._flush()
        self.line += line
        self.width += columns
        return self

    def pad(self, column: int) -> Self:
        """Blanks up to a column."""
        return self.put(" " * (column - self.width), BLANK) if column > self.width else self

    def _flush(self) -> None:
        if self._pieces:
            self.line.append(Segment("".join(self._pieces), self._style))
            self._pieces = []

    def done(self) -> Line:
        """The finished line."""
        self._flush()
        return self.line

"""Lines of code in a column: cut with a sign, or in rows of their own, with places marked."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from microgpt_tui.trace.trace import Site
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line
from microgpt_tui.tui.panes.highlight import Piece

LEAST = 8
"""Columns below which a row cannot hold code that goes on."""
MOST = 12
"""Rows that a line takes at most."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The part of a line that one row shows."""

    start: int
    end: int
    indent: int
    """Columns before it; above 0 it goes on from the row before."""


def chunks(content: str, room: int) -> list[Chunk]:
    """A line in as many rows as it needs, broken after blanks and brackets where there are some."""
    indent = len(content) - len(content.lstrip())
    hanging = min(indent + 2, max(2, room - 4 * LEAST))
    found: list[Chunk] = []
    at, end = 0, len(content.rstrip())
    while len(found) < MOST - 1:
        columns = max(LEAST, room - (hanging if found else 0))
        if end - at <= columns:
            break
        broken = max((content.rfind(c, at + columns // 2, at + columns) + 1 for c in " ,([."), default=0)
        stop = broken if broken > max(at, indent) else at + columns
        found.append(Chunk(at, stop, hanging if found else 0))
        at = stop + len(content[stop:]) - len(content[stop:].lstrip())
    return [*found, Chunk(at, end, hanging if found else 0)]


def code(
    pieces: list[Piece], number: int, chunk: Chunk, room: int, base: Style, marked: list[tuple[Site, str]]
) -> Line:
    """The part of a line, ``room`` columns wide; marked places in their colour, a cut with its sign."""
    total = sum(len(t) for t, _ in pieces)
    spans = [(*_columns(site, number, total), color) for site, color in marked]
    cuts = sorted({chunk.start, chunk.end, *(c for low, high, _ in spans for c in (low, high))})
    line: Line = [Segment(" " * (chunk.indent - 2) + "↪ ", base + Style(color=palette.FAINT))] if chunk.indent else []
    column = 0
    for content, style in pieces:
        edges = [0, *(c - column for c in cuts if 0 < c - column < len(content)), len(content)]
        for low, high in pairwise(edges):
            at = column + low
            if chunk.start <= at < chunk.end:
                part = base + style
                for begin, end, color in spans:
                    if begin <= at < end:
                        part += Style(color=palette.BRIGHT, bgcolor=color, bold=True, underline=palette.NO_COLOR)
                line.append(Segment(content[low:high].replace("\t", " "), part))
        column += len(content)
    used = sum(cell_len(s.text) for s in line)
    if used > room:
        line = [*Segment.adjust_line_length(line, room - 1), Segment("…", base + Style(color=palette.DIM))]
        used = room
    line.append(Segment(" " * (room - used), base))
    return line


def _columns(site: Site, number: int, total: int) -> tuple[int, int]:
    """The columns of a line that a site covers."""
    start = site.column if number == site.line else 0
    end = site.end_column if number == site.end_line else total
    return start, end

"""Colours between two, and cells of tables: heatmaps and bars."""

from __future__ import annotations

from microgpt_tui.graph.draw.font import text_width
from microgpt_tui.graph.draw.shapes import Shape, Text, rectangle

CELL, TEXT = 34.0, 14.0
"""Points: a cell and its text."""


def mix(low: str, high: str, part: float) -> str:
    """A colour between two, ``part`` of the way."""
    part = min(1.0, max(0.0, part)) if part == part else 0.0
    channels = [round(int(low[i : i + 2], 16) * (1 - part) + int(high[i : i + 2], 16) * part) for i in (1, 3, 5)]
    return "#" + "".join(f"{c:02x}" for c in channels)


def ink(color: str) -> str:
    """Black or white, whichever is readable on a colour."""
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#101218" if 0.299 * r + 0.587 * g + 0.114 * b > 130 else "#ffffff"


def cell(x: float, y: float, text: str, fill: str, color: str) -> list[Shape]:
    """A square with a short text, which is made smaller where it would not fit."""
    size = min(TEXT, TEXT * (CELL - 2) / max(1.0, text_width(text, TEXT)))
    shapes: list[Shape] = [rectangle(x, y, CELL, CELL, fill)] if fill else []
    if text:
        shapes.append(Text(x + CELL / 2, y + CELL / 2 + 5, text, size, color))
    return shapes

"""Cells of tables that Graphviz draws: heatmaps and bars."""

from __future__ import annotations

from microgpt_tui.graph.legend import escape

CELL, TEXT = 34, 14
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


def cell(text: str, color: str, text_color: str, width: int = CELL, align: str = "CENTER") -> str:
    """A cell of fixed size."""
    return (
        f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{CELL}" BGCOLOR="{color}" ALIGN="{align}">'
        f'<FONT COLOR="{text_color}" POINT-SIZE="{TEXT}">{escape(text) or " "}</FONT></TD>'
    )

"""Cells of heatmaps: their styles are made once; sign and magnitude can be read without colour too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style

from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row
from microgpt_tui.tui.numbers import plain, short


@lru_cache(maxsize=4096)
def _share(level: int, shade: int, width: int, chosen: bool) -> tuple[str, Style]:
    color = palette.share_color(level / (palette.LEVELS - 1))
    if palette.NO_COLOR:
        return _framed(palette.SHADES[shade] * width, chosen), Style(reverse=chosen)
    return _framed(" " * width, chosen), Style(color=palette.readable_on(color), bgcolor=color, bold=chosen)


@lru_cache(maxsize=4096)
def _signed(level: int, shade: int, sign: int, width: int, chosen: bool) -> tuple[str, Style]:
    mark = "-" if sign < 0 else "+" if sign > 0 else " "
    if palette.NO_COLOR:
        body = mark + palette.SHADES[shade] * (width - 1)
        return body[:-1] + "]" if chosen and width > 1 else body, Style(reverse=chosen)
    color = palette.signed_color(math.copysign(level / (palette.LEVELS - 1), sign), 1.0)
    body = mark + " " * (width - 1)
    body = body[:-1] + "]" if chosen and width > 1 else "◆" if chosen else body
    return body, Style(color=palette.readable_on(color), bgcolor=color, bold=chosen)


def _framed(body: str, chosen: bool) -> str:
    if not chosen:
        return body
    return "[]"[: len(body)] if len(body) == 2 else "◆" if len(body) == 1 else "[" + body[1:-1] + "]"


@lru_cache(maxsize=8)
def _odd(width: int) -> tuple[str, Style]:
    return "!" * width, Style(color=palette.INK, bgcolor=palette.BAD)


def share(value: float, scale: float = 1.0, width: int = 2, chosen: bool = False) -> tuple[str, Style]:
    """A heatmap cell for a share 0..scale, ``width`` columns wide."""
    if not math.isfinite(value):
        return _odd(width)
    part = min(1.0, max(0.0, value / scale)) if scale else 0.0
    return _share(int(part * (palette.LEVELS - 1) + 0.5), int(part * 4 + 0.5), width, chosen)


def signed(value: float, scale: float, width: int = 2, chosen: bool = False) -> tuple[str, Style]:
    """A heatmap cell for a signed number within -scale..scale; the sign is written."""
    if not math.isfinite(value):
        return _odd(width)
    part = min(1.0, abs(value) / scale) if scale else 0.0
    sign = (value > 0) - (value < 0)
    return _signed(int(part * (palette.LEVELS - 1) + 0.5), int(part * 4 + 0.5), sign, width, chosen)


@lru_cache(maxsize=16)
def signed_cells(width: int) -> tuple[list[Segment], list[Segment]]:
    """Finished cells by level, for (negative, positive) numbers: the fast way for large heatmaps."""
    levels = range(palette.LEVELS)
    parts = [level / (palette.LEVELS - 1) for level in levels]
    negative = [Segment(*signed(-part or -1e-9, 1.0, width)) for part in parts]
    return negative, [Segment(*signed(part or 1e-9, 1.0, width)) for part in parts]


def signed_cells_of(values: Sequence[float], scale: float, width: int) -> Line:
    """One cell per number."""
    negative, positive = signed_cells(width)
    top = palette.LEVELS - 1
    factor = top / scale if scale else 0.0
    zero = Segment(*signed(0.0, 1.0, width))
    line: Line = []
    add = line.append
    for value in values:
        if value < 0:
            add(negative[min(top, int(0.5 - value * factor))] if value > -math.inf else Segment(*_odd(width)))
        elif value > 0:
            add(positive[min(top, int(0.5 + value * factor))] if value < math.inf else Segment(*_odd(width)))
        else:
            add(zero if value == 0 else Segment(*_odd(width)))
    return line


def share_legend(scale: float = 1.0, end: str = "") -> Line:
    """The colour scale of shares, with its ends; ``end`` in words."""
    row = Row().put("scale 0 ", palette.DIM)
    for i in range(8):
        row.put(*share(i / 7, 1.0, 1))
    return row.put(f" {end or plain(scale)}", palette.DIM).done()


def signed_legend(scale: float) -> Line:
    """The colour scale of signed numbers, with its ends."""
    row = Row().put(f"scale {short(-scale)} ", palette.DIM)
    for i in range(-4, 5):
        row.put(*signed(i / 4, 1.0, 1))
    return row.put(f" {short(scale)}", palette.DIM).done()

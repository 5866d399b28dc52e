"""The map of the whole model in the graph pane: a row for each block, rails between them, the gradients' norms."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.style import Style

from microgpt_tui.graph.model.numbers import Numbers
from microgpt_tui.graph.model.overview import Block, Overview
from microgpt_tui.graph.numbers import plain
from microgpt_tui.graph.scene import MARKS
from microgpt_tui.graph.state import Reached
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip, text

BAR, SHORT_BAR, NARROW = 8, 3, 70
"""Columns of the longest bar, and in a pane narrower than ``NARROW``."""
NORM = 8
"""Columns of a norm as a number."""


SHORTEST = 5
"""Columns that are worth a text that is cut."""


@dataclass(slots=True)
class MapLines:
    """The map as lines."""

    lines: list[Line]
    row_of: dict[int, int]
    """Place of a block -> its line."""


def parameters_text(block: Block) -> str:
    """``16×16``, ``W1 10×6 + b1 10``; empty without parameters."""
    many = len(block.parameters) > 1
    parts = []
    for one in block.parameters:
        own = f"{one.name.rpartition('.')[2]} " if many else ""
        times = f" ×{len(one.matrices)}" if block.layers > 1 and len(one.matrices) == block.layers else ""
        shape = "×".join("…" if n < 0 else str(n) for n in one.matrices[0].shape) if times else one.shape_text
        parts.append(f"{own}{shape or '1 number'}{times}")
    return " + ".join(parts)


def title_of(block: Block, *, short: bool = False) -> str:
    """What a block is called, with how often it stands side by side."""
    named = "plus" if block.title == "+" else "times" if block.title == "×" else block.title
    return f"{named} ×{block.heads}{'' if short else ' heads'}" if block.heads > 1 else named


def map_lines(found: Overview, numbers: dict[int, Numbers], here: int, cursor: int, width: int) -> MapLines:
    """The map at a moment; ``here`` is the block of the cursor in time, ``cursor`` the one that is selected."""
    norms = [n.grad for n in numbers.values() if n.grad == n.grad and 0 < n.grad < math.inf]
    low, high = (min(norms), max(norms)) if norms else (math.nan, math.nan)
    rail = max((len(b.rail.row) for b in found.blocks), default=1)
    short = width < NARROW
    titles = max((len(title_of(b, short=short)) for b in found.blocks), default=1)
    middle = 2 + rail + 2 + min(titles, 18) + 2
    gradients = bool(norms) or any(n.state is Reached.WAITING for n in numbers.values())
    bar = BAR if width >= NARROW else SHORT_BAR
    end = width - ((NORM + bar + 4) if gradients else 0)
    lines: list[Line] = []
    row_of = {}
    for block in found.blocks:
        above = Row().put("  " + block.rail.above, palette.FAINT).pad(2 + rail + 2)
        if block.frame:
            lines.append([*above.done(), text(clip(f"╭ {block.frame}", width - 4 - rail), palette.ACCENT)])
            above = Row().put("  " + block.rail.above, palette.FAINT).pad(2 + rail + 2)
        if block.section:
            lines.append([*above.done(), text(clip(block.section, width - 4 - rail), palette.DIM)])
        row_of[block.place] = len(lines)
        lines.append(_row(block, numbers[block.place], (low, high, bar), (rail, middle, end, width), here, cursor))
    return MapLines(lines, row_of)


def _row(
    block: Block,
    now: Numbers,
    span: tuple[float, float, int],
    places: tuple[int, int, int, int],
    here: int,
    cursor: int,
) -> Line:
    rail, middle, end, width = places
    ground = palette.HIGHLIGHT if block.place == cursor else palette.BACKGROUND

    def look(color: str, bold: bool = False) -> Style:
        return Style(color=color, bgcolor=ground, bold=bold)

    mark = "▶ " if block.place == here else "› " if block.place == cursor else "  "
    row = Row().put(mark, look(palette.ACCENT, True))
    own, drawn = block.rail.column, block.rail.row
    row.put(drawn[:own], look(palette.FAINT))
    row.put(drawn[own : own + 1], look(palette.ACCENT if block.place == here else palette.TEXT, True))
    row.put(drawn[own + 1 :], look(palette.FAINT)).put(" " * (rail + 4 - row.width), look(palette.TEXT))
    row.put(
        clip(title_of(block, short=width < NARROW), end - row.width - 1),
        look(palette.TEXT, block.place == here or bool(block.parameters)),
    )
    row.put(" " * max(1, middle - row.width), look(palette.TEXT))
    about = " · ".join(t for t in (parameters_text(block), *block.details) if t)
    result = now.result if now.low == now.low else "not made yet"
    for words in (f"{about} → {result}" if about else f"→ {result}", about):
        if len(words) < end - row.width:
            row.put(words, look(palette.DIM))
            break
    else:
        if end - row.width > SHORTEST:
            row.put(clip(about, end - row.width - 1), look(palette.DIM))
    row.put(" " * max(0, end - row.width), look(palette.TEXT))
    if end < width:
        _gradient(row, now, span, look)
    return row.put(" " * max(0, width - row.width), look(palette.TEXT)).done()


def _gradient(row: Row, now: Numbers, span: tuple[float, float, int], look: object) -> None:
    """The gradient's norm: how far it has come, the number, a bar by its logarithm."""
    assert callable(look)
    mark = MARKS[now.state]
    known = now.grad == now.grad
    words = plain(now.grad) if known else ""
    row.put(f" ∇{mark or ' '}", look(palette.PHASE_COLORS[2] if mark else palette.DIM))
    row.put(f"{words:>{NORM}} ", look(palette.TEXT if math.isfinite(now.grad) or not known else palette.BAD))
    row.put("█" * bar_length(now.grad, *span), look(palette.PHASE_COLORS[2]))


def bar_length(norm: float, low: float, high: float, most: int = BAR) -> int:
    """Columns of a norm's bar, by its logarithm between the smallest and the largest."""
    if not norm > 0 or not math.isfinite(norm):
        return 0
    if not high > low:
        return most
    return 1 + round((most - 1) * (math.log(norm) - math.log(low)) / (math.log(high) - math.log(low)))


def block_words(found: Overview, numbers: dict[int, Numbers], place: int) -> str:
    """About a block of the map, in words."""
    block, now = next(b for b in found.blocks if b.place == place), numbers[place]
    words = [title_of(block), *(f"{h.name} {h.shape_text}".strip() + f" ({h.count:,})" for h in block.parameters)]
    if now.low == now.low:
        words.append(f"result {now.result}")
    if now.grad == now.grad:
        whose = "parameters" if block.parameters else "result"
        words.append(f"norm of the gradient of its {whose} {plain(now.grad)} ({now.state.value})")
    return " · ".join(words)

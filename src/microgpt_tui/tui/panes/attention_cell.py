"""One attention weight opened: a small table from q and k to the head's output, every number selectable."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style

from microgpt_tui.recognise.attention import Cell
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, text, width_of
from microgpt_tui.tui.numbers import short
from microgpt_tui.tui.pane import View

COLUMN = 9
"""Columns per number."""
LABEL = 7


class Opened:
    """The lines of an opened cell, and the nodes of its numbers in reading order."""

    def __init__(self, view: View, width: int, chosen: int) -> None:
        self.view = view
        self.width = width
        self.chosen = chosen
        self.lines: list[Line] = []
        self.parts: list[int] = []

    def value(self, node: int) -> float:
        """A node's data at the moment; NaN while it is not made."""
        return self.view.trace.data_at(node, self.view.event)

    def number(self, node: int, width: int = 0) -> list[Segment]:
        """A number that can be selected; ``…`` while it is not made."""
        index = len(self.parts)
        self.parts.append(node)
        value = self.value(node)
        shown = "…" if math.isnan(value) else short(value)
        color = palette.DIM if math.isnan(value) else palette.NEGATIVE if value < 0 else palette.POSITIVE
        chosen = index == self.chosen
        style = Style(color=color, bold=chosen, reverse=chosen, meta={"part": index})
        before = " " * max(0, width - len(shown))
        return [Segment(before), Segment(shown, style)] if before else [Segment(shown, style)]

    def table(self, rows: Sequence[tuple[str, Sequence[int]]], after: list[Segment] | None = None) -> None:
        """Rows of numbers under one another, one column per dimension; broken into parts that fit."""
        count = max((len(nodes) for _, nodes in rows), default=0)
        fit = max(1, (self.width - LABEL) // COLUMN)
        for start in range(0, count, fit):
            for label, nodes in rows:
                line: Line = [text(label.ljust(LABEL), palette.DIM)]
                for node in nodes[start : start + fit]:
                    line += self.number(node, COLUMN)
                self.lines.append(line)
        if after and self.lines:
            used = width_of(self.lines[-1])
            if used + width_of(after) <= self.width:
                self.lines[-1] += after
            else:
                self.lines.append([text(" " * LABEL), *after])


def open_lines(view: View, width: int, chosen: int, name: str, cell: Cell) -> Opened:
    """q, k and q·k per dimension; scale, softmax; v, its share and the output per dimension."""
    opened = Opened(view, width, chosen)
    opened.lines.append([text(name, palette.ACCENT, bold=True)])
    if cell.products:
        opened.table([("q", cell.query), ("k", cell.key), ("q·k", cell.products)])
        total = [text("  Σ ", palette.DIM), *opened.number(cell.sum)]
        if width_of(opened.lines[-1] + total) <= width:
            opened.lines[-1] += total
        else:
            opened.lines.append([text(" " * LABEL), *total])
    else:
        opened.lines.append([text("masked: the score is a constant", palette.DIM)])
    opened.lines += _softmax_lines(opened, cell)
    if cell.values:
        rows = [("v", cell.values), ("w·v", cell.shares)]
        if cell.output:
            rows.append(("out Σ", cell.output))
        opened.table(rows)
    else:
        opened.lines.append([text("       not blended with values yet", palette.DIM)])
    return opened


def _softmax_lines(opened: Opened, cell: Cell) -> list[Line]:
    """Score, exponential, sum, weight and its gradient."""
    view = opened.view
    total, score = opened.value(cell.sum), opened.value(cell.score)
    first: Line = [text("score".ljust(LABEL), palette.DIM)]
    if cell.score != cell.sum and total and not math.isnan(score):
        first.append(text(f"{scale_text(score / total, len(cell.query))} = ", palette.DIM))
    first += opened.number(cell.score)
    second: Line = [text("  softmax exp ", palette.DIM), *opened.number(cell.exp), text(" / Σ ", palette.DIM)]
    if cell.total >= 0:
        second += opened.number(cell.total)
    else:  # a plain number of the script's
        second.append(text(short(cell.total_at(view.trace, view.event)), palette.TEXT))
    second += [text(" = weight ", palette.DIM), *opened.number(cell.weight)]
    grad = view.trace.grad_at(cell.weight, view.event)
    third: Line = [text(f"  grad {short(grad)}", palette.DIM)]
    lines: list[Line] = [first]
    for piece in (second, third):
        if width_of(lines[-1] + piece) <= opened.width:
            lines[-1] += piece
        else:
            lines.append([text(" " * (LABEL - 2)), *piece])
    return lines


def scale_text(factor: float, dimensions: int) -> str:
    """``÷√4`` where a factor is that, else the factor."""
    if dimensions and math.isclose(factor, dimensions**-0.5, rel_tol=1e-9):
        return f"÷√{dimensions}"
    return f"×{factor:.4g}"


def formula(view: View, cell: Cell) -> str:
    """The cell's numbers in attention's formula, as Markdown."""
    trace, event = view.trace, view.event
    terms = " + ".join(
        f"({trace.data_at(q, event):.4g})·({trace.data_at(k, event):.4g})"
        for q, k in zip(cell.query, cell.key, strict=True)
    )
    d = len(cell.query)
    row = cell.row
    exp, total = trace.data_at(cell.exp, event), cell.total_at(trace, event)
    return f"""
## Right now

Layer {row.layer}, head {row.head}, query {row.query} → key {row.keys[cell.column]}:

    q·k    = {terms}
           = {trace.data_at(cell.sum, event)!r}
    logit  = q·k scaled (√{d} = {math.sqrt(d):.4g}) = {trace.data_at(cell.score, event)!r}
    weight = exp(logit - max) / Σ = {exp:.6g} / {total:.6g} = {trace.data_at(cell.weight, event)!r}
"""

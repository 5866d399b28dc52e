"""``attention``: the weights of a layer, a heatmap per head."""

from __future__ import annotations

import math
from dataclasses import dataclass

from microgpt_tui.graph.cells import CELL, cell, ink, mix
from microgpt_tui.graph.draw.shapes import Group, Shape, Text
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.picture import Picture, table_picture
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.tokens import key_tokens, tokens

STEP, GAP, HEAD = CELL + 2, 28.0, 26.0
"""Points: from cell to cell, between heads, a head's title."""


@dataclass(frozen=True, slots=True)
class Heatmaps:
    """Per head a square of weights: rows are queries, columns keys, NaN where a key cannot be seen."""

    heads: list[list[list[float]]]
    names: list[str]
    """Of the tokens, by position."""

    def _across(self, style: Style) -> int:
        return _across(len(self.heads), len(self.names), style)

    def _side(self) -> float:
        return (len(self.names) + 1) * STEP

    def size(self, style: Style) -> tuple[float, float]:
        """All heads, side by side as the page allows."""
        across = self._across(style)
        down = math.ceil(len(self.heads) / across)
        side = self._side()
        return across * (side + GAP) - GAP, down * (side + HEAD + GAP) - GAP

    def shapes(self, x: float, y: float, style: Style) -> list[Shape]:
        """A square per head."""
        across, side = self._across(style), self._side()
        found: list[Shape] = []
        for head, grid in enumerate(self.heads):
            left = x + (head % across) * (side + GAP)
            top = y + (head // across) * (side + HEAD + GAP)
            inner = _heatmap(f"head {head}", grid, self.names, style.theme, left, top)
            found.append(Group(inner, about={"head": str(head)}))
        return found

    def text(self) -> str:
        """A line per query position."""
        lines = []
        for head, grid in enumerate(self.heads):
            lines.append(f"head {head}")
            lines += [" ".join(f"{100 * v:.0f}" if v == v else "." for v in row) for row in grid]
        return "\n".join(lines)


def picture(subject: Subject, sequence: int = 0) -> Picture:
    """The heads of the layer asked for."""
    trace, layer = subject.trace, subject.request.layer
    found = attention(trace)
    if not found.heads:
        raise ExportError("no attention in this episode (no softmax whose scores are dot products over positions)")
    if not 0 <= layer < len(found.heads):
        raise ExportError(f"no layer {layer}: there are {len(found.heads)}, counted from 0")
    vocabulary = tokens(trace).vocabulary
    names = [vocabulary.short(t) if t >= 0 else str(i) for i, t in enumerate(key_tokens(trace, sequence))]
    heads: list[list[list[float]]] = []
    for head in range(found.heads[layer]):
        grid: list[list[float]] = []
        for row in found.rows.get((sequence, layer, head), []):
            values = [trace.data_at(n, subject.event) for n in row.weights]
            if all(v == v for v in values):
                grid.append([math.nan] * row.keys.start + values)
        names += [str(i) for i in range(len(names), max([len(grid), *map(len, grid)]))]
        heads.append(grid)
    rows: list[dict[str, object]] = [
        {"layer": layer, "head": head, "weights": [[v if v == v else None for v in row] for row in grid]}
        for head, grid in enumerate(heads)
    ]
    legend = "row: query position · column: key position · in percent"
    return table_picture(f"Attention weights · layer {layer}", legend, Heatmaps(heads, names), rows)


def _across(count: int, length: int, style: Style) -> int:
    """How many heatmaps side by side make the largest picture on the page."""
    side = (length + 1) * STEP
    proportion = style.width / style.height if style.is_slide else 16 / 9

    def scale(across: int) -> float:
        return min(proportion / (across * side), 0.82 / (math.ceil(count / across) * (side + CELL)))

    return max(range(1, count + 1), key=scale)


def _heatmap(title: str, grid: list[list[float]], names: list[str], theme: Theme, x: float, y: float) -> list[Shape]:
    shapes: list[Shape] = [Text(x, y + 16, title, 16, theme.text, True, "start")]
    top = y + HEAD
    for i, name in enumerate(names):
        shapes += cell(x + (i + 1) * STEP, top, name, "", theme.faint)
        shapes += cell(x, top + (i + 1) * STEP, name, "", theme.faint)
    for q, values in enumerate(grid):
        for k, value in enumerate(values):
            if value == value:
                color = mix(theme.box, theme.strongest, value)
                text = f"{100 * value:.0f}"
                square = cell(x + (k + 1) * STEP, top + (q + 1) * STEP, text, color, ink(color))
                tip = f"{title}: position {q} ({names[q]}) looks at {k} ({names[k]})\nweight {value:.6f}"
                shapes.append(Group(square, f"cell-{title[5:]}-{q}-{k}", tip, {"cell": repr(value)}))
    return shapes


WHATS = (What("attention", "the attention weights of a layer, all heads", picture, needs_node=False),)

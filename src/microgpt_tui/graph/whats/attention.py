"""``attention``: the weights of a layer, a heatmap per head."""

from __future__ import annotations

import math
from dataclasses import dataclass

from microgpt_tui.graph.cells import CELL, cell, ink, mix
from microgpt_tui.graph.files import ExportError
from microgpt_tui.graph.picture import Picture, table_picture
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.request import Subject, What
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.tokens import key_tokens, tokens


@dataclass(frozen=True, slots=True)
class Heatmaps:
    """Per head a square of weights: rows are queries, columns keys, NaN where a key cannot be seen."""

    heads: list[list[list[float]]]
    names: list[str]
    """Of the tokens, by position."""

    def label(self, style: Style) -> str:
        """All heads, side by side as the page allows."""
        drawn = [
            _heatmap(f"head {head}", grid, max((len(row) for row in grid), default=0), self.names, style.theme)
            for head, grid in enumerate(self.heads)
        ]
        across = _across(len(drawn), len(self.names), style)
        lines = [drawn[i : i + across] for i in range(0, len(drawn), across)]
        body = "".join("<TR>" + "".join(f'<TD VALIGN="TOP">{h}</TD>' for h in line) + "</TR>" for line in lines)
        return f'<TABLE BORDER="0" CELLSPACING="14" CELLPADDING="0">{body}</TABLE>'


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
    side = (length + 1) * (CELL + 2)
    proportion = style.width / style.height if style.is_slide else 16 / 9

    def scale(across: int) -> float:
        return min(proportion / (across * side), 0.82 / (math.ceil(count / across) * (side + CELL)))

    return max(range(1, count + 1), key=scale)


def _heatmap(title: str, grid: list[list[float]], length: int, names: list[str], theme: Theme) -> str:
    head = "".join(cell(names[i], theme.background, theme.faint) for i in range(length))
    rows = [f"<TR>{cell('', theme.background, theme.faint)}{head}</TR>"]
    for q, values in enumerate(grid):
        cells = [cell(names[q], theme.background, theme.faint)]
        for value in values + [math.nan] * (length - len(values)):
            color = theme.background if value != value else mix(theme.box, theme.strongest, value)
            cells.append(cell("" if value != value else f"{100 * value:.0f}", color, ink(color)))
        rows.append(f"<TR>{''.join(cells)}</TR>")
    name = f'<FONT COLOR="{theme.text}" POINT-SIZE="16"><B>{title}</B></FONT>'
    wide = f'<TR><TD COLSPAN="{length + 1}" ALIGN="LEFT">{name}</TD></TR>'
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="0">{wide}{"".join(rows)}</TABLE>'


WHATS = (What("attention", "the attention weights of a layer, all heads", picture, needs_node=False),)

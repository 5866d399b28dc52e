"""Pictures that are tables: attention heatmaps and token distributions, drawn by the same engines as the graphs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from microgpt_tui.graph import engines
from microgpt_tui.graph.engines import Engine
from microgpt_tui.graph.legend import LEGEND_PIXELS, LINE_PIXELS, TITLE_PIXELS, escape
from microgpt_tui.graph.page import Page, place, read_layout
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.recognise.attention import attention
from microgpt_tui.recognise.tokens import key_tokens, probability_values, tokens
from microgpt_tui.trace.trace import Trace

CELL, TEXT = 34, 14
"""Points: a heatmap's cell and its text."""
HEAD_PIXELS = 150


class NoTable(Exception):
    """The episode has nothing of the kind: the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as an HTML-like label, with the head of its page."""

    title: str
    subtitle: str
    legend: str
    label: str
    data: list[dict[str, object]]
    """The same numbers, for JSON."""


def mix(low: str, high: str, part: float) -> str:
    """A colour between two, ``part`` of the way."""
    part = min(1.0, max(0.0, part)) if part == part else 0.0
    channels = [round(int(low[i : i + 2], 16) * (1 - part) + int(high[i : i + 2], 16) * part) for i in (1, 3, 5)]
    return "#" + "".join(f"{c:02x}" for c in channels)


def _ink(color: str) -> str:
    """Black or white, whichever is readable on a colour."""
    r, g, b = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#101218" if 0.299 * r + 0.587 * g + 0.114 * b > 130 else "#ffffff"


def _strongest(theme: Theme) -> str:
    return {"light": "#b85a00", "dark": "#ffa552"}.get(theme.name, "#000000")


def _cell(text: str, color: str, ink: str, width: int = CELL, align: str = "CENTER") -> str:
    return (
        f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{CELL}" BGCOLOR="{color}" ALIGN="{align}">'
        f'<FONT COLOR="{ink}" POINT-SIZE="{TEXT}">{escape(text) or " "}</FONT></TD>'
    )


def attention_table(trace: Trace, event: int, style: Style, layer: int = 0, sequence: int = 0) -> Table:
    """All heads of a layer as heatmaps: rows are queries, columns keys. Raises NoTable."""
    found = attention(trace)
    if not found.heads:
        raise NoTable("no attention in this episode (no softmax whose scores are dot products over positions)")
    if not 0 <= layer < len(found.heads):
        raise NoTable(f"no layer {layer}: there are {len(found.heads)}, counted from 0")
    vocabulary = tokens(trace).vocabulary
    names = [vocabulary.short(t) if t >= 0 else str(i) for i, t in enumerate(key_tokens(trace, sequence))]
    heads, data = [], []
    for head in range(found.heads[layer]):
        rows = found.rows.get((sequence, layer, head), [])
        grid: list[list[float]] = []
        for row in rows:
            values = [trace.data_at(n, event) for n in row.weights]
            if all(v == v for v in values):
                grid.append([math.nan] * row.keys.start + values)
        length = max((len(r) for r in grid), default=0)
        names += [str(i) for i in range(len(names), max(length, len(grid)))]
        heads.append(_heatmap(f"head {head}", grid, length, names, style.theme))
        data.append({"layer": layer, "head": head, "weights": [[v if v == v else None for v in r] for r in grid]})
    across = _across(len(heads), len(names), style)
    lines = [heads[i : i + across] for i in range(0, len(heads), across)]
    body = "".join("<TR>" + "".join(f'<TD VALIGN="TOP">{h}</TD>' for h in line) + "</TR>" for line in lines)
    label = f'<TABLE BORDER="0" CELLSPACING="14" CELLPADDING="0">{body}</TABLE>'
    return Table(
        f"Attention weights · layer {layer}",
        "",
        "row: query position · column: key position · in percent",
        label,
        data,
    )


def _across(count: int, length: int, style: Style) -> int:
    """How many heatmaps side by side make the largest picture on the page."""
    side = (length + 1) * (CELL + 2)
    proportion = style.width / style.height if style.is_slide else 16 / 9

    def scale(across: int) -> float:
        return min(proportion / (across * side), 0.82 / (math.ceil(count / across) * (side + CELL)))

    return max(range(1, count + 1), key=scale)


def _heatmap(title: str, grid: list[list[float]], length: int, names: list[str], theme: Theme) -> str:
    strong = _strongest(theme)
    head = "".join(_cell(names[i], theme.background, theme.faint) for i in range(length))
    rows = [f"<TR>{_cell('', theme.background, theme.faint)}{head}</TR>"]
    for q, values in enumerate(grid):
        cells = [_cell(names[q], theme.background, theme.faint)]
        for value in values + [math.nan] * (length - len(values)):
            color = theme.background if value != value else mix(theme.box, strong, value)
            cells.append(_cell("" if value != value else f"{100 * value:.0f}", color, _ink(color)))
        rows.append(f"<TR>{''.join(cells)}</TR>")
    name = f'<FONT COLOR="{theme.text}" POINT-SIZE="16"><B>{title}</B></FONT>'
    wide = f'<TR><TD COLSPAN="{length + 1}" ALIGN="LEFT">{name}</TD></TR>'
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="2" CELLPADDING="0">{wide}{"".join(rows)}</TABLE>'


def distribution_table(trace: Trace, event: int, style: Style, most: int = 14) -> Table:
    """The most likely next tokens at the moment's position, with what was to be predicted. Raises NoTable."""
    found = tokens(trace)
    if not found.distributions:
        raise NoTable("no distribution over tokens in this episode")
    one = found.distributions[found.at(trace, event)]
    if trace.born_at(one.last) > event:
        raise NoTable("the distribution of this position is not complete yet: choose a later event")
    probabilities = probability_values(trace, one)
    order = sorted(range(len(probabilities)), key=lambda i: -probabilities[i])
    shown = order[:most]
    if one.target >= 0 and one.target not in shown:
        shown[-1] = one.target
    theme, scale = style.theme, max(probabilities) or 1.0
    names = found.vocabulary
    rows, data = [], []
    for token in shown:
        p = probabilities[token]
        aim = token == one.target
        color = theme.positive if aim else theme.line
        bar = max(1, round(420 * p / scale))
        mark = "◀ target" if aim else ""
        rows.append(
            f"<TR>{_cell(names.name(token), theme.background, theme.text, 110, 'RIGHT')}"
            f'<TD ALIGN="LEFT" WIDTH="440"><TABLE BORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>'
            f'<TD FIXEDSIZE="TRUE" WIDTH="{bar}" HEIGHT="22" BGCOLOR="{color}"></TD>'
            f'<TD FIXEDSIZE="TRUE" WIDTH="{430 - bar}" HEIGHT="22"></TD></TR></TABLE></TD>'
            f"{_cell(f'{100 * p:.2f} %', theme.background, theme.text, 76, 'RIGHT')}"
            f"{_cell(mark, theme.background, theme.positive, 80, 'LEFT')}</TR>"
        )
        data.append({"token": token, "name": names.name(token), "probability": p, "target": aim})
    label = f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="3" CELLPADDING="0">{"".join(rows)}</TABLE>'
    after = f" after {names.name(one.token)}" if one.token >= 0 else ""
    rest = len(order) - len(shown)
    legend = f"+{rest} more tokens, each less likely" if rest > 0 else ""
    return Table(f"What comes next{after}? · position {one.position}", "", legend, label, data)


@dataclass(slots=True)
class TableDrawing:
    """A table on its page."""

    table: Table
    style: Style
    page: Page
    engine: Engine

    def source(self) -> str:
        """As a DOT document."""
        return table_document(self.table, self.style, self.page)

    def rendered(self, form: str, timeout: float = 60.0, cancelled: Callable[[], bool] = lambda: False) -> bytes:
        """As a file's bytes: svg, png or pdf."""
        data = engines.render(
            self.source(), form, self.engine, layout="nop2", dpi=144 if form == "png" else 0,
            timeout=timeout, cancelled=cancelled,
        )  # fmt: skip
        return self.page.sized_svg(data, self.style.theme.background) if form == "svg" else data


def draw_table(table: Table, style: Style, engine: Engine | None = None, timeout: float = 60.0) -> TableDrawing:
    """Place a table on its page. Raises EngineError."""
    engine = engine or engines.find()
    source = table_document(table, style, None)
    layout = read_layout(engines.render(source, "json0", engine, timeout=timeout).decode())
    return TableDrawing(table, style, place(layout, style.width, style.height, HEAD_PIXELS), engine)


def table_document(table: Table, style: Style, page: Page | None = None) -> str:
    """A table as a DOT document: to be measured, or on its page."""
    theme = style.theme
    settings = page.graph_settings() if page else ""
    spot = page.node(0) if page else ""
    lines = [
        "digraph {",
        f'  graph [bgcolor="{theme.background}" fontname="Helvetica" pad=0{settings}]',
        f'  node [shape=plain fontname="Helvetica" fontcolor="{theme.text}"]',
        f'  n0 [tooltip=" "{spot} label=<{table.label}>]',
    ]
    if page is not None:
        unit = 1 / page.scale
        texts = (
            (f"<B>{escape(table.title)}</B>", TITLE_PIXELS, theme.text),
            (escape(table.subtitle), LINE_PIXELS, theme.faint),
            (escape(table.legend), LEGEND_PIXELS, theme.faint),
        )
        rows = "".join(
            f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="{size * unit:.2f}" COLOR="{color}">{content}</FONT></TD></TR>'
            for content, size, color in texts
            if content and style.title
        )
        size = f'CELLPADDING="{round(4 * unit)}" WIDTH="{page.inner_width:.0f}"'
        head = f'<TABLE BORDER="0" CELLSPACING="0" {size}>{rows}</TABLE>'
        lines += page.frame(head if rows else "")
    return "\n".join([*lines, "}"]) + "\n"

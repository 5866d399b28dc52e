"""DOT: pictures for Graphviz."""

from __future__ import annotations

import math
from collections.abc import Iterator

from microgpt_tui.graph.legend import NODE_TEXT, SMALL_TEXT, escape, heading
from microgpt_tui.graph.numbers import plain, signed
from microgpt_tui.graph.page import Page
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.state import Reached

FONT = "Helvetica"
EDGE_TEXT = 12
"""Points, before a slide scales the whole picture to its size."""
RESERVED = 7
"""Characters kept free at an edge for its number."""
NUMBER_WIDTH = 58
"""Points that every number takes: a box does not grow when its gradient arrives."""


def quoted(text: str) -> str:
    """A quoted DOT string, taken literally (graphviz's own rules for quoting)."""
    from graphviz import escape as literal
    from graphviz.quoting import quote

    return str(quote(literal(text)))


def document(picture: Picture, style: Style, page: Page | None = None) -> str:
    """A picture as a DOT document: to be laid out, or with a ``page`` every position pinned and framed as a slide."""
    theme = style.theme
    labelled = has_edge_labels(picture, style)
    separation = 0.3 if labelled else 0.36 if style.direction == "LR" else 0.2
    sheet = "" if page is None else page.graph_settings()
    lines = [
        "digraph {",
        f'  graph [rankdir={style.direction} bgcolor="{theme.background}" fontname="{FONT}" fontcolor="{theme.text}" '
        f'pad=0 nodesep="0.15" ranksep="{separation}" outputorder=edgesfirst{sheet}]',
        f'  node [shape=plain fontname="{FONT}" fontsize={NODE_TEXT} fontcolor="{theme.text}"]',
        f'  edge [fontname="{FONT}" fontsize={EDGE_TEXT} color="{theme.line}" fontcolor="{theme.faint}" '
        "arrowsize=0.7 penwidth=1.2]",
    ]
    lines += _clusters(picture, style, page)
    lines += [_edge(a, i, style, _groups(picture), page) for i, a in enumerate(picture.arrows)]
    if page is not None:
        lines += page.frame(heading(picture, style, page))
    lines.append("}")
    return "\n".join(lines) + "\n"


def has_edge_labels(picture: Picture, style: Style) -> bool:
    """True when at least one edge of the picture has a label."""
    return any(edge_label(arrow, style, _groups(picture)) for arrow in picture.arrows)


def _groups(picture: Picture) -> bool:
    return any(box.node < 0 for box in picture.boxes)


# -- boxes -----------------------------------------------------------------------------------------


def _clusters(picture: Picture, style: Style, page: Page | None) -> list[str]:
    inside: dict[int, list[Box]] = {}
    for box in picture.boxes:
        inside.setdefault(box.cluster, []).append(box)
    within: dict[int, list[int]] = {}
    for scope, (_, around) in picture.clusters.items():
        within.setdefault(around, []).append(scope)

    def part(scope: int, indent: str) -> Iterator[str]:
        for box in inside.get(scope, ()):
            yield indent + _node(box, style, page)
        for inner in within.get(scope, ()):
            label = picture.clusters[inner][0]
            theme = style.theme
            yield f"{indent}subgraph cluster_{inner} {{"
            yield (
                f"{indent}  graph [label={quoted(label)} labelloc=t labeljust=l fontsize={SMALL_TEXT} "
                f'style="rounded,filled" '
                f'color="{theme.cluster_line}" fillcolor="{theme.cluster}" fontcolor="{theme.faint}" margin=9 '
                f"tooltip={quoted(label)}{page.cluster(inner) if page else ''}]"
            )
            yield from part(inner, indent + "  ")
            yield indent + "}"

    return list(part(-1, "  "))


def _node(box: Box, style: Style, page: Page | None) -> str:
    table = box.body.label(style) if box.body is not None else _table(box, style)
    place = page.node(box.key) if page else ""
    return f"n{box.key} [tooltip={quoted(box.title)}{place} label=<{table}>]"


def _table(box: Box, style: Style) -> str:
    fill, line, width, pattern = _look(box, style.theme)
    cells = "".join(f"<TR>{row}</TR>" for row in _rows(box, style))
    look = f'BORDER="{width}" COLOR="{line}" BGCOLOR="{fill}" STYLE="{pattern}"'
    return f'<TABLE {look} CELLBORDER="0" CELLSPACING="0" CELLPADDING="3">{cells}</TABLE>'


def _look(box: Box, theme: Theme) -> tuple[str, str, int, str]:
    """(fill, line colour, line width, pattern): what it is, and in a backward pass how far its gradient has come.

    The width is the same for all, so that a box is as large in every frame of a sequence.
    """
    fill = {
        "parameter": theme.parameter, "constant": theme.constant, "loss": theme.loss,
    }.get(box.kind, theme.box)  # fmt: skip
    line, width, pattern = theme.box_line, 2, "ROUNDED"
    if box.state is Reached.ACCUMULATING:
        fill, line = theme.accumulating, theme.accumulating_line
    elif box.state is Reached.FINAL and box.kind not in ("parameter", "loss"):
        fill = theme.final
    elif box.state is Reached.WAITING:
        fill, pattern = theme.waiting, "ROUNDED,DASHED"
    if box.kind == "parameter":
        pattern = pattern.replace("ROUNDED,", "").replace("ROUNDED", "SOLID")
    if (not math.isfinite(box.data) and box.data == box.data) or (box.node >= 0 and box.data != box.data):
        line = theme.bad
    if box.focus:
        line = theme.focus
    return fill, line, width, pattern


def _rows(box: Box, style: Style) -> list[str]:
    theme = style.theme
    title = f"<B>{escape(box.title)}</B>"
    rows = [f'<TD COLSPAN="2">{title}</TD>']
    if box.node < 0 and box.count and style.labels != "names":
        nodes = f"{box.count:,} node{'s' if box.count != 1 else ''}"
        rows.append(_faint(nodes, theme))
    if style.labels in ("both", "data"):
        rows.append(_number("data" if box.node >= 0 else "rms", box.data, box.node >= 0, theme))
    if style.labels in ("both", "grad"):
        rows.append(_number("grad", box.grad, box.node >= 0, theme))
    if box.uses:
        rows.append(_faint(box.uses, theme))
    more = [f"+{n} more {what}" for n, what in ((box.more_inputs, "inputs"), (box.more_users, "users")) if n]
    if more:
        rows.append(_faint(", ".join(more), theme))
    return rows


def _faint(text: str, theme: Theme) -> str:
    return f'<TD COLSPAN="2"><FONT COLOR="{theme.faint}" POINT-SIZE="{SMALL_TEXT}">{escape(text)}</FONT></TD>'


def _number(name: str, value: float, has_sign: bool, theme: Theme) -> str:
    known = value == value
    text = (signed(value) if has_sign else plain(value)) if known else "·"
    color = theme.faint if not known or not has_sign or value == 0 else theme.negative if value < 0 else theme.positive
    if known and not math.isfinite(value):
        color = theme.bad
    return (
        f'<TD ALIGN="LEFT"><FONT COLOR="{theme.faint}" POINT-SIZE="{SMALL_TEXT}">{name}</FONT></TD>'
        f'<TD ALIGN="RIGHT" WIDTH="{NUMBER_WIDTH}"><FONT COLOR="{color}">{text}</FONT></TD>'
    )


# -- edges -----------------------------------------------------------------------------------------


def edge_value(arrow: Arrow, style: Style) -> float:
    """The number that an edge shows: its local gradient or its contribution; NaN for none."""
    if style.edges == "local":
        return arrow.local
    return arrow.contribution if style.edges == "contribution" else math.nan


def edge_label(arrow: Arrow, style: Style, groups: bool) -> str:
    """What is written at an edge; empty for nothing."""
    value = edge_value(arrow, style)
    label = "" if value != value else plain(value) if groups else signed(value)
    if arrow.count > 1 and style.edges != "none":
        label = f"{label} ×{arrow.count:,}".strip()
    return label


def _edge(arrow: Arrow, number: int, style: Style, groups: bool, page: Page | None) -> str:
    theme = style.theme
    settings = [f"id=e{number}"]
    value = edge_value(arrow, style)
    sign = value if value == value else arrow.contribution
    color, width = theme.line, 1.2
    if sign == sign and sign != 0 and not groups:
        color = theme.negative if sign < 0 else theme.positive
        if sign < 0:
            settings.append("style=dashed")
    if arrow.share == arrow.share:
        width = 1 + 3 * arrow.share
    elif arrow.count > 1:
        width = min(4.0, 1 + math.log10(arrow.count))
    if arrow.carrying:
        color, width = theme.focus, 5.0
    if color != theme.line:
        settings.append(f'color="{color}" fontcolor="{color}"')
    settings.append(f"penwidth={width:.2f}")
    label = edge_label(arrow, style, groups)
    if label:
        settings.append(f'label=" {label.rjust(RESERVED) if not groups else label} "')
    elif page is None and style.edges in ("local", "contribution") and not groups:
        settings.append(f'label=" {"+0.0000".rjust(RESERVED)} "')  # the place for a number that is still to come
    if page is not None:
        settings.append(page.edge(number, bool(label)))
    return f"  n{arrow.tail} -> n{arrow.head} [{' '.join(settings)}]"

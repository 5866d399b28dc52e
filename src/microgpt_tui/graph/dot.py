"""DOT: pictures for Graphviz, and the whole scalar graph as a stream of lines."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

from microgpt_tui.graph.numbers import plain, signed
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.state import Reached, grads_at
from microgpt_tui.trace.trace import Trace

FONT = "Helvetica"
NODE_TEXT, EDGE_TEXT, TITLE_TEXT, SMALL_TEXT = 14, 12, 22, 13
"""Points, before a slide scales the whole picture to its size."""
POINTS = 72


def escape(text: str) -> str:
    """Text for an HTML-like label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def quoted(text: str) -> str:
    """A quoted DOT string, taken literally (graphviz's own rules for quoting)."""
    from graphviz import escape as literal
    from graphviz.quoting import quote

    return str(quote(literal(text)))


def document(picture: Picture, style: Style) -> str:
    """A picture as a DOT document."""
    theme = style.theme
    lines = [
        "digraph {",
        f'  graph [rankdir={style.direction} bgcolor="{theme.background}" fontname="{FONT}" fontcolor="{theme.text}" '
        f'fontsize={TITLE_TEXT} pad="0.35" nodesep="0.22" ranksep="0.45" compound=true outputorder=edgesfirst'
        f"{_page(style)}]",
        f'  node [shape=plain fontname="{FONT}" fontsize={NODE_TEXT} fontcolor="{theme.text}"]',
        f'  edge [fontname="{FONT}" fontsize={EDGE_TEXT} color="{theme.line}" fontcolor="{theme.faint}" '
        "arrowsize=0.7 penwidth=1.2]",
    ]
    heading = _heading(picture, style)
    if heading:
        lines.append(f"  labelloc=t; label=<{heading}>")
    lines += _clusters(picture, style)
    scale = max((a.share for a in picture.arrows if a.share == a.share), default=0.0)
    lines += [_edge(a, style, scale, _groups(picture)) for a in picture.arrows]
    lines.append("}")
    return "\n".join(lines) + "\n"


def _page(style: Style) -> str:
    if not style.is_slide:
        return ""
    # Graphviz stretches the distances, not the boxes, to the slide's proportions; then everything is scaled to fit
    inches = f"{style.width / 144:g},{style.height / 144:g}"
    return f' size="{inches}!" ratio="{style.height / style.width:.5f}"'


def _groups(picture: Picture) -> bool:
    return any(box.node < 0 for box in picture.boxes)


# -- boxes -----------------------------------------------------------------------------------------


def _clusters(picture: Picture, style: Style) -> list[str]:
    inside: dict[int, list[Box]] = {}
    for box in picture.boxes:
        inside.setdefault(box.cluster, []).append(box)
    within: dict[int, list[int]] = {}
    for scope, (_, around) in picture.clusters.items():
        within.setdefault(around, []).append(scope)

    def part(scope: int, indent: str) -> Iterator[str]:
        for box in inside.get(scope, ()):
            yield indent + _node(box, style)
        for inner in within.get(scope, ()):
            label = picture.clusters[inner][0]
            theme = style.theme
            yield f"{indent}subgraph cluster_{inner} {{"
            yield (
                f'{indent}  graph [label={quoted(label)} labelloc=t labeljust=l fontsize={SMALL_TEXT} style="rounded,filled" '
                f'color="{theme.cluster_line}" fillcolor="{theme.cluster}" fontcolor="{theme.faint}" margin=12 '
                f'tooltip={quoted(label)}]'
            )
            yield from part(inner, indent + "  ")
            yield indent + "}"

    return list(part(-1, "  "))


def _node(box: Box, style: Style) -> str:
    theme = style.theme
    rows = _rows(box, style)
    fill, line, width, pattern = _look(box, theme)
    cells = "".join(f"<TR>{row}</TR>" for row in rows)
    look = f'BORDER="{width}" COLOR="{line}" BGCOLOR="{fill}" STYLE="{pattern}"'
    tip = quoted(box.place or box.title)
    return (
        f'n{box.key} [tooltip={tip} label=<<TABLE {look} CELLBORDER="0" CELLSPACING="0" CELLPADDING="3">{cells}</TABLE>>]'
    )


def _look(box: Box, theme: Theme) -> tuple[str, str, int, str]:
    """(fill, line colour, line width, pattern): the kind, and in a backward pass how far the gradient has come."""
    fill = {
        "parameter": theme.parameter, "constant": theme.constant, "loss": theme.loss,
    }.get(box.kind, theme.box)  # fmt: skip
    line, width, pattern = theme.box_line, 1, "ROUNDED"
    if box.state is Reached.ACCUMULATING:
        fill, width = theme.accumulating, 2
    elif box.state is Reached.FINAL and box.kind not in ("parameter", "loss"):
        fill = theme.final
    elif box.state is Reached.WAITING:
        fill, pattern = theme.waiting, "ROUNDED,DASHED"
    if box.kind == "parameter":
        pattern = pattern.replace("ROUNDED,", "").replace("ROUNDED", "SOLID")
    if not math.isfinite(box.data) and box.data == box.data or (box.node >= 0 and box.data != box.data):
        line, width = theme.bad, 3
    if box.focus:
        line, width = theme.focus, 4
    return fill, line, width, pattern


def _rows(box: Box, style: Style) -> list[str]:
    theme = style.theme
    title = f"<B>{escape(box.title)}</B>"
    rows = [f'<TD COLSPAN="2">{title}</TD>']
    if box.node < 0 and box.count:
        nodes = f"{box.count:,} node{'s' if box.count != 1 else ''}"
        rows.append(f'<TD COLSPAN="2"><FONT COLOR="{theme.faint}" POINT-SIZE="{SMALL_TEXT}">{nodes}</FONT></TD>')
    if style.labels in ("both", "data"):
        rows.append(_number("data" if box.node >= 0 else "rms", box.data, box.node >= 0, theme))
    if style.labels in ("both", "grad"):
        rows.append(_number("grad", box.grad, box.node >= 0, theme))
    more = [f"+{n} more {what}" for n, what in ((box.more_inputs, "inputs"), (box.more_users, "users")) if n]
    if more:
        text = ", ".join(more)
        rows.append(f'<TD COLSPAN="2"><FONT COLOR="{theme.faint}" POINT-SIZE="{SMALL_TEXT}">{text}</FONT></TD>')
    return rows


def _number(name: str, value: float, has_sign: bool, theme: Theme) -> str:
    known = value == value
    text = (signed(value) if has_sign else plain(value)) if known else "·"
    color = theme.faint if not known or not has_sign or value == 0 else theme.negative if value < 0 else theme.positive
    if known and not math.isfinite(value):
        color = theme.bad
    return (
        f'<TD ALIGN="LEFT"><FONT COLOR="{theme.faint}" POINT-SIZE="{SMALL_TEXT}">{name}</FONT></TD>'
        f'<TD ALIGN="RIGHT"><FONT COLOR="{color}">{text}</FONT></TD>'
    )


# -- edges -----------------------------------------------------------------------------------------


def edge_value(arrow: Arrow, style: Style) -> float:
    """The number that an edge shows: its local gradient or its contribution; NaN for none."""
    if style.edges == "local":
        return arrow.local
    return arrow.contribution if style.edges == "contribution" else math.nan


def _edge(arrow: Arrow, style: Style, scale: float, groups: bool) -> str:
    theme = style.theme
    settings = []
    value = edge_value(arrow, style)
    signed_by = value if value == value else arrow.contribution if not groups else math.nan
    if signed_by == signed_by and signed_by != 0 and not groups:
        color = theme.negative if signed_by < 0 else theme.positive
        settings.append(f'color="{color}" fontcolor="{color}"')
        if signed_by < 0:
            settings.append("style=dashed")
    label = ""
    if value == value:
        label = plain(value) if groups else signed(value)
    if arrow.count > 1:
        label = f"{label} ×{arrow.count:,}".strip()
    if label:
        settings.append(f'label=" {label} "')
    if arrow.share == arrow.share and scale:
        settings.append(f"penwidth={1 + 3 * arrow.share:.2f}")
    elif arrow.count > 1:
        settings.append(f"penwidth={min(4.0, 1 + math.log10(arrow.count)):.2f}")
    if arrow.carrying:
        settings.append(f'color="{theme.focus}" penwidth=5')
    text = f" [{' '.join(settings)}]" if settings else ""
    return f"  n{arrow.tail} -> n{arrow.head}{text}"


# -- title and legend ------------------------------------------------------------------------------


def _heading(picture: Picture, style: Style) -> str:
    theme = style.theme
    rows = []
    if style.title and picture.title:
        rows.append(f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="{TITLE_TEXT}"><B>{escape(picture.title)}</B></FONT></TD></TR>')
    if style.title and picture.subtitle:
        rows.append(_line(picture.subtitle, theme))
    if style.title and picture.note:
        rows.append(_line(picture.note, theme))
    if style.legend:
        rows.append(f'<TR><TD ALIGN="LEFT">{_legend(picture, style)}</TD></TR>')
    if not rows:
        return ""
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3">{"".join(rows)}</TABLE>'


def _line(text: str, theme: Theme) -> str:
    return f'<TR><TD ALIGN="LEFT"><FONT POINT-SIZE="{NODE_TEXT}" COLOR="{theme.faint}">{escape(text)}</FONT></TD></TR>'


def _legend(picture: Picture, style: Style) -> str:
    """A row of samples: only of what is in the picture."""
    theme = style.theme
    kinds = {box.kind for box in picture.boxes}
    states = {box.state for box in picture.boxes}
    cells = []

    def sample(text: str, fill: str, pattern: str = "ROUNDED", line: str = theme.box_line, width: int = 1) -> None:
        cells.append(
            f'<TD BORDER="{width}" COLOR="{line}" BGCOLOR="{fill}" STYLE="{pattern}">'
            f'<FONT POINT-SIZE="{SMALL_TEXT}" COLOR="{theme.text}"> {escape(text)} </FONT></TD>'
        )

    def words(text: str, color: str) -> None:
        cells.append(f'<TD><FONT POINT-SIZE="{SMALL_TEXT}" COLOR="{color}">{escape(text)}</FONT></TD>')

    if "parameter" in kinds:
        sample("parameters", theme.parameter, "SOLID")
    if kinds & {"operation", "group"}:
        sample("computed", theme.box)
    if "loss" in kinds:
        sample("loss", theme.loss)
    if Reached.WAITING in states:
        sample("grad not reached", theme.waiting, "ROUNDED,DASHED")
    if Reached.ACCUMULATING in states:
        sample("grad accumulating", theme.accumulating, width=2)
    if Reached.FINAL in states:
        sample("grad final", theme.final)
    if _groups(picture):
        words("×N: N operands · rms: root mean square of the group", theme.faint)
    else:
        words("+ positive, solid", theme.positive)
        words("− negative, dashed", theme.negative)
    if picture.backward and style.edges == "contribution":
        words("edges: contribution to the operand's grad", theme.faint)
    elif style.edges == "local":
        words("edges: local gradient", theme.faint)
    return f'<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="3"><TR>{"".join(cells)}</TR></TABLE>'


# -- the whole scalar graph ------------------------------------------------------------------------


def scalar_lines(trace: Trace, event: int) -> Iterator[str]:
    """The whole graph of an episode at a moment, unfolded, for other tools: a line per node and per edge.

    Node attributes: ``op``, ``data``, ``grad`` (in full precision; 0 before the backward pass);
    edge attribute: ``local`` where the script records local gradients.
    """
    from microgpt_tui.graph.folding import nodes_at

    count = nodes_at(trace, event)
    first = trace.first_node
    starts = trace.child_start
    end = starts[count] if count < len(starts) else len(trace.child)
    grads = grads_at(trace, event)
    ops = trace.ops
    yield "digraph step {\n"
    older = sorted({c for c in trace.child[:end] if c < first})
    for node in older:
        data, grad = trace.data_at(node, event), grads.get(node, 0.0)
        yield f'{node} [op="{trace.op_name(node)}" data="{data!r}" grad="{grad!r}" label={quoted(_own(trace, node))}]\n'
    get = grads.get
    numbers = range(first, first + count)
    for node, op, data in zip(numbers, trace.op[:count], trace.data[:count], strict=True):
        yield f'{node} [op="{ops[op]}" data="{data!r}" grad="{get(node, 0.0)!r}"]\n'
    bounds = [*starts[:count], end]
    users = chain.from_iterable(
        [first + i] * (bounds[i + 1] - bounds[i]) for i in range(count)
    )
    for child, user, local in zip(trace.child[:end], users, trace.local[:end], strict=True):
        yield f'{child}->{user} [local="{local!r}"]\n' if local == local else f"{child}->{user}\n"
    yield "}\n"


def _own(trace: Trace, node: int) -> str:
    from microgpt_tui.trace.names import name

    return name(trace, node)

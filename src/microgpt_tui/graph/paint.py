"""A picture that has its places, as shapes on a sheet: boxes, edges in both directions, frames, head and legend."""

from __future__ import annotations

import math

from microgpt_tui.graph.draw.font import Curve, text_width
from microgpt_tui.graph.draw.shapes import Group, Path, Shape, Sheet, Text, moved, rectangle
from microgpt_tui.graph.labels import EDGE_TEXT, edge_label, edge_value, has_groups
from microgpt_tui.graph.legend import LEGEND_PIXELS, LINE_PIXELS, TITLE_PIXELS, samples, words
from microgpt_tui.graph.measure import LINE, NODE_TEXT, PAD, SMALL_TEXT, Row, rows_of
from microgpt_tui.graph.page import MARGIN, Page
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.state import Reached

Point = tuple[float, float]


def painted(picture: Picture, style: Style, page: Page) -> Sheet:
    """The page."""
    theme, layout = style.theme, page.layout
    shapes: list[Shape] = []

    def flip(x: float, y: float) -> Point:
        return x, layout.height - y

    for scope, (label, _) in picture.clusters.items():
        known = layout.clusters.get(f"cluster_{scope}")
        if known is not None:
            x0, y0, x1, y1 = (float(v) for v in known["bb"].split(","))
            x, y = flip(x0, y1)
            frame: list[Shape] = [
                rectangle(x, y, x1 - x0, y1 - y0, theme.cluster, theme.cluster_line, line=1.2, radius=8),
                Text(x + 9, y + 15, label, SMALL_TEXT, theme.faint, anchor="start"),
            ]
            shapes.append(Group(frame, title=label, about={"cluster": str(scope)}))
    for number, arrow in enumerate(picture.arrows):
        spline, label_at = layout.edges.get(f"e{number}", ("", ""))
        if spline:
            shapes.append(_edge(arrow, spline, label_at, layout.height, style, picture))
    for box in picture.boxes:
        size = layout.boxes[f"n{box.key}"]
        x, y = flip(*layout.nodes[f"n{box.key}"])
        shapes.append(_box(box, x - size[0] / 2, y - size[1] / 2, size, style))
    dx, dy = page.left * page.scale, (page.height - page.low - layout.height) * page.scale
    sheet = Sheet(page.width * page.scale, page.height * page.scale, theme.background, title=picture.title)
    sheet.width, sheet.height = round(sheet.width), round(sheet.height)
    sheet.shapes = [*(moved(s, page.scale, dx, dy) for s in shapes), *_head(picture, style)]
    return sheet


# -- boxes -----------------------------------------------------------------------------------------


def _box(box: Box, x: float, y: float, size: Point, style: Style) -> Group:
    theme = style.theme
    about = {"node": str(box.node), "kind": box.kind, "op": box.op, "state": box.state.value}
    if box.body is not None:
        return Group(box.body.shapes(x, y, style), f"n{box.key}", box.title, about)
    fill, line, width, dash = look(box, theme)
    radius = 0.0 if box.kind == "parameter" else 7.0
    shapes: list[Shape] = [rectangle(x, y, *size, fill, line, line=width, radius=radius, dash=dash)]
    pen = y + PAD + 12
    for row in rows_of(box, style):
        shapes += _row(row, x, pen, size[0], theme, box.node >= 0)
        pen += LINE
    return Group(shapes, f"n{box.key}", box.title, about)


def _row(row: Row, x: float, y: float, width: float, theme: Theme, has_sign: bool) -> list[Shape]:
    if not row.number:
        size, color = (NODE_TEXT, theme.text) if row.bold else (SMALL_TEXT, theme.faint if row.faint else theme.text)
        return [Text(x + width / 2, y, row.text, size, color, row.bold)]
    color = theme.faint
    if row.value == row.value and not math.isfinite(row.value):
        color = theme.bad
    elif row.value == row.value and has_sign and row.value:
        color = theme.negative if row.value < 0 else theme.positive
    return [
        Text(x + PAD, y, row.text, SMALL_TEXT, theme.faint, anchor="start"),
        Text(x + width - PAD, y, row.number, NODE_TEXT, color, anchor="end"),
    ]


def look(box: Box, theme: Theme) -> tuple[str, str, float, tuple[float, ...]]:
    """(fill, line colour, line width, dashes): what it is, and in a backward pass how far its gradient has come.

    In grey the state is told by the line: dashed for what is not reached, thick while it accumulates.
    """
    fill = {
        "parameter": theme.parameter, "parameters": theme.parameter, "constant": theme.constant, "loss": theme.loss,
    }.get(box.kind, theme.box)  # fmt: skip
    line, width, dash = theme.box_line, 1.5, tuple[float, ...]()
    if box.state is Reached.ACCUMULATING:
        fill, line, width = theme.accumulating, theme.accumulating_line, 3.2
    elif box.state is Reached.FINAL:
        fill = fill if box.kind in ("parameter", "parameters", "loss") else theme.final
    elif box.state is Reached.WAITING:
        fill, dash = theme.waiting, (4.0, 3.0)
    if (not math.isfinite(box.data) and box.data == box.data) or (box.node >= 0 and box.data != box.data):
        line, width = theme.bad, 3.0
    if box.focus:
        line, width = theme.focus, 3.2
    return fill, line, width, dash


# -- edges -----------------------------------------------------------------------------------------


def _edge(arrow: Arrow, spline: str, label_at: str, height: float, style: Style, picture: Picture) -> Group:
    theme, groups = style.theme, has_groups(picture)
    points, tip = _points(spline, height)
    value = edge_value(arrow, style)
    sign = value if value == value else arrow.contribution
    color, width = theme.line, 1.3
    dash: tuple[float, ...] = ()
    if sign == sign and sign != 0 and not groups:
        color = theme.negative if sign < 0 else theme.positive
        dash = (5.0, 3.5) if sign < 0 else ()
    if arrow.share == arrow.share:
        width = 1 + 3 * arrow.share
    elif arrow.count > 1:
        width = min(4.0, 1 + math.log10(arrow.count))
    if arrow.carrying:
        color, width = theme.gradient, 5.0
    curves: list[Curve] = [("M", points[0])]
    for i in range(1, len(points) - 2, 3):
        curves.append(("C", (*points[i], *points[i + 1], *points[i + 2])))
    shapes: list[Shape] = [Path(tuple(curves), "", color, width, dash), _head_of(points[-1], tip, color, width)]
    if arrow.contribution == arrow.contribution and arrow.contribution != 0:
        start, after = points[0], points[1]
        shapes.append(_back(start, after, theme.gradient, min(9.0, 0.42 * math.dist(start, tip))))
    label = edge_label(arrow, style, groups)
    if label and label_at:
        x, y = (float(v) for v in label_at.split(",")[:2])
        wide = text_width(label, EDGE_TEXT)
        y = height - y
        ground = rectangle(x - wide / 2 - 3, y - 8, wide + 6, 16, theme.background, radius=4)
        shapes += [ground, Text(x, y + 4.3, label, EDGE_TEXT, color if color != theme.line else theme.faint)]
    about = {"from": str(arrow.tail), "to": str(arrow.head), "contribution": repr(arrow.contribution)}
    return Group(shapes, about=about)


def _points(spline: str, height: float) -> tuple[list[Point], Point]:
    """The control points of an edge and the point of its arrow."""
    points: list[Point] = []
    tip: Point | None = None
    for token in spline.split():
        mark = token[:2] if token[:2] in ("e,", "s,") else ""
        x, y = (float(v) for v in token[len(mark) :].split(",")[:2])
        if mark == "e,":
            tip = x, height - y
        elif not mark:
            points.append((x, height - y))
    end = tip or points[-1]
    if tip is None or math.dist(points[-1], tip) < 1:  # our own curves end at the box: the head needs room
        before = points[-2]
        length = max(1e-6, math.dist(before, end))
        part = min(1.0, 8 / length)
        points[-1] = end[0] + (before[0] - end[0]) * part, end[1] + (before[1] - end[1]) * part
    return points, end


def _head_of(base: Point, tip: Point, color: str, width: float) -> Path:
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = max(1e-6, math.hypot(dx, dy))
    side = max(3.2, width * 1.1 + 1.6)
    nx, ny = -dy / length * side, dx / length * side
    return Path(
        (("M", tip), ("L", (base[0] + nx, base[1] + ny)), ("L", (base[0] - nx, base[1] - ny)), ("Z", ())), color
    )


def _back(start: Point, after: Point, color: str, size: float) -> Path:
    """The point of the gradient's arrow, at the operand that it went to."""
    length = max(1e-6, math.dist(start, after))
    ux, uy = (after[0] - start[0]) / length, (after[1] - start[1]) / length
    x, y, half = start[0] + ux * size, start[1] + uy * size, size / 2
    return Path(
        (("M", start), ("L", (x - uy * half, y + ux * half)), ("L", (x + uy * half, y - ux * half)),
         ("Z", ())), color,
    )  # fmt: skip


# -- head and legend -------------------------------------------------------------------------------


def _head(picture: Picture, style: Style) -> list[Shape]:
    theme, shapes, y = style.theme, list[Shape](), MARGIN * 0.7
    if style.title and picture.title:
        y += 40
        size = min(float(TITLE_PIXELS), (style.width or 1200) * TITLE_PIXELS * 0.94
                   / max(1.0, text_width(picture.title, TITLE_PIXELS, True)))  # fmt: skip
        shapes.append(Text(MARGIN, y, picture.title, size, theme.text, True, "start"))
        y += 10
    if style.title:
        for text in (picture.subtitle, picture.note):
            if text:
                y += 26
                shapes.append(Text(MARGIN, y, text, LINE_PIXELS, theme.faint, anchor="start"))
                y += 6
    if style.legend and picture.legend:
        shapes.append(Text(MARGIN, y + 28, picture.legend, LEGEND_PIXELS, theme.faint, anchor="start"))
    elif style.legend and not picture.rows:
        shapes += _legend(picture, style, y + 30)
    return shapes


def _legend(picture: Picture, style: Style, y: float) -> list[Shape]:
    """A row of samples, each as wide as its word."""
    theme, shapes, x = style.theme, list[Shape](), float(MARGIN)
    size = LEGEND_PIXELS
    for text, box in samples(picture):
        fill, line, width, dash = look(box, theme)
        wide = text_width(text, size) + 20
        radius = 0 if box.kind == "parameter" else 7
        shapes.append(rectangle(x, y - 18, wide, 27, fill, line, line=width, dash=dash, radius=radius))
        shapes.append(Text(x + 10, y + 1.5, text, size, theme.text, anchor="start"))
        x += wide + 12
    for text, color in words(picture, style):
        shapes.append(Text(x, y + 1.5, text, size, color, anchor="start"))
        x += text_width(text, size) + 22
    return shapes

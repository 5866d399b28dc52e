"""The figure of the model on its sheet: boxes, arrows, the layer's frame, heat by gradient, the way of the gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from microgpt_tui.graph.cells import ink, mix
from microgpt_tui.graph.draw.font import text_width
from microgpt_tui.graph.draw.shapes import Group, Shape, Sheet, Text, arrow, circle, curve_arrow, moved, rectangle
from microgpt_tui.graph.model.numbers import Numbers, grads_until, numbers_of
from microgpt_tui.graph.model.parts import CHIP, PAD, SMALL, TITLE, Part, Plan, family, plan_of
from microgpt_tui.graph.model.placing import BEND, ROW_GAP, Layout, Placed, Spot, layout
from microgpt_tui.graph.model.structure import Structure, structure
from microgpt_tui.graph.numbers import signed
from microgpt_tui.graph.presets import Style, Theme
from microgpt_tui.graph.state import Reached, backward_span
from microgpt_tui.trace.trace import Trace

MARGIN = 56.0
WAY_BACK = 38.0
"""Room below the boxes for the way of the gradient."""
LARGEST = 2.8
"""Pixels of a sheet for one of the plan: a small model is not blown up further."""
READABLE = 14.0
"""Pixels on a slide 1080 high."""


@dataclass(frozen=True, slots=True)
class Look:
    """Colours that a theme of pictures does not have."""

    cold: str
    hot: str
    stream: str
    gradient: str
    chip: str
    chip_line: str
    chip_text: str
    panel: str


LOOKS = {
    "light": Look("#fff8e6", "#f08c00", "#0b7a70", "#c2187a", "#e2e6fb", "#5b63c7", "#2b3180", "#eef1ff"),
    "dark": Look("#2c2a26", "#e08a1e", "#35c2b4", "#ff6fb5", "#262d4f", "#8f97f0", "#cfd4ff", "#1b2036"),
    "print": Look("#ffffff", "#9a9a9a", "#000000", "#000000", "#ffffff", "#000000", "#000000", "#f3f3f3"),
}


@dataclass(slots=True)
class Figure:
    """A figure ready to be written."""

    sheet: Sheet
    smallest: float
    """Pixels of its smallest text."""
    parts: dict[int, Part]
    numbers: dict[int, Numbers]
    fills: float
    """The part of the room for it, along the side that it fills most."""
    structure: Structure
    plan: Plan
    heat: tuple[float, float]
    """The smallest and the largest norm that its colours tell apart."""
    notes: list[str] = field(default_factory=list)
    """What to tell the person."""


def figure(trace: Trace, event: int, style: Style, title: str, target: int, like: Figure | None = None) -> Figure:
    """The model at a moment; boxes as large and colours as in another figure, so that nothing moves between the two."""
    found = structure(trace, target)
    plan = plan_of(found)
    numbers = {p: numbers_of(trace, family(found, p), event) for p in plan.parts}
    if found.loss in plan.parts:
        _write_loss(plan.parts[found.loss], numbers[found.loss])
    for place, part in plan.parts.items():
        if like is not None and place in like.parts:
            part.width, part.height = like.parts[place].width, like.parts[place].height
    return _drawn(trace, event, style, title, found, plan, numbers, like)


def _write_loss(part: Part, numbers: Numbers) -> None:
    part.lines = [*part.lines, f"{numbers.low:.4f}"]
    if numbers.grad == numbers.grad:
        part.lines[-1] += f" · grad {numbers.grad:g}"
    part.measure()


class _Pen:
    """What all parts of one figure are drawn with."""

    def __init__(self, style: Style, numbers: dict[int, Numbers]) -> None:
        self.theme: Theme = style.theme
        self.look = LOOKS[style.theme.name]
        grads = [n.grad for n in numbers.values() if n.grad == n.grad and n.grad > 0 and math.isfinite(n.grad)]
        self.low, self.high = (min(grads), max(grads)) if grads else (math.nan, math.nan)

    def heat(self, grad: float) -> str:
        """A colour for a gradient's norm, by its logarithm."""
        if grad != grad:
            return self.theme.background
        if not math.isfinite(grad):
            return self.theme.bad
        if grad <= 0 or self.high <= self.low:
            return self.look.cold
        part = (math.log(grad) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return mix(self.look.cold, self.look.hot, max(0.0, min(1.0, part)))


def _drawn(trace: Trace, event: int, style: Style, title: str, found: Structure, plan: Plan,
           numbers: dict[int, Numbers], like: Figure | None) -> Figure:  # fmt: skip
    width, height = (style.width, style.height) if style.is_slide else (1920, 1080)
    head = 128.0 if style.title else MARGIN
    foot = 118.0 if style.legend else 40.0
    room = width - 2 * MARGIN - 30, height - head - foot
    placed = layout(plan, *room)
    scale = min(room[0] / placed.width, room[1] / (placed.height + WAY_BACK), LARGEST)
    if not style.is_slide:
        scale = 1.0
        width = round(max(1200.0, placed.width + 2 * MARGIN + 30))
        height = round(placed.height + head + foot + WAY_BACK)
    left = (width - placed.width * scale) / 2 + 8
    top = head + (height - head - foot - (placed.height + WAY_BACK) * scale) / 2
    pen = _Pen(style, numbers)
    if like is not None:
        pen.low, pen.high = like.heat
    shapes: list[Shape] = [
        *_frames(placed, pen), *_edges(plan, placed, pen),
        *(_box(part, placed.centre[place], numbers[place], pen, plan, found) for place, part in plan.parts.items()),
    ]  # fmt: skip
    if any(n.state is not Reached.NONE for n in numbers.values()):
        shapes += _backward(plan, placed, pen, found)
    sheet = Sheet(width, height, style.theme.background, title=title)
    sheet.shapes = [moved(s, scale, left, top) for s in shapes]
    if style.title:
        sheet.shapes.append(Group(_head(trace, event, found, title, pen, width), "head"))
    if style.legend:
        sheet.shapes.append(Group(_legend(found, numbers, pen, height - 62), "legend"))
    sizes = [t.size for t in sheet.texts]
    fills = max(placed.width * scale / room[0], placed.height * scale / room[1])
    drawn = Figure(sheet, min(sizes, default=SMALL), plan.parts, numbers, fills, found, plan, (pen.low, pen.high))
    if style.is_slide and drawn.smallest < READABLE * height / 1080 - 0.05:
        drawn.notes.append(
            f"small text: {drawn.smallest:.0f} pixels on a slide of {width}×{height}. --size free makes room, "
            "--what layer draws one layer"
        )
    return drawn


# -- boxes and frames ------------------------------------------------------------------------------


def _box(part: Part, centre: tuple[float, float], numbers: Numbers, pen: _Pen, plan: Plan, found: Structure) -> Group:
    theme, look = pen.theme, pen.look
    x, y = centre[0] - part.width / 2, centre[1] - part.height / 2
    fill = pen.heat(numbers.grad)
    waiting, moving = numbers.state is Reached.WAITING, numbers.state is Reached.ACCUMULATING
    line = look.gradient if moving else theme.box_line
    border = 3.0 if moving or part.place == found.loss else 1.6
    dash = (5.0, 4.0) if waiting else ()
    about = {
        "unit": part.unit.kind, "place": str(part.place), "matrices": "; ".join(m.name for m in part.unit.matrices),
        "grad": repr(numbers.grad), "state": numbers.state.value,
    }  # fmt: skip
    tip = _tip(part, numbers)
    if part.is_join:
        shapes: list[Shape] = [circle(*centre, part.width / 2, theme.background, line, 2.0)]
        sign = part.unit.title if part.unit.title in ("+", "−", "×", "÷") else "+"
        shapes.append(Text(centre[0], centre[1] + 7.5, sign, 21, theme.text, True))
        return Group(shapes, f"unit{part.place}", tip, about)
    shapes = []
    if part.unit.copies > 1:
        for k in (8, 4):
            shapes.append(rectangle(x + k, y - k, part.width, part.height, fill, theme.box_line, line=1, radius=8))
    shapes.append(rectangle(x, y, part.width, part.height, fill, line, line=border, radius=8, dash=dash))
    color = ink(fill) if fill != theme.background else theme.text
    pen_y = y + PAD + TITLE - 2
    shapes.append(Text(centre[0], pen_y, part.title, TITLE, color, True))
    for text in part.lines:
        pen_y += 19
        shapes.append(Text(centre[0], pen_y, text, SMALL, color))
    for chip in part.chips:
        pen_y += CHIP + 3
        wide = text_width(chip, SMALL) + 16
        shapes.append(
            rectangle(centre[0] - wide / 2, pen_y - 16, wide, CHIP, look.chip, look.chip_line, line=1, radius=5)
        )
        shapes.append(Text(centre[0], pen_y + 0.5, chip, SMALL, look.chip_text))
    return Group(shapes, f"unit{part.place}", tip, about)


def _tip(part: Part, numbers: Numbers) -> str:
    name = " · ".join([part.title, *part.lines, *part.chips])
    grad = f" · gradient norm {signed(numbers.grad).lstrip('+')}" if numbers.grad == numbers.grad else ""
    state = f" ({numbers.state.value})" if numbers.state is not Reached.NONE else ""
    return f"{name} · {numbers.result}{grad}{state}"


def _frames(placed: Layout, pen: _Pen) -> list[Shape]:
    theme, shapes = pen.theme, list[Shape]()
    for spot in placed.spots:
        if spot.frame is not None:
            box: list[Shape] = []
            for k in (10, 5) if spot.frame.times > 1 else ():
                box.append(rectangle(spot.x + k, spot.y - k, spot.width, spot.height, theme.cluster,
                                     theme.cluster_line, line=1.4, radius=14))  # fmt: skip
            box.append(rectangle(spot.x, spot.y, spot.width, spot.height, theme.cluster, theme.cluster_line,
                                 line=1.8, radius=14))  # fmt: skip
            box.append(Text(spot.x + 18, spot.y + 25, spot.frame.title, TITLE, theme.text, True, "start"))
            inside = [str(p.place) for s in spot.frame.sections for p in s.parts]
            about = {"layers": str(spot.frame.times), "inside": " ".join(inside)}
            shapes.append(Group(box, f"layers{inside[0]}", spot.frame.title, about))
    framed = {id(s) for spot in placed.spots if spot.frame is not None for s in spot.frame.sections}
    for spot in placed.spots:
        if spot.placed is not None:
            more = _heads(spot.placed, placed, pen)
            label = spot.placed.section.label
            if label:
                more.append(Text(spot.x + 34, spot.y + spot.height + 16, label, SMALL, theme.faint, True, "start"))
            shapes += [Group(more, about={"with": "layers"})] if id(spot.placed.section) in framed and more else more
    return shapes


def _heads(section: Placed, placed: Layout, pen: _Pen) -> list[Shape]:
    """A panel behind what every head does by itself."""
    inside = [p for p in section.section.parts if p.unit.copies > 1]
    if not inside:
        return []
    x0 = min(placed.centre[p.place][0] - p.width / 2 for p in inside) - 12
    x1 = max(placed.centre[p.place][0] + p.width / 2 for p in inside) + 18
    y0 = min(placed.centre[p.place][1] - p.height / 2 for p in inside) - 32
    y1 = max(placed.centre[p.place][1] + p.height / 2 for p in inside) + 12
    times = max(p.unit.copies for p in inside)
    return [
        rectangle(x0, y0, x1 - x0, y1 - y0, pen.look.panel, pen.look.chip_line, line=1.2, radius=8),
        Text(x1 - 8, y0 + 17, f"×{times} heads", SMALL, pen.look.chip_text, True, "end"),
    ]


# -- arrows ----------------------------------------------------------------------------------------


def _edges(plan: Plan, placed: Layout, pen: _Pen) -> list[Shape]:
    theme, look = pen.theme, pen.look
    shapes: list[Shape] = []
    of = {p.place: s for s in placed.spots if s.placed is not None for p in s.placed.section.parts}
    order = [s for s in placed.spots if s.placed is not None]
    number = {id(s): i for i, s in enumerate(order)}
    for a, b in plan.edges:
        source, target = of[a], of[b]
        if source is target:
            closing = target.placed is not None and target.placed.section.residual is plan.parts[b]
            shapes.append(
                _group(_inside(plan, placed, a, b, pen, closing, bool(source.placed and source.placed.down)), a, b)
            )
            continue
        near = number[id(target)] - number[id(source)] == 1 and _is_exit(plan, source.placed, a)
        residual = target.placed.section.residual if target.placed is not None else None
        if near and residual is not None and (a, residual.place) in plan.edges:
            if plan.parts[b] is residual:
                shapes.append(_group(_into(plan, placed, a, source, target, look.stream, 4.5), a, b))
            else:
                shapes.append(_group(_branch(plan, placed, target, b, theme.line), a, b))
        elif near:
            shapes.append(_group(_across(plan, placed, source, target, a, b, theme.line), a, b))
        else:
            shapes.append(
                _group(_around(plan, placed, a, b, look.stream if residual is plan.parts[b] else theme.line), a, b)
            )
    return shapes


def _group(shapes: list[Shape], a: int, b: int) -> Group:
    return Group(shapes, about={"from": str(a), "to": str(b)})


def _is_exit(plan: Plan, section: Placed | None, place: int) -> bool:
    if section is None:
        return False
    if section.section.residual is not None:
        return plan.parts[place] is section.section.residual
    return True


def _side(plan: Plan, placed: Layout, place: int, dx: float, dy: float) -> tuple[float, float]:
    x, y = placed.centre[place]
    part = plan.parts[place]
    return x + dx * part.width / 2, y + dy * part.height / 2


def _inside(plan: Plan, placed: Layout, a: int, b: int, pen: _Pen, closing: bool, down: bool) -> list[Shape]:
    line = pen.theme.line
    if closing:  # into the addition on the stream: along, then up
        x, y = placed.centre[b]
        start = _side(plan, placed, a, 1, 0)
        return arrow([start, (x, start[1]), (x, y + plan.parts[b].height / 2)], line, 2.2)
    if down:
        start, end = _side(plan, placed, a, 0, 1), _side(plan, placed, b, 0, -1)
    else:
        start, end = _side(plan, placed, a, 1, 0), _side(plan, placed, b, -1, 0)
    bends = placed.bends.get((a, b), [])
    if bends:
        if down:
            points = [start, (bends[0][0], start[1] + 14), *bends, (bends[-1][0], end[1] - 20), end]
        else:
            points = [start, (start[0] + 14, bends[0][1]), *bends, (end[0] - 20, bends[-1][1]), end]
        return arrow(points, line, 2.2, bend=8)
    return curve_arrow(start, end, line, 2.2, down=down)


def _into(plan: Plan, placed: Layout, a: int, source: Spot, target: Spot, color: str, width: float) -> list[Shape]:
    """The residual stream through a section: from what came before to the addition at its end."""
    assert target.placed is not None
    plus = target.placed.section.residual
    assert plus is not None
    end = _side(plan, placed, plus.place, -1, 0)
    points = _way(placed, source, target, _side(plan, placed, a, 1, 0), (target.x, target.y + target.placed.entry))
    return arrow([*points, end], color, width, head=15, bend=BEND)


def _way(
    placed: Layout, source: Spot, target: Spot, start: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    """From the right of something to the left of something else, which may be in the next row of the slide or frame."""
    (x0, y0), (x1, y1) = start, end
    if source.row == target.row and x1 > x0 + 4:
        middle = min(x0 + 18, (x0 + x1) / 2)
        return [start, end] if abs(y0 - y1) < 1 else [start, (middle, y0), (middle, y1), end]
    right, left, above = x0 + BEND, x1 - BEND, target.y - ROW_GAP / 2
    if source.row != target.row:
        row = [s for s in placed.spots if s.row == target.row]
        above = min(s.y for s in row) - ROW_GAP / 2 + 4
        frame = next((s for s in row if s.frame is not None and s.x <= x1 <= s.x + s.width and
                      s.y <= y1 <= s.y + s.height), None)  # fmt: skip
        left = min(left, frame.x - BEND) if frame is not None else left
    return [start, (right, y0), (right, above), (left, above), (left, y1), end]


def _branch(plan: Plan, placed: Layout, target: Spot, b: int, color: str) -> list[Shape]:
    """From the stream down into a block."""
    assert target.placed is not None
    x, y = target.x + 8, target.y + target.placed.entry
    end = _side(plan, placed, b, -1, 0)
    return arrow([(x, y), (x, end[1]), end], color, 2.2)


def _across(plan: Plan, placed: Layout, source: Spot, target: Spot, a: int, b: int, color: str) -> list[Shape]:
    start, end = _side(plan, placed, a, 1, 0), _side(plan, placed, b, -1, 0)
    if source.row == target.row and end[0] > start[0] + 8:
        return curve_arrow(start, end, color, 2.2)
    return arrow(_way(placed, source, target, start, end), color, 2.2)


def _around(plan: Plan, placed: Layout, a: int, b: int, color: str) -> list[Shape]:
    """Past other sections: below everything between."""
    start, end = _side(plan, placed, a, 0, 1), _side(plan, placed, b, 0, 1)
    low = max(y + plan.parts[p].height / 2 for p, (x, y) in placed.centre.items()
              if min(start[0], end[0]) - 30 <= x <= max(start[0], end[0]) + 30)  # fmt: skip
    low += 12 + 5 * (a % 3)
    return arrow([start, (start[0], low), (end[0], low), end], color, 2.0, dash=(7, 5))


def _backward(plan: Plan, placed: Layout, pen: _Pen, found: Structure) -> list[Shape]:
    """The way of the gradient: from the loss back to the first parameters."""
    sources = [p for p, part in plan.parts.items() if part.unit.matrices]
    if found.loss not in plan.parts or not sources:
        return []
    first = min(sources, key=lambda p: (round(placed.centre[p][0] / 40), -placed.centre[p][1]))
    start = _side(plan, placed, found.loss, 0, 1)
    low = placed.height + 26
    end = _side(plan, placed, first, -1, 0)
    beside = [p for p, (x, y) in placed.centre.items() if x < placed.centre[first][0] and abs(y - end[1]) < 40]
    left = min(x - plan.parts[p].width / 2 for p, (x, _) in placed.centre.items()) - 24
    text = "backward: gradients flow from the loss to every parameter"
    middle = (start[0] + left) / 2
    corners = [(left, low), (left, end[1]), end]
    if beside:  # something without parameters stands in the way: from below
        end = _side(plan, placed, first, 0, 1)
        corners = [(end[0], low), end]
        middle = (start[0] + end[0]) / 2
    way = arrow([start, (start[0], low), *corners], pen.look.gradient, 3.6, head=15, bend=14)
    if text_width(text, SMALL + 1, True) > 0.8 * (start[0] - left):
        text = "backward"
    wide = text_width(text, SMALL + 1, True) / 2 + 10
    ground = rectangle(middle - wide, low - 12, 2 * wide, 24, pen.theme.background)
    return [Group([*way, ground, Text(middle, low + 5, text, SMALL + 1, pen.look.gradient, True)], "backward", text)]


# -- head and legend -------------------------------------------------------------------------------


def _head(trace: Trace, event: int, found: Structure, title: str, pen: _Pen, width: float) -> list[Shape]:
    theme = pen.theme
    until = grads_until(trace, event)
    count = sum(len(m.nodes) for m in dict.fromkeys(m for u in found.units for m in u.matrices))
    layers = max((r.times for r in found.repeats), default=0)
    done = "gradients complete" if until < event or _is_complete(trace, event) else f"event {event + 1:,}"
    name = {"step": f"step {trace.number}", "setup": "setup"}.get(
        trace.episode_kind, f"{trace.episode_kind} {trace.number}"
    )
    facts = [name, done]
    facts += [f"{layers} layers"] if layers else []
    facts += [f"{found.heads} heads"] if found.heads else []
    facts += [f"position {found.positions} of {found.positions} shown"] if found.positions > 1 else []
    facts += [f"{count:,} parameters in use"]
    loss = trace.loss_node(event)
    facts += [f"loss {trace.data_at(loss, event):.4f}"] if loss >= 0 else []
    return [
        Text(MARGIN, 66, title, 36, theme.text, True, "start"),
        Text(MARGIN, 104, " · ".join(facts), 21, theme.faint, anchor="start"),
    ]


def _is_complete(trace: Trace, event: int) -> bool:
    span = backward_span(trace, event)
    return span is not None and event >= span[1]


def _legend(found: Structure, numbers: dict[int, Numbers], pen: _Pen, y: float) -> list[Shape]:
    theme, look = pen.theme, pen.look
    shapes: list[Shape] = []
    x, size = MARGIN, 18.0

    def say(text: str, bold: bool = False, color: str = theme.text) -> None:
        nonlocal x
        shapes.append(Text(x, y + 6, text, size, color, bold, "start"))
        x += text_width(text, size, bold) + 14

    if pen.low == pen.low:
        say("gradient norm", True)
        say(signed(pen.low).lstrip("+"), color=theme.faint)
        for k in range(6):
            shapes.append(rectangle(x, y - 13, 38, 26, mix(look.cold, look.hot, k / 5), theme.cluster_line, line=1))
            x += 38
        x += 12
        say(signed(pen.high).lstrip("+"), color=theme.faint)
        x += 22
    states = {n.state for n in numbers.values()}
    for state, text in ((Reached.WAITING, "not reached"), (Reached.ACCUMULATING, "accumulating")):
        if state in states:
            moving = state is Reached.ACCUMULATING
            shapes.append(
                rectangle(x, y - 12, 40, 24, look.cold if moving else theme.background,
                          look.gradient if moving else theme.box_line, line=3 if moving else 1.6, radius=6,
                          dash=() if moving else (5, 4))
            )  # fmt: skip
            x += 50
            say(text, color=theme.faint)
            x += 14
    wide = text_width("16×16 · 256", 16) + 20
    shapes.append(rectangle(x, y - 13, wide, 26, look.chip, look.chip_line, line=1, radius=6))
    shapes.append(Text(x + wide / 2, y + 6, "rows×columns", 14.5, look.chip_text))
    x += wide + 10
    say("parameters · how many", color=theme.faint)
    if any(u.skips >= 0 for u in found.units):
        x += 14
        shapes += arrow([(x, y), (x + 62, y)], look.stream, 4.5, head=15)
        x += 74
        say("residual stream", color=theme.faint)
    if found.missing:
        text = "not used in this step: " + ", ".join(m.name for m in found.missing[:4])
        text += f" and {len(found.missing) - 4} more" if len(found.missing) > 4 else ""
        shapes.append(Text(MARGIN, y + 38, text, 17, theme.faint, anchor="start"))
    return shapes

"""A drawn part of the graph in a pane: boxes and lines around the cursor, and at the edges what lies beyond."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style

from microgpt_tui.graph.picture import Box
from microgpt_tui.graph.scene import Scene, Text, brief
from microgpt_tui.graph.state import Reached
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, text

LINE = "#66718a"
SIGN = "#c9b2ff"
COUNT = Style(color=palette.DIM)
CARRYING = palette.PHASE_COLORS[2]
GROUND = {
    Reached.NONE: palette.SURFACE, Reached.WAITING: palette.SURFACE, Reached.ZEROED: palette.SURFACE,
    Reached.ACCUMULATING: "#453c1d", Reached.FINAL: "#1d3a2b",
}  # fmt: skip
Put = Callable[[int, int, str, Style], None]


def window(drawn: Scene, cursor: int, edge: tuple[int, int] | None, width: int, height: int) -> list[Line]:
    """The part of the sheet around the cursor that fits; its edges say what lies beyond."""
    sheet, place = drawn.sheet, drawn.sheet.places[cursor]
    above = below = 0
    if not drawn.sheet.height <= height or not sheet.width <= width:
        above, below = (1, 1) if sheet.height > height - 1 else (0, 1)
        height -= above + below
    left = _offset(place.x + place.width // 2, sheet.width, width)
    top = _offset(place.y + place.height // 2, sheet.height, height)
    plain = _style(LINE)
    characters = [[" "] * width for _ in range(height)]
    styles = [[plain] * width for _ in range(height)]

    def put(x: int, y: int, glyph: str, style: Style) -> None:
        if 0 <= x - left < width and 0 <= y - top < height:
            characters[y - top][x - left] = glyph
            styles[y - top][x - left] = style

    for (x, y), cell in sheet.cells.items():
        put(x, y, cell.glyph, plain)
    for pair, arrow in drawn.arrows.items():
        if pair == edge or arrow.carrying:
            style = _style(CARRYING if arrow.carrying else palette.ACCENT, bold=True)
            for x, y in sheet.routes.get(pair, ()):
                put(x, y, sheet.cells[x, y].glyph, style)
    for (x, y), glyph in sheet.written.items():
        put(x, y, glyph, COUNT)
    for key, spot in sheet.places.items():
        _label(drawn, key, cursor, put)
        for y in range(spot.y, spot.y + spot.height):
            if spot.x < left < spot.x + spot.width:
                put(left, y, "…", plain)
            if spot.x < left + width < spot.x + spot.width:
                put(left + width - 1, y, "…", plain)
    lines = [_segments(c, s) for c, s in zip(characters, styles, strict=True)]
    hidden = _beyond(drawn, left, top, width, height)
    if above:
        lines.insert(0, _edge_line("", hidden["up"], "", width))
    if below:
        lines.append(_edge_line(hidden["left"], hidden["down"], hidden["right"], width))
    return lines


def _label(drawn: Scene, key: int, cursor: int, put: Put) -> None:
    place, box, said = drawn.sheet.places[key], drawn.boxes[key], drawn.texts[key]
    ground = palette.HIGHLIGHT if key == cursor else GROUND[box.state]
    edge_style = _style(palette.ACCENT if key == cursor else LINE, bold=key == cursor)
    leads_on = any(tail == key for tail, _ in drawn.arrows)
    for row in range(place.height):
        y = place.y + row
        put(place.x, y, _side(said, row, len(place.inputs)), edge_style)
        first = row == 0
        put(place.x + place.width - 1, y, _end(said, leads_on and first), edge_style)
        content = "" if row >= len(said.rows) else said.first if first else " " * said.indent + said.rows[row]
        style = _text_style(box, content, first and said.rows[0] != _data(box), key == drawn.focus, ground)
        gradient = content.find("∇") if box.node >= 0 else -1
        for column in range(place.width - 2):
            inside = column < len(content)
            now, glyph = style, content[column] if inside else " "
            if said.sign and not inside:
                glyph = "─" if leads_on and first and column > len(content) else " "
                now = edge_style
            elif 0 <= gradient <= column:
                color = palette.DIM if box.grad != box.grad else palette.signed_color(box.grad, abs(box.grad))
                now = _style(color, ground)
            elif first and said.sign and column < said.first.find(")") + 1:
                now = _style(palette.ACCENT if key == cursor else SIGN, ground, bold=True)
            put(place.x + 1 + column, y, glyph, now)


def _text_style(box: Box, content: str, named: bool, focus: bool, ground: str) -> Style:
    if named:
        color = {"parameter": "#b9c3ff", "loss": palette.ACCENT, "constant": palette.DIM}.get(box.kind, palette.TEXT)
        if focus:
            color = palette.ACCENT
        return _style(color, ground, bold=True, underline=focus and palette.NO_COLOR)
    data = box.data
    if data != data:
        return _style(palette.DIM, ground)
    color = palette.signed_color(data, abs(data) or 1.0) if data else palette.TEXT
    return _style(color, ground)


def _side(said: Text, row: int, inputs: int) -> str:
    """What the left side of a label is drawn with: a box, or the lines that come together in an operation."""
    if not said.sign:
        return "┤" if row < inputs else "│"
    if row >= inputs:
        return " "
    if inputs == 1:
        return "─"
    return "┬" if row == 0 else "╯" if row == inputs - 1 else "┤"


def _end(said: Text, leads_on: bool) -> str:
    """What the right side is drawn with."""
    if said.sign:
        return "─" if leads_on else " "
    return "├" if leads_on else "│"


def _data(box: Box) -> str:
    return brief(box.data) if box.node >= 0 else ""


def _beyond(drawn: Scene, left: int, top: int, width: int, height: int) -> dict[str, int]:
    """How many boxes are not, or not wholly, in the window, by the side where they lie."""
    found = dict.fromkeys(("left", "right", "up", "down"), 0)
    for place in drawn.sheet.places.values():
        if place.x < left:
            found["left"] += 1
        elif place.x + place.width > left + width:
            found["right"] += 1
        elif place.y < top:
            found["up"] += 1
        elif place.y + place.height > top + height:
            found["down"] += 1
    return found


def _edge_line(before: int | str, middle: int, after: int | str, width: int) -> Line:
    """What lies beyond the edges: at the left, above or below, at the right."""
    ends = f"‹ {before} more" if before else "", f"{after} more ›" if after else ""
    arrow = "↑" if before == after == "" else "↓"
    between = f"{arrow} {middle} more" if middle else ""
    line = list(" " * width)
    for start, words in ((0, ends[0]), (width - len(ends[1]), ends[1]), ((width - len(between)) // 2, between)):
        line[start : start + len(words)] = words
    return [text("".join(line), palette.ACCENT)]


@lru_cache(maxsize=512)
def _style(color: str, ground: str | None = None, *, bold: bool = False, underline: bool = False) -> Style:
    """The same object for the same look: neighbours of one style become one segment."""
    return Style(color=color, bgcolor=ground, bold=bold, underline=underline)


def _offset(middle: int, size: int, room: int) -> int:
    """Where a window starts so that a place is in its middle; a sheet that fits is centred."""
    if size <= room:
        return -((room - size) // 2)
    return max(0, min(size - room, middle - room // 2))


def _segments(characters: list[str], styles: list[Style]) -> Line:
    line: Line = []
    start = 0
    for i in range(1, len(characters) + 1):
        if i == len(characters) or styles[i] is not styles[start]:
            line.append(Segment("".join(characters[start:i]), styles[start]))
            start = i
    return line

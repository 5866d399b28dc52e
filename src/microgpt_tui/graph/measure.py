"""How large everything of a picture is, in the letters that it is drawn with."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.graph.draw.font import text_width
from microgpt_tui.graph.numbers import plain, signed
from microgpt_tui.graph.picture import Box, Picture
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.state import Reached

NODE_TEXT, SMALL_TEXT = 14.0, 13.0
"""Points, before a slide scales the whole picture to its size."""
LINE, PAD = 18.5, 6.0
NUMBER = text_width("−0.0e−00", NODE_TEXT)
"""Room for any number: a box does not grow when its gradient arrives."""
MARKS = {
    Reached.NONE: "grad",
    Reached.WAITING: "grad",
    Reached.ACCUMULATING: "grad …",
    Reached.FINAL: "grad ✓",
    Reached.ZEROED: "grad",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a box: one text, or a name and a number."""

    text: str
    number: str = ""
    value: float = 0.0
    bold: bool = False
    faint: bool = False


def rows_of(box: Box, style: Style) -> list[Row]:
    """What is written in a box."""
    rows = [Row(box.title, bold=True)]
    if box.node < 0 and box.count and style.labels != "names" and not box.result:
        rows.append(Row(f"{box.count:,} node{'s' if box.count != 1 else ''}", faint=True))
    if style.labels in ("both", "data"):
        if box.node >= 0:
            rows.append(Row("data", _number(box.data, True), box.data))
        elif box.result:
            parts = box.result.split(" · ")
            rows += [Row(parts[0].partition(",")[0])] if style.compact else [Row(part) for part in parts]
    if style.labels in ("both", "grad"):
        has_sign = box.node >= 0
        rows.append(Row(MARKS[box.state] if has_sign else "|grad|", _number(box.grad, has_sign), box.grad))
    if box.uses:
        rows.append(Row(box.uses, faint=True))
    more = [f"+{n} more {what}" for n, what in ((box.more_inputs, "inputs"), (box.more_users, "users")) if n]
    if more:
        rows.append(Row(", ".join(more), faint=True))
    return rows


def _number(value: float, has_sign: bool) -> str:
    if value != value:
        return "·"
    return signed(value) if has_sign else plain(value)


def size_of(box: Box, style: Style) -> tuple[float, float]:
    """Width and height of a box."""
    if box.body is not None:
        return box.body.size(style)
    rows = rows_of(box, style)
    names = [text_width(r.text, SMALL_TEXT) + 10 for r in rows if r.number]
    names += [text_width(m, SMALL_TEXT) + 10 for m in MARKS.values()] if names else []
    wide = max(names) + NUMBER if names else 0.0
    for row in rows:
        if not row.number:
            size = NODE_TEXT if row.bold else SMALL_TEXT
            wide = max(wide, text_width(row.text, size, row.bold))
    return wide + 2 * PAD, len(rows) * LINE + 2 * PAD - 3


def sizes_of(picture: Picture, style: Style) -> dict[int, tuple[float, float]]:
    """Key of a box -> its width and height."""
    return {box.key: size_of(box, style) for box in picture.boxes}

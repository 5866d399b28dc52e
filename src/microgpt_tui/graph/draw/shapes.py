"""What a picture consists of once everything has its place: paths, texts, and groups that say what they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from microgpt_tui.graph.draw.font import Curve, letter, text_width


@dataclass(frozen=True, slots=True)
class Path:
    """A line or an area. Coordinates in pixels, y downwards."""

    curves: tuple[Curve, ...]
    fill: str = ""
    """``#rrggbb``; empty for none."""
    stroke: str = ""
    width: float = 1.5
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; (x, y) is on its baseline."""

    x: float
    y: float
    text: str
    size: float
    color: str
    bold: bool = False
    anchor: str = "middle"
    """``start``, ``middle`` or ``end``."""

    @property
    def left(self) -> float:
        """Where it begins."""
        width = text_width(self.text, self.size, self.bold)
        return self.x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]

    def curves(self) -> Iterator[Curve]:
        """Its outlines."""
        pen = self.left
        for character in self.text:
            for name, points in letter(character, self.bold):
                placed = [pen + v * self.size if i % 2 == 0 else self.y + v * self.size for i, v in enumerate(points)]
                yield name, tuple(placed)
            pen += text_width(character, self.size, self.bold)


@dataclass(slots=True)
class Group:
    """Shapes that are one thing: a box, an arrow. ``about`` is what it is, for tests, readers and pages."""

    shapes: list[Shape] = field(default_factory=list)
    name: str = ""
    title: str = ""
    """Shown by a browser under the mouse, and read aloud."""
    about: dict[str, str] = field(default_factory=dict)


Shape = Path | Text | Group


@dataclass(slots=True)
class Sheet:
    """A page of so many pixels."""

    width: float
    height: float
    background: str
    shapes: list[Shape] = field(default_factory=list)
    title: str = ""

    def flat(self) -> Iterator[Path | Text]:
        """Every path and text, the lowest first."""
        yield from _flat(self.shapes)

    @property
    def texts(self) -> list[Text]:
        """Every text."""
        return [s for s in self.flat() if isinstance(s, Text)]


def _flat(shapes: list[Shape]) -> Iterator[Path | Text]:
    for shape in shapes:
        if isinstance(shape, Group):
            yield from _flat(shape.shapes)
        else:
            yield shape


def moved(shape: Shape, scale: float, dx: float, dy: float) -> Shape:
    """A shape made larger and put elsewhere."""
    if isinstance(shape, Group):
        inner = [moved(s, scale, dx, dy) for s in shape.shapes]
        return Group(inner, shape.name, shape.title, shape.about)
    if isinstance(shape, Text):
        x, y = shape.x * scale + dx, shape.y * scale + dy
        return Text(x, y, shape.text, shape.size * scale, shape.color, shape.bold, shape.anchor)
    curves = tuple(
        (n, tuple(v * scale + (dy if i % 2 else dx) for i, v in enumerate(points))) for n, points in shape.curves
    )
    dash = tuple(d * scale for d in shape.dash)
    return Path(curves, shape.fill, shape.stroke, shape.width * scale, dash)


# -- common shapes ---------------------------------------------------------------------------------

ROUND = 0.5523
"""Of a quarter circle as a cubic curve."""


def rectangle(
    x: float, y: float, width: float, height: float, fill: str = "", stroke: str = "", *, line: float = 1.5,
    radius: float = 0.0, dash: tuple[float, ...] = (),
) -> Path:  # fmt: skip
    """A rectangle, its corners rounded."""
    r = min(radius, width / 2, height / 2)
    a, b, k = x + width, y + height, r * (1 - ROUND)
    if not r:
        corners: tuple[Curve, ...] = (("M", (x, y)), ("L", (a, y)), ("L", (a, b)), ("L", (x, b)), ("Z", ()))
        return Path(corners, fill, stroke, line, dash)
    curves: tuple[Curve, ...] = (
        ("M", (x + r, y)), ("L", (a - r, y)), ("C", (a - k, y, a, y + k, a, y + r)),
        ("L", (a, b - r)), ("C", (a, b - k, a - k, b, a - r, b)),
        ("L", (x + r, b)), ("C", (x + k, b, x, b - k, x, b - r)),
        ("L", (x, y + r)), ("C", (x, y + k, x + k, y, x + r, y)), ("Z", ()),
    )  # fmt: skip
    return Path(curves, fill, stroke, line, dash)


def circle(x: float, y: float, radius: float, fill: str, stroke: str, line: float = 1.5) -> Path:
    """A circle."""
    return rectangle(x - radius, y - radius, 2 * radius, 2 * radius, fill, stroke, line=line, radius=radius)


def arrow(
    points: list[tuple[float, float]], color: str, width: float = 2.0, *, head: float = 9.0, bend: float = 10.0,
    dash: tuple[float, ...] = (),
) -> list[Shape]:  # fmt: skip
    """A line through points with rounded corners and a head at its end; the line stops where the head begins."""
    (x0, y0), (x1, y1) = points[-2], points[-1]
    length = max(1e-6, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    base = x1 - ux * head, y1 - uy * head
    curves: list[Curve] = [("M", points[0])]
    for before, here, after in zip(points, points[1:-1], points[2:], strict=False):
        one, two = _towards(here, before, bend), _towards(here, after, bend)
        curves += [("L", one), ("Q", (*here, *two))]
    curves.append(("L", (base[0] + ux, base[1] + uy)))
    side = head * 0.48
    tip: tuple[Curve, ...] = (
        ("M", (x1, y1)), ("L", (base[0] - uy * side, base[1] + ux * side)),
        ("L", (base[0] + uy * side, base[1] - ux * side)), ("Z", ()),
    )  # fmt: skip
    return [Path(tuple(curves), "", color, width, dash), Path(tip, color)]


def curve_arrow(start: tuple[float, float], end: tuple[float, float], color: str, width: float, *, down: bool = False,
                head: float = 9.0) -> list[Shape]:  # fmt: skip
    """A curve that leaves and arrives along the way the picture runs: to the right, or down."""
    (x0, y0), (x1, y1) = start, end
    if down:
        base, reach = (x1, y1 - head), max(10.0, (y1 - head - y0) * 0.5)
        middle = (x0, y0 + reach, x1, y1 - head - reach, x1, y1 - head + 1)
        tip: tuple[Curve, ...] = (("M", end), ("L", (x1 - head * 0.48, base[1])), ("L", (x1 + head * 0.48, base[1])))
    else:
        base, reach = (x1 - head, y1), max(10.0, (x1 - head - x0) * 0.5)
        middle = (x0 + reach, y0, x1 - head - reach, y1, x1 - head + 1, y1)
        tip = (("M", end), ("L", (base[0], y1 - head * 0.48)), ("L", (base[0], y1 + head * 0.48)))
    return [Path((("M", start), ("C", middle)), "", color, width), Path((*tip, ("Z", ())), color)]


def _towards(point: tuple[float, float], other: tuple[float, float], length: float) -> tuple[float, float]:
    dx, dy = other[0] - point[0], other[1] - point[1]
    whole = max(1e-6, (dx * dx + dy * dy) ** 0.5)
    part = min(length, whole / 2) / whole
    return point[0] + dx * part, point[1] + dy * part

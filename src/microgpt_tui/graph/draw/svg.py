"""A sheet as SVG: letters are outlines, so that a browser, Inkscape and PowerPoint show the very same."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from html import escape

from microgpt_tui.graph.draw.font import Curve, letter, text_width
from microgpt_tui.graph.draw.shapes import Group, Path, Shape, Sheet, Text


def document(sheet: Sheet) -> str:
    """The whole file."""
    width, height = f"{sheet.width:g}", f"{sheet.height:g}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img">',
        f"<title>{escape(sheet.title)}</title>",
        f'<rect width="100%" height="100%" fill="{sheet.background}"/>',
        *(element(shape) for shape in sheet.shapes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def element(shape: Shape, *, letters: bool = True) -> str:
    """A shape as an element; without ``letters`` texts stay texts, for a page that brings the font."""
    if isinstance(shape, Group):
        about = "".join(f' data-{k}="{escape(v)}"' for k, v in shape.about.items())
        name = f' id="{escape(shape.name)}"' if shape.name else ""
        title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
        inner = "\n".join(element(s, letters=letters) for s in shape.shapes)
        return f"<g{name}{about}>{title}{inner}</g>"
    if isinstance(shape, Text):
        return _outlined(shape) if letters else _written(shape)
    return _path(shape)


def data(curves: Iterable[Curve]) -> str:
    """The ``d`` of a path: a start in full, then steps in tenths of a pixel from where the pen is."""
    parts: list[str] = []
    x = y = 0
    start = 0, 0
    for name, points in curves:
        tenths = [round(10 * v) for v in points]
        if name == "M":
            parts.append(f"M{_number(tenths[0])} {_number(tenths[1])}")
        elif points:
            steps = [v - (y if i % 2 else x) for i, v in enumerate(tenths)]
            text = ""
            for step in steps:
                number = _number(step)
                text += number if not text or number.startswith("-") else " " + number
            parts.append(name.lower() + text)
        else:
            parts.append("z")
        if points:
            x, y = tenths[-2:]
        if name == "M":
            start = x, y
        elif name == "Z":
            x, y = start
    return "".join(parts)


def _number(tenths: int) -> str:
    """A tenth part of a whole number, as short as it can be."""
    sign, whole, rest = "-" if tenths < 0 else "", *divmod(abs(tenths), 10)
    return f"{sign}{whole}" if not rest else f"{sign}{whole or ''}.{rest}"


def _path(path: Path) -> str:
    stroke = f' stroke="{path.stroke}" stroke-width="{path.width:.2f}"' if path.stroke else ""
    dash = f' stroke-dasharray="{" ".join(f"{d:.1f}" for d in path.dash)}"' if path.dash else ""
    return f'<path d="{data(path.curves)}" fill="{path.fill or "none"}"{stroke}{dash}/>'


def _outlined(text: Text) -> str:
    return (
        f'<g role="text" aria-label="{escape(text.text)}" data-size="{text.size:.1f}">'
        f'<path d="{_letters(text)}" fill="{text.color}"/></g>'
    )


def _letters(text: Text) -> str:
    parts, pen, y = [], text.left, round(10 * text.y)
    for character in text.text:
        x = round(10 * pen)
        for dx, dy, steps in _contours(character, text.bold, text.size):
            parts.append(f"M{_number(x + dx)} {_number(y + dy)}{steps}")
        pen += text_width(character, text.size, text.bold)
    return "".join(parts)


@lru_cache(maxsize=4096)
def _contours(character: str, bold: bool, size: float) -> list[tuple[int, int, str]]:
    """A letter's contours: where each begins, in tenths of a pixel from the pen, and the steps from there."""
    found: list[tuple[int, int, str]] = []
    contour: list[Curve] = []
    for name, points in letter(character, bold):
        contour.append((name, tuple(v * size for v in points)))
        if name == "Z":
            x, y = contour[0][1]
            text = data(contour)
            found.append(
                (round(10 * x), round(10 * y), text[len(f"M{_number(round(10 * x))} {_number(round(10 * y))}") :])
            )
            contour = []
    return found


def _written(text: Text) -> str:
    weight = ' font-weight="bold"' if text.bold else ""
    return (
        f'<text x="{text.x:.1f}" y="{text.y:.1f}" font-size="{text.size:.1f}" text-anchor="{text.anchor}" '
        f'fill="{text.color}"{weight}>{escape(text.text)}</text>'
    )

"""A sheet as a PDF of one page that is exactly the sheet; letters are outlines."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from microgpt_tui.graph.draw.font import Curve
from microgpt_tui.graph.draw.shapes import Path, Sheet

POINTS = 0.5
"""Points per pixel: a slide of 1920 pixels is 960 points wide, as presentation programs have it."""


def document(sheet: Sheet) -> bytes:
    """The whole file."""
    width, height = sheet.width * POINTS, sheet.height * POINTS
    lines = [f"{POINTS} 0 0 -{POINTS} 0 {height:g} cm 1 j 1 J"]
    lines += [_paint(sheet.background, "rg"), f"0 0 {sheet.width:g} {sheet.height:g} re f"]
    for shape in sheet.flat():
        if isinstance(shape, Path):
            lines.append(_path(shape))
        else:
            lines.append(f"{_paint(shape.color, 'rg')} {_way(shape.curves())} f")
    content = zlib.compress("\n".join(lines).encode("ascii"))
    title = "FEFF" + sheet.title.encode("utf-16-be").hex().upper()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width:g} {height:g}] /Contents 4 0 R ".encode()
        + b"/Resources << >> >>",
        f"<< /Length {len(content)} /Filter /FlateDecode >>\nstream\n".encode() + content + b"\nendstream",
        f"<< /Title <{title}> >>".encode(),
    ]
    out = bytearray(b"%PDF-1.4\n")
    starts = []
    for number, one in enumerate(objects, 1):
        starts.append(len(out))
        out += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{start:010d} 00000 n \n".encode() for start in starts)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def _paint(color: str, operator: str) -> str:
    return " ".join(f"{int(color[i : i + 2], 16) / 255:.3f}" for i in (1, 3, 5)) + f" {operator}"


def _path(path: Path) -> str:
    parts = []
    if path.fill:
        parts.append(_paint(path.fill, "rg"))
    if path.stroke:
        dash = " ".join(f"{d:.1f}" for d in path.dash)
        parts.append(f"{_paint(path.stroke, 'RG')} {path.width:.2f} w [{dash}] 0 d")
    operator = "B" if path.fill and path.stroke else "f" if path.fill else "S"
    return " ".join([*parts, _way(path.curves), operator])


def _way(curves: Iterable[Curve]) -> str:
    parts = []
    x = y = 0.0
    for name, points in curves:
        if name == "Q":
            a, b, end_x, end_y = points
            points = (
                x + 2 / 3 * (a - x),
                y + 2 / 3 * (b - y),
                end_x + 2 / 3 * (a - end_x),
                end_y + 2 / 3 * (b - end_y),
                end_x,
                end_y,
            )
            name = "C"
        if points:
            x, y = points[-2:]
        numbers = " ".join(f"{v:.2f}" for v in points)
        parts.append(f"{numbers} { {'M': 'm', 'L': 'l', 'C': 'c', 'Z': 'h'}[name] }".strip())
    return " ".join(parts)

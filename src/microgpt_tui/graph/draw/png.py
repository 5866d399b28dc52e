"""A sheet as pixels: areas are filled by their exact coverage of each pixel. Standard library only."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable
from itertools import pairwise

from microgpt_tui.graph.draw.font import Curve
from microgpt_tui.graph.draw.shapes import Path, Sheet, Text, moved

Point = tuple[float, float]
Cells = dict[int, dict[int, list[float]]]
"""Row -> column -> (height covered from here on, area of it that lies left of the edge within the pixel)."""


def document(sheet: Sheet) -> bytes:
    """The whole file."""
    width, height = round(sheet.width), round(sheet.height)
    raw = b"".join(b"\x00" + bytes(row) for row in pixels(sheet))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(raw, 6)) + _chunk(b"IEND", b"")


def pixels(sheet: Sheet, scale: float = 1.0) -> list[bytearray]:
    """Rows of red, green and blue, larger or smaller than the sheet is."""
    width, height = round(sheet.width * scale), round(sheet.height * scale)
    ground = bytes(int(sheet.background[i : i + 2], 16) for i in (1, 3, 5))
    rows = [bytearray(ground * width) for _ in range(height)]
    for one in sheet.flat():
        shape = one if scale == 1 else moved(one, scale, 0, 0)
        if not isinstance(shape, Path):
            if isinstance(shape, Text):
                _fill(rows, width, _flattened(shape.curves()), shape.color)
            continue
        lines = _flattened(shape.curves)
        if shape.fill:
            _fill(rows, width, lines, shape.fill)
        if shape.stroke:
            _fill(rows, width, _outline(lines, shape.width, shape.dash), shape.stroke)
    return rows


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _flattened(curves: Iterable[Curve]) -> list[list[Point]]:
    """Curves as polygons; a closed one ends where it began."""
    found: list[list[Point]] = []
    here: Point = (0.0, 0.0)
    for name, p in curves:
        if name == "M":
            found.append([(p[0], p[1])])
        elif name == "L":
            found[-1].append((p[0], p[1]))
        elif name == "Z":
            found[-1].append(found[-1][0])
        else:
            (x0, y0) = here
            size = math.dist(here, p[-2:]) + sum(abs(a - b) for a, b in zip(p, p[2:], strict=False)) / 2
            steps = max(2, min(24, round(size / 3)))
            for k in range(1, steps + 1):
                t = k / steps
                u = 1 - t
                if name == "Q":
                    x = u * u * x0 + 2 * u * t * p[0] + t * t * p[2]
                    y = u * u * y0 + 2 * u * t * p[1] + t * t * p[3]
                else:
                    x = u**3 * x0 + 3 * u * u * t * p[0] + 3 * u * t * t * p[2] + t**3 * p[4]
                    y = u**3 * y0 + 3 * u * u * t * p[1] + 3 * u * t * t * p[3] + t**3 * p[5]
                found[-1].append((x, y))
        here = found[-1][-1]
    return found


def _outline(lines: list[list[Point]], width: float, dash: tuple[float, ...]) -> list[list[Point]]:
    """The area of a line: a rectangle per piece and a disc per joint, all turning the same way."""
    found: list[list[Point]] = []
    half = width / 2
    for line in lines:
        for piece in _dashed(line, dash) if dash else [line]:
            for (x0, y0), (x1, y1) in pairwise(piece):
                length = math.hypot(x1 - x0, y1 - y0)
                if not length:
                    continue
                dx, dy = (x1 - x0) / length * half, (y1 - y0) / length * half
                found.append([(x0 + dy, y0 - dx), (x1 + dy, y1 - dx), (x1 - dy, y1 + dx), (x0 - dy, y0 + dx)])
            if half > 0.8:
                for x, y in piece[1:-1] if piece[0] != piece[-1] else piece[1:]:
                    disc = [2 * math.pi * k / 10 for k in range(10)]
                    found.append([(x + half * math.cos(a), y + half * math.sin(a)) for a in disc])
    return [polygon + polygon[:1] for polygon in found]


def _dashed(line: list[Point], dash: tuple[float, ...]) -> list[list[Point]]:
    found: list[list[Point]] = []
    number, left, on = 0, dash[0], True
    piece = [line[0]]
    for (x0, y0), (x1, y1) in pairwise(line):
        length, done = math.hypot(x1 - x0, y1 - y0), 0.0
        while length - done > left:
            done += left
            at = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length)
            if on:
                found.append([*piece, at])
            on, number, piece = not on, number + 1, [at]
            left = dash[number % len(dash)]
        left -= length - done
        piece.append((x1, y1))
    if on and len(piece) > 1:
        found.append(piece)
    return found


def _fill(rows: list[bytearray], width: int, polygons: list[list[Point]], color: str) -> None:
    cells: Cells = {}
    height = len(rows)
    for polygon in polygons:
        for (x0, y0), (x1, y1) in pairwise(polygon):
            if y0 != y1:
                _edge(cells, x0, y0, x1, y1, width, height)
        if polygon and polygon[0] != polygon[-1]:
            (x0, y0), (x1, y1) = polygon[-1], polygon[0]
            if y0 != y1:
                _edge(cells, x0, y0, x1, y1, width, height)
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    whole = bytes((red, green, blue))
    for y, found in cells.items():
        row, cover, last = rows[y], 0.0, -1
        for x in sorted(found):
            if last >= 0 and x > last and abs(cover) > 0.004:
                _span(row, last, x, min(1.0, abs(cover)), whole)
            change, area = found[x]
            alpha = min(1.0, abs(cover + area))
            if alpha > 0.004 and x < width:
                _span(row, x, x + 1, alpha, whole)
            cover += change
            last = x + 1


def _span(row: bytearray, start: int, end: int, alpha: float, color: bytes) -> None:
    if alpha > 0.996:
        row[3 * start : 3 * end] = color * (end - start)
        return
    for at in range(3 * start, 3 * end, 3):
        for k in range(3):
            below = row[at + k]
            row[at + k] = round(below + (color[k] - below) * alpha)


def _edge(cells: Cells, x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> None:
    sign = 1.0
    if y0 > y1:
        x0, y0, x1, y1, sign = x1, y1, x0, y0, -1.0
    if y1 <= 0 or y0 >= height:
        return
    slope = (x1 - x0) / (y1 - y0)
    if y0 < 0:
        x0, y0 = x0 - slope * y0, 0.0
    y1 = min(y1, float(height))
    y, x = y0, x0
    while y < y1:
        row = int(y)
        below = min(row + 1.0, y1)
        after = x0 + slope * (below - y0)
        _row(cells.setdefault(row, {}), x, after, (below - y) * sign, width)
        y, x = below, after
        if below >= y1:
            break


def _row(cells: dict[int, list[float]], a: float, b: float, tall: float, width: int) -> None:
    """One edge's part in one row: per pixel how much of the height it covers, and the area to its right."""
    if a > b:
        a, b = b, a
    a, b = max(0.0, min(a, width)), max(0.0, min(b, width))
    first, last = int(a), int(b)
    if first == last or b - a < 1e-9:
        cell = cells.setdefault(first, [0.0, 0.0])
        cell[0] += tall
        cell[1] += tall * (1 - ((a + b) / 2 - first))
        return
    per = tall / (b - a)
    for x in range(first, last + 1):
        left, right = max(a, x), min(b, x + 1)
        if right <= left:
            continue
        part = per * (right - left)
        cell = cells.setdefault(x, [0.0, 0.0])
        cell[0] += part
        cell[1] += part * (1 - ((left + right) / 2 - x))

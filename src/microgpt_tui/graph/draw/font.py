"""The one font of every picture: measured with the outlines that are drawn (DejaVu Sans, reduced to what we write)."""

from __future__ import annotations

import struct
from array import array
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
Contour = list[tuple[float, float, bool]]
"""Points of a closed outline: x, y (upwards), whether the point lies on it; quadratic curves as TrueType has them."""


class Font:
    """A TrueType file: widths and outlines by character, in units of the em."""

    def __init__(self, path: Path) -> None:
        self.raw = raw = path.read_bytes()
        count = struct.unpack_from(">H", raw, 4)[0]
        self.tables: dict[str, tuple[int, int]] = {}
        for i in range(count):
            tag, _, start, size = struct.unpack_from(">4sIII", raw, 12 + 16 * i)
            self.tables[tag.decode()] = start, size
        head = self.tables["head"][0]
        self.em: int = struct.unpack_from(">H", raw, head + 18)[0]
        long = struct.unpack_from(">h", raw, head + 50)[0]
        glyphs = struct.unpack_from(">H", raw, self.tables["maxp"][0] + 4)[0]
        places = struct.unpack_from(f">{glyphs + 1}{'I' if long else 'H'}", raw, self.tables["loca"][0])
        self._places = [p if long else 2 * p for p in places]
        self._wide: int = struct.unpack_from(">H", raw, self.tables["hhea"][0] + 34)[0]
        self.glyph_of = self._characters()

    def _characters(self) -> dict[int, int]:
        raw, start = self.raw, self.tables["cmap"][0]
        found: dict[int, int] = {}
        for i in range(struct.unpack_from(">H", raw, start + 2)[0]):
            table = start + struct.unpack_from(">HHI", raw, start + 4 + 8 * i)[2]
            form, _, _, twice = struct.unpack_from(">4H", raw, table)
            if form != 4:
                continue
            n = twice // 2
            ends = struct.unpack_from(f">{n}H", raw, table + 14)
            firsts = struct.unpack_from(f">{n}H", raw, table + 16 + twice)
            deltas = struct.unpack_from(f">{n}h", raw, table + 16 + 2 * twice)
            ranges = table + 16 + 3 * twice
            offsets = struct.unpack_from(f">{n}H", raw, ranges)
            for k, (first, end, delta, offset) in enumerate(zip(firsts, ends, deltas, offsets, strict=True)):
                for code in range(first, min(end, 0xFFFE) + 1):
                    glyph = code
                    if offset:
                        glyph = struct.unpack_from(">H", raw, ranges + 2 * k + offset + 2 * (code - first))[0]
                    found[code] = (glyph + delta) & 0xFFFF
        return found

    def advance(self, character: str) -> int:
        """How far a character moves the pen."""
        glyph = min(self.glyph_of.get(ord(character), 0), self._wide - 1)
        width: int = struct.unpack_from(">H", self.raw, self.tables["hmtx"][0] + 4 * glyph)[0]
        return width

    def outline(self, character: str) -> list[Contour]:
        """A character's contours."""
        return self._outline(self.glyph_of.get(ord(character), 0))

    def _outline(self, glyph: int) -> list[Contour]:
        raw = self.raw
        start = self.tables["glyf"][0] + self._places[glyph]
        if self._places[glyph] == self._places[glyph + 1]:
            return []
        contours = struct.unpack_from(">h", raw, start)[0]
        if contours < 0:
            return self._composed(start + 10)
        at = start + 10
        ends = struct.unpack_from(f">{contours}H", raw, at)
        at += 2 * contours
        at += 2 + struct.unpack_from(">H", raw, at)[0]
        count = ends[-1] + 1
        flags: list[int] = []
        while len(flags) < count:
            flag = raw[at]
            at += 1
            flags.append(flag)
            if flag & 8:
                flags += [flag] * raw[at]
                at += 1
        axes = []
        for short, same in ((2, 16), (4, 32)):
            value, values = 0, array("i")
            for flag in flags:
                if flag & short:
                    value += raw[at] if flag & same else -raw[at]
                    at += 1
                elif not flag & same:
                    value += struct.unpack_from(">h", raw, at)[0]
                    at += 2
                values.append(value)
            axes.append(values)
        found, first = [], 0
        for end in ends:
            points = range(first, end + 1)
            found.append([(float(axes[0][i]), float(axes[1][i]), bool(flags[i] & 1)) for i in points])
            first = end + 1
        return found

    def _composed(self, at: int) -> list[Contour]:
        found: list[Contour] = []
        more = True
        while more:
            flags, glyph = struct.unpack_from(">HH", self.raw, at)
            words = flags & 1
            dx, dy = struct.unpack_from(">hh" if words else ">bb", self.raw, at + 4)
            at += 8 if words else 6
            a, b, c, d = 1.0, 0.0, 0.0, 1.0
            if flags & 8:
                a = d = struct.unpack_from(">h", self.raw, at)[0] / 16384
                at += 2
            elif flags & 64:
                a, d = (v / 16384 for v in struct.unpack_from(">hh", self.raw, at))
                at += 4
            elif flags & 128:
                a, b, c, d = (v / 16384 for v in struct.unpack_from(">4h", self.raw, at))
                at += 8
            for contour in self._outline(glyph):
                found.append([(a * x + c * y + dx, b * x + d * y + dy, on) for x, y, on in contour])
            more = bool(flags & 32)
        return found


@cache
def font(bold: bool = False) -> Font:
    """The regular or the bold letters."""
    return Font(FOLDER / ("bold.ttf" if bold else "regular.ttf"))


@cache
def _advance(character: str, bold: bool) -> float:
    one = font(bold)
    return one.advance(character) / one.em


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is, exactly as it is drawn."""
    return size * sum(_advance(c, bold) for c in text)


Curve = tuple[str, tuple[float, ...]]
"""``M``, ``L``, ``Q``, ``C`` with absolute coordinates, y downwards; ``Z``."""


@cache
def letter(character: str, bold: bool) -> tuple[Curve, ...]:
    """A character's outline as curves, for an em of 1, its baseline at 0."""
    one = font(bold)
    found: list[Curve] = []
    for contour in one.outline(character):
        points = [(x / one.em, -y / one.em, on) for x, y, on in contour]
        whole: list[tuple[float, float, bool]] = []
        for here, after in zip(points, points[1:] + points[:1], strict=True):
            whole.append(here)
            if not here[2] and not after[2]:
                whole.append(((here[0] + after[0]) / 2, (here[1] + after[1]) / 2, True))
        start = next((i for i, p in enumerate(whole) if p[2]), 0)
        whole = whole[start:] + whole[:start] + [whole[start]]
        found.append(("M", whole[0][:2]))
        i = 1
        while i < len(whole):
            x, y, on = whole[i]
            if on:
                found.append(("L", (x, y)))
                i += 1
            else:
                found.append(("Q", (x, y, *whole[i + 1][:2])))
                i += 2
        found.append(("Z", ()))
    return tuple(found)

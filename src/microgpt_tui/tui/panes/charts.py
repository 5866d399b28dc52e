"""Bars and curves in characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from microgpt_tui.tui.palette import BARS

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the dots, by line and column."""


def bar(value: float, width: int) -> str:
    """A horizontal bar for a share 0..1, in eighths of a column, padded to ``width``."""
    if not math.isfinite(value) or width <= 0:
        return "!".ljust(max(0, width))
    eighths = int(min(1.0, max(0.0, value)) * width * 8 + 0.5)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)[:width]


def column_bars(values: Sequence[float], scale: float | None = None) -> str:
    """One block per value, height by share of ``scale`` (or of the largest)."""
    finite = [v for v in values if math.isfinite(v)]
    top = scale if scale is not None else max(finite, default=0.0)
    if not top:
        return BARS[1] * len(values)
    heights = [min(8, max(int(v > 0), int(v / top * 8 + 0.5))) if math.isfinite(v) else -1 for v in values]
    return "".join(BARS[h] if h >= 0 else "!" for h in heights)


def curve(values: Sequence[float], width: int, height: int, low: float, high: float) -> list[str]:
    """A line chart in braille dots, ``height`` lines of ``width`` columns; values spread over the whole width.

    Fewer values than dots are joined by straight lines; of more, each dot is the mean of its part.
    """
    dots = [[0] * width for _ in range(height)]
    if high <= low:
        high = low + 1.0
    across, tall = width * 2, height * 4
    before: int | None = None
    for x, value in enumerate(_resampled(values, across)):
        if not math.isfinite(value):
            before = None
            continue
        y = min(tall - 1, max(0, int((high - value) / (high - low) * (tall - 1) + 0.5)))
        between = range(min(before, y), max(before, y) + 1) if before is not None else range(y, y + 1)
        for at in between:
            dots[at // 4][x // 2] |= _BRAILLE[at % 4][x % 2]
        before = y
    return ["".join(chr(0x2800 + d) if d else " " for d in row) for row in dots]


def column_of(place: int, count: int, width: int) -> int:
    """The column of a chart in which value ``place`` of ``count`` is drawn."""
    return min(width - 1, round(place * (width - 1) / max(1, count - 1)))


def place_at(column: int, count: int, width: int) -> int:
    """The value that is drawn in a column: the inverse of ``column_of``."""
    return min(count - 1, max(0, round(column * (count - 1) / max(1, width - 1))))


def _resampled(values: Sequence[float], count: int) -> list[float]:
    have = len(values)
    if have == 0:
        return []
    if have == 1:
        return [values[0]] * count
    if have < count:
        result = []
        for x in range(count):
            at = x * (have - 1) / (count - 1)
            i = min(have - 2, int(at))
            part = at - i
            left, right = values[i], values[i + 1]
            result.append(left if not part else left + (right - left) * part)
        return result
    means = []
    for x in range(count):
        begin = x * have // count
        taken = [v for v in values[begin : max(begin + 1, (x + 1) * have // count)] if math.isfinite(v)]
        means.append(sum(taken) / len(taken) if taken else math.nan)
    return means


def both(one: str, two: str) -> str:
    """Two braille characters on top of each other."""
    bits = (ord(one) - 0x2800 if one != " " else 0) | (ord(two) - 0x2800 if two != " " else 0)
    return chr(0x2800 + bits)

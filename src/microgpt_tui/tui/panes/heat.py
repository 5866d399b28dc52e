"""Cells, bars and curves for dense pictures: styles are made once, equal neighbours become one segment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style

from microgpt_tui.tui import palette
from microgpt_tui.tui.pane import Line

MARK = Style(color=palette.ACCENT, bold=True)
DIM = Style(color=palette.DIM)
FAINT = Style(color=palette.FAINT)
PLAIN = Style(color=palette.TEXT)
BLANK = Style()


@lru_cache(maxsize=4096)
def _share(level: int, shade: int, width: int, chosen: bool) -> tuple[str, Style]:
    color = palette.share_color(level / (palette.LEVELS - 1))
    if palette.NO_COLOR:
        return _framed(palette.SHADES[shade] * width, chosen), Style(reverse=chosen)
    return _framed(" " * width, chosen), Style(color=palette.readable_on(color), bgcolor=color, bold=chosen)


@lru_cache(maxsize=4096)
def _signed(level: int, shade: int, sign: int, width: int, chosen: bool) -> tuple[str, Style]:
    mark = "-" if sign < 0 else "+" if sign > 0 else " "
    if palette.NO_COLOR:
        body = mark + palette.SHADES[shade] * (width - 1)
        return body[:-1] + "]" if chosen and width > 1 else body, Style(reverse=chosen)
    color = palette.signed_color(math.copysign(level / (palette.LEVELS - 1), sign), 1.0)
    body = mark + " " * (width - 1)
    body = body[:-1] + "]" if chosen and width > 1 else "◆" if chosen else body
    return body, Style(color=palette.readable_on(color), bgcolor=color, bold=chosen)


def _framed(body: str, chosen: bool) -> str:
    if not chosen:
        return body
    return "[]"[: len(body)] if len(body) == 2 else "◆" if len(body) == 1 else "[" + body[1:-1] + "]"


@lru_cache(maxsize=8)
def _odd(width: int) -> tuple[str, Style]:
    return "!" * width, Style(color="#101218", bgcolor=palette.BAD)


def share(value: float, scale: float = 1.0, width: int = 2, chosen: bool = False) -> tuple[str, Style]:
    """A heatmap cell for a share 0..scale, ``width`` columns wide."""
    if not math.isfinite(value):
        return _odd(width)
    part = min(1.0, max(0.0, value / scale)) if scale else 0.0
    return _share(int(part * (palette.LEVELS - 1) + 0.5), int(part * 4 + 0.5), width, chosen)


def signed(value: float, scale: float, width: int = 2, chosen: bool = False) -> tuple[str, Style]:
    """A heatmap cell for a signed number within -scale..scale; the sign is written."""
    if not math.isfinite(value):
        return _odd(width)
    part = min(1.0, abs(value) / scale) if scale else 0.0
    sign = (value > 0) - (value < 0)
    return _signed(int(part * (palette.LEVELS - 1) + 0.5), int(part * 4 + 0.5), sign, width, chosen)


@lru_cache(maxsize=16)
def signed_cells(width: int) -> tuple[list[Segment], list[Segment]]:
    """Finished cells by level, for (negative, positive) numbers: the fast way for large heatmaps."""
    levels = range(palette.LEVELS)
    parts = [level / (palette.LEVELS - 1) for level in levels]
    negative = [Segment(*signed(-part or -1e-9, 1.0, width)) for part in parts]
    return negative, [Segment(*signed(part or 1e-9, 1.0, width)) for part in parts]


def signed_cells_of(values: Sequence[float], scale: float, width: int) -> Line:
    """One cell per number."""
    negative, positive = signed_cells(width)
    top = palette.LEVELS - 1
    factor = top / scale if scale else 0.0
    zero = Segment(*signed(0.0, 1.0, width))
    line: Line = []
    add = line.append
    for value in values:
        if value < 0:
            add(negative[min(top, int(0.5 - value * factor))] if value > -math.inf else Segment(*_odd(width)))
        elif value > 0:
            add(positive[min(top, int(0.5 + value * factor))] if value < math.inf else Segment(*_odd(width)))
        else:
            add(zero if value == 0 else Segment(*_odd(width)))
    return line


class Row:
    """A line under construction; neighbours of one style are joined."""

    __slots__ = ("_pieces", "_style", "line", "width")

    def __init__(self) -> None:
        self.line: Line = []
        self._pieces: list[str] = []
        self._style: Style = BLANK
        self.width = 0

    def put(self, content: str, style: Style = PLAIN) -> Row:
        """Add a piece (of one-column characters)."""
        if style is not self._style:
            self._flush()
            self._style = style
        self._pieces.append(content)
        self.width += len(content)
        return self

    def cells(self, line: Line, columns: int) -> Row:
        """Add finished cells that take so many columns."""
        self._flush()
        self.line += line
        self.width += columns
        return self

    def pad(self, column: int) -> Row:
        """Blanks up to a column."""
        if column > self.width:
            self.put(" " * (column - self.width), BLANK)
        return self

    def _flush(self) -> None:
        if self._pieces:
            self.line.append(Segment("".join(self._pieces), self._style))
            self._pieces = []

    def done(self) -> Line:
        """The finished line."""
        self._flush()
        return self.line


def share_legend(scale: float = 1.0) -> Line:
    """The colour scale of shares, with its ends."""
    row = Row().put("scale 0 ", DIM)
    for i in range(8):
        row.put(*share(i / 7, 1.0, 1))
    return row.put(f" {scale:.3g}", DIM).done()


def signed_legend(scale: float) -> Line:
    """The colour scale of signed numbers, with its ends."""
    row = Row().put(f"scale {palette.number(-scale)} ", DIM)
    for i in range(-4, 5):
        row.put(*signed(i / 4, 1.0, 1))
    return row.put(f" {palette.number(scale)}", DIM).done()


_EIGHTHS = " ▏▎▍▌▋▊▉█"


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
        return palette.BARS[1] * len(values)
    heights = [min(8, max(int(v > 0), int(v / top * 8 + 0.5))) if math.isfinite(v) else -1 for v in values]
    return "".join(palette.BARS[h] if h >= 0 else "!" for h in heights)


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


_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def wrapped(words: list[Segment], width: int) -> list[Line]:
    """Segments put one after another, broken between segments so that nothing is cut off."""
    lines: list[Line] = []
    line: Line = []
    used = 0
    for word in words:
        length = word.cell_length
        if used and used + length > width:
            lines.append(line)
            line, used = [], 0
            if not word.text.strip():
                continue
        line.append(word)
        used += length
    if line:
        lines.append(line)
    return lines


__all__ = [
    "DIM", "FAINT", "MARK", "PLAIN", "Row", "bar", "column_bars", "column_of", "curve", "place_at", "share",
    "share_legend", "signed", "signed_cells_of", "signed_legend", "wrapped",
]  # fmt: skip

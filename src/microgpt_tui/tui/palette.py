"""What colours mean, the same everywhere; each meaning has a sign that works without colour too.

Negative is blue, positive is orange (a pair that survives the common colour-blindnesses);
magnitude is brightness. Without colour (``NO_COLOR``) the shade characters and signs remain.
"""

from __future__ import annotations

import math
import os

from rich.color import Color
from rich.style import Style

NO_COLOR = bool(os.environ.get("NO_COLOR"))

TEXT = "#d8dee9"
DIM = "#7b869c"
FAINT = "#4a5266"
BACKGROUND = "#12151c"
SURFACE = "#1a1f2a"
HIGHLIGHT = "#2b3550"
ACCENT = "#f2c14e"
"""The cursor: where we are now, in code, model and time."""
POSITIVE = "#f28e3c"
NEGATIVE = "#4f9bf0"
NEUTRAL = "#8f99ad"
GOOD = "#8fd694"
BAD = "#ff5d73"
"""NaN, exceptions, breakpoints."""
PHASE_COLORS = ("#8f99ad", "#56b4e9", "#cc79a7", "#e0a33a", "#2fbf9b")
"""setup, forward, backward, optimizer, inference."""
PHASE_MARKS = ("·", "▸", "◂", "▴", "◆")
"""The same phases without colour."""

SHADES = " ░▒▓█"
BARS = " ▁▂▃▄▅▆▇█"

LEVELS = 33


def _mix(low: tuple[int, int, int], high: tuple[int, int, int], part: float) -> str:
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))


_BASE = (30, 35, 47)
_POSITIVE = [_mix(_BASE, (255, 158, 64), (i / (LEVELS - 1)) ** 0.7) for i in range(LEVELS)]
_NEGATIVE = [_mix(_BASE, (84, 166, 255), (i / (LEVELS - 1)) ** 0.7) for i in range(LEVELS)]
_SEQUENTIAL = [_mix(_BASE, (246, 214, 110), (i / (LEVELS - 1)) ** 0.7) for i in range(LEVELS)]


def level(value: float, scale: float) -> int:
    """Brightness 0..LEVELS-1 of a magnitude relative to the largest."""
    if not scale or not math.isfinite(value):
        return 0
    return min(LEVELS - 1, int(abs(value) / scale * (LEVELS - 1) + 0.5))


def signed_color(value: float, scale: float) -> str:
    """Diverging: blue below zero, orange above; NaN and infinities are ``BAD``."""
    if not math.isfinite(value):
        return BAD
    return (_NEGATIVE if value < 0 else _POSITIVE)[level(value, scale)]


def share_color(value: float, scale: float = 1.0) -> str:
    """Sequential, for shares and probabilities 0..scale."""
    if not math.isfinite(value):
        return BAD
    return _SEQUENTIAL[level(value, scale)]


def readable_on(color: str) -> str:
    """Black or light text, whichever is readable on a background."""
    r, g, b = Color.parse(color).get_truecolor()
    return "#101218" if 0.299 * r + 0.587 * g + 0.114 * b > 120 else TEXT


def signed_cell(value: float, scale: float) -> tuple[str, Style]:
    """Two characters and a style for a heatmap cell: sign and shade, readable without colour."""
    if not math.isfinite(value):
        return "!!", Style(color="#101218", bgcolor=BAD)
    shade = SHADES[min(4, int(abs(value) / scale * 4 + 0.5))] if scale else " "
    sign = "-" if value < 0 else "+" if value > 0 else " "
    if NO_COLOR:
        return sign + shade, Style()
    color = signed_color(value, scale)
    return sign + " ", Style(color=readable_on(color), bgcolor=color, dim=True)


def share_cell(value: float, scale: float = 1.0) -> tuple[str, Style]:
    """Two characters and a style for a share 0..1."""
    if not math.isfinite(value):
        return "!!", Style(color="#101218", bgcolor=BAD)
    shade = SHADES[min(4, int(value / scale * 4 + 0.5))] if scale else " "
    if NO_COLOR:
        return shade * 2, Style()
    return "  ", Style(bgcolor=share_color(value, scale))


def number(value: float, width: int = 0) -> str:
    """A number for a crowded place: sign, four significant digits; full precision is one key away."""
    if value != value:
        text = "nan"
    elif math.isinf(value):
        text = "+inf" if value > 0 else "-inf"
    elif value == 0:
        text = "0"
    elif 1e-3 <= abs(value) < 1e4:
        text = f"{value:+.4f}" if abs(value) < 10 else f"{value:+.2f}"
    else:
        text = f"{value:+.2e}"
    return text.rjust(width)


def sparkline(values: list[float], width: int) -> str:
    """Unsigned bars of a series, resampled to a width."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite or width <= 0:
        return ""
    low, high = min(finite), max(finite)
    span = (high - low) or 1.0
    if len(values) > width:
        values = [values[i * len(values) // width] for i in range(width)]
    return "".join(BARS[1 + int((v - low) / span * 7)] if math.isfinite(v) else "!" for v in values)

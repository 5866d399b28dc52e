"""What colours mean, the same everywhere; each meaning has a sign that works without colour too.

Negative is blue, positive is orange (a pair that survives the common colour-blindnesses);
magnitude is brightness. Without colour (``NO_COLOR``) the shade characters and signs remain.
"""

from __future__ import annotations

import math
import os
from functools import lru_cache

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


@lru_cache(maxsize=256)
def style(color: str, bold: bool = False) -> Style:
    """A text style; the same one for the same colour."""
    return Style(color=color, bold=bold)


MARK = style(ACCENT, True)
"""What is selected or current."""
DATA = "#56b4e9"
"""Bars and curves of what was measured."""
STRING = "#a3be8c"
STDERR = "#ff9fac"
INK = "#101218"
"""Text on a bright background."""

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
    return INK if 0.299 * r + 0.587 * g + 0.114 * b > 120 else TEXT

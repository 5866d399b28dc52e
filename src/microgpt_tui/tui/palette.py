"""What colours mean, the same everywhere; each meaning has a sign that works without colour too.

Negative is blue, positive is orange (a pair that survives the common colour-blindnesses);
magnitude is brightness. Without colour (``NO_COLOR``), or with 16 of them, shade characters and signs remain.
These are the colours of the dark theme; ``themes`` has what other themes have in their place.
"""

from __future__ import annotations

import math
import os
from functools import lru_cache

from rich.color import Color
from rich.style import Style

NO_COLOR = bool(os.environ.get("NO_COLOR"))
"""Few colours or none: magnitudes are told by characters, places by underlines."""

TEXT = "#d8dee9"
DIM = "#9aa5bd"
FAINT = "#8089a0"
BRIGHT = "#fefefe"
"""Text on a marked place."""
BACKGROUND = "#12151c"
SURFACE = "#1a1f2a"
PANEL = "#222938"
PAGE = "#171b25"
"""What lies over the panes."""
EDGE = "#39435a"
EDGE_HERE = "#8a93a8"
THUMB = "#333d55"
"""Borders, those around the focus, and scrollbars."""
HIGHLIGHT = "#2b3550"
"""The selected line."""
INSIDE = "#20283a"
"""The statement being executed."""
HERE = "#5b4a1c"
"""The sub-expression being executed."""
REACHED = "#5c3d57"
"""In a backward pass, where the forward pass made the node that is reached."""
PINNED = "#2b2a22"
"""A line that stands where another would be."""
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


def _hex(color: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)


def mix(low: str, high: str, part: float) -> str:
    """A colour between two, ``part`` of the way."""
    ends = ([int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (low, high))
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(*ends, strict=True))


def steps(low: tuple[int, int, int], high: tuple[int, int, int]) -> list[str]:
    """A scale of colours; the lower half gets more of them, where eyes tell fewer apart."""
    return [mix(_hex(low), _hex(high), (i / (LEVELS - 1)) ** 0.7) for i in range(LEVELS)]


_BASE = (30, 35, 47)
SCALES = [steps(_BASE, end) for end in ((255, 158, 64), (84, 166, 255), (246, 214, 110))]
"""Positive numbers, negative numbers, shares."""
_POSITIVE, _NEGATIVE, _SEQUENTIAL = SCALES


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

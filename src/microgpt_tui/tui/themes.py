"""Themes: the palette's colours as each theme has them, and the two filters that put them on every line of the screen.

Whoever draws names a colour as ``palette`` has it; that is the dark theme. Another theme says what it has in its
place. Last, whatever text comes out too faint for its background is made readable: so no pane has to see to that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from microgpt_tui.tui import palette

LEAST = 4.5
"""Contrast of text and its background: what WCAG AA asks for. Black or white reach it on every colour."""
_DRAWN = re.compile("[\\s\u2500-\u259f\u2800-\u28ff]*")
"""What is drawn, not read: blanks, lines, blocks, braille dots."""


@dataclass(frozen=True)
class Look:
    """A theme: what Textual has of it, and what it has in the place of the palette's colours."""

    theme: Theme
    colors: dict[str, str] = field(default_factory=dict)


def _theme(name: str, colors: dict[str, str], *, dark: bool) -> Theme:
    def of(color: str) -> str:
        return colors.get(color, color)

    return Theme(
        name, primary=of(palette.DATA), secondary=of(palette.PHASE_COLORS[2]), accent=of(palette.ACCENT),
        foreground=of(palette.TEXT), background=of(palette.BACKGROUND), surface=of(palette.SURFACE),
        panel=of(palette.PANEL), success=of(palette.GOOD), warning=of(palette.PHASE_COLORS[3]), error=of(palette.BAD),
        dark=dark, variables={
            "edge": of(palette.EDGE), "edge-here": of(palette.EDGE_HERE), "muted": of(palette.DIM),
            "page": of(palette.PAGE), "thumb": of(palette.THUMB),
        },
    )  # fmt: skip


def _bright(strength: float) -> dict[str, str]:
    """The palette's colours on a bright background; ``strength`` 1 is as strong as they get."""
    plain = {
        palette.BACKGROUND: "#fcfcfa", palette.SURFACE: "#eef0f4", palette.PANEL: "#e2e6ee", palette.PAGE: "#ffffff",
        palette.HIGHLIGHT: "#c9dcfb", palette.INSIDE: "#e9effb", palette.HERE: "#ffe08a", palette.REACHED: "#f6cfe8",
        palette.PINNED: "#f6f1d8", palette.TEXT: "#1c212b", palette.DIM: "#4b5362", palette.FAINT: "#626b7b",
        palette.BRIGHT: "#000000", palette.INK: "#ffffff", palette.EDGE: "#a9b1c1", palette.EDGE_HERE: "#5b6577",
        palette.THUMB: "#b9c1d0", palette.ACCENT: "#805400", palette.POSITIVE: "#a84400", palette.NEGATIVE: "#0b57bd",
        palette.NEUTRAL: "#525b6a", palette.GOOD: "#1b6e31", palette.BAD: "#c0102c", palette.STRING: "#42661b",
        palette.STDERR: "#a8203a", palette.DATA: "#00658f", "#cc79a7": "#9a2f79", "#e0a33a": "#805400",
        "#2fbf9b": "#006b54", "#6b778d": "#596273", "#7d9174": "#4c6540", "#d0b98a": "#754f00", "#c3a6dd": "#6d2e9c",
        "#8fc1c9": "#0a5c68", "#aab4c8": "#3c4454", "#66718a": "#7a8496", "#453c1d": "#fff0bd", "#1d3a2b": "#d3f0dc",
        "#b9c3ff": "#3345b0",
    }  # fmt: skip
    base = (238, 240, 244)
    ends = ((176, 70, 0), (0, 84, 190), (150, 100, 0))
    for scale, end in zip(palette.SCALES, ends, strict=True):
        towards = (round(end[0] * (1 - 0.3 * strength)), round(end[1] * (1 - 0.3 * strength)), end[2])
        plain |= dict(zip(scale, palette.steps(base, towards), strict=True))
    return plain


_LIGHT, _PROJECTOR = _bright(0.0), _bright(1.0) | {
    palette.BACKGROUND: "#ffffff", palette.TEXT: "#000000", palette.DIM: "#2b313c", palette.FAINT: "#444b57",
    palette.EDGE: "#5b6577", palette.EDGE_HERE: "#000000", palette.HIGHLIGHT: "#a9cbff", palette.HERE: "#ffd24d",
}  # fmt: skip

LOOKS = {
    "dark": Look(_theme("dark", {}, dark=True)),
    "light": Look(_theme("light", _LIGHT, dark=False), _LIGHT),
    "projector": Look(_theme("projector", _PROJECTOR, dark=False), _PROJECTOR),
}
"""Every theme by its name; ``projector`` is for a bright room, seen from the last row."""


class Recolour(LineFilter):
    """The palette's colours become the theme's."""

    def __init__(self, look: Look) -> None:
        super().__init__(enabled=bool(look.colors))
        colors = look.colors

        @lru_cache(maxsize=8192)
        def other(style: Style) -> Style:
            return style + Style(color=_other(style.color, colors), bgcolor=_other(style.bgcolor, colors))

        self._other = other

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """A line in the theme's colours."""
        other = self._other
        return [Segment(text, other(style) if style else style, control) for text, style, control in segments]


class Readable(LineFilter):
    """Text too faint for its background becomes lighter or darker, as little as makes it readable."""

    def __init__(self) -> None:
        super().__init__()

        @lru_cache(maxsize=8192)
        def clear(style: Style, behind: str) -> Style:
            front, back = _hex(style.color), _hex(style.bgcolor) or behind
            if style.reverse:
                front, back = back, front or behind
            better = readable(front, back) if front else ""
            if not better or better == front:
                return style
            return style + (Style(bgcolor=better) if style.reverse else Style(color=better))

        self._clear = clear

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """A line that can be read."""
        behind, clear, drawn = background.hex6.lower(), self._clear, _DRAWN.fullmatch
        return [
            Segment(text, clear(style, behind), control) if style and not control and not drawn(text)
            else Segment(text, style, control)
            for text, style, control in segments
        ]  # fmt: skip


def _hex(color: RichColor | None) -> str:
    return "" if color is None or color.type is ColorType.DEFAULT else color.get_truecolor().hex


def _other(color: RichColor | None, colors: dict[str, str]) -> str | None:
    return colors.get(_hex(color)) if color is not None else None


def is_read(text: str) -> bool:
    """True for text that is read, not drawn."""
    return _DRAWN.fullmatch(text) is None


@lru_cache(maxsize=4096)
def luminance(color: str) -> float:
    """Relative luminance of ``#rrggbb``, as WCAG defines it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, two: str) -> float:
    """The contrast ratio of two colours, 1 to 21, as WCAG defines it."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=4096)
def readable(front: str, back: str) -> str:
    """A colour with enough contrast to its background, as near to the one wanted as can be."""
    if contrast(front, back) >= LEAST:
        return front
    end = max("#ffffff", "#000000", key=lambda extreme: contrast(extreme, back))
    mixed = (palette.mix(front, end, part / 32) for part in range(1, 33))
    return next((color for color in mixed if contrast(color, back) >= LEAST), end)

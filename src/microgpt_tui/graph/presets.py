"""How pictures look: slides in three sizes and three themes, colours that survive colour-blindness and grey."""

from __future__ import annotations

from dataclasses import dataclass

MINIMUM_TEXT = 14.0
"""Pixels: no text of a picture is smaller at the size asked for, 1080 pixels high."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours. Positive is orange and solid, negative blue and dashed: seen without colour too."""

    name: str
    background: str
    text: str
    faint: str
    line: str
    box: str
    box_line: str
    parameter: str
    constant: str
    loss: str
    cluster: str
    cluster_line: str
    positive: str
    negative: str
    focus: str
    waiting: str
    accumulating: str
    accumulating_line: str
    final: str
    bad: str
    strongest: str
    """A weight of 1 in a heatmap."""
    gradient: str
    """The way of the gradient."""


LIGHT = Theme(
    "light", background="#ffffff", text="#1c2430", faint="#5b6675", line="#8792a2", box="#f4f6f9", box_line="#66717f",
    parameter="#e6e9f5", constant="#ffffff", loss="#fdf0cc", cluster="#fafbfc", cluster_line="#c3cad4",
    positive="#b85a00", negative="#1764b0", focus="#8a6100",
    waiting="#ffffff", accumulating="#fbd5e8", accumulating_line="#c2187a", final="#d5ebe7", bad="#c8102e",
    strongest="#b85a00", gradient="#c2187a",
)  # fmt: skip
DARK = Theme(
    "dark", background="#12151c", text="#e4e9f1", faint="#98a3b5", line="#77829a", box="#1f2633", box_line="#7f8ba0",
    parameter="#28304a", constant="#171b24", loss="#45391a", cluster="#161a23", cluster_line="#3a4354",
    positive="#ffa552", negative="#6db1ff", focus="#f2c14e",
    waiting="#171b24", accumulating="#4a1f38", accumulating_line="#ff6fb5", final="#173b38", bad="#ff6f85",
    strongest="#ffa552", gradient="#ff6fb5",
)  # fmt: skip
PRINT = Theme(
    "print", background="#ffffff", text="#000000", faint="#333333", line="#555555", box="#ffffff", box_line="#000000",
    parameter="#eeeeee", constant="#ffffff", loss="#e2e2e2", cluster="#ffffff", cluster_line="#999999",
    positive="#8f4400", negative="#0b4a8a", focus="#000000",
    waiting="#ffffff", accumulating="#eeeeee", accumulating_line="#000000", final="#dddddd", bad="#000000",
    strongest="#000000", gradient="#000000",
)  # fmt: skip
THEMES = {theme.name: theme for theme in (LIGHT, DARK, PRINT)}

SIZES = {"16:9": (1920, 1080), "4:3": (1440, 1080), "free": (0, 0)}
"""Pixels; ``free`` lets the picture be as large as it needs."""

DIRECTIONS = {"lr": "LR", "td": "TB"}
LABELS = ("both", "data", "grad", "names")
EDGES = ("none", "count", "local", "contribution")


@dataclass(frozen=True, slots=True)
class Style:
    """Everything about a picture that is not its content."""

    theme: Theme = LIGHT
    width: int = 1920
    height: int = 1080
    """Pixels; 0 × 0 for as large as needed."""
    direction: str = "LR"
    labels: str = "both"
    edges: str = "count"
    title: bool = True
    legend: bool = True
    compact: bool = False
    """Ranks stand closer; a folded box says how many numbers it hands on, and not their range and norm."""
    minimum_text: float = MINIMUM_TEXT

    @property
    def is_slide(self) -> bool:
        """True when the picture has a size to fit in."""
        return self.width > 0 and self.height > 0


def style_named(
    theme: str = "light", size: str = "16:9", direction: str = "lr", labels: str = "both", edges: str = "count"
) -> Style:
    """A style by its names; raises ValueError that lists the names there are."""
    choices = ((theme, THEMES, "theme"), (size, SIZES, "size"), (direction, DIRECTIONS, "direction"))
    for given, known, what in choices:
        if given not in known:
            raise ValueError(f"no {what} {given!r}: there are {', '.join(known)}")
    for given, names, what in ((labels, LABELS, "labels"), (edges, EDGES, "edges")):
        if given not in names:
            raise ValueError(f"no {what} {given!r}: there are {', '.join(names)}")
    width, height = SIZES[size]
    return Style(THEMES[theme], width, height, DIRECTIONS[direction], labels, edges)

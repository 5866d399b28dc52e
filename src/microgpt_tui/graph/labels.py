"""What is written at edges."""

from __future__ import annotations

import math

from microgpt_tui.graph.numbers import plain, signed
from microgpt_tui.graph.picture import Arrow, Picture
from microgpt_tui.graph.presets import Style

EDGE_TEXT = 13.0
"""Points, before a slide scales the whole picture to its size."""


def edge_value(arrow: Arrow, style: Style) -> float:
    """The number that an edge shows: its local gradient or its contribution; NaN for none."""
    if style.edges == "local":
        return arrow.local
    return arrow.contribution if style.edges == "contribution" else math.nan


def has_groups(picture: Picture) -> bool:
    """True when a box stands for several nodes."""
    return any(box.node < 0 for box in picture.boxes)


def edge_label(arrow: Arrow, style: Style, groups: bool) -> str:
    """What is written at an edge; empty for nothing."""
    value = edge_value(arrow, style)
    label = "" if value != value else plain(value) if groups else signed(value)
    if arrow.count > 1 and style.edges != "none":
        label = f"{label} ×{arrow.count:,}".strip()
    return label


def reserved_label(arrow: Arrow, style: Style, picture: Picture) -> str:
    """A text as long as the label may become."""
    groups = has_groups(picture)
    label = edge_label(arrow, style, groups)
    numbers = style.edges in ("local", "contribution")
    return max(label, "−0.0000" if numbers and not groups else "", key=len)

"""Numbers in pictures: always with a sign, four significant digits, always as wide, so that boxes keep their size."""

from __future__ import annotations

import math

MINUS = "−"
WIDTH = 8
"""Characters that ``fixed`` takes."""


def signed(value: float) -> str:
    """``+0.0421``, ``−3.1e-05``, ``0``; ``nan`` and infinities as such."""
    if value != value:
        return "nan"
    if math.isinf(value):
        return "+inf" if value > 0 else MINUS + "inf"
    if value == 0:
        return "0"
    size = abs(value)
    text = f"{size:.4f}" if 1e-3 <= size < 10 else f"{size:.2f}" if 10 <= size < 1e4 else f"{size:.1e}"
    return ("+" if value > 0 else MINUS) + text


def plain(value: float) -> str:
    """As ``signed`` for what has no sign (a root mean square)."""
    return signed(value).lstrip("+")


def share(value: float) -> str:
    """``31 %``; ``<1 %`` for a little; empty when it is not known."""
    if value != value:
        return ""
    return f"{100 * value:.0f} %" if value >= 0.01 or value == 0 else "<1 %"

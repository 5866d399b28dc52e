"""How numbers are written on the screen: never shortened to another number, a value never as a zero."""

from __future__ import annotations

import math


def short(value: float, width: int = 0) -> str:
    """For a crowded place: sign, four significant digits, right-aligned; full precision is one key away."""
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


def plain(value: float) -> str:
    """Three significant digits of what has no sign; ``–`` where it is not known."""
    return "–" if value != value else f"{value:.3g}"


def written(value: float, width: int = 0, *, full: bool = False) -> str:
    """In full, to the last bit, or short."""
    return repr(value).rjust(width) if full else short(value, width)


def fitted(value: float, width: int, *, signed: bool = True) -> str | None:
    """The most digits that fit into so many columns, rounded; None where not one significant digit does."""
    if not math.isfinite(value) or value == 0:
        text = short(value)
        return text if len(text) <= width else None
    sign = "+" if signed else ""
    for form in (*(f"{sign}.{digits}f" for digits in (4, 3, 2, 1)), f"{sign}.1e", f"{sign}.0e"):
        text = format(value, form).replace("e-0", "e-").replace("e+0", "e")
        if len(text) <= width and (form[-1] == "e" or float(f"{float(text):.1e}") == float(f"{value:.1e}")):
            return text
    return None


def rate(per_second: float, unit: str = "step") -> str:
    """``3.2 steps/s``, or ``1.4 s/step`` where one takes longer."""
    if per_second < 1:
        return f"{1 / per_second:.1f} s/{unit}"
    return f"{per_second:.0f} {unit}s/s" if per_second >= 20 else f"{per_second:.1f} {unit}s/s"


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def count_of(count: int, unit: str) -> str:
    """``1 user``, ``3 users``."""
    return f"{count:,} {unit}{'' if count == 1 else 's'}"

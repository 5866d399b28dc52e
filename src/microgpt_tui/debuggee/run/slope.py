"""The slope of a function at a point by differences, with an estimate of its error, and whether there is a kink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

EPSILON = 2.3e-16
WIDEST, STEPS = 1e-3, 6
ROUNDINGS = 4
"""Roundings, in units of the last place, that a value may have gone through."""
KINK = 1e-5
"""Relative: slopes of the two sides that differ by less are one slope."""


@dataclass(frozen=True, slots=True)
class Slope:
    """The derivative, and how far it may be off."""

    value: float
    error: float
    left: float
    right: float
    kink: bool
    """The slopes on the left and on the right stay apart however near one looks."""

    def agrees(self, found: float, relative: float) -> bool:
        """True where a derivative is this one, or at a kink lies between the two."""
        slack = 4 * self.error + relative * max(abs(found), abs(self.value), 1e-2)
        if self.kink:
            return min(self.left, self.right) - slack <= found <= max(self.left, self.right) + slack
        return abs(found - self.value) <= slack


def slope(f: Callable[[float], float | None], x: float, enough: float = 0.0) -> Slope | None:
    """The derivative of ``f``, a function of the displacement from ``x``; None where it cannot be had.

    Differences over smaller and smaller distances, extrapolated; the pair is taken whose truncation and rounding
    together are least. ``enough``: an error, relative, that ends the search.
    """
    here = f(0.0)
    if here is None:
        return None
    best: Slope | None = None
    for size in dict.fromkeys((max(abs(x), 0.05), abs(x) or 0.05)):
        if size > 0:
            found = _sweep(f, here, size, enough)
            if found is not None and (best is None or found.error < best.error):
                best = found
        if best is not None and best.error <= 1e-6 * max(1.0, abs(best.value)):
            break
    return best


def _sweep(f: Callable[[float], float | None], here: float, size: float, enough: float) -> Slope | None:
    best: Slope | None = None
    before: float | None = None
    gaps: list[tuple[float, float]] = []
    for k in range(STEPS):
        h = WIDEST * size / 4**k
        up, down = f(h), f(-h)
        if up is None or down is None:
            continue
        noise = ROUNDINGS * EPSILON * (abs(up) + abs(down) + 2 * abs(here)) / h
        central, right, left = (up - down) / (2 * h), (up - here) / h, (here - down) / h
        gaps.append((abs(right - left), noise))
        if before is not None:
            value = central + (central - before) / 15
            error = abs(central - before) / 4 + noise
            if best is None or error < best.error or _apart(gaps):
                best = Slope(value, error, left, right, kink=False)
            if enough and best.error <= enough * max(1e-2, abs(value)) and gaps[-1][0] <= gaps[-2][0] / 2 + noise:
                break
        before = central
    if best is not None and _apart(gaps):
        return Slope(best.value, gaps[-1][1], best.left, best.right, kink=True)
    return best


def _apart(gaps: list[tuple[float, float]]) -> bool:
    """The sides' slopes do not come nearer to one another as the distance shrinks by 4."""
    if len(gaps) < 3:
        return False
    (wide, _), (middle, _), (narrow, noise) = gaps[-3:]
    return narrow > KINK + 10 * noise and narrow > 0.6 * middle > 0.3 * wide

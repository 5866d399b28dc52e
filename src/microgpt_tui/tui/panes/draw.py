"""A random draw: the weights, where the draw fell in their running sum, what it chose."""

from __future__ import annotations

import math
from itertools import accumulate

from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, text

CANDIDATES = 400
"""Candidates that are listed at most; what is left out is said."""


def draw_lines(trace: Trace, row: int, width: int, *, full: bool) -> list[Line]:
    """What was drawn, and the likeliest candidates with their shares."""
    start, count = trace.weight_start[row], trace.sample_count[row]
    weights = list(trace.weight[start : start + count])
    total = math.fsum(weights) or 1.0
    draw, choice = trace.draw[row], trace.choice[row]
    population = trace.populations[row] if row < len(trace.populations) else None
    letters = _letters(trace, count)

    def label(i: int) -> str:
        item = population[i] if isinstance(population, list) and i < len(population) else i
        return f"{item!r}" if isinstance(item, str) else f"{item} {letters[i]}" if letters else str(item)

    lines: list[Line] = [
        [text("a draw", palette.ACCENT, bold=True), text(f"  from {count:,} candidates", palette.DIM)],
        [],
    ]
    sums = list(accumulate(weights))
    if choice >= 0:
        low = sums[choice] - weights[choice]
        lines.append([text("chosen  ", palette.DIM), text(label(choice), palette.ACCENT, bold=True)])
        if draw == draw:
            lines.append([text("drawn   ", palette.DIM), text(f"{draw!r}" if full else f"{draw:.6f}"),
                          text("  of a uniform 0..1", palette.DIM)])  # fmt: skip
            lines.append(
                [text("        ", palette.DIM),
                 text(f"× {total:.6g} falls into [{low:.6f}, {sums[choice]:.6f})", palette.NEUTRAL)]
            )  # fmt: skip
    lines += [[], [text("  candidate      weight   share", palette.FAINT)]]
    order = sorted(range(count), key=lambda i: -weights[i])
    best = max(weights, default=1.0) or 1.0
    bar_room = max(0, width - 36)
    for i in order[:CANDIDATES]:
        share = weights[i] / total
        chosen = i == choice
        bar = "█" * round(weights[i] / best * bar_room) if math.isfinite(weights[i]) else "!"
        lines.append(
            [
                text("▶ " if chosen else "  ", palette.ACCENT),
                text(f"{label(i):<11.11}", palette.ACCENT if chosen else palette.TEXT, bold=chosen),
                text(f"{weights[i]:>10.6f}" if not full else f"{weights[i]!r:>22}", palette.TEXT),
                text(f"{share:>8.2%}  ", palette.DIM),
                text(bar, palette.share_color(weights[i] / best)),
            ]
        )
    if count > CANDIDATES:
        lines.append([text(f"  … {count - CANDIDATES:,} more", palette.FAINT)])
    return lines


def _letters(trace: Trace, count: int) -> list[str]:
    """The alphabet of the script, where it keeps one of about this size at module level."""
    for value in trace.program.namespace.values():
        if isinstance(value, list) and value and all(isinstance(v, str) and len(v) <= 4 for v in value):
            rest = count - len(value)
            if 0 <= rest <= 4:
                return [*(repr(v) for v in value), *["·"] * rest]
    return []

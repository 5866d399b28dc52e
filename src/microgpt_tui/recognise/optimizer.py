"""Which numbers beside the parameters are an optimizer's: those that follow the gradients by a recurrence.

``m' = β m + c g`` (momentum, Adam's m, Lion), ``v' = β v + c g²`` (Adam's v, RMSprop, Adagrad), the first with the
weight itself beside g (decay), the larger of two. Told from the numbers of one step, never from names.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence

from microgpt_tui.recognise.operations import graph_of
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Trace

LOOKED_AT = 96
"""Updates of a step that a recurrence is tried on."""
CLOSE = 1e-7
"""How near the numbers are to what the recurrence says, relative."""
FELT = 1e-6
"""What part of the largest number the gradients' share has at least."""

Terms = Callable[[float, float, float], tuple[float, ...]]
"""From (number before, gradient, weight before) to the terms of which the number after is a sum with factors."""

LAWS: dict[str, Terms] = {
    "mean of gradients": lambda m, g, w: (m, g),
    "mean of squared gradients": lambda m, g, w: (m, g * g),
    "mean of gradients and weights": lambda m, g, w: (m, g, w),
}
"""What the numbers are -> the terms of the recurrence."""


@derived
def laws(trace: Trace) -> dict[str, str]:
    """Name of each candidate -> its law; empty where it follows none, "not told yet" before an update is recorded."""
    rows = _rows(trace)
    if not rows:
        return dict.fromkeys({**trace.moments, **trace.moments_now}, "not told yet")
    found = {name: _law(trace, name, rows) for name in {**trace.moments, **trace.moments_now}}
    for name in [n for n, law in found.items() if not law]:
        if any(_is_maximum(trace, name, other, rows) for other, law in found.items() if law):
            found[name] = "largest so far"
    return found


@derived
def followers(trace: Trace) -> list[str]:
    """Names of the numbers that are an optimizer's."""
    return [name for name, law in laws(trace).items() if law]


def _rows(trace: Trace) -> list[int]:
    """Updates to look at, spread over those of the step whose gradient is known and not 0; one per parameter."""
    kept = trace.kept_position
    nodes = trace.updated[: trace.moments_updates]
    once = {node: row for row, node in enumerate(nodes) if node in kept}
    if len(once) != sum(node in kept for node in nodes):
        return []  # several updates in a step: what each has done is not known
    rows = [r for node, r in once.items() if (g := trace.grad_at(node, trace.update_event[r])) and g == g]
    stride = max(1, len(rows) // LOOKED_AT)
    return rows[::stride]


def _law(trace: Trace, name: str, rows: Sequence[int]) -> str:
    before, after = trace.moments.get(name), trace.moments_now.get(name, trace.moments.get(name))
    assert after is not None  # it is the name of one of them
    kept = trace.kept_position
    points: list[tuple[float, float, float, float]] = []
    for row in rows:
        node, place = trace.updated[row], kept[trace.updated[row]]
        old = before[place] if before is not None else 0.0
        if after[place] == after[place]:
            points.append((
                old if old == old else 0.0, trace.grad_at(node, trace.update_event[row]), trace.old[row], after[place],
            ))  # fmt: skip
    if len(points) < 2 or not any(p[3] for p in points):
        return ""
    near = max(CLOSE, graph_of(trace).close)
    return next((law for law, terms in LAWS.items() if _obeys(terms, points, near)), "")


def _obeys(terms: Terms, points: Sequence[tuple[float, float, float, float]], close: float = CLOSE) -> bool:
    """True where factors exist with which every number after is the sum of its terms."""
    rows = [terms(*p[:3]) for p in points]
    results = [p[3] for p in points]
    used = [k for k in range(len(rows[0])) if any(row[k] for row in rows)]
    if 1 not in used:
        return False
    if len(points) <= len(used):
        return False
    factors = _fitted([[row[k] for k in used] for row in rows], results)
    if factors is None:
        return False
    largest = max(map(abs, results))
    moved = max(abs(factors[used.index(1)] * row[1]) for row in rows)
    if moved <= FELT * largest:
        return False  # the gradient has no part in it
    near = close * largest
    fitted = (sum(f * row[k] for f, k in zip(factors, used, strict=True)) for row in rows)
    return all(math.isclose(a, b, rel_tol=close, abs_tol=near) for a, b in zip(fitted, results, strict=True))


def _fitted(rows: list[list[float]], results: list[float]) -> list[float] | None:
    """Factors by least squares (normal equations, terms scaled alike); None where the terms are not independent."""
    count = len(rows[0])
    scales = [max(abs(row[k]) for row in rows) for k in range(count)]
    scaled = [[x / s for x, s in zip(row, scales, strict=True)] for row in rows]
    table = [
        [sum(row[i] * row[j] for row in scaled) for j in range(count)]
        + [sum(row[i] * y for row, y in zip(scaled, results, strict=True))]
        for i in range(count)
    ]
    for i in range(count):
        pivot = max(range(i, count), key=lambda r: abs(table[r][i]))
        table[i], table[pivot] = table[pivot], table[i]
        if abs(table[i][i]) < 1e-12 * len(rows):
            return None
        for r in range(count):
            if r != i:
                factor = table[r][i] / table[i][i]
                table[r] = [a - factor * b for a, b in zip(table[r], table[i], strict=True)]
    return [table[i][count] / table[i][i] / scales[i] for i in range(count)]


def _is_maximum(trace: Trace, name: str, other: str, rows: Sequence[int]) -> bool:
    """True for the larger of what was there before and another of the numbers."""
    zeros = array("d", bytes(8 * len(trace.program.kept)))
    before, after = trace.moments.get(name, zeros), trace.moments_now.get(name)
    beside = trace.moments_now.get(other)
    if after is None or beside is None:
        return False
    places = [trace.kept_position[trace.updated[row]] for row in rows]
    return all(after[p] == max(before[p] if before[p] == before[p] else 0.0, beside[p]) for p in places)

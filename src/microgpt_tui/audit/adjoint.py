"""Derivatives by one more reverse pass of our own over the recorded edges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from microgpt_tui.protocol.codes import OUTSIDE_OP
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.formula import known_locals
from microgpt_tui.trace.trace import Trace


def factors(trace: Trace, node: int) -> tuple[Sequence[int], Sequence[float]]:
    """The operands of a node and its derivatives by them: recorded, by calculus, or from what it passed on."""
    children, kept = trace.children(node), trace.locals(node)
    if not len(children) or not any(math.isnan(x) for x in kept):
        return children, kept
    born = trace.born_at(node)
    known = known_locals(trace.op_name(node), [trace.data_at(c, born) for c in children], trace.operands.get(node, ()))
    if known is not None and len(known) == len(children):
        return children, known
    given: dict[int, float] = {}
    for row in _given(trace).get(node, ()):
        factor = trace.factor[row]
        if math.isnan(factor):
            upstream = trace.grad_at(node, trace.write_event[row])
            factor = trace.delta[row] / upstream if upstream else math.nan
        given.setdefault(trace.target[row], factor)
    return list(given), list(given.values())


def adjoints(trace: Trace, seeds: Mapping[int, float]) -> dict[int, float]:
    """Derivative of a weighted sum of nodes by every node below them; NaN where a derivative is not known."""
    found = dict(seeds)
    for node in range(max(seeds), trace.first_node - 1, -1):
        upstream = found.get(node)
        if not upstream or trace.op_name(node) == OUTSIDE_OP:
            continue
        for child, factor in zip(*factors(trace, node), strict=True):
            found[child] = found.get(child, 0.0) + factor * upstream
    return found


@derived
def _given(trace: Trace) -> dict[int, list[int]]:
    """Node -> rows of what it propagated."""
    rows: dict[int, list[int]] = {}
    for row, source in enumerate(trace.source):
        if source >= 0:
            rows.setdefault(source, []).append(row)
    return rows

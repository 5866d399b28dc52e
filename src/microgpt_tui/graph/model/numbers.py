"""What the figure says of a unit at a moment: its result, the norm of its gradient, how far the backward pass is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from microgpt_tui.graph.model.units import Unit
from microgpt_tui.graph.numbers import signed
from microgpt_tui.graph.state import Reached, backward_span, data_used, grads_of
from microgpt_tui.protocol.codes import ZERO
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of one unit, over all layers that it stands for."""

    grad: float
    """Euclidean norm of its gradients: of its parameters where it has some, else of its result at the position shown.
    NaN before the backward pass has come."""
    state: Reached
    low: float
    high: float
    size: int
    """Of its result: smallest, largest number, how many."""

    @property
    def result(self) -> str:
        """``16 numbers, −0.31 … +0.42``; of a single one its value."""
        if self.size == 1:
            return signed(self.low)
        return f"{self.size} numbers, {signed(self.low)} … {signed(self.high)}"


def grads_until(trace: Trace, event: int) -> int:
    """The event whose gradients a picture of a whole model shows: at most the end of the latest backward pass."""
    span = backward_span(trace, event)
    return min(event, span[1]) if span is not None else event


def numbers_of(trace: Trace, units: list[Unit], event: int) -> Numbers:
    """The numbers of the units that one box stands for."""
    until = grads_until(trace, event)
    span = backward_span(trace, event)
    data = [data_used(trace, n, event) for n in units[0].vector]
    known = [v for v in data if v == v]
    nodes = nodes_of(units)
    if span is None or not known:
        state, grad = Reached.NONE, math.nan
    else:
        state = _state(trace, nodes, until, span)
        grad = math.nan
        if state is not Reached.WAITING:
            grad = math.sqrt(sum(g * g for g in grads_of(trace, nodes, until)))
    low, high = (min(known), max(known)) if known else (math.nan, math.nan)
    return Numbers(grad, state, low, high, len(data))


def nodes_of(units: list[Unit]) -> list[int]:
    """The nodes whose gradients are told of: parameters, else the results at the position shown."""
    parameters = list(dict.fromkeys(n for u in units for m in u.matrices for n in m.nodes))
    return parameters or [n for u in units for n in u.vector]


def _state(trace: Trace, nodes: list[int], until: int, span: tuple[int, int]) -> Reached:
    if until >= span[1]:
        return Reached.FINAL
    begun = pending = False
    write_event, index, kind = trace.write_event, trace.write_index, trace.kind
    for node in nodes:
        rows = index.get(node, ())
        for row in rows:
            at = write_event[row]
            if span[0] <= at <= span[1] and kind[at] != ZERO:
                begun = begun or at <= until
                pending = pending or at > until
        if begun and pending:
            return Reached.ACCUMULATING
    return Reached.FINAL if begun else Reached.WAITING


def change_events(trace: Trace, units: list[Unit], span: tuple[int, int]) -> tuple[int, int]:
    """(first, last event of a backward pass that writes a gradient of some units); both -1 for none."""
    first = last = -1
    for node in nodes_of(units):
        events = [trace.write_event[r] for r in trace.writes_of(node)]
        events = [e for e in events if span[0] <= e <= span[1] and trace.kind[e] != ZERO]
        if events:
            first = min(events[0], first) if first >= 0 else events[0]
            last = max(events[-1], last)
    return first, last

"""Poke and ripple: a recorded episode with some numbers changed, and everything that depends on them computed again.

The recorded graph stays; only numbers are new, made by the script's own operations in the order in which it made
them. What does not depend on a change keeps its number to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from microgpt_tui.protocol.codes import CONSTANT_OP, LEAF_OP
from microgpt_tui.recognise.softmax import softmaxes
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Trace

Operate = Callable[[str, Sequence[Sequence[float]], Sequence[float]], Sequence[float | None]]
"""The script's own operation at some points: (name, operands of each point, plain operands); None where it raises."""

_ARITHMETIC: dict[str, tuple[Callable[..., float], ...]] = {
    "add": (lambda a, b: a + b,),
    "sub": (lambda a, b: a - b,),
    "mul": (lambda a, b: a * b,),
    "truediv": (lambda a, b: a / b, lambda a, b: a * b**-1),
    "neg": (lambda a: -a,),
    "pow": (lambda a, k: a**k, lambda a, k: a ** int(k)),
    "exp": (math.exp,),
    "log": (math.log,),
    "relu": (lambda a: max(0, a),),
    "tanh": (math.tanh,),
    "sqrt": (math.sqrt, lambda a: a**0.5),
    "sigmoid": (lambda a: 1 / (1 + math.exp(-a)),),
}
"""Ways in which scripts compute an operation; one is used only where it gives the recorded number to the last bit."""


@dataclass(slots=True)
class Ripple:
    """What the changes come to."""

    changed: dict[int, float]
    """Node -> the number that it was given."""
    values: dict[int, float] = field(default_factory=dict)
    """Every node whose number is another one now, the changed ones included."""
    stuck: dict[str, int] = field(default_factory=dict)
    """Operation -> nodes that depend on a change and could not be computed again: they keep their recorded number."""
    raised: tuple[int, str] | None = None
    """The first operation that would raise, and what: nothing after it was computed."""

    def data(self, trace: Trace, node: int) -> float:
        """A node's number now."""
        return self.values[node] if node in self.values else as_made(trace, node)


def as_made(trace: Trace, node: int) -> float:
    """The number that the operations of an episode used of a node: a parameter's is that before its update."""
    return trace.data_at(node, max(0, trace.born_at(node)))


class _Stops(Exception):
    """An operation that would raise."""


class _Pass:
    """One walk over the episode's nodes, oldest first."""

    def __init__(self, trace: Trace, found: Ripple, operands: Mapping[int, tuple[int, ...]], operate: Operate | None):
        self.trace, self.found, self.operands, self.operate = trace, found, operands, operate
        self.waiting: dict[int, list[float]] = {}
        """Nodes that the script is to be asked for -> their operands."""
        self.reason = ""

    def run(self) -> None:
        trace, values, changed = self.trace, self.found.values, self.found.changed
        shifts = _maxima(trace)
        begin = min([n for n in (*changed, *self.operands) if n >= trace.first_node], default=trace.first_node)
        if any(n < trace.first_node for n in changed):
            begin = trace.first_node
        for node in range(begin, trace.end_node):
            if node in changed:
                continue
            if node in shifts:
                self._shift(node, *shifts[node])
                continue
            children = self.operands.get(node) or trace.children(node)
            if self.waiting and any(c in self.waiting for c in children):
                self._ask()
            if node in self.operands or any(c in values for c in children):
                try:
                    self._compute(node, [self.found.data(trace, c) for c in children])
                except _Stops:
                    self.found.raised = node, self.reason
                    return
        self._ask()

    def _put(self, node: int, value: float) -> None:
        recorded = as_made(self.trace, node)
        if value != recorded and not (math.isnan(value) and math.isnan(recorded)):
            self.found.values[node] = value

    def _shift(self, node: int, logits: tuple[int, ...], sign: float) -> None:
        """The maximum that a softmax subtracts is a plain number taken from its row: taken anew."""
        if self.waiting:
            self._ask()
        if any(x in self.found.values for x in logits):
            self._put(node, sign * max(self.found.data(self.trace, x) for x in logits))

    def _compute(self, node: int, numbers: list[float]) -> None:
        trace = self.trace
        plain = trace.owner(node).operands.get(node, ())
        recorded = [as_made(trace, c) for c in trace.children(node)]
        for way in _ARITHMETIC.get(trace.op_name(node), ()):
            try:
                if float(way(*recorded, *plain)) != as_made(trace, node):
                    continue
            except (ArithmeticError, ValueError, TypeError):
                continue
            try:
                value = way(*numbers, *plain)
            except (ArithmeticError, ValueError) as error:
                self.reason = f"{type(error).__name__}: {error}"
                raise _Stops from error
            if isinstance(value, complex):
                self.reason = "the result is a complex number"
                raise _Stops
            self._put(node, float(value))
            return
        self.waiting[node] = numbers

    def _ask(self) -> None:
        """What no known arithmetic computes: the script's own operations, many points at a time."""
        trace = self.trace
        groups: dict[tuple[str, tuple[float, ...]], list[int]] = {}
        for node in self.waiting:
            key = trace.op_name(node), tuple(trace.owner(node).operands.get(node, ()))
            groups.setdefault(key, []).append(node)
        for (op, plain), nodes in groups.items():
            points = [[as_made(trace, c) for c in trace.children(n)] for n in nodes]
            points += [self.waiting[n] for n in nodes]
            told = list(self.operate(op, points, plain)) if self.operate is not None else [None] * len(points)
            for node, before, after in zip(nodes, told[: len(nodes)], told[len(nodes) :], strict=True):
                if before is None or after is None or before != as_made(trace, node):
                    self.found.stuck[op] = self.found.stuck.get(op, 0) + 1
                else:
                    self._put(node, after)
        self.waiting.clear()


def ripple(
    trace: Trace,
    changed: Mapping[int, float],
    operate: Operate | None = None,
    operands: Mapping[int, tuple[int, ...]] | None = None,
) -> Ripple:
    """Compute again what depends on ``changed`` (node -> number) or on new ``operands`` (node -> its operands)."""
    found = Ripple(dict(changed))
    found.values.update((n, x) for n, x in changed.items() if x != as_made(trace, n))
    _Pass(trace, found, operands or {}, operate).run()
    return found


@derived
def _maxima(trace: Trace) -> dict[int, tuple[tuple[int, ...], float]]:
    """Leaf -> (row of logits, sign): plain numbers that are plus or minus the maximum of a softmax's row."""
    found: dict[int, tuple[tuple[int, ...], float]] = {}
    for row in softmaxes(trace):
        logits = set(row.logits)
        largest = max(as_made(trace, x) for x in row.logits)
        for exp in row.exps:
            pending, seen = list(trace.children(exp)), 0
            while pending and seen < 8:
                node, seen = pending.pop(), seen + 1
                if node in logits:
                    continue
                if trace.op_name(node) in (CONSTANT_OP, LEAF_OP) and node >= trace.first_node:
                    data = as_made(trace, node)
                    if abs(data) == abs(largest) and data != 0:
                        found[node] = row.logits, 1.0 if data == largest else -1.0
                else:
                    pending += trace.children(node)
    return found

"""Weight matrices at a moment: data, gradients, the optimizer's buffers, changes; and what rows and columns mean."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass

from microgpt_tui.recognise.attention import recogniser
from microgpt_tui.recognise.dots import sum_end
from microgpt_tui.recognise.operations import Role, graph_of
from microgpt_tui.recognise.optimizer import followers
from microgpt_tui.recognise.parameters import reads
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.trace.derived import derived, growing
from microgpt_tui.trace.trace import Matrix, Trace

EXACT = 1 << 14
"""Matrices up to so many elements get exact statistics; of larger ones every k-th element is taken."""


class Timeline:
    """A column of numbers that single writes change: its state at any event, moving there from where it was.

    ``events`` ascend; write ``i`` sets ``positions[i]`` to ``values[i]``. The array that ``at`` returns is the live
    state: read it before the next call.
    """

    def __init__(self, base: array[float]) -> None:
        self.state = array("d", base)
        self.events: list[int] = []
        self.positions: list[int] = []
        self.values: list[float] = []
        self._before: list[float] = []
        self.applied = 0
        """Writes that the state contains now; changes exactly when the state does."""

    def add(self, event: int, position: int, value: float) -> None:
        """One more write, not before the last one."""
        self.events.append(event)
        self.positions.append(position)
        self.values.append(value)

    def at(self, event: int) -> array[float]:
        """The state when events 0..event have happened."""
        goal = bisect_right(self.events, event)
        state, positions, values, before = self.state, self.positions, self.values, self._before
        known = len(before)
        for i in range(self.applied, goal):
            place = positions[i]
            if i >= known:
                before.append(state[place])
            state[place] = values[i]
        for i in range(self.applied - 1, goal - 1, -1):
            state[positions[i]] = before[i]
        self.applied = goal
        return self.state


class Parameters:
    """Data, gradient and optimizer buffers of every parameter, in the order of ``program.kept``, at any event."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._begin()

    def _begin(self) -> None:
        """As the episode begins. Which parameters there are is known when the setup has ended."""
        trace = self.trace
        count = len(trace.program.kept)
        if len(trace.start_data) == count:
            start = trace.start_data
        else:
            made = (trace.setup or trace).data
            start = array("d", (made[n] if n < len(made) else math.nan for n in trace.program.kept))
        self.data = Timeline(start)
        self.grad = Timeline(trace.start_grad if len(trace.start_grad) == count else array("d", bytes(8 * count)))
        self.buffers: dict[str, Timeline] = {}
        """The optimizer's numbers, by name."""
        self._size = count, len(trace.moments)
        self._updates = self._writes = self._moved = 0

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        if self._size != (len(trace.program.kept), len(trace.moments)):
            self._begin()
        kept, first = trace.kept_position, trace.first_node
        for row in range(self._updates, len(trace.updated)):
            place = kept.get(trace.updated[row])
            if place is not None:
                self.data.add(trace.update_event[row], place, trace.new[row])
        self._updates = len(trace.updated)
        target, events, after = trace.target, trace.write_event, trace.after
        begin = self._writes
        for row, node in enumerate(target[begin:], begin):
            if node < first:
                place = kept.get(node)
                if place is not None:
                    self.grad.add(events[row], place, after[row])
        self._writes = len(target)
        self._update_buffers()

    def _update_buffers(self) -> None:
        """Each number changes with the update of its parameter; all others as late as what is recorded."""
        trace, kept = self.trace, self.trace.kept_position
        names = followers(trace)
        if names != list(self.buffers):
            count = len(trace.program.kept)
            nothing = array("d", [math.nan]) * count
            self.buffers = {n: Timeline(trace.moments.get(n, nothing)) for n in names}
            self._moved = 0
        begin, self._moved = self._moved, trace.moments_updates
        changed = [(trace.update_event[row], kept.get(trace.updated[row])) for row in range(begin, self._moved)]
        last = {place: event for event, place in changed}
        for name, timeline in self.buffers.items():
            now = trace.moments_now.get(name)
            for event, place in changed if now is not None else ():
                if now is not None and place is not None and now[place] == now[place]:
                    timeline.add(event, place, now[place] if last[place] == event else math.nan)


@growing
def parameters(trace: Trace) -> Parameters:
    """The parameters' timelines of the episode, up to date."""
    return Parameters(trace)


def places(trace: Trace, matrix: Matrix) -> range | list[int]:
    """Where a matrix's elements are in ``program.kept``; a range where they are contiguous."""
    return _places(trace.setup or trace, matrix)


@derived
def _places(setup: Trace, matrix: Matrix) -> range | list[int]:
    kept = setup.kept_position
    first, last = kept.get(matrix.nodes[0], -1), kept.get(matrix.nodes[-1], -1)
    if first >= 0 and last - first + 1 == len(matrix.nodes):
        return range(first, last + 1)
    return [kept.get(n, 0) for n in matrix.nodes]


@dataclass(frozen=True, slots=True)
class Statistics:
    """A matrix in numbers; of very large ones every ``stride``-th element is taken."""

    low: float
    high: float
    mean: float
    norm: float
    """Euclidean (Frobenius) norm."""
    histogram: tuple[int, ...]
    """Counts in equal bins from ``low`` to ``high``."""
    stride: int
    odd: int
    """Elements that are NaN or infinite; left out of the rest."""


def statistics(values: array[float] | list[float], bins: int = 24) -> Statistics:
    """Minimum, maximum, mean, norm and histogram."""
    stride = max(1, -(-len(values) // EXACT))
    taken = values[::stride] if stride > 1 else values
    total = sum(taken)
    odd = 0
    if not math.isfinite(total):
        finite = [v for v in taken if math.isfinite(v)]
        odd = len(taken) - len(finite)
        taken, total = finite, sum(finite)
    if not len(taken):
        return Statistics(math.nan, math.nan, math.nan, math.nan, (0,) * bins, stride, odd)
    low, high = min(taken), max(taken)
    norm = math.hypot(*taken) if len(taken) < 4096 else math.sqrt(sum([v * v for v in taken]))
    counts = [0] * bins
    factor = bins / (high - low) if high > low else 0.0
    step = max(1, len(taken) // 8192)
    for v in taken[::step]:
        place = int((v - low) * factor)
        counts[place if place < bins else bins - 1] += 1
    return Statistics(low, high, total / len(taken), norm * math.sqrt(stride), tuple(counts), stride, odd)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the rows and columns of a matrix stand for."""

    row: str
    """``token``, ``position``, ``query of head``, ``neuron``, ``output``, ..."""
    column: str
    role: str
    """In a few words, for the title; empty when it could not be told."""


@derived
def meaning(trace: Trace, number: int) -> Meaning:
    """What a matrix is for, told from how the forward pass reads it."""
    matrix = trace.program.matrices[number]
    if len(matrix.shape) != 2:
        return Meaning("element", "", "vector" if len(matrix.shape) == 1 else "")
    found = reads(trace)
    embedded = [r for r in found.embedded if r.matrix == number]
    multiplied = [r for r in found.multiplied if r.matrix == number]
    size = tokens(trace).size
    if embedded:
        token = matrix.shape[0] == size and any(p.node in {r.node for r in embedded} for p in tokens(trace).positions)
        if token:
            return Meaning("token", "channel", "embedding, also the output layer" if multiplied else "token embedding")
        return Meaning("position", "channel", "position embedding")
    if not multiplied:
        return Meaning("row", "column", "")
    role = recogniser(trace).roles().get(matrix, "")
    if role:
        return Meaning(f"{role.split()[0]} dimension", "channel", role)
    if matrix.shape[0] == size:
        return Meaning("token", "channel", "output layer")
    first = multiplied[0].node
    if matrix.shape[1] == size and _makes_logit(trace, first):
        return Meaning("channel", "token", "output layer")
    if _feeds_rectifier(trace, first):
        return Meaning("neuron", "channel", "first layer of the MLP")
    rows, columns = matrix.shape
    if any(_is_rectified(trace, c) for c in trace.children(first)):
        return Meaning("channel", "neuron", "second layer of the MLP")
    return Meaning("channel", "neuron" if columns > rows else "input", "")


def _makes_logit(trace: Trace, product: int) -> bool:
    """True where a product is part of what a distribution is made of."""
    logits = {node for d in tokens(trace).distributions for node in d.logits}
    graph, node, end = graph_of(trace), product, sum_end(graph_of(trace), product)
    while node not in logits and node != end:
        node = graph.users(node)[0]
    return node in logits


def _feeds_rectifier(trace: Trace, product: int) -> bool:
    """True when the sum that a product goes into has a user with one operand (relu, silu, gelu, tanh)."""
    return any(_is_rectified(trace, user) for user in graph_of(trace).users(sum_end(graph_of(trace), product)))


def _is_rectified(trace: Trace, node: int) -> bool:
    """True for a value made of one computed operand, as an activation is, or of a power of one."""
    graph = graph_of(trace)
    children = graph.children(node)
    if len(children) != 1 or graph.is_parameter(children[0]):
        return False
    if graph.role(node) is Role.POWER:
        return graph.role(children[0]) is Role.RECTIFY
    return graph.role(node) not in (Role.EXP, Role.LOG, Role.NEGATE)

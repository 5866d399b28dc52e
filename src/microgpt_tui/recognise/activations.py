"""Activation functions: how often they let hardly any gradient through, and which neurons always do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microgpt_tui.recognise.operations import Graph, Role, graph_of, rows_of
from microgpt_tui.recognise.parameters import matrix_of
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Matrix, Trace

SATURATED = 0.97
"""A tanh beyond this (a sigmoid within 1.5 % of an end) lets about a twentieth of the gradient through."""

_FLAT: dict[Role, Callable[[float], bool]] = {
    Role.RECTIFY: lambda y: y == 0,
    Role.TANH: lambda y: abs(y) > SATURATED,
    Role.SIGMOID: lambda y: abs(2 * y - 1) > SATURATED,
}


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation function after one matrix, over all positions so far."""

    name: str
    line: int
    units: int
    """Neurons: different rows of the matrix before it."""
    calls: int
    flat: float
    """Share of results that are flat: zero for a rectifier, near an end for tanh and sigmoid."""
    dead: int
    """Neurons that are flat at every position so far."""
    rectifies: bool
    """A rectifier: flat is called zero; else it is called saturated."""


def activations(trace: Trace, event: int) -> list[Activation]:
    """Rectifiers (relu and its kin), tanh and sigmoid up to an event."""
    found: list[Activation] = []
    for op, rows in _neurons(trace).rows.items():
        made = [(row, neuron) for row, neuron in rows if trace.born[row] <= event]
        if made:
            found += _of_operation(trace, op, made)
    return found


class _Neurons:
    """Which neuron each result of an activation function belongs to."""

    def __init__(self) -> None:
        self.rows: dict[int, list[tuple[int, int]]] = {}
        """Operation -> (row of a node, parameter that stands for its neuron), oldest first."""
        self._done: dict[int, int] = {}

    def update(self, trace: Trace) -> None:
        graph = graph_of(trace)
        for op, role in enumerate(graph.roles):
            if role not in _FLAT:
                continue
            rows = self.rows.setdefault(op, [])
            for row in rows_of(trace, op, self._done.get(op, 0), graph.done):
                rows.append((row, _owner(trace, graph, int(trace.child[trace.child_start[row]]))))
            self._done[op] = graph.done


@growing
def _neurons(trace: Trace) -> _Neurons:
    return _Neurons()


def _of_operation(trace: Trace, op: int, made: list[tuple[int, int]]) -> list[Activation]:
    """One operation's results, by the matrix before it and the neuron."""
    role = graph_of(trace).roles[op]
    flat = _FLAT[role]
    neurons: dict[int, list[int]] = {}
    """Parameter that stands for a neuron -> [calls, flat ones]."""
    for row, neuron in made:
        counts = neurons.setdefault(neuron, [0, 0])
        counts[0] += 1
        counts[1] += flat(trace.data[row])
    matrices: dict[Matrix | None, list[list[int]]] = {}
    for neuron, counts in neurons.items():
        matrices.setdefault(matrix_of(trace, neuron), []).append(counts)
    found = []
    for matrix, units in matrices.items():
        calls = sum(c for c, _ in units)
        name = trace.ops[op]
        if matrix is not None:
            name += f" after {matrix.name}"
        line = trace.site_of(trace.first_node + made[0][0]).line
        flat_ones, dead = sum(z for _, z in units), sum(c == z for c, z in units)
        found.append(Activation(name, line, len(units), calls, flat_ones / calls, dead, role is Role.RECTIFY))
    return found


def _owner(trace: Trace, graph: Graph, node: int) -> int:
    """A parameter that stands for the neuron: the nearest one below its sum of products."""
    level = [node]
    for _ in range(6):
        below: list[int] = []
        for top in level:
            for child in graph.children(top):
                if matrix_of(trace, child) is not None:
                    return int(child)
                below.append(int(child))
        level = below[:16]
    return -1

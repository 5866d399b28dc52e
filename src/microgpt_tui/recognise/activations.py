"""Activation functions: how often they let hardly any gradient through, and which neurons always do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.recognise.parameters import elements
from microgpt_tui.trace.trace import Trace

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
    graph = graph_of(trace)
    graph.update()
    found: list[Activation] = []
    for number, role in enumerate(graph.roles):
        if role in _FLAT:
            found += _of_operation(trace, graph, number, role, event)
    return found


def _of_operation(trace: Trace, graph: Graph, number: int, role: Role, event: int) -> list[Activation]:
    """One operation's results, by the matrix before it and the neuron."""
    owners: dict[int, int] = trace.__dict__.setdefault("_recognise_owners", {})
    places, starts, flat = elements(trace), trace.child_start, _FLAT[role]
    neurons: dict[int, list[int]] = {}
    """Parameter that stands for a neuron -> [calls, flat ones]."""
    first = row = -1
    while True:
        try:
            row = trace.op.index(number, row + 1)
        except ValueError:
            break
        if trace.born[row] > event or row >= graph.done:
            break
        first = row if first < 0 else first
        owner = owners.get(row)
        if owner is None:
            owner = owners[row] = _owner(trace, graph, int(trace.child[starts[row]]))
        counts = neurons.setdefault(owner, [0, 0])
        counts[0] += 1
        counts[1] += flat(trace.data[row])
    matrices: dict[int, list[list[int]]] = {}
    for owner, counts in neurons.items():
        place = places.get(owner)
        matrices.setdefault(place[0] if place else -1, []).append(counts)
    found = []
    for matrix, units in matrices.items():
        calls = sum(c for c, _ in units)
        name = trace.ops[number]
        if matrix >= 0:
            name += f" after {trace.program.matrices[matrix].name}"
        found.append(
            Activation(
                name,
                trace.site_of(trace.first_node + first).line,
                len(units),
                calls,
                sum(z for _, z in units) / calls,
                sum(1 for c, z in units if c == z),
                role is Role.RECTIFY,
            )
        )
    return found


def _owner(trace: Trace, graph: Graph, node: int) -> int:
    """A parameter that stands for the neuron: the nearest one below its sum of products."""
    places = elements(trace)
    level = [node]
    for _ in range(6):
        below: list[int] = []
        for top in level:
            for child in graph.children(top):
                if child in places:
                    return int(child)
                below.append(int(child))
        level = below[:16]
    return -1

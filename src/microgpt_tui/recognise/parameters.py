"""Where parameters are read: which row of which matrix, as an embedding or in a matrix product."""

from __future__ import annotations

from bisect import bisect_right, insort
from operator import attrgetter
from typing import NamedTuple

from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.names import matrix_place
from microgpt_tui.trace.trace import Matrix, Trace


def matrix_of(trace: Trace, node: int) -> Matrix | None:
    """The matrix, of two dimensions or more, that a parameter is an element of; None for any other node."""
    found = matrix_place(trace, node)
    return found[0] if found is not None and len(found[0].shape) > 1 else None


class Read(NamedTuple):
    """A row of a matrix goes into the forward pass."""

    node: int
    """The node made from the row's first element."""
    matrix: int
    """Index among ``program.matrices``."""
    row: int


class Reads:
    """Reads of matrices' rows in an episode, oldest first; follows a growing trace."""

    def __init__(self, trace: Trace) -> None:
        self.graph: Graph = graph_of(trace)
        self.embedded: list[Read] = []
        """Rows that become a vector: embeddings."""
        self.multiplied: list[Read] = []
        """Rows that multiply a computed vector: linear layers."""
        self.last_use: dict[int, int] = {}
        self._done = 0
        self._first_elements: dict[int, tuple[int, int]] = {}
        for number, matrix in enumerate(trace.program.matrices):
            if len(matrix.shape) == 2 and matrix.shape[1] > 0:
                width = matrix.shape[1]
                for row in range(matrix.shape[0]):
                    self._first_elements.setdefault(matrix.nodes[row * width], (number, row))
        self._pair: tuple[int, tuple[int, int], tuple[int, int]] | None = None

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        graph = graph_of(trace)
        end = graph.done
        if end <= self._done:
            return
        starts, wanted = trace.child_start, self._first_elements
        low = starts[self._done]
        edges = trace.child[low : starts[end] if end < len(starts) else len(trace.child)]
        hits = [i for i, c in enumerate(edges, low) if c in wanted]
        roles, ops, child, first = graph.roles, trace.op, trace.child, trace.first_node
        multiplied = self.multiplied
        seen = -1
        for edge in hits:
            row = bisect_right(starts, edge) - 1
            if row == seen:
                continue
            seen = row
            begin = starts[row]
            if roles[ops[row]] is Role.MULTIPLY:  # nearly always: a row of a linear layer times a computed vector
                other = child[begin + 1] if edge == begin else child[begin]
                if other >= first and starts[other - first] < starts[other - first + 1]:
                    multiplied.append(Read(first + row, *wanted[child[edge]]))
                    continue
            self._take(first + row, child[edge])
        self._done = end

    def _take(self, node: int, parameter: int) -> None:
        graph = self.graph
        matrix, row = self._first_elements[parameter]
        children = graph.children(node)
        others = [c for c in children if c != parameter]
        if graph.role(node) is Role.MULTIPLY and others:
            other = others[0]
            if not graph.is_parameter(other) and not graph.is_constant(other, 1):
                self.multiplied.append(Read(node, matrix, row))
                return
            place = self._first_elements.get(other)
            if place is not None:
                self._take_pair(node, (matrix, row), place)
                return
        self.embedded.append(Read(node, matrix, row))
        for other in others:
            place = self._first_elements.get(other)
            if place is not None:
                self.embedded.append(Read(node, *place))

    def _take_pair(self, node: int, one: tuple[int, int], two: tuple[int, int]) -> None:
        """An embedding's row straight into a linear layer: it is the row that stays while the other changes."""
        before = self._pair
        self._pair = (node, one, two)
        if before is None:
            return
        for stays, changes in ((one, two), (two, one)):
            if stays in before[1:] and changes not in before[1:] and any(b[0] == changes[0] for b in before[1:]):
                if changes[1] == 1 or not self.embedded:  # it was read for the row before this one
                    insort(self.embedded, Read(before[0], *stays), key=attrgetter("node"))
                self.multiplied.append(Read(node, *changes))
                return


@growing
def reads(trace: Trace) -> Reads:
    """The reads of the episode so far."""
    return Reads(trace)

"""Matrices in a flat list of parameters, cut out by how the first forward pass uses it.

A script that keeps all its numbers in one list makes views of it while it runs, or computes places in it. What belongs
together is told by what it is multiplied with: the rows of a linear layer meet the same vector, element by element, one
row after the other (or, kept by columns, one element of it for a whole row); what is added and not multiplied is a
table of embeddings, whose rows are as long as what is read of it at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from microgpt_tui.protocol.codes import APPENDED, BindKind
from microgpt_tui.recognise.dots import sum_end
from microgpt_tui.recognise.operations import Role, graph_of
from microgpt_tui.trace.first_bindings import leaf_count
from microgpt_tui.trace.trace import Matrix, Program, Trace

SHORTEST = 16
"""Numbers of a list that may hold matrices."""
NEAR = 4
"""Nodes between two neighbours of a row that is read whole."""
Part = tuple[int, int, int]
"""(place in the list, rows, columns); a vector has 0 rows."""


def is_flat(program: Program) -> bool:
    """True where parameters stand in long lists only: matrices are to be looked for in them."""
    return any(_may_be_cut(m) for m in program.matrices) and all(len(m.shape) < 2 for m in program.matrices)


def _may_be_cut(matrix: Matrix) -> bool:
    return len(matrix.shape) == 1 and len(matrix.nodes) >= SHORTEST and matrix.flat is None


def cut(trace: Trace) -> list[Matrix]:
    """The parameters of a program, its flat lists cut at what an episode shows; empty where it shows no matrix."""
    found: list[Matrix] = []
    for matrix in trace.program.matrices:
        parts = list(_parts(trace, matrix)) if _may_be_cut(matrix) else []
        if not any(rows for _, rows, _ in parts):
            found.append(matrix)
            continue
        for start, rows, columns in parts:
            size = max(rows, 1) * columns
            name = f"{matrix.name}[{start}:{start + size}]"
            shape = (rows, columns) if rows else (columns,)
            found.append(Matrix(name, shape, matrix.nodes[start : start + size], (matrix.name, start)))
    return found if any(len(m.shape) > 1 for m in found) else []


def _parts(trace: Trace, matrix: Matrix) -> Iterator[Part]:
    """All of a list, in order: matrices, and vectors of what is between them."""
    uses = _Uses(trace, matrix)
    products = sorted(_disjoint([*uses.bound, *uses.products()]))
    at = 0
    for start, rows, columns in [*products, (len(matrix.nodes), 0, 0)]:
        if start > at:
            yield from uses.between(at, start, [side for _, *sides in products for side in sides])
        if columns:
            yield start, rows, columns
        at = start + max(rows, 1) * columns


def _disjoint(parts: list[Part]) -> Iterator[Part]:
    """Those that overlap none before them."""
    taken: list[tuple[int, int]] = []
    for start, rows, columns in parts:
        end = start + max(rows, 1) * columns
        if all(end <= a or start >= b for a, b in taken):
            taken.append((start, end))
            yield start, rows, columns


class _Uses:
    """What each number of a list meets first in an episode."""

    def __init__(self, trace: Trace, matrix: Matrix) -> None:
        self.place = {node: i for i, node in enumerate(matrix.nodes)}
        self.factor: dict[int, int] = {}
        """Place -> the computed value that it is multiplied by."""
        self.read: dict[int, tuple[int, int]] = {}
        """Place -> (the node that it goes into otherwise, which of those of the list there)."""
        self.product: dict[int, int] = {}
        """Place -> that product."""
        self.graph = graph = graph_of(trace)
        first = trace.first_node
        self.lists = _lists(trace)
        place, starts, child = self.place, trace.child_start, trace.child
        edge = 0
        for row in range(graph.done):
            begin, edge = edge, starts[row + 1] if row + 1 < len(starts) else len(child)
            operands = child[begin:edge]
            own = [place[c] for c in operands if c in place]
            if not own:
                continue
            others = [c for c in operands if c not in place]
            product = graph.roles[trace.op[row]] is Role.MULTIPLY and len(own) == len(others) == 1
            if product and others[0] >= first and len(trace.children(others[0])):
                if own[0] not in self.factor:
                    self.factor[own[0]], self.product[own[0]] = others[0], first + row
                continue
            for which, at in enumerate(own):
                self.read.setdefault(at, (first + row, which))
        self.bound = list(self._bound(trace))

    def _bound(self, trace: Trace) -> Iterator[Part]:
        """What the script itself has in a variable as a list of rows."""
        for row, kind in enumerate(trace.bind_kind):
            shape = trace.shapes[trace.bind_shape[row]] if kind == BindKind.NODES else None
            if (
                not isinstance(shape, list)
                or not shape
                or len({str(s) for s in shape}) != 1
                or not isinstance(shape[0], int)
            ):
                continue
            rows, columns = len(shape), shape[0]
            start = trace.bind_start[row]
            nodes = trace.bound_nodes[start : start + rows * columns]
            places = [self.place.get(n, -1) for n in nodes]
            if columns and places[0] >= 0 and places == list(range(places[0], places[0] + rows * columns)):
                yield places[0], rows, columns

    def products(self) -> Iterator[Part]:
        """Runs of numbers that are multiplied by the same vector, row by row."""
        places = sorted(self.factor)
        i = 0
        while i < len(places):
            run = i
            while run + 1 < len(places) and places[run + 1] == places[run] + 1:
                run += 1
            start, end = places[i], places[run] + 1
            while start < end:
                rows, columns = self._grid(start, end)
                yield start, rows, columns
                start += max(rows, 1) * columns
            i = run + 1

    def _grid(self, start: int, end: int) -> tuple[int, int]:
        """(rows, columns) of the largest matrix that begins here; (0, length) for a vector."""
        factor = self.factor
        first = factor[start]
        if start + 1 < end and factor[start + 1] == first:  # by columns: a row meets one element
            columns = 1
            while start + columns < end and factor[start + columns] == first:
                columns += 1
            rows, seen = 1, {first}
            while start + (rows + 1) * columns <= end:
                row = {factor[start + rows * columns + j] for j in range(columns)}
                if len(row) != 1 or row & seen or not self._together(first, *row):
                    break
                seen |= row
                rows += 1
            return rows, columns
        columns, seen = 1, {first}
        while (
            start + columns < end
            and factor[start + columns] not in seen
            and self._together(first, factor[start + columns])
        ):
            seen.add(factor[start + columns])
            columns += 1
        rows = 1
        while start + (rows + 1) * columns <= end and all(
            factor[start + rows * columns + j] == factor[start + j] for j in range(columns)
        ):
            if not self._together(self._result(start), self._result(start + rows * columns)):
                break
            rows += 1
        return (rows, columns) if rows > 1 else (0, columns)

    def _together(self, one: int, two: int) -> bool:
        """False for values that the script keeps in different lists."""
        lists = [self.lists[node] for node in (one, two) if node in self.lists]
        return len(lists) < 2 or lists[0] == lists[1]

    def _result(self, place: int) -> int:
        """The sum that a number's product goes into."""
        return sum_end(self.graph, self.product[place])

    def between(self, start: int, end: int, heights: list[int]) -> Iterator[Part]:
        """What is not multiplied: tables of embeddings, or vectors such as biases."""
        used = [(at, *self.read[at]) for at in range(start, end) if at in self.read]
        runs: list[tuple[int, int, int]] = []
        """(place, length, which)"""
        for i, (at, node, which) in enumerate(used):
            before = used[i - 1] if i else None
            if before is not None and at == before[0] + 1 and 0 <= node - before[1] <= NEAR and which == before[2]:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1, which)
            else:
                runs.append((at, 1, which))
        width = Counter(length for _, length, _ in runs).most_common(1)[0][0] if runs else 0
        size = end - start
        if width < 2 or width == size or size % width or any((at - start) % width for at, *_ in runs):
            yield start, 0, size
            return
        for first, last in pairwise(self._tables(runs, start, size // width, width, heights)):
            yield start + first * width, last - first, width

    @staticmethod
    def _tables(runs: list[tuple[int, int, int]], start: int, rows: int, width: int, heights: list[int]) -> list[int]:
        """The rows at which tables begin, and the end: what is added to each other stands in different ones."""
        one, two = (
            sorted({(at - start) // width for at, _, which in runs if which == side}) for side in (0, 1)
        )  # fmt: skip
        if not one or not two:
            return [0, rows]
        low, high = sorted((one, two), key=lambda side: side[0])
        if low[-1] >= high[0]:
            return [0, rows]
        if high == list(range(high[0], high[0] + len(high))):  # positions, from the first on
            return [0, high[0], rows]
        fitting = [rows - h for h in heights if low[-1] < rows - h <= high[0]]
        return [0, min(fitting, default=high[0]), rows]


def _lists(trace: Trace) -> dict[int, int]:
    """Node -> the list that it was put into first."""
    found: dict[int, int] = {}
    for row, kind in enumerate(trace.bind_kind):
        start, identity = trace.bind_start[row], trace.bind_list[row]
        if kind == BindKind.NODES:
            count = leaf_count(trace.shapes[trace.bind_shape[row]])
            for node in trace.bound_nodes[start : start + count]:
                found.setdefault(node, identity or ~row)
        elif kind == BindKind.NODE and identity and trace.bind_index[row] == APPENDED:
            found.setdefault(trace.bound_nodes[start], identity)
    return found

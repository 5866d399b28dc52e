"""Attention: softmax rows over positions whose scores are dot products of two computed vectors, a query and a key.

A gate or a mixture is no attention: its scores multiply parameters, or it has not one weight per position seen.
Layers, heads and positions follow from what depends on what; no name is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from microgpt_tui.recognise.dots import Dot, dot, weighted_by_matrix
from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.recognise.parameters import matrix_of
from microgpt_tui.recognise.softmax import SoftmaxRow, softmaxes
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Matrix, Trace


@dataclass(frozen=True, slots=True)
class AttentionRow:
    """What one query position of one head looks at: nodes, one per key position."""

    layer: int
    head: int
    sequence: int
    """Which sequence of the episode: a batch has several."""
    query: int
    """Position within the sequence."""
    keys: range
    """Positions of the columns."""
    softmax: SoftmaxRow

    @property
    def weights(self) -> tuple[int, ...]:
        """Nodes of the attention weights."""
        return self.softmax.weights

    @property
    def logits(self) -> tuple[int, ...]:
        """Nodes of the scaled scores."""
        return self.softmax.logits


@dataclass(frozen=True, slots=True)
class Cell:
    """One weight opened: q·k per dimension, scale, softmax, its part in the blend of values. Nodes."""

    row: AttentionRow
    column: int
    query: tuple[int, ...]
    key: tuple[int, ...]
    products: tuple[int, ...]
    sum: int
    score: int
    exp: int
    total: int
    weight: int
    values: tuple[int, ...]
    """The value vector that the weight multiplies."""
    shares: tuple[int, ...]
    """weight * values[j], per dimension."""
    output: tuple[int, ...]
    """The head's output, per dimension: the shares of all columns added up; may be shorter while it is being made."""


@dataclass(slots=True)
class _Table:
    """The keys that one head (or several, grouped) looks at in one sequence."""

    positions: dict[int, int] = field(default_factory=dict)
    """First element of a key vector -> position."""


@dataclass(slots=True)
class _Slot:
    """One head of one layer: the rows of all sequences."""

    layer: int
    head: int
    sequences: list[list[AttentionRow]] = field(default_factory=list)
    tables: list[_Table] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Attention:
    """All attention of an episode."""

    heads: tuple[int, ...]
    """Number of heads per layer; empty when there is no attention."""
    rows: dict[tuple[int, int, int], list[AttentionRow]]
    """(sequence, layer, head) -> rows by query position."""
    births: dict[int, tuple[int, ...]]
    """Sequence -> the node that began each position, oldest first (see ``position_at``)."""
    candidates: int
    """Softmax rows that were looked at."""

    def length(self, sequence: int) -> int:
        """Positions of a sequence."""
        return len(self.births.get(sequence, ()))

    @property
    def sequences(self) -> int:
        return len(self.births)


class Recogniser:
    """Finds the attention rows among an episode's softmax rows; follows a growing trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.graph: Graph = graph_of(trace)
        self.slots: dict[tuple[int, int], _Slot] = {}
        self.tables: dict[int, _Table] = {}
        """First element of a key vector -> the table it is in."""
        self.heads: list[int] = []
        self.done = 0
        self.attention_rows: set[int] = set()
        """``first`` of the softmax rows that are attention."""
        self.found = Attention((), {}, {}, 0)
        """All attention so far."""
        self._layer_weights: list[int] = []
        """The weights of the newest layer's first row."""
        self._layer_input = -1
        self._lone: dict[int, tuple[_Table, int]] = {}
        """Guessed query -> (table, its key), for rows of one column: the next row tells which is which."""

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        rows = softmaxes(trace)
        if self.done == len(rows) and not trace.complete:
            return
        for row in rows[self.done :]:
            if row.weights:
                self._take(row)
        self.done = len(rows)
        self.found = self._freeze(len(rows))

    # -- one row ---------------------------------------------------------------------------

    def _take(self, row: SoftmaxRow) -> None:
        graph = self.graph
        columns = [i for i, logit in enumerate(row.logits) if not graph.is_constant(logit)]
        if not columns:
            return
        first = dot(graph, row.logits[columns[0]])
        last = dot(graph, row.logits[columns[-1]]) if len(columns) > 1 else first
        if first is None or last is None or len(first.products) != len(last.products):
            return
        for a, b in ((first.left[0], first.right[0]), (last.left[0], last.right[0])):
            if graph.is_parameter(a) or graph.is_parameter(b) or graph.is_constant(a) or graph.is_constant(b):
                return
        pair = {first.left[0], first.right[0]}
        if first is last:
            query, key = self._tell_apart(pair)
        else:
            shared = pair & {last.left[0], last.right[0]}
            if len(shared) != 1:
                return
            query = shared.pop()
            key = next(iter(pair - {query}), query)
            if key in self._lone:
                table, taken = self._lone.pop(key)
                table.positions = {key: 0}
                self.tables.pop(taken, None)
                self.tables[key] = table
        self._place(row, columns, query, key, last)

    def _tell_apart(self, pair: set[int]) -> tuple[int, int]:
        """Query and key of a lone column: a known key is the key, else the query is what was made first."""
        a, b = min(pair), max(pair)
        return (b, a) if a in self.tables and b not in self.tables else (a, b)

    def _place(self, row: SoftmaxRow, columns: list[int], query: int, key: int, last: Dot) -> None:
        table = self.tables.get(key)
        newest = next((x for x in (last.left[0], last.right[0]) if x != query), query)
        if table is None:
            table = self.tables.get(newest) or _Table()
        width = len(row.logits)
        start = table.positions.get(key)
        if start is None:
            start = len(table.positions)
            table.positions[key] = start
            self.tables[key] = table
        end = start + columns[-1] - columns[0]
        if newest not in table.positions:
            table.positions[newest] = end
            self.tables[newest] = table
        if width == 1:
            self._lone[query] = (table, key)
        slot = self._slot(row, query, table)
        if not slot.tables or slot.tables[-1] is not table:
            slot.tables.append(table)
            slot.sequences.append([])
        sequence = len(slot.sequences) - 1
        rows = slot.sequences[sequence]
        begin = start - columns[0]
        at = (
            len(rows) if not rows or rows[-1].keys == range(begin, begin + width) else max(len(rows), begin + width - 1)
        )
        rows.append(AttentionRow(slot.layer, slot.head, sequence, at, range(begin, begin + width), row))
        self.attention_rows.add(row.first)

    def _slot(self, row: SoftmaxRow, query: int, table: _Table) -> _Slot:
        """The head that a row belongs to: that whose rows of the query matrix made its query."""
        parameter, source = weighted_by_matrix(self.graph, query)
        again = 0
        while (slot := self.slots.get((parameter, again))) is not None:
            if slot.tables[-1] is table:
                return slot
            if not self._depends(query, slot.sequences[-1][-1].weights, 2000):
                return slot
            again += 1  # the same parameters used again further up: a layer of its own
        if not self.heads or (
            source != self._layer_input and self._depends(query, tuple(self._layer_weights), 1 << 18)
        ):
            self.heads.append(0)
            self._layer_weights = list(row.weights)
            self._layer_input = source
        slot = _Slot(len(self.heads) - 1, self.heads[-1])
        self.heads[-1] += 1
        self.slots[(parameter, again)] = slot
        return slot

    def _depends(self, node: int, on: tuple[int, ...], most: int) -> bool:
        """True when a node was made from one of ``on``; gives up (False) after ``most`` nodes."""
        wanted, oldest = set(on), min(on)
        graph, seen, stack = self.graph, set[int](), [node]
        while stack and len(seen) < most:
            top = stack.pop()
            if top in wanted:
                return True
            if top < oldest or top in seen:
                continue
            seen.add(top)
            stack.extend(sorted(graph.children(top), reverse=True))
        return False

    def roles(self) -> dict[Matrix, str]:
        """Matrix -> ``query``, ``key`` or ``value``: what its rows make in attention, with the layer."""
        found: dict[Matrix, str] = {}
        for slot in self.slots.values():
            if not slot.sequences or not slot.sequences[0]:
                continue
            cell = open_cell(self.trace, slot.sequences[0][-1], 0)
            for what, nodes in (("query", cell.query), ("key", cell.key), ("value", cell.values)):
                if nodes:
                    matrix = matrix_of(self.trace, weighted_by_matrix(self.graph, nodes[0])[0])
                    if matrix is not None:
                        found.setdefault(matrix, f"{what} of layer {slot.layer}")
        return found

    # -- the whole -------------------------------------------------------------------------

    def _freeze(self, candidates: int) -> Attention:
        rows: dict[tuple[int, int, int], list[AttentionRow]] = {}
        for slot in self.slots.values():
            for number, sequence in enumerate(slot.sequences):
                if self.trace.complete and len(sequence) == 1 and len(sequence[0].keys) > 1:
                    continue  # a row over many that comes once: a choice, not a row per position
                rows[(number, slot.layer, slot.head)] = list(sequence)
        births: dict[int, tuple[int, ...]] = {}
        for (number, layer, _), sequence in rows.items():
            if layer == 0 and number not in births:
                births[number] = tuple(_own_logit(row) for row in sequence)
        return Attention(tuple(self.heads) if rows else (), rows, births, candidates)


def _own_logit(row: AttentionRow) -> int:
    """The score of a position with itself: made when the position's iteration had come."""
    column = row.query - row.keys.start
    return row.logits[column] if 0 <= column < len(row.logits) else row.softmax.first


def attention(trace: Trace) -> Attention:
    """The episode's attention as far as it is recorded."""
    return recogniser(trace).found


@growing
def recogniser(trace: Trace) -> Recogniser:
    """What finds the episode's attention, up to date."""
    return Recogniser(trace)


def open_cell(trace: Trace, row: AttentionRow, column: int) -> Cell:
    """Everything that made one weight, and what it goes into. ``column`` counts from 0 within the row."""
    graph = graph_of(trace)
    found = dot(graph, row.logits[column])
    weight = row.weights[column]
    query: tuple[int, ...] = ()
    key: tuple[int, ...] = ()
    if found is not None:
        query, key = _sides(graph, row, column, found)
    shares, values = _blend(graph, weight)
    output = tuple(o for share in shares if (o := _sum_of(graph, share)) >= 0)
    return Cell(
        row, column, query, key, found.products if found else (), found.sum if found else row.logits[column],
        row.logits[column], row.softmax.exps[column], row.softmax.total, weight, values, shares, output,
    )  # fmt: skip


def _sides(graph: Graph, row: AttentionRow, column: int, found: Dot) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Per dimension which operand is the query's: the one that another column multiplies too."""
    other: Dot | None = None
    for i, logit in enumerate(row.logits):
        if i != column and not graph.is_constant(logit):
            other = dot(graph, logit)
            break
    query, key = [], []
    for j, (a, b) in enumerate(zip(found.left, found.right, strict=True)):
        known = other is not None and j < len(other.left)
        swap = a not in (other.left[j], other.right[j]) if other is not None and known else a > b
        query.append(b if swap else a)
        key.append(a if swap else b)
    return tuple(query), tuple(key)


def _blend(graph: Graph, weight: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The products of a weight with a value vector, and that vector."""
    shares, values = [], []
    for user in graph.users(weight):
        children = graph.children(user)
        if graph.role(user) is Role.MULTIPLY and len(children) == 2:
            shares.append(user)
            values.append(int(children[1] if children[0] == weight else children[0]))
    return tuple(shares), tuple(values)


def _sum_of(graph: Graph, share: int) -> int:
    """The end of the chain of additions that a share goes into, as long as it has one user and adds products."""
    node = share
    while True:
        users = [u for u in graph.users(node) if graph.role(u) is Role.ADD]
        if len(users) != 1:
            return node if node != share else -1
        others = [c for c in graph.children(users[0]) if c != node]
        if not all(graph.role(c) in (Role.MULTIPLY, Role.ADD, Role.LEAF) for c in others):
            return node
        node = users[0]
        if len(graph.users(node)) != 1:
            return node

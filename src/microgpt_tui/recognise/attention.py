"""Attention: softmax rows over positions whose scores are dot products of two computed vectors, a query and a key.

A gate or a mixture is no attention: its scores multiply parameters, or it has not one weight per position seen.
Layers, heads and positions follow from what depends on what; no name is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from microgpt_tui.recognise.dots import Dot, score, weighted
from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.recognise.origins import origins
from microgpt_tui.recognise.parameters import matrix_of
from microgpt_tui.recognise.softmax import SoftmaxRow, softmax_finder
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

    def total_at(self, trace: Trace, event: int) -> float:
        """The sum of the exponentials; also where the script has it as a plain number (``total`` is -1)."""
        if self.total >= 0:
            return trace.data_at(self.total, event)
        weight = trace.data_at(self.weight, event)
        return trace.data_at(self.exp, event) / weight if weight else math.nan


def entropy_of(weights: Sequence[float]) -> float:
    """How spread a row is, in nats: 0 when all weight is on one position, ln n when it is spread evenly over n."""
    return 0.0 - sum(w * math.log(w) for w in weights if w > 0)


@dataclass(slots=True, eq=False)
class _Table:
    """The positions that the heads look at in one sequence."""

    positions: dict[int, int] = field(default_factory=dict)
    """Origin of a key (of position 0 of the query too) -> position."""

    @property
    def newest(self) -> int:
        """The last position."""
        return max(self.positions.values(), default=-1)


@dataclass(slots=True)
class _Slot:
    """One head of one layer: the rows of all sequences."""

    layer: int
    head: int
    sequences: dict[_Table, list[AttentionRow]] = field(default_factory=dict)


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
        self.origins = origins(trace)
        self.slots: dict[tuple[int, int], _Slot] = {}
        """(first parameter of the query, how many layers use it before) -> head."""
        self.tables: dict[int, _Table] = {}
        """Origin of a key -> the table it is in."""
        self.heads: list[int] = []
        self.attention_rows: set[int] = set()
        """``first`` of the softmax rows that are attention."""
        self.found = Attention((), {}, {}, 0)
        """All attention so far."""
        self._done = self._late_done = 0
        self._layer_weights: list[int] = []
        """The weights of the newest layer's first row."""
        self._layer_input = -1
        self._lone: dict[int, list[tuple[int, int]]] = {}
        """Parameter of what was guessed to be a key -> heads of one column: the next row tells which is which."""

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        finder = softmax_finder(trace)
        self.origins = origins(trace)
        rows, late = finder.rows, finder.late
        if self._done == len(rows) and self._late_done == len(late) and not trace.complete:
            return
        for place in late[self._late_done :]:
            if place < self._done:
                self._take(rows[place])
        for row in rows[self._done :]:
            if row.weights:
                self._take(row)
        self._done, self._late_done = len(rows), len(late)
        self.found = self._freeze(len(rows))

    # -- one row ---------------------------------------------------------------------------

    def _take(self, row: SoftmaxRow) -> None:
        columns = [i for i, logit in enumerate(row.logits) if self.origins.of(logit) >= 0]
        if not columns:
            return
        first = self._score(row, columns[0])
        last = self._score(row, columns[-1]) if len(columns) > 1 else first
        if first is None or last is None:
            return
        if len(columns) == 1:
            self._take_lone(row, columns, first)
            return
        one, two = self._origins_of(first), self._origins_of(last)
        shared = set(one) & set(two)
        if not shared:
            return
        query = max(shared)
        left = one[0] == query and (one[1] != query or two[0] == query)
        if one[0] == one[1] == query and two[0] != two[1]:
            left = two[0] == query
        key, newest = (one[1], two[1]) if left else (one[0], two[0])
        self._place(row, columns, (query, key, newest), first.left[0] if left else first.right[0])

    def _score(self, row: SoftmaxRow, column: int) -> Dot | None:
        return score(self.graph, self.origins, row.logits[column])

    def _origins_of(self, found: Dot) -> tuple[int, int]:
        return self.origins.of(found.left[0]), self.origins.of(found.right[0])

    def _take_lone(self, row: SoftmaxRow, columns: list[int], found: Dot) -> None:
        """A row of one column: which vector is the query is told by a head that is known, else guessed."""
        sides = (found.left[0], found.right[0])
        parameters = [weighted(self.graph, self.origins, side)[0] for side in sides]
        known = [(p, 0) in self.slots for p in parameters]
        at = known.index(True) if any(known) and not all(known) else int(sides[0] > sides[1])
        query, key = self.origins.of(sides[at]), self.origins.of(sides[1 - at])
        table = self.tables.get(key) or self.tables.get(query)
        if table is None:
            table = _Table({query: 0, key: 0})
            self.tables[query] = self.tables[key] = table
        place = self._place(row, columns, (query, key, key), sides[at])
        if not any(known):
            self._lone.setdefault(parameters[1 - at], []).append(place)

    def _place(
        self, row: SoftmaxRow, columns: list[int], marks: tuple[int, int, int], vector: int
    ) -> tuple[int, int]:  # fmt: skip
        """Put a row where it belongs; ``marks`` are the origins of the query, the first and the last key."""
        query, key, newest = marks
        width, span = len(row.logits), columns[-1] - columns[0]
        ordered = key != newest or not span
        """Keys are of positions of their own; else each knows of all positions: nothing hides the future."""
        table = self.tables.get(newest) or self.tables.get(key) or _Table()
        start = table.positions.get(key, 0 if not table.positions or not ordered else table.newest + 1)
        if width > len(columns) and start != columns[0]:  # constants hide the others: a column per position
            ordered, start = False, 0
        end = start + span
        if ordered and end > max(table.newest, start) + 1:
            self._register(row, columns, start, query, table)
        for mark, position in ((key, start), (newest, end if ordered else start)):
            table.positions.setdefault(mark, position)
            self.tables.setdefault(mark, table)
        begin = start - columns[0] if ordered else 0
        keys = range(begin, begin + width)
        at = table.positions.get(query, -1) if ordered else -1
        slot_key, table = self._slot(row, vector, table, at)
        slot = self.slots[slot_key]
        rows = slot.sequences.setdefault(table, [])
        if at < 0 or (rows and at <= rows[-1].query):
            at = len(rows) if not rows or rows[-1].keys == keys else max(len(rows), begin + width - 1)
        number = list(slot.sequences).index(table)
        rows.append(AttentionRow(slot.layer, slot.head, number, at, keys, row))
        self.attention_rows.add(row.first)
        return slot_key

    def _register(self, row: SoftmaxRow, columns: list[int], start: int, query: int, table: _Table) -> None:
        """Positions of all keys of a row, where more than one is new."""
        for column in columns:
            found = self._score(row, column)
            if found is not None:
                mark = next((m for m in self._origins_of(found) if m != query), query)
                table.positions.setdefault(mark, start + column - columns[0])
                self.tables.setdefault(mark, table)

    def _slot(self, row: SoftmaxRow, vector: int, table: _Table, at: int) -> tuple[tuple[int, int], _Table]:
        """The head that a row belongs to: that whose rows of the query matrix made its query; and its sequence."""
        parameter, source = weighted(self.graph, self.origins, vector)
        if (parameter, 0) not in self.slots and self._lone.get(parameter):
            guessed = self._lone[parameter].pop(0)
            if guessed in self.slots:
                self.slots[(parameter, 0)] = self.slots.pop(guessed)
        again = 0
        while (slot := self.slots.get((parameter, again))) is not None:
            rows = slot.sequences.get(table)
            if not rows or (rows[-1].query < at if at >= 0 else len(rows) < len(row.logits)):
                return (parameter, again), table
            used = rows[min(at, len(rows) - 1)] if at >= 0 else rows[-1]
            if not self._depends(vector, used.weights, 1 << 15):
                return (parameter, again), _Table(dict(table.positions))  # another text that goes on from the same
            again += 1  # the same parameters used again further up: a layer of its own
        if not self.heads or (
            source != self._layer_input and self._depends(vector, tuple(self._layer_weights), 1 << 18)
        ):
            self.heads.append(0)
            self._layer_weights = list(row.weights)
            self._layer_input = source
        self.slots[(parameter, again)] = _Slot(len(self.heads) - 1, self.heads[-1])
        self.heads[-1] += 1
        return (parameter, again), table

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
            rows = next(iter(slot.sequences.values()), None)
            if not rows:
                continue
            cell = open_cell(self.trace, rows[-1], 0)
            for what, nodes in (("query", cell.query), ("key", cell.key), ("value", cell.values)):
                if nodes:
                    matrix = matrix_of(self.trace, weighted(self.graph, self.origins, nodes[0])[0])
                    if matrix is not None:
                        found.setdefault(matrix, f"{what} of layer {slot.layer}")
        return found

    def marks(self) -> list[tuple[int, int, int]]:
        """(origin, sequence, position) of the positions that the first layer looks at, by origin."""
        found: dict[int, tuple[int, int]] = {}
        for slot in self.slots.values():
            if slot.layer == 0 and slot.head == 0:
                for number, table in enumerate(slot.sequences):
                    for mark, position in table.positions.items():
                        found.setdefault(mark, (number, position))
        return sorted((mark, *place) for mark, place in found.items())

    # -- the whole -------------------------------------------------------------------------

    def _freeze(self, candidates: int) -> Attention:
        rows: dict[tuple[int, int, int], list[AttentionRow]] = {}
        for slot in self.slots.values():
            number = 0
            for sequence in slot.sequences.values():
                if self.trace.complete and len(sequence) == 1 and len(sequence[0].keys) > 1:
                    continue  # a row over many that comes once: a choice, not a row per position
                rows[(number, slot.layer, slot.head)] = [replace(row, sequence=number) for row in sequence]
                number += 1
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
    found = score(graph, origins(trace), row.logits[column])
    weight = row.weights[column]
    query: tuple[int, ...] = ()
    key: tuple[int, ...] = ()
    if found is not None:
        query, key = _sides(trace, row, column, found)
    shares, values = _blend(graph, weight)
    output = tuple(o for share in shares if (o := _sum_of(graph, share)) >= 0)
    return Cell(
        row, column, query, key, found.products if found else (), found.sum if found else row.logits[column],
        row.logits[column], row.softmax.exps[column], row.softmax.total, weight, values, shares, output,
    )  # fmt: skip


def _sides(trace: Trace, row: AttentionRow, column: int, found: Dot) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Query and key of a score, per dimension: the query's operand is the one that all columns share."""
    graph, known = graph_of(trace), origins(trace)
    others = (score(graph, known, logit) for i, logit in enumerate(row.logits) if i != column)
    other = next((o for o in others if o is not None and len(o.left) == len(found.left)), None)
    query, key = [], []
    for j, (a, b) in enumerate(zip(found.left, found.right, strict=True)):
        swap = a > b
        if other is not None:
            nodes = (other.left[j], other.right[j])
            if (a in nodes) != (b in nodes):
                swap = b in nodes
            else:  # made anew for every column: by the position that they share
                from_a, from_b = (known.of(x) == known.of(y) for x, y in zip((a, b), nodes, strict=True))
                swap = from_b and not from_a
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

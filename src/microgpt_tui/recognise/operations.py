"""Which operations are exp, log, 1/x, ...: by the language's own names for operators, else by what they compute."""

from __future__ import annotations

import math
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from itertools import islice

from microgpt_tui.protocol.codes import OUTSIDE_OP
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace


class Role(IntEnum):
    """What an operation computes."""

    OTHER = 0
    ADD = 1
    SUBTRACT = 2
    MULTIPLY = 3
    DIVIDE = 4
    NEGATE = 5
    POWER = 6
    EXP = 7
    LOG = 8
    RECIPROCAL = 9
    RECTIFY = 10
    """Zero (or almost) on one side of zero: relu and its kin."""
    LEAF = 11
    TANH = 12
    SIGMOID = 13


_OPERATORS = {
    "add": Role.ADD,
    "sub": Role.SUBTRACT,
    "mul": Role.MULTIPLY,
    "truediv": Role.DIVIDE,
    "neg": Role.NEGATE,
    "pow": Role.POWER,
}
"""The names that Python itself gives to operators (``__add__``)."""

_SAMPLES = 6
CLOSE, CLOSE_32 = 1e-9, 1e-5
"""Relative to the numbers: rounding of some dozen operations in 64 bits, and in 32."""
ENOUGH = 64
"""Numbers that need more than 16 bits, which tell whether they need more than 32."""


class Graph:
    """The edges of one episode in both directions, and the role of each node's operation.

    Follows a growing trace: ``update`` takes in what is new. Nodes are numbers as everywhere; a node
    below ``trace.first_node`` is a parameter (or made in the setup).
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.roles: list[Role] = []
        self.done = 0
        """Rows of nodes whose edges are linked."""
        self._head = array("i")
        self._next = array("i")
        self._roles_final = 0
        self.close = CLOSE
        """How near two numbers are, relative to their size, that are the same but for rounding."""
        self._looked_at = 0

    def update(self, trace: Trace) -> None:
        """Take in new nodes, up to ``done``. The newest one waits while it may still change."""
        rows = len(trace.born)
        end = rows if trace.complete else self._final(rows)
        self._find_precision(rows)
        self._find_roles()
        begin = self.done
        if end <= begin:
            return
        starts, child, first = trace.child_start, trace.child, trace.first_node
        last_edge = starts[end] if end < rows else len(child)
        head, following = self._head, self._next
        head.frombytes(b"\xff" * (4 * (end - begin)))
        following.frombytes(bytes(4 * (last_edge - len(following))))
        edge = starts[begin]
        for c in child[edge:last_edge]:
            c -= first
            if c >= 0:
                following[edge] = head[c]
                head[c] = edge
            edge += 1
        self.done = end

    def _final(self, rows: int) -> int:
        """Rows whose operands are final: not the newest node's, nor those of older nodes that were met after it."""
        trace = self.trace
        while rows > self.done and trace.ops[trace.op[rows - 1]] == OUTSIDE_OP:
            rows -= 1
        return max(self.done, rows - 1)

    def _find_precision(self, rows: int) -> None:
        """Whether the script keeps its numbers in 32 bits: told by as many as will do."""
        if self._looked_at < ENOUGH and rows > self._looked_at:
            data = self.trace.data
            long = [x for x in data[: 4 * ENOUGH] if math.isfinite(x) and x and not _fits("e", x)]
            self._looked_at = len(long)
            if len(long) >= ENOUGH:
                self.close = CLOSE_32 if all(_fits("f", x) for x in long) else CLOSE

    def _find_roles(self) -> None:
        trace = self.trace
        if len(self.roles) == len(trace.ops) and self._roles_final == len(trace.ops):
            return
        rows = len(trace.born)
        for number, name in enumerate(trace.ops):
            if number < len(self.roles) and self.roles[number] != Role.OTHER:
                continue
            role = _OPERATORS.get(name)
            if role is None:
                role = self._computed_role(number, rows)
            if number < len(self.roles):
                self.roles[number] = role
            else:
                self.roles.append(role)
        if rows > 4096 or trace.complete:
            self._roles_final = len(trace.ops)

    def _computed_role(self, op: int, rows: int) -> Role:
        """Compare a few results of an operation with the functions that matter here."""
        trace = self.trace
        found: list[tuple[float, float]] = []
        low = high = False
        for row in islice(rows_of(trace, op, 0, rows), 64):
            children = trace.children(trace.first_node + row)
            if not children:
                return Role.LEAF
            if len(children) != 1:
                return Role.OTHER
            x, y = self.data(children[0]), trace.data[row]
            found.append((x, y))
            low, high = low or x < 0, high or x > 0
            if len(found) >= _SAMPLES and (low and high):
                break
        for function, role in _FUNCTIONS.items():
            if found and all(_same(function, x, y, self.near) for x, y in found):
                return role
        if low and high and all((y == x if x > 0 else y == 0) for x, y in found):
            return Role.RECTIFY
        return Role.OTHER

    def rows_with(self, role: Role, begin: int, end: int) -> list[int]:
        """Rows begin…end - 1 of nodes of a role, oldest first."""
        found: list[int] = []
        for op, own in enumerate(self.roles):
            if own is role:
                found += rows_of(self.trace, op, begin, end)
            elif own is Role.OTHER:
                first = self.trace.first_node
                found += (r for r in rows_of(self.trace, op, begin, end) if self.role(first + r) is role)
        return sorted(found)

    def _role_by_value(self, node: int) -> Role:
        """What one node's operation computes, where nodes of the same name compute different things."""
        children = self.children(node)
        y = self.data(node)
        if not children:
            return Role.LEAF
        if len(children) == 1:
            x = self.data(children[0])
            return next((role for function, role in _FUNCTIONS.items() if _same(function, x, y, self.near)), Role.OTHER)
        if len(children) == 2:
            a, b = self.data(children[0]), self.data(children[1])
            for role, result in ((Role.MULTIPLY, a * b), (Role.ADD, a + b), (Role.SUBTRACT, a - b)):
                if math.isclose(result, y, rel_tol=self._exact):
                    return role
            if b and math.isclose(a / b, y, rel_tol=self._exact):
                return Role.DIVIDE
        return Role.OTHER

    # -- questions -------------------------------------------------------------------------

    @property
    def near(self) -> float:
        """As ``close``, for one operation."""
        return self.close / 1000 if self.close == CLOSE else self.close / 20

    @property
    def _exact(self) -> float:
        """As ``close``, for one sum or product."""
        return 1e-15 if self.close == CLOSE else self.near

    def data(self, node: int) -> float:
        """A node's data when the forward pass used it."""
        trace = self.trace
        if node >= trace.first_node:
            return trace.data[node - trace.first_node]
        place = trace.kept_position.get(node)
        if place is not None and place < len(trace.start_data):
            return trace.start_data[place]
        return trace.setup.data[node] if trace.setup is not None else math.nan

    def role(self, node: int) -> Role:
        """What made a node; LEAF for parameters and constants."""
        row = node - self.trace.first_node
        if row < 0:
            return Role.LEAF
        op = self.trace.op[row]
        role = self.roles[op] if op < len(self.roles) else Role.OTHER
        return self._role_by_value(node) if role is Role.OTHER else role

    def children(self, node: int) -> array[int]:
        """Operands of a node of this episode; none for parameters."""
        trace = self.trace
        row = node - trace.first_node
        if row < 0:
            return array("q")
        starts = trace.child_start
        return trace.child[starts[row] : starts[row + 1] if row + 1 < len(starts) else len(trace.child)]

    def users(self, node: int) -> list[int]:
        """Nodes made from this one, oldest first (twice for x * x)."""
        row = node - self.trace.first_node
        if row < 0 or row >= self.done:
            return []
        found = []
        edge = self._head[row]
        starts, first = self.trace.child_start, self.trace.first_node
        while edge >= 0:
            found.append(first + bisect_right(starts, edge) - 1)
            edge = self._next[edge]
        return found[::-1]

    def is_parameter(self, node: int) -> bool:
        """A node of the setup."""
        return node < self.trace.first_node

    def is_constant(self, node: int, depth: int = 3) -> bool:
        """A plain number wrapped into a node, or made from such only."""
        if node < self.trace.first_node:
            return False
        children = self.children(node)
        if not children:
            return True
        return depth > 0 and all(self.is_constant(c, depth - 1) for c in children)


def _inverse(x: float) -> float:
    return 1 / x


def _negative(x: float) -> float:
    return -x


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


_FUNCTIONS: dict[Callable[[float], float], Role] = {
    math.exp: Role.EXP,
    math.log: Role.LOG,
    _inverse: Role.RECIPROCAL,
    _negative: Role.NEGATE,
    math.tanh: Role.TANH,
    _sigmoid: Role.SIGMOID,
}


def _fits(code: str, x: float) -> bool:
    """True for a number that a shorter format holds as it is: ``f`` of 32 bits, ``e`` of 16."""
    try:
        return bool(struct.unpack(code, struct.pack(code, x))[0] == x)
    except OverflowError:
        return False


def _same(function: Callable[[float], float], x: float, y: float, near: float) -> bool:
    try:
        return math.isclose(function(x), y, rel_tol=near)
    except (ValueError, ZeroDivisionError, OverflowError):
        return False


def rows_of(trace: Trace, op: int, begin: int, end: int) -> Iterator[int]:
    """Rows begin…end - 1 of nodes that an operation made, oldest first."""
    with suppress(ValueError):  # there is no more
        while True:
            begin = trace.op.index(op, begin, end) + 1
            yield begin - 1


@growing
def graph_of(trace: Trace) -> Graph:
    """The episode's graph, up to date."""
    return Graph(trace)

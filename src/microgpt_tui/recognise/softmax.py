"""Softmax rows: exponentials, their sum, and each divided by the sum, wherever and however a script makes them.

The sum may be added up in any order and hold a small constant; the quotient may be a product with the inverse, with a
plain number, or the exponential of a log-softmax. What counts is which nodes are made from which, and their values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from microgpt_tui.recognise.operations import Graph, Role, graph_of
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace

SMALL = 1e-3
"""A constant in the sum up to this share of it is there against a division by zero."""
HOPS = 4
"""Additions and signs between the logarithm of the sum and a logarithm of a probability."""


@dataclass(frozen=True, slots=True)
class SoftmaxRow:
    """One softmax: ``weights[i] = exps[i] / total`` with ``exps[i] = exp(logits[i] - shift)``; all are nodes."""

    logits: tuple[int, ...]
    """The arguments before something that all share was subtracted."""
    exps: tuple[int, ...]
    total: int
    """The sum, or -1 where it is a plain number."""
    weights: tuple[int, ...]
    """Empty when only the logarithm of the total is taken (a log-sum-exp)."""
    log: int
    """The node log(total), or -1."""
    logs: tuple[tuple[int, int], ...] = ()
    """(place in the row, node ± log weight) for those that are made from ``log``."""

    @property
    def first(self) -> int:
        """The oldest node of the row."""
        return self.exps[0]

    @property
    def last(self) -> int:
        """The newest node of the row."""
        return max(self.weights[-1] if self.weights else -1, self.log, self.total, self.exps[-1])


class Softmaxes:
    """All softmax rows of an episode, in the order of their first exponential; follows a growing trace."""

    def __init__(self, trace: Trace) -> None:
        self.graph: Graph = graph_of(trace)
        self.rows: list[SoftmaxRow] = []
        self.late: list[int] = []
        """Places of rows whose weights came after the row was found."""
        self._open: dict[int, None] = {}
        """Exponentials that belong to no row yet."""
        self._pending: dict[int, None] = {}
        """Places of rows of which only the logarithm of the total is known."""
        self._pure: dict[int, bool] = {}
        self._leaves: dict[int, tuple[int, ...]] = {}
        self._done = 0

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        graph = graph_of(trace)
        begin, end = self._done, graph.done
        if end <= begin:
            return
        self._done = end
        new = [trace.first_node + row for row in graph.rows_with(Role.EXP, begin, end)]
        starts = trace.child_start
        edges = trace.child[starts[begin] : starts[end] if end < len(starts) else len(trace.child)]
        self._open.update(dict.fromkeys(new))
        self._finish_pending()
        if not new and self._open.keys().isdisjoint(edges) and self._pure.keys().isdisjoint(edges):
            return
        for exp in list(self._open):
            if exp in self._open and (found := self._complete(exp)) is not None:
                if not found.weights:
                    self._pending[len(self.rows)] = None
                self._add(found)

    def _add(self, row: SoftmaxRow) -> None:
        self.rows.append(row)
        for member in (*row.exps, *row.weights):
            self._open.pop(member, None)

    def _finish_pending(self) -> None:
        """Exponentials of logarithms that have come since their row was found."""
        for place in list(self._pending):
            row = self._with_logs(self.rows[place])
            self.rows[place] = row
            if row.weights:
                del self._pending[place]
                self.late.append(place)
                for weight in row.weights:
                    self._open.pop(weight, None)

    # -- one row -----------------------------------------------------------------------------

    def _complete(self, first: int) -> SoftmaxRow | None:
        """The row whose first exponential this is, if all of it is there."""
        total = self._top(first)
        members = self._members(total)
        if members[0] != first:
            return None
        weights = []
        for member in members:
            weight = self._quotient(member, members)
            if weight < 0:
                break
            weights.append(weight)
        if len(weights) == len(members):
            return SoftmaxRow(self._logits(members), members, total, tuple(weights), -1)
        log = next((u for u in self.graph.users(total) if self.graph.role(u) is Role.LOG), -1)
        if weights or log < 0:
            return self._detached(first) if total == first else None
        row = self._with_logs(SoftmaxRow(self._logits(members), members, total, (), log))
        return row if row.weights or len(members) > 1 else None

    def _top(self, exp: int) -> int:
        """The longest sum of exponentials that this one is in."""
        node = exp
        while True:
            above = next((u for u in self.graph.users(node) if self._is_sum(u)), None)
            if above is None:
                return node
            node = above

    def _is_sum(self, node: int) -> bool:
        """True for an addition of exponentials and small constants, in any order and grouping."""
        graph, pure = self.graph, self._pure
        if graph.role(node) is not Role.ADD:
            return False
        stack = [node]
        while stack:
            top = stack[-1]
            if top in pure:
                stack.pop()
                continue
            children = [int(c) for c in graph.children(top)]
            later = [c for c in children if graph.role(c) is Role.ADD and c not in pure]
            if later:
                stack += later
                continue
            pure[top] = all(
                pure[c] if graph.role(c) is Role.ADD else graph.role(c) is Role.EXP or self._is_small(c, top)
                for c in children
            ) and bool(children)  # fmt: skip
            stack.pop()
        return pure[node]

    def _is_small(self, constant: int, whole: int) -> bool:
        graph = self.graph
        return graph.is_constant(constant, 0) and abs(graph.data(constant)) <= SMALL * abs(graph.data(whole))

    def _members(self, total: int) -> tuple[int, ...]:
        """The exponentials of a sum, oldest first."""
        if total not in self._leaves:
            graph, found, stack = self.graph, set[int](), [total]
            while stack:
                top = stack.pop()
                role = graph.role(top)
                if role is Role.ADD:
                    stack.extend(graph.children(top))
                elif role is Role.EXP:
                    found.add(top)
            self._leaves[total] = tuple(sorted(found))
        return self._leaves[total]

    def _quotient(self, member: int, members: tuple[int, ...]) -> int:
        """The node member / total, or -1. The total may be added up anew for every member."""
        graph = self.graph
        for user in graph.users(member):
            if graph.role(user) not in (Role.DIVIDE, Role.MULTIPLY):
                continue
            children = [int(c) for c in graph.children(user)]
            others = [c for c in children if c != member] or children
            for other in others:
                total = self._denominator(other)
                if (
                    total >= 0
                    and self._members(total) == members
                    and math.isclose(graph.data(user) * graph.data(total), graph.data(member), rel_tol=graph.close)
                ):
                    return user
        return -1

    def _denominator(self, node: int) -> int:
        """The sum of exponentials that a node is, or is the inverse of; -1 where it is neither."""
        graph = self.graph
        role = graph.role(node)
        if role is Role.EXP or self._is_sum(node):
            return node
        if role in (Role.RECIPROCAL, Role.POWER, Role.DIVIDE):
            for child in graph.children(node):
                below = int(child)
                product = graph.data(node) * graph.data(below)
                if abs(product - 1) < graph.close and (graph.role(below) is Role.EXP or self._is_sum(below)):
                    return below
        return -1

    def _detached(self, first: int) -> SoftmaxRow | None:
        """A row whose total is a plain number: exponentials, each scaled, that follow one another and add up to 1."""
        graph = self.graph
        members: list[int] = []
        weights: list[int] = []
        whole, ratio = 0.0, math.nan
        for exp in self._open:
            if exp < first:
                continue
            scaled = [
                u for u in graph.users(exp)
                if graph.role(u) in (Role.DIVIDE, Role.MULTIPLY)
                and all(c == exp or graph.is_constant(int(c), 0) for c in graph.children(u))
            ]  # fmt: skip
            if len(scaled) != 1 or not graph.data(exp):
                return None
            own = graph.data(scaled[0]) / graph.data(exp)
            if members and not math.isclose(own, ratio, rel_tol=graph.close):
                return None
            ratio = own
            members.append(exp)
            weights.append(scaled[0])
            whole += graph.data(scaled[0])
            if whole > 1 - graph.close:
                break
        if abs(whole - 1) > graph.close:
            return None
        return SoftmaxRow(self._logits(tuple(members)), tuple(members), -1, tuple(weights), -1)

    # -- logits ------------------------------------------------------------------------------

    def _logits(self, members: tuple[int, ...]) -> tuple[int, ...]:
        """The exponentials' arguments without what was subtracted from all of them for safety."""
        graph = self.graph
        arguments = [int(graph.children(m)[0]) for m in members]
        parts = [self._parts(a) for a in arguments]
        shared = set(parts[0][1]) if parts[0] is not None else set()
        for part in parts[1:]:
            shared &= set(part[1]) if part is not None else set()
        if shared:
            shift = min(shared, key=lambda s: sum(p[1].count(s) for p in parts if p is not None))
            found = []
            for argument, part in zip(arguments, parts, strict=True):
                assert part is not None  # or nothing would be shared
                own = [c for c, base in zip(part[0], part[1], strict=True) if base != shift]
                found.append(own[0] if own else shift if shift >= 0 else argument)
            return tuple(found)
        return tuple(self._without_constant(a) for a in arguments)

    def _parts(self, argument: int) -> tuple[list[int], list[int]] | None:
        """The two operands of a difference, as they are and below their signs; None for anything else."""
        graph = self.graph
        if graph.role(argument) not in (Role.ADD, Role.SUBTRACT):
            return None
        operands = [int(c) for c in graph.children(argument) if not graph.is_constant(int(c), 1)]
        if len(operands) == 1 and len(graph.children(argument)) == 1:
            operands *= 2  # a set of operands holds x of x - x once
        return (operands, [self._unsigned(c) for c in operands]) if len(operands) == 2 else None

    def _unsigned(self, node: int) -> int:
        graph = self.graph
        role = graph.role(node)
        if role in (Role.NEGATE, Role.MULTIPLY):
            varying = [int(c) for c in graph.children(node) if not graph.is_constant(int(c), 0)]
            if len(varying) == 1 and graph.data(node) == -graph.data(varying[0]):
                return varying[0]
        return node

    def _without_constant(self, argument: int) -> int:
        graph = self.graph
        if graph.role(argument) in (Role.ADD, Role.SUBTRACT):
            varying = [int(c) for c in graph.children(argument) if not graph.is_constant(int(c), 1)]
            if len(varying) == 1:
                return varying[0]
        return argument

    # -- log-softmax -------------------------------------------------------------------------

    def _with_logs(self, row: SoftmaxRow) -> SoftmaxRow:
        """Logarithms of the weights that are made from that of the total, and the exponentials of these."""
        graph = self.graph
        places = {int(graph.children(e)[0]): i for i, e in enumerate(row.exps)}
        places |= {logit: i for i, logit in enumerate(row.logits)}
        total = graph.data(row.total)
        found: dict[int, int] = {}
        level = [row.log]
        for _ in range(HOPS):
            following: list[int] = []
            for node in level:
                for user in graph.users(node):
                    if graph.role(user) not in (Role.ADD, Role.SUBTRACT, Role.NEGATE, Role.MULTIPLY):
                        continue
                    place = self._place_of(user, places, row, total)
                    if place >= 0:
                        found.setdefault(place, user)
                    else:
                        following.append(user)
            level = following
        weights = []
        for place, log in sorted(found.items()):
            share = graph.data(row.exps[place]) / total
            weights += [
                u for u in graph.users(log)
                if graph.role(u) is Role.EXP and math.isclose(graph.data(u), share, rel_tol=graph.close)
            ][:1]  # fmt: skip
        complete = len(weights) == len(row.exps)
        return replace(row, logs=tuple(sorted(found.items())), weights=tuple(weights) if complete else ())

    def _place_of(self, node: int, places: dict[int, int], row: SoftmaxRow, total: float) -> int:
        """The place whose ± log weight a node is, by what it is made from and by its value; -1 for none."""
        for child in map(int, self.graph.children(node)):
            parts = self._parts(child)
            for logit in (self._unsigned(child), self._without_constant(child), *(parts[1] if parts else ())):
                if (place := places.get(logit, -1)) >= 0:
                    share = self.graph.data(row.exps[place]) / total
                    if share > 0 and abs(abs(self.graph.data(node)) + math.log(share)) < self.graph.close:
                        return place
        return -1


def softmaxes(trace: Trace) -> list[SoftmaxRow]:
    """All softmax rows that are recorded whole, in the order of their first exponential."""
    return softmax_finder(trace).rows


@growing
def softmax_finder(trace: Trace) -> Softmaxes:
    """What finds the episode's softmax rows, up to date."""
    return Softmaxes(trace)

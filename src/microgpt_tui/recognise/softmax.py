"""Softmax rows: exponentials, their sum, and each divided by the sum, wherever a script makes them."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt_tui.recognise.operations import Graph, Role, graph_of, rows_of
from microgpt_tui.trace.derived import growing
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class SoftmaxRow:
    """One softmax: ``weights[i] = exps[i] / total`` with ``exps[i] = exp(logits[i] - shift)``; all are nodes."""

    logits: tuple[int, ...]
    """The arguments before the maximum was subtracted."""
    exps: tuple[int, ...]
    total: int
    weights: tuple[int, ...]
    """Empty when only the logarithm of the total is taken (a log-sum-exp)."""
    log: int
    """The node log(total), or -1."""

    @property
    def first(self) -> int:
        """The oldest node of the row."""
        return self.exps[0]

    @property
    def last(self) -> int:
        """The newest node of the row."""
        return max(self.weights[-1] if self.weights else -1, self.log, self.total)


class Softmaxes:
    """All softmax rows of an episode, oldest first; follows a growing trace."""

    def __init__(self, trace: Trace) -> None:
        self.graph: Graph = graph_of(trace)
        self.rows: list[SoftmaxRow] = []
        self._open: dict[int, None] = {}
        """Exponentials that belong to no row yet."""
        self._done = 0

    def update(self, trace: Trace) -> None:
        """Take in what is new."""
        graph = graph_of(trace)
        begin, end = self._done, graph.done
        if end <= begin:
            return
        self._done = end
        exps = [op for op, role in enumerate(graph.roles) if role is Role.EXP]
        new = sorted(trace.first_node + row for op in exps for row in rows_of(trace, op, begin, end))
        starts = trace.child_start
        edges = trace.child[starts[begin] : starts[end] if end < len(starts) else len(trace.child)]
        self._open.update(dict.fromkeys(new))
        if self._open.keys().isdisjoint(edges):
            return
        found = []
        for exp in list(self._open):
            if exp not in self._open:
                continue
            row_found = self._complete(exp)
            if row_found is not None:
                found.append(row_found)
                for member in row_found.exps:
                    self._open.pop(member, None)
        self.rows += found

    def _complete(self, first: int) -> SoftmaxRow | None:
        """The row whose first exponential this is, if all of it is there."""
        graph = self.graph
        members = [first]
        partial = first
        while (following := self._longer_sum(partial, members)) is not None:
            partial = following
        total = partial
        inverses = {
            u
            for u in graph.users(total)
            if graph.role(u) in (Role.RECIPROCAL, Role.POWER)
            and graph.data(total)
            and abs(graph.data(u) * graph.data(total) - 1) < 1e-9
        }
        weights = []
        for member in members:
            weight = self._quotient(member, total, inverses)
            if weight < 0:
                break
            weights.append(weight)
        log = next((u for u in graph.users(total) if graph.role(u) is Role.LOG), -1)
        if len(weights) < len(members):
            if log < 0 or len(members) < 2 or weights:
                return None
            weights = []
        logits = tuple(self._logit(member) for member in members)
        return SoftmaxRow(logits, tuple(members), total, tuple(weights), log if not weights else -1)

    def _longer_sum(self, partial: int, members: list[int]) -> int | None:
        """The sum with one more exponential (or with the 0 that ``sum`` begins with)."""
        graph = self.graph
        for user in graph.users(partial):
            if graph.role(user) is not Role.ADD:
                continue
            others = [c for c in graph.children(user) if c != partial]
            if not others:
                if graph.data(user) == graph.data(partial):
                    return user
                continue
            if all(graph.role(c) is Role.EXP for c in others):
                members.extend(others)
                return user
            if len(others) == 1 and graph.is_constant(others[0], 0) and graph.data(others[0]) == 0:
                return user
        return None

    def _quotient(self, member: int, total: int, inverses: set[int]) -> int:
        graph = self.graph
        for user in graph.users(member):
            role = graph.role(user)
            if role is Role.MULTIPLY:
                if any(c in inverses for c in graph.children(user)):
                    return user
            elif role is Role.DIVIDE and list(graph.children(user)) == [member, total]:
                return user
        return -1

    def _logit(self, exp: int) -> int:
        """The exponential's argument without a constant that was subtracted for safety."""
        graph = self.graph
        argument = int(graph.children(exp)[0])
        if graph.role(argument) in (Role.ADD, Role.SUBTRACT):
            varying = [int(c) for c in graph.children(argument) if not graph.is_constant(c, 1)]
            if len(varying) == 1:
                return varying[0]
        return argument


def softmaxes(trace: Trace) -> list[SoftmaxRow]:
    """All softmax rows that are recorded whole, in the order of their first exponential."""
    return _softmaxes(trace).rows


@growing
def _softmaxes(trace: Trace) -> Softmaxes:
    return Softmaxes(trace)

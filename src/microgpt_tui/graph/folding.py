"""Folding: thousands of operations as a few groups, with exact counts of nodes and of edges.

A group is what one scope made (a head, a statement), a matrix of parameters, or, at the level of
operations, a single node. A fold takes nodes in as runs over columns: no object per node.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, repeat

from microgpt_tui.graph.levels import Closing, Level, closing, families, node_runs, node_scopes, ranks
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Trace

SETUP = "setup"
"""The group of nodes that are older than the episode and no parameters."""


@dataclass(slots=True)
class Group:
    """Nodes that are drawn as one box."""

    scope: int = -1
    """What made them; -1 for parameters and for what the setup made."""
    matrix: str = ""
    """The parameters' name; ``setup`` for other nodes older than the episode."""
    node: int = -1
    """The only node, where nodes are not folded."""
    count: int = 0
    first: int = -1
    last: int = -1
    """Node numbers; between them are only this group's nodes when ``last - first + 1 == count``."""
    iterations: int = 1
    """How many scopes were joined: iterations of one loop, calls of one line."""

    def add(self, first: int, count: int = 1) -> None:
        """Take in nodes with numbers from ``first`` on."""
        if self.first < 0:
            self.first = first
        self.count += count
        self.last = first + count - 1


class Fold:
    """A graph of groups. Edges lead from an operand's group to a user's."""

    def __init__(
        self,
        trace: Trace,
        level: Level,
        opened: Mapping[int, int] | None = None,
        join: Callable[[int], bool] | None = None,
    ) -> None:
        """``opened``: scopes in more detail (scope -> level); ``join`` tells of a scope whether it makes one group with
        the other iterations of its loop."""
        self.trace = trace
        self.level = level
        self.note = ""
        """What was folded further than asked for, and why; empty if nothing was."""
        self.groups: list[Group] = []
        self.group_of: list[int] = [-1] * trace.first_node
        """Per node number: its group, or -1."""
        self.edges: Counter[tuple[int, int]] = Counter()
        """(from, to) -> how many operands it stands for; within a group too: (g, g)."""
        self._closing = Closing(level, opened)
        self._closing.update(trace)
        self._join = join
        self._place: dict[object, int] = {}
        """What a group is known by (a matrix's name, a scope, a number of a family) -> group."""
        self._of_scope: dict[int, int] = {}
        self._scopes: defaultdict[int, set[int]] = defaultdict(set)

    @property
    def drawn(self) -> dict[tuple[int, int], int]:
        """Edges between different groups."""
        return {pair: count for pair, count in self.edges.items() if pair[0] != pair[1]}

    def _known_as(self, key: object, new: Group) -> int:
        g = self._place.setdefault(key, len(self.groups))
        if g == len(self.groups):
            self.groups.append(new)
        return g

    def _group_of_scope(self, scope: int) -> int:
        """The group of what was made in a scope, which may be new."""
        g = self._of_scope.get(scope, -1)
        if g < 0:
            own = self._closing.scope[scope]
            joined = self._join is not None and self._join(own)
            key = ("family", families(self.trace)[own]) if joined else own
            g = self._of_scope[scope] = self._known_as(key, Group(own))
            self._scopes[g].add(own)
            self.groups[g].iterations = len(self._scopes[g])
        return g

    def add_older(self, nodes: Iterable[int]) -> None:
        """Take in nodes older than the episode: parameters by matrix."""
        names = older_names(self.trace)
        for node in nodes:
            g = self.group_of[node] = self._known_as(names[node], Group(matrix=names[node]))
            self.groups[g].add(node)

    def extend(self, end: int) -> Counter[tuple[int, int]]:
        """Take in the episode's nodes up to the one numbered ``end - 1``; returns the edges that came with them."""
        trace, first = self.trace, self.trace.first_node
        start = len(self.group_of) - first
        runs = list(node_runs(trace, start, end - first))
        for scope in sorted({scope for scope, _ in runs}):
            self._group_of_scope(scope)
        for scope, count in runs:
            g = self._of_scope[scope]
            self.groups[g].add(len(self.group_of), count)
            self.group_of.extend(repeat(g, count))
        starts, group_of = trace.child_start, self.group_of
        bounds = [*starts[start : end - first], operands_of(trace, end - first)]
        widths = map(int.__sub__, bounds[1:], bounds)
        users = chain.from_iterable(map(repeat, group_of[first + start :], widths))
        children = trace.child[bounds[0] : bounds[-1]]
        new = Counter(zip(map(group_of.__getitem__, children), users, strict=True))
        self.edges.update(new)
        return new

    def add_selection(self, nodes: list[int], single: Callable[[int], bool]) -> None:
        """Take in some nodes, in order; only edges between them count. Those that are ``single`` stay so."""
        trace, first = self.trace, self.trace.first_node
        group_of, groups = [-1] * (nodes[-1] + 1 if nodes else 0), self.groups
        self.group_of = group_of
        scopes = node_scopes(trace, len(trace.born))
        for node in nodes:
            if single(node):
                group_of[node] = len(groups)
                groups.append(Group(node=node, first=node, last=node, count=1))
            elif node < first:
                self.add_older((node,))
            else:
                g = group_of[node] = self._group_of_scope(scopes[node - first])
                groups[g].add(node)
        for node in nodes:
            for child in trace.children(node):
                if child < len(group_of) and group_of[child] >= 0:
                    self.edges[group_of[child], group_of[node]] += 1


# -- how many --------------------------------------------------------------------------------------


def nodes_at(trace: Trace, event: int | None) -> int:
    """How many nodes of the episode exist when events 0..event have happened."""
    return len(trace.born) if event is None else bisect_right(trace.born, event)


def operands_of(trace: Trace, count: int) -> int:
    """How many operands the first ``count`` nodes have: the length of their part of ``Trace.child``."""
    return trace.child_start[count] if count < len(trace.child_start) else len(trace.child)


@derived
def older_names(trace: Trace) -> list[str]:
    """Per node older than the episode: the matrix that holds it, or ``setup``."""
    found = [SETUP] * trace.first_node
    for matrix in reversed(trace.program.matrices):
        for node in matrix.nodes:
            if node < trace.first_node:
                found[node] = matrix.name
    return found


def older_used(trace: Trace, count: int) -> list[int]:
    """The nodes older than the episode that are operands of its first ``count`` nodes."""
    return sorted({c for c in trace.child[: operands_of(trace, count)] if c < trace.first_node})


# -- all, or a selection ---------------------------------------------------------------------------


def fold(
    trace: Trace, level: Level, event: int | None = None, opened: Mapping[int, int] | None = None, *, join: bool = False
) -> Fold:
    """The whole episode (up to an event) folded at a level. Takes time in proportion to its nodes and edges.

    ``opened`` shows some scopes in more detail (scope -> level); ``join`` makes one group of the iterations of a loop.
    Parameters and setup nodes that the episode does not use are left out.
    """
    count, first = nodes_at(trace, event), trace.first_node
    used = older_used(trace, count)
    if level == Level.OPERATIONS and not opened:
        return fold_nodes(trace, [*used, *range(first, first + count)], level)
    found = Fold(trace, level, opened, (lambda _: True) if join else None)
    names = older_names(trace)
    matrices = {names[node] for node in used}
    found.add_older(node for node, name in enumerate(names) if name in matrices)
    found.extend(first + count)
    return found


def fold_nodes(
    trace: Trace, nodes: Iterable[int], level: Level, opened: Mapping[int, int] | None = None, single: range = range(0)
) -> Fold:
    """A selection of nodes folded at a level; only edges between selected nodes count.

    With ``opened`` (scope -> level) some scopes are shown in more detail, and whole positions besides them are joined
    to one box. Nodes in ``single`` stay single.
    """
    rank = ranks(trace).rank
    found = Fold(trace, level, opened, (lambda s: rank[s] == 1 and s not in opened) if opened else None)
    all_single = level == Level.OPERATIONS
    found.add_selection(sorted(set(nodes)), lambda node: all_single or node in single)
    return found


# -- budgets ---------------------------------------------------------------------------------------


def fold_to_budget(
    trace: Trace, budget: int, event: int | None = None, focus: int = -1, finest: Level = Level.BLOCKS
) -> Fold:
    """The whole episode in at most ``budget`` boxes where that can be.

    Parameters do not count: they are written into the boxes that use them. With a scope as ``focus``,
    the position around it is opened as far as the budget allows and the others stay
    closed; without one, all are opened equally far. What does not fit even at the coarsest level is joined:
    the iterations of a loop become one box. ``note`` says what was done.
    """
    count = nodes_at(trace, event)
    used = {scope for scope, _ in node_runs(trace, 0, count)}
    path = trace.scope_path(focus) if focus >= 0 else []

    def size(level: int, opened: dict[int, int] | None) -> int:
        close = closing(trace, level, opened)
        return len({close[s] for s in used})

    level = Level.POSITIONS
    if size(level, None) > budget:
        folded = fold(trace, level, event, join=True)
        folded.note = f"iterations of a loop joined: {level.label} one by one would be {size(level, None)} boxes"
        return folded
    while not path and level < finest and size(level + 1, None) <= budget:
        level = Level(level + 1)
    opened: dict[int, int] = {}
    deepest = level
    for finer in range(level + 1, finest + 1):
        if not path:
            break
        attempt = {closing(trace, level)[path[-1]]: finer}
        if size(level, attempt) > budget:
            break
        opened, deepest = attempt, Level(finer)
    folded = fold(trace, level, event, opened)
    if opened:
        where = trace.scope_label(next(iter(opened)))
        folded.note = f"{where} shown by {deepest.label}, the rest by {level.label}"
    elif level < finest:
        finer_size = size(level + 1, None)
        folded.note = f"folded to {level.label}: {Level(level + 1).label} would be {finer_size} boxes"
    return folded


def fold_selection(
    trace: Trace, nodes: Collection[int], budget: int, finest: Level = Level.OPERATIONS, scope: int = -1
) -> Fold:
    """A selection in at most ``budget`` boxes where that can be, as fine as that allows.

    With a ``scope``, what was made outside it is shown by blocks at most, and in other positions by positions.
    """
    inside = made_in(trace, scope) if scope >= 0 else range(0)
    folded: Fold | None = None
    for level in sorted(Level, reverse=True):
        if level > finest:
            continue
        if scope < 0:
            folded = fold_nodes(trace, nodes, level)
        else:
            outside = _outside(trace, scope, level)
            single = inside if level == Level.OPERATIONS else range(0)
            folded = fold_nodes(trace, nodes, Level.POSITIONS, {**outside, scope: level}, single)
            folded.level = level
        if sum(not g.matrix for g in folded.groups) <= budget:
            break
    assert folded is not None
    if folded.level < Level.OPERATIONS:
        folded.note = f"{len(nodes):,} nodes folded to {folded.level.label}: {len(folded.groups)} boxes"
    return folded


def _outside(trace: Trace, scope: int, level: Level) -> dict[int, int]:
    """How far to open what is around a scope: its position by blocks, and the blocks that the scope lies in."""
    path = trace.scope_path(scope)
    rank = ranks(trace).rank
    position = next((s for s in path if rank[s] == 1), path[0])
    opened = {position: int(min(level, Level.BLOCKS))}
    if level > Level.BLOCKS:
        opened |= {s: rank[s] + 1 for s in path if rank[s] >= Level.BLOCKS}
    return opened


def made_in(trace: Trace, scope: int, event: int | None = None) -> range:
    """The nodes that were made inside a scope (by an event): numbered one after another."""
    end = trace.scope_end(scope) if event is None else min(event, trace.scope_end(scope))
    first = bisect_left(trace.born, trace.scope_first[scope])
    last = bisect_right(trace.born, end)
    return range(trace.first_node + first, trace.first_node + max(first, last))


def scope_of_node(trace: Trace, node: int) -> int:
    """The innermost scope around a node's birth, or -1 for one older than the episode."""
    born = trace.born_at(node)
    return trace.scope_of(born) if born >= 0 else -1

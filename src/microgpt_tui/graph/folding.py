"""Folding: thousands of operations as a few groups, with exact counts of nodes and of edges.

A group is what one scope made (a head, a statement), a matrix of parameters, or, at the level of
operations, a single node. Folding is a handful of passes over columns: no object per node.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat

from microgpt_tui.graph.levels import Level, closing, node_scopes, ranks
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.trace import Trace


@dataclass(slots=True)
class Group:
    """Nodes that are drawn as one box."""

    scope: int
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


@dataclass(slots=True)
class Folded:
    """A graph of groups. Edges lead from an operand's group to a user's."""

    groups: list[Group]
    edges: Counter[tuple[int, int]]
    """(from, to) -> how many operands it stands for; within a group too: (g, g)."""
    level: Level
    note: str = ""
    """What was folded further than asked for, and why; empty if nothing was."""
    group_of: list[int] = field(default_factory=list)
    """Per node number: its group, or -1."""

    @property
    def drawn(self) -> dict[tuple[int, int], int]:
        """Edges between different groups."""
        return {pair: count for pair, count in self.edges.items() if pair[0] != pair[1]}


def nodes_at(trace: Trace, event: int | None) -> int:
    """How many nodes of the episode exist when events 0..event have happened."""
    return len(trace.born) if event is None else bisect_right(trace.born, event)


def operands_at(trace: Trace, event: int | None) -> int:
    """How many operands these nodes have: the length of their part of ``Trace.child``."""
    count = nodes_at(trace, event)
    return trace.child_start[count] if count < len(trace.child_start) else len(trace.child)


def older_groups(trace: Trace, groups: list[Group]) -> list[int]:
    """Append the groups of nodes older than the episode (parameters by matrix); node -> group."""
    lookup = [-1] * trace.first_node
    for matrix in trace.program.matrices:
        group = Group(-1, matrix.name, count=0)
        for node in matrix.nodes:
            if node < trace.first_node and lookup[node] < 0:
                lookup[node] = len(groups)
                group.count += 1
                group.first = node if group.first < 0 else min(group.first, node)
                group.last = max(group.last, node)
        if group.count:
            groups.append(group)
    if trace.first_node and -1 in lookup:
        rest = len(groups)
        groups.append(Group(-1, "setup", count=lookup.count(-1), first=lookup.index(-1), last=trace.first_node - 1))
        lookup = [rest if g < 0 else g for g in lookup]
    return lookup


def fold(
    trace: Trace, level: Level, event: int | None = None, opened: dict[int, int] | None = None, *, join: bool = False
) -> Folded:
    """The whole episode (up to an event) folded at a level. Takes time in proportion to its nodes and edges.

    ``opened`` shows some scopes in more detail (scope -> level); ``join`` makes one group of the iterations of a loop.
    """
    count = nodes_at(trace, event)
    if level == Level.OPERATIONS and not opened:
        end = trace.child_start[count] if count < len(trace.child_start) else len(trace.child)
        older = {c for c in trace.child[:end] if c < trace.first_node}
        return fold_nodes(trace, older.union(range(trace.first_node, trace.first_node + count)), level)
    scopes = node_scopes(trace, count)
    close = closing(trace, level, opened)
    return _fold_scopes(trace, scopes, close, level, join)


def _fold_scopes(trace: Trace, scopes: list[int], close: list[int], level: Level, join: bool) -> Folded:
    groups: list[Group] = []
    older = older_groups(trace, groups)
    family = families(trace) if join else []
    place: dict[int, int] = {}
    joined: dict[int, int] = {}
    members: defaultdict[int, set[int]] = defaultdict(set)
    for scope in sorted(set(scopes)):
        own = close[scope]
        key = family[own] if join else own
        if key not in joined:
            joined[key] = len(groups)
            groups.append(Group(own))
        place[scope] = joined[key]
        members[joined[key]].add(own)
    own_groups = list(map(place.__getitem__, scopes))
    for g, owners in members.items():
        groups[g].iterations = len(owners)
    lookup = older + own_groups
    edges = _count_edges(trace, lookup, own_groups)
    for g, size in Counter(own_groups).items():
        groups[g].count = size
    _set_ends(trace, groups, own_groups)
    folded = Folded(groups, edges, level, group_of=lookup)
    return _without_unused(trace, folded)


def families(trace: Trace) -> list[int]:
    """Scope -> a number that scopes of the same line, in the same loops and calls, have in common."""
    known: dict[tuple[int, int], int] = {}
    found: list[int] = []
    for parent, site in zip(trace.scope_parent, trace.scope_site, strict=True):
        found.append(known.setdefault((found[parent] if parent >= 0 else -1, site), len(known)))
    return found


def _set_ends(trace: Trace, groups: list[Group], own: list[int]) -> None:
    """First and last node of each group; scopes are visited in runs."""
    first = trace.first_node
    before = -1
    for i, g in enumerate(own):
        if g != before:
            if before >= 0:
                groups[before].last = first + i - 1
            if groups[g].first < 0:
                groups[g].first = first + i
            before = g
    if before >= 0:
        groups[before].last = first + len(own) - 1


def _count_edges(trace: Trace, lookup: list[int], own: list[int]) -> Counter[tuple[int, int]]:
    starts = trace.child_start
    n = len(own)
    ends = [*starts[1:n], starts[n] if n < len(starts) else len(trace.child)] if n else []
    widths = map(int.__sub__, ends, starts[:n])
    users = chain.from_iterable(map(repeat, own, widths))
    children = trace.child[: ends[-1]] if n else trace.child[:0]
    return Counter(zip(map(lookup.__getitem__, children), users, strict=True))


def _without_unused(trace: Trace, folded: Folded) -> Folded:
    """Leave out parameters and setup nodes that the episode does not use."""
    used = {g for pair in folded.edges for g in pair}
    keep = [g for g, group in enumerate(folded.groups) if group.scope >= 0 or g in used]
    if len(keep) == len(folded.groups):
        return folded
    new = [-1] * (len(folded.groups) + 1)
    for place, g in enumerate(keep):
        new[g] = place
    folded.groups = [folded.groups[g] for g in keep]
    folded.edges = Counter({(new[a], new[b]): n for (a, b), n in folded.edges.items()})
    folded.group_of = [new[g] for g in folded.group_of]
    return folded


def fold_nodes(
    trace: Trace, nodes: Iterable[int], level: Level, opened: dict[int, int] | None = None, single: range = range(0)
) -> Folded:
    """A selection of nodes folded at a level; only edges between selected nodes count.

    With ``opened`` (scope -> level) some scopes are shown in more detail, and whole positions besides them are joined
    to one box. Nodes in ``single`` stay single.
    """
    chosen = sorted(set(nodes))
    groups: list[Group] = []
    place: dict[tuple[str, int | str], int] = {}
    iterations: defaultdict[int, set[int]] = defaultdict(set)
    group_of: dict[int, int] = {}
    keys = _keys(trace, chosen, level, opened, single)
    for node, (kind, name, scope) in zip(chosen, keys, strict=True):
        g = place.get((kind, name), -1)
        if g < 0:
            g = place[kind, name] = len(groups)
            matrix = str(name) if kind == "matrix" else ""
            groups.append(Group(scope, matrix, node if kind == "node" else -1, first=node))
        group_of[node] = g
        groups[g].count += 1
        groups[g].last = node
        iterations[g].add(scope)
    for g, scopes in iterations.items():
        groups[g].iterations = len(scopes)
    edges: Counter[tuple[int, int]] = Counter()
    for node in chosen:
        to = group_of[node]
        for child in trace.children(node):
            from_ = group_of.get(child, -1)
            if from_ >= 0:
                edges[from_, to] += 1
    lookup = [-1] * (chosen[-1] + 1 if chosen else 0)
    for node, g in group_of.items():
        lookup[node] = g
    return Folded(groups, edges, level, group_of=lookup)


def _keys(
    trace: Trace, nodes: list[int], level: Level, opened: dict[int, int] | None, single: range
) -> Iterator[tuple[str, int | str, int]]:
    """What group each node belongs to: (kind, what it is known by, scope)."""
    first = trace.first_node
    if level == Level.OPERATIONS:
        yield from (("node", node, -1) for node in nodes)
        return
    close = closing(trace, level, opened)
    rank = ranks(trace).rank
    family = families(trace) if opened else []
    scopes: list[int] = node_scopes(trace, len(trace.born)) if nodes and nodes[-1] >= first else []
    matrix_of = {n: m.name for m in trace.program.matrices for n in m.nodes}
    for node in nodes:
        if node in single:
            yield "node", node, -1
        elif node < first:
            yield "matrix", matrix_of.get(node, "setup"), -1
        else:
            scope = close[scopes[node - first]]
            if opened and rank[scope] == 1 and scope not in opened:
                yield "family", family[scope], scope
            else:
                yield "scope", scope, scope


# -- budgets ---------------------------------------------------------------------------------------


def fold_to_budget(
    trace: Trace, budget: int, event: int | None = None, focus: int = -1, finest: Level = Level.BLOCKS
) -> Folded:
    """The whole episode in at most ``budget`` boxes where that can be.

    With a scope as ``focus``, the position around it is opened as far as the budget allows and the others stay
    closed; without one, all are opened alike. What does not fit even at the coarsest level is joined:
    the iterations of a loop become one box. ``note`` says what was done.
    """
    count = nodes_at(trace, event)
    scopes = node_scopes(trace, count)
    used = sorted(set(scopes))
    older = _older_used(trace, count)
    path = trace.scope_path(focus) if focus >= 0 else []

    def size(level: int, opened: dict[int, int] | None) -> int:
        close = closing(trace, level, opened)
        return older + len({close[s] for s in used})

    level = Level.POSITIONS
    if size(level, None) > budget:
        folded = _fold_scopes(trace, scopes, closing(trace, level), level, join=True)
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
    folded = _fold_scopes(trace, scopes, closing(trace, level, opened or None), level, join=False)
    if opened:
        where = trace.scope_label(next(iter(opened)))
        folded.note = f"{where} shown by {deepest.label}, the rest by {level.label}"
    elif level < finest:
        finer_size = size(level + 1, None)
        folded.note = f"folded to {level.label}: {Level(level + 1).label} would be {finer_size} boxes"
    return folded


def fold_selection(
    trace: Trace, nodes: Collection[int], budget: int, finest: Level = Level.OPERATIONS, scope: int = -1
) -> Folded:
    """A selection in at most ``budget`` boxes where that can be, as fine as that allows.

    With a ``scope``, what was made outside it is shown by blocks at most, and in other positions by positions.
    """
    inside = made_in(trace, scope) if scope >= 0 else range(0)
    folded: Folded | None = None
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
        if len(folded.groups) <= budget:
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


def _older_used(trace: Trace, count: int) -> int:
    groups: list[Group] = []
    lookup = older_groups(trace, groups)
    starts = trace.child_start
    end = starts[count] if count < len(starts) else len(trace.child)
    first = trace.first_node
    return len({lookup[c] for c in set(trace.child[:end]) if c < first})


def scope_of_node(trace: Trace, node: int) -> int:
    """The innermost scope around a node's birth, or -1 for one older than the episode."""
    born = trace.born_at(node)
    return trace.scope_of(born) if born >= 0 else -1


def around(trace: Trace, scope: int, kinds: Iterable[SiteKind]) -> int:
    """The innermost scope of one of these kinds at or around a scope, or -1."""
    wanted = set(kinds)
    while scope >= 0 and trace.scope_kind(scope) not in wanted:
        scope = trace.scope_parent[scope]
    return scope

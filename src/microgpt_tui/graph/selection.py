"""Which nodes: the cone around one, all between two, what leads to the parameters and to the loss, the best paths."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from microgpt_tui.graph.state import share
from microgpt_tui.trace.formula import local_gradients
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Selection:
    """Nodes to draw and what was left out around them."""

    nodes: tuple[int, ...]
    more_inputs: dict[int, int]
    """Node -> how many of its operands are not among ``nodes``."""
    more_users: dict[int, int]
    """Node -> how many of its users are not among ``nodes``."""


def exists(trace: Trace, node: int, event: int) -> bool:
    """True when the node has been made by an event."""
    return node < trace.first_node or trace.born[node - trace.first_node] <= event


def users_at(trace: Trace, node: int, event: int) -> list[int]:
    """A node's users that exist by an event, each once, in creation order."""
    return list(dict.fromkeys(u for u in trace.users(node) if exists(trace, u, event)))


Near = Callable[[int], Iterable[int]]
"""Nodes (or groups) beside one: its operands, or its users."""


def selected(chosen: Iterable[int], inputs: Near, users: Near) -> Selection:
    """A selection, and what was left out around it."""
    nodes = sorted(set(chosen))
    inside = set(nodes)

    def left_out(near: Near) -> dict[int, int]:
        counts = ((node, sum(1 for n in dict.fromkeys(near(node)) if n not in inside)) for node in nodes)
        return {node: count for node, count in counts if count}

    return Selection(tuple(nodes), left_out(inputs), left_out(users))


def walk(
    start: int,
    inputs: Near,
    users: Near,
    depths: tuple[int, int],
    limit: int,
    each: int = 1 << 30,
    prefer: Collection[int] = (),
) -> dict[int, None]:
    """What is at most ``depths`` (towards the inputs, towards the users) steps away, nearest first.

    At most ``limit`` in all and ``each`` more per step and direction, those in ``prefer`` before others.
    """
    chosen: dict[int, None] = {start: None}
    ends: dict[Near, list[int]] = {inputs: [start], users: [start]}
    for step in range(max(depths)):
        for near, depth in ((inputs, depths[0]), (users, depths[1])):
            if step >= depth:
                continue
            found = dict.fromkeys(n for one in ends[near] for n in near(one))
            new: list[int] = []
            for one in sorted(found, key=lambda n: n not in prefer) if prefer else found:
                if len(chosen) >= limit or len(new) >= each:
                    break
                if one not in chosen:
                    chosen[one] = None
                    new.append(one)
            ends[near] = new
    return chosen


def _selection(trace: Trace, nodes: Iterable[int], event: int) -> Selection:
    return selected(nodes, trace.children, lambda n: users_at(trace, n, event))


def cone(
    trace: Trace,
    node: int,
    event: int,
    inputs: int = 2,
    users: int = 2,
    limit: int = 40,
    threshold: float = 0.0,
    each: int = 1 << 30,
    prefer: Collection[int] = (),
) -> Selection:
    """The neighbourhood of a node: see ``walk``.

    With a ``threshold``, edges that carried a smaller share of their operand's gradient are not followed to users.
    """

    def strong(operand: int) -> list[int]:
        found = users_at(trace, operand, event)
        return [u for u in found if not share(trace, operand, u, event) < threshold] if threshold else found

    return _selection(trace, walk(node, trace.children, strong, (inputs, users), limit, each, prefer), event)


def ancestors(trace: Trace, node: int, stop: int = -1) -> set[int]:
    """A node and everything it was computed from; nodes older than ``stop`` are not opened further."""
    found = {node}
    open_ = [node]
    while open_:
        for child in trace.children(open_.pop()):
            if child not in found:
                found.add(child)
                if child >= stop:
                    open_.append(child)
    return found


def descendants(trace: Trace, node: int, event: int, last: int | None = None) -> set[int]:
    """A node and everything that was computed from it by an event, up to the node ``last``."""
    found = {node}
    open_ = [node]
    while open_:
        for user in trace.users(open_.pop()):
            if user not in found and (last is None or user <= last) and exists(trace, user, event):
                found.add(user)
                open_.append(user)
    return found


def between(trace: Trace, source: int, target: int, event: int) -> Selection:
    """All nodes on paths from one node to another; empty when no path leads there."""
    if source > target:
        source, target = target, source
    forward = descendants(trace, source, event, last=target)
    if target not in forward:
        return Selection((), {}, {})
    kept = {target}
    open_ = [target]
    while open_:
        for child in trace.children(open_.pop()):
            if child in forward and child not in kept:
                kept.add(child)
                open_.append(child)
    return _selection(trace, kept, event)


def to_parameters(trace: Trace, node: int, event: int) -> Selection:
    """A node and all it was computed from, down to the parameters."""
    return _selection(trace, ancestors(trace, node, stop=trace.first_node), event)


def to_loss(trace: Trace, node: int, event: int) -> Selection:
    """All nodes on paths from a node to the loss (or to the newest node, before there is a loss)."""
    return between(trace, node, target_of(trace, event), event)


def target_of(trace: Trace, event: int) -> int:
    """Where gradients come from: the loss; before the first backward pass the last node that has been made."""
    loss = trace.loss_node(event)
    if loss < 0:
        loss = trace.loss_node()
    if loss >= 0 and exists(trace, loss, event):
        return loss
    return trace.first_node + bisect_right(trace.born, event) - 1


def with_operands(trace: Trace, nodes: Iterable[int]) -> set[int]:
    """Nodes and their direct operands."""
    chosen = set(nodes)
    return chosen.union(*(trace.children(n) for n in chosen)) if chosen else chosen


# -- paths -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Path:
    """One way that a change of the first node reaches the last one."""

    nodes: tuple[int, ...]
    locals: tuple[float, ...]
    """The local gradient of every edge."""

    @property
    def product(self) -> float:
        """What this path adds to d last / d first: the product of its local gradients."""
        return math.prod(self.locals)


def top_paths(trace: Trace, source: int, target: int, event: int, count: int = 5) -> list[Path]:
    """The ``count`` paths from a node to another whose products are largest in absolute value, largest first.

    Best-first over the nodes between them: the remaining factor of a partial path is bounded by
    the largest product from its end to the target, so that no path is looked at in vain.
    """
    inside = between(trace, source, target, event).nodes
    if not inside:
        return []
    source, target = min(source, target), max(source, target)
    among = set(inside)
    out: dict[int, list[tuple[int, float]]] = {n: [] for n in inside}
    for user in inside:
        locals_ = local_gradients(trace, user, event)
        for slot, child in enumerate(trace.children(user)):
            if child in among:
                slope = locals_[slot][0] if slot < len(locals_) else math.nan
                out[child].append((user, slope))
    best = {target: 1.0}
    for node in reversed(inside):
        if node != target:
            best[node] = max((abs(f) * best.get(u, 0.0) for u, f in out[node] if f == f), default=0.0)
    found: list[Path] = []
    heap: list[tuple[float, int, float, tuple[int, ...], tuple[float, ...]]] = []
    order = 0
    heapq.heappush(heap, (-best[source], order, 1.0, (source,), ()))
    while heap and len(found) < count:
        _, _, size, nodes, slopes = heapq.heappop(heap)
        if nodes[-1] == target:
            found.append(Path(nodes, slopes))
            continue
        for user, slope in out[nodes[-1]]:
            reach = size * abs(slope)
            if reach == reach:
                order += 1
                heapq.heappush(heap, (-reach * best[user], order, reach, (*nodes, user), (*slopes, slope)))
    return found

"""A graph in layers: ranks by the longest way, order by the neighbours' middle, places so that lines are straight."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

GAP_RANK, GAP_SIDE = 34.0, 16.0

Key = object
"""A box's number, or (from, to, rank) where an edge passes between boxes."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Centres from the upper left corner."""

    at: dict[int, Point]
    bends: dict[tuple[int, int], list[Point]]
    """Edges over several ranks -> where they pass between boxes."""
    rank: dict[int, int]
    width: float
    height: float


def ranked(
    size: dict[int, Point], edges: list[tuple[int, int]], down: bool, late: frozenset[int] = frozenset(),
    gap: float = GAP_RANK, side_gap: float = GAP_SIDE,
) -> Ranked:  # fmt: skip
    """Place boxes of given width and height; numbers ascend along edges. What is ``late`` stands right before its
    first user."""
    rank = _ranks(size, edges, late)
    columns, chains = _columns(size, edges, rank)
    extent: dict[Key, Point] = {}
    for column in columns:
        for key in column:
            box = size[key] if isinstance(key, int) else (4.0, 4.0) if down else (0.0, 4.0)
            extent[key] = (box[1], box[0]) if down and isinstance(key, int) else box
            if not isinstance(key, int):
                extent[key] = (0.0, 4.0)
    _order(columns, chains)
    across = _settle(columns, chains, extent, side_gap)
    along, length = _along(columns, extent, gap)
    low = min((across[k] - extent[k][1] / 2 for c in columns for k in c), default=0.0)
    high = max((across[k] + extent[k][1] / 2 for c in columns for k in c), default=0.0)
    spots = {k: (across[k] - low, v) if down else (v, across[k] - low) for k, v in along.items()}
    at = {k: v for k, v in spots.items() if isinstance(k, int)}
    bends = {edge: [spots[k] for k in chain[1:-1]] for edge, chain in chains.items() if len(chain) > 2}
    width, height = (high - low, length) if down else (length, high - low)
    return Ranked(at, bends, rank, width, height)


def _ranks(size: dict[int, Point], edges: list[tuple[int, int]], late: frozenset[int]) -> dict[int, int]:
    rank = dict.fromkeys(size, 0)
    for a, b in sorted(edges, key=lambda e: e[1]):
        rank[b] = max(rank[b], rank[a] + 1)
    users: dict[int, list[int]] = {}
    for a, b in edges:
        users.setdefault(a, []).append(b)
    entered = {b for _, b in edges}
    for place in late:
        if place not in entered and place in users:
            rank[place] = max(0, min(rank[u] for u in users[place]) - 1)
    return rank


def _columns(
    size: dict[int, Point], edges: list[tuple[int, int]], rank: dict[int, int]
) -> tuple[list[list[Key]], dict[tuple[int, int], list[Key]]]:
    columns: list[list[Key]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for place in size:
        columns[rank[place]].append(place)
    chains: dict[tuple[int, int], list[Key]] = {}
    for a, b in edges:
        between: list[Key] = [(a, b, r) for r in range(rank[a] + 1, rank[b])]
        for r, key in zip(range(rank[a] + 1, rank[b]), between, strict=True):
            columns[r].append(key)
        chains[a, b] = [a, *between, b]
    return columns, chains


def _neighbours(chains: dict[tuple[int, int], list[Key]]) -> tuple[dict[Key, list[Key]], dict[Key, list[Key]]]:
    before: dict[Key, list[Key]] = {}
    after: dict[Key, list[Key]] = {}
    for chain in chains.values():
        for a, b in pairwise(chain):
            before.setdefault(b, []).append(a)
            after.setdefault(a, []).append(b)
    return before, after


def _order(columns: list[list[Key]], chains: dict[tuple[int, int], list[Key]]) -> None:
    before, after = _neighbours(chains)
    for sweep in range(6):
        near, way = (before, columns[1:]) if sweep % 2 == 0 else (after, columns[-2::-1])
        index = {key: i for column in columns for i, key in enumerate(column)}
        for column in way:
            middle = {
                k: sum(index[n] for n in near[k]) / len(near[k]) if near.get(k) else float(index[k]) for k in column
            }
            column.sort(key=middle.__getitem__)
            index.update({key: i for i, key in enumerate(column)})


def _settle(
    columns: list[list[Key]], chains: dict[tuple[int, int], list[Key]], size: dict[Key, Point], gap: float
) -> dict[Key, float]:
    before, after = _neighbours(chains)
    at: dict[Key, float] = {}
    for column in columns:
        total = sum(size[k][1] for k in column) + gap * (len(column) - 1)
        pen = -total / 2
        for key in column:
            at[key] = pen + size[key][1] / 2
            pen += size[key][1] + gap
    for sweep in range(8):
        near = before if sweep % 2 == 0 else after
        for column in columns if sweep % 2 == 0 else columns[::-1]:
            wish = {k: sum(at[n] for n in near[k]) / len(near[k]) if near.get(k) else at[k] for k in column}
            _spread(column, wish, at, size, gap)
    return at


def _spread(
    column: list[Key], wish: dict[Key, float], at: dict[Key, float], size: dict[Key, Point], gap: float
) -> None:
    """Close to what is wished for, in order, without overlap: neighbours that collide move as one."""
    groups: list[list[Key]] = []
    starts: list[float] = []

    def start_of(group: list[Key]) -> float:
        offset, total = 0.0, 0.0
        for key in group:
            total += wish[key] - size[key][1] / 2 - offset
            offset += size[key][1] + gap
        return total / len(group)

    def end_of(group: list[Key], start: float) -> float:
        return start + sum(size[k][1] + gap for k in group)

    for key in column:
        groups.append([key])
        starts.append(start_of([key]))
        while len(groups) > 1 and end_of(groups[-2], starts[-2]) > starts[-1]:
            last = groups.pop()
            starts.pop()
            groups[-1] += last
            starts[-1] = start_of(groups[-1])
    for group, start in zip(groups, starts, strict=True):
        for key in group:
            at[key] = start + size[key][1] / 2
            start += size[key][1] + gap


def _along(columns: list[list[Key]], size: dict[Key, Point], gap: float) -> tuple[dict[Key, float], float]:
    at: dict[Key, float] = {}
    pen = 0.0
    for column in columns:
        length = max((size[k][0] for k in column), default=0.0)
        for key in column:
            at[key] = pen + length / 2
        pen += length + gap
    return at, max(0.0, pen - gap)

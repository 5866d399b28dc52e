"""The terminal's own layout of a small graph: ranks from left to right, labels on a grid of cells.

Ranks by longest path; a line that spans several ranks passes through a place of its own in each; crossings are
reduced by barycentres; rows by the least total displacement that keeps the order. ``channels`` draws the lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from microgpt_tui.graph.channels import LEFT, RIGHT, Cell, Net, assign_tracks, blocked_row, draw

SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Label:
    """A thing to be placed: its size in cells."""

    key: int
    width: int
    lines: int = 1


@dataclass(slots=True)
class Place:
    """Where a label is. Lines enter at its left side and leave from its first row."""

    key: int
    rank: int
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 1
    inputs: list[int] = field(default_factory=list)
    """Keys of the operands, by the row of the label where their line enters."""

    @property
    def out_row(self) -> int:
        """The row that the line to the users leaves from."""
        return self.y


@dataclass(slots=True)
class Sheet:
    """A graph on a grid of cells."""

    places: dict[int, Place]
    cells: dict[tuple[int, int], Cell]
    """(x, y) -> what lines pass there."""
    routes: dict[tuple[int, int], list[tuple[int, int]]]
    """(operand, user) -> the cells of the line from one to the other, in order."""
    width: int
    height: int
    back_edges: set[tuple[int, int]]
    """Back edges: those that close a cycle, drawn from right to left."""
    written: dict[tuple[int, int], str] = field(default_factory=dict)
    """(x, y) -> a character of a count that stands on a line."""


@dataclass(slots=True)
class _Slot:
    """A place in a rank: of a label, or of a line that only passes (``key`` is its source, ``real`` False)."""

    key: int
    rank: int
    real: bool
    height: int = 1
    y: int = 0
    before: list[_Slot] = field(default_factory=list)
    """Slots of the rank before that lead here, by row."""
    after: list[_Slot] = field(default_factory=list)


def lay_out(
    labels: Iterable[Label], edges: Iterable[tuple[int, int]], counts: Mapping[tuple[int, int], str] | None = None
) -> Sheet:
    """Place labels and draw the edges (operand, user) between them. Parallel edges are drawn once.

    ``counts`` has what is written at the end of a line, right before its user.
    """
    sizes = {label.key: label for label in labels}
    pairs = list(dict.fromkeys((a, b) for a, b in edges if a != b and a in sizes and b in sizes))
    forward, back_edges = _without_cycles(sizes, pairs)
    rank_of = _ranks(sizes, forward)
    ranks = _slots(sizes, forward, rank_of)
    _order(ranks)
    _set_rows(ranks)
    return _drawn(sizes, ranks, forward, back_edges, counts or {})


def least_size(labels: Iterable[Label], edges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Columns and rows that ``lay_out`` takes at least: quicker than to lay out what cannot fit."""
    sizes = {label.key: label for label in labels}
    pairs = list(dict.fromkeys((a, b) for a, b in edges if a != b and a in sizes and b in sizes))
    forward, _ = _without_cycles(sizes, pairs)
    widths: dict[int, int] = defaultdict(int)
    rows: dict[int, int] = defaultdict(int)
    for key, rank in _ranks(sizes, forward).items():
        widths[rank] = max(widths[rank], sizes[key].width)
        rows[rank] += sizes[key].lines
    return sum(widths.values()) + 2 * max(0, len(widths) - 1), max(rows.values(), default=0)


# -- ranks -----------------------------------------------------------------------------------------


def _without_cycles(
    sizes: dict[int, Label], pairs: list[tuple[int, int]]
) -> tuple[list[tuple[int, int]], set[tuple[int, int]]]:
    """The edges with the back edges reversed (folding can make cycles)."""
    users: dict[int, list[int]] = defaultdict(list)
    waiting = dict.fromkeys(sizes, 0)
    for a, b in pairs:
        users[a].append(b)
        waiting[b] += 1
    ready = sorted(k for k, n in waiting.items() if not n)
    place: dict[int, int] = {}
    left = set(sizes)
    while left:
        if not ready:
            ready = [min(left, key=lambda k: (waiting[k], k))]
        key = ready.pop()
        if key in place:
            continue
        place[key] = len(place)
        left.discard(key)
        for user in users[key]:
            waiting[user] -= 1
            if not waiting[user] and user in left:
                ready.append(user)
    forward, back_edges = [], set()
    for a, b in pairs:
        if place[a] < place[b]:
            forward.append((a, b))
        else:
            back_edges.add((a, b))
            forward.append((b, a))
    return list(dict.fromkeys(forward)), back_edges


def _ranks(sizes: dict[int, Label], forward: list[tuple[int, int]]) -> dict[int, int]:
    """Longest path from the inputs; then everything as far right as its users allow, so that lines are short."""
    users: dict[int, list[int]] = defaultdict(list)
    inputs: dict[int, list[int]] = defaultdict(list)
    for a, b in forward:
        users[a].append(b)
        inputs[b].append(a)
    rank: dict[int, int] = {}
    order: list[int] = []
    waiting = {k: len(inputs[k]) for k in sizes}
    ready = sorted((k for k, n in waiting.items() if not n), reverse=True)
    while ready:
        key = ready.pop()
        order.append(key)
        rank[key] = max((rank[i] + 1 for i in inputs[key]), default=0)
        for user in users[key]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    for key in reversed(order):
        if users[key]:
            rank[key] = max(rank[key], min(rank[u] for u in users[key]) - 1)
    return rank


def _slots(sizes: dict[int, Label], forward: list[tuple[int, int]], rank_of: dict[int, int]) -> list[list[_Slot]]:
    """Ranks of slots, with one slot per source in every rank that one of its lines only passes."""
    ranks: list[list[_Slot]] = [[] for _ in range(max(rank_of.values(), default=-1) + 1)]
    real = {key: _Slot(key, rank_of[key], True, sizes[key].lines) for key in sizes}
    for key in sizes:
        ranks[rank_of[key]].append(real[key])
    users: dict[int, list[int]] = defaultdict(list)
    for a, b in forward:
        users[a].append(b)
    for source, heads in users.items():
        last = real[source]
        far = max(rank_of[h] for h in heads)
        for rank in range(rank_of[source] + 1, far + 1):
            for head in heads:
                if rank_of[head] == rank:
                    _join(last, real[head])
            if rank < far:
                passing = _Slot(source, rank, False)
                ranks[rank].append(passing)
                _join(last, passing)
                last = passing
    for slot in real.values():
        slot.height = max(slot.height, len(slot.before))
    return ranks


def _join(a: _Slot, b: _Slot) -> None:
    a.after.append(b)
    b.before.append(a)


# -- order and rows --------------------------------------------------------------------------------


def _order(ranks: list[list[_Slot]]) -> None:
    """Fewer crossings: sort by the mean place of the neighbours, forwards and backwards; the best order is kept."""
    best, fewest = [list(r) for r in ranks], _crossings(ranks)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forwards = sweep % 2 == 0
        for i in range(1, len(ranks)) if forwards else range(len(ranks) - 2, -1, -1):
            _sort_by(ranks[i], ranks[i - 1] if forwards else ranks[i + 1], forwards)
        crossings = _crossings(ranks)
        if crossings < fewest:
            best, fewest = [list(r) for r in ranks], crossings
    for rank, order in zip(ranks, best, strict=True):
        rank[:] = order
        place = {id(s): p for p, s in enumerate(rank)}
        for slot in rank:
            slot.after.sort(key=lambda s: place.get(id(s), 0))
    for before, rank in pairwise(ranks):
        place = {id(s): p for p, s in enumerate(before)}
        for slot in rank:
            slot.before.sort(key=lambda s: place[id(s)])


def _sort_by(rank: list[_Slot], fixed: list[_Slot], forwards: bool) -> None:
    """Sort a rank by the mean place of each slot's neighbours in the rank beside it."""
    beside = {id(s): p for p, s in enumerate(fixed)}
    now = {id(s): p for p, s in enumerate(rank)}

    def mean_place(slot: _Slot) -> float:
        near = [beside[id(n)] for n in (slot.before if forwards else slot.after) if id(n) in beside]
        return sum(near) / len(near) if near else now[id(slot)]

    rank.sort(key=mean_place)


def _crossings(ranks: list[list[_Slot]]) -> int:
    total = 0
    for left, right in pairwise(ranks):
        place = {id(s): p for p, s in enumerate(right)}
        seen: list[int] = []
        for slot in left:
            ends = sorted(place[id(s)] for s in slot.after)
            for end in ends:
                total += len(seen) - bisect_left(seen, end + 1)
            for end in ends:
                seen.insert(bisect_left(seen, end), end)
    return total


def _gap(a: _Slot, b: _Slot) -> int:
    """Free rows between two neighbours: none between lines and between labels of a single line."""
    return 1 if a.height > 1 or b.height > 1 else 0


def _set_rows(ranks: list[list[_Slot]]) -> None:
    for rank in ranks:
        y = 0
        for before, slot in zip([None, *rank], rank, strict=False):
            y += _gap(before, slot) if before else 0
            slot.y = y
            y += slot.height
    for _ in range(2):
        for rank in ranks[1:]:
            _place_rows(rank, [_median_row(s.y, [n.y - i for i, n in enumerate(s.before)]) for s in rank])
        for rank in reversed(ranks[:-1]):
            _place_rows(rank, [_median_row(s.y, [n.y + n.before.index(s) for n in s.after]) for s in rank])
    for rank in ranks[1:]:
        _place_rows(rank, [_median_row(s.y, [n.y - i for i, n in enumerate(s.before)]) for s in rank])
    top = min((s.y for rank in ranks for s in rank), default=0)
    for rank in ranks:
        for slot in rank:
            slot.y -= top


def _median_row(now: int, near: list[int]) -> float:
    """The median row of the neighbours, which makes most lines straight."""
    near.sort()
    return near[len(near) // 2] if near else now


def _place_rows(rank: list[_Slot], wanted: list[float]) -> None:
    """Rows as near to those wanted as the order and the sizes allow: pooled neighbours share their mean shift."""
    offsets, total = [], 0
    for before, slot in zip([None, *rank], rank, strict=False):
        total += _gap(before, slot) if before else 0
        offsets.append(total)
        total += slot.height
    pools: list[tuple[float, int]] = []
    for row, offset in zip(wanted, offsets, strict=True):
        pools.append((row - offset, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (b, m), (a, n) = pools.pop(), pools.pop()
            pools.append(((a * n + b * m) / (n + m), n + m))
    at = 0
    for shift, count in pools:
        for i in range(at, at + count):
            rank[i].y = round(shift) + offsets[i]
        at += count


# -- drawing ---------------------------------------------------------------------------------------

_Path = list[tuple[int, int]]


def _drawn(
    sizes: dict[int, Label], ranks: list[list[_Slot]], forward: list[tuple[int, int]],
    back_edges: set[tuple[int, int]], counts: Mapping[tuple[int, int], str],
) -> Sheet:  # fmt: skip
    cells: dict[tuple[int, int], Cell] = {}
    places: dict[int, Place] = {}
    reach: dict[int, _Path] = {}
    """Slot -> the cells of its source's line up to the end of the slot's column."""
    routes: dict[tuple[int, int], _Path] = {}
    written: dict[tuple[int, int], str] = {}
    x = 0
    for i, rank in enumerate(ranks):
        width = max((sizes[s.key].width for s in rank if s.real), default=1)
        for slot in rank:
            own = sizes[slot.key].width if slot.real else 0
            if slot.real:
                keys = [n.key for n in slot.before]
                places[slot.key] = Place(slot.key, slot.rank, x, slot.y, own, slot.height, keys)
            if slot.after:
                line = [(column, slot.y) for column in range(x + own, x + width)]
                for cell in line:
                    cells.setdefault(cell, Cell()).add(slot.key, LEFT | RIGHT)
                reach[id(slot)] = reach.get(id(slot), []) + line
        x += width
        if i + 1 < len(ranks):
            x += _channel(rank, ranks[i + 1], x, cells, reach, routes, counts, written)
    top = min((p.y for p in places.values()), default=0)
    bottom = max([p.y + p.height for p in places.values()] + [y + 1 for _, y in cells], default=0)
    assert top >= 0
    for a, b in back_edges:
        routes[a, b] = routes[b, a][::-1]
    return Sheet(places, cells, routes, x, bottom, back_edges, written)


def _channel(
    left: list[_Slot],
    right: list[_Slot],
    x: int,
    cells: dict[tuple[int, int], Cell],
    reach: dict[int, _Path],
    routes: dict[tuple[int, int], _Path],
    counts: Mapping[tuple[int, int], str],
    written: dict[tuple[int, int], str],
) -> int:
    """Draw all lines between two ranks; returns the columns that they take. May move the right-hand rank down."""
    while True:
        nets = [Net(s.key, s.y, [n.y + n.before.index(s) for n in s.after]) for s in left if s.after]
        tracks = assign_tracks(nets)
        if tracks is not None:
            break
        _make_room(right, blocked_row(nets) or 0)
    ends = {(s.key, n.key): n for s in left for n in s.after if n.real and (s.key, n.key) in counts}
    width = tracks + 2 + max((len(counts[edge]) for edge in ends), default=0)
    for edge, head in ends.items():
        row = head.y + [n.key for n in head.before].index(edge[0])
        start = x + width - 1 - len(counts[edge])
        written.update(((start + i, row), glyph) for i, glyph in enumerate(counts[edge]))
    by_key = {net.key: net for net in nets}
    for slot in left:
        if not slot.after:
            continue
        paths = draw(by_key[slot.key], x, width, cells)
        for head in slot.after:
            path = reach.get(id(slot), []) + paths[head.y + head.before.index(slot)]
            if head.real:
                routes[slot.key, head.key] = path
            else:
                reach[id(head)] = path
    return width


def _make_room(rank: list[_Slot], row: int) -> None:
    """Move the slot on a row down by one, and those below it as far as they have to."""
    end = None
    for before, slot in zip([None, *rank], rank, strict=False):
        if end is None:
            if slot.y <= row < slot.y + slot.height:
                slot.y += 1
                end = slot.y + slot.height
            continue
        assert before is not None
        slot.y = max(slot.y, end + _gap(before, slot))
        end = slot.y + slot.height

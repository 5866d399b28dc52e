"""Lines between two ranks: orthogonal, on vertical tracks; lines of different sources cross but never touch.

A *net* is all lines from one source: one horizontal piece on the source's row, one vertical track, one
horizontal piece on each target's row. Every target has a row of its own for every source, so that two nets
share cells only where one crosses the other at a right angle. As in circuit diagrams a plain cross ``┼`` is no
connection; where a net itself branches four ways there is a dot ``●``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
GLYPHS = {
    LEFT | RIGHT: "─", UP | DOWN: "│", DOWN | RIGHT: "╭", DOWN | LEFT: "╮", UP | RIGHT: "╰", UP | LEFT: "╯",
    UP | DOWN | RIGHT: "├", UP | DOWN | LEFT: "┤", DOWN | LEFT | RIGHT: "┬", UP | LEFT | RIGHT: "┴",
    UP | DOWN | LEFT | RIGHT: "●", LEFT: "─", RIGHT: "─", UP: "│", DOWN: "│",
}  # fmt: skip
CROSSING = "┼"


@dataclass(slots=True)
class Cell:
    """What passes a cell: per net the sides that it touches."""

    nets: dict[int, int] = field(default_factory=dict)

    def add(self, net: int, sides: int) -> None:
        """Let a net touch some sides."""
        self.nets[net] = self.nets.get(net, 0) | sides

    @property
    def glyph(self) -> str:
        """The character to draw."""
        if len(self.nets) > 1:
            return CROSSING
        return GLYPHS[next(iter(self.nets.values()))]


@dataclass(slots=True)
class Net:
    """The lines of one source through one channel."""

    key: int
    row: int
    targets: list[int]
    """Rows on the right-hand side."""
    track: int = -1

    @property
    def is_straight(self) -> bool:
        """True when it needs no track."""
        return all(t == self.row for t in self.targets)

    @property
    def span(self) -> tuple[int, int]:
        """First and last row of the vertical piece."""
        return min(self.row, *self.targets), max(self.row, *self.targets)


def assign_tracks(nets: list[Net]) -> int | None:
    """Give every net that bends a track, counted from the left; returns how many there are.

    Where one net ends on the row that another starts from, the one that starts there has to bend before. None
    when these demands form a cycle: then a target has to move to another row.
    """
    bent = [n for n in nets if not n.is_straight]
    starts = {n.row: n for n in nets}
    before: dict[int, list[Net]] = {n.key: [] for n in bent}
    for net in bent:
        for target in net.targets:
            other = starts.get(target)
            if other is not None and other is not net:
                if other.is_straight:
                    return None  # a straight line leaves no room on its row
                before[net.key].append(other)
    done: list[Net] = []
    left = sorted(bent, key=lambda n: (n.span[1] - n.span[0], n.row))
    while left:
        ready = next((n for n in left if all(b.track >= 0 for b in before[n.key])), None)
        if ready is None:
            for net in bent:
                net.track = -1
            return None
        left.remove(ready)
        track = max((b.track + 1 for b in before[ready.key]), default=0)
        low, high = ready.span
        taken = {n.track for n in done if n.span[0] <= high and low <= n.span[1]}
        while track in taken:
            track += 1
        ready.track = track
        done.append(ready)
    return max((n.track for n in bent), default=-1) + 1


def blocked_row(nets: list[Net]) -> int | None:
    """A target row that keeps ``assign_tracks`` from an answer: another net starts there."""
    starts = {n.row: n for n in nets}
    rows = [t for n in nets for t in n.targets if t in starts and starts[t] is not n]
    return max(rows, default=None)


def draw(net: Net, left: int, width: int, cells: dict[tuple[int, int], Cell]) -> dict[int, list[tuple[int, int]]]:
    """Draw a net into its channel of columns ``left`` .. ``left + width - 1``; per target row the cells of its line."""
    right = left + width - 1
    column = left + 1 + net.track

    def put(x: int, y: int, sides: int) -> None:
        cells.setdefault((x, y), Cell()).add(net.key, sides)

    routes: dict[int, list[tuple[int, int]]] = {}
    for target in net.targets:
        if target == net.row:
            path = [(x, target) for x in range(left, right + 1)]
            for x, y in path:
                put(x, y, LEFT | RIGHT)
            routes[target] = path
            continue
        step = 1 if target > net.row else -1
        path = [(x, net.row) for x in range(left, column)]
        for x, y in path:
            put(x, y, LEFT | RIGHT)
        put(column, net.row, LEFT | (DOWN if step > 0 else UP))
        path.append((column, net.row))
        for y in range(net.row + step, target, step):
            put(column, y, UP | DOWN)
            path.append((column, y))
        put(column, target, RIGHT | (UP if step > 0 else DOWN))
        path.append((column, target))
        for x in range(column + 1, right + 1):
            put(x, target, LEFT | RIGHT)
            path.append((x, target))
        routes[target] = path
    return routes

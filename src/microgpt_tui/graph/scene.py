"""The neighbourhood of a value as the terminal shows it: a picture, its layout in cells, and what its labels say."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from microgpt_tui.graph.folding import fold_selection, nodes_at
from microgpt_tui.graph.group_picture import group_box, picture_of_groups
from microgpt_tui.graph.growing import GrowingFold, growing_fold
from microgpt_tui.graph.layered import Label, Sheet, lay_out, least_size
from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.node_picture import node_arrows, node_box
from microgpt_tui.graph.numbers import MINUS, signed
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.selection import (
    Selection,
    between,
    exists,
    selected,
    target_of,
    to_loss,
    to_parameters,
    walk,
)
from microgpt_tui.graph.state import Reached, carrying, contributions, share
from microgpt_tui.graph.sums import Sums
from microgpt_tui.trace.names import own_name, symbol
from microgpt_tui.trace.trace import Trace

TITLE, SHORT_TITLE = 18, 10
"""Characters of a name in a label, and where there is little room."""
MOST = 40
"""Boxes on screen."""
DEEPEST = 6
"""Steps to each side that are tried for a depth that fits."""
FEWEST = 2
"""Boxes to each side: with fewer it is not tried to make a drawing fit."""
MARKS = {Reached.NONE: "", Reached.WAITING: "·", Reached.ACCUMULATING: "…", Reached.FINAL: "✓", Reached.ZEROED: ""}
"""How far a gradient has come, without colour."""


class Show(Enum):
    """What the pane shows of the graph."""

    AROUND = "around"
    PARAMETERS = "inputs of"
    LOSS = "to the loss from"
    BETWEEN = "between"


class Way(Enum):
    """How labels are written: in two rows, with the gradient below the data, with everything below the operation."""

    WIDE = 0
    TALL = 1
    NARROW = 2


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What to show of a moment."""

    node: int
    show: Show = Show.AROUND
    level: Level = Level.OPERATIONS
    depth: int = 2
    """Steps to each side; 0 for as many as fit into ``width`` and ``height``, and of a small graph all."""
    threshold: float = 0.0
    other: int = -1
    """The other end of BETWEEN."""
    each: int = 12
    """Most boxes per depth and direction."""
    opened: frozenset[int] = frozenset()
    """Sums that are drawn addition by addition: their first ones."""
    width: int = 0
    height: int = 0
    """Cells that there is room for; 0 for any number."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a label says."""

    sign: str
    """Of an operation: what it does, drawn round, ``×``, ``Σ 16``; empty for a value or a group."""
    rows: tuple[str, ...]
    """The first stands beside the sign."""
    before: str = ""
    """``‹2 ``: inputs that are not drawn."""
    after: str = ""
    """`` 3›``: users that are not drawn."""
    indent: int = 0
    """Where the other rows begin."""

    @property
    def first(self) -> str:
        """The first row, with the sign and what is not drawn."""
        sign = f"({self.sign}) " if self.sign else ""
        return f"{self.before}{sign}{self.rows[0]}".rstrip() + self.after

    @property
    def width(self) -> int:
        """Columns, without the sides."""
        return max(len(self.first), *(self.indent + len(row) for row in self.rows[1:]), 0)


@dataclass(slots=True)
class Scene:
    """Boxes, arrows and where they are."""

    picture: Picture
    sheet: Sheet
    texts: dict[int, Text]
    """Key of a box -> what it says."""
    focus: int
    """Key of the box that holds the selected node, or -1."""
    boxes: dict[int, Box] = field(default_factory=dict)
    arrows: dict[tuple[int, int], Arrow] = field(default_factory=dict)
    nodes: dict[int, int] = field(default_factory=dict)
    """Key of a box -> the node that stands for it: itself, or a group's last one."""
    depth: int = 0
    """Steps to each side that are drawn; 0 for the whole of a small graph."""

    def inputs(self, key: int) -> list[int]:
        """Keys of the boxes that lead to a box, from the top of the screen down."""
        return self._by_row([a for a, b in self.arrows if b == key])

    def users(self, key: int) -> list[int]:
        """Keys of the boxes that a box leads to, from the top of the screen down."""
        return self._by_row([b for a, b in self.arrows if a == key])

    def beside(self, key: int, step: int) -> int:
        """The next box of the same rank, up (-1) or down (+1); the box itself where there is none."""
        rank = self.sheet.places[key].rank
        column = self._by_row([k for k, p in self.sheet.places.items() if p.rank == rank])
        at = column.index(key) + step
        return column[at] if 0 <= at < len(column) else key

    def fits(self, request: SceneRequest) -> bool:
        """True where the whole of it can be seen at once."""
        return self.sheet.width <= request.width and self.sheet.height <= request.height

    def _by_row(self, keys: list[int]) -> list[int]:
        return sorted(keys, key=lambda k: self.sheet.places[k].y)


@dataclass(slots=True)
class _Drawn:
    """A picture that is not laid out yet."""

    picture: Picture
    focus: int
    nodes: dict[int, int]
    """Key of a box -> the node that stands for it."""
    labels: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Key of a box of one operation -> (sign, name or ""); others are square."""


def scene(trace: Trace, event: int, request: SceneRequest) -> Scene:
    """The scene of a moment."""
    nodes = _Nodes(trace, event, request)
    if request.show is not Show.AROUND:
        return _scene(_slice(nodes), request)
    operations = request.level == Level.OPERATIONS

    def drawn(depth: int, each: int) -> _Drawn:
        if operations:
            return nodes.around(depth, each)
        return _around_group(trace, event, replace(request, depth=depth, each=each))

    if request.depth:
        return replace(_scene(drawn(request.depth, request.each), request), depth=request.depth)
    whole = nodes.whole() if operations else None
    found = _fitted(whole, request) if whole is not None else None
    return found or _fitting(request, drawn)


def _fitting(request: SceneRequest, drawn: Callable[[int, int], _Drawn]) -> Scene:
    """The deepest scene that fits; where none does, all that there is one step away."""
    each = request.each
    best = _fitted(drawn(1, each), request)
    while best is None and each > FEWEST:
        each //= 2
        best = _fitted(drawn(1, each), request)
    if best is None:
        return replace(_scene(drawn(1, request.each), request), depth=1)
    best.depth = 1
    for depth in range(2, DEEPEST + 1):
        more = drawn(depth, each)
        found = _fitted(more, request) if len(more.picture.boxes) > len(best.boxes) else None
        if found is None:
            break
        best = found
        best.depth = depth
    return best


class _Nodes:
    """Boxes of single nodes and of closed sums, at one moment; what several attempts need is computed once."""

    def __init__(self, trace: Trace, event: int, request: SceneRequest) -> None:
        self.trace, self.event, self.request = trace, event, request
        self.sums = Sums(trace, event, request.node, request.opened)
        self.now = carrying(trace, event)
        self._boxes: dict[int, tuple[Box, tuple[str, str]]] = {}
        self._users: dict[int, list[int]] = {}

    def users(self, node: int) -> list[int]:
        """The boxes that are made from one."""
        if node not in self._users:
            self._users[node] = self.sums.users(node, self.request.threshold)
        return self._users[node]

    def around(self, depth: int, each: int) -> _Drawn:
        """The cone of the value."""
        prefer = [self.sums.box_of(n) for n in self.now or ()]
        return self.boxed(walk(self.request.node, self.sums.inputs, self.users, (depth, depth), MOST, each, prefer))

    def whole(self) -> _Drawn | None:
        """All that hangs together with the value, where that is little."""
        if nodes_at(self.trace, self.event) > 4 * MOST:
            return None

        def near(node: int) -> list[int]:
            return [*self.sums.inputs(node), *self.users(node)]

        chosen = walk(self.request.node, near, lambda _: (), (MOST + 1, 0), MOST + 1)
        return self.boxed(chosen) if len(chosen) <= MOST else None

    def boxed(self, chosen: Iterable[int]) -> _Drawn:
        """A selection as a picture."""
        trace, event, request, sums = self.trace, self.event, self.request, self.sums
        selection = selected(chosen, sums.inputs, self.users)
        nodes = tuple(n for n in selection.nodes if exists(trace, n, event))
        arrows = [a for a in node_arrows(trace, nodes, event) if not sums.chain(a.head)]
        arrows += [a for n in nodes for a in _term_arrows(trace, event, sums, n, set(nodes), self.now)]
        if request.threshold:
            arrows = [a for a in arrows if not a.share < request.threshold]
            linked = {a.tail for a in arrows} | {a.head for a in arrows} | {request.node}
            nodes = tuple(n for n in nodes if n in linked)
        boxes, labels = [], {}
        for node in nodes:
            box, label = self._box(node)
            boxes.append(replace(
                box, more_inputs=selection.more_inputs.get(node, 0), more_users=selection.more_users.get(node, 0)
            ))  # fmt: skip
            labels[node] = label
        picture = Picture(boxes, arrows, backward=trace.loss_node(event) >= 0, members={n: n for n in nodes})
        return _Drawn(picture, request.node, {n: n for n in nodes}, labels)

    def _box(self, node: int) -> tuple[Box, tuple[str, str]]:
        """A node's box, and what its operation is and is called."""
        if node not in self._boxes:
            trace, sums = self.trace, self.sums
            terms = len(sums.terms(node))
            label = "", ""
            if node >= trace.first_node and len(trace.children(node)):
                sign = f"Σ {terms}" if terms else symbol(trace.op_name(node))
                own = own_name(trace, node) or ""
                label = sign, own or ("terms" if terms else "")
                title = "operation", f"{own} {sign}{' terms' if terms else ''}".strip()
                box = node_box(trace, node, self.event, title=title)
            else:
                box = node_box(trace, node, self.event)
            box.focus, box.op = node == self.request.node, "sum" if terms else box.op
            self._boxes[node] = box, label
        return self._boxes[node]


def _term_arrows(
    trace: Trace, event: int, sums: Sums, end: int, inside: set[int], now: tuple[int, int] | None
) -> list[Arrow]:
    """The edges from the terms of a closed sum."""
    found = []
    for (term, addition), slope in zip(sums.terms(end), sums.slopes(end), strict=True):
        if term not in inside:
            continue
        given = contributions(trace, term, addition, event)
        amount = sum(given) if given else math.nan
        part = share(trace, term, addition, event)
        found.append(Arrow(term, end, 1, slope, amount, part, now == (term, addition)))
    return found


def _slice(found: _Nodes) -> _Drawn:
    trace, event, request = found.trace, found.event, found.request
    if request.show is Show.PARAMETERS:
        chosen = to_parameters(trace, request.node, event)
    elif request.show is Show.LOSS:
        chosen = to_loss(trace, request.node, event)
    else:
        other = request.other if request.other >= 0 else target_of(trace, event)
        chosen = between(trace, request.node, other, event)
    if request.level == Level.OPERATIONS and chosen.nodes:
        boxes: dict[int, None] = {}
        for node in chosen.nodes:
            boxes[found.sums.box_of(node)] = None
            if len(boxes) > MOST:
                break
        else:
            return found.boxed(boxes)
    folded = fold_selection(trace, chosen.nodes, MOST, request.level)
    picture = picture_of_groups(trace, folded, event, focus=request.node)
    focus = folded.group_of[request.node] if request.node < len(folded.group_of) else -1
    return _Drawn(picture, focus, {g: group.last for g, group in enumerate(folded.groups)})


def _around_group(trace: Trace, event: int, request: SceneRequest) -> _Drawn:
    fold = growing_fold(trace, request.level)
    if not 0 <= request.node < len(fold.group_of):
        return _Drawn(Picture([], []), -1, {})
    focus = fold.group_of[request.node]
    chosen = fold.cone(focus, event, request.depth, MOST, request.each)
    boxes = [_folded_box(fold, g, event, chosen) for g in chosen.nodes]
    inside = set(chosen.nodes)
    now = carrying(trace, event)
    passing = (fold.group_of[now[0]], fold.group_of[now[1]]) if now else None
    arrows = [
        Arrow(tail, head, count, carrying=(tail, head) == passing)
        for head in chosen.nodes
        for tail, count in fold.inputs.get(head, {}).items()
        if tail in inside and tail != head
    ]
    picture = Picture(boxes, arrows, backward=trace.loss_node(event) >= 0)
    return _Drawn(picture, focus, {g: _newest(fold, g, event) for g in chosen.nodes})


def _folded_box(fold: GrowingFold, g: int, event: int, chosen: Selection) -> Box:
    trace = fold.trace
    box = group_box(trace, g, fold.groups[g])
    box.more_inputs, box.more_users = chosen.more_inputs.get(g, 0), chosen.more_users.get(g, 0)
    box.state = fold.reached(g, event)
    group = fold.groups[g]
    if group.scope >= 0 and group.last - group.first + 1 == group.count:
        box.count = _newest(fold, g, event) - group.first + 1
    return box


def _newest(fold: GrowingFold, g: int, event: int) -> int:
    """A group's last node that exists by an event."""
    newest = fold.trace.first_node + nodes_at(fold.trace, event) - 1
    return fold.groups[g].last if fold.groups[g].scope < 0 else min(fold.groups[g].last, newest)


def _scene(drawn: _Drawn, request: SceneRequest) -> Scene:
    """Laid out: with the gradient beside the data, or below it where only that is narrow enough."""
    arrows, counts = _bundled(drawn.picture)
    found = None
    for way in Way:
        labels, texts = _labels(drawn, way)
        laid = _laid(drawn, texts, arrows, lay_out(labels, arrows, counts))
        if not request.width or laid.fits(request):
            return laid
        if found is None or (found.sheet.width > request.width and laid.sheet.width < found.sheet.width):
            found = laid
        if laid.sheet.width <= request.width:
            break
    assert found is not None
    return found


def _fitted(drawn: _Drawn, request: SceneRequest) -> Scene | None:
    """Laid out so that it can be seen at once; None where it cannot."""
    arrows, counts = _bundled(drawn.picture)
    for way in Way:
        labels, texts = _labels(drawn, way)
        width, height = least_size(labels, arrows)
        if height > request.height:
            return None
        if width > request.width:
            continue
        laid = _laid(drawn, texts, arrows, lay_out(labels, arrows, counts))
        if laid.fits(request):
            return laid
        if laid.sheet.width <= request.width:
            return None
    return None


def _bundled(picture: Picture) -> tuple[dict[tuple[int, int], Arrow], dict[tuple[int, int], str]]:
    """Parallel edges as one, and the counts that stand at these."""
    arrows: dict[tuple[int, int], Arrow] = {}
    for arrow in picture.arrows:
        known = arrows.get((arrow.tail, arrow.head))
        arrows[arrow.tail, arrow.head] = arrow if known is None else _both(known, arrow)
    return arrows, {edge: f"×{arrow.count:,}" for edge, arrow in arrows.items() if arrow.count > 1}


def _labels(drawn: _Drawn, way: Way) -> tuple[list[Label], dict[int, Text]]:
    texts = {box.key: label_text(box, *drawn.labels.get(box.key, ("", "")), way) for box in drawn.picture.boxes}
    return [Label(key, text.width + 2, len(text.rows)) for key, text in texts.items()], texts


def _laid(drawn: _Drawn, texts: dict[int, Text], arrows: dict[tuple[int, int], Arrow], sheet: Sheet) -> Scene:
    boxes = {box.key: box for box in drawn.picture.boxes}
    focus = drawn.focus if drawn.focus in boxes else -1
    return Scene(drawn.picture, sheet, texts, focus, boxes, arrows, drawn.nodes)


def _both(a: Arrow, b: Arrow) -> Arrow:
    """Two operands of one user that are the same node (x * x): one line with the sum of what they do."""
    return Arrow(
        a.tail, a.head, a.count + b.count, a.local + b.local, a.contribution + b.contribution,
        a.share + b.share, a.carrying or b.carrying,
    )  # fmt: skip


def tail_of(text: str, width: int) -> str:
    """A name cut at its front: the indices at its end tell nodes apart."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


def brief(value: float) -> str:
    """A number with its sign: in few digits where those are the whole of it, ``+4``, ``−0.5``, else as ``signed``."""
    short = f"{value:+.4g}"
    return short.replace("-", MINUS) if value and float(short) == value and len(short) < 7 else signed(value)


def label_text(box: Box, sign: str = "", name: str = "", way: Way = Way.WIDE) -> Text:
    """What a label says: name and op; data and gradient, or how many nodes a group has."""
    before = f"‹{box.more_inputs} " if box.more_inputs else ""
    after = f" {box.more_users}›" if box.more_users else ""
    mark = MARKS[box.state]
    most = SHORT_TITLE if way is Way.NARROW else TITLE
    if box.node < 0:
        title = box.title if len(box.title) <= most + 4 else box.title[: most + 3] + "…"
        nodes = f"{box.count:,} node{'s' if box.count != 1 else ''}"
        return Text("", (title, f"{nodes} ∇{mark}" if mark else nodes), before, after)
    data = brief(box.data)
    if box.kind == "constant" and not before and not after:
        return Text("", (data,))
    gradient = f"∇{mark}{brief(box.grad) if box.grad == box.grad else ''}" if mark else ""
    head = tail_of(name if sign else box.title, most)
    if way is Way.WIDE:
        rows = [data, gradient] if sign and not name else [head, f"{data} {gradient}".rstrip()]
    elif way is Way.NARROW and sign:
        rows = ["", head, data, gradient]
    else:
        rows = [head, data, gradient]
    shown = tuple(row for at, row in enumerate(rows) if row or not at)
    return Text(sign, shown, before, after, 0 if way is Way.NARROW else len(before) if sign else 0)


def edge_text(scene: Scene, edge: tuple[int, int], names: Sequence[str]) -> str:
    """One line about an edge: local gradient, what it carries, its share."""
    arrow = scene.arrows[edge]
    parts = [f"{names[0]} → {names[1]}"]
    if arrow.count > 1:
        parts.append(f"×{arrow.count:,} operands")
    if arrow.local == arrow.local:
        parts.append(f"local {signed(arrow.local)}")
    if arrow.contribution == arrow.contribution:
        portion = f" ({100 * arrow.share:.3g} % of its grad)" if arrow.share == arrow.share else ""
        parts.append(f"carries {signed(arrow.contribution)}{portion}")
    elif scene.picture.backward and arrow.count == 1:
        parts.append("carries nothing yet")
    return " · ".join(parts)

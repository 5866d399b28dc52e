"""The neighbourhood of a value as the terminal shows it: a picture, its layout in cells, and what its labels say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from microgpt_tui.graph.folding import fold_selection, nodes_at
from microgpt_tui.graph.group_picture import group_box, picture_of_groups
from microgpt_tui.graph.growing import GrowingFold, growing_fold
from microgpt_tui.graph.layered import Label, Sheet, lay_out
from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.node_picture import picture_of_nodes
from microgpt_tui.graph.numbers import signed
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.selection import Selection, between, cone, target_of, to_loss, to_parameters
from microgpt_tui.graph.state import Reached, carrying
from microgpt_tui.trace.trace import Trace

TITLE = 18
"""Characters of a name in a label."""
MOST = 40
"""Boxes on screen."""
MARKS = {Reached.NONE: "", Reached.WAITING: "·", Reached.ACCUMULATING: "…", Reached.FINAL: "✓", Reached.ZEROED: ""}
"""How far a gradient has come, without colour."""


class Show(Enum):
    """What the pane shows of the graph."""

    AROUND = "around"
    PARAMETERS = "inputs of"
    LOSS = "to the loss from"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What to show of a moment."""

    node: int
    show: Show = Show.AROUND
    level: Level = Level.OPERATIONS
    depth: int = 2
    threshold: float = 0.0
    other: int = -1
    """The other end of BETWEEN."""
    each: int = 12
    """Most boxes per depth and direction."""


@dataclass(slots=True)
class Scene:
    """Boxes, arrows and where they are."""

    picture: Picture
    sheet: Sheet
    texts: dict[int, list[str]]
    """Key of a box -> its lines."""
    focus: int
    """Key of the box that holds the selected node, or -1."""
    boxes: dict[int, Box] = field(default_factory=dict)
    arrows: dict[tuple[int, int], Arrow] = field(default_factory=dict)
    nodes: dict[int, int] = field(default_factory=dict)
    """Key of a box -> the node that stands for it: itself, or a group's last one."""

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

    def _by_row(self, keys: list[int]) -> list[int]:
        return sorted(keys, key=lambda k: self.sheet.places[k].y)


def scene(trace: Trace, event: int, request: SceneRequest) -> Scene:
    """The scene of a moment."""
    if request.show is Show.AROUND and request.level != Level.OPERATIONS:
        return _folded_scene(trace, event, request)
    if request.show is Show.AROUND:
        now = carrying(trace, event) or ()
        chosen = cone(
            trace, request.node, event, request.depth, request.depth, MOST, request.threshold, request.each, now
        )
    else:
        chosen = _slice(trace, event, request)
    if len(chosen.nodes) <= MOST and request.level == Level.OPERATIONS:
        picture = picture_of_nodes(
            trace, chosen, event, focus=request.node, threshold=request.threshold, clusters=False
        )
        return _scene(picture, request.node, {box.key: box.node for box in picture.boxes})
    folded = fold_selection(trace, chosen.nodes, MOST, request.level)
    picture = picture_of_groups(trace, folded, event, focus=request.node)
    focus = folded.group_of[request.node] if request.node < len(folded.group_of) else -1
    return _scene(picture, focus, {g: group.last for g, group in enumerate(folded.groups)})


def _slice(trace: Trace, event: int, request: SceneRequest) -> Selection:
    if request.show is Show.PARAMETERS:
        return to_parameters(trace, request.node, event)
    if request.show is Show.LOSS:
        return to_loss(trace, request.node, event)
    other = request.other if request.other >= 0 else target_of(trace, event)
    return between(trace, request.node, other, event)


def _folded_scene(trace: Trace, event: int, request: SceneRequest) -> Scene:
    fold = growing_fold(trace, request.level)
    if not 0 <= request.node < len(fold.group_of):
        return _scene(Picture([], []), -1, {})
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
    return _scene(picture, focus, {g: _newest(fold, g, event) for g in chosen.nodes})


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


def _scene(picture: Picture, focus: int, nodes: dict[int, int]) -> Scene:
    texts = {box.key: label_lines(box) for box in picture.boxes}
    labels = [Label(key, max(map(len, lines)) + 2, len(lines)) for key, lines in texts.items()]
    sheet = lay_out(labels, [(a.tail, a.head) for a in picture.arrows])
    boxes = {box.key: box for box in picture.boxes}
    arrows: dict[tuple[int, int], Arrow] = {}
    for arrow in picture.arrows:
        known = arrows.get((arrow.tail, arrow.head))
        if known is None:
            arrows[arrow.tail, arrow.head] = arrow
        else:
            arrows[arrow.tail, arrow.head] = _both(known, arrow)
    return Scene(picture, sheet, texts, focus if focus in boxes else -1, boxes, arrows, nodes)


def _both(a: Arrow, b: Arrow) -> Arrow:
    """Two operands of one user that are the same node (x * x): one line with the sum of what they do."""
    return Arrow(
        a.tail, a.head, a.count + b.count, a.local + b.local, a.contribution + b.contribution,
        a.share + b.share, a.carrying or b.carrying,
    )  # fmt: skip


def tail_of(text: str, width: int) -> str:
    """A name cut at its front: the indices at its end tell nodes apart."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


def label_lines(box: Box) -> list[str]:
    """What a label says: name and op; data and gradient, or how many nodes a group has."""
    before = f"‹{box.more_inputs} " if box.more_inputs else ""
    after = f" {box.more_users}›" if box.more_users else ""
    mark = MARKS[box.state]
    if box.node < 0:
        title = box.title if len(box.title) <= TITLE + 4 else box.title[: TITLE + 3] + "…"
        nodes = f"{box.count:,} node{'s' if box.count != 1 else ''}"
        return [f"{before}{title}{after}", f"{nodes} ∇{mark}" if mark else nodes]
    if box.kind == "constant" and not before and not after:
        return [f"{signed(box.data)}"]
    gradient = f" ∇{mark}{signed(box.grad) if box.grad == box.grad else ''}" if mark else ""
    return [f"{before}{tail_of(box.title, TITLE)}{after}", f"{signed(box.data)}{gradient}"]


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

"""A fold as a picture: a box per group with what it hands on."""

from __future__ import annotations

import math
from bisect import bisect_right

from microgpt_tui.graph.clusters import add_clusters, iteration_name
from microgpt_tui.graph.folding import SETUP, Fold, Group
from microgpt_tui.graph.node_picture import node_arrows, node_box, picture_of_nodes
from microgpt_tui.graph.numbers import plain, signed
from microgpt_tui.graph.picture import Arrow, Box, Picture
from microgpt_tui.graph.selection import Selection
from microgpt_tui.graph.state import (
    Reached,
    carrying,
    data_used,
    grads_at,
    reached_by_sums,
    sums_by_group,
    uses_by_group,
    zeroed,
)
from microgpt_tui.graph.titles import scope_title
from microgpt_tui.trace.trace import Trace


def picture_of_groups(trace: Trace, folded: Fold, event: int, *, focus: int = -1) -> Picture:
    """A picture of a fold; ``focus`` is a node whose group is marked."""
    if folded.groups and all(g.node >= 0 for g in folded.groups):
        nodes = tuple(g.node for g in folded.groups)
        picture = picture_of_nodes(trace, Selection(nodes, {}, {}), event, focus=focus)
        picture.note = folded.note
        return picture
    boxes = [group_box(trace, g, group) for g, group in enumerate(folded.groups)]
    arrows = {pair: Arrow(*pair, count) for pair, count in folded.drawn.items()}
    backward = trace.loss_node(event) >= 0
    _fill_numbers(trace, folded, boxes, event)
    if backward:
        _fill_contributions(trace, folded, arrows, event)
    _set_singles(trace, folded, boxes, arrows, event)
    now = carrying(trace, event)
    if now is not None and max(now) < len(folded.group_of):
        passing = arrows.get((folded.group_of[now[0]], folded.group_of[now[1]]))
        if passing is not None:
            passing.carrying = True
    loss = trace.loss_node(event)
    if 0 <= loss < len(folded.group_of) and folded.group_of[loss] >= 0:
        boxes[folded.group_of[loss]].kind = "loss"
    if 0 <= focus < len(folded.group_of) and folded.group_of[focus] >= 0:
        boxes[folded.group_of[focus]].focus = True
    picture = Picture(boxes, list(arrows.values()), note=folded.note, backward=backward)
    picture.members = {node: g for node, g in enumerate(folded.group_of) if g >= 0}
    add_clusters(trace, picture)
    return picture


def _set_singles(
    trace: Trace, folded: Fold, boxes: list[Box], arrows: dict[tuple[int, int], Arrow], event: int
) -> None:
    """Single nodes among the groups: their own numbers, and those of the edges between them."""
    alone = ((group.node if group.node >= 0 else group.first, g) for g, group in enumerate(folded.groups)
             if group.node >= 0 or (group.count == 1 and group.scope >= 0 and group.iterations == 1))  # fmt: skip
    single = dict(alone)
    for node, g in single.items():
        boxes[g] = node_box(trace, node, event)
        boxes[g].key = g
    for edge in node_arrows(trace, tuple(sorted(single)), event):
        arrow = arrows[single[edge.tail], single[edge.head]]
        if arrow.count == 1:
            arrow.local, arrow.contribution = edge.local, edge.contribution


def group_box(trace: Trace, key: int, group: Group) -> Box:
    """The box of a group, without its numbers."""
    if group.scope < 0:
        kind = "constant" if group.matrix == SETUP else "parameter"
        return Box(key, group.matrix, kind, count=group.count)
    title = scope_title(trace, group.scope)
    if group.iterations > 1:
        title = f"{iteration_name(trace, group.scope)} ×{group.iterations}"
    return Box(key, title, "group", scope=group.scope, count=group.count, iterations=group.iterations)


def _fill_numbers(trace: Trace, folded: Fold, boxes: list[Box], event: int) -> None:
    """What each group hands on to others (its last result, where nobody takes it): one pass over the edges."""
    size, group_of, first = len(boxes), folded.group_of, trace.first_node
    handed: list[dict[int, None]] = [{} for _ in range(size)]
    end = len(group_of)
    starts = trace.child_start
    for node in range(first, end):
        g, row = group_of[node], node - first
        if g < 0:
            continue
        for child in trace.child[starts[row] : starts[row + 1] if row + 1 < len(starts) else None]:
            if child < end and group_of[child] != g and group_of[child] >= 0:
                handed[group_of[child]][child] = None
    loss = trace.loss_node(event)
    grads = grads_at(trace, event)
    sums, uses = sums_by_group(trace, event, group_of, size), uses_by_group(trace, group_of, size)
    for g, (box, group) in enumerate(zip(boxes, folded.groups, strict=True)):
        results = [loss] if 0 <= loss < end and group_of[loss] == g else list(handed[g]) or [group.last]
        values = [data_used(trace, n, event) for n in results]
        box.state = reached_by_sums(trace, event, sums[g], uses[g])
        box.data = values[0] if len(values) == 1 else math.nan
        box.result = result_text(values)
        if box.state not in (Reached.NONE, Reached.WAITING):
            box.grad = math.sqrt(sum(grads.get(n, 0.0) ** 2 for n in results))
            if box.state is Reached.FINAL and not box.grad and all(zeroed(trace, n, event) for n in results):
                box.state = Reached.ZEROED


def result_text(values: list[float]) -> str:
    """A single number; of several how many, their range and norm."""
    if len(values) == 1:
        return signed(values[0])
    known = [v for v in values if v == v]
    if not known:
        return f"{len(values)} numbers"
    norm = plain(math.sqrt(sum(v * v for v in known)))
    return f"{len(values):,} numbers, norm {norm} · {signed(min(known))} … {signed(max(known))}"


def _fill_contributions(trace: Trace, folded: Fold, arrows: dict[tuple[int, int], Arrow], event: int) -> None:
    """What the gradient brought across each arrow: one pass over the writes."""
    rows = bisect_right(trace.write_event, event)
    group_of = folded.group_of
    end = len(group_of)
    sums: dict[tuple[int, int], float] = {}
    for target, source, delta in zip(trace.target[:rows], trace.source[:rows], trace.delta[:rows], strict=True):
        if source >= 0 and delta == delta and target < end and source < end:
            pair = group_of[target], group_of[source]
            if pair in arrows:
                sums[pair] = sums.get(pair, 0.0) + abs(delta)
    into: dict[int, float] = {}
    for pair, amount in sums.items():
        into[pair[0]] = into.get(pair[0], 0.0) + amount
    for pair, amount in sums.items():
        arrows[pair].contribution = amount
        arrows[pair].share = amount / into[pair[0]] if into[pair[0]] else math.nan


def list_parameters(picture: Picture, most: int = 0) -> None:
    """Write matrices that feed more than ``most`` boxes into these boxes, instead of drawing an arrow to each.

    A step uses every matrix at every position: drawn, these arrows hide all others, and the boxes leave no room.
    """
    fed: dict[int, list[Arrow]] = {}
    for arrow in picture.arrows:
        fed.setdefault(arrow.tail, []).append(arrow)
    listed = {
        b.key: b for b in picture.boxes if b.kind == "parameter" and b.node < 0 and len(fed.get(b.key, ())) > most
    }
    if not listed:
        return
    uses: dict[int, list[str]] = {}
    for key, box in listed.items():
        for arrow in fed[key]:
            uses.setdefault(arrow.head, []).append(box.title)
    for box in picture.boxes:
        names = uses.get(box.key, [])
        if names:
            box.uses = "with " + (", ".join(names) if len(names) <= 2 else f"{len(names)} matrices")
    picture.boxes = [b for b in picture.boxes if b.key not in listed]
    picture.arrows = [a for a in picture.arrows if a.tail not in listed]

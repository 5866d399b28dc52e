"""What is drawn, before it is drawn anywhere: boxes, arrows and clusters with their numbers at a moment."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from microgpt_tui.graph.folding import SETUP, Fold, Group
from microgpt_tui.graph.presets import Style
from microgpt_tui.graph.selection import Selection, exists
from microgpt_tui.graph.state import Reached, accumulations, carrying, contributions, grads_at, reached
from microgpt_tui.graph.titles import scope_title
from microgpt_tui.protocol.codes import ACCUMULATE, BACKWARD, CONSTANT_OP, PHASE_NAMES, SiteKind
from microgpt_tui.trace.formula import local_gradients
from microgpt_tui.trace.names import matrix_place, name, own_name, symbol
from microgpt_tui.trace.trace import Trace


class Body(Protocol):
    """A table for a box of its own: a heatmap, bars."""

    def label(self, style: Style) -> str:
        """As an HTML-like label of Graphviz."""


@dataclass(slots=True)
class Box:
    """A node, or a group of nodes."""

    key: int
    title: str
    kind: str
    """``operation``, ``parameter``, ``constant``, ``loss``, ``group`` or ``table``."""
    op: str = ""
    node: int = -1
    scope: int = -1
    count: int = 1
    """How many nodes it stands for."""
    iterations: int = 1
    data: float = math.nan
    """Of one node its data; of a group the root mean square."""
    grad: float = math.nan
    state: Reached = Reached.NONE
    cluster: int = -1
    """The innermost scope that is drawn as a frame around it, or -1."""
    focus: bool = False
    more_inputs: int = 0
    more_users: int = 0
    uses: str = ""
    """Parameters that it uses and that have no box of their own."""
    body: Body | None = None
    """Of a table: what is drawn instead of the numbers above."""


@dataclass(slots=True)
class Arrow:
    """From an operand to what was made of it: the way of the data; gradients flow against it."""

    tail: int
    head: int
    count: int = 1
    """How many operands it stands for."""
    local: float = math.nan
    """d head / d tail, of a single edge."""
    contribution: float = math.nan
    """What has been added to the tail's grad through it; summed over ``count``."""
    share: float = math.nan
    """The part of the tail's grad, in absolute values, that came this way."""
    carrying: bool = False
    """The gradient passes here at this very moment."""


@dataclass(slots=True)
class Picture:
    """Everything that a renderer needs, in the terminal or in DOT."""

    boxes: list[Box]
    arrows: list[Arrow]
    clusters: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Scope -> (label, the cluster around it or -1)."""
    title: str = ""
    subtitle: str = ""
    note: str = ""
    backward: bool = False
    """Gradients exist at this moment."""
    members: dict[int, int] = field(default_factory=dict)
    """Node -> key of the box that it is in."""
    legend: str = ""
    """Of a table: how to read it."""
    rows: list[dict[str, object]] = field(default_factory=list)
    """Of a table: its numbers, for JSON."""


def moment_name(trace: Trace, event: int) -> str:
    """``step 3:1200 · backward · loss 3.1778``."""
    number = f" {trace.number}" if trace.number else ""
    phase = PHASE_NAMES[trace.phase_of(max(0, event))]
    text = f"{trace.episode_kind}{number}:{event + 1} · {phase}"
    loss = trace.loss_node(event)
    return f"{text} · loss {trace.data_at(loss, event):.4f}" if loss >= 0 else text


def table_picture(title: str, legend: str, body: Body, rows: list[dict[str, object]]) -> Picture:
    """A picture that is one table."""
    return Picture([Box(0, title, "table", body=body)], [], title=title, legend=legend, rows=rows)


# -- single nodes ----------------------------------------------------------------------------------


def box_title(trace: Trace, node: int) -> tuple[str, str]:
    """(kind, title) of a single node: its name where a variable has one, else its operation."""
    if matrix_place(trace, node) is not None:
        return "parameter", name(trace, node)
    op = trace.op_name(node)
    if op == CONSTANT_OP:
        return "constant", "const"
    own = own_name(trace, node)
    if op in ("leaf", "outside"):
        return "constant", own or op
    return "operation", f"{own} {symbol(op)}" if own else name(trace, node)


def node_box(trace: Trace, node: int, event: int, selection: Selection | None = None) -> Box:
    """The box of a single node at a moment."""
    kind, title = box_title(trace, node)
    if node == trace.loss_node(event):
        kind = "loss"
    scope = trace.scope_of(trace.born_at(node)) if trace.born_at(node) >= 0 else -1
    state = reached(trace, node, event)
    return Box(
        node, title, kind, trace.op_name(node), node, scope,
        data=trace.data_at(node, event),
        grad=trace.grad_at(node, event) if state not in (Reached.NONE, Reached.WAITING) else math.nan,
        state=state,
        more_inputs=selection.more_inputs.get(node, 0) if selection else 0,
        more_users=selection.more_users.get(node, 0) if selection else 0,
    )  # fmt: skip


def node_arrows(trace: Trace, nodes: tuple[int, ...], event: int) -> list[Arrow]:
    """The edges among nodes, one per operand: of ``x * x`` two."""
    inside = set(nodes)
    now = carrying(trace, event)
    found: list[Arrow] = []
    totals: dict[int, float] = {}
    for user in nodes:
        children = trace.children(user)
        if not any(c in inside for c in children):
            continue
        slopes = local_gradients(trace, user, event)
        seen: Counter[int] = Counter()
        for slot, child in enumerate(children):
            if child not in inside:
                continue
            given = contributions(trace, child, user, event)
            amount = given[seen[child]] if seen[child] < len(given) else math.nan
            seen[child] += 1
            if child not in totals:
                totals[child] = sum(abs(trace.delta[r]) for r in _sums(trace, child, event))
            part = abs(amount) / totals[child] if totals[child] else math.nan
            slope = slopes[slot][0] if slot < len(slopes) else math.nan
            found.append(Arrow(child, user, 1, slope, amount, part, now == (child, user)))
    return found


def _sums(trace: Trace, node: int, event: int) -> list[int]:
    return [
        r for r in trace.writes_of(node)
        if trace.write_event[r] <= event and trace.kind[trace.write_event[r]] == ACCUMULATE
    ]  # fmt: skip


def picture_of_nodes(
    trace: Trace, selection: Selection, event: int, *, focus: int = -1, threshold: float = 0.0, clusters: bool = True
) -> Picture:
    """A picture with one box per node; edges below the ``threshold`` share of a gradient are left out."""
    nodes = tuple(n for n in selection.nodes if exists(trace, n, event))
    arrows = node_arrows(trace, nodes, event)
    if threshold:
        arrows = [a for a in arrows if not a.share < threshold]
        linked = {a.tail for a in arrows} | {a.head for a in arrows} | {focus}
        nodes = tuple(n for n in nodes if n in linked)
    boxes = [node_box(trace, n, event, selection) for n in nodes]
    for box in boxes:
        box.focus = box.node == focus
    members = {box.node: box.key for box in boxes}
    picture = Picture(boxes, arrows, backward=trace.loss_node(event) >= 0, members=members)
    if clusters:
        add_clusters(trace, picture)
    return picture


# -- groups ----------------------------------------------------------------------------------------


def picture_of_groups(trace: Trace, folded: Fold, event: int, *, focus: int = -1, numbers: bool = True) -> Picture:
    """A picture of a fold; ``focus`` is a node whose group is marked. Numbers of a group are root mean squares."""
    if folded.groups and all(g.node >= 0 for g in folded.groups):
        nodes = tuple(g.node for g in folded.groups)
        picture = picture_of_nodes(trace, Selection(nodes, {}, {}), event, focus=focus)
        picture.note = folded.note
        return picture
    boxes = [group_box(trace, g, group) for g, group in enumerate(folded.groups)]
    arrows = {pair: Arrow(*pair, count) for pair, count in folded.drawn.items()}
    backward = trace.loss_node(event) >= 0
    if numbers:
        _fill_numbers(trace, folded, boxes, event, backward)
    if backward and numbers:
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
    single = {group.node: g for g, group in enumerate(folded.groups) if group.node >= 0}
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
        title = f"{_iteration_name(trace, group.scope)} ×{group.iterations}"
    return Box(key, title, "group", scope=group.scope, count=group.count, iterations=group.iterations)


def _iteration_name(trace: Trace, scope: int) -> str:
    site = trace.program.site(trace.scope_site[scope])
    if site.kind == SiteKind.ITERATION:
        return ", ".join(site.names) or site.name or "iteration"
    return site.name if site.kind == SiteKind.CALL and site.name else scope_title(trace, scope, 20)


def _fill_numbers(trace: Trace, folded: Fold, boxes: list[Box], event: int, backward: bool) -> None:
    """Root mean square of data and grad per group: one pass over the nodes."""
    size = len(boxes)
    data, grad, count, with_grad = [0.0] * size, [0.0] * size, [0] * size, [0] * size
    group_of, first = folded.group_of, trace.first_node
    for g, value in zip(group_of[first:], trace.data, strict=False):
        if g >= 0:
            data[g] += value * value
            count[g] += 1
    for node, g in enumerate(group_of[:first]):
        if g >= 0:
            value = trace.data_at(node, event)
            data[g] += value * value
            count[g] += 1
    complete = [0] * size
    if backward:
        sums, uses = accumulations(trace, event), Counter(trace.child)
        for node, value in grads_at(trace, event).items():
            g = group_of[node] if node < len(group_of) else -1
            if g >= 0:
                grad[g] += value * value
                with_grad[g] += 1
                complete[g] += sums[node] >= uses[node]
    for g, box in enumerate(boxes):
        box.data = math.sqrt(data[g] / count[g]) if count[g] else math.nan
        if not backward:
            continue
        box.grad = math.sqrt(grad[g] / count[g]) if with_grad[g] else math.nan
        done = complete[g] >= count[g] or trace.phase_of(event) > BACKWARD
        box.state = Reached.WAITING if not with_grad[g] else Reached.FINAL if done else Reached.ACCUMULATING


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


def list_parameters(picture: Picture, most: int = 2) -> None:
    """Write matrices that feed more than ``most`` boxes into these boxes, instead of drawing an arrow to each.

    A step uses every matrix at every position: drawn, these arrows hide all others.
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


# -- clusters --------------------------------------------------------------------------------------

_FRAMED = (SiteKind.CALL, SiteKind.ITERATION)


def add_clusters(trace: Trace, picture: Picture) -> None:
    """Frames for the calls and loop iterations that hold at least two boxes, and not all of them."""
    paths = {box.key: _frames(trace, box) for box in picture.boxes if box.scope >= 0}
    inside = Counter(scope for path in paths.values() for scope in path)
    total = len(picture.boxes)
    joined = {scope for box in picture.boxes if box.iterations > 1 for scope in paths.get(box.key, ())}
    drawn = {scope for scope, count in inside.items() if 2 <= count < total}
    # of scopes around the very same boxes the inner one tells more
    for path in paths.values():
        for outer, inner in pairwise(path):
            if outer in drawn and inner in drawn and inside[outer] == inside[inner]:
                drawn.discard(outer)
    for box in picture.boxes:
        path = [s for s in paths.get(box.key, ()) if s in drawn]
        for depth, scope in enumerate(path):
            if scope not in picture.clusters:
                label = scope_title(trace, scope, 40) if scope not in joined else _iteration_name(trace, scope)
                picture.clusters[scope] = label, path[depth - 1] if depth else -1
        box.cluster = path[-1] if path else -1


def _frames(trace: Trace, box: Box) -> list[int]:
    scopes = trace.scope_path(box.scope)
    if box.node < 0 and scopes and scopes[-1] == box.scope:
        scopes = scopes[:-1]
    own = {trace.program.train_site, trace.program.sample_site}
    return [s for s in scopes if trace.scope_kind(s) in _FRAMED and trace.scope_site[s] not in own]

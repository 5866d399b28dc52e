"""What the attention pane draws its lines from: where the heads stand, and the numbers around them."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

from microgpt_tui.recognise.attention import Attention, AttentionRow, attention, entropy_of
from microgpt_tui.recognise.tokens import key_tokens, tokens
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.pane import View

MASKED = 1e4
"""A score of this magnitude is a mask, no score."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Places on the screen: one per trace version, width and state of the pane."""

    found: Attention
    sequence: int
    length: int
    characters: tuple[str, ...]
    cell: int
    """Columns per cell."""
    first_key: int
    shown: int
    """How many key positions fit side by side."""
    across: int
    """Heads side by side."""
    block: int
    """Columns per head."""
    plan: tuple[tuple[str, int, int, int], ...]
    """Lines: (kind, layer, first head, query position); of a layer's title: 1 when it is folded."""


def paint(
    view: View, sequence: int, width: int, height: int, *, layer: int, head: int, column: int | None, one: bool
) -> Picture:
    """The places for a width and height; ``one`` shows one head large, ``column`` is the key to keep in sight."""
    found = attention(view.trace)
    length = max((r.keys.stop for (s, _, _), rows in found.rows.items() if s == sequence for r in rows), default=0)
    characters = _characters(view, sequence, length)
    room = width - 4
    if one:
        cell = next((c for c in (7, 4, 2) if length * c <= room), 1)
    else:
        most = min(max(found.heads, default=1), 4)
        cell = 2 if (4 + 2 * length) * most <= width or length * 2 <= room < length * 4 else 1
    shown = max(1, min(length, room // cell))
    first_key = 0
    if length > shown:
        wanted = length - 1 if column is None else column
        first_key = max(0, min(length - shown, wanted - shown // 2))
    block = max(12, 4 + shown * cell)
    across = 1 if one else max(1, width // block)
    plan = _plan(found, length, height, across, layer, head, one)
    return Picture(found, sequence, length, characters, cell, first_key, shown, across, block, tuple(plan))


def _characters(view: View, sequence: int, length: int) -> tuple[str, ...]:
    """What stands on the axes: characters, or the last digit of the position where these are unknown."""
    ids = key_tokens(view.trace, sequence)
    vocabulary = tokens(view.trace).vocabulary
    known = [vocabulary.cell(t) if t >= 0 else str(i % 10) for i, t in enumerate(ids)]
    return (*known, *(str(i % 10) for i in range(len(known), length)))


def _plan(
    found: Attention, length: int, height: int, across: int, layer: int, head: int, one: bool
) -> list[tuple[str, int, int, int]]:
    plan: list[tuple[str, int, int, int]] = [("title", 0, 0, 0)]
    unfolded = sum(2 + -(-heads // across) * (length + 3) for heads in found.heads)
    fold = not one and len(found.heads) > 1 and unfolded > max(height * 4, 60)
    for number, heads in enumerate(found.heads):
        if one and number != layer:
            continue
        if len(found.heads) > 1 and not one:
            plan.append(("layer", number, int(fold and number != layer), 0))
            if fold and number != layer:
                continue
        for first in [head] if one else range(0, heads, across):
            plan.append(("head", number, first, 0))
            plan += [("row", number, first, query) for query in range(length)]
            plan += [("entropy", number, first, 0), ("mean", number, first, 0)]
    return plan


def current_row(view: View) -> AttentionRow | None:
    """The row that the moment is about: being made, or made last; in the backward pass the event's own."""
    trace = view.trace
    firsts, rows = _in_order(trace)
    if not rows:
        return None
    node = trace.node_of(view.event) if 0 <= view.event < len(trace) else -1
    if node < trace.first_node:
        node = trace.first_node + bisect_right(trace.born, view.event) - 1
    return rows[max(0, bisect_right(firsts, node) - 1)]


@derived
def _in_order(trace: Trace) -> tuple[list[int], list[AttentionRow]]:
    """All rows by the node of their first logit, and these nodes."""
    rows = sorted((r for rows in attention(trace).rows.values() for r in rows), key=lambda r: r.logits[0])
    return [r.logits[0] for r in rows], rows


def row_of(rows: list[AttentionRow], query: int) -> AttentionRow | None:
    """The row of a query position."""
    if 0 <= query < len(rows) and rows[query].query == query:
        return rows[query]
    return next((r for r in rows if r.query == query), None)


def entropy(view: View, rows: list[AttentionRow], query: int) -> float | None:
    """Entropy in nats of one row; None while it is not made."""
    row = row_of(rows, query)
    trace = view.trace
    if row is None or trace.born_at(row.weights[-1]) > view.event:
        return None
    return entropy_of([trace.data[n - trace.first_node] for n in row.weights])


def means(view: View, rows: list[AttentionRow], picture: Picture) -> list[float]:
    """Mean weight per key position shown, over the rows made so far that can see it."""
    trace = view.trace
    first = trace.first_node
    totals = [0.0] * picture.length
    counts = [0] * picture.length
    for row in rows:
        if trace.born[row.weights[-1] - first] > view.event:
            break
        start = row.keys.start
        for column, node in enumerate(row.weights, start):
            if 0 <= column < picture.length and column <= row.query:
                totals[column] += trace.data[node - first]
                counts[column] += 1
    shown = range(picture.first_key, picture.first_key + picture.shown)
    return [totals[i] / counts[i] if counts[i] else 0.0 for i in shown]


def largest_weight(view: View, row: AttentionRow) -> float:
    """The largest weight of a row among those made at the moment; 1 before there is one."""
    trace, first = view.trace, view.trace.first_node
    made = [trace.data[n - first] for n in row.weights if n >= first and trace.born[n - first] <= view.event]
    return max((v for v in made if math.isfinite(v)), default=1.0) or 1.0


def largest(view: View, picture: Picture, gradient: bool) -> float:
    """The largest magnitude of the logits (or of their final gradients) in a sequence, masks left out."""
    trace = view.trace
    nodes = [
        node
        for (sequence, _, _), rows in picture.found.rows.items()
        if sequence == picture.sequence
        for row in rows
        for node in row.logits
    ]
    if gradient:
        last = len(trace)
        values = [abs(trace.grad_at(node, last)) for node in nodes]
    else:
        values = [abs(trace.data[node - trace.first_node]) for node in nodes]
    return max((v for v in values if v < MASKED), default=0.0)

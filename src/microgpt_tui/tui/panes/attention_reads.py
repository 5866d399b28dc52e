"""What the selected position reads: arcs to the tokens, percentages per head and averaged, how spread in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt_tui.recognise.attention import AttentionRow, entropy_of
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip, text
from microgpt_tui.tui.pane import View
from microgpt_tui.tui.panes.attention_picture import Picture, row_of

CELL = 6
"""Columns of a percentage."""
LABEL = 6
EVEN = 0.95
"""A row whose entropy is so much of the largest that is possible counts as spread evenly."""
MOSTLY = 0.5
WORDS = 16
"""Columns for words beside the percentages."""


@dataclass(frozen=True, slots=True)
class Read:
    """One head's row of the selected position, or the mean of a layer's."""

    label: str
    weights: tuple[float, ...]
    """By key position from 0; 0 where the head does not look."""
    head: int
    """-1 for the mean."""


def percent(share: float) -> str:
    """``71%``; what is not all and not nothing is never written as such."""
    if not math.isfinite(share):
        return "nan" if share != share else "inf"
    if 0 < share < 0.005:
        return "<1%"
    if 0.995 <= share < 1:
        return ">99%"
    return f"{100 * share:.0f}%"


def spread_words(weights: Sequence[float], keys: Sequence[str], query: int) -> str:
    """How spread a row is, in words."""
    seen = [w for w in weights if w > 0]
    if not seen or not all(map(math.isfinite, weights)):
        return "not finite" if seen else "reads nothing"
    most = max(range(len(weights)), key=weights.__getitem__)
    if len(seen) == 1:
        return "only itself" if most == query else f"only {keys[most]}"
    part = entropy_of(weights) / math.log(len(seen))
    if part >= EVEN:
        return "spread evenly"
    if weights[most] >= MOSTLY:
        return "mostly itself" if most == query else f"mostly {keys[most]} ({most + 1})"
    return f"as over {math.exp(entropy_of(weights)):.1f} of {len(seen)}"


def reads(view: View, picture: Picture, layer: int, query: int) -> list[Read]:
    """A position's rows in all heads of a layer that are made, and their mean."""
    trace, event = view.trace, view.event
    found = []
    for head in range(picture.found.heads[layer]):
        row = row_of(picture.found.rows.get((picture.sequence, layer, head), []), query)
        if row is not None and all(trace.born_at(n) <= event for n in row.weights):
            found.append(Read(f"h{head}", _by_position(view, row), head))
    if len(found) > 1:
        width = max(len(r.weights) for r in found)
        sums = [sum(r.weights[k] for r in found if k < len(r.weights)) / len(found) for k in range(width)]
        found.append(Read("mean" if len(found) == picture.found.heads[layer] else "mean…", tuple(sums), -1))
    return found


def _by_position(view: View, row: AttentionRow) -> tuple[float, ...]:
    return (*(0.0 for _ in range(row.keys.start)), *(view.trace.data_at(n, view.event) for n in row.weights))


def read_lines(
    view: View, picture: Picture, layer: int, head: int, query: int, width: int, *, few: bool = False
) -> list[Line]:
    """The block of lines; ``few`` for the selected head and the mean alone."""
    rows = reads(view, picture, layer, query)
    where = f"layer {layer} · " if len(picture.found.heads) > 1 else ""
    keys = picture.characters
    own = keys[query] if query < len(keys) else "?"
    title = f"{where}position {query + 1} “{own}” reads"
    if not rows:
        return [[], [text(f"{title} …", bold=True), text("  its row is not made yet", palette.DIM)]]
    count = max(len(r.weights) for r in rows)
    words = WORDS if count * CELL + LABEL + WORDS <= width else 0  # all of the keys, rather than words beside them
    room = max(1, (width - LABEL - words) // CELL)
    start = max(0, min(count - room, query - room + 1))
    shown = range(start, min(count, start + room))
    if len(shown) < count:
        title += f" · keys {shown[0] + 1}–{shown[-1] + 1} of 1–{count}"
    lines: list[Line] = [[], [text(clip(title, width), bold=True)]]
    chosen = [r for r in rows if r.head in (head, -1)]
    lines += [_arcs(r, shown, query, width) for r in chosen]
    row = Row().put(" " * LABEL)
    for key in shown:
        row.put(
            f"{keys[key] if key < len(keys) else '?':>{CELL - 1}} ", palette.ACCENT if key == query else palette.DIM
        )
    lines.append(row.done())
    return lines + [_percentages(r, shown, keys, query, r.head == head, width) for r in (chosen if few else rows)]


def _percentages(read: Read, shown: range, keys: Sequence[str], query: int, marked: bool, width: int) -> Line:
    row = Row().put(f"{read.label:<{LABEL}}", palette.MARK if marked else palette.TEXT)
    most = max(read.weights)
    for key in shown:
        share = read.weights[key] if key < len(read.weights) else 0.0
        words = percent(share)
        top = share == most and most > 0
        row.put(f"[{words}]".rjust(CELL) if top else f"{words} ".rjust(CELL), palette.MARK if top else palette.TEXT)
    words = spread_words(read.weights, keys, query)
    room = width - row.width - 1
    return row.put(f" {words}" if len(words) <= room else "", palette.DIM).done()


def _arcs(read: Read, shown: range, query: int, width: int) -> Line:
    """From the position to each that gets more than an even share; heavy to the one that gets most."""
    seen = sum(w > 0 for w in read.weights) or 1
    most = max(read.weights)
    ends = [
        k for k in shown if k < len(read.weights) and k != query and read.weights[k] >= 1 / seen and read.weights[k]
    ]
    itself = query < len(read.weights) and read.weights[query] >= 1 / seen
    cells = [" "] * (len(shown) * CELL)
    places = {k: (k - shown.start) * CELL + CELL - 2 for k in (*ends, *([query] if query in shown else []))}
    if ends and places:
        low, high = min(places.values()), max(places.values())
        for x in range(low, high + 1):
            cells[x] = "─"
        for key in ends:
            glyph = "┳" if read.weights[key] == most else "┬"
            cells[places[key]] = {low: "┏" if read.weights[key] == most else "╭", high: "╮"}.get(places[key], glyph)
    if query in places:
        cells[places[query]] = ("┫" if itself else "╮") if ends else ("●" if itself else " ")
    note = "  arcs: more than an even share" if read.head >= 0 else ""
    line = Row().put(f"{read.label:<{LABEL}}", palette.DIM).put("".join(cells).rstrip(), palette.ACCENT)
    return line.put(note if line.width + len(note) <= width else "", palette.DIM).done()

"""Attention: every layer and head as a small causal heatmap, one of them opened down to its numbers."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.recognise.attention import AttentionRow, Cell, attention, open_cell
from microgpt_tui.recognise.missing import begun
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip, empty, text, width_of, wrapped
from microgpt_tui.tui.messages import CommandChosen, NodeChosen
from microgpt_tui.tui.pane import Late, Pane, View
from microgpt_tui.tui.panes import cells, charts
from microgpt_tui.tui.panes.attention_cell import formula, open_lines
from microgpt_tui.tui.panes.attention_cells import put_cells
from microgpt_tui.tui.panes.attention_picture import (
    Picture,
    current_row,
    entropy,
    largest,
    largest_weight,
    means,
    paint,
    row_of,
)
from microgpt_tui.tui.panes.attention_reads import read_lines

MODES = ("weight", "logit", "gradient")


class AttentionPane(Pane):
    """All attention of the moment; a cell opened shows score, scale, softmax and its share of the output."""

    title = "Attention"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mode(1)", "weight/logit/gradient"),
        Binding("M", "mode(-1)", "mode back", show=False),
        Binding("h", "head(1)", "head"),
        Binding("H", "head(-1)", "head before", show=False),
        Binding("l", "layer(1)", "layer"),
        Binding("L", "layer(-1)", "layer before", show=False),
        Binding("o", "one", "one head/all"),
        Binding("u", "scale", "scale", show=False),
        Binding("d", "sequence(1)", "next text", show=False),
        Binding("D", "sequence(-1)", "text before", show=False),
        Binding("up", "move(-1,0)", "query up", show=False),
        Binding("down", "move(1,0)", "query down", show=False),
        Binding("left", "move(0,-1)", "key left", show=False),
        Binding("right", "move(0,1)", "key right", show=False),
        Binding("x", "part(1)", "next number"),
        Binding("X", "part(-1)", "number before", show=False),
        Binding("enter", "go", "go there"),
        Binding("delete", "ablate", "what-if: head off", show=False),
        Binding("z", "follow", "follow the cursor"),
    ]

    explanation = """\
# Attention

At every position each head asks a *query* q of all positions up to here; each of them answers with its *key* k. The
dot product q·k is the score; divided by √d it is the logit; **softmax** turns a row of logits into weights that add
up to 1; the head's output is the sum of the value vectors v, each multiplied by its weight.

A row is a query position, a column a key position. Causal: a position sees itself and what came before, so the
upper right is empty. The row marked `▶` is where the cursor is. *Entropy* (H, in nats) tells how spread that row is: 0
when all weight is on one position, ln n when it is spread evenly over n. The strip `μ` below a head is the mean weight
that each key position got. `u` changes the scale of the colours: each row's own largest weight, or 0 to 1 for all.

Below stands what the selected position *reads*, per head and averaged over the layer's heads: in percent, the largest
in brackets, and how spread in words. Arcs lead from the position to the tokens that get more than an even share; `┏`
and `┳` is the one that gets most, `┫` or `●` tells that the position itself does.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.mode = "weight"
        self.at_layer = 0
        self.at_head = 0
        self.cell: tuple[int, int] | None = None
        """(query, key) that was chosen; None follows the cursor."""
        self.pinned = False
        """A head was chosen; otherwise the head that the moment is in is shown."""
        self.sequence: int | None = None
        self.one = False
        self.relative = True
        """Weights are coloured by their row's largest; otherwise from 0 to 1."""
        self.part = 0
        """Which of the opened cell's numbers is selected."""
        self._picture: Picture | None = None
        self._top = 0
        """Lines of the opened cell that stand above the heatmaps."""
        self._parts: list[int] = []

    # -- what is shown -----------------------------------------------------------------------

    def state_key(self) -> object:
        return (self.mode, self.at_layer, self.at_head, self.cell, self.sequence, self.one, self.part, self.relative)

    def _sequence(self, view: View) -> int:
        found = attention(view.trace)
        if self.sequence is not None and self.sequence < found.sequences:
            return self.sequence
        row = current_row(view)
        return row.sequence if row is not None else 0

    def build(self, view: View, width: int) -> list[Line | Late]:
        found = attention(view.trace)
        if not found.heads:
            self._picture, self._top, self._parts = None, 0, []
            return [*self._nothing(view)]
        sequence = self._sequence(view)
        height = max(8, self.size.height)
        column = self.cell[1] if self.cell else None
        key = (view.trace.index, id(found), sequence, width, height, self.one, self.at_layer, self.at_head, column)
        picture = self._picture = self.kept(key, lambda: paint(
            view, sequence, width, height, layer=self.at_layer, head=self.at_head, column=column, one=self.one
        ))  # fmt: skip
        details = self._detail_lines(view, picture, width)
        lines: list[Line | Late] = [partial(self._planned, view, picture, what, width) for what in picture.plan]
        lines += [[], *_legend(width)]
        # The opened cell stands above the heatmaps when these do not fit on the screen.
        fits = len(lines) + len(details) + picture.found.heads[self.at_layer] <= self.size.height
        query = self._query(view, picture)
        details = [
            *read_lines(view, picture, self.at_layer, self.at_head, query, width, few=not fits), *details,
        ]  # fmt: skip
        self._top = len(details) if len(picture.plan) + 9 > self.size.height else 0
        return [lines[0], *details, *lines[1:]] if self._top else [*lines, *details]

    def _nothing(self, view: View) -> list[Line]:
        found = attention(view.trace)
        if begun(view.trace):
            return empty(
                f"No attention is made yet in this {view.trace.episode_kind}.",
                ") goes on to the next position,",
                "] to the next phase.",
            )
        return empty(
            "No attention in what is recorded of this episode.",
            "Looked for: softmax rows (exp, sum, quotient) over positions, one per head,",
            "whose scores are dot products of two computed vectors, a query and a key.",
            f"Softmax rows seen: {found.candidates}. None has one weight per position seen so far."
            if found.candidates
            else "No softmax has been made yet: step on, or run one training step.",
        )

    # -- lines -------------------------------------------------------------------------------

    def _planned(self, view: View, picture: Picture, what: tuple[str, int, int, int], width: int) -> Line:
        kind, layer, first, query = what
        if kind == "title":
            return self._title_line(view, picture, width)
        if kind == "layer":
            mark = "▸" if first else "▾"
            entropies = self._entropies(view, picture, layer)
            tail = f" · mean entropy {sum(entropies) / len(entropies):.2f}" if entropies else ""
            return [
                text(f"{mark} layer {layer} · {picture.found.heads[layer]} heads{tail}", palette.DIM, bold=not first)
            ]
        row = Row()
        current = current_row(view)
        heads = (
            range(first, first + 1)
            if self.one
            else range(first, min(first + picture.across, picture.found.heads[layer]))
        )
        for place, head in enumerate(heads):
            row.pad(place * picture.block)
            chosen = (layer, head) == (self.at_layer, self.at_head)
            rows = picture.found.rows.get((picture.sequence, layer, head), [])
            if kind == "head":
                self._head_line(row, picture, layer, head, chosen)
            elif kind == "row":
                self._row_line(view, row, picture, rows, query, current, chosen)
            elif kind == "entropy":
                at = self._query(view, picture)
                value = entropy(view, rows, at)
                label = "entropy" if picture.block >= 16 else "H"
                row.put(f"   {label} " + ("–" if value is None else f"{value:.2f}"), palette.DIM)
            else:
                shares = means(view, rows, picture)
                row.put("μ  ", palette.DIM)
                marks = charts.column_bars(shares, 1.0)
                row.put("".join(c * picture.cell for c in marks), palette.DIM)
        return row.done()

    def _title_line(self, view: View, picture: Picture, width: int) -> Line:
        found = picture.found
        where = f"layer {self.at_layer} h{self.at_head}" if len(found.heads) > 1 else f"h{self.at_head}"
        scales = "[row] 0…1" if self.relative else "row [0…1]"
        choices = [("m", " ".join(f"[{m}]" if m == self.mode else m for m in MODES), self.mode)]
        if self.mode == "weight":
            choices.append(("u", f"scale {scales}", "row" if self.relative else "0…1"))
        words = [where]
        if found.sequences > 1:
            words.append(f"d: text {picture.sequence + 1}/{found.sequences}")
        if picture.shown < picture.length:
            words.append(f"keys {picture.first_key}–{picture.first_key + picture.shown - 1}")
        head = " · ".join([*words[:1], *(f"{key}: {all_of}" for key, all_of, _ in choices), *words[1:]])
        if len(head) > width:
            head = " · ".join([*words[:1], *(f"{key}: {chosen}" for key, _, chosen in choices), *words[1:]])
        line = [text(clip(head, width))]
        legend = cells.signed_legend(self._scale(view, picture))
        if self.mode == "weight":
            legend = cells.share_legend(end="its row's largest" if self.relative else "")
        gap = width - width_of(line) - width_of(legend)
        return [*line, Segment(" " * gap), *legend] if gap > 0 else line

    def _head_line(self, row: Row, picture: Picture, layer: int, head: int, chosen: bool) -> None:
        label = f"h{head}"
        row.put(label[:3].ljust(3), palette.MARK if chosen else palette.TEXT)
        for key in range(picture.first_key, picture.first_key + picture.shown):
            character = picture.characters[key] if key < len(picture.characters) else " "
            row.put(character.ljust(picture.cell)[: picture.cell], palette.DIM)

    def _row_line(
        self, view: View, row: Row, picture: Picture, rows: list[AttentionRow], query: int,
        current: AttentionRow | None, chosen: bool,
    ) -> None:  # fmt: skip
        character = picture.characters[query] if query < len(picture.characters) else " "
        here = current is not None and current.sequence == picture.sequence and current.query == query
        row.put(("▶" if here else " ") + character + " ", palette.MARK if here else palette.DIM)
        found = row_of(rows, query)
        if found is None:
            row.put(" " * (picture.shown * picture.cell), palette.FAINT)
            return
        selected = self._selected(view, picture) if chosen else None
        mark = selected[1] if selected is not None and selected[0] == query else -1
        scale = self._scale(view, picture) if self.mode != "weight" else 1.0
        if self.mode == "weight" and self.relative:
            scale = largest_weight(view, found)
        put_cells(row, view, picture, found, self.mode, scale, mark)

    # -- numbers -----------------------------------------------------------------------------

    def _scale(self, view: View, picture: Picture) -> float:
        """The largest magnitude in the whole episode, over all heads: one scale for all, steady while scrubbing."""
        trace = view.trace
        gradient = self.mode == "gradient"
        written = len(trace.target) // 4096 if gradient else -1
        rows = len(picture.found.rows)
        key = (trace.index, rows, picture.length, picture.sequence, gradient, written, trace.complete)
        return self.kept(key, lambda: largest(view, picture, gradient))

    def _query(self, view: View, picture: Picture) -> int:
        if self.cell is not None:
            return min(self.cell[0], picture.length - 1)
        current = current_row(view)
        return current.query if current is not None and current.sequence == picture.sequence else picture.length - 1

    def _selected(self, view: View, picture: Picture) -> tuple[int, int]:
        query = self._query(view, picture)
        if self.cell is not None:
            return query, min(self.cell[1], picture.length - 1)
        row = row_of(picture.found.rows.get((picture.sequence, self.at_layer, self.at_head), []), query)
        return query, min(query, row.keys.stop - 1) if row is not None else query

    def _entropies(self, view: View, picture: Picture, layer: int) -> list[float]:
        query = self._query(view, picture)
        found = [
            entropy(view, picture.found.rows.get((picture.sequence, layer, head), []), query)
            for head in range(picture.found.heads[layer])
        ]
        return [f for f in found if f is not None]

    def opened(self, view: View) -> Cell | None:
        """The selected cell with everything that made it; None while its row is not there."""
        picture = self._shown(view)
        return self._opened(view, picture) if picture is not None else None

    def _opened(self, view: View, picture: Picture) -> Cell | None:
        query, key = self._selected(view, picture)
        row = row_of(picture.found.rows.get((picture.sequence, self.at_layer, self.at_head), []), query)
        if row is None or not row.keys.start <= key < row.keys.stop:
            return None
        mark = (view.trace.index, row.softmax.first, key, view.trace.version)
        return self.kept(mark, lambda: open_cell(view.trace, row, key - row.keys.start))

    def _shown(self, view: View | None) -> Picture | None:
        """The picture of this moment; None where there is no attention."""
        if view is not None:
            self._built(view, self.content_width or 80)
        return self._picture

    def _detail_lines(self, view: View, picture: Picture, width: int) -> list[Line]:
        """The opened cell as a table of selectable numbers."""
        query, key = self._selected(view, picture)
        name = f"h{self.at_head}  {_character(picture, query)} → {_character(picture, key)}  ({query + 1} → {key + 1})"
        if len(picture.found.heads) > 1:
            name = f"layer {self.at_layer} {name}"
        cell = self._opened(view, picture)
        if cell is None:
            self._parts = []
            why = "a later position: hidden from this query" if key > query else "not made yet"
            return [[], [text(f"{name}  ", palette.ACCENT, bold=True), text(why, palette.DIM)]]
        opened = open_lines(view, width, self.part, f"{name}   x: next number, Enter: go there", cell)
        self._parts = opened.parts
        return [[], *opened.lines]

    # -- actions -----------------------------------------------------------------------------

    def action_mode(self, by: int) -> None:
        """Weight, logit, gradient."""
        self.mode = MODES[(MODES.index(self.mode) + by) % len(MODES)]
        self.restate()

    def action_head(self, by: int) -> None:
        """The next head; past the last one the next layer's first."""
        heads = self._heads()
        if heads:
            flat = [(layer, head) for layer, count in enumerate(heads) for head in range(count)]
            at = flat.index((self.at_layer, self.at_head)) if (self.at_layer, self.at_head) in flat else 0
            self.at_layer, self.at_head = flat[(at + by) % len(flat)]
            self.pinned = True
            self.restate()

    def action_layer(self, by: int) -> None:
        """The next layer."""
        heads = self._heads()
        if heads:
            self.at_layer = (self.at_layer + by) % len(heads)
            self.at_head = min(self.at_head, heads[self.at_layer] - 1)
            self.pinned = True
            self.restate()

    def action_sequence(self, by: int) -> None:
        """The next text of a batch."""
        if self.view is not None and (count := attention(self.view.trace).sequences):
            self.sequence = (self._sequence(self.view) + by) % count
            self.restate()

    def action_one(self) -> None:
        """One head large, or all."""
        self.one = not self.one
        self.restate()

    def action_scale(self) -> None:
        """Colours by each row's largest weight, or from 0 to 1."""
        self.relative = not self.relative
        self.restate()

    def action_move(self, down: int, right: int) -> None:
        """Another cell."""
        picture = self._shown(self.view)
        if self.view is None or picture is None:
            return
        query, key = self._selected(self.view, picture)
        last = max(0, picture.length - 1)
        self.cell = (min(last, max(0, query + down)), min(last, max(0, key + right)))
        self.pinned = True
        self.part = 0
        self.restate()

    def action_follow(self) -> None:
        """Follow the cursor again."""
        self.cell = self.sequence = None
        self.pinned = False
        if self.view is not None:
            self.show(self.view)

    def action_part(self, by: int) -> None:
        """Another number of the opened cell."""
        if self._parts:
            self.part = (self.part + by) % len(self._parts)
            self.restate()

    def action_go(self) -> None:
        """Go to the selected number's node."""
        if self._parts:
            self.post_message(NodeChosen(self._parts[min(self.part, len(self._parts) - 1)], follow=True))
        else:
            self.action_nothing("no number is selected: the arrows choose a cell, x one of its numbers")

    def action_ablate(self) -> None:
        """What if the head that is shown gave 0?"""
        if self._heads():
            self.post_message(CommandChosen(f"ablate head {self.at_layer} {self.at_head}"))
        else:
            self.action_nothing("no attention is shown")

    def _heads(self) -> tuple[int, ...]:
        return attention(self.view.trace).heads if self.view is not None else ()

    def on_click(self, event: events.Click) -> None:
        """A click selects a number of the opened cell, or a cell of a heatmap."""
        picture = self._shown(self.view)
        if self.view is None or picture is None:
            return
        part = event.style.meta.get("part")
        if isinstance(part, int) and part < len(self._parts):
            self.part = part
            self.restate()
            self.post_message(NodeChosen(self._parts[part]))
            return
        index = event.y + self.scroll_offset.y
        index -= self._top if index else 0
        if not 0 < index < len(picture.plan):
            return
        kind, layer, first, query = picture.plan[index]
        if kind == "layer":
            self.at_layer, self.at_head, self.pinned = layer, 0, True
        elif kind in ("row", "head"):
            place, column = divmod(event.x, picture.block)
            head = first + place
            if head >= picture.found.heads[layer] or place >= picture.across:
                return
            self.at_layer, self.at_head, self.pinned = layer, head, True
            if kind == "row" and column >= 3:
                key = picture.first_key + (column - 3) // picture.cell
                self.cell = (query, min(key, picture.length - 1))
        self.restate()

    def show(self, view: View) -> None:
        heads = attention(view.trace).heads
        if heads and (self.at_layer >= len(heads) or self.at_head >= heads[self.at_layer]):
            self.at_layer = self.at_head = 0
        if not self.pinned and (current := current_row(view)) is not None:
            self.at_layer, self.at_head = current.layer, current.head
        super().show(view)

    # -- explanation -------------------------------------------------------------------------

    def explain(self, view: View | None) -> str:
        if view is None or (cell := self.opened(view)) is None or not cell.products:
            return self.explanation
        return self.explanation + formula(view, cell)


def _legend(width: int) -> list[Line]:
    """What the signs below the heads mean."""
    words = (
        " H: entropy",
        ", 0 on one key",
        ", ln n evenly",
        " · μ: mean a key got",
        " · ▶: the cursor",
        " · “·”: not made yet",
    )
    return wrapped([text(word, palette.DIM) for word in words], width)


def _character(picture: Picture, position: int) -> str:
    return picture.characters[position] if 0 <= position < len(picture.characters) else "?"

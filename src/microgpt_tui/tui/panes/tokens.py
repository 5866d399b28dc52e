"""Tokens: the distribution over the next token, what was to come or was drawn, and what other settings would give."""

from __future__ import annotations

import math
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.recognise.missing import begun
from microgpt_tui.recognise.tokens import Distribution, Tokens, probability_values, tokens, what_if
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip, empty, text
from microgpt_tui.tui.messages import CommandChosen, NodeChosen
from microgpt_tui.tui.numbers import short
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes import charts
from microgpt_tui.tui.panes.tokens_lines import (
    at_moment,
    lens_lines,
    outcome_lines,
    script_temperature,
    stages,
    text_lines,
)

TEMPERATURES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)
TOP_PS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.1)


class TokensPane(Pane):
    """The text so far, the distribution at a position, its target or draw, a what-if beside it, and the logit lens."""

    title = "Tokens"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "order", "sorted/vocabulary"),
        Binding("left", "position(-1)", "position before", show=False),
        Binding("right", "position(1)", "position", show=False),
        Binding("down", "select(1)", "token", show=False),
        Binding("up", "select(-1)", "token before", show=False),
        Binding("u", "temperature(1)", "what-if: hotter"),
        Binding("U", "temperature(-1)", "what-if: colder", show=False),
        Binding("a", "top_k(1)", "what-if: top-k"),
        Binding("A", "top_k(-1)", "what-if: top-k less", show=False),
        Binding("p", "top_p(1)", "what-if: top-p"),
        Binding("P", "top_p(-1)", "what-if: top-p less", show=False),
        Binding("l", "lens", "logit lens"),
        Binding("enter", "go", "go there"),
        Binding("delete", "ablate", "what-if: position off", show=False),
        Binding("z", "follow", "follow, no what-if"),
    ]
    explanation = """\
# Tokens

At every position the model gives each token of the vocabulary a **logit**; softmax turns them into probabilities:

    p[i] = exp(logit[i]) / Σ exp(logit[j])

In training the position's loss is the surprise at the token that really came next, −log p[target]: 0 when it was
certain, log(V) when all V tokens were alike. In sampling the logits are first divided by the *temperature* (below
1: safer), then a random number between 0 and 1 falls somewhere on the probabilities laid end to end: the token it
falls on is chosen.

**What-if** shows beside it what another temperature, only the k likeliest tokens (*top-k*), or only the smallest
set with probability p together (*top-p*) would give. The script does not run again. The **logit lens** reads the
residual stream after each block through the script's own last projection: what would the model say if it stopped
there?
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.by_probability = True
        self.chosen_position: int | None = None
        """Index of the distribution that was chosen; None follows the cursor."""
        self.line_chosen = 0
        """Line of the selected token among the bars."""
        self.temperature: float | None = None
        self.top_k = 0
        self.top_p = 1.0
        self.show_lens = True
        self._order: list[int] = []
        self._first_bar = 0
        self._bars: tuple[int, ...] = ()

    def state_key(self) -> object:
        return (
            self.by_probability, self.chosen_position, self.line_chosen,
            self.temperature, self.top_k, self.top_p, self.show_lens,
        )  # fmt: skip

    # -- what is shown -----------------------------------------------------------------------

    def shown(self, view: View) -> tuple[Tokens, int]:
        """All tokens, and the index of the distribution that is shown (-1: none)."""
        found = tokens(view.trace)
        if not found.distributions:
            return found, -1
        if self.chosen_position is not None:
            return found, min(self.chosen_position, len(found.distributions) - 1)
        return found, at_moment(view, found)

    @property
    def is_what_if(self) -> bool:
        """Some setting of the what-if differs from the script's."""
        return self.temperature is not None or self.top_k > 0 or self.top_p < 1.0

    def build(self, view: View, width: int) -> list[Line]:
        found, at = self.shown(view)
        self._order, self._bars = [], ()
        if at < 0 and begun(view.trace):
            return empty(
                f"No distribution over tokens is made yet in this {view.trace.episode_kind}.",
                ") goes on to the next position,",
                "] to the next phase.",
            )
        if at < 0:
            return empty(
                "No distribution over tokens in what is recorded of this episode.",
                "Looked for: a softmax as long as the vocabulary, with a probability in",
                "a logarithm or a random draw; a fused cross-entropy; or the results of",
                "an output matrix with one row per token.",
            )
        d = found.distributions[at]
        lines = text_lines(view, found, at, width)
        if not self._made(view, d):
            made = sum(1 for n in d.logits if view.trace.born_at(n) <= view.event)
            lines.append([text(f"  not made yet: {made} of {found.size} logits so far", palette.DIM)])
            if made == 0:
                return lines
            return lines + self._partial_lines(view, found, d, width)
        values = probability_values(view.trace, d)
        lines += outcome_lines(view, found, d, values, width)
        lines += self._bar_lines(view, found, d, values, width)
        if self.show_lens:
            key = (view.trace.index, d.first, d.last)
            lines += lens_lines(self.kept(key, lambda: stages(view.trace, d)), found, d, width)
        return lines

    def _made(self, view: View, d: Distribution) -> bool:
        return view.trace.born_at(d.last if d.probabilities or d.loss < 0 else max(d.scaled)) <= view.event

    def _partial_lines(self, view: View, found: Tokens, d: Distribution, width: int) -> list[Line]:
        """The logits while they are being made."""
        trace = view.trace
        made = [(i, trace.data_at(n, view.event)) for i, n in enumerate(d.logits) if trace.born_at(n) <= view.event]
        largest = max((abs(v) for _, v in made), default=1.0) or 1.0
        lines: list[Line] = []
        for i, value in made:
            row = Row().put(f"  {found.vocabulary.short(i)} ").put(short(value, 9) + " ")
            row.put(
                charts.bar(abs(value) / largest, max(4, width - 20)),
                palette.NEGATIVE if value < 0 else palette.POSITIVE,
            )
            lines.append(row.done())
        return lines

    def _bar_lines(self, view: View, found: Tokens, d: Distribution, values: list[float], width: int) -> list[Line]:
        trace = view.trace
        logits = [trace.data_at(n, view.event) for n in d.logits]
        other = what_if(logits, self._temperature(view, d), self.top_k, self.top_p) if self.is_what_if else None
        order = (
            sorted(range(len(values)), key=lambda i: -values[i]) if self.by_probability else list(range(len(values)))
        )
        self._order = order
        self._bars = d.probabilities or d.scaled
        wide = width >= 76
        columns = 2 if other is None and wide else 1
        room = width // columns
        top = max([*values, *(other or [])], default=1.0) or 1.0
        lines = [self._bar_head(view, d, width, other is not None, top)]
        height = -(-len(order) // columns)
        self._first_bar = -1
        for y in range(height):
            row = Row()
            for column in range(columns):
                place = column * height + y
                if place >= len(order):
                    continue
                row.pad(column * room)
                self._bar(row, found, d, order[place], place, values, logits, other, room, top)
            lines.append(row.done())
        return lines

    def _bar_head(self, view: View, d: Distribution, width: int, compared: bool, top: float) -> Line:
        order = "by probability" if self.by_probability else "in vocabulary order"
        words = f"{order} (o) · full bar {top:.3g}"
        row = Row().put(words, palette.DIM)
        if compared:
            k = str(self.top_k) if self.top_k else "all"
            row.put(" · what-if ", palette.DIM)
            row.put(f"T={self._temperature(view, d):.4g} k={k} p={self.top_p:g}", palette.MARK)
            row.put(" (t x p, z: off)", palette.DIM)
        else:
            row.put(" · what-if: t x p", palette.FAINT)
        return row.done()

    def _bar(
        self, row: Row, found: Tokens, d: Distribution, token: int, place: int, values: list[float],
        logits: list[float], other: list[float] | None, room: int, top: float,
    ) -> None:  # fmt: skip
        chosen = place == self.line_chosen
        target = token == d.target or (d.draw is not None and token == d.draw.token)
        style = palette.MARK if chosen else palette.TEXT
        row.put("▶" if chosen else " ", style)
        wide = found.vocabulary.width
        row.put(clip(found.vocabulary.short(token), wide).ljust(wide), _HIT if target else style)
        row.put("*" if target else " ", _HIT)
        numbers = f"{values[token]:.4f} "
        long = room >= 34
        row.put(numbers, style)
        if long:
            row.put(short(logits[token], 8) + " ", palette.DIM)
        left = room - 2 - wide - len(numbers) - (9 if long else 0) - 1
        if other is None:
            row.put(charts.bar(values[token] / top, left), palette.GOOD if target else palette.DATA)
            return
        half = (left - 9) // 2
        row.put(charts.bar(values[token] / top, half), palette.GOOD if target else palette.DATA)
        row.put(f" {other[token]:.4f} ", palette.MARK if other[token] else palette.FAINT)
        row.put(charts.bar(other[token] / top, half), palette.ACCENT)

    def _temperature(self, view: View, d: Distribution) -> float:
        """The what-if's temperature; until it is set, the script's own."""
        if self.temperature is not None:
            return self.temperature
        return script_temperature(view, d) or 1.0

    # -- actions -----------------------------------------------------------------------------

    def action_order(self) -> None:
        """Sorted, or in vocabulary order."""
        self.by_probability = not self.by_probability
        self.restate()

    def action_position(self, by: int) -> None:
        """The distribution of another position."""
        if self.view is not None:
            found, at = self.shown(self.view)
            if at >= 0:
                self.chosen_position = min(len(found.distributions) - 1, max(0, at + by))
                self.restate()

    def action_select(self, by: int) -> None:
        """Another token."""
        self.line_chosen = min(max(0, len(self._order) - 1), max(0, self.line_chosen + by))
        self.restate()

    def action_temperature(self, by: int) -> None:
        """Another temperature, without running anything."""
        if self.view is None:
            return
        found, at = self.shown(self.view)
        now = self._temperature(self.view, found.distributions[at]) if at >= 0 else 1.0
        nearest = min(range(len(TEMPERATURES)), key=lambda i: abs(TEMPERATURES[i] - now))
        self.temperature = TEMPERATURES[min(len(TEMPERATURES) - 1, max(0, nearest + by))]
        self.restate()

    def action_top_k(self, by: int) -> None:
        """Only the k likeliest; 0 is all."""
        size = tokens(self.view.trace).size if self.view is not None else 0
        if size:
            self.top_k = (self.top_k + by) % size
            self.restate()

    def action_top_p(self, by: int) -> None:
        """Only the likeliest that make up p together."""
        at = TOP_PS.index(self.top_p) if self.top_p in TOP_PS else 0
        self.top_p = TOP_PS[(at + by) % len(TOP_PS)]
        self.restate()

    def action_lens(self) -> None:
        """Show the logit lens or not."""
        self.show_lens = not self.show_lens
        self.restate()

    def action_follow(self) -> None:
        """Follow the cursor; no what-if."""
        self.chosen_position = self.temperature = None
        self.top_k, self.top_p = 0, 1.0
        self.restate()

    def action_go(self) -> None:
        """Go to the selected token's probability."""
        if self._bars and self.line_chosen < len(self._order):
            self.post_message(NodeChosen(self._bars[self._order[self.line_chosen]], follow=True))
        else:
            self.action_nothing("no token is selected here")

    def action_ablate(self) -> None:
        """What if nobody looked at the position that is shown?"""
        found, at = self.shown(self.view) if self.view is not None else (None, -1)
        position = found.distributions[at].position if found is not None and at >= 0 else -1
        if position >= 0:
            self.post_message(CommandChosen(f"ablate position {position}"))
        else:
            self.action_nothing("no position is shown")

    def on_click(self, event: events.Click) -> None:
        """A click on a token of the text selects its position."""
        if self.view is None or event.y + self.scroll_offset.y:
            return
        found, at = self.shown(self.view)
        if at < 0:
            return
        own = found.distributions[at]
        start = len("text ") if len({d.sequence for d in found.distributions}) == 1 else len("text 1/2 ")
        place = event.x - start - (1 if event.x - start > own.position else 0)
        for i, d in enumerate(found.distributions):
            if d.sequence == own.sequence and d.position == place:
                self.chosen_position = i
                self.restate()

    # -- explanation -------------------------------------------------------------------------

    def explain(self, view: View | None) -> str:
        if view is None:
            return self.explanation
        found, at = self.shown(view)
        if at < 0 or not self._made(view, found.distributions[at]):
            return self.explanation
        d = found.distributions[at]
        values = probability_values(view.trace, d)
        token = d.target if d.target >= 0 else d.draw.token if d.draw is not None else -1
        if token < 0:
            return self.explanation
        scaled = [view.trace.data_at(n, view.event) for n in d.scaled]
        top = max(scaled)
        total = sum(math.exp(s - top) for s in scaled)
        lines = [
            self.explanation, "## Right now", "",
            f"Position {d.position + 1}, token {found.vocabulary.name(token)} of {found.size}:", "",
            f"    logit = {scaled[token]!r}, the largest is {top!r}",
            f"    p     = exp({scaled[token] - top:.6g}) / {total:.6g} = {values[token]!r}",
        ]  # fmt: skip
        if d.target >= 0:
            lines.append(f"    loss  = −log p = {-math.log(values[token]) if values[token] > 0 else math.inf!r}")
        elif d.draw is not None:
            lines.append(f"    the random number was {d.draw.draw!r}")
        return "\n".join(lines) + "\n"


_HIT = palette.style(palette.GOOD, True)

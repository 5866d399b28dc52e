"""The residual stream at one position: how long it is after each block, what each adds, what it would say there."""

from __future__ import annotations

import math
from typing import ClassVar

from rich.style import Style
from textual.binding import Binding, BindingType

from microgpt_tui.recognise.missing import of_residual
from microgpt_tui.recognise.predictions import Distribution, Tokens
from microgpt_tui.recognise.residual import Reading, readings
from microgpt_tui.recognise.tokens import tokens
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, Row, clip, empty, text, wrapped
from microgpt_tui.tui.messages import CommandChosen, NodeChosen
from microgpt_tui.tui.numbers import plain
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.attention_reads import percent
from microgpt_tui.tui.panes.tokens_lines import at_moment

WIDE = 92
"""From so many columns on a block is one row."""
NUMBER = 7


class ResidualPane(Pane):
    """Every block of one position: its norm, what it adds, how far it turns the stream, its logit lens."""

    title = "Residual"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "stage(-1)", "block above", show=False),
        Binding("down", "stage(1)", "block below", show=False),
        Binding("left", "position(-1)", "position before", show=False),
        Binding("right", "position(1)", "position", show=False),
        Binding("enter", "go", "go there"),
        Binding("delete", "ablate", "what-if: block off", show=False),
        Binding("z", "follow", "back to now", show=False),
    ]
    explanation = """\
# Residual

The **residual stream** is the vector that goes through the whole model at one position: it begins as the embedding, and
attention and MLP of each layer *add* a vector to it. A row is the stream after a block: its length (norm), the length
of what the block added, on the same scale, and the angle by which that turned the stream.

At the right is the **logit lens**: what the script's own last normalisation and output matrix would say if the model
stopped there. So one sees in which block the prediction comes about. The target, or what was drawn, is marked `◂`.

Up and down choose a block, left and right a position; Enter goes to where the block's result is made, `z` back to now.
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.stage = -1
        """The selected block; -1 for the last."""
        self.at: int | None = None
        """Index of the distribution whose position was chosen; None follows the cursor."""

    def state_key(self) -> object:
        return self.stage, self.at

    # -- what is shown -----------------------------------------------------------------------

    def made(self, view: View) -> list[int]:
        """The distributions that are made at the moment, by index."""
        trace = view.trace
        found = tokens(trace).distributions
        return [i for i, d in enumerate(found) if trace.born_at(d.last) <= view.event]

    def shown(self, view: View) -> tuple[Distribution, list[Reading]] | None:
        """The distribution of the position that is shown, and the stream below it; None where there is none."""
        made = self.made(view)
        if not made:
            return None
        found = tokens(view.trace)
        wanted = self.at if self.at is not None else at_moment(view, found)
        d = found.distributions[max((i for i in made if i <= wanted), default=made[0])]
        stages = self.kept((view.trace.index, d.first, d.last), lambda: readings(view.trace, d))
        return (d, stages) if stages else None

    def build(self, view: View, width: int) -> list[Line]:
        shown = self.shown(view)
        if shown is None:
            return self._nothing(view, width)
        d, stages = shown
        found = tokens(view.trace)
        name = found.vocabulary.short
        token = f" “{name(d.token)}”" if d.token >= 0 else ""
        goal = _goal(d)
        kind = "target" if d.target >= 0 else "drawn"
        words = [f" position {d.position + 1}{token}" if d.position >= 0 else " one position"]
        words += [f" · {kind} “{name(goal)}” ◂"] if goal >= 0 else []
        words.append(f" · {len(self.made(view))} of {len(found.distributions)} positions are made")
        lines: list[Line] = wrapped([text(word, palette.DIM) for word in words], width)
        chosen = self.chosen(stages)
        longest = max(max(r.stage.norm for r in stages), max(_number(r.stage.added) for r in stages), 1e-300)
        label = max(len(r.stage.label) for r in stages)
        for place, reading in enumerate(stages):
            lines += _stage_lines(reading, (label, longest, width), found, goal, chosen=place == chosen)
        sentence = _words(stages, chosen, found, goal)
        lines += [[], *wrapped([text(f" {word}") for word in sentence.split()], width - 1, 1)]
        return lines

    def _nothing(self, view: View, width: int) -> list[Line]:
        lines = empty("The residual stream at a position")
        for sentence in of_residual(view.trace, view.event):
            lines += wrapped([text(f" {word}", palette.DIM) for word in f" {sentence}.".split()], width - 2, 1)
        return lines

    def chosen(self, stages: list[Reading]) -> int:
        """Index of the selected block."""
        return self.stage if 0 <= self.stage < len(stages) else len(stages) - 1

    # -- keys --------------------------------------------------------------------------------

    def action_stage(self, by: int) -> None:
        """Another block."""
        shown = self.shown(self.view) if self.view is not None else None
        if shown is None:
            return
        at = self.chosen(shown[1]) + by
        if not 0 <= at < len(shown[1]):
            self.action_nothing("this is the last block" if by > 0 else "this is the embedding: nothing is before it")
            return
        self.stage = at
        self.restate()
        per = 1 if self.content_width >= WIDE else 2
        self.reveal(1 + at * per, 1)

    def action_position(self, by: int) -> None:
        """Another position."""
        view = self.view
        shown = self.shown(view) if view is not None else None
        if view is None or shown is None:
            return
        made, found = self.made(view), tokens(view.trace).distributions
        at = made.index(found.index(shown[0])) + by
        if not 0 <= at < len(made):
            self.action_nothing("no position after this one is made yet" if by > 0 else "this is the first position")
            return
        self.at = made[at]
        self.restate()

    def action_go(self) -> None:
        """To where the selected block's result is made."""
        shown = self.shown(self.view) if self.view is not None else None
        if shown is None:
            self.action_nothing("no block is shown")
            return
        self.post_message(NodeChosen(shown[1][self.chosen(shown[1])].stage.nodes[0], follow=True))

    def action_ablate(self) -> None:
        """What if the selected block added nothing?"""
        shown = self.shown(self.view) if self.view is not None else None
        label = shown[1][self.chosen(shown[1])].stage.label if shown is not None else ""
        if label.startswith("after "):
            self.post_message(CommandChosen(f"ablate block {label.removeprefix('after ')}"))
        else:
            self.action_nothing("no block that adds to the stream is selected")

    def action_follow(self) -> None:
        """Follow the cursor again."""
        self.at, self.stage = None, -1
        self.restate()


def _goal(d: Distribution) -> int:
    """The token that was to come, or that was drawn; -1 for none."""
    return d.target if d.target >= 0 else d.draw.token if d.draw is not None else -1


def _number(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _stage_lines(
    reading: Reading, room: tuple[int, float, int], found: Tokens, goal: int, *, chosen: bool
) -> list[Line]:
    label, longest, width = room
    stage = reading.stage
    ground = palette.HIGHLIGHT if chosen else palette.BACKGROUND

    def look(color: str, bold: bool = False) -> Style:
        return Style(color=color, bgcolor=ground, bold=bold)

    row = Row().put("› " if chosen else "  ", look(palette.ACCENT, True))
    row.put(f"{stage.label:<{label}}", look(palette.TEXT, chosen))
    wide = width >= WIDE
    bar = max(3, min(12, ((WIDE - 42) if wide else width - label - 34) // 4))
    row.put(f"  {plain(stage.norm):>{NUMBER}} ", look(palette.TEXT))
    row.put("█" * max(1, round(_number(stage.norm) / longest * bar)), look(palette.DATA))
    row.put(" " * (2 + label + 3 + NUMBER + bar - row.width), look(palette.TEXT))
    if stage.added == stage.added:
        row.put(f" + {plain(stage.added):>{NUMBER}} ", look(palette.TEXT))
        part = round(_number(stage.added) / longest * bar)
        row.put("█" * max(1, part), look(palette.PHASE_COLORS[3])).put(" " * (bar - max(1, part)), look(palette.TEXT))
        row.put(f" {angle(stage.cosine)}", look(palette.DIM))
    if not wide:
        second = Row().put("    ", look(palette.TEXT))
        _lens(second, reading, found, goal, width, look)
        return [_filled(row, width, look), _filled(second, width, look)]
    row.put(" " * (2 + label + 3 + NUMBER + bar + 4 + NUMBER + bar + 7 - row.width), look(palette.TEXT))
    _lens(row, reading, found, goal, width, look)
    return [_filled(row, width, look)]


def _filled(row: Row, width: int, look: object) -> Line:
    assert callable(look)
    return row.put(" " * max(0, width - row.width), look(palette.TEXT)).done()


def angle(cosine: float) -> str:
    """The angle to the stage before in degrees."""
    if not math.isfinite(cosine):
        return ""
    degrees = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    return "<1°" if 0 < degrees < 0.5 else f"{degrees:.0f}°"


def _lens(row: Row, reading: Reading, found: Tokens, goal: int, width: int, look: object) -> None:
    """The likeliest tokens, and the one that was to come where it is not among them."""
    assert callable(look)
    shares = reading.shares
    own = f"{found.vocabulary.short(goal)} {percent(shares[goal])} ◂" if 0 <= goal < len(shares) else ""
    row.put("→ ", look(palette.DIM))
    told = False
    for token in sorted(range(len(shares)), key=lambda i: -shares[i]):
        words = own if token == goal else f"{found.vocabulary.short(token)} {percent(shares[token])}"
        rest = 0 if told or token == goal else len(own) + 5
        if row.width + len(words) + 2 + rest > width:
            break
        row.put(f"{words}  ", look(palette.GOOD if token == goal else palette.TEXT, token == goal))
        told = told or token == goal
    if own and not told and row.width + len(own) + 2 <= width:
        row.put("… ", look(palette.DIM)).put(own, look(palette.GOOD, True))


def _words(stages: list[Reading], chosen: int, found: Tokens, goal: int) -> str:
    """About the selected block, in words."""
    reading, name = stages[chosen], found.vocabulary.short
    stage = reading.stage
    best = max(range(len(reading.shares)), key=reading.shares.__getitem__)
    if chosen == 0:
        words = f"The stream begins as the {stage.label}, a vector of length {plain(stage.norm)}."
    elif stage.scaled:
        lengths = f"{plain(stages[chosen - 1].stage.norm)} to {plain(stage.norm)}"
        words = f"Here the script normalises the stream itself: its length goes from {lengths}."
    elif stage.added == stage.added:
        before = stages[chosen - 1].stage.norm
        part = f" ({percent(stage.added / before)} of the stream before it)" if before else ""
        block = clip(stage.label.removeprefix("after "), 40)
        turn = f" and turns the stream by {angle(stage.cosine)}" if angle(stage.cosine) else ""
        words = f"{block} changes it by a vector of length {plain(stage.added)}{part}{turn}."
    else:
        words = f"The stream {stage.label} has length {plain(stage.norm)}."
    words += f" If the model stopped here it would say “{name(best)}” ({percent(reading.shares[best])})"
    if 0 <= goal < len(reading.shares) and goal != best:
        words += f"; “{name(goal)}” would get {percent(reading.shares[goal])}"
    return words + "."

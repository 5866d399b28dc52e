"""Value: one node in full: how it was made, with this moment's numbers, and how its gradient came together."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType

from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, CREATE, EVENT_NAMES, SAMPLE, ZERO
from microgpt_tui.trace.formula import Formula, formula
from microgpt_tui.trace.ledger import Contribution, ledger
from microgpt_tui.trace.names import name, place_text
from microgpt_tui.trace.trace import Site, Trace
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, clip, empty, fit, folded, signed, spread, text, wrapped
from microgpt_tui.tui.messages import CommandChosen, NodeChosen
from microgpt_tui.tui.numbers import count_of, written
from microgpt_tui.tui.pane import Late, View
from microgpt_tui.tui.panes.draw import draw_lines
from microgpt_tui.tui.panes.event import event_lines, print_lines
from microgpt_tui.tui.panes.listing import ListingPane, Target

USERS = 200
"""Users that are listed at most; what is left out is said."""


class ValuePane(ListingPane):
    """A node: data, grad so far and final, formula, operands with local gradients, users, gradient ledger."""

    title = "Value"
    explanation = """
One **node** (an instance of the script's autograd class). `data` is its number; `grad` is d(loss)/d(this
number), *so far* at this moment and *final* as far as it is recorded.

**Made by** shows the operation with names, then with numbers. `∂/∂input` is the local gradient: how much
the result moves when that input moves.

The **gradient ledger** lists every contribution in the order in which the backward pass adds them. By the
chain rule each is

    delta = local × upstream = ∂(user)/∂(this) · ∂(loss)/∂(user)

and their running sum is the grad, to the last bit. `▶` is the contribution of this very moment, `·` are
still to come.

`Up`/`Down` select an input, a user or a contribution; `Enter` follows it, `Backspace` returns; `v` writes
numbers in full.
"""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "follow"),
        Binding("v", "full", "full numbers"),
        Binding("delete", "ablate", "what-if: 0", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.full = False
        self._node: object = None
        self._current = -1

    def state_key(self) -> object:
        """How numbers are written."""
        return self.full

    def action_ablate(self) -> None:
        """What if this value were 0?"""
        if self.view is not None and self.view.node >= 0:
            self.post_message(CommandChosen(f"ablate #{self.view.node}"))
        else:
            self.action_nothing("no value is shown")

    def action_full(self) -> None:
        """Numbers in full, or short."""
        self.full = not self.full
        self.restate()

    def show(self, view: View) -> None:
        """Show another node or moment; the ledger's current line stays in sight."""
        super().show(view)
        key = (view.trace.index, view.node, view.event)
        if key != self._node:
            fresh = self._node is None or key[:2] != self._node[:2]  # type: ignore[index]  # a tuple or None
            self._node = key
            self.selected = -1
            if fresh:
                self.jump_to(0)
            if self._current >= 0:
                self.reveal(self._current, 1)

    def number(self, value: float, width: int = 0) -> str:
        """A number as the pane writes them now."""
        return written(value, width, full=self.full)

    # -- lines -------------------------------------------------------------------------------

    def build(self, view: View, width: int) -> list[Line | Late]:
        """The node's page."""
        self.targets, self._current = {}, -1
        trace, event = view.trace, view.event
        if event < 0:
            return [*empty("nothing has happened yet", "s makes the first step")]
        lines: list[Line | Late] = []
        kind = trace.kind[event]
        own_event = view.node == trace.node_of(event)
        if view.node < 0:
            if kind == SAMPLE:
                return [*draw_lines(trace, trace.row[event], width, full=self.full)]
            return [*print_lines(view, width)]
        self._head(lines, view, width)
        if own_event and kind != CREATE:
            lines += event_lines(trace, event, width, full=self.full)
        lines.append([])
        self._made(lines, view, width)
        self._ledger(lines, view, width)
        self._users(lines, view, width)
        return lines

    def _head(self, lines: list[Line | Late], view: View, width: int) -> None:
        trace, event, node = view.trace, view.event, view.node
        own = name(trace, node)
        op = trace.op_name(node)
        right = f"{trace.program.class_name} #{node:,}"
        role = "parameter" if trace.is_parameter(node) and trace.index else op
        lines.append(spread([text(own, palette.ACCENT, bold=True), text(f"  {role}", palette.DIM)], right, width))
        site = trace.site_of(node)
        born = trace.born_at(node)
        where = f"line {site.line}" if born < 0 else f"line {site.line} · event {born + 1:,}"
        place = place_text(trace, born) if born >= 0 else "made in the setup"
        lines.append([text(clip(f"{where}{' · ' + place if place else ''}", width), palette.DIM)])
        lines.append(_excerpt(trace, site, width))
        lines.append([])
        data, grad = trace.data_at(node, event), trace.grad_at(node, event)
        contributions = ledger(trace, node, event)
        adds = [c for c in contributions if c.kind != ZERO]
        done = sum(c.done for c in adds)
        final = next((c.total for c in reversed(adds)), grad)
        exact = trace.data_text(node, event) if self.full else self.number(data)
        lines.append([text("data  ", palette.DIM), signed(exact, data)])
        row: Line = [text("grad  ", palette.DIM), signed(self.number(grad), grad)]
        if adds and done < len(adds):
            row += [text(f"  so far, {done} of {len(adds)} contributions", palette.DIM)]
            row += [text("   final ", palette.DIM), signed(self.number(final), final)]
        elif adds:
            row.append(text(f"  final, {count_of(done, 'contribution')}", palette.DIM))
        elif not trace.complete:
            row.append(text("  no contribution yet", palette.FAINT))
        else:
            row.append(text("  no contribution in this episode", palette.FAINT))
        lines += wrapped(row, width, 6)

    def _made(self, lines: list[Line | Late], view: View, width: int) -> None:
        trace = view.trace
        made = formula(trace, view.node, view.event)
        if not made.operands:
            kind = "a leaf: made from no other node"
            if trace.is_parameter(view.node) and trace.index:
                kind = "a parameter: training changes it"
            elif made.op == "const":
                kind = "a plain number, wrapped into a node"
            lines.append([text(kind, palette.DIM)])
            return
        lines += folded("made by  ", made.symbols, palette.TEXT, width)
        lines += folded("         ", self._numbers(made, trace, view), palette.NEUTRAL, width)
        column = 12 if not self.full else 24
        room = max(8, width - 4 - 2 * column)
        lines.append(
            [text("    " + "input".ljust(room) + "data".rjust(column) + "∂/∂input".rjust(column), palette.FAINT)]
        )
        for operand in made.operands:
            self.targets[len(lines)] = Target(node=operand.node)
            local = "?" if operand.local != operand.local else self.number(operand.local)
            mark = " " if operand.recorded else "~"
            lines.append(
                [
                    text("  ← ", palette.FAINT),
                    text(fit(operand.name, room), palette.TEXT),
                    signed(self.number(operand.data, column), operand.data),
                    text((mark + local).rjust(column), palette.TEXT),
                ]
            )

    def _numbers(self, made: Formula, trace: Trace, view: View) -> str:
        if not self.full:
            return made.numbers
        values = [repr(o.data) if o.data >= 0 else f"({o.data!r})" for o in made.operands]
        born = trace.born_at(made.node)
        result = repr(trace.data_at(made.node, born if born >= 0 else view.event))
        return f"{result} = {made.op}({', '.join(values)})"

    def _ledger(self, lines: list[Line | Late], view: View, width: int) -> None:
        trace, event, node = view.trace, view.event, view.node
        found = ledger(trace, node, event)
        lines.append([])
        start = trace.start_grad_of(node)
        if not found:
            lines.append([text("gradient ledger ", palette.TEXT, bold=True), text("  empty", palette.FAINT)])
            users = trace.users(node)
            if users and not trace.complete:
                hint = f"  {count_of(len(users), 'user')} so far; the backward pass adds one contribution each"
                lines.append([text(hint, palette.DIM)])
            return
        columns, stacked = self._columns(width), self._stacked(width)
        title = "gradient ledger"
        head = title.ljust(columns[0] + 6)
        for label, size in zip(("local", "× upstream", "= delta", "sum"), columns[1:], strict=True):
            head += label.rjust(size) if size else ""
        if stacked:
            head = f"{title}  local × upstream = delta"
        lines.append([text(title, palette.TEXT, bold=True), text(head[len(title) :], palette.FAINT)])
        if start:
            lines.append([text("      at the start of the episode: ", palette.DIM), signed(self.number(start), start)])
        number = 0
        for contribution in found:
            number += contribution.kind != ZERO
            index = len(lines)
            if contribution.event == event:
                self._current = index
            self.targets[index] = Target(event=contribution.event, node=contribution.source, episode=trace.index)
            lines.append(partial(self._entry, trace, contribution, number, columns, contribution.event == event))
            if stacked and contribution.kind == ACCUMULATE:
                lines.append(partial(self._numbers_below, contribution))

    def _columns(self, width: int) -> tuple[int, int, int, int, int]:
        """Widths: name, local, upstream, delta, sum; where the numbers have a row of their own, of the name alone."""
        if self._stacked(width):
            return max(8, width - 6), 0, 0, 0, 0
        sizes = (10, 11, 11, 11) if width >= 62 else (9, 10, 10, 10)
        return max(6, width - 6 - sum(sizes)), *sizes

    def _stacked(self, width: int) -> bool:
        return self.full or width < 58

    def _entry(self, trace: Trace, c: Contribution, number: int, columns: tuple[int, ...], current: bool) -> Line:
        mark = "▶" if current else " " if c.done else "·"
        tone = palette.TEXT if c.done else palette.FAINT
        if c.kind == ZERO:
            line = [text(f"{mark}     ", palette.ACCENT), text(fit("set to zero", columns[0]), tone)]
            return [*line, text(self.number(c.total, sum(columns[1:])), tone)] if columns[1] else line
        from_whom = "the script itself"
        if c.source >= 0:
            from_whom = f"{name(trace, c.source)} {place_text(trace, trace.born_at(c.source))}"
        line = [
            text(mark + f"{number:>4} ", palette.ACCENT if current else palette.DIM, bold=current),
            text(fit(from_whom, columns[0]), palette.ACCENT if current else tone),
        ]
        if not columns[1] and c.kind == ACCUMULATE:
            return line
        if c.kind == ASSIGN:
            return [*line, text(" set to ".rjust(sum(columns[1:4])), palette.DIM), self._tone(c.total, columns[4], c)]
        line.append(text(("?" if c.factor != c.factor else self.number(c.factor)).rjust(columns[1]), tone))
        if not c.done:
            return [*line, text("not yet".rjust(columns[2]), palette.FAINT)]
        line.append(text(self.number(c.upstream, columns[2]), tone))
        return [*line, self._tone(c.delta, columns[3], c), self._tone(c.total, columns[4], c)]

    def _tone(self, value: float, width: int, c: Contribution) -> Segment:
        shown = self.number(value, width)
        return signed(shown, value) if c.done else text(shown, palette.FAINT)

    def _numbers_below(self, c: Contribution) -> Line:
        factor = "?" if c.factor != c.factor else self.number(c.factor)
        if not c.done:
            return [text(f"      {factor} × not yet", palette.FAINT)]
        return [
            text(f"      {factor} × {self.number(c.upstream)} = ", palette.DIM),
            signed(self.number(c.delta), c.delta),
            text("  sum ", palette.DIM),
            signed(self.number(c.total), c.total),
        ]

    def _users(self, lines: list[Line | Late], view: View, width: int) -> None:
        users = list(dict.fromkeys(view.trace.users(view.node)))
        if not users:
            return
        lines.append([])
        lines.append([text("users", bold=True), text(f"  {len(users):,} made from it", palette.DIM)])
        for user in users[:USERS]:
            self.targets[len(lines)] = Target(node=user)
            lines.append(partial(self._user, view, user, width))
        if len(users) > USERS:
            lines.append([text(f"    … {len(users) - USERS:,} more", palette.FAINT)])

    def _user(self, view: View, user: int, width: int) -> Line:
        trace, column = view.trace, 12 if not self.full else 24
        born = trace.born_at(user)
        place = place_text(trace, born) if born >= 0 else ""
        later = born > view.event
        value = trace.data_at(user, len(trace))
        whom = fit(f"{name(trace, user)} {place}", max(8, width - 4 - column))
        return [
            text("  → ", palette.FAINT),
            text(whom, palette.FAINT if later else palette.TEXT),
            text("not yet".rjust(column), palette.FAINT) if later else signed(self.number(value, column), value),
        ]

    # -- choosing ----------------------------------------------------------------------------

    def default_line(self) -> int:
        """The contribution of this moment, else the first input."""
        return self._current if self._current >= 0 else super().default_line()

    def choose(self, target: Target) -> None:
        """A contribution leads to its moment; an input or a user to where it was made."""
        if target.event >= 0 and self.view is not None and target.event == self.view.event:
            self.post_message(NodeChosen(target.node, follow=True))
        else:
            super().choose(target)

    def explain(self, view: View | None) -> str:
        """The explanation, with the formula of the node shown."""
        if view is None or view.node < 0:
            return self.explanation
        made = formula(view.trace, view.node, view.event)
        if not made.operands:
            return self.explanation
        rows = [f"    {made.symbols}", f"    {made.numbers}"]
        rows += [
            f"    ∂/∂{o.name} = {o.rule + ' = ' if o.rule else ''}{o.local:.6g}"
            for o in made.operands
            if o.local == o.local
        ]
        event = view.trace.kind[view.event]
        return f"{self.explanation}\n**Now** ({EVENT_NAMES[event]}):\n\n" + "\n".join(rows) + "\n"


def _excerpt(trace: Trace, site: Site, width: int) -> Line:
    """The source line, its sub-expression marked, moved left so that the mark is in sight."""
    content = trace.program.line_text(site.file, site.line)
    end = site.end_column if site.end_line == site.line else len(content)
    indent = len(content) - len(content.lstrip())
    room = width - 2
    left = indent if end - indent <= room else max(indent, min(site.column - 2, end - room))
    shown = content[left : left + room]
    if len(content) - left > room:
        shown = shown[: room - 1] + "…"
    a, b = max(0, site.column - left), max(0, end - left)
    mark = Style(color=palette.BRIGHT, bgcolor=palette.HERE, underline=palette.NO_COLOR)
    return [
        text("  " + ("…" + shown[1:a] if left > indent and a > 0 else shown[:a]), palette.NEUTRAL),
        Segment(shown[a:b], mark),
        text(shown[b:], palette.NEUTRAL),
    ]

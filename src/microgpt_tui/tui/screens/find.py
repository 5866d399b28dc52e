"""Find: nodes by name, operation, value, line or scope while one types; Enter goes there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from microgpt_tui.session.commands.search import found
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.trace.find import SORTS, Found, Results
from microgpt_tui.tui import palette
from microgpt_tui.tui.dialog import Dialog
from microgpt_tui.tui.numbers import short

HINT = "a name or /regex/ · op:exp · softmax · 117 · data > 0.5 and op == 'mul' · … sort -size"


class Rows(ScrollView, can_focus=True):
    """The rows of a search, of which only the visible ones are looked up."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("pageup", "move(-15)", "page up", show=False),
        Binding("pagedown", "move(15)", "page down", show=False),
        Binding("home", "move(-1000000000)", "first", show=False),
        Binding("end", "move(1000000000)", "last", show=False),
        Binding("enter", "choose", "go there"),
    ]

    class Chosen(Message):
        """A row was chosen."""

        def __init__(self, row: Found) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__(id="find-rows")
        self.rows: Sequence[Found] = ()
        self.at = 0

    def show(self, rows: Sequence[Found]) -> None:
        """Show another answer."""
        self.rows, self.at = rows, 0
        self.virtual_size = Size(self.size.width, len(rows))
        self.scroll_to(y=0, animate=False)
        self.refresh()

    def action_move(self, by: int) -> None:
        """Move the highlighted row."""
        if self.rows:
            self.at = max(0, min(len(self.rows) - 1, self.at + by))
            height = self.size.height
            if not self.scroll_offset.y <= self.at < self.scroll_offset.y + height:
                self.scroll_to(y=max(0, self.at - height // 2), animate=False)
            self.refresh()

    def action_choose(self) -> None:
        """Choose the highlighted row."""
        if self.rows:
            self.post_message(self.Chosen(self.rows[self.at]))

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        width = self.size.width
        if index >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        row = self.rows[index]
        back = palette.HIGHLIGHT if index == self.at else None
        color = palette.signed_color(row.data, 1.0)
        value = Segment(f"{short(row.data):>12}", Style(color=color, bgcolor=back))
        plain = Style(color=palette.TEXT, bgcolor=back)
        dim = Style(color=palette.DIM, bgcolor=back)
        segments = [
            Segment("▶ " if index == self.at else "  ", plain),
            Segment(f"{row.name or '#' + str(row.node):<28.28}", plain), value,
            Segment(f"  grad {short(row.grad):>10}", dim), Segment(f"  {row.op:<10}", plain),
            Segment(f"line {row.line:<5} event {row.event + 1:,}", dim),
        ]  # fmt: skip
        return Strip(segments).adjust_cell_length(width, Style(bgcolor=back)).apply_style(self.rich_style)


class FindScreen(Dialog[None]):
    """Over the panes."""

    DEFAULT_CSS = """
    #find { width: 96%; max-width: 110; height: 80%; border: round $primary; padding: 0 1; }
    #find-rows { height: 1fr; }
    #find-said { height: 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "close"),
        Binding("tab", "sort", "sort"),
    ]

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self.debugger = debugger
        self.sort = 0
        self.orders = [o for s in SORTS for o in ((s, "-" + s) if s != "event" else (s,))]

    def compose(self) -> ComposeResult:
        with Vertical(id="find"):
            yield Input(placeholder=HINT, id="find-text")
            yield Rows()
            yield Static("", id="find-said", markup=False)

    def on_mount(self) -> None:
        self.query_one("#find").border_title = "Find"
        self.query_one(Input).focus()
        self.search("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.search(event.value)

    def search(self, text: str) -> None:
        """Answer what stands in the line; a fault is said and the rows stay."""
        order = self.orders[self.sort]
        query = text if " sort " in text else f"{text} sort {order}"
        try:
            rows = found(self.debugger, query)
        except (ValueError, re.error) as error:
            self.said(str(error).splitlines()[0])
            return
        self.query_one(Rows).show(rows)
        self.said(f"{len(rows):,} found · by {order} · Tab sorts · ↓ Enter goes there · . and , walk them · Esc closes")

    def said(self, text: str) -> None:
        """The bottom line."""
        self.query_one("#find-said", Static).update(text)

    def action_sort(self) -> None:
        """The next order."""
        self.sort = (self.sort + 1) % len(self.orders)
        self.search(self.query_one(Input).value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one(Rows).action_choose()

    def key_down(self) -> None:
        """From the line into the rows."""
        if self.query_one(Input).has_focus:
            self.query_one(Rows).focus()

    @on(Rows.Chosen)
    def _chosen(self, message: Rows.Chosen) -> None:
        if not self.is_active:
            return  # chosen twice
        rows = self.query_one(Rows).rows
        episode = self.debugger.moment.episode
        events = rows.events if isinstance(rows, Results) else [r.event for r in rows]
        self.debugger.found = [Moment(episode, e) for e in events]
        self.debugger.jump(Moment(episode, message.row.event))
        self.dismiss()

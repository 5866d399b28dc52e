"""The root-cause card: a NaN, an infinity or a failing operation, and the operands that led to it."""

from __future__ import annotations

import math
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from microgpt_tui.audit.root_cause import RootCause, extreme
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.diagnosis import diagnose
from microgpt_tui.session.displays import bars
from microgpt_tui.tui import palette
from microgpt_tui.tui.dialog import Dialog
from microgpt_tui.tui.numbers import short

NOTHING = RootCause(
    "Nothing to explain", -1, 0, (), None, "No NaN, no infinity and no failing operation in this episode, so far."
)


class RootCauseScreen(Dialog[None]):
    """Over the panes: the chain from the failure back to what went extreme; Enter goes there."""

    DEFAULT_CSS = """
    #rootcause { width: 96%; max-width: 110; height: auto; max-height: 90%; border: round $error; padding: 0 1; }
    #rootcause-body { height: auto; max-height: 30; }
    #rootcause-foot { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "close"),
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("enter,g", "go", "go there"),
        Binding("a", "allow", "expect it"),
    ]

    def __init__(self, debugger: Debugger) -> None:
        super().__init__()
        self.debugger = debugger
        self.cause = diagnose(debugger) or NOTHING
        links = list(self.cause.chain)
        self.at = links.index(self.cause.origin) if self.cause.origin in links else 0

    def compose(self) -> ComposeResult:
        with Vertical(id="rootcause"):
            with VerticalScroll(id="rootcause-body", can_focus=False):
                yield Static(self.card(), id="rootcause-card")
            yield Static("↑ ↓ choose · Enter goes there · a expects such a value from now on · Esc closes",
                         id="rootcause-foot")  # fmt: skip

    def on_mount(self) -> None:
        self.query_one("#rootcause").border_title = "Root cause"

    def card(self) -> Text:
        """What failed, what is said about it, and the chain, nearest to the failure first."""
        text = Text()
        text.append(self.cause.what + "\n", style=f"bold {palette.BAD}")
        text.append(self.cause.said + "\n\n", style=palette.TEXT)
        for i, link in enumerate(self.cause.chain):
            style = f"on {palette.HIGHLIGHT}" if i == self.at else ""
            mark = "▶ " if i == self.at else "⚑ " if link is self.cause.origin else "  "
            color = palette.BAD if extreme(link.data) or not math.isfinite(link.data) else palette.TEXT
            text.append(f"{mark}{link.name:<28}", style=style)
            text.append(f" {short(link.data):>12}", style=f"{color} {style}".strip())
            where = f"line {link.line}" if link.event >= 0 else "parameter"
            text.append(f"  {link.op:<10} {where}\n", style=style or palette.DIM)
            if link.history:
                past = "  ".join(short(x) for x in link.history)
                text.append(f"    over the last {len(link.history)} steps  {bars(link.history)}  {past}\n", palette.DIM)
        return text

    def action_move(self, by: int) -> None:
        """Another link."""
        if self.cause.chain:
            self.at = max(0, min(len(self.cause.chain) - 1, self.at + by))
            self.query_one("#rootcause-card", Static).update(self.card())

    def action_go(self) -> None:
        """To the event that made the chosen value; for a parameter to the beginning of the episode."""
        if self.cause.chain:
            event = self.cause.chain[self.at].event
            self.debugger.jump(Moment(self.debugger.moment.episode, max(0, event)))
        self.dismiss()

    def action_allow(self) -> None:
        """No stop at such a value from now on: of this operation, on this line."""
        trace = self.debugger.trace
        event = self.cause.event
        node = trace.node_of(event) if trace is not None and event >= 0 else -1
        if trace is not None and node >= 0:
            condition = f"op == '{trace.op_name(node)}' and line == {self.cause.line}"
            self.debugger.breakpoints.allow(condition, trace.program)
        self.dismiss()

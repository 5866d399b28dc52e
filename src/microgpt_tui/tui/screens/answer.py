"""What a command answers when it is more than a line."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class AnswerScreen(ModalScreen[None]):
    """A page of text over the panes; Escape, Enter or ``q`` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,space", "dismiss", "close"),
        Binding("up,k", "scroll(-1)", "up", show=False),
        Binding("down,j", "scroll(1)", "down", show=False),
        Binding("pageup", "scroll(-15)", "page up", show=False),
        Binding("pagedown", "scroll(15)", "page down", show=False),
    ]

    def __init__(self, command: str, text: str) -> None:
        super().__init__()
        self._command, self._text = command, text

    def compose(self) -> ComposeResult:
        with Vertical(id="answer"):
            with VerticalScroll(id="answer-body", can_focus=False):
                yield Static(Text(self._text))
            yield Static("↑ ↓ scroll · Escape closes", id="answer-foot")

    def on_mount(self) -> None:
        self.query_one("#answer").border_title = self._command

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one("#answer-body").scroll_relative(y=by, animate=False)

"""A page over the panes: help, or what a command answers when it is more than a line."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Markdown, Static

from microgpt_tui.tui.dialog import Dialog


class PageScreen(Dialog[None]):
    """Scrolls; Escape, Enter, ``q`` or ``?`` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "close"),
        Binding("up,k", "scroll(-1)", "up", show=False),
        Binding("down,j", "scroll(1)", "down", show=False),
        Binding("pageup", "scroll(-15)", "page up", show=False),
        Binding("pagedown,space", "scroll(15)", "page down", show=False),
        Binding("home", "scroll(-100000)", "top", show=False),
        Binding("end", "scroll(100000)", "end", show=False),
    ]

    def __init__(self, title: str, text: str, *, markdown: bool = False) -> None:
        super().__init__(classes="tall" if markdown else "")
        self.heading, self.text, self.markdown = title, text, markdown

    def compose(self) -> ComposeResult:
        with Vertical(id="page"):
            with VerticalScroll(id="page-body", can_focus=False):
                yield Markdown(self.text, open_links=False) if self.markdown else Static(Content(self.text))
            yield Static("↑ ↓ scroll · Escape closes", id="page-foot")

    def on_mount(self) -> None:
        self.query_one("#page").border_title = self.heading

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one("#page-body").scroll_relative(y=by, animate=False)

"""A page over the panes: help, or what a command answers when it is more than a line."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from rich.theme import Theme
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from microgpt_tui.tui import palette
from microgpt_tui.tui.dialog import Dialog

_LOOK = Theme({
    **{f"markdown.h{level}": Style(color=palette.ACCENT, bold=True) for level in range(1, 7)},
    "markdown.h1.border": Style(color=palette.EDGE), "markdown.code": Style(color=palette.GOOD, bold=True),
    "markdown.code_block": Style(color=palette.STRING), "markdown.item.bullet": Style(color=palette.ACCENT),
    "markdown.table.border": Style(color=palette.EDGE), "markdown.table.header": Style(color=palette.DIM, bold=True),
})  # fmt: skip
"""Markdown in the palette's colours."""


def drawn(text: str, width: int, *, markdown: bool) -> list[Strip]:
    """A text as lines of that width, made once: scrolling only chooses among them."""
    console = Console(width=width, color_system="truecolor", force_terminal=True, theme=_LOOK)
    page = Markdown(text, code_theme="bw", justify="left") if markdown else Text(text)
    return [Strip(line) for line in console.render_lines(page, console.options, pad=False)]


class Page(ScrollView, can_focus=False):
    """The lines of a page."""

    def __init__(self, text: str, *, markdown: bool) -> None:
        super().__init__(id="page-body")
        self.text, self.markdown = text, markdown
        self._made: tuple[int, list[Strip]] = (0, [])

    def lines(self, width: int) -> list[Strip]:
        """The page at a width."""
        if self._made[0] != width:
            self._made = width, drawn(self.text, max(1, width - 2), markdown=self.markdown)
        return self._made[1]

    def on_resize(self) -> None:
        width = self.scrollable_content_region.width
        if width > 0:
            self.virtual_size = Size(width, len(self.lines(width)))
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self.lines(max(1, width)))

    def render_line(self, y: int) -> Strip:
        lines, index = self._made[1], y + self.scroll_offset.y
        line = lines[index] if index < len(lines) else Strip([])
        base = Style(color=palette.TEXT, bgcolor=palette.PAGE)
        return Strip([Segment(" "), *line]).adjust_cell_length(self.size.width).apply_style(base)


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
            yield Page(self.text, markdown=self.markdown)
            yield Static("↑ ↓ scroll · Escape closes", id="page-foot")

    def on_mount(self) -> None:
        self.query_one("#page").border_title = self.heading

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one("#page-body").scroll_relative(y=by, animate=False)

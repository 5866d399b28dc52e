"""A pane whose lines can be walked with a cursor; Enter acts on the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType

from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line
from microgpt_tui.tui.messages import MomentChosen, NodeChosen
from microgpt_tui.tui.pane import Pane, View


@dataclass(frozen=True, slots=True)
class Target:
    """What Enter on a line goes to: a node, or a moment."""

    node: int = -1
    event: int = -1
    episode: int | None = None
    key: str = ""
    """What else the line stands for, to its pane."""


class ListingPane(Pane):
    """Lines with targets. ``build`` fills ``targets`` (line -> target) while it makes the lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "cursor(-1)", "up", show=False),
        Binding("down", "cursor(1)", "down", show=False),
        Binding("enter", "choose", "go there"),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.targets: dict[int, Target] = {}
        self.selected = -1
        """The line under the pane's cursor, or -1."""

    def line_at(self, view: View, width: int, index: int) -> Line:
        """The line, marked when the cursor is on it."""
        line = super().line_at(view, width, index)
        if index == self.selected and self.has_focus and index in self.targets:
            return [_marked(segment) for segment in line] or line
        return line

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def default_line(self) -> int:
        """Where the cursor starts."""
        return next(iter(self.targets), -1)

    def target(self) -> Target | None:
        """What the cursor is on."""
        return self.targets.get(self.selected)

    def selected_text(self) -> str:
        """The line that the cursor is on."""
        if self.view is None or self.selected not in self.targets:
            return ""
        line = super().line_at(self.view, self.content_width, self.selected)
        return "".join(segment.text for segment in line).strip()

    def action_cursor(self, by: int) -> None:
        """Move the cursor to the next line that leads somewhere."""
        lines = sorted(self.targets)
        if not lines:
            self.scroll_relative(y=by, animate=False)
            return
        if self.selected not in self.targets:
            self.selected = self.default_line()
        else:
            at = lines.index(self.selected) + by
            self.selected = lines[max(0, min(at, len(lines) - 1))]
        self.reveal(self.selected)
        self.cursor_moved()
        self.refresh()

    def cursor_moved(self) -> None:
        """Called after the cursor has moved."""

    def action_choose(self) -> None:
        """Go where the line leads."""
        target = self.target()
        if target is not None:
            self.choose(target)
        else:
            self.action_nothing("this row leads nowhere" if self.targets else "there is no row here to go to")

    def choose(self, target: Target) -> None:
        """Act on a target: follow a node, go to a moment."""
        if target.event >= 0:
            self.post_message(MomentChosen(target.event, target.episode))
        elif target.node >= 0:
            self.post_message(NodeChosen(target.node, follow=True))

    def on_click(self, event: events.Click) -> None:
        line = event.get_content_offset(self)
        if line is None:
            return
        index = line.y + self.scroll_offset.y
        if index in self.targets:
            again = index == self.selected
            self.selected = index
            self.refresh()
            if again or event.chain > 1:
                self.action_choose()
            else:
                self.cursor_moved()


def _marked(segment: Segment) -> Segment:
    marked = Style(bgcolor=palette.HIGHLIGHT, bold=True, underline=palette.NO_COLOR)
    return Segment(segment.text, (segment.style or Style()) + marked)

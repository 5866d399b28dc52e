"""What happened, in words: the lines under the panes that tell of the event under the cursor."""

from __future__ import annotations

from textwrap import wrap

from rich.segment import Segment
from rich.style import Style
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from microgpt_tui.narrate import story
from microgpt_tui.tui import palette
from microgpt_tui.tui.pane import View


class Narration(Widget):
    """The story of the event, as far as there is room; the whole of it is in the help."""

    DEFAULT_CSS = "Narration { height: 2; background: $surface; }"

    view: reactive[View | None] = reactive(None, layout=False)

    def render_line(self, y: int) -> Strip:
        base = Style(bgcolor=palette.SURFACE)
        width, view = self.size.width, self.view
        if view is None or not 0 <= view.event < len(view.trace):
            return Strip.blank(width, base)
        told = story(view.trace, view.event)
        phase = view.trace.phase_of(view.event)
        lines = fitted(str(told), width - 3, self.size.height)
        if y >= len(lines):
            return Strip.blank(width, base)
        before = sum(len(line) + 1 for line in lines[:y])
        what = max(0, min(len(lines[y]), len(told.what) - before))
        mark = palette.PHASE_MARKS[phase] if y == 0 else " "
        segments = [
            Segment(f" {mark} ", base + Style(color=palette.PHASE_COLORS[phase], bold=True)),
            Segment(lines[y][:what], base + Style(color=palette.TEXT)),
            Segment(lines[y][what:], base + Style(color=palette.DIM)),
        ]
        return Strip(segments).adjust_cell_length(width, base)


def fitted(text: str, width: int, height: int) -> list[str]:
    """A text in at most so many lines; what is left out is marked."""
    return wrap(text, max(1, width), max_lines=height, placeholder=" …", break_on_hyphens=False)

"""The bottom line: keys that matter here and now, from the key map; in their place what there is to say."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from microgpt_tui.tui import palette
from microgpt_tui.tui.available import HasDebugger, works_now
from microgpt_tui.tui.keymap import FOOTER, keys_of
from microgpt_tui.tui.messages import CommandChosen
from microgpt_tui.tui.pane import Pane

SHOWN = {"space": "␣", "enter": "⏎", "backspace": "⌫", "up": "↑", "down": "↓", "left": "←", "right": "→", "tab": "⇥"}


@dataclass(frozen=True, slots=True)
class Hint:
    """A key and its word."""

    key: str
    word: str
    command: str
    """Empty for a key of the focused pane."""


class Footer(Widget):
    """One line of keys, most important first, as many as fit; a notice takes the line until the next key."""

    DEFAULT_CSS = "Footer { height: 1; background: $surface; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.notice = ""
        self.bad = False
        self._spans: list[tuple[int, int, str]] = []

    def say(self, notice: str, *, bad: bool = False) -> None:
        """Show a notice, or with an empty one the keys again."""
        if (notice, bad) != (self.notice, self.bad):
            self.notice, self.bad = notice, bad
            self.refresh()

    def hints(self) -> list[Hint]:
        """The four most important commands, the focused pane's own keys, and the other commands."""
        found: list[Hint] = []
        focused = self.screen.focused
        if isinstance(focused, Pane):
            for binding in focused._bindings.shown_keys:
                key = binding.key_display or SHOWN.get(binding.key, binding.key)
                found.append(Hint(key, binding.description, ""))
        found = found[:4]
        taken = {h.key for h in found}
        running = isinstance(self.screen, HasDebugger) and self.screen.debugger.running
        words = {"run": "pause"} if running else {}
        general = [
            Hint(SHOWN.get(key := keys_of(name)[0], key), words.get(name, word), name)
            for name, word in FOOTER.items() if not isinstance(self.screen, HasDebugger)
            or works_now(self.screen.debugger, name)
        ]  # fmt: skip
        return [*general[:4], *found, *(h for h in general[4:] if h.key not in taken)]

    def render_line(self, y: int) -> Strip:
        base = Style(bgcolor=palette.SURFACE)
        width = self.size.width
        self._spans = []
        if self.notice:
            color = palette.BAD if self.bad else palette.ACCENT
            content = self.notice if cell_len(self.notice) < width else self.notice[: width - 2] + "…"
            return Strip([Segment(" " + content, base + Style(color=color))]).adjust_cell_length(width, base)
        segments = [Segment(" ", base)]
        at = 1
        hints = self.hints()
        last = [h for h in hints if h.command in ("type", "help", "quit")]
        reserve = sum(cell_len(f"{h.key} {h.word}") + 2 for h in last)
        for hint in [*(h for h in hints if h not in last), *last]:
            size = cell_len(f"{hint.key} {hint.word}") + 2
            if hint in last:
                reserve -= size
            if at + size + reserve > width + 1:
                continue
            segments += [
                Segment(hint.key, base + Style(color=palette.ACCENT if hint.command else palette.GOOD, bold=True)),
                Segment(f" {hint.word}  ", base + Style(color=palette.DIM)),
            ]
            self._spans.append((at, at + size, hint.command))
            at += size
        return Strip(segments).adjust_cell_length(width, base)

    def on_click(self, event: events.Click) -> None:
        if self.notice:
            self.say("")
            return
        for begin, end, command in self._spans:
            if begin <= event.x < end and command:
                self.post_message(CommandChosen(command))

"""The ``:`` command line: completion, history."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui.messages import CommandCancelled, CommandGiven
from microgpt_tui.tui.screen_commands import completions

KEPT = 200
"""Commands that the history keeps."""


class _Completer(Suggester):
    def __init__(self, debugger: Debugger) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.debugger = debugger

    async def get_suggestion(self, value: str) -> str | None:
        found = completions(value, self.debugger) if value else []
        return found[0] if found else None


class CommandLine(Input):
    """One line at the bottom; ``Up`` and ``Down`` walk its history, ``Tab`` completes, ``Escape`` leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "leave", show=False),
        Binding("ctrl+c", "cancel", "leave", show=False, priority=True),
        Binding("up", "older", "older", show=False),
        Binding("down", "newer", "newer", show=False),
        Binding("tab", "complete", "complete", show=False),
    ]

    def __init__(self, debugger: Debugger) -> None:
        super().__init__(id="command", compact=True, suggester=_Completer(debugger), select_on_focus=False)
        self.debugger = debugger
        self.past: list[str] = []
        self._at = 0

    def start(self, text: str = "") -> None:
        """Begin a command."""
        self._at = len(self.past)
        self.value = text
        self.cursor_position = len(text)
        self.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = self.value.strip()
        if text and (not self.past or self.past[-1] != text):
            self.past.append(text)
            del self.past[:-KEPT]
        self.post_message(CommandGiven(text) if text else CommandCancelled())

    def action_cancel(self) -> None:
        """Leave without a command."""
        self.post_message(CommandCancelled())

    def action_older(self) -> None:
        """The command before."""
        self._recall(-1)

    def action_newer(self) -> None:
        """The command after."""
        self._recall(1)

    def _recall(self, by: int) -> None:
        at = self._at + by
        if 0 <= at <= len(self.past):
            self._at = at
            self.value = self.past[at] if at < len(self.past) else ""
            self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Take the longest common beginning of what it can become."""
        found = completions(self.value, self.debugger)
        if not found:
            return
        common = found[0]
        for other in found[1:]:
            while not other.startswith(common):
                common = common[:-1]
        if len(found) == 1 and not common.endswith(" "):
            common += " "
        if len(common) > len(self.value):
            self.value = common
            self.cursor_position = len(common)

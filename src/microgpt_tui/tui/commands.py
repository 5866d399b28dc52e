"""The ``:`` command line: parsing, completion, history."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

from microgpt_tui.session.commands import CommandError, complete
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui import actions
from microgpt_tui.tui.actions import Action
from microgpt_tui.tui.messages import CommandCancelled, CommandGiven

KEPT = 200
"""Commands that the history keeps."""


def parse(text: str) -> tuple[Action, str]:
    """``step 10`` -> (the step action, "10"); ``3:1200`` alone is a goto. Raises CommandError."""
    text = text.strip().removeprefix(":").strip()
    word, _, argument = text.partition(" ")
    if not word:
        raise CommandError("type a command; Tab completes it, ? lists them all")
    if word[0].isdigit():
        return actions.find("goto"), text
    action = actions.find(word)
    argument = argument.strip()
    if argument and not action.argument:
        raise CommandError(f"{action.name} takes no argument")
    return action, argument


def completions(text: str, debugger: Debugger | None = None) -> list[str]:
    """What a beginning can become, best first."""
    text = text.lstrip()
    word, space, argument = text.partition(" ")
    if not space:
        return sorted({n for a in actions.ACTIONS for n in (a.name, *a.aliases) if n.startswith(word)})
    if word in ("loop", "nextpos", "prevpos"):
        found = loop_names(debugger) if debugger is not None else []
        return [f"{word} {c}" for c in found if c.startswith(argument)]
    return complete(debugger, text) if debugger is not None else []


def loop_names(debugger: Debugger) -> list[str]:
    """Variables of the loops around the cursor, innermost first."""
    trace = debugger.trace
    if trace is None or debugger.moment.event < 0:
        return []
    path = trace.scope_path(trace.scope_of(debugger.moment.event))
    names = [n for s in reversed(path) for n in trace.program.site(trace.scope_site[s]).names]
    return list(dict.fromkeys(n for n in names if n.isidentifier()))


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

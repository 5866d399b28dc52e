"""Help: what the focused pane shows, with this moment's numbers, and every key and command of the registry."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Markdown, Static

from microgpt_tui.tui.actions import Action
from microgpt_tui.tui.pane import Pane


def keys_markdown(actions: list[Action]) -> str:
    """Every action by group: keys, command, what it does."""
    parts = []
    for group in dict.fromkeys(a.group for a in actions):
        rows = ["| key | command | |", "|---|---|---|"]
        for action in actions:
            if action.group == group:
                keys = " ".join(f"`{k}`" for k in action.keys if k != "|")
                command = f":{action.name} {action.argument}".strip()
                rows.append(f"| {keys} | `{command}` | {action.help} |")
        parts.append(f"## {group}\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def pane_keys_markdown(pane: Pane) -> str:
    """The keys that only this pane has."""
    rows = [
        f"| `{b.key_display or b.key}` | {b.description} |" for _, b in pane._bindings if b.description and not b.system
    ]
    seen = list(dict.fromkeys(rows))
    return "\n".join(["| key here | |", "|---|---|", *seen]) if seen else ""


class HelpScreen(ModalScreen[None]):
    """Over the panes; any of ``?``, Escape, ``q`` closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "close"),
        Binding("up,k", "scroll(-1)", "up", show=False),
        Binding("down,j", "scroll(1)", "down", show=False),
        Binding("pageup", "scroll(-15)", "page up", show=False),
        Binding("pagedown,space", "scroll(15)", "page down", show=False),
        Binding("home", "scroll(-100000)", "top", show=False),
        Binding("end", "scroll(100000)", "end", show=False),
    ]

    def __init__(self, title: str, explanation: str, actions: list[Action], pane_keys: str) -> None:
        super().__init__()
        self._heading = title
        self._text = (
            f"# {title}\n\n{explanation.strip()}\n\n{pane_keys}\n\n# Keys and commands\n\n"
            "Lower case goes forwards, upper case the same way backwards. Every key has a command for the `:` line; "
            "commands can be shortened as long as they are unambiguous.\n\n" + keys_markdown(actions)
        )

    def compose(self) -> ComposeResult:
        with Vertical(id="help"):
            with VerticalScroll(id="help-body", can_focus=False):
                yield Markdown(self._text, open_links=False)
            yield Static("↑ ↓ scroll · Esc or ? closes", id="help-foot")

    def on_mount(self) -> None:
        self.query_one("#help").border_title = f"Help: {self._heading}"

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one("#help-body").scroll_relative(y=by, animate=False)

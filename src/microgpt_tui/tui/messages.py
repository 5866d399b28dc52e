"""What reaches the app's one handler from elsewhere."""

from __future__ import annotations

from textual.message import Message


class ScriptSpoke(Message):
    """The script has sent something; posted by the reader thread, one at a time."""


class CommandGiven(Message):
    """A command was typed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class CommandCancelled(Message):
    """The command line was left without a command."""


class CommandChosen(Message):
    """A command was clicked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class TabChosen(Message):
    """A tab was clicked."""

    def __init__(self, name: str, panel: int) -> None:
        super().__init__()
        self.name = name
        self.panel = panel
        """Which of the right-hand panels: 0 or 1."""


class Rearranged(Message):
    """Other panes are on the screen now, or another one has the focus."""

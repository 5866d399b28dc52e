"""What reaches the app's one handler from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message


class ScriptSpoke(Message):
    """The script has sent something; posted by the reader thread, one at a time."""


@dataclass
class CommandGiven(Message):
    """A command was typed."""

    text: str


class CommandCancelled(Message):
    """The command line was left without a command."""


@dataclass
class CommandChosen(Message):
    """A command was clicked."""

    text: str


@dataclass
class NodeChosen(Message):
    """A pane asks to select a node (and, with ``follow``, to go to the event that made it)."""

    node: int
    follow: bool = False


@dataclass
class MomentChosen(Message):
    """A pane asks to move the cursor to an event, of another episode where one is named."""

    event: int
    episode: int | None = None


@dataclass
class StepChosen(Message):
    """A finished training step was chosen on the curve: other panes may show its weights."""

    step: int | None
    """Index among the finished training steps; None for the cursor's own moment."""


@dataclass
class NothingThere(Message):
    """A key of a pane leads nowhere: why."""

    why: str


@dataclass
class Asked(Message):
    """A number is asked for, or was guessed."""

    answered: bool


@dataclass
class TourStopped(Message):
    """The tour has come to a stop: which pane shows it, and the value that is spoken of."""

    pane: str
    node: int


class SharesChanged(Message):
    """An edge between panes was moved."""


class Rearranged(Message):
    """Other panes are on the screen now, or another one has the focus."""

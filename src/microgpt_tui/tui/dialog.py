"""What lies over the panes: in the middle, and closed once however often it is asked to.

Keys that were pressed before it was gone reach a screen after it is: Textual would close the one below too.
"""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen, ScreenResultType


class Dialog(ModalScreen[ScreenResultType]):
    """Base of the screens over the panes."""

    DEFAULT_CSS = "Dialog { align: center middle; }"

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close, unless that has happened."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Palette(CommandPalette):
    """Textual's own, of the registry's actions."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, unless that has happened."""
        return super().dismiss(result) if self.is_active else AwaitComplete()

"""The command palette's entries: every command."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from microgpt_tui.session.commands import Command
from microgpt_tui.tui.keymap import keys_of
from microgpt_tui.tui.screen_commands import ALL

if TYPE_CHECKING:
    from microgpt_tui.tui.app import DebuggerApp


def _title(command: Command[Any]) -> str:
    keys = ", ".join(keys_of(command.name))
    return f"{command.usage}{f'  ({keys})' if keys else ''}: {command.help}"


class PaletteCommands(Provider):
    """Every command by its name, keys and help."""

    async def discover(self) -> Hits:
        """All of them."""
        for command in ALL:
            yield DiscoveryHit(Content(_title(command)), self._choose(command), command.name)

    async def search(self, query: str) -> Hits:
        """Those that fit."""
        matcher = self.matcher(query)
        for command in ALL:
            title = _title(command)
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, Content(title), self._choose(command), title)

    def _choose(self, command: Command[Any]) -> partial[None]:
        return partial(cast("DebuggerApp", self.app).perform, command)

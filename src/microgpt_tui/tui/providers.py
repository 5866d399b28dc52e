"""The command palette's entries: the registry's actions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from microgpt_tui.tui.actions import ACTIONS, Action

if TYPE_CHECKING:
    from microgpt_tui.tui.app import DebuggerApp


class RegistryCommands(Provider):
    """Every action by its name, label and help."""

    @property
    def _desk(self) -> DebuggerApp:
        return cast("DebuggerApp", self.app)

    def _title(self, action: Action) -> str:
        keys = f"  ({', '.join(action.keys)})" if action.keys else ""
        return f"{action.name}{' ' + action.argument if action.argument else ''}{keys}: {action.help}"

    def _choose(self, action: Action) -> None:
        if action.argument and not action.argument.startswith("["):
            self._desk.open("command", action.name + " ")
        else:
            self._desk.perform(action)

    async def discover(self) -> Hits:
        """All of them."""
        for action in ACTIONS:
            yield DiscoveryHit(Content(self._title(action)), partial(self._choose, action), action.name)

    async def search(self, query: str) -> Hits:
        """Those that fit."""
        matcher = self.matcher(query)
        for action in ACTIONS:
            title = self._title(action)
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, Content(title), partial(self._choose, action), title)

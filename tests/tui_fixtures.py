"""A small session under the screen: three training steps of a tiny model on a fixed corpus, two samples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from textual.pilot import Pilot

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.app import DebuggerApp
from microgpt_tui.tui.command_line import CommandLine
from microgpt_tui.tui.pane import Pane

SCRIPT = Path(__file__).parents[1] / "src/microgpt_tui/programs/microgpt.py"
SMALL = {
    "n_embd": "4", "n_head": "2", "block_size": "4", "num_steps": "3", "num_samples": "2",
}  # fmt: skip


def small_launch(folder: Path, script: Path = SCRIPT, **overrides: str) -> Launch:
    """The bundled GPT made tiny, on six names."""
    corpus = folder / "corpus.txt"
    corpus.write_text("ada\nbob\ncleo\ndora\neve\nfay\n")
    settings = {**SMALL, **overrides} if script == SCRIPT else overrides
    return Launch(script, data=corpus, overrides=settings)


class Screen:
    """What a person does and sees."""

    def __init__(self, app: DebuggerApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot
        self.debugger = app.debugger

    async def press(self, *keys: str) -> None:
        """Press keys and wait until the script stands still again."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        """Wait for the script's stop and for the repaint after it."""
        for _ in range(2):  # a key travels through the focused widget before the app hears of it
            await self.pilot.pause(0)
        until = monotonic() + 20
        while monotonic() < until:
            await self.pilot.pause(0)
            if not self.debugger.running and not self.app.busy:
                break
            await asyncio.sleep(0.005)
        else:
            raise TimeoutError(f"the script still runs: {self.debugger.history.stop}, {self.app._pending}")
        await self.pilot.pause(0)
        await self.pilot.pause(0)

    async def command(self, text: str) -> None:
        """Type a ``:`` command."""
        await self.pilot.press("colon")
        line = self.app.query_one(CommandLine)
        line.value = text
        await self.press("enter")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what comes after keys that were held back until the command line had opened."""
        until = monotonic() + 20
        while not condition():
            assert monotonic() < until, "it never came"
            await self.pilot.pause(0.02)
            await self.settle()

    @property
    def event(self) -> int:
        return self.debugger.moment.event

    @property
    def status(self) -> str:
        """The status line as text."""
        return "".join(s.text for s in self.app.main.status.render_line(0))

    @property
    def bottom(self) -> str:
        """The footer as text: keys, or what there is to say."""
        return "".join(s.text for s in self.app.main.footer.render_line(0))

    def _pane(self, name: str) -> Pane:
        return next(p for p in self.app.screen_stack[0].query(f".pane-{name}").results(Pane) if p.view is not None)

    def page(self, pane: str) -> str:
        """All lines of a pane, those that are scrolled away too."""
        found = self._pane(pane)
        width = found.content_width
        lines = [found.line_at(found.view, width, i) for i in range(found.line_count(found.view, width))]
        return "\n".join("".join(s.text for s in line) for line in lines)

    def text(self, pane: str) -> str:
        """What a pane shows now, line by line."""
        found = self._pane(pane)
        return "\n".join("".join(s.text for s in found.render_line(y)).rstrip() for y in range(found.size.height))


@asynccontextmanager
async def opened(
    launch: Launch, size: tuple[int, int] = (120, 40), *, hint: bool = False, remember: Path | None = None
) -> AsyncIterator[Screen]:
    """The screen on a script that has come to its first stop."""
    debugger = Debugger(launch)
    try:
        debugger.wait()
        app = DebuggerApp(debugger, hint=hint, remember=remember)
        async with app.run_test(size=size) as pilot:
            screen = Screen(app, pilot)
            await screen.settle()
            yield screen
    finally:
        debugger.close()

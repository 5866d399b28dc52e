"""Makes the screenshots of the README and the docs from the real app: `python docs/screenshots.py [NAME ...]`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.app import DebuggerApp

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "src/microgpt_tui/programs/microgpt.py"
WIDE, STANDARD = (120, 40), (80, 24)


@dataclass(frozen=True)
class Shot:
    """A moment, and the keys to press there."""

    name: str
    steps: int
    """Training steps to record whole before the picture."""
    event: int
    """Where to go in the last of them, from 0; negative counts from the end."""
    keys: tuple[str, ...] = ()
    size: tuple[int, int] = WIDE
    free: int = 0
    """Training steps to run freely before."""


SHOTS = [
    Shot("forward", 1, 30_000, ("4",)),
    Shot("backward", 1, 81_203, ("4",)),
    Shot("graph", 1, 81_203, ("5",)),
    Shot("map", 1, 120_000, ("5", "l")),
    Shot("residual", 1, 51_000, ("R",)),
    Shot("attention", 1, 51_000, ("6",)),
    Shot("tokens", 1, 56_000, ("7",)),
    Shot("weights", 1, -1, ("8",), free=60),
    Shot("training", 1, -1, ("9",), free=60),
    Shot("output", 1, -1, ("0",), free=60),
    Shot("backward-80x24", 1, 81_203, ("4",), STANDARD),
    Shot("attention-80x24", 1, 51_000, ("6",), STANDARD),
    Shot("help", 1, 81_203, ("4", "question_mark")),
]


async def take(shot: Shot) -> None:
    """Open the app on the bundled GPT, go to the moment, press the keys, save the screen as SVG."""
    debugger = Debugger(Launch(BUNDLED, private_folder=True))
    debugger.wait()
    if shot.free:
        debugger.run_to("step", shot.free + 1)
        debugger.wait()
    for _ in range(shot.steps):
        debugger.next_episode()
        debugger.wait()
    recorded = [t for t in debugger.history.traces.values() if t.episode_kind == "step" and t.complete]
    trace = recorded[-1]
    debugger.goto(shot.event if shot.event >= 0 else len(trace) + shot.event, trace.index)
    app = DebuggerApp(debugger, hint=False)
    try:
        async with app.run_test(size=shot.size) as pilot:
            await pilot.pause()
            await pilot.press(*shot.keys)
            await pilot.pause(0.3)
            target = ROOT / "docs/screens" / f"{shot.name}.svg"
            target.write_text(app.export_screenshot(title="microgpt-tui"))
            print(target.relative_to(ROOT))
    finally:
        debugger.close()


if __name__ == "__main__":
    wanted = sys.argv[1:]
    for shot in SHOTS:
        if not wanted or shot.name in wanted:
            asyncio.run(take(shot))

"""The screen as a picture: of the running app, or of an app that no terminal has seen."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from textual.app import App

from microgpt_tui.graph.files import ExportError, Written, write_whole
from microgpt_tui.session.debugger import Debugger

SETTLES = 0.3
"""Seconds that the screen is given after the last key."""


def screen_svg(app: App[Any]) -> str:
    """What is on screen as SVG, in whichever monospaced font is there: it asks no server for one."""
    text = app.export_screenshot(title="microgpt-tui")
    return re.sub(r"@font-face\s*\{[^}]*\}", "", text).replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")


def write_screen(debugger: Debugger, path: Path, form: str, size: str, keys: str, *, overwrite: bool) -> Written:
    """What the screen shows where a debugger's cursor is, after some keys (``5 v``), as a file. Raises ExportError."""
    if (form or path.suffix.lstrip(".").lower()) != "svg":
        raise ExportError("a screen cannot be written as that: write it as .svg")
    measures = re.fullmatch(r"(\d+)x(\d+)", size)
    if measures is None or not (40 <= int(measures[1]) <= 400 and 12 <= int(measures[2]) <= 200):
        raise ExportError(f"--screen {size}: no size of a terminal. Write COLSxROWS, such as 120x40.")
    text = asyncio.run(_taken(debugger, (int(measures[1]), int(measures[2])), keys.split()))
    return Written(path, write_whole(path, [text.encode()], overwrite=overwrite))


async def _taken(debugger: Debugger, size: tuple[int, int], keys: list[str]) -> str:
    from microgpt_tui.tui.app import DebuggerApp  # which needs us for its export dialog

    app = DebuggerApp(debugger, hint=False)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
        await pilot.pause(SETTLES)
        return screen_svg(app)

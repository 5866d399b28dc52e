"""Makes the recorded tour, `docs/screens/tour.svg`, from the real app: `python docs/tour.py`.

One frame for each stop of `:tour` on the bundled GPT; the picture plays by itself in a browser and on a README.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.app import DebuggerApp
from microgpt_tui.tui.screenshot import screen_svg

ROOT = Path(__file__).resolve().parents[1]
BUNDLED = ROOT / "src/microgpt_tui/programs/microgpt.py"
TARGET = ROOT / "docs/screens/tour.svg"
SIZE = (100, 30)
SECONDS = 5.0
"""A frame's share of the time: as long as its sentence takes to read."""


async def frames() -> list[str]:
    """The screen at every stop, as SVG."""
    debugger = Debugger(Launch(BUNDLED, private_folder=True, overrides={"num_steps": "40"}))  # the sample soon
    debugger.wait()
    app = DebuggerApp(debugger, hint=False)
    found = []
    try:
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            await pilot.press("t")
            number, before = 0, ""
            while not debugger.tour.shown:
                await pilot.pause(0.05)
            while debugger.tour.shown:
                while debugger.running or app.busy:
                    await pilot.pause(0.05)
                await pilot.pause(0.4)
                title = debugger.tour.title(debugger)
                if title == before:
                    break
                before, number = title, number + 1
                found.append(screen_svg(app))
                print(number, title)
                await pilot.press("enter")
    finally:
        debugger.close()
    return found


def animated(pictures: list[str]) -> str:
    """One SVG that shows the pictures one after the other, for ever."""
    count, whole = len(pictures), SECONDS * len(pictures)
    opening = re.search(r'viewBox="([^"]+)"', pictures[0])
    assert opening is not None
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{opening[1]}" role="img">',
        "<title>A guided tour through one training step of a GPT</title>",
        f"<style>.tour {{ visibility: hidden; animation: tour {whole}s steps(1) infinite; }}"
        f"@keyframes tour {{ 0% {{ visibility: visible; }} {100 / count:.4f}% {{ visibility: hidden; }} }}</style>",
    ]
    for number, picture in enumerate(pictures):
        inner = re.sub(r"<!--.*?-->", "", picture, flags=re.DOTALL)
        inner = re.sub(r"terminal-\d+", f"t{number}", inner)
        parts.append(f'<g class="tour" style="animation-delay: {number * SECONDS}s">{inner}</g>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    TARGET.write_text(animated(asyncio.run(frames())), encoding="utf-8")
    print(TARGET.relative_to(ROOT), f"{TARGET.stat().st_size:,} bytes")

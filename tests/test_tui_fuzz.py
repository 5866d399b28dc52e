"""Random keys, clicks and commands: whatever a hand does, the screen stays up.

A seed is a whole run: what fails, fails again. ``FUZZ=20000`` presses so many in all, ``FUZZ_SEED`` begins elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest
from textual import events
from textual.keys import _character_to_key
from tui_fixtures import Screen, opened, small_launch

from microgpt_tui.tui.keymap import KEYS as BOUND

SIZES = [(80, 24), (120, 40), (200, 55)]
PRESSES = int(os.environ.get("FUZZ", "360"))
RUNS = max(3, PRESSES // 1000)
FIRST = int(os.environ.get("FUZZ_SEED", "0"))
PATIENCE = 20
"""Seconds for one thing: a screen that does not answer is down too."""

LEAVING = ("q", "ctrl+q", "ctrl+c", "!")
"""What ends the session, or copies or signals where another thing is meant."""
KEYS = [
    *(k for k in BOUND if k not in LEAVING),
    *"abdefhlmoptvxzADGHLMPTX", "up", "down", "left", "right", "home", "end", "pageup", "pagedown",
    *["enter"] * 8, *["escape"] * 6, "backspace", "delete", "tab", "shift+tab", "ctrl+s",
]  # fmt: skip
COMMANDS = [
    "restart", "goto 1:50", "goto sample 1", "goto 2:end", "goto 1:end", "goto setup", "break op:exp", "break 120",
    "continue", "find wte", "find", "rootcause", "check", "step 20", "back 7", "watch wte[0][0]", "display loss",
    "full", "set wte[0][0] = 0.5", "delete 1", "nonsense", "goto 99:1", "loop h", "until 100", "export", "explain",
    "forward",
]  # fmt: skip
WORDS = ["exp", "/w.e/", "line 100", "data > 0 and op == 'mul'", "wte[0][1]", "(", "loss", "9e9", "op:", "1:20", "[/]"]


def next_thing(screen: Screen, chance: random.Random) -> tuple[int, int] | list[str]:
    """A place to click, or keys to press."""
    kind = chance.random()
    if kind < 0.12:
        size = screen.app.size
        return chance.randrange(size.width), chance.randrange(size.height)
    if kind < 0.17 and len(screen.app.screen_stack) == 1:
        return [":", *chance.choice(COMMANDS), "enter"]
    if kind < 0.21:
        return [chance.choice(("/", "g", "B", "ctrl+p")), *chance.choice(WORDS), "enter", "enter"]
    return [chance.choice(KEYS)] * chance.choice((1, 1, 1, 2, 5))


async def do(screen: Screen, thing: tuple[int, int] | list[str]) -> None:
    """Do it, and wait for the script's next stop."""
    if isinstance(thing, tuple):
        await screen.pilot.click(offset=thing)
    else:  # faster than the screen can follow
        for key in thing:
            name = key if len(key) > 1 else _character_to_key(key)
            screen.app.post_message(events.Key(name, key if len(key) == 1 else None))
    await screen.settle()


@pytest.mark.parametrize("run", range(RUNS))
async def test_no_key_ends_the_session(run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where an export goes
    chance = random.Random(FIRST + run)
    done: list[tuple[int, int] | list[str]] = []
    try:
        async with opened(small_launch(tmp_path), SIZES[run % len(SIZES)]) as screen:
            for _ in range(PRESSES // RUNS):
                if screen.app.return_value == 0:  # the palette has an entry that quits
                    return
                done.append(next_thing(screen, chance))
                await asyncio.wait_for(do(screen, done[-1]), PATIENCE)
    except BaseException as error:
        error.add_note(f"seed {FIRST + run}, the last of {len(done)}: {done[-12:]}")
        raise

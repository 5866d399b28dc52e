"""Keys: each means one thing, whichever pane has the focus; one that leads nowhere says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import opened, small_launch

from microgpt_tui.tui.keymap import KEYS, PANE_KEYS, textual_name
from microgpt_tui.tui.pane import own_keys
from microgpt_tui.tui.panels import LEFT, RIGHT, pane_class
from microgpt_tui.tui.reference import pane_keys_table

NAMES = tuple(name for name, *_ in (*LEFT, *RIGHT))
ALSO_GLOBAL = {"backspace"}
"""Means the same there: back to where one came from."""
SAME = {"equals_sign": "plus"}
"""On the key without shift."""


@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_a_pane_is_in_the_one_table_and_means_nothing_else_elsewhere(name: str) -> None:
    commands = {textual_name(key) for key in KEYS} - ALSO_GLOBAL
    for key in own_keys(pane_class(name)):
        assert key not in commands, f"{key} is {KEYS.get(key)} everywhere else"
        low = key.lower() if len(key) == 1 and key not in PANE_KEYS else key
        assert SAME.get(low, low) in PANE_KEYS, key


def test_help_lists_every_key_of_every_pane_from_that_table() -> None:
    table = pane_keys_table()
    for meaning in PANE_KEYS.values():
        assert meaning in table


async def test_a_key_that_means_nothing_says_so_and_so_does_one_that_leads_nowhere(tmp_path: Path) -> None:
    async with opened(small_launch(tmp_path)) as screen:
        await screen.press("4", "tilde")
        assert "~ does nothing here" in screen.bottom or "tilde does nothing here" in screen.bottom
        await screen.press("left")
        assert "nothing lies beside this" in screen.bottom
        await screen.press("9", "enter")
        assert "no training step is over yet" in screen.bottom
        await screen.press("s")
        assert "nothing" not in screen.bottom

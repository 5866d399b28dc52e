"""Every pane at every phase in four sizes, with colours and without: nothing cut without a sign, nothing blank.

A word or a number at a pane's right edge is cut where a wider pane has a longer one that begins so, and not this one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_tui_themes import faint
from tui_fixtures import Screen, opened, small_launch

from microgpt_tui.protocol.codes import PHASE_NAMES
from microgpt_tui.tui import palette
from microgpt_tui.tui.pane import Pane
from microgpt_tui.tui.panels import LEFT, RIGHT, pane_class
from microgpt_tui.tui.panes import cells

SIZES = [(80, 24), (100, 30), (120, 40), (200, 55)]
PHASES = ["setup:1", "1:40", "1:backward", "1:update", "2:end", "sample 1:20", "sample 1:end"]
PANES = [name for name, *_ in (*LEFT, *RIGHT)]
VERY_WIDE = 600


def lines_of(pane: Pane) -> list[str]:
    """What is on the screen of a pane."""
    return [pane.render_line(y).text for y in range(pane.size.height)]


def wide_words(screen: Screen, name: str, pane: Pane) -> set[str]:
    """The words and numbers of the same pane where there is room for all of them."""
    assert pane.view is not None
    other = pane_class(name)()
    other.view = pane.view
    found: set[str] = set()
    for key, value in vars(pane).items():  # its own choices: mode, selection, what was scrolled to
        if isinstance(value, (bool, int, float, str, frozenset, type(None))) and not key.startswith("_"):
            try:
                setattr(other, key, value)
            except AttributeError:
                continue
    for index in range(min(400, other.line_count(pane.view, VERY_WIDE))):
        line = "".join(s.text for s in other.line_at(pane.view, VERY_WIDE, index))
        found.update(line.split())
    assert found, name
    return found


def cut(lines: list[str], width: int, whole: set[str]) -> list[str]:
    """Words at the right edge that are the beginning of a longer one."""
    found = []
    for line in lines:
        text = line[:width]
        if len(text.rstrip()) < width or text[-1] == "…":
            continue
        last = text.split()[-1]
        if not re.search(r"[\w.]{2}$", last) or last in whole:
            continue
        if any(word.startswith(last) and len(word) > len(last) for word in whole):
            found.append(line)
    return found


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("colour", [True, False], ids=["colour", "NO_COLOR"])
async def test_every_pane_at_every_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], colour: bool
) -> None:
    if not colour:
        monkeypatch.setattr(palette, "NO_COLOR", True)
        monkeypatch.setenv("NO_COLOR", "1")
    caches = (cells._share, cells._signed, cells.signed_cells)
    for cache in caches:
        cache.cache_clear()
    wrong: list[str] = []
    phases = set()
    try:
        async with opened(small_launch(tmp_path), size) as screen:
            for moment in PHASES:
                await screen.command(f"goto {moment}")
                phases.add(screen.debugger.trace.phase_of(screen.event))
                for name, key, *_ in (*LEFT, *RIGHT):
                    await screen.press(key)
                    wrong += [f"{moment} {name}: {what}" for what in looked_at(screen, name, colour)]
    finally:
        for cache in caches:
            cache.cache_clear()
    assert phases == set(range(len(PHASE_NAMES)))
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def looked_at(screen: Screen, name: str, colour: bool) -> list[str]:
    """What is wrong with the pane that has the focus."""
    pane = screen.app.screen_stack[0].focused
    assert isinstance(pane, Pane)
    assert pane.has_class(f"pane-{name}")
    assert pane.view is not None
    lines = lines_of(pane)
    wrong = []
    if not any(re.search(r"\w{2}", line) for line in lines):
        wrong.append("nothing is said")
    wrong += [f"cut: {line!r}" for line in cut(lines, pane.content_width, wide_words(screen, name, pane))]
    wrong += [f"wider than its pane: {line!r}" for line in lines if len(line) > pane.size.width]
    if colour:
        wrong += [f"faint: {text}" for text in faint(screen)]
    else:
        wrong += [f"a colour: {text!r}" for text in coloured(screen)]
    return wrong


def coloured(screen: Screen) -> list[str]:
    """What is written in a colour that is no shade of grey."""
    found = []
    for strip in screen.app.screen._compositor.render_strips():
        for text, style, _ in strip:
            for color in (style.color, style.bgcolor) if style is not None else ():
                if color is not None and len(set(color.get_truecolor())) > 1:
                    found.append(text)
    return found


async def test_magnitudes_and_signs_are_characters_without_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(palette, "NO_COLOR", True)
    for cache in (cells._share, cells._signed, cells.signed_cells):
        cache.cache_clear()
    try:
        async with opened(small_launch(tmp_path), (120, 40)) as screen:
            await screen.command("goto 2:end")
            await screen.press("6")
            assert "█" in screen.text("attention")
            await screen.press("8")
            text = screen.text("weights")
            assert len(set(text) & set(palette.SHADES)) >= 3
            assert "+" in text
            assert "-" in text
    finally:
        for cache in (cells._share, cells._signed, cells.signed_cells):
            cache.cache_clear()


def test_a_cut_word_and_a_shortened_number_are_found() -> None:
    whole = {"tokens", "-3.4125", "0.1"}
    assert cut(["some toke"], 9, whole) == ["some toke"]
    assert cut(["some -3.41"], 10, whole) == ["some -3.41"]
    assert cut(["some tok…", "and 0.1", "more to go"], 9, whole) == []

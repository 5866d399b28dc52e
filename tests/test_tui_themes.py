"""Themes: what is read can be read, in each of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from tui_fixtures import Screen, opened, small_launch

from microgpt_tui.session.process import Launch
from microgpt_tui.tui import palette
from microgpt_tui.tui.themes import LEAST, LOOKS, Readable, contrast, is_read, luminance, readable


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


def faint(screen: Screen) -> list[tuple[str, str, str, float]]:
    """(text, its colour, its background, contrast) of what is on the screen and cannot be read well."""
    found = []
    for strip in screen.app.screen._compositor.render_strips():
        for text, style, _ in strip:
            if style is None or style.color is None or style.bgcolor is None or not is_read(text):
                continue
            ink, paper = (c.get_truecolor().hex for c in (style.color, style.bgcolor))
            if contrast(ink, paper) < LEAST - 0.01:
                found.append((text.strip(), ink, paper, round(contrast(ink, paper), 2)))
    return found


@pytest.mark.parametrize("theme", LOOKS)
async def test_every_text_has_enough_contrast(launch: Launch, theme: str) -> None:
    async with opened(launch, (160, 40)) as screen:
        await screen.command(f"theme {theme}")
        for keys in ("s", "]", "4", "5", "6", "7", "8", "9", "0", "3", "down", "1", "down"):
            await screen.press({"]": "right_square_bracket"}.get(keys, keys))
            assert not faint(screen), keys


async def test_a_theme_changes_what_the_panes_draw_and_what_textual_draws(launch: Launch) -> None:
    async with opened(launch) as screen:

        def papers() -> set[bool]:
            strips = screen.app.screen._compositor.render_strips()
            styles = [s.style for strip in strips for s in strip if s.style is not None]
            colors = [s.bgcolor.get_truecolor().hex for s in styles if s.bgcolor is not None]
            return {luminance(c) > 0.5 for c in colors[:40] + colors[-40:]}

        assert papers() == {False}
        await screen.command("theme light")
        assert papers() == {True}
        await screen.command("theme blue")
        assert "no theme 'blue': dark, light, projector" in screen.bottom
        assert screen.app.theme == "light"


async def test_without_an_argument_textual_offers_our_themes(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("theme")
        assert type(screen.app.screen).__name__ == "CommandPalette"
        assert set(screen.app.available_themes) == set(LOOKS)


def test_a_text_that_is_too_faint_becomes_readable_and_a_drawing_is_left_alone() -> None:
    clear = Readable()
    style = Style(color="#2f3340", bgcolor="#12151c")
    word, bar = clear.apply([Segment("word", style), Segment("█▌", style)], Color.parse("#12151c"))
    assert word.style is not None
    assert word.style.color is not None
    assert contrast(word.style.color.get_truecolor().hex, "#12151c") >= 4.5
    assert bar.style == style


@pytest.mark.parametrize("back", ["#000000", "#ffffff", "#808080", palette.HIGHLIGHT, palette.HERE])
def test_readable_goes_as_little_as_it_must(back: str) -> None:
    assert readable("#ffffff", "#000000") == "#ffffff"
    assert contrast(readable(back, back), back) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_no_colour_of_a_theme_is_the_name_of_another() -> None:
    for look in LOOKS.values():
        chained = set(look.colors.values()) & set(look.colors)
        assert not {c for c in chained if look.colors[c] != c}

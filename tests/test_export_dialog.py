"""The export dialog, by its keys: it draws what is shown, and what its fields say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_graph_pane import Host, debugger, named, ready, step, view_of
from textual.pilot import Pilot
from textual.widgets import Button, Input, Select, Static

from microgpt_tui.graph import engines
from microgpt_tui.graph.addresses import address
from microgpt_tui.graph.levels import Level
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.trace.trace import Trace
from microgpt_tui.tui.screens.export import ExportScreen

__all__ = ["debugger", "step"]
"""Fixtures."""


async def until_done(pilot: Pilot[None], dialog: ExportScreen) -> str:
    for _ in range(100):
        await pilot.pause(0.05)
        if not dialog.busy:
            break
    return str(dialog.query_one("#said", Static).render())


async def test_the_dialog_says_what_will_be_drawn_and_where_it_went(
    debugger: Debugger, step: Trace, tmp_path: Path
) -> None:
    if not engines.engines():
        pytest.skip("no Graphviz here")
    view = view_of(debugger, step, len(step) - 1, named(step, "attn_logits[1]"))
    app = Host(view)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(pilot)
        dialog = ExportScreen(view, app.export_screenshot(), tmp_path)
        app.push_screen(dialog)
        for _ in range(40):
            await pilot.pause(0.05)
            if plan := str(dialog.query_one("#plan", Static).render()):
                break
        assert "attn_logits[1]" in plan
        assert "boxes" in plan
        assert "Graphviz" in plan
        await pilot.press("ctrl+s")
        assert "Wrote" in await until_done(pilot, dialog)
        assert (tmp_path / "microgpt-cone.svg").read_text().startswith("<svg")
        await pilot.press("ctrl+s")
        assert "exists already. Overwrite it?" in await until_done(pilot, dialog)
        before = (tmp_path / "microgpt-cone.svg").stat().st_mtime_ns
        dialog.query_one("#overwrite", Button).press()
        await pilot.pause()
        assert "Wrote" in await until_done(pilot, dialog)
        assert (tmp_path / "microgpt-cone.svg").stat().st_mtime_ns > before
        await pilot.press("escape")
        await ready(pilot)
        assert not isinstance(app.screen, ExportScreen)


async def test_the_screen_itself_can_be_exported(debugger: Debugger, step: Trace, tmp_path: Path) -> None:
    view = view_of(debugger, step, len(step) - 1, named(step, "attn_logits[1]"))
    app = Host(view)
    async with app.run_test(size=(100, 30)) as pilot:
        await ready(pilot)
        dialog = ExportScreen(view, app.export_screenshot(), tmp_path)
        app.push_screen(dialog)
        await ready(pilot)
        dialog.query_one("#what", Select).value = "screen"
        await ready(pilot)
        await pilot.press("ctrl+s")
        assert "Wrote" in await until_done(pilot, dialog)
        assert "attn_logits" in (tmp_path / "microgpt-screen.svg").read_text()


async def planned(pilot: Pilot[None], dialog: ExportScreen, word: str) -> str:
    """What the dialog says it will draw, once that has a word in it."""
    plan = ""
    for _ in range(100):
        await pilot.pause(0.05)
        if word in (plan := str(dialog.query_one("#plan", Static).render())):
            break
    return plan


async def test_the_dialog_draws_what_the_pane_shows(debugger: Debugger, step: Trace, tmp_path: Path) -> None:
    view = view_of(debugger, step, len(step) - 1, named(step, "attn_logits[1]"))
    app = Host(view)
    async with app.run_test(size=(120, 50)) as pilot:
        await ready(pilot)
        app.pane.focus()
        for key, level in (("", Level.OPERATIONS), ("f", None)):
            await pilot.press(*([key] if key else []))
            assert level is None or app.pane.level == level
            await ready(pilot)
            shown = app.pane.scene_of(view, app.pane.content_width)
            app.pane.action_export()
            await ready(pilot)
            dialog = app.screen
            assert isinstance(dialog, ExportScreen)
            plan = await planned(pilot, dialog, f"{len(shown.boxes)} boxes")
            assert f"{len(shown.boxes)} boxes, {len(shown.arrows)} edges" in plan
            path = tmp_path / f"shown{key}.json"
            dialog.query_one("#form", Select).value = "json"
            await ready(pilot)
            dialog.query_one("#file", Input).value = str(path)
            await pilot.press("ctrl+s")
            assert "Wrote" in await until_done(pilot, dialog)
            drawn = json.loads(path.read_text())
            assert sorted(b["title"] for b in drawn["nodes"]) == sorted(b.title for b in shown.boxes.values())
            await pilot.press("escape")
            await ready(pilot)


async def test_the_dialog_takes_another_value_depth_and_budget_and_shows_a_small_picture(
    debugger: Debugger, step: Trace, tmp_path: Path
) -> None:
    view = view_of(debugger, step, len(step) - 1, named(step, "attn_logits[1]"))
    app = Host(view)
    async with app.run_test(size=(120, 50)) as pilot:
        await ready(pilot)
        dialog = ExportScreen(view, app.export_screenshot(), tmp_path)
        app.push_screen(dialog)
        await ready(pilot)
        assert address(step, view.node) == dialog.query_one("#node", Input).value
        dialog.query_one("#node", Input).value = "q[3]"
        dialog.query_one("#depth", Input).value = "1"
        plan = await planned(pilot, dialog, "q[3]")
        few = int(plan.split(" boxes")[0].split()[-1])
        cells = dialog.query_one("#preview", Static).render()
        assert "▀" in str(cells)
        dialog.query_one("#depth", Input).value = "2"
        for _ in range(300):
            await pilot.pause(0.05)
            plan = str(dialog.query_one("#plan", Static).render())
            if "folded from" in plan:
                break
        assert int(plan.split("folded from ")[1].split()[0]) > few, (
            "more around the value, as much of it as can be read"
        )
        dialog.query_one("#budget", Input).value = "5"
        assert " 5 boxes" in await planned(pilot, dialog, " 5 boxes")
        dialog.query_one("#node", Input).value = "nobody"
        assert "no value is called 'nobody'" in await planned(pilot, dialog, "nobody")
        await pilot.press("ctrl+s")
        assert "no value is called 'nobody'" in await until_done(pilot, dialog)
        assert not list(tmp_path.iterdir())


async def test_the_dialog_writes_the_frames_of_the_backward_pass(
    debugger: Debugger, step: Trace, tmp_path: Path
) -> None:
    view = view_of(debugger, step, len(step) - 1, named(step, "attn_logits[1]"))
    app = Host(view)
    async with app.run_test(size=(120, 50)) as pilot:
        await ready(pilot)
        dialog = ExportScreen(view, app.export_screenshot(), tmp_path)
        app.push_screen(dialog)
        await ready(pilot)
        dialog.query_one("#depth", Input).value = "1"
        dialog.query_one("#frames", Select).value = "frames"
        await ready(pilot)
        await pilot.press("ctrl+s")
        said = await until_done(pilot, dialog)
        assert "frames" in said
        assert (tmp_path / "microgpt-cone-backward" / "animation.svg").exists()
        await pilot.press("ctrl+s")
        assert "has files in it" in await until_done(pilot, dialog)

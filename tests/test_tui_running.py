"""Running, pausing, ends of the script, breakpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import SCRIPT, opened, small_launch

from microgpt_tui.session.process import Launch


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


async def test_space_runs_freely_and_pauses(tmp_path: Path) -> None:
    async with opened(small_launch(tmp_path, num_steps="100000")) as screen:
        await screen.pilot.press("space")
        for _ in range(200):
            await screen.pilot.pause(0.02)
            if len(screen.debugger.history.steps) > 3 and "RUNNING" in screen.status:
                break
        assert screen.debugger.running
        assert "RUNNING" in screen.status
        await screen.pilot.press("s")
        await screen.pilot.pause(0)
        assert "space pauses it" in screen.bottom
        await screen.press("space")
        assert not screen.debugger.running
        assert "paused" in screen.status
        assert screen.debugger.trace.number > 1


async def test_ctrl_c_pauses_and_never_ends_the_session(tmp_path: Path) -> None:
    async with opened(small_launch(tmp_path, num_steps="100000")) as screen:
        await screen.press("ctrl+c")
        assert "paused already" in screen.bottom
        await screen.pilot.press("space")
        await screen.pilot.pause(0.1)
        await screen.press("ctrl+c")
        assert not screen.debugger.running
        assert screen.app.is_running


async def test_at_the_scripts_end_the_history_stays(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("space")
        assert screen.debugger.over
        assert "ended" in screen.status
        await screen.press("S")
        assert "the recording" in screen.status
        await screen.press("s", "s")
        assert "ended" in screen.bottom
        await screen.press("0")
        assert "sample  2" in screen.text("output")


async def test_an_exception_leaves_the_session_usable(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text(SCRIPT.read_text().replace("    loss.backward()", "    loss.backward()\n    1 / 0"))
    async with opened(small_launch(tmp_path, script, **{"n_embd": "4", "n_head": "2"})) as screen:
        await screen.press("space")
        assert "ZeroDivisionError" in screen.status
        await screen.press("S", "left_square_bracket")
        assert screen.app.is_running
        assert "BACKWARD" in screen.status or "FORWARD" in screen.status
        await screen.press("0")
        await screen.command("goto end")
        assert "! Traceback" in screen.text("output")


async def test_a_script_that_does_not_answer_is_offered_a_signal(tmp_path: Path) -> None:
    script = tmp_path / "deaf.py"
    text = SCRIPT.read_text().replace(
        "    loss.backward()",
        "    import signal, time\n    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGURG])\n"
        "    while step: time.sleep(0.01)\n    loss.backward()",
    )
    script.write_text(text)
    async with opened(small_launch(tmp_path, script, **{"n_embd": "4", "n_head": "2"})) as screen:
        await screen.pilot.press("space")
        await screen.pilot.pause(0.8)
        await screen.pilot.press("space")
        for _ in range(40):
            await screen.pilot.pause(0.05)
            if screen.app.main.status.unanswered:
                break
        assert "SIGINT" in screen.status
        await screen.press("exclamation_mark")
        assert screen.debugger.over
        assert screen.app.is_running


async def test_b_sets_a_breakpoint_c_runs_to_it_capital_c_back(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("break op:exp")
        first = screen.event
        await screen.press("c")
        trace = screen.debugger.trace
        assert trace.op_name(trace.node_of(screen.event)) == "exp"
        assert "op:exp" in screen.status
        await screen.press("c")
        second = screen.event
        await screen.press("C")
        assert first < screen.event < second
        await screen.press("1", "b")
        assert "●" in screen.text("source")
        await screen.press("b")
        assert "●" not in screen.text("source")

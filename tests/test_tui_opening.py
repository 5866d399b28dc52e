"""Opening the screen on a script, and refusing to."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import SCRIPT, opened, small_launch

from microgpt_tui.session.process import Launch
from microgpt_tui.tui.opening import run_app


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


async def test_opens_paused_at_the_first_operation_of_the_first_training_step(launch: Launch) -> None:
    async with opened(launch) as screen:
        assert "training step 1/3" in screen.status
        assert "FORWARD" in screen.status
        assert "1 / 1…" in screen.status
        assert "paused" in screen.status
        assert "▶" in screen.text("source")
        assert "tok_emb" in screen.text("variables")
        assert "gpt(" in screen.text("where")


async def test_first_start_says_which_keys_begin_and_any_key_takes_it_away(launch: Launch) -> None:
    async with opened(launch, hint=True) as screen:
        assert "S steps back" in screen.bottom
        assert "? helps" in screen.bottom
        await screen.press("s")
        assert "S steps back" not in screen.bottom
        assert "s step" in screen.bottom


def test_a_script_that_is_refused_is_not_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "plain.py"
    script.write_text("print('no class here')\n")
    assert run_app(Launch(script)) == 2
    assert "class" in capsys.readouterr().err


def test_a_script_that_fails_before_it_makes_a_node_is_not_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "early.py"
    script.write_text(SCRIPT.read_text().replace('corpus = "input.txt"', 'open("missing.txt")\ncorpus = "input.txt"'))
    assert run_app(Launch(script)) == 2
    said = capsys.readouterr().err
    assert "missing.txt" in said
    assert "early.py:" in said

"""Guessing before it is shown, and slow play."""

from __future__ import annotations

from pathlib import Path

import pytest
from tui_fixtures import opened, small_launch
from views_fixtures import trace_of

from microgpt_tui.narrate import story
from microgpt_tui.narrate.questions import Question, question
from microgpt_tui.narrate.words import number
from microgpt_tui.protocol.codes import ACCUMULATE, UPDATE
from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.tui.command_line import CommandLine


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


@pytest.mark.parametrize("name", ["bundled", "closures_set", "mixture", "mlp_only"])
def test_a_question_is_the_story_without_the_number_that_the_trace_has(name: str) -> None:
    trace = trace_of(name)
    kinds = set()
    for event in range(0, len(trace), max(1, len(trace) // 3000)):
        asked = question(trace, event)
        if asked is None:
            continue
        kinds.add(trace.kind[event])
        assert "?" in asked.text
        row = trace.row[event]
        value = {ACCUMULATE: trace.delta, UPDATE: trace.new}.get(trace.kind[event])
        assert asked.value == (value[row] if value is not None else trace.data_at(trace.node_of(event), event))
        if trace.kind[event] != UPDATE:
            assert asked.text.replace("?", number(asked.value)).rstrip(".") == story(trace, event).what.rstrip(".")
        assert asked.right(repr(asked.value))
        assert asked.right(number(asked.value))
    assert {0, ACCUMULATE, UPDATE} <= kinds


@pytest.mark.parametrize(
    ("value", "guess", "right"),
    [(-0.02313, "-0.023", True), (-0.02313, "0.023", False), (-0.02313, "-0.02", False), (1.0, "1", True),
     (1.0, "1.005", True), (0.0, "0", True), (0.0, "0.1", False), (1e-9, "0", False), (2.5e-7, "2.5e-7", True),
     (float("nan"), "nan", True), (float("inf"), "1", False)],
)  # fmt: skip
def test_a_guess_is_right_within_its_own_digits_or_a_hundredth(value: float, guess: str, right: bool) -> None:
    assert Question("", value).right(guess) is right


def test_a_guess_is_taken_once_and_scored_and_nothing_is_shown_before(launch: Launch) -> None:
    debugger = Debugger(launch)
    try:
        debugger.wait()
        before = debugger.moment
        asked = execute(debugger, "predict").data["prediction"]["text"]
        assert asked.startswith("What comes? ")
        assert asked.endswith("?")
        assert debugger.moment.event >= before.event
        open_ = debugger.prediction.open
        assert open_ is not None
        with pytest.raises(CommandError, match="no number"):
            execute(debugger, "predict many")
        told = execute(debugger, f"predict {open_.value!r}")
        assert "Right: it is" in told.text
        assert told.data["data"] == open_.value, "the cursor stands where it is shown"
        with pytest.raises(CommandError, match="nothing is asked"):
            execute(debugger, "predict 1")
        execute(debugger, "predict")
        assert "0 of 1" not in execute(debugger, "predict 12345").text
        assert debugger.prediction.score == "1 of 2 right"
        execute(debugger, "predict")
        execute(debugger, "back 3")
        with pytest.raises(CommandError, match="nothing is asked"):
            execute(debugger, "predict 1")
        assert "1 of 2 right" in execute(debugger, "predict off").text
    finally:
        debugger.close()


async def test_on_the_screen_the_question_opens_the_line_to_type_into(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("predict")
        lesson = screen.app.main.lesson
        await screen.until(lambda: screen.app.focused is screen.app.query_one(CommandLine))
        assert lesson.display
        assert "What comes? " in " ".join(lesson.lines)
        assert screen.app.query_one(CommandLine).value == "predict "
        await screen.press(*"9.5", "enter")
        await screen.until(lambda: screen.app.focused is lesson)
        assert " ".join(lesson.lines).startswith("No, it is ")
        assert lesson.title == "predict · 0 of 1 right"
        await screen.press("enter")
        await screen.until(lambda: screen.app.focused is screen.app.query_one(CommandLine))
        await screen.press("escape", "4")
        await screen.command("predict off")
        assert not lesson.display


@pytest.mark.parametrize("way", ["play 30/s", "play back 30"])
async def test_play_goes_on_by_itself_until_a_key(launch: Launch, way: str) -> None:
    async with opened(launch) as screen:
        await screen.command("goto 1:60")
        await screen.command(way)
        forward = "back" not in way
        assert "any key stops" in screen.bottom
        await screen.until(lambda: screen.event > 61 if forward else screen.event < 57)
        await screen.press("x")
        stopped = screen.event
        assert "stopped playing" in screen.bottom
        await screen.pilot.pause(0.2)
        assert screen.event == stopped
        await screen.press("s")
        assert screen.event > stopped, "the next key is a key again"


async def test_play_says_how_it_is_written(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("play fast")
        assert "play 4/s" in screen.bottom
        await screen.command("play 500")
        assert "from one step in 20 seconds" in screen.bottom

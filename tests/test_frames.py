"""The verbs that people's fingers know: bt, up, down, frame, list, whatis, info, commands, catch, help break."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said
from tui_fixtures import opened, small_launch

from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.commands.breakpoints import GRAMMAR
from microgpt_tui.session.commands.frames import INFO
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.screens.page import PageScreen


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debugger]:
    """In rmsnorm, called by gpt, called by the module."""
    debugger = Debugger(small_launch(tmp_path_factory.mktemp("frames")))
    debugger.wait()
    give(debugger, "break rmsnorm", "continue", "delete")
    yield debugger
    debugger.close()


def line_with(debugger: Debugger, text: str) -> int:
    source = debugger.history.program.files[0][1].splitlines()
    return next(n for n, line in enumerate(source, 1) if text in line)


def test_the_calls_around_the_cursor_each_where_it_stands(inside: Debugger) -> None:
    rows = said(inside, "bt").splitlines()
    assert [re.sub(r"\(.*?\)", "()", re.split(r" {2,}", r.lstrip("▶ "))[1]) for r in rows] == [
        "rmsnorm",
        "gpt()",
        "the module",
    ]
    assert f"line {line_with(inside, 'mean_square = sum')}" in rows[0]
    assert f"line {line_with(inside, 'x = rmsnorm(x)')}: x = rmsnorm(x)" in rows[1]
    assert f"line {line_with(inside, 'logits = gpt(')}" in rows[2]
    assert rows[0].startswith("▶")


def test_up_and_down_look_at_another_call_until_the_cursor_moves(inside: Debugger) -> None:
    text = said(inside, "up")
    assert text.startswith("▶ #1  gpt(")
    assert "tok_emb = [4]" in text
    assert "mean_square" not in text
    assert said(inside, "up").startswith("▶ #2  the module")
    with pytest.raises(CommandError, match="nothing calls it"):
        execute(inside, "up")
    assert said(inside, "down 2").startswith("▶ #0  rmsnorm")
    with pytest.raises(CommandError, match="innermost"):
        execute(inside, "down")
    assert said(inside, "frame 1").startswith("▶ #1")
    give(inside, "si")
    assert said(inside, "frame").startswith("▶ #0")


def test_list_shows_the_source_around(inside: Debugger) -> None:
    here = line_with(inside, "mean_square = sum")
    marked = [line for line in said(inside, "list").splitlines() if "▶" in line]
    assert [re.split(r" +", line.strip())[1] for line in marked] == [str(here)]
    assert said(inside, "list 10,12").count("\n") == 2
    assert "def softmax(logits)" in said(inside, "list softmax").splitlines()[0]
    with pytest.raises(CommandError, match="no function or class"):
        execute(inside, "list nowhere")
    with pytest.raises(CommandError, match="the file has"):
        execute(inside, "list 99999")


def test_whatis_tells_a_parameter_a_result_and_a_list(inside: Debugger) -> None:
    assert re.search(r"wte: parameters, \d+×4: \d+ Values", said(inside, "whatis wte"))
    assert re.search(r"Value #\d+, a parameter", said(inside, "whatis wte[0][1]"))
    assert said(inside, "whatis x").startswith("x: a nest of lists, 4: 4 Values")
    assert re.search(
        r"x\[0\]: Value #[\d,]+, add of wte\[\d+\]\[0\], wpe\[0\]\[0\], made on line", said(inside, "whatis x[0]")
    )
    with pytest.raises(CommandError, match="whatis nowhere"):
        execute(inside, "whatis nowhere")


def test_info_tells_what_the_command_of_that_name_does(inside: Debugger) -> None:
    for what, command in INFO.items():
        if what not in ("display", "line"):
            assert said(inside, f"info {what}") == said(inside, command), what
    assert "mean_square" in said(inside, "info locals") or "x = " in said(inside, "info locals")
    assert said(inside, "info stack") == said(inside, "bt")
    with pytest.raises(CommandError, match="info what"):
        execute(inside, "info nothing")


def test_commands_are_given_when_a_breakpoint_has_stopped_once_a_stop(inside: Debugger) -> None:
    give(inside, "break op:exp")
    number = inside.breakpoints.items[-1].number
    assert "(commands: bt; print 1 + 1)" in said(inside, f"commands {number} bt; print 1 + 1")
    answer = execute(inside, "continue")
    assert [c["command"] for c in answer.data["commands"]] == ["bt", "print 1 + 1"]
    assert "> print 1 + 1\n2" in answer.text
    assert "commands" not in execute(inside, "where").data
    give(inside, f"commands {number} print nowhere")
    failed = execute(inside, "continue")
    assert "> print nowhere\n*** " in failed.text
    give(inside, f"commands {number} none")
    assert "commands" not in execute(inside, "continue").data
    give(inside, f"delete {number}")


def test_commands_are_kept_in_a_file(inside: Debugger, tmp_path: Path) -> None:
    give(inside, "break op:log")
    number = inside.breakpoints.items[-1].number
    give(
        inside,
        f"commands {number} bt",
        f"save {tmp_path / 'b.json'}",
        f"delete {number}",
        f"load {tmp_path / 'b.json'}",
    )
    assert inside.breakpoints.items[-1].commands == ["bt"]
    give(inside, "delete")


def test_every_example_of_help_break_can_be_set(inside: Debugger) -> None:
    examples = [re.split(r" {2,}", line)[0] for line in GRAMMAR.splitlines() if line.startswith("break ")]
    examples += ["break li=0", "break pos:3", "break op:mul", "break param:wte[0][3]", "break step:3", "break sample:1",
                 "break 3:loss", 'break print:"step  10"', "break op:exp if data > 5 and pos == 2"]  # fmt: skip
    assert len(examples) > 15
    for example in examples:
        execute(inside, example)
    give(inside, "delete")
    assert GRAMMAR in said(inside, "help break")


def test_catch(inside: Debugger) -> None:
    give(inside, "nan off")
    assert "off" not in said(inside, "catch nan")
    assert "always stops" in said(inside, "catch exception")
    with pytest.raises(CommandError):
        execute(inside, "catch fish")


async def test_on_screen_up_shows_the_line_of_the_call(tmp_path: Path) -> None:
    async with opened(small_launch(tmp_path)) as screen:
        await screen.command("break rmsnorm")
        await screen.press("c")
        await screen.command("up")
        pane = screen.app.main.left_pane("source")
        assert isinstance(pane, SourcePane)
        assert pane.line == line_with(screen.debugger, "x = rmsnorm(x)")
        assert "#1  gpt(" in screen.bottom
        await screen.command("help break")
        assert isinstance(screen.app.screen, PageScreen)
        await screen.press("escape")


async def test_a_startup_file_is_obeyed_before_anything_is_typed(tmp_path: Path) -> None:
    from tui_fixtures import Screen

    from microgpt_tui.tui.app import DebuggerApp

    debugger = Debugger(small_launch(tmp_path))
    debugger.wait()
    app = DebuggerApp(
        debugger, hint=False, startup=["break op:exp", "commands 1 display probs", "continue", "display x"]
    )
    async with app.run_test(size=(120, 40)) as pilot:
        screen = Screen(app, pilot)
        await screen.until(lambda: not app._startup)
        await screen.settle()
        assert debugger.hit is not None
        assert {e.text for e in debugger.displays.expressions} == {"probs", "x"}
    debugger.close()

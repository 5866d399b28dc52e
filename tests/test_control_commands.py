"""The command language: every command headless, completion, what is said when it cannot be done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from control_fixtures import BUGS, NAMES, give, said, tanh_gpt

from microgpt_tui.session.commands import COMMANDS, CommandError, complete, execute, parse
from microgpt_tui.session.debugger import Debugger, Moment


@pytest.fixture(scope="module")
def debugger() -> Iterator[Debugger]:
    """Steps 1 and 2 recorded whole."""
    made = tanh_gpt(nan=False)
    for _ in range(2):
        made.next_episode()
        made.wait()
    yield made
    made.close()


def test_every_command_says_what_it_does(debugger: Debugger) -> None:
    told = said(debugger, "help")
    for command in COMMANDS:
        assert command.help
        assert command.name in told


def test_beginnings_and_keys_are_commands_too() -> None:
    assert parse("conti 3")[0].name == "continue"
    assert parse("C")[0].name == "rcontinue"
    assert (parse("3:1200")[0].name, parse("3:1200")[1]) == ("goto", "3:1200")
    with pytest.raises(CommandError, match="did you mean continue"):
        parse("contniue")
    with pytest.raises(CommandError, match="could be"):
        parse("re")


@pytest.mark.parametrize(
    ("forward", "backward"),
    [("step", "back"), ("si", "sib"), ("nextstep", "prevstep"), ("phase", "rphase"), ("step 7", "back 7")],
)
def test_a_step_and_its_reverse(debugger: Debugger, forward: str, backward: str) -> None:
    give(debugger, "goto 1:1")
    start = debugger.moment
    give(debugger, forward)
    assert debugger.moment != start
    give(debugger, backward)
    assert debugger.moment == start


def test_continue_counts_stops() -> None:
    made = tanh_gpt(nan=False)
    try:
        give(made, "break op:exp", "continue 5")
        assert made.breakpoints.counted(made.breakpoints.get(1)) == 5
        fifth = made.moment
        give(made, "rcontinue 4", "continue 2", "rcontinue", "continue 3")
        assert made.moment == fifth, "in the record too"
        assert made.breakpoints.get(1).enabled
        give(made, "delete", "tbreak op:log", "continue 1000000")
        assert made.over, "a count that is not reached ends with the script"
    finally:
        made.close()


def test_repeated_steps_stop_at_a_breakpoint_on_the_way(debugger: Debugger) -> None:
    give(debugger, "goto 1:1", "tbreak op:exp", "nextpos 2")
    trace = debugger.trace
    assert trace is not None
    assert trace.op_name(trace.node_of(debugger.moment.event)) == "exp"


def test_goto_knows_events_lines_marks_and_bookmarks(debugger: Debugger) -> None:
    give(debugger, "goto 1:1200")
    assert debugger.moment == Moment(1, 1199)
    give(debugger, "bookmark here", "goto line 164")
    trace = debugger.trace
    assert trace is not None
    assert "line 164" in said(debugger, "show")
    give(debugger, "goto loss")
    assert trace.node_of(debugger.moment.event) == trace.loss_node()
    give(debugger, "goto bookmark here")
    assert debugger.moment == Moment(1, 1199)
    give(debugger, "return")
    assert debugger.moment.event != 1199
    with pytest.raises(CommandError, match="events 1 to"):
        give(debugger, "goto 1:999999999")
    with pytest.raises(CommandError, match="no bookmark"):
        give(debugger, "goto bookmark there")


def test_steps_over_many_events_stop_at_breakpoints_between(debugger: Debugger) -> None:
    give(debugger, "goto 1:1", "break op:exp", "phase")
    trace = debugger.trace
    assert trace is not None
    assert trace.op_name(trace.node_of(debugger.moment.event)) == "exp"
    assert debugger.hit is not None
    give(debugger, "delete", "phase")
    assert debugger.hit is None


def test_display_keeps_its_course_and_is_not_bound_to_a_frame(debugger: Debugger) -> None:
    give(debugger, "goto 1:1", "display loss", "display max(attn_weights)", "display lm_head[0][0]")
    text = said(debugger, "goto end")
    assert "loss = 3." in text
    assert "max(attn_weights): attn_weights is not in scope here" in text
    give(debugger, "undisplay max(attn_weights)")
    assert "attn_weights" not in said(debugger, "show").replace("attn_weights[", "")
    give(debugger, "undisplay")


def test_find_by_name_operation_value_line_and_scope(debugger: Debugger) -> None:
    give(debugger, "goto 1:1")
    trace = debugger.trace
    assert trace is not None
    by_op = execute(debugger, "find op:exp").data
    assert by_op["count"] == [trace.ops[o] for o in trace.op].count("exp")
    by_value = execute(debugger, "find op:exp if data > 0.9 sort -data").data["found"]
    assert [r["data"] for r in by_value] == sorted((r["data"] for r in by_value), reverse=True)
    assert all(r["name"].startswith("q[") for r in execute(debugger, r"find /^q\[\d\]$/").data["found"])
    assert execute(debugger, "find softmax").data["count"] == execute(debugger, "find h=0").data["count"] * 2 + 3
    give(debugger, "find op:log", "findnext")
    first = debugger.moment
    give(debugger, "findnext", "findprev")
    assert debugger.moment == first
    with pytest.raises(CommandError, match="sort by one of"):
        give(debugger, "find op:log sort size2")


def test_a_fault_is_answered_and_the_session_goes_on(debugger: Debugger) -> None:
    for text in ("", "::", "break op:nothing", "break if dta > 1", "delete x", "delete 77", "ignore 1", "log op:exp",
                 "watch 3 + 4", "set x", "set zork = 5", "set 4:zork((x = 5",
                 "load /no/such/file", "step x", "goto nowhere", "findprev", "undo",
                 "nan perhaps",
                 "display 1 +", "print", "until"):  # fmt: skip
        with pytest.raises(CommandError):
            execute(debugger, text)
    assert debugger.back() or debugger.step()


def test_completion_knows_the_scripts_own_names(debugger: Debugger) -> None:
    assert "continue" in complete(debugger, "con")
    assert "break op:tanh" in complete(debugger, "break op:t")
    assert "break var:attn_weights" in complete(debugger, "break var:attn_w")
    assert "watch lm_head" in complete(debugger, "watch lm_")
    assert complete(debugger, "nonsense x") == []


def test_headless_with_json() -> None:
    script = BUGS / "log_of_zero.py"
    done = subprocess.run(
        [sys.executable, "-m", "microgpt_tui", "run", str(script), "--data", str(NAMES), "-c",
         "break op:exp if data > 0.5", "-c", "continue", "-c", "show", "-c", "delete", "-c", "continue", "-c",
         "rootcause", "--json"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    commands = json.loads(done.stdout)["commands"]
    assert [c["ok"] for c in commands] == [True] * 6, commands
    assert commands[1]["data"]["breakpoints"] == [1]
    assert commands[2]["data"]["op"] == "exp"
    assert "log(0)" in commands[5]["text"]


def test_what_is_no_number_is_a_text_in_data(debugger: Debugger) -> None:
    give(debugger, "goto 1:1", "display loss")
    told = execute(debugger, "show").data
    assert told["displays"] == [{"expression": "loss", "value": "nan"}]
    json.dumps(told, allow_nan=False)
    give(debugger, "undisplay")


def test_breakpoints_can_be_set_while_the_step_is_half_done() -> None:
    made = tanh_gpt(nan=False)
    try:
        give(made, "step 40", "break 164", "nextpos")
        assert made.hit is not None, "a live step stops at a breakpoint on its way"
    finally:
        made.close()

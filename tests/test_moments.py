"""One grammar of moments: what is written is read again, and what does not exist is answered with what does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from control_fixtures import give, said, tanh_gpt
from hypothesis import given
from hypothesis import strategies as st

from microgpt_tui import cli
from microgpt_tui.protocol.codes import BACKWARD, FORWARD, OPTIMIZER
from microgpt_tui.protocol.moments import GRAMMAR, MARKS, MomentError, MomentName, parse
from microgpt_tui.session.commands import CommandError, execute
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.session.moment import name_of, resolve

at = st.one_of(st.just(""), st.sampled_from(sorted(MARKS)), st.integers(1, 10**7))
numbered = st.builds(MomentName, st.sampled_from(["step", "sample", "other"]), st.integers(1, 10**6), at)


@given(st.one_of(numbered, st.builds(MomentName, st.just("setup"), st.just(0), at)))
def test_what_is_written_is_read_again(name: MomentName) -> None:
    assert parse(str(name)) == name
    assert parse(f"  {str(name).upper()} ") == name


@given(at.filter(bool))
def test_without_an_episode_too(event: int | str) -> None:
    name = MomentName(at=event)
    assert parse(str(name)) == name == parse(f":{event}")


def test_every_example_of_the_grammar_is_read() -> None:
    assert [str(parse(example)) for example in GRAMMAR] == list(GRAMMAR)
    assert parse("step 3:1,200") == parse("training step 3:1_200") == parse("3:1200")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no moment"), (":", "no moment"), ("later", "no moment"), ("3:", "no moment"), ("3:soon", "backward"),
        ("0:1", "count from 1"), ("3:0", "count from 1"), ("sample 0", "count from 1"), ("-1:5", "no moment"),
        ("setup 3", "no moment"), ("3 1200", "no moment"),
    ],
)  # fmt: skip
def test_what_is_none_is_refused_with_how_to_write_one(text: str, says: str) -> None:
    with pytest.raises(MomentError, match=says):
        parse(text)


@pytest.fixture(scope="module")
def debugger() -> Iterator[Debugger]:
    """Steps 1 and 2 recorded whole, the first operation of step 3."""
    made = tanh_gpt(nan=False)
    for _ in range(2):
        made.next_episode()
        made.wait()
    yield made
    made.close()


def test_every_recorded_event_goes_by_its_name(debugger: Debugger) -> None:
    for trace in debugger.history.traces.values():
        for event in {0, len(trace) // 2, len(trace) - 1}:
            moment = Moment(trace.index, event)
            assert resolve(debugger.history, parse(str(name_of(debugger.history, moment)))) == moment
    give(debugger, "goto 1:7")
    assert execute(debugger, "where").data["moment"] == "1:7"


def test_the_named_events_of_a_step(debugger: Debugger) -> None:
    def event(name: str) -> int:
        give(debugger, f"goto 1:{name}")
        assert debugger.moment.episode == 1
        return debugger.moment.event

    trace = debugger.history.traces[1]
    assert event("loss") == trace.born_at(trace.loss_node())
    phases = [trace.phase_of(e) for e in range(len(trace))]
    assert event("forward") == phases.index(BACKWARD) - 1
    assert phases[event("forward")] == FORWARD
    backward = event("backward")
    assert phases[backward] == BACKWARD
    assert BACKWARD not in phases[backward + 1 :]
    assert all(e > backward for e in trace.update_event), "no weight updated yet"
    last = {n: trace.writes_of(n)[-1] for n in trace.program.kept if len(trace.writes_of(n))}
    accumulated = [n for n in trace.program.kept if trace.grad_at(n, backward)]
    assert accumulated
    assert all(trace.write_event[row] <= backward or trace.after[row] == 0 for row in last.values()), "grads are final"
    assert phases[event("optimizer")] == OPTIMIZER
    assert (event("start"), event("end")) == (0, len(trace) - 1)


def test_goto_is_answered_with_what_exists(debugger: Debugger) -> None:
    give(debugger, "goto 2:1")
    before = debugger.moment, len(debugger.history.summaries)
    for text, says in (
        ("goto 0:1", "count from 1"), ("goto 99999999", "no training step 99999999"),
        ("goto 1:99999999", "events 1 to"), ("goto setup:loss", "the setup has no loss"),
        ("goto bookmark nowhere", "no bookmark"), ("goto nowhere", "no moment"),
    ):  # fmt: skip
        with pytest.raises(CommandError, match=says):
            execute(debugger, text)
    assert (debugger.moment, len(debugger.history.summaries)) == before, "nothing has run"


def test_relative_moments_are_of_the_episode_under_the_cursor(debugger: Debugger) -> None:
    give(debugger, "goto 1:1", "goto :50")
    assert debugger.moment == Moment(1, 49)
    give(debugger, "goto end")
    assert debugger.moment == Moment(1, len(debugger.history.traces[1]) - 1)
    give(debugger, "bookmark top at 2:loss", "goto bookmark top")
    assert said(debugger, "bookmark").endswith(debugger.name_of(debugger.moment))


def test_a_moment_to_come_is_run_to() -> None:
    made = tanh_gpt(nan=False)
    try:
        give(made, "goto 1:loss")
        trace = made.trace
        assert trace is not None
        assert (trace.number, trace.complete) == (1, True)
        assert made.moment.event == trace.born_at(trace.loss_node())
        give(made, "goto 3:40")
        assert (made.trace.number if made.trace else 0, made.moment.event) == (3, 39)
        assert made.at_frontier, "no further than needed"
        give(made, "goto 2:5")  # run freely before: gone back to
        assert (made.trace.number if made.trace else 0, made.moment.event) == (2, 4)
    finally:
        made.close()


def test_breakpoints_take_moments_that_one_can_wait_for() -> None:
    made = tanh_gpt(nan=False)
    try:
        assert "loss if step == 2" in said(made, "break 2:loss")
        give(made, "continue")
        trace = made.trace
        assert trace is not None
        give(made, "nextstep", "goto 2:loss")
        reached = made.moment
        give(made, "goto 2:start", "continue")
        assert made.moment == Moment(reached.episode, reached.event + 1), "as the backward pass from it begins"
        assert "step:4" in said(made, "tbreak 4:start")
        give(made, "delete 1", "continue")
        assert str(name_of(made.history, made.moment)) == "4:1"
        with pytest.raises(CommandError, match="`goto 5:backward` runs there"):
            execute(made, "break 5:backward")
    finally:
        made.close()


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize(
    ("moment", "says"),
    [("0:end", "0:end"), ("0:1", "count from 1"), ("99:1", "no training step 99"), ("1:99999999", "events 1 to"),
     ("setup:backward", "setup has no backward"), ("loss", "of which episode")],
)  # fmt: skip
def test_at_refuses_with_status_2(
    command: str, moment: str, says: str, trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["-o", "x.dot"] if command == "export" else []
    assert cli.main([command, trained, "--at", moment, *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"microgpt-tui: --at {moment}: ")
    assert says in captured.err


@pytest.mark.parametrize("moment", ["3", "3:loss", "3:backward", "3:end", "setup:end", "start", "end", "2:7"])
def test_show_says_the_moment_in_its_own_words(moment: str, trained: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", trained, "--at", moment, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert cli.main(["show", trained, "--at", document["moment"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == document

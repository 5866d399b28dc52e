"""Breakpoints: every kind stops live exactly where the record says, and backwards at the same events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said, tanh_gpt
from hypothesis import given, settings
from hypothesis import strategies as st

from microgpt_tui.protocol.conditions import ConditionError
from microgpt_tui.session import breakpoint_files
from microgpt_tui.session.breakpoints import BreakpointList, line_of
from microgpt_tui.session.debugger import Debugger, Moment
from microgpt_tui.trace.breakpoints import KINDS, BreakpointError, find, parse, resolve

EVERY_KIND = (
    "121", "164 if data > 0.2", "44", "61", "78", "op:exp", "op:exp if data > 0.8", "op:sub", "op:const", "op:*",
    "softmax", "softmax if data > 0.9", "gpt if pos == 1", "li=0", "h=1", "linear if grad != 0", "var:attn_weights",
    "var:x if pos == 2", "var:li", "param:lm_head[0][1]", "param:lm_head[3] if delta > 0", "phase", "phase:backward",
    "step:2", "pos:1", "loss < 4", "print:loss", "nan", "if data > 1.5", "if delta > 0.05", "if abs(grad) > 0.9",
    "if op == 'tanh' and data < 0", "if inputs[0] > 1.3 and op == 'mul'", "if name == 'q[1]'", "if kind == 'print'",
    "if 'softmax' in scope and h == 1 and op == 'mul'", "if kind == 'update' and delta > 0.019 and loss < 4",
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded() -> Iterator[Debugger]:
    """Steps 1 and 2 recorded whole; step 3 begun."""
    debugger = tanh_gpt(nan=False)
    for _ in range(2):
        debugger.next_episode()
        debugger.wait()
    yield debugger
    debugger.close()


@pytest.fixture(scope="module")
def live() -> Iterator[Debugger]:
    """The same run, at its first operation; each test takes it from where the last one left it."""
    debugger = tanh_gpt(nan=False)
    yield debugger
    debugger.close()


def stops(debugger: Debugger, text: str, after: tuple[int, int] = (1, 0), most: int = 10_000) -> list[tuple[int, int]]:
    """(episode, event) of every stop in the recorded steps."""
    place = resolve(parse(text, debugger.history.program), debugger.history.program)
    found = [(i, e) for i in (1, 2) for e in find(place, debugger.history.traces[i], debugger.breakpoints.output)[0]]
    return [s for s in found if s > after][:most]


def test_every_kind_is_tried() -> None:
    kinds = {parse_kind(t) for t in EVERY_KIND}
    assert kinds >= {"line", "op", "scope", "var", "param", "phase", "step", "pos", "loss", "print", "any", "nan"}


def parse_kind(text: str) -> str:
    word = text.split()[0]
    head = word.split(":")[0]
    if word == "if":
        return "any"
    return "line" if word.isdigit() else head if head in KINDS else "scope"


@pytest.mark.parametrize("text", EVERY_KIND)
def test_the_script_stops_where_the_record_says(recorded: Debugger, text: str) -> None:
    debugger = tanh_gpt(nan=False)
    try:
        program = debugger.history.program
        expected = stops(recorded, text, (1, debugger.moment.event), 6)
        debugger.breakpoints.add(parse(text, program), program)
        found = []
        while len(found) < len(expected) or not expected:
            assert debugger.run()
            debugger.wait()
            trace = debugger.trace
            assert trace is not None
            if debugger.over or trace.index > 2:
                break
            found.append((debugger.moment.episode, debugger.moment.event))
        assert found == expected
    finally:
        debugger.close()


@pytest.mark.parametrize("text", EVERY_KIND)
def test_backwards_it_stops_at_the_same_events(recorded: Debugger, text: str) -> None:
    """Forward stops reversed are the reverse stops."""
    program = recorded.history.program
    made = recorded.breakpoints.add(parse(text, program), program)
    try:
        recorded.moment = Moment(1, 0)
        forwards = []
        end = Moment(2, len(recorded.history.traces[2]) - 1)
        for _ in range(40):
            before = recorded.moment
            recorded.notice = ""
            hit = next_recorded(recorded, before)
            if hit is None:
                break
            recorded.moment = hit
            forwards.append(hit)
        recorded.moment = Moment(forwards[-1].episode, forwards[-1].event) if forwards else end
        backwards = []
        for _ in range(len(forwards)):
            if not recorded.continue_backward() or recorded.notice.startswith("no earlier"):
                break
            if (recorded.moment.episode, recorded.moment.event) <= (1, 0):
                break
            backwards.append(recorded.moment)
        assert backwards == forwards[:-1][::-1]
    finally:
        recorded.breakpoints.delete(made.number)


def next_recorded(debugger: Debugger, after: Moment) -> Moment | None:
    """The next stop in the two recorded steps."""
    for index in (1, 2):
        if index < after.episode:
            continue
        hit = debugger.breakpoints.after(debugger.history.traces[index], after.event if index == after.episode else -1)
        if hit is not None:
            return Moment(index, hit.event)
    return None


@settings(max_examples=40, deadline=None)
@given(text=st.sampled_from(EVERY_KIND), event=st.integers(0, 8000))
def test_back_after_forward_is_the_identity(recorded: Debugger, text: str, event: int) -> None:
    program = recorded.history.program
    trace = recorded.history.traces[1]
    breakpoints = BreakpointList()
    breakpoints.items.clear()
    breakpoints.output = recorded.breakpoints.output
    breakpoints.add(parse(text, program), program)
    start = breakpoints.after(trace, event % len(trace))
    if start is None:
        return
    following = breakpoints.after(trace, start.event)
    if following is not None:
        assert breakpoints.before(trace, following.event) == start


def test_reverse_continue_never_ends_the_session(recorded: Debugger) -> None:
    recorded.moment = Moment(2, 100)
    recorded.continue_backward()
    assert recorded.moment == Moment(0, 0)
    assert "beginning of the history" in recorded.notice
    assert not recorded.over


def test_several_at_one_event_are_all_named(recorded: Debugger) -> None:
    program = recorded.history.program
    first = recorded.breakpoints.add(parse("op:log", program), program)
    second = recorded.breakpoints.add(parse("if op == 'log' and kind == 'create'", program), program)
    try:
        recorded.moment = Moment(1, 0)
        recorded.continue_forward()
        assert recorded.hit == (recorded.moment, (first.number, second.number))
    finally:
        recorded.breakpoints.delete(first.number)
        recorded.breakpoints.delete(second.number)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("op:exq", "Did you mean exp"),
        ("softmx", "Did you mean softmax"),
        ("var:atn_weights", "Did you mean attn_weights"),
        ("param:lm_haed[0]", "no parameter"),
        ("phase:bakward", "Did you mean backward"),
        ("19", "nearest line"),
        ("step:x", "write a number"),
        ("other.py:3", "no file"),
    ],
)
def test_what_the_script_does_not_have_is_refused(recorded: Debugger, text: str, words: str) -> None:
    with pytest.raises(BreakpointError, match=words):
        parse(text, recorded.history.program)


def test_a_wrong_condition_is_refused_with_its_place(recorded: Debugger) -> None:
    with pytest.raises(ConditionError) as refused:
        parse("op:exp if dta > 5", recorded.history.program)
    assert refused.value.column == 0


# -- options -----------------------------------------------------------------------------------


def test_options_live() -> None:
    """Ignored, temporary, switched-off and failing ones, one after another in one run."""
    debugger = tanh_gpt()
    try:
        give(debugger, "break op:log ignore 2")
        assert "breakpoint 1 (op:log)" in said(debugger, "continue")
        trace = debugger.trace
        assert trace is not None
        assert [trace.op_name(trace.first_node + i) for i in range(len(trace.born))].count("log") == 3
        assert debugger.breakpoints.counted(debugger.breakpoints.get(1)) == 3
        give(debugger, "disable 1", "tbreak phase:backward")
        assert "breakpoint 2" in said(debugger, "continue")
        assert [b.number for b in debugger.breakpoints] == [0, 1]
        give(debugger, "break if 1 / (delta - delta) > 0 and kind == 'accumulate'")
        text = said(debugger, "continue")
        assert "the condition of breakpoint 3 failed: ZeroDivisionError" in text
        assert not debugger.breakpoints.get(3).enabled
    finally:
        debugger.close()


def test_log_points_speak_and_do_not_stop() -> None:
    debugger = tanh_gpt()
    try:
        give(debugger, 'log op:log "{op} {data:.3f}"', "break phase:backward")
        text = said(debugger, "continue")
        assert sum("log -" in line for line in text.splitlines()) == 3
        give(debugger, "goto start")
        again = said(debugger, "continue")
        assert sum("log -" in line for line in again.splitlines()) == 3, "behind the frontier they speak too"
    finally:
        debugger.close()


def test_a_watch_stops_where_its_value_changes_and_backwards_tells_who_changed_it() -> None:
    debugger = tanh_gpt()
    try:
        give(debugger, "watch lm_head[0][0]")
        text = said(debugger, "continue")
        assert "watch lm_head[0][0]" in text
        assert "update" in text
        stopped = debugger.moment
        give(debugger, "finish")
        give(debugger, "rcontinue")
        assert debugger.moment == stopped
        with pytest.raises(ValueError, match="no variable"):
            give(debugger, "watch nothing[0]")
    finally:
        debugger.close()


def test_they_are_saved_to_and_loaded_from_a_file_of_the_persons_choice(tmp_path: Path, recorded: Debugger) -> None:
    program = recorded.history.program
    written = BreakpointList()
    written.add(parse("op:exp if data > 5", program), program, ignore=2)
    written.add(parse("164", program), program, temporary=True, enabled=False)
    written.add(parse("softmax", program), program, log="{data}")
    written.watch("lm_head[0][0].grad", program)
    written.allow("op == 'log'", program)
    file = tmp_path / "mine.json"
    breakpoint_files.save(written, file)
    read = BreakpointList()
    assert breakpoint_files.load(read, file, program) == []
    assert [b.describe(0) for b in read] == [b.describe(0) for b in written]
    assert [line_of(b.place, program) for b in read if b.place.kind == "line"] == [(0, 164)]
    file.write_text('{"microgpt-tui breakpoints": 1, "breakpoints": [{"kind": "exec"}]}')
    assert len(breakpoint_files.load(read, file, program)) == 1
    file.write_text("__import__('os')")
    with pytest.raises(BreakpointError, match="not a file of breakpoints"):
        breakpoint_files.load(read, file, program)


def test_the_gutter_knows_its_lines(recorded: Debugger) -> None:
    assert recorded.breakpoints.toggle_line(0, 164, recorded.history.program)
    assert [b.line for b in recorded.breakpoints.on_line(0, 164)] == [164]
    assert not recorded.breakpoints.toggle_line(0, 164, recorded.history.program)
    assert recorded.breakpoints.on_line(0, 164) == []

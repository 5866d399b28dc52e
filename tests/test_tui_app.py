"""Every key of the screen, pressed: what the person sees afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from tui_fixtures import SCRIPT, opened, small_launch

from microgpt_tui.protocol.codes import ACCUMULATE, BACKWARD, FORWARD, OPTIMIZER, UPDATE
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.navigation import ends_operation
from microgpt_tui.tui.app import run_app
from microgpt_tui.tui.panels import LEFT, RIGHT, LeftPanel, RightPanel
from microgpt_tui.tui.panes.output import OutputPane
from microgpt_tui.tui.panes.source import SourcePane
from microgpt_tui.tui.panes.value import ValuePane
from microgpt_tui.tui.panes.variables import VariablesPane
from microgpt_tui.tui.screen_commands import ALL
from microgpt_tui.tui.timeline import Timeline


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return small_launch(tmp_path)


# -- opening ----------------------------------------------------------------------------------


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


# -- stepping ---------------------------------------------------------------------------------


async def test_s_really_executes_one_operation_and_capital_s_goes_back(launch: Launch) -> None:
    async with opened(launch) as screen:
        recorded = len(screen.debugger.history.newest)
        await screen.press("s", "s")
        assert len(screen.debugger.history.newest) == recorded + 2
        assert screen.event == recorded + 1
        await screen.press("S")
        assert screen.event == recorded
        assert "in the recording" in screen.status
        await screen.press("left")
        assert screen.event == recorded - 1
        await screen.press("right", "right")
        assert "paused" in screen.status


async def test_keys_pressed_faster_than_the_script_answers_are_not_lost(launch: Launch) -> None:
    async with opened(launch) as screen:
        for _ in range(8):
            await screen.pilot.press("s")
        await screen.settle()
        trace = screen.debugger.trace
        assert sum(ends_operation(trace, e) for e in range(1, screen.event + 1)) == 8


async def test_n_goes_to_the_next_statement_and_back(launch: Launch) -> None:
    async with opened(launch) as screen:
        source = screen.app.query_one(SourcePane)
        line = source.marks.statement.line
        await screen.press("n")
        assert source.marks.statement.line > line or source.marks.statement.line < line
        moved = source.marks.statement.line
        assert moved != line
        await screen.press("N")
        assert source.marks.statement.line == line


async def test_f_goes_to_the_end_of_the_scope_and_capital_f_to_its_start(launch: Launch) -> None:
    async with opened(launch) as screen:
        trace = screen.debugger.trace
        await screen.press("f")
        scope = trace.scope_path(trace.scope_of(0))[-2]
        assert screen.event > 0
        end = screen.event
        await screen.press("F")
        assert screen.event < end
        assert trace.scope_first[scope] <= screen.event


async def test_brackets_walk_the_phases(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == BACKWARD
        assert "BACKWARD" in screen.status
        assert "loss" in screen.status
        await screen.press("right_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == OPTIMIZER
        await screen.press("left_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == BACKWARD
        await screen.press("left_square_bracket")
        assert screen.debugger.trace.phase_of(screen.event) == FORWARD
        assert screen.event == 0


async def test_parentheses_walk_the_positions(launch: Launch) -> None:
    async with opened(launch) as screen:
        assert "pos_id=0" in screen.status
        await screen.press("right_parenthesis")
        assert "pos_id=1" in screen.status
        await screen.press("right_parenthesis")
        assert "pos_id=2" in screen.status
        await screen.press("left_parenthesis", "left_parenthesis")
        assert "pos_id=0" in screen.status


async def test_angle_brackets_walk_the_training_steps_and_samples(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        assert "training step 2/3" in screen.status
        await screen.press("less_than_sign")
        assert "training step 1/3" in screen.status
        await screen.press("greater_than_sign", "greater_than_sign", "greater_than_sign")
        assert "sample 1" in screen.status
        assert "INFERENCE" in screen.status


async def test_counts_and_the_inside_of_an_operation(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("step 10")
        first = screen.event
        assert first >= 10
        await screen.command("back 10")
        assert screen.event == 0
        await screen.command("si 3")
        assert screen.event == 3


async def test_a_loop_by_its_variable(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_parenthesis", "left_parenthesis")
        await screen.command("loop h")
        assert "h=0" in screen.text("where")
        await screen.command("loop h")
        assert "h=1" in screen.text("where")
        await screen.command("loop h -1")
        assert "h=0" in screen.text("where")


# -- going somewhere --------------------------------------------------------------------------


async def test_g_asks_where_and_goes_there(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        await screen.press("g")
        assert screen.app.screen_stack[0].query_one("#prompt").display
        await screen.press("1", "colon", "1", "0", "0", "enter")
        assert (screen.debugger.trace.number, screen.event) == (1, 99)
        await screen.press("backspace")
        assert screen.debugger.trace.number == 2
        await screen.command("goto loss")
        assert "this episode has no loss; it has start, forward, end so far" in screen.bottom
        await screen.command("1:5")
        assert screen.event == 4


@pytest.mark.parametrize(
    ("keys", "event"),
    [
        ((":", *"goto 1:100", "enter"), 99),
        ((":", *"goto 1:100", "enter", "s", "s", "S", ":", *"goto 1:200", "enter"), 199),
        ((":", *"sss", "escape", ":", *"1:50", "enter"), 49),
        (("g", *"1:70", "enter", "left", "right"), 69),
    ],
    ids=["a command", "keys after it", "left without one", "an argument asked for"],
)
async def test_keys_typed_faster_than_the_screen_can_follow_are_not_lost(
    launch: Launch, keys: tuple[str, ...], event: int
) -> None:
    named = {":": "colon", " ": "space"}
    async with opened(launch) as screen:
        await screen.press("greater_than_sign")
        for key in keys:
            screen.app.post_message(events.Key(named.get(key, key), key if len(key) == 1 else None))
        for _ in range(3):
            await screen.settle()
        assert (screen.debugger.trace.number, screen.event) == (1, event)
        assert not screen.app.main.query_one("#prompt").display


async def test_what_cannot_be_done_is_said_in_one_line(launch: Launch) -> None:
    async with opened(launch) as screen:
        for command, said in (
            ("goto nowhere", "no moment. Write 3"), ("goto :999999999", "events 1 to"),
            ("frobnicate", "no command"),
            ("step x", "no count"), ("loop zz", "no loop"), ("quit now", "takes no argument"),
        ):  # fmt: skip
            await screen.command(command)
            assert said in screen.bottom, command
        assert screen.app.is_running


async def test_the_command_line_completes_remembers_and_can_be_left(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("step 2")
        at = screen.event
        await screen.pilot.press("colon")
        await screen.pilot.pause()
        await screen.pilot.press("up", "enter")
        await screen.settle()
        assert screen.event >= at + 2
        await screen.pilot.press("colon", "f", "i", "n", "i", "tab")
        await screen.pilot.pause()
        assert screen.app.query_one("#command").value == "finish "
        before = screen.event
        await screen.press("escape")
        assert not screen.app.screen_stack[0].query_one("#prompt").display
        assert screen.event == before
        await screen.press("s")
        assert screen.event > before


async def test_enter_follows_a_value_to_where_it_was_made_and_backspace_returns(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_parenthesis", "4", "down")
        pane = screen.app.query_one(ValuePane)
        target = pane.target()
        assert target is not None
        assert target.node >= 0
        here = screen.debugger.moment
        await screen.press("enter")
        assert screen.debugger.moment != here
        assert screen.debugger.trace.node_of(screen.event) == target.node
        await screen.press("backspace")
        assert screen.debugger.moment == here


# -- the panes --------------------------------------------------------------------------------


async def test_numbers_focus_the_panes(launch: Launch) -> None:
    async with opened(launch) as screen:
        for name, key, *_ in (*LEFT, *RIGHT):
            await screen.press(key)
            assert screen.app.screen_stack[0].focused.has_class(f"pane-{name}"), name
            assert screen.app.screen_stack[0].focused.view is not None, name


async def test_tab_goes_round_the_panes(launch: Launch) -> None:
    async with opened(launch) as screen:
        seen = []
        for _ in range(4):
            await screen.press("tab")
            seen.append(next(c for c in screen.app.screen_stack[0].focused.classes if c.startswith("pane-")))
        assert seen == ["pane-source", "pane-where", "pane-variables", "pane-value"]
        await screen.press("shift+tab")
        assert screen.app.screen_stack[0].focused.has_class("pane-variables")


async def test_the_source_marks_the_sub_expression_and_counts_what_lines_have_made(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "S")
        trace = screen.debugger.trace
        pane = screen.app.query_one(SourcePane)
        made = sum(pane._counts.values())
        assert made == len(trace.born)
        site = trace.site_of(trace.node_of(screen.event))
        current = next(line for line in screen.text("source").splitlines() if "▶" in line)
        assert f"{site.line}" in current


async def test_in_a_backward_pass_the_source_shows_the_write_and_the_forward_place(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "s", "s", "s")
        trace = screen.debugger.trace
        assert trace.kind[screen.event] == ACCUMULATE
        pane = screen.app.query_one(SourcePane)
        assert ".grad +=" in trace.program.line_text(0, pane.marks.here.line)
        assert pane.marks.reached == trace.site_of(trace.node_of(screen.event))
        assert "◀" in screen.text("source")
        assert "of " in screen.text("where")


async def test_the_ledger_lists_every_contribution_and_marks_the_current_one(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "right_square_bracket")
        trace = screen.debugger.trace
        node = max(range(trace.first_node, trace.end_node), key=lambda n: len(trace.writes_of(n)))
        rows = list(trace.writes_of(node))
        await screen.command(f"goto :{trace.write_event[rows[1]] + 1}")
        shown = screen.text("value")
        ledger = shown[shown.index("gradient ledger") :].splitlines()
        assert ledger[2].startswith("▶   2")
        assert "not yet" in ledger[3]
        assert f"2 of {len(rows)} contributions" in shown
        await screen.command(f"goto :{trace.write_event[rows[-1]] + 1}")
        assert "not yet" not in screen.text("value")
        await screen.press("4", "v")
        total = trace.grad_at(node, len(trace) - 1)
        screen.app.query_one(ValuePane).scroll_end(animate=False)
        page = "\n".join("".join(s.text for s in line) for line in screen.app.query_one(ValuePane)._lines)
        assert repr(total) in page


async def test_an_update_shows_the_optimizers_numbers(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "right_square_bracket")
        for _ in range(3):
            if screen.debugger.trace.kind[screen.event] == UPDATE:
                break
            await screen.press("s")
        shown = screen.text("value")
        for name in ("p.data -=", "lr_t", "grad_hat", "sq_hat", "→"):
            assert name in shown


async def test_a_sample_shows_its_draw(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.command("goto sample 1")
        trace = screen.debugger.trace
        await screen.press("greater_than_sign")
        trace = screen.debugger.history.traces[trace.index]
        await screen.command(f"goto sample 1:{trace.sample_event[0] + 1}")
        shown = screen.text("value")
        assert "a draw" in shown
        assert "chosen" in shown
        assert "falls into" in shown
        assert "▶" in shown


async def test_variables_open_and_lead_to_their_nodes(launch: Launch) -> None:
    async with opened(launch) as screen:
        pane = screen.app.query_one(VariablesPane)
        await screen.press("3")
        for _ in range(30):
            await screen.press("down")
            if pane.target() is not None and pane.target().key == "tok_emb":
                break
        await screen.press("enter")
        assert "[0]" in screen.text("variables")
        await screen.press("down", "down")
        assert screen.app.view().node == pane.target().node
        assert "wte[" in screen.text("value")


async def test_where_leads_to_the_start_of_a_scope(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_parenthesis", "n", "n", "2", "up", "up")
        target = screen.app.screen_stack[0].focused.target()
        await screen.press("enter")
        assert screen.event == target.event


async def test_output_shows_what_was_printed_up_to_the_moment(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("0")
        assert "num docs: 6" in screen.text("output")
        assert "num params" in screen.text("output")
        await screen.command("goto setup:1")
        assert "num docs: 6" in screen.text("output")
        assert "num params" not in screen.text("output")
        pane = screen.app.query_one(OutputPane)
        await screen.command("goto setup:2")
        await screen.press("up")
        pane.selected = 0
        await screen.press("enter")
        assert screen.event == 0


async def test_a_click_in_the_timeline_goes_there(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("right_square_bracket", "right_square_bracket")
        line = screen.app.query_one(Timeline)
        assert "backward" in "".join(s.text for s in line.render_line(0))
        await screen.pilot.click(Timeline, offset=(3, 0))
        await screen.settle()
        assert screen.event < len(screen.debugger.trace) / 20
        trace = screen.debugger.trace
        assert line.event_at(trace, line.column_of(trace, 5000)) == pytest.approx(5000, abs=len(trace) / 50)


async def test_a_click_on_a_tab_shows_its_pane(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.app.action_tab("output", 0)
        await screen.settle()
        assert screen.app.main.panel(0).active == "output"


# -- running ----------------------------------------------------------------------------------


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


# -- breakpoints, through the same keys ---------------------------------------------------------


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


# -- help, palette, quitting ------------------------------------------------------------------


async def test_help_lists_every_command_and_explains_the_focused_pane(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("question_mark")
        text = screen.app.screen.text
        for command in ALL:
            assert f"`{command.usage}`" in text.replace("\\|", "|")
            assert command.help in text
        assert "gradient ledger" in text
        await screen.press("escape")
        assert len(screen.app.screen_stack) == 1
        await screen.press("1", "question_mark")
        assert "statement being executed" in screen.app.screen.text


async def test_the_palette_runs_a_command(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.press("ctrl+p")
        for key in "operation on":
            await screen.pilot.press("space" if key == " " else key)
        await screen.pilot.pause(0.3)
        await screen.pilot.press("enter")
        await screen.settle()
        assert screen.event == 1


async def test_q_ends_the_session(launch: Launch) -> None:
    async with opened(launch) as screen:
        await screen.pilot.press("q")
        await screen.pilot.pause()
        assert screen.app.return_value == 0


# -- sizes ------------------------------------------------------------------------------------


async def test_on_80x24_tab_flips_between_the_sides(launch: Launch) -> None:
    async with opened(launch, (80, 24)) as screen:
        assert screen.app.main.panel(0).display
        assert screen.app.main.panel(0).size.width >= 76
        assert not screen.app.query_one("#left").display
        await screen.press("tab")
        assert screen.app.query_one("#left").display
        assert all(panel.pane.size.height >= 2 for panel in screen.app.query(LeftPanel))
        await screen.press("s")
        assert "▶" in screen.text("source")
        await screen.press("tab")
        assert not screen.app.query_one("#left").display
        await screen.press("3")
        assert screen.app.screen_stack[0].focused.has_class("pane-variables")
        assert screen.app.query_one("#left").display


async def test_wide_terminals_show_two_tabs_side_by_side(launch: Launch) -> None:
    async with opened(launch, (180, 50)) as screen:
        first, second = screen.app.query(RightPanel)
        assert second.display
        assert second.size.width > 50
        await screen.press("0")
        assert first.active == "output"
        await screen.press("5")
        assert screen.app.screen_stack[0].focused in second.panes.values()
        assert first.active == "output"


@pytest.mark.parametrize("size", [(59, 24), (80, 15)])
async def test_a_terminal_that_is_too_small_says_so(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        assert screen.app.query_one("#small").display
        assert not screen.app.query_one("#body").display
        await screen.pilot.resize_terminal(100, 30)
        await screen.settle()
        assert not screen.app.query_one("#small").display
        assert "▶" in screen.text("source")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (100, 30), (120, 40), (180, 50)])
async def test_no_line_is_wider_than_its_pane(launch: Launch, size: tuple[int, int]) -> None:
    async with opened(launch, size) as screen:
        await screen.press("right_square_bracket", "s")
        for pane in screen.app.main.visible_panes():
            for y in range(pane.size.height):
                assert pane.render_line(y).cell_length == pane.size.width


# -- refusals ---------------------------------------------------------------------------------


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

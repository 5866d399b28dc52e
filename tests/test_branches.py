"""Branches: the run goes on from a change at any moment of any step, and its own run is come back to."""

from __future__ import annotations

from pathlib import Path

import pytest
from control_fixtures import give, said
from test_travel import NODE, STEP, digest, ended, launch, scripted

from microgpt_tui.session.commands import execute
from microgpt_tui.session.commands.command import CommandError
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.variables import in_scope


def losses(debugger: Debugger) -> list[float | None]:
    return [s.loss for s in debugger.history.steps]


def test_a_number_is_set_in_a_step_of_the_past_and_the_run_goes_on_from_it(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    own = losses(debugger)
    text = said(debugger, "goto 4:700", "set lm_head[0][0] = 0.5")
    assert "altered from here on in branch b1" in text
    assert "by no line of the script" in text
    assert str(debugger.name_of(debugger.moment)) == "4:701", "the change itself is an event"
    assert said(debugger, "print state_dict['lm_head'][0][0].data") == "0.5"
    give(debugger, "run")
    assert debugger.over
    assert losses(debugger)[:3] == own[:3]
    assert len(losses(debugger)) == len(own)
    assert losses(debugger)[4:] != own[4:]
    give(debugger, "branch main")
    assert losses(debugger) == own
    assert str(debugger.name_of(debugger.moment)) == "4:700"
    debugger.close()


def test_setting_what_it_is_already_changes_nothing(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    own, output = losses(debugger), debugger.process.output(0)
    give(debugger, "goto 5:300")
    assert debugger.trace is not None
    value = execute(debugger, "goto 5:300").data["data"]
    name = execute(debugger, "where").data["name"]
    give(debugger, f"set {name} = {value!r}", "run")
    assert losses(debugger) == own
    assert debugger.process.output(0) == output
    debugger.close()


def test_a_branch_travels_in_its_own_past(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    give(debugger, "goto 3:400", "set lm_head[0][0] = 0.5", "run", "goto 6")
    assert debugger.history.differing == []
    trace = debugger.trace
    assert trace is not None
    assert trace.loss() == losses(debugger)[5]
    give(debugger, "goto 2")
    before = digest(debugger.trace) if debugger.trace is not None else ""
    give(debugger, "branch", "goto 2")
    assert debugger.trace is not None
    assert digest(debugger.trace) == before, "the part that they share"
    give(debugger, "goto 6")
    assert debugger.trace is not None
    assert debugger.trace.loss() == losses(debugger)[5]
    debugger.close()


def test_a_live_step_is_left_too_and_undo_goes_back(tmp_path: Path) -> None:
    debugger = Debugger(launch(tmp_path))
    debugger.wait()
    give(debugger, "goto 1:500")
    text = said(debugger, "set lm_head[0][0] = 3")
    assert "in branch b1" in text
    assert "b1" in said(debugger, "branches")
    give(debugger, "step", "step")
    text = said(debugger, "undo")
    assert "b1" in text
    assert "is gone" in text
    assert str(debugger.name_of(debugger.moment)) == "1:500"
    with pytest.raises(CommandError, match="nothing was changed"):
        give(debugger, "undo")
    assert said(debugger, "print state_dict['lm_head'][0][0].data") != "3.0"
    debugger.close()


def test_branches_are_listed_with_where_what_and_how_far(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    give(debugger, "goto 4:700", "set lm_head[0][0] = 0.5", "run")
    lines = said(debugger, "branches").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("  main")
    assert lines[1].startswith("▶ b1")
    for part in ("from main at 4:700", "lm_head[0][0] = 0.5", "9 steps", "loss "):
        assert part in lines[1]
    with pytest.raises(CommandError, match="no branch “x”"):
        give(debugger, "branch x")
    debugger.close()


def test_a_statement_is_executed_in_the_scripts_frame(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    give(debugger, "goto 3:backward", "exec learning_rate = 0.0", "run")
    frozen = [s.data for s in debugger.history.steps]
    assert frozen[2] == frozen[5] == frozen[8]
    give(debugger, "undo")
    assert len(debugger.branches) == 1
    with pytest.raises(CommandError, match="not a statement"):
        give(debugger, "exec learning_rate =")
    with pytest.raises(CommandError, match="NameError"):
        give(debugger, "exec learning_rate = nothing_here")
    assert len(debugger.branches) == 1, "a statement that fails leaves no branch"
    debugger.close()


def test_a_statement_inside_a_function_binds_its_variable(tmp_path: Path) -> None:
    head = "def train(n):\n    rate = 0.01\n    for step in range(n):\n"
    path = tmp_path / "script.py"
    path.write_text(
        f"{NODE}\n{head}        loss = weights[0] * weights[1]\n        loss.backward()\n        for w in weights:\n"
        "            w.data -= rate * w.grad\n            w.grad = 0.0\n\ntrain(6)\n",
        encoding="utf-8",
    )
    debugger = ended(Launch(path))
    give(debugger, "goto 3:backward", "exec rate = 0.0", "run")
    frozen = [s.data for s in debugger.history.steps]
    assert frozen[1] == frozen[2] == frozen[5]
    debugger.close()


def test_a_branch_touches_no_file_of_the_users(tmp_path: Path) -> None:
    out = tmp_path / "out"
    body = f"    if step == 6:\n        print(step, file=open({str(out)!r}, 'a'), flush=True)\n"
    debugger = scripted(tmp_path, body)
    assert out.read_text() == "6\n"
    give(debugger, "goto 3:1", "exec weights[0].data = 0.125", "run")
    stop = debugger.history.stop
    assert stop is not None
    assert stop.reason == "withheld"
    assert "touches nothing of yours" in said(debugger, "where")
    assert out.read_text() == "6\n"
    debugger.close()


def test_the_step_in_which_it_left_is_its_own(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    give(debugger, "goto 4:700", "set lm_head[0][0] = 0.5", "run", "goto 4:end")
    assert debugger.trace is not None
    assert debugger.trace.loss() == losses(debugger)[3]
    assert [s.data for s in debugger.history.steps][3] != [s.data for s in debugger.branches[0].history.steps][3]
    assert "lm_head[0][0]" in said(debugger, "goto 4:701", "where"), "the change is in it"
    debugger.close()


def test_a_copy_of_the_parents_does_not_run_on_into_the_branch(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    own = losses(debugger)
    give(debugger, "goto 4:10", "set lm_head[0][0] = 0.5", "run", "goto 3", "goto 5")
    assert debugger.trace is not None
    assert debugger.trace.loss() == losses(debugger)[4] != own[4]
    give(debugger, "goto 2", "goto 3", "goto 4", "goto 5", "goto 6")
    assert debugger.trace is not None
    assert debugger.trace.loss() == losses(debugger)[5] != own[5]
    assert debugger.history.differing == []
    give(debugger, "goto 2:1", "find op:log if data < -1e300")
    with pytest.raises(CommandError, match="no more of them"):
        give(debugger, "findnext")
    assert debugger.history.differing == [], "a search from the parent's steps into its own"
    debugger.close()


def test_a_branch_of_a_branch_that_left_in_the_same_step(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    give(debugger, "goto 4:700", "set lm_head[0][0] = 0.5", "run", "goto 4:900")
    give(debugger, "set lm_head[0][1] = 0.25")
    assert said(debugger, "print state_dict['lm_head'][0][0].data") == "0.5", "what its parent had changed is changed"
    give(debugger, "run", "goto 4:end")
    assert debugger.trace is not None
    assert debugger.trace.loss() == losses(debugger)[3]
    debugger.close()


def variable(debugger: Debugger, name: str) -> float | int | None:
    trace = debugger.trace
    assert trace is not None
    return next((v.value for v in in_scope(trace, debugger.moment.event) if v.name == name), None)


def test_a_variable_that_a_statement_has_bound_is_shown(tmp_path: Path) -> None:
    debugger = ended(launch(tmp_path))
    give(debugger, "goto 3:backward")
    assert variable(debugger, "learning_rate") == 0.01
    give(debugger, "exec learning_rate = 0.5")
    assert variable(debugger, "learning_rate") == 0.5
    give(debugger, "step")
    assert variable(debugger, "learning_rate") == 0.5
    give(debugger, "run", "goto 5:backward")
    assert variable(debugger, "learning_rate") == 0.5
    give(debugger, "branch main", "goto 5:backward")
    assert variable(debugger, "learning_rate") == 0.01
    debugger.close()


def test_a_variable_of_a_function_that_a_statement_has_bound_is_shown(tmp_path: Path) -> None:
    head = "def train(n):\n    rate = 0.01\n    for step in range(n):\n"
    path = tmp_path / "script.py"
    path.write_text(
        f"{NODE}\n{head}        loss = weights[0] * weights[1]\n        loss.backward()\n        for w in weights:\n"
        "            w.data -= rate * w.grad\n            w.grad = 0.0\n\nrate = 5\ntrain(6)\n",
        encoding="utf-8",
    )
    debugger = ended(Launch(path))
    give(debugger, "goto 3:backward", "exec rate = 0.25", "step")
    assert variable(debugger, "rate") == 0.25
    debugger.close()


def test_a_moment_among_the_gradients_of_an_operation_with_many_operands(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    wide = (
        "def total(nodes):\n    return Value(sum(n.data for n in nodes), tuple(nodes), (1.0,) * len(nodes))\n\n"
        "for step in range(5):\n    loss = total([total([w * w for _ in range(400)]) for w in weights])\n"
    )
    path.write_text(f"{NODE}\n{wide}{STEP.partition('weights[2]' + chr(10))[2]}", encoding="utf-8")
    debugger = ended(Launch(path))
    give(debugger, "goto 3:end")
    assert debugger.trace is not None
    count = len(debugger.trace)
    assert count > 3000
    for event in (1250, 1700, 2500, count - 3):
        give(debugger, f"goto 3:{event}", "set weights[0] = 0.75")
        assert str(debugger.name_of(debugger.moment)) == f"3:{event + 1}"
        give(debugger, "undo")
    debugger.close()


def test_a_statement_inside_a_function_binds_what_is_the_modules(tmp_path: Path) -> None:
    """At a step's first event the script is in ``gpt``: the learning rate is not its own."""
    debugger = ended(launch(tmp_path))
    own = losses(debugger)
    give(debugger, "goto 3:1", "exec learning_rate = 0.5")
    assert variable(debugger, "learning_rate") == 0.5
    give(debugger, "run")
    assert losses(debugger)[:3] == own[:3]
    assert losses(debugger)[3:] != own[3:]
    debugger.close()


def test_a_statement_binds_the_variable_of_the_function_that_has_called(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        f"{NODE}\ndef model(a, b):\n    return a * b\n\ndef train(n):\n    rate = 0.01\n    for step in range(n):\n"
        "        loss = model(weights[0], weights[1])\n        loss.backward()\n        for w in weights:\n"
        "            w.data -= rate * w.grad\n            w.grad = 0.0\n\ntrain(6)\n",
        encoding="utf-8",
    )
    debugger = ended(Launch(path))
    give(debugger, "goto 3:1", "exec rate = 0.0")
    assert variable(debugger, "rate") == 0.0
    give(debugger, "run")
    frozen = [s.data for s in debugger.history.steps]
    assert frozen[1] == frozen[2] == frozen[5]
    debugger.close()

"""The Python API: its page's examples, and that it says what the other front ends say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import microgpt_tui
from microgpt_tui.cli import main

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "sample_data" / "scripts" / "scalar_main.py"
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
NAMES = ROOT / "src" / "microgpt_tui" / "programs" / "names.txt"


@pytest.fixture(scope="module")
def run() -> microgpt_tui.Run:
    """Two steps of the bundled GPT."""
    return microgpt_tui.record(steps=2)


def test_the_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gpt.py").write_text((ROOT / "src/microgpt_tui/programs/microgpt.py").read_text("utf-8"), "utf-8")
    (tmp_path / "input.txt").write_bytes(NAMES.read_bytes())
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(code) == 5
    exec(compile("\n".join(code), "docs/api.md", "exec"), {})
    assert (tmp_path / "model.svg").stat().st_size > 1000


def test_it_needs_no_screen_and_no_numpy() -> None:
    code = "import microgpt_tui, sys; microgpt_tui.Run; "
    code += "print([m for m in ('textual', 'rich', 'numpy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_the_losses_are_the_published_ones(run: microgpt_tui.Run) -> None:
    assert run.losses[:1] == [run.step(1).loss]
    assert run.steps == [1, 2]
    assert run.samples == []
    assert "step    2" in run.output
    assert repr(run) == "microgpt.py: 2 training steps; recorded: setup, step 1-2"


def test_a_moment_is_what_show_prints(
    run: microgpt_tui.Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["show", "--at", "2:backward"]) == 0
    assert str(run.step(2).at("backward")).strip() == capsys.readouterr().out.strip()


def test_weights_are_buffers_in_their_shapes(run: microgpt_tui.Run) -> None:
    before, after = run.step(1).at("backward").weights, run.step(1).weights
    assert after["wte"].shape == (27, 16)
    assert (after["wte"].format, after["wte"].itemsize, after["wte"].readonly) == ("d", 8, True)
    assert before["wte"] != after["wte"]
    assert run.step(2).at(1).weights["lm_head"] == after["lm_head"]
    flat = run.weights_after(1)
    assert flat is not None
    assert sum(len(m.tolist()) * len(m.tolist()[0]) for m in after.values()) == len(flat) == 4192
    grads = run.step(1).at("backward").gradients["wte"].tolist()
    node = run.step(1).at("backward").node("wte[26][0]")
    assert grads[26][0] == node.grad == [c for c in node.ledger if c.done][-1].total


def test_a_value_knows_its_neighbours(run: microgpt_tui.Run) -> None:
    value = run.step(1).at("backward").node("q[3]")
    assert value.op == "add"
    assert value.data == sum(o.data for o in value.operands)
    assert value.number in [o.number for o in value.users[0].operands]
    assert "q[3]" in value._repr_html_()
    assert "<table>" in run._repr_html_()


def test_what_is_not_there_is_told(run: microgpt_tui.Run, tmp_path: Path) -> None:
    with pytest.raises(microgpt_tui.InputError, match="not in the recording; recorded: setup, step 1-2"):
        run.step(7)
    with pytest.raises(microgpt_tui.InputError, match=r"has no never|no such"):
        run.step(1).at("never")
    with pytest.raises(microgpt_tui.InputError, match="nosuch"):
        run.step(1).at("end").node("nosuch[1]")
    with pytest.raises(microgpt_tui.InputError, match="there are model"):
        run.step(1).at("end").graph("nothing")
    with pytest.raises(microgpt_tui.InputError, match="no such file"):
        microgpt_tui.record(tmp_path / "no.py")
    with pytest.raises(microgpt_tui.InputError, match=r"No such file.*Give the path of a recording"):
        microgpt_tui.open(tmp_path / "no.mgt")
    with pytest.raises(KeyError, match="there are wte"):
        run.step(1).weights["wq"]


def test_a_kept_recording_is_opened_again_and_needs_the_script_for_a_check(tmp_path: Path) -> None:
    path = tmp_path / "run.mgt"
    with microgpt_tui.record(SCRIPT, steps=1, to=path) as first:
        losses = first.losses
    with microgpt_tui.open(path) as again:
        assert again.losses == losses
        assert again.script == "scalar_main.py"
        assert again.source == SCRIPT.read_text("utf-8")
        assert again.step(1).at("backward").graph("cone", node="loss")._repr_svg_().startswith("<svg")
        with pytest.raises(microgpt_tui.InputError, match="check runs the script itself"):
            again.check()


def test_a_script_that_fails_leaves_what_was_recorded(tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    shutil.copy(SCRIPT.parent / "engine_tiny.py", tmp_path)
    text = (SCRIPT.parent / "mlp_only.py").read_text("utf-8")
    script.write_text(text.replace('    print(f"step', '    assert step < 1\n    print(f"step'), "utf-8")
    run = microgpt_tui.record(script, data=NAMES)
    assert run.steps == [1, 2]
    assert run.losses[0] == run.step(1).loss
    assert len(run.step(2)) > 1000
    run.close()

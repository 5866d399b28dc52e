"""``microgpt-tui export``: from the command line to a file, without Textual."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from microgpt_tui.cli import main
from microgpt_tui.graph import engines

SMALL = ["--set", "n_embd=8", "--set", "n_head=2"]


def run(*words: str) -> int:
    return main(["export", *SMALL, *words])


def test_a_picture_of_a_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not engines.engines():
        pytest.skip("no Graphviz here")
    path = tmp_path / "layer.svg"
    assert run("--at", "2:end", "--what", "layer", "--node", "attn_logits[1]", "--theme", "dark", "-o", str(path)) == 0
    assert f"Wrote {path}" in capsys.readouterr().out
    text = path.read_text()
    assert "layer li=0" in text
    assert "step 2:" in text


def test_moments_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "cone.json"
    assert run("--at", "1:1200", "--what", "cone", "-o", str(path)) == 0
    assert json.loads(path.read_text())["moment"] == {"episode": "step", "number": 1, "event": 1200}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "1:5"], "-o FILE"),
        (["--at", "1:1200", "--what", "scalars", "-o", "x.svg"], ".dot or .json"),
        (["--at", "1:1200", "--node", "nobody[3]", "-o", "x.svg"], "no value is called 'nobody[3]'"),
        (["--at", "1:1200", "--what", "slice", "-o", "x.dot"], "--to NODE"),
        (["--at", "1:1200", "--what", "paths", "--node", "lm_head[0][0]", "-o", "x.dot"], "no path leads"),
        (["--at", "1:99999999", "-o", "x.dot"], "events"),
        (["--at", "soon", "-o", "x.dot"], "3:1200"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) != 0
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_textual_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from microgpt_tui.cli import main; "
        f"main(['export', '--set', 'n_embd=8', '--at', '1:900', '-o', {str(tmp_path / 'x.dot')!r}]); "
        "sys.exit('textual' in sys.modules or 'rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
    assert (tmp_path / "x.dot").exists()


# -- the screen, and what takes long ---------------------------------------------------------------


def test_the_screen_of_a_moment_is_written_without_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "screen.svg"
    assert run("--at", "1:1200", "--what", "screen", "--keys", "5", "--screen", "100x30", "-o", str(path)) == 0
    text = path.read_text().replace("&#160;", " ")
    assert "1,200" in text, "the moment"
    assert "around" in text, "the pane that the key has opened"
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", text), "no font from a server"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["-o", "x.png"], "write it as .svg"), (["-o", "x.svg", "--screen", "big"], "120x40"), ([], "say where to")],
)
def test_a_screen_that_cannot_be_written(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--at", "1:1200", "--what", "screen", *words) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_takes_long_says_how_far_it_is_and_can_be_cancelled(tmp_path: Path) -> None:
    """On a terminal; the script's process ends too (a session whose child goes on would never close the terminal)."""
    terminal, other = pty.openpty()
    words = [sys.executable, "-m", "microgpt_tui", "export", "--at", "sample 1:50", "-o", str(tmp_path / "x.svg")]
    process = subprocess.Popen(words, stdin=other, stdout=other, stderr=other, start_new_session=True)
    os.close(other)
    said = b""
    while b"of 1,000" not in said and len(said) < 100_000:
        said += os.read(terminal, 4096)
    assert re.search(rb"training step \d+ of 1,000 .* at most \d+ s to the end of training .* Ctrl\+C cancels", said)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    time.sleep(0.1)
    assert b"cancelled, nothing was written" in os.read(terminal, 100_000)
    os.close(terminal)
    assert not list(tmp_path.iterdir())


# -- names and gradients ---------------------------------------------------------------------------


MLP = """
class Neuron:
    def __init__(self, n):
        self.w = [Var(0.5 + i) for i in range(n)]
        self.b = Var(0.1)
hidden = [Neuron(2), Neuron(2)]
params = [p for n in hidden for p in n.w + [n.b]]
for step in range(2):
    loss = sum((n.w[0] * 2.0 + n.w[1] * n.b for n in hidden), Var(0.0))
    loss.backward()
    for p in params:
        p.data -= 0.1 * p.grad
    for p in params:
        p.grad = 0.0
"""


def test_parameters_are_called_by_the_object_that_holds_them_and_zeroed_grads_are_no_final_ones(tmp_path: Path) -> None:
    script, path = tmp_path / "mlp.py", tmp_path / "mlp.json"
    engine = Path(__file__).parent.parent / "sample_data/scripts/engine_tiny.py"
    script.write_text(engine.read_text() + MLP)
    for at, state in (("1", "final"), ("1:end", "set to zero again")):
        assert main(["export", str(script), "--at", at, "-o", str(path), "--overwrite"]) == 0
        parameters = {b["title"]: b for b in json.loads(path.read_text())["nodes"] if b["kind"] == "parameter"}
        assert set(parameters) == {f"hidden[{i}].{p}" for i in (0, 1) for p in ("w[0]", "w[1]", "b")}
        assert {b["state"] for b in parameters.values()} == {state}
        if state != "final":
            assert {b["grad"] for b in parameters.values()} == {0}
    assert main(["export", str(script), "--what", "cone", "--node", "hidden[0].b", "-o", str(path), "--overwrite"]) == 0
    assert json.loads(path.read_text())["title"].endswith("hidden[0].b")


# -- the slide -------------------------------------------------------------------------------------


def extent(text: str) -> tuple[float, float]:
    """The parts of a slide's width and height that its boxes span, from the outlines in the SVG."""
    size = re.search(r'width="(\d+)" height="(\d+)"', text)
    assert size is not None
    xs, ys = [], []
    for x, y, steps in re.findall(r'<g id="(?:n\d+|unit\d+)".*?<path d="M([\d.]+) ([\d.]+)([^"]*)"', text, re.S):
        at = [float(x), float(y)]
        for numbers in re.findall(r"[a-z]([^a-z]*)", "m0 0" + steps):
            moves = [float(n) for n in re.findall(r"-?\d*\.?\d+", numbers)][-2:]
            at = [a + m for a, m in zip(at, moves, strict=True)] if moves else at
            xs.append(at[0])
            ys.append(at[1])
    return (max(xs) - min(xs)) / int(size[1]), (max(ys) - min(ys)) / int(size[2])


@pytest.mark.parametrize("what", ["graph", "model"])
def test_a_picture_uses_the_slide_and_a_pdf_is_exactly_the_slide(what: str, tmp_path: Path) -> None:
    script = tmp_path / "mlp.py"
    engine = Path(__file__).parent.parent / "sample_data/scripts/engine_tiny.py"
    script.write_text(engine.read_text() + MLP)
    words = ["export", *([str(script)] if what == "graph" else SMALL), "--what", what, "-o"]
    assert main([*words, str(tmp_path / "x.svg")]) == 0
    wide, high = extent((tmp_path / "x.svg").read_text())
    assert wide >= 0.7
    assert high >= 0.7
    assert main([*words, str(tmp_path / "x.pdf"), "--size", "4:3"]) == 0
    pdf = (tmp_path / "x.pdf").read_bytes()
    assert b"/MediaBox [0 0 720 540]" in pdf
    assert b"/Font" not in pdf, "letters are outlines: no font can be missing"


def test_frames_carry_the_class_whose_objects_are_called(tmp_path: Path) -> None:
    script, path = tmp_path / "called.py", tmp_path / "called.json"
    engine = Path(__file__).parent.parent / "sample_data/scripts/engine_tiny.py"
    script.write_text(engine.read_text() + CALLED)
    assert main(["export", str(script), "--what", "cone", "--node", "loss", "-o", str(path)]) == 0
    assert "Neuron" in {c["label"] for c in json.loads(path.read_text())["clusters"]}


CALLED = """
class Neuron:
    def __init__(self):
        self.w = Var(0.5)
    def __call__(self, x):
        return (self.w * x + self.w).tanh()
loss = Neuron()(Var(2.0)) * 3.0
loss.backward()
"""


def test_a_cone_that_was_cut_says_so_in_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "cone.svg"
    assert run("--what", "cone", "--node", "q[3]", "--depth", "6", "-o", str(path)) == 0
    assert re.search(r'aria-label="folded from \d+ boxes, so that the text can be read', path.read_text())


def test_a_moment_of_a_sample_is_a_picture_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "sample.svg"
    assert run("--set", "num_steps=2", "--at", "sample 1:50", "-o", str(path)) == 0
    assert min(float(s) for s in re.findall(r'data-size="([\d.]+)"', path.read_text())) >= 13.95

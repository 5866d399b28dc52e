"""``microgpt-tui export``: from the command line to a file, without Textual."""

from __future__ import annotations

import json
import subprocess
import sys
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

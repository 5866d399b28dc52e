"""What a command writes reaches a terminal whatever a script has put into it, in any encoding; a full disk is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.color import Color

from microgpt_tui.headless.terminal import escaped, print_json
from microgpt_tui.protocol.escape import visible, visible_lines
from microgpt_tui.tui.lines import Visible, text

HOSTILE = Path(__file__).parent / "hostile"
COMMAND = (sys.executable, "-m", "microgpt_tui")


def test_control_characters_are_pictures_and_take_as_much_room() -> None:
    evil = "a\x1b[2J\x07\x9b5n\u202eb\x7f\ud800ü"
    assert visible(evil) == "a␛[2J␇�5n�b␡�ü"
    assert len(visible(evil)) == len(evil)
    assert visible("a\nb") == "a␊b"
    assert visible_lines("a\n\tb\r") == "a\n\tb␍"


def test_no_line_of_the_screen_has_a_control_character() -> None:
    assert text("x\x1by").text == "x␛y"
    drawn = Visible().apply([Segment("plain"), Segment("\x1b]0;t\x07")], Color(0, 0, 0))
    assert [s.text for s in drawn] == ["plain", "␛]0;t␇"]


def test_what_is_printed_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with escaped():
        print("a\x1b[31mb")
        print("c\x07", file=sys.stderr)
        print_json({"k\x1b": "\x7f"})
    out, err = capsys.readouterr()
    assert (out, err) == ('a␛[31mb\n{\n "k\\u001b": "\\u007f"\n}\n', "c␇\n")


@pytest.mark.parametrize("encoding", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_an_encoding_without_our_signs_is_no_fault(encoding: dict[str, str]) -> None:
    environment = {**os.environ, "PYTHONCOERCECLOCALE": "0", **encoding}
    for words in (("show", "--at", "1:5"), ("run", "--at", "é"), ("show", "--at", "1:5", "--pane", "graph")):
        done = subprocess.run(
            [*COMMAND, words[0], str(HOSTILE / "plain.py"), *words[1:]],
            env=environment, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert done.stdout or done.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "run", str(HOSTILE / "plain.py")],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.stderr == ("microgpt-tui: what is to be shown cannot be written to stdout: No space left on device.\n")
    assert done.returncode == 2

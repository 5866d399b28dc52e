"""The prompt: commands line by line, from a pipe and at a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "sample_data" / "scripts" / "mlp_only.py"
COMMAND = [sys.executable, "-m", "microgpt_tui", "repl", str(SCRIPT)]


def piped(text: str, *more: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a session whose lines come from a pipe."""
    done = subprocess.run([*COMMAND, *more], input=text, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def test_lines_of_a_pipe_are_commands() -> None:
    status, out, err = piped("step\n# a remark\nwhere\ngoto 1:loss\nquit\nstep\n")
    assert (status, err) == (0, "")
    assert out.count("line ") >= 3
    assert "(1:" not in out  # no prompt
    assert "\x1b" not in out


def test_a_failed_command_is_told_and_the_next_is_given() -> None:
    status, out, _ = piped("nonsense\ngoto 2:end\n")
    assert status == 1
    assert "*** " in out
    assert "2:" in out.splitlines()[-2]


def test_the_scripts_output_is_shown_as_it_comes() -> None:
    _, out, _ = piped("run 2\n")
    assert "step  1 loss" in out
    assert "step  2 loss" in out


def test_commands_of_the_line_and_of_a_file_come_first(tmp_path: Path) -> None:
    file = tmp_path / "start"
    file.write_text("goto 1:loss\n")
    status, out, _ = piped("where\n", "-x", str(file), "-c", "step")
    assert status == 0
    assert out.count("1:") >= 3


def test_the_moment_as_a_screen_reader_hears_it() -> None:
    """Ten moments, line by line: each line is a sentence or a fact, none is drawn with lines or colours."""
    marks = ("1:1", "1:forward", "1:loss", "1:backward", "1:optimizer", "1:end", "2:1", "2:loss", "2:backward", "2:end")
    _, out, _ = piped("".join(f"goto {mark}\nwhere\n" for mark in marks))
    lines = [line for line in out.splitlines() if line.strip()]
    assert sum(line.lstrip().startswith("line ") for line in lines) >= 10
    assert not any(set(line) & set("│╭╮╰╯━▶") for line in lines)


def test_at_a_terminal_there_is_a_prompt_and_enter_repeats(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
    process = subprocess.Popen(COMMAND, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        seen = until(ours, "(1:1) ")
        os.write(ours, b"step\n")
        first = until(ours, ") ")
        os.write(ours, b"\n")
        second = until(ours, ") ")
        assert prompt(first) != prompt(second) != prompt(seen)
        os.write(ours, b"whe\t\n")
        assert "line " in until(ours, ") ")
        os.write(ours, b"quit\n")
        assert process.wait(20) == 0
        assert (tmp_path / "microgpt-tui" / "repl-history").is_file()
    finally:
        process.kill()
        os.close(ours)


def prompt(text: str) -> str:
    return text.rpartition("(")[2]


def until(channel: int, end: str) -> str:
    """What comes until it ends so."""
    found, limit = "", time.monotonic() + 20
    while not found.endswith(end):
        if not select.select([channel], [], [], max(0.0, limit - time.monotonic()))[0]:
            pytest.fail(f"it never came: {end!r} after {found!r}")
        found += os.read(channel, 4096).decode(errors="replace")
    return found

"""Completion: every shell that is here is asked what it would complete."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from microgpt_tui.headless.arguments import PARSERS, SHELLS
from microgpt_tui.headless.completion import completion
from microgpt_tui.session.commands import COMMANDS

ASKED = {
    "microgpt-tui ver": ["verify"],
    "microgpt-tui run --st": ["--stdin", "--steps"],
    "microgpt-tui show --pane att": ["attention"],
    "microgpt-tui export --what mod": ["model"],
    "microgpt-tui run -c finish": ["finish"],
    "microgpt-tui completion z": ["zsh"],
    "microgpt-tui --rea": ["--read-only"],
}


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")


@pytest.fixture
def scripts(tmp_path: Path) -> dict[str, Path]:
    for shell in SHELLS:
        (tmp_path / shell).write_text(completion(shell))
    return {shell: tmp_path / shell for shell in SHELLS}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_it(shell: str, scripts: dict[str, Path]) -> None:
    needs(shell)
    done = subprocess.run([shell, "-n", str(scripts[shell])], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_every_debugger_command_is_in_it(shell: str) -> None:
    text = completion(shell)
    for name in PARSERS:
        assert name in text
    for command in COMMANDS:
        assert command.name in text


@pytest.mark.parametrize(("line", "expected"), ASKED.items())
def test_bash(line: str, expected: list[str], scripts: dict[str, Path]) -> None:
    needs("bash")
    words = line.split()
    quoted = " ".join(f"'{w}'" for w in words)
    asked = f"source {scripts['bash']}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
    asked += '_microgpt_tui 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == expected


@pytest.mark.parametrize(("line", "expected"), ASKED.items())
def test_fish(line: str, expected: list[str], scripts: dict[str, Path], tmp_path: Path) -> None:
    needs("fish")
    done = subprocess.run(
        ["fish", "-c", f"source {scripts['fish']}; complete -C '{line}'"], capture_output=True, text=True, check=True,
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert sorted(row.split("\t")[0] for row in done.stdout.splitlines()) == expected


def test_zsh(scripts: dict[str, Path], tmp_path: Path) -> None:
    """A shell at a terminal: what stands on its line after Tab."""
    needs("zsh")
    master, slave = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path, start_new_session=True,
        env={**os.environ, "TERM": "dumb", "HOME": str(tmp_path), "PS1": "> "},
    )  # fmt: skip
    os.close(slave)
    seen = ""

    def until(wanted: str, seconds: float = 30) -> None:
        nonlocal seen
        end = time.monotonic() + seconds
        while wanted not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x00-\x1f]", "", seen):
            assert time.monotonic() < end, seen
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 4096).decode("utf-8", "replace")

    try:
        os.write(master, f"autoload -U compinit; compinit -u -D; source {scripts['zsh']}; echo re''ady\n".encode())
        until("ready")
        for line, expected in ASKED.items():
            if len(expected) == 1:
                seen = ""
                os.write(master, f"{line}\t".encode())
                until(expected[0])
                os.write(master, b"\x15")
    finally:
        os.close(master)
        shell.kill()
        shell.wait()

"""What is imported when: no screen library without a screen, the standard library alone beside the script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import BUNDLED, SAMPLES

MLP = str(SAMPLES / "scripts" / "mlp_only.py")
WATCH = (
    "import atexit, os, sys\n"
    "from microgpt_tui.cli import main\n"
    "atexit.register(lambda: open(os.environ['LOADED'], 'w').write('\\n'.join(sys.modules)))\n"
    "sys.exit(main(sys.argv[1:]))\n"
)


def modules_of(tmp_path: Path, *words: str) -> set[str]:
    """Top-level modules that a command line imports."""
    loaded = tmp_path / "loaded"
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *words], env={"LOADED": str(loaded), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.returncode in (0, 1, 2), done.stderr
    return {line.split(".")[0] for line in loaded.read_text().splitlines()} | set(loaded.read_text().splitlines())


@pytest.mark.parametrize(
    "words",
    [
        ("--help",), ("--version",), ("run", "--help"), ("verify", "--help"), ("show", "--help"), ("new", "--help"),
        ("new", "copy.py"), ("nosuch.py",), (str(BUNDLED),), ("run", MLP, "--steps", "1"),
        ("show", MLP, "--at", "1:5"), ("run", MLP, "--steps", "1", "-c", "step"), ("verify", MLP, "--steps", "1"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_headless_commands_import_no_screen(words: tuple[str, ...], tmp_path: Path) -> None:
    found = modules_of(tmp_path, *words)
    assert not found & {"textual", "rich", "graphviz", "pygraphviz"}
    assert "microgpt_tui.debuggee" not in found, "the script's side runs in its own process"


def test_help_imports_next_to_nothing(tmp_path: Path) -> None:
    found = modules_of(tmp_path, "--help")
    assert not found & {"subprocess", "tempfile", "json", "asyncio", "importlib.metadata"}
    ours = {m.removeprefix("microgpt_tui.") for m in found if m.startswith("microgpt_tui.")}
    assert ours <= {"cli", "headless", "headless.arguments", "headless.terminal", "protocol", "protocol.escape"}


def test_beside_the_script_there_is_the_standard_library_alone() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "import microgpt_tui.debuggee.run.runner, microgpt_tui.debuggee.run.observe; "
        "print(*{m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names)"
    )
    root = str(BUNDLED.parents[2])
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, root], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"microgpt_tui", "__main__"}

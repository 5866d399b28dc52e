"""Where things are, the Pythons of this machine, running a script bare and recorded."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from microgpt_tui.protocol import goals
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "sample_data"
BUNDLED = ROOT / "src" / "microgpt_tui" / "programs" / "microgpt.py"
NAMES = SAMPLES / "names.txt"


def _pythons() -> dict[str, str]:
    """The Pythons found on PATH or under pyenv, by version; the one that runs the tests first."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = {here: sys.executable}
    for version in ("3.11", "3.12", "3.13"):
        under_pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}"))
        on_path = shutil.which(f"python{version}")
        for candidate in (*map(str, under_pyenv), on_path):
            if version not in found and candidate and _works(candidate, version):
                found[version] = candidate
    return dict(sorted(found.items()))


def _works(python: str, version: str) -> bool:
    told = subprocess.run([python, "-V"], capture_output=True, text=True, check=False)  # a pyenv shim may be empty
    return told.returncode == 0 and told.stdout.startswith(f"Python {version}.")


PYTHONS = _pythons()


@dataclass(frozen=True)
class Ended:
    """How a run ended, for comparing: all that the world outside can see of it."""

    stdout: str
    stderr: str
    status: int | None


def run_bare(script: Path, *args: str, python: str = sys.executable, cwd: Path | None = None) -> Ended:
    """``python SCRIPT ARGS``."""
    done = subprocess.run(
        [python, str(script), *args], capture_output=True, stdin=subprocess.DEVNULL, cwd=cwd, check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"}, timeout=120,
    )  # fmt: skip
    return Ended(done.stdout.decode(), done.stderr.decode(), done.returncode)


def run_recorded(script: Path, *args: str, python: str = sys.executable, **launch: object) -> Ended:
    """The same under the recorder, everything recorded, to the end."""
    os.environ["PYTHONHASHSEED"] = "0"
    debugger = Debugger(Launch(script, list(args), python=python, goal=goals.End(), **launch))  # type: ignore[arg-type]
    try:
        debugger.wait()
        status = debugger.process.end()
        process = debugger.process
        return Ended(process.output(0).decode(), process.errors().decode(), status)
    finally:
        debugger.close()


@dataclass
class Session:
    """An open session with some of its episodes recorded whole."""

    debugger: Debugger

    @property
    def step(self) -> Trace:
        """The first training step, whole."""
        return next(t for t in self.debugger.history.traces.values() if t.episode_kind == "step")

    @property
    def setup(self) -> Trace:
        """The setup."""
        return self.debugger.history.traces[0]


def record(script: Path, steps: int = 1, **launch: object) -> Session:
    """Record so many whole training steps of a script; the script waits behind them."""
    debugger = Debugger(Launch(script, goal=goals.Steps(steps), **launch))  # type: ignore[arg-type]
    debugger.wait()
    return Session(debugger)


SCRIPTS = {
    "local_grads": ("engine/slots", SAMPLES / "scripts" / "scalar_main.py"),
    "closures_tuple": ("closures, tuple", SAMPLES / "scripts" / "closures_tuple.py"),
    "closures_set": ("closures, set", SAMPLES / "scripts" / "closures_set.py"),
    "whole_sequence": ("no KV cache", SAMPLES / "scripts" / "whole_sequence.py"),
    "mlp_only": ("a module beside it", SAMPLES / "scripts" / "mlp_only.py"),
}
"""Scripts of every design: what it stands for, and where it is."""

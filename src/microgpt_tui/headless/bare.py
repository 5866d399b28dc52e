"""The script without the recorder: as ``python SCRIPT ARGS``, and the same with three looks at its numbers."""

from __future__ import annotations

import json
import time
from array import array
from dataclasses import dataclass, field
from pathlib import Path

from microgpt_tui.protocol import frames
from microgpt_tui.protocol.messages import LossSeen, ParametersSeen
from microgpt_tui.session.folder import RunFolder
from microgpt_tui.session.process import Launch

_OBSERVE = (
    "import sys; sys.path.insert(1, sys.argv.pop(1)); from microgpt_tui.debuggee.run.observe import main; "
    "sys.path.pop(1); main()"
)


@dataclass(slots=True)
class Outcome:
    """What a run printed, how it ended, and which numbers were seen in it."""

    stdout: bytes
    stderr: bytes
    status: int | None
    """None where the run was ended from outside, after enough steps."""
    losses: list[float] = field(default_factory=list)
    """One per backward pass."""
    parameters: dict[int, dict[str, array[float]]] = field(default_factory=dict)
    """Training step (0 for a script without a training loop) -> name -> numbers after it, row-major."""


def run_bare(launch: Launch, *, until: int | None = None) -> Outcome:
    """``python SCRIPT ARGS``; with ``until``, unbuffered, and ended once it has printed so many bytes."""
    with RunFolder(launch.script, launch.data, launch.private_folder, launch.stdin, launch.text) as folder:
        unbuffered = ["-u"] if until is not None else []
        script = ["-m", launch.module] if launch.module else [folder.script]
        return _run([launch.python, *unbuffered, *script, *launch.args], folder, until)


def run_observed(launch: Launch, steps: int) -> Outcome:
    """The script with looks at its losses and parameters; ended after ``steps`` training steps (0: never)."""
    root = str(Path(__file__).resolve().parents[2])
    with RunFolder(launch.script, launch.data, launch.private_folder, launch.stdin, launch.text) as folder:
        seen = folder.path / "seen"
        order = {
            "script": folder.script, "module": launch.module, "args": launch.args, "set": launch.overrides,
            "steps": steps, "out": str(seen),
        }  # fmt: skip
        outcome = _run([launch.python, "-c", _OBSERVE, root, json.dumps(order)], folder, None)
        with seen.open("rb") as handle:
            while True:
                try:
                    message, blobs = frames.unpack(lambda n: _exactly(handle.read(n), n))
                except EOFError:
                    break
                if isinstance(message, LossSeen):
                    outcome.losses.append(message.value)
                elif isinstance(message, ParametersSeen):
                    columns = {}
                    for name, (_, raw) in blobs.items():
                        columns[name] = array("d")
                        columns[name].frombytes(raw)
                    outcome.parameters.setdefault(message.step, columns)
        return outcome


def _exactly(data: bytes, count: int) -> bytes:
    if len(data) < count:
        raise EOFError
    return data


def _run(command: list[str], folder: RunFolder, until: int | None) -> Outcome:
    process = folder.start(command)
    status: int | None = None
    try:
        if until is None:
            status = process.wait()
        else:
            while process.poll() is None and folder.stdout.stat().st_size < until:
                time.sleep(0.01)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        elif until is not None:
            status = process.returncode
    return Outcome(folder.stdout.read_bytes(), folder.stderr.read_bytes(), status)

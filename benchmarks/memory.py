"""Memory: a recorded run against the bare one, over many steps; and of a big model, per event."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from microgpt_tui.protocol import goals
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch

MB = 1 << 20


def status_of(pid: int, field: str) -> int:
    """Bytes of a field of /proc/PID/status (Linux), such as VmRSS or VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def bare_peak(script: Path, corpus: Path, steps: int) -> int:
    """Peak memory of ``python SCRIPT`` in bytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "input.txt").write_bytes(corpus.read_bytes())
        path = folder / "script.py"
        text = script.read_text(encoding="utf-8")
        path.write_text(text.replace("num_steps = 1000", f"num_steps = {steps}"), encoding="utf-8")
        process = subprocess.Popen([sys.executable, str(path)], cwd=folder, stdout=subprocess.DEVNULL)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        return used.ru_maxrss * 1024


def flatness(script: Path, corpus: Path, at: list[int]) -> tuple[list[int], int]:
    """Memory of a free recorded run after so many steps each, and its peak, in bytes."""
    debugger = Debugger(Launch(script, data=corpus, private_folder=True, goal=goals.Steps(at[0], forget=True)))
    found = []
    try:
        for steps in at:
            if steps != at[0]:
                debugger.history.stop = None
                debugger.script.resume((), goals.Steps(steps, forget=True))
            debugger.wait()
            found.append(status_of(debugger.process.popen.pid, "VmRSS"))
        return found, status_of(debugger.process.popen.pid, "VmHWM")
    finally:
        debugger.close()


def big(script: Path, corpus: Path) -> list[str]:
    """One step of a model with n_layer=4 and n_embd=64, recorded whole and opened."""
    start = time.perf_counter()
    settings = {"n_layer": "4", "n_embd": "64"}
    launch = Launch(script, data=corpus, private_folder=True, overrides=settings, goal=goals.Steps(1))
    debugger = Debugger(launch)
    try:
        debugger.wait()
        took = time.perf_counter() - start
        trace = next(t for t in debugger.history.traces.values() if t.episode_kind == "step")
        summary = debugger.history.steps[0]
        start = time.perf_counter()
        trace.grad_at(trace.end_node - 1, len(trace) - 1)
        trace.users(trace.end_node - 1)
        _ = trace.phase_spans
        looked = time.perf_counter() - start
        peak = status_of(debugger.process.popen.pid, "VmHWM")
        return [
            f"- {len(trace.born):,} nodes, {len(trace):,} events; the script's own CPU time {summary.cpu:.1f} s; "
            f"recorded, encoded and here after {took:.1f} s, first look at users and gradients {looked:.1f} s",
            f"- the trace: {trace.nbytes / MB:,.0f} MB, **{trace.nbytes / len(trace):.0f} bytes per event**; "
            f"the script's process: {peak / MB:,.0f} MB at its peak",
        ]
    finally:
        debugger.close()

"""Measure speed and memory against the targets; writes RESULTS.md beside this file.

python benchmarks/run.py            everything (some minutes)
python benchmarks/run.py --quick    fewer steps and rounds, no big model; prints only
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import cost
import latency
import memory
import screen

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "src" / "microgpt_tui" / "programs" / "microgpt.py"
PUBLISHED = ROOT.parent / "shared" / "data" / "names.txt"
CORPUS = PUBLISHED if PUBLISHED.exists() else ROOT / "sample_data" / "names.txt"


def pythons() -> dict[str, str]:
    """The Pythons on this machine, 3.11 to 3.13."""
    found = {}
    for version in ("3.11", "3.12", "3.13"):
        candidates = [str(p) for p in sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python3"))]
        for python in [*candidates, shutil.which(f"python{version}") or ""]:
            if python and subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0:
                found[version] = python
                break
    return found


def main() -> int:
    """Measure, print, and write the results."""
    parser = argparse.ArgumentParser(description="Measure speed and memory against the targets.")
    parser.add_argument("--quick", action="store_true", help="fewer steps and rounds; RESULTS.md stays as it is")
    quick = parser.parse_args().quick
    steps, rounds = (6, 1) if quick else (30, 5)
    lines: list[str] = []

    def say(*text: str) -> None:
        lines.extend(text)
        print(*text, sep="\n", flush=True)

    command = f"python benchmarks/run.py{' --quick' if quick else ''}"
    say(
        "# Benchmarks", "",
        f"Made by `{command}` on {platform.system()} {platform.machine()}, {cost.load()}, with "
        f"the bundled model and {CORPUS.name} ({sum(1 for _ in CORPUS.open(encoding='utf-8')):,} documents).", "",
        "## Cost of recording", "",
        f"CPU time per step of all processes: {steps} steps, interleaved rounds: {rounds}, the best of each; start and",
        "setup off. `run` reports every step; the screen runs freely from its first stop, with its default stops set.",
        "The machine is shared: what counts are the ratios, measured side by side.",
        "",
    )  # fmt: skip
    costs = [cost.measure(p, v, SCRIPT, CORPUS, steps, rounds) for v, p in pythons().items()]
    say(*cost.report(costs), "")

    say("## Memory", "")
    at = [5, 20] if quick else [20, 100, 200]
    bare = memory.bare_peak(SCRIPT, CORPUS, at[0])
    found, peak = memory.flatness(SCRIPT, CORPUS, at)
    say(
        f"- peak of the script's process: bare {bare / memory.MB:.0f} MB, recorded {peak / memory.MB:.0f} MB "
        f"(+{(peak - bare) / memory.MB:.0f}; target ≤ +120)",
        "- recorded, after steps " + ", ".join(f"{s}: {m / memory.MB:.0f} MB" for s, m in zip(at, found, strict=True)),
        "",
    )
    if not quick:
        say("A big model (`--set n_layer=4 --set n_embd=64`), one step:", "", *memory.big(SCRIPT, CORPUS), "")

    say("## Waiting", "")
    pauses = latency.pausing(SCRIPT, CORPUS, 5 if quick else 20)
    whole, cpu, events, jumps = latency.step_and_jumps(SCRIPT, CORPUS)
    sent, recorded, look = latency.border(SCRIPT, CORPUS)
    say(
        f"- a whole step between the processes: {sent / recorded:.1f} bytes per event (target ≤ 30)",
        f"- the first look at its gradients and users: {look * 1000:.0f} ms CPU",
        f"- `--help`: {latency.help_time():.3f} s (target ≤ 0.15)",
        f"- launch to the first operation of training: {latency.opening(SCRIPT, CORPUS):.2f} s (target ≤ 1.5)",
        f"- from a pause to the whole record of the running step, without a screen: median "
        f"{pauses[len(pauses) // 2] * 1000:.0f} ms, longest {pauses[-1] * 1000:.0f} ms",
        f"- a whole step of {events:,} events, executed, encoded and here: {whole:.2f} s (its own CPU {cpu:.2f} s)",
        f"- a jump to a random event of it, with everything `show` says about it: median "
        f"{jumps[len(jumps) // 2] * 1000:.1f} ms, longest {jumps[-1] * 1000:.1f} ms (target ≤ 50)",
        "",
    )
    say(
        "## The screen", "",
        "Wall clock in a real terminal (a pty) of 120×40, from the key to the last byte drawn; at most 120 frames a",
        "second are drawn, so each wait for a frame is up to 8 ms of it. Of a pause the line comes at once,",
        "and everything else when the running step is encoded: all of it, whatever of it is looked at.", "",
        *screen.measure(), "",
    )  # fmt: skip
    if not quick:
        (Path(__file__).parent / "RESULTS.md").write_text("\n".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What control costs: armed breakpoints, reverse-continue, search. Prints a table; run it with the project's Python."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from microgpt_tui.audit.root_cause import first_failure
from microgpt_tui.protocol.conditions import condition
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.breakpoints import find, parse, resolve
from microgpt_tui.trace.find import find as find_nodes
from microgpt_tui.trace.find import read_query

SCRIPT = Path(__file__).resolve().parents[1] / "src/microgpt_tui/programs/microgpt.py"
LINE = str(1 + SCRIPT.read_text().splitlines().index("            attn_logits = ["))
"""A line in the middle of attention."""
EVERY_OPERATION = (
    "nan", "if data > 1e9", "op:exp if data > 1e9", "if delta > 1e9", "if grad > 1e9", "if data > 1e9 and pos == 2",
    "if op == 'exp' and data > 1e9",
)  # fmt: skip
ARMED = (
    *EVERY_OPERATION, f"{LINE} if data > 1e9", "softmax if data > 1e9", "softmax if pos == 99",
    "param:layer0.attn_wq[3][5] if delta > 1e9", "var:attn_weights if pos == 99", "loss < -1", "step:999999",
)  # fmt: skip
SCANS = (
    "if data > 1e9", "op:exp if data > 1e9", "if delta > 1e9", "if abs(grad) > 1e9", "softmax", "li=0", LINE, "var:q",
    "if 'softmax' in scope and data > 1e9", "if pos == 2 and h == 1 and data > 1e9", "if inputs[0] > 1e9",
    "if name == 'nothing'", "param:wte[3][5]", "phase", "print:loss", "nan", "loss < -1",
)  # fmt: skip
SEARCHES = ("op:exp", "data > 0.5 and op == 'mul' sort -size", "attn_logits", "/^q\\[\\d+\\]$/", "softmax", LINE, "")


def episode_cpu(breakpoint: str | None, steps: int) -> float:
    """CPU seconds of the script per training step, recorded, with one breakpoint armed (None: with none at all)."""
    d = Debugger(Launch(SCRIPT, private_folder=True))
    try:
        d.wait()
        d.breakpoints.items.clear()
        program = d.history.program
        if breakpoint is not None:
            d.breakpoints.add(parse(breakpoint, program), program)
        d.run_to("step", steps + 1)
        d.wait()
        return statistics.median(s.cpu for s in d.history.steps[1:])
    finally:
        d.close()


def milliseconds(work: Callable[[], object], times: int = 5) -> float:
    """The best of a few."""
    best = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best * 1000


def main() -> int:
    """Measure and print; 1 where a limit is missed."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    missed = 0
    free = episode_cpu(None, steps)
    print(f"a training step, recorded, nothing armed: {free * 1000:.1f} ms CPU")
    for text in ARMED:
        rounds = [(episode_cpu(text, steps), episode_cpu(None, steps)) for _ in range(2)]
        ratio = min(armed for armed, _ in rounds) / min(free for _, free in rounds)
        limit = 2.0 if text in EVERY_OPERATION else 3.5  # the others encode the log at each chance
        missed += ratio > limit
        print(f"  armed {text:<46} {ratio:5.2f} × free" + (f"  MISSED ({limit})" if ratio > limit else ""))
    d = Debugger(Launch(SCRIPT, private_folder=True))
    d.wait()
    d.next_episode()
    d.wait()
    trace = d.history.traces[1]
    program = trace.program
    print(f"one recorded step: {len(trace.born):,} nodes, {len(trace):,} events")
    for text in SCANS:
        place = resolve(parse(text, program), program)

        def scan() -> None:
            trace.derived.clear()
            find(place, trace, lambda end: "")  # noqa: B023  # called at once

        taken = milliseconds(scan)
        missed += taken > 100
        print(f"  reverse-continue {text:<40} {taken:7.1f} ms" + ("  MISSED (100)" if taken > 100 else ""))
    for text in SEARCHES:
        query = read_query(text)

        def search() -> None:
            trace.derived.clear()
            find_nodes(trace, query)  # noqa: B023  # called at once

        taken = milliseconds(search)
        missed += taken > 100
        print(f"  find {text:<52} {taken:7.1f} ms" + ("  MISSED (100)" if taken > 100 else ""))
    print(f"  first NaN or infinity of the step {milliseconds(lambda: first_failure(trace)):30.1f} ms")
    test = condition("op == 'exp' and data > 5 or isnan(data)").test
    many = 200_000
    taken = milliseconds(lambda: [test(1.0, "exp") for _ in range(many)]) / many * 1e6
    missed += taken > 200
    print(f"  one condition, once {taken:44.0f} ns" + ("  MISSED (200)" if taken > 200 else ""))
    d.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

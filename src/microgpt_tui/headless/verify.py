"""``verify``: does recording change anything? The script is run bare, observed and recorded, and compared.

* bare: ``python SCRIPT ARGS``: stdout, stderr, exit status;
* observed: the script as it is, but for a look at each loss and at the parameters after each step;
* recorded: under the recorder. As every backward pass ends, the sum of each gradient ledger is
  compared with the node's own grad besides.

With ``steps`` each run ends after so many training steps, and the bare run's output has to begin
with what the recorded run printed. With ``--set`` there is no bare run: Python has no such option.

The JSON document::

    {"script": path, "python": program, "steps": number or null, "same": true or false,
     "checks": [{"what": "stdout" | .., "result": "same" | "different" | "not comparable", "detail": ..}]}
"""

from __future__ import annotations

import math
import os
import shutil
import struct
import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from microgpt_tui.headless.bare import Outcome, run_bare, run_observed
from microgpt_tui.headless.launch import check
from microgpt_tui.headless.terminal import print_json
from microgpt_tui.protocol import goals
from microgpt_tui.protocol.stops import Finished
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.history import History
from microgpt_tui.session.process import Launch

SAME, DIFFERENT, NOT_COMPARABLE = "same", "different", "not comparable"
CLOSE = 1e-6
"""Relative difference up to which numbers of a script that is not reproducible count as the same computation."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison."""

    what: str
    result: str
    detail: str


@dataclass(slots=True)
class Recorded:
    """A recorded run: its outcome and what only the recorder knows."""

    outcome: Outcome
    ordered: bool
    """False when the script keeps operands in a set: two runs of it differ in the last bits."""
    steps: int
    audits: int
    faults: list[tuple[int, int, float, float]]
    """(episode, node, sum of its ledger, its own grad)."""


def verify(launch: Launch, steps: int | None, *, as_json: bool) -> int:
    """Compare the runs and report. 0 when nothing differs, else 1. Raises InputError where nothing could be run."""
    os.environ.setdefault("PYTHONHASHSEED", "0")  # or two runs of plain Python would differ
    with _given_again(launch):
        return _verify(launch, steps, as_json=as_json)


@contextmanager
def _given_again(launch: Launch) -> Iterator[None]:
    """What a script reads from our own standard input is there for each of its runs."""
    given = launch.stdin
    if not isinstance(given, int):
        yield
        return
    launch.stdin = None
    text = launch.script.read_text("utf-8", "replace") if launch.script.is_file() else "stdin"
    if "input(" not in text and "stdin" not in text:
        yield
        return
    with tempfile.NamedTemporaryFile() as kept, os.fdopen(os.dup(given), "rb") as source:
        shutil.copyfileobj(source, kept)
        kept.flush()
        launch.stdin = Path(kept.name)
        yield


def _verify(launch: Launch, steps: int | None, *, as_json: bool) -> int:
    recorded = run_recorded(launch, steps)
    observed = run_observed(launch, steps or 0)
    checks = compare(launch, steps, recorded, observed)
    same = all(c.result != DIFFERENT for c in checks)
    if as_json:
        document = {
            "script": str(launch.script), "python": launch.python, "steps": steps, "same": same,
            "checks": [asdict(c) for c in checks],
        }  # fmt: skip
        print_json(document)
        return 0 if same else 1
    print(f"{launch.script}: {'the whole run' if steps is None else f'{steps} training steps'} under {launch.python}")
    for c in checks:
        print(f"  {c.what:<12} {c.result:<15} {c.detail}")
    if recorded.outcome.status not in (None, 0):
        print(f"the script's own end, exit status {recorded.outcome.status}:")
        print(recorded.outcome.stderr.decode(errors="replace").rstrip())
    if same and all(c.result == SAME for c in checks):
        print("Recording changes nothing.")
    elif same:
        print("Nothing that could be compared differs.")
    else:
        print("Recording and the bare run differ: please report this with the script.")
    return 0 if same else 1


def run_recorded(launch: Launch, steps: int | None) -> Recorded:
    """Run the script under the recorder, with its ledgers audited. Raises InputError where it has no node."""
    launch.goal = goals.Steps(steps, forget=True, audit=True) if steps else goals.End(forget=True, audit=True)
    debugger = Debugger(launch)
    try:
        debugger.wait()
        check(debugger)
        status = debugger.process.end() if debugger.over else None
        history = debugger.history
        outcome = Outcome(debugger.process.output(0), debugger.process.errors(), status)
        for summary in history.summaries:
            outcome.losses += [float(x) for x in summary.losses]
            if summary.kind == "step" and summary.data is not None:
                outcome.parameters[summary.number] = by_name(history, summary.data)
        if not history.steps and isinstance(history.stop, Finished):
            setup = history.traces[0]
            last = array("d", [setup.data_at(node, len(setup)) for node in history.program.kept])
            outcome.parameters[0] = by_name(history, last)
        return Recorded(
            outcome, history.program.ordered_children, len(history.steps),
            sum(s.audits for s in history.summaries),
            [(s.index, *fault) for s in history.summaries for fault in s.audit_faults],
        )  # fmt: skip
    finally:
        debugger.close()


def by_name(history: History, data: array[float]) -> dict[str, array[float]]:
    """The parameters, in the order of ``program.kept``, taken apart into the script's own matrices."""
    place = {node: i for i, node in enumerate(history.program.kept)}
    return {m.name: array("d", [data[place[node]] for node in m.nodes]) for m in history.program.matrices}


# -- comparing -------------------------------------------------------------------------------


def compare(launch: Launch, steps: int | None, recorded: Recorded, observed: Outcome) -> list[Check]:
    """Every check, in the order of the report."""
    ours = recorded.outcome
    stopped = bool(steps) and ours.status is None  # else the script has ended by itself, earlier
    checks: list[Check] = []
    if launch.overrides:
        bare, again = observed, lambda: run_observed(launch, steps or 0)
        checks.append(Check("bare run", NOT_COMPARABLE, "python has no --set: compared with the observed run"))
    else:
        until = len(ours.stdout) if stopped else None

        def again() -> Outcome:
            return run_bare(launch, until=until)

        bare = again()
    checks += _texts(ours, bare, again, prefix=stopped)
    if not stopped:
        result = SAME if ours.status == bare.status else DIFFERENT
        checks.append(Check("exit status", result, f"{ours.status} (bare {bare.status})"))
    numbers = _compared(recorded, observed)
    if any(c.result == DIFFERENT for c in numbers):
        once_more = run_observed(launch, steps or 0)
        if (once_more.losses, once_more.parameters) != (observed.losses, observed.parameters):
            why = "two runs of plain Python differ from one another too"
            numbers = [Check(c.what, NOT_COMPARABLE if c.result == DIFFERENT else c.result, why) for c in numbers]
    checks += numbers
    faults = recorded.faults
    detail = f"{recorded.audits:,} sums equal the node's own grad"
    if faults:
        episode, node, total, real = faults[0]
        detail = f"episode {episode}, node {node}: the ledger adds up to {total!r}, its grad is {real!r}"
    result = DIFFERENT if faults else SAME if recorded.audits or not ours.losses else NOT_COMPARABLE
    checks.append(Check("ledgers", result, detail))
    return checks


def _compared(recorded: Recorded, observed: Outcome) -> list[Check]:
    ours = recorded.outcome
    return [
        _numbers("losses", ours.losses, observed.losses, recorded.ordered),
        _parameters(ours, observed, recorded.ordered),
    ]


def _texts(ours: Outcome, bare: Outcome, again: Callable[[], Outcome], *, prefix: bool) -> list[Check]:
    second: Outcome | None = None
    checks = []
    for what in ("stdout", "stderr"):
        if prefix and what == "stderr":
            continue
        mine, other = getattr(ours, what), getattr(bare, what)
        if not _agree(mine, other, prefix):
            second = second or again()
            twice = getattr(second, what)
            if _agree(mine, twice, prefix):
                other = twice
            elif not _agree(other[: len(mine)] if prefix else other, twice, prefix):
                checks.append(Check(what, NOT_COMPARABLE, "two bare runs of the script print different things"))
                continue
        if _agree(mine, other, prefix):
            checks.append(Check(what, SAME, f"{len(mine):,} bytes"))
        else:
            checks.append(Check(what, DIFFERENT, first_difference(other, mine)))
    return checks


def _agree(mine: bytes, other: bytes, prefix: bool) -> bool:
    return other.startswith(mine) if prefix else mine == other


def first_difference(bare: bytes, recorded: bytes) -> str:
    """Where two outputs part: the line, and what each has there."""
    end = min(len(bare), len(recorded))
    at = next((i for i in range(end) if bare[i] != recorded[i]), end)
    line = bare[:at].count(b"\n") + 1
    start = bare.rfind(b"\n", 0, at) + 1

    def shown(text: bytes) -> str:
        stop = text.find(b"\n", start)
        return repr(text[start : stop if stop >= 0 else None].decode(errors="replace"))[:200]

    return f"line {line} (byte {at:,}): bare {shown(bare)}, recorded {shown(recorded)}"


def _bits(value: float) -> bytes:
    return struct.pack("<d", value)


def _numbers(what: str, ours: list[float], others: list[float], ordered: bool) -> Check:
    if len(ours) != len(others):
        return Check(what, DIFFERENT, f"{len(ours)} recorded, {len(others)} observed")
    for i, (a, b) in enumerate(zip(ours, others, strict=True)):
        if _bits(a) != _bits(b):
            if not ordered:
                return _close(what, list(ours), list(others))
            return Check(what, DIFFERENT, f"number {i + 1}: recorded {a!r}, observed {b!r}")
    return Check(what, SAME, f"{len(ours):,} of {len(ours):,} to the last bit")


def _parameters(ours: Outcome, observed: Outcome, ordered: bool) -> Check:
    mine, other = ours.parameters, observed.parameters
    if mine.keys() != other.keys():
        return Check("parameters", DIFFERENT, f"recorded after steps {_steps(mine)}, observed after {_steps(other)}")
    count = 0
    for step in mine:
        if mine[step].keys() != other[step].keys():
            return Check("parameters", DIFFERENT, f"step {step}: {sorted(mine[step])} against {sorted(other[step])}")
        for name, column in mine[step].items():
            if column.tobytes() != other[step][name].tobytes():
                pairs = zip(column, other[step][name], strict=True)
                at, a, b = next((i, a, b) for i, (a, b) in enumerate(pairs) if _bits(a) != _bits(b))
                if not ordered:
                    return _close("parameters", list(column), list(other[step][name]))
                return Check("parameters", DIFFERENT, f"step {step}, {name}[{at}]: recorded {a!r}, observed {b!r}")
            count += len(column)
    return Check("parameters", SAME, f"{count:,} numbers after {len(mine)} steps, to the last bit")


def _steps(parameters: dict[int, dict[str, array[float]]]) -> str:
    return f"{min(parameters)}-{max(parameters)}" if parameters else "none"


def _close(what: str, ours: list[float], others: list[float]) -> Check:
    pairs = zip(ours, others, strict=True)
    largest = max((abs(a - b) / max(abs(a), abs(b), 1e-12) for a, b in pairs if math.isfinite(a - b)), default=0.0)
    why = "the script keeps operands in a set, so that two runs of it differ in the last bits"
    result = NOT_COMPARABLE if largest < CLOSE else DIFFERENT
    return Check(what, result, f"{why}; largest relative difference here {largest:.1e}")

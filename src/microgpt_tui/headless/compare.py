"""``compare [BASE] MINE``: two scripts on the same data: the first operation that differs, and what comes of it.

The JSON document::

    {"base": path, "mine": path, "same": true where nothing differs in the compared steps,
     "divergence": null or {"kind": "parameters" | "operation" | "operands" | "number" | "gradient" | "update",
                            "step": .., "text": .., "base": {"file", "line", "source", "said"}, "mine": {..}},
     "functions": [{"name", "change": "added" | "removed" | "renamed" | "changed", "base_line", "mine_line", "lines"}],
     "source": [[base line, text, mine line, text]] of the two scripts, as far as they differ,
     "parameters": [base, mine], "steps": [{"number", "loss": [base, mine], "nodes": [..], "cpu": [seconds, ..],
        "operations": {op: [base, mine]} where they differ, "predictions": [Σ|Δp| per position],
        "attention": {"layer 0 head 1": Σ|Δw|}, "residual": [[stage, norm, norm]]}],
     "not_compared": [what could not be, and why]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from microgpt_tui.audit.compare import (
    Divergence,
    Place,
    changed_lines,
    first_divergence,
    function_changes,
    pair,
)
from microgpt_tui.headless.launch import check
from microgpt_tui.protocol import goals
from microgpt_tui.session.breakpoints import NAN_NUMBER
from microgpt_tui.session.commands.command import plain
from microgpt_tui.session.commands.comparing import side_lines, step_lines
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.process import Launch
from microgpt_tui.trace.trace import Trace

SHOWN = 8
"""Lines of a changed function in the text."""
MOST_LINES = 24
"""Differing lines of the scripts that the text lists; beyond that they are two programs."""


def compare(base: Launch, mine: Launch, steps: int, *, as_json: bool) -> int:
    """Record so many training steps of both and tell where they part. Returns 1 where they do, else 0."""
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(_recorded(launch, steps)) for launch in (base, mine))
        document = _document(base, ours, mine, theirs, steps)
    print(json.dumps(plain(document), indent=1) if as_json else "\n".join(_lines(document)))
    return 0 if document["same"] else 1


@contextmanager
def _recorded(launch: Launch, steps: int) -> Iterator[Debugger]:
    launch.goal = goals.Steps(steps)
    debugger = Debugger(launch)
    try:
        debugger.breakpoints.enable(NAN_NUMBER, False)
        debugger.wait()
        check(debugger)
        yield debugger
    finally:
        debugger.close()


def _steps(debugger: Debugger) -> dict[int, Trace]:
    return {t.number: t for t in debugger.history.traces.values() if t.episode_kind == "step" and t.complete}


def _document(base: Launch, ours: Debugger, mine: Launch, theirs: Debugger, steps: int) -> dict[str, Any]:
    a, b = _steps(ours), _steps(theirs)
    both = [n for n in sorted(a.keys() & b.keys()) if n <= steps]
    divergence: tuple[int, Divergence] | None = None
    for number in both:
        found = first_divergence(a[number], b[number])
        if found is not None:
            divergence = number, found
            break
    functions = function_changes(ours.history.program, theirs.history.program)
    missing = [
        f"{launch.script.name} recorded {len(found)} whole training steps of {steps}"
        for launch, found in ((base, a), (mine, b)) if len(found) < steps
    ]  # fmt: skip
    cpu = [{s.number: s.cpu for s in d.history.steps} for d in (ours, theirs)]
    return {
        "base": str(base.script), "mine": str(mine.script),
        "same": divergence is None and not missing and bool(both),
        "divergence": None if divergence is None else {"step": divergence[0], **asdict(divergence[1])},
        "functions": [asdict(f) for f in functions],
        "source": changed_lines(ours.history.program, theirs.history.program),
        "parameters": [len(d.history.program.kept) for d in (ours, theirs)],
        "steps": [{**asdict(pair(a[n], b[n])), "cpu": [c.get(n) for c in cpu]} for n in both],
        "not_compared": missing,
    }  # fmt: skip


def _lines(document: dict[str, Any]) -> Iterator[str]:
    names = [Path(document[k]).name for k in ("base", "mine")]
    if names[0] == names[1]:
        names = [document["base"], document["mine"]]
    yield f"base {names[0]}, mine {names[1]}"
    yield from (f"not compared: {text}" for text in document["not_compared"])
    told = document["divergence"]
    if told is None:
        if document["steps"]:
            yield f"no difference in {len(document['steps'])} training steps, to the last bit"
    else:
        yield ""
        yield f"they part in step {told['step']}: {told['text']}"
        for side in ("base", "mine"):
            yield from side_lines(side, Place(**told[side]))
    yield from _source(document["source"])
    yield from _functions(document["functions"])
    yield ""
    yield f"parameters {document['parameters'][0]:,} and {document['parameters'][1]:,}"
    for step in document["steps"]:
        yield from step_lines(step)


def _source(lines: list[tuple[int, str, int, str]]) -> Iterator[str]:
    if len(lines) > MOST_LINES:
        yield f"\nthe scripts differ in {len(lines)} lines (--json lists them); functions are matched by their names"
        return
    if lines:
        yield "\nlines that differ"
    for a, ours, b, theirs in lines:
        yield from (f"  {sign} {line:>4}  {text}" for sign, line, text in (("-", a, ours), ("+", b, theirs)) if line)


def _functions(changes: list[dict[str, Any]]) -> Iterator[str]:
    if changes:
        yield ""
        yield "functions"
    for change in changes:
        where = " and ".join(f"line {change[k]}" for k in ("base_line", "mine_line") if change[k])
        yield f"  {change['name']} {change['change']} ({where})"
        yield from (f"    {line}" for line in change["lines"][:SHOWN])
        if len(change["lines"]) > SHOWN:
            yield f"    … {len(change['lines']) - SHOWN} more lines"

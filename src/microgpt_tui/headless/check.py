"""``check``: what is wrong with a script, what was tested, and what was not.

The JSON document::

    {"script": path, "step": which training step was examined, "headline": ..,
     "findings": [{"grade": "error" | "warning" | "note",
     "rule": .., "file": .., "line": .., "text": .., "evidence": ..,
                   "step": .., "event": ..}],
     "tested": [{"kind": .., "name": .., "how": .., "wrong": ..}], "untested": [{"kind": .., "name": .., "why": ..}]}
"""

from __future__ import annotations

import json
import sys

from microgpt_tui.headless.launch import InputError
from microgpt_tui.session.diagnosis import add_failure
from microgpt_tui.session.examination import RECORDED, Check
from microgpt_tui.session.failure import explain
from microgpt_tui.session.process import Launch


def check(launch: Launch, steps: int | None, what: str, per_matrix: int, *, as_json: bool) -> int:
    """Examine a script's training step and report. 1 with findings of grade error, else 0. Raises InputError."""
    shows = not as_json and sys.stderr.isatty()

    def progress(text: str) -> None:
        if shows:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    report, debugger = Check(launch, steps or RECORDED, what=what, per_matrix=per_matrix).run(progress)
    try:
        progress("")
        message = explain(debugger.history, str(launch.script))
        if message is not None:
            raise InputError(message)
        add_failure(report, debugger)
    finally:
        debugger.close()
    if as_json:
        print(json.dumps({"script": str(launch.script), **report.data}, indent=1))
    else:
        print(report.text)
    return 1 if report.errors else 0

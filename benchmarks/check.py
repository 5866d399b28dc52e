"""How long a check takes: the operations' audit, the parameters, and all of it; processor and wall time.

.venv/bin/python benchmarks/check.py [SCRIPT]     20 parameters a matrix of the published model, or of a script
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path

from microgpt_tui.protocol.examination import Examination, Took
from microgpt_tui.session.debugger import Debugger
from microgpt_tui.session.examination import Check
from microgpt_tui.session.process import Launch

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "src/microgpt_tui/programs/microgpt.py"
RUNS = 3


class Timed(Check):
    """A check that keeps what its examination has said of its time."""

    took: dict[str, float]

    def _said(self, debugger: Debugger, progress: object) -> list[Examination]:
        said = super()._said(debugger, progress)  # type: ignore[arg-type]
        self.took = {}
        for m in said:
            if isinstance(m, Took):
                self.took[m.part] = self.took.get(m.part, 0.0) + m.seconds
        return said


def main() -> None:
    script = Path(sys.argv[1]) if len(sys.argv) > 1 else PROGRAM
    data = ROOT / "sample_data/names.txt" if script == PROGRAM else None
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    for _ in range(RUNS):
        check = Timed(Launch(script, data=data), 3)
        begun, own = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
        report, run = check.run()
        wall = time.perf_counter() - begun
        rules = resource.getrusage(resource.RUSAGE_SELF).ru_utime - own
        run.close()
        parts = ", ".join(f"{part} {seconds:.2f} s" for part, seconds in check.took.items())
        print(f"{report.headline}: {wall:.1f} s; processor: {parts}, encoding and rules here {rules:.2f} s")


if __name__ == "__main__":
    main()

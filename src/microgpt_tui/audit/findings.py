"""What an audit finds, what it has tested, and what it could not test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ERROR, WARNING, NOTE = "error", "warning", "note"
GRADES = (ERROR, WARNING, NOTE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    grade: str
    rule: str
    line: int
    text: str
    evidence: str = ""
    file: int = 0
    """Index among ``program.files``."""
    step: int = 0
    """The training step where it shows, 0 for none."""
    event: int = -1
    """Where to look in that step, -1 for nowhere."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One thing that was tested, whatever came out: a function, a matrix, a rule."""

    kind: str
    name: str
    how: str
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Untested:
    """One thing that was not, and why."""

    kind: str
    name: str
    why: str


@dataclass(slots=True)
class Report:
    """An audit's whole answer."""

    step: int
    findings: list[Finding] = field(default_factory=list)
    tested: list[Tested] = field(default_factory=list)
    untested: list[Untested] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Findings that are surely faults."""
        return sum(f.grade == ERROR for f in self.findings)

    @property
    def headline(self) -> str:
        """What can be said in a line, and never more than was tested."""
        count, left = len(self.tested), len(self.untested)
        where = f"training step {self.step}" if self.step else "the script"
        rest = f"; {left} could not be tested" if left else ""
        if self.errors:
            return f"{where}: {self.errors} thing{'s' * (self.errors > 1)} wrong; {count} tested{rest}"
        if self.findings:
            return f"{where}: nothing wrong in the {count} things tested, {len(self.findings)} to look at{rest}"
        return f"{where}: nothing wrong in the {count} things tested{rest}"

    @property
    def text(self) -> str:
        """The report in lines."""
        lines = [self.headline]
        for f in self.findings:
            lines.append(f"{f.grade}: {self.files[f.file]}:{f.line}: {f.text}  [{f.rule}]")
            if f.evidence:
                lines.append(f"    {f.evidence}")
        lines.append("tested")
        for t in self.tested:
            wrong = f", {t.wrong} wrong" if t.wrong else ""
            lines.append(f"  {t.kind:<10} {t.name:<28} {t.how}{wrong}")
        if self.untested:
            lines.append("not tested")
            lines += [f"  {u.kind:<10} {u.name:<28} {u.why}" for u in self.untested]
        return "\n".join(lines)

    @property
    def data(self) -> dict[str, Any]:
        """The report for a program."""
        return {
            "step": self.step,
            "headline": self.headline,
            "findings": [
                {"grade": f.grade, "rule": f.rule, "file": self.files[f.file], "line": f.line, "text": f.text,
                 "evidence": f.evidence, "step": f.step, "event": f.event} for f in self.findings
            ],
            "tested": [{"kind": t.kind, "name": t.name, "how": t.how, "wrong": t.wrong} for t in self.tested],
            "untested": [{"kind": u.kind, "name": u.name, "why": u.why} for u in self.untested],
        }  # fmt: skip

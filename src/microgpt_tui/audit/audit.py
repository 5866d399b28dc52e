"""An audit: every rule asked about one run of a script, and their answers in one report."""

from __future__ import annotations

from microgpt_tui.audit.findings import GRADES, Report, Tested, Untested
from microgpt_tui.audit.rules import RULES
from microgpt_tui.audit.subject import NotEvaluated, Subject

EXPLAIN = {"operation", "function", "order", "twice", "assigned", "pass", "earlier step", "changed number"}
"""Findings that make gradients wrong: what is wrong end to end is said once."""
ONE_BY_ONE = {"updated twice", "zeroed too early", "gradient size"}
"""What follows from parameters that are one object."""
FOLLOW = {"end to end", "graph cut"}


def audit(subject: Subject) -> Report:
    """Ask every rule. A rule that cannot say anything is listed as untested, with its reason."""
    report = Report(0, files=[path for path, _ in subject.program.files])
    if subject.steps:
        report.step = subject.step.number
    notes = subject.notes
    for name, rule in RULES.items():
        before = len(notes.tested)
        try:
            report.findings += rule(subject)
        except NotEvaluated as why:
            notes.untested.append(Untested("rule", name, str(why)))
            continue
        except Exception as error:  # a rule's own fault must not hide what the others say
            notes.untested.append(Untested("rule", name, f"the rule failed: {type(error).__name__}: {error}"))
            continue
        if len(notes.tested) == before:
            notes.tested.append(Tested("rule", name, "evaluated"))
    rules = {f.rule for f in report.findings}
    if "one object" in rules:
        report.findings = [f for f in report.findings if f.rule not in ONE_BY_ONE]
    if rules & EXPLAIN:
        report.findings = [f for f in report.findings if f.rule not in FOLLOW]
    if "earlier step" in rules:  # what adds up makes the updates large
        report.findings = [f for f in report.findings if f.rule != "step size"]
    report.findings.sort(key=lambda f: GRADES.index(f.grade))
    report.tested, report.untested = notes.tested, notes.untested
    return report

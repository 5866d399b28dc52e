"""Parameters moved and the loss recomputed by the step's own code, against their gradients."""

from __future__ import annotations

from collections.abc import Iterator

from microgpt_tui.audit.findings import ERROR, WARNING, Finding, Tested, Untested
from microgpt_tui.audit.source import bare_reads, function_at
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.protocol.codes import CREATE
from microgpt_tui.trace.names import name


def end_to_end(subject: Subject) -> Iterator[Finding]:
    """What looks right operation by operation and is not: detached, mutated, unused."""
    yield from _changed_numbers(subject)
    if not subject.matrices:
        forward = subject.forward
        why = forward.untested if forward is not None and forward.untested else ""
        refused = [r.why for r in subject.refusals if r.part == "parameters"]
        raise NotEvaluated(why or (refused[0] if refused else "no parameter was moved"))
    forward = subject.forward
    if forward is not None and forward.rounds > 1:
        first, last = forward.last_round, len(forward.losses)
        subject.notes.untested.append(Untested(
            "pass", f"passes 1 to {first - 1} of {last}",
            f"parameters are updated between them: only what begins with pass {first} was moved against its gradients",
        ))  # fmt: skip
    for m in subject.matrices:
        if m.compared:
            all_ = ", and all of it at once" if m.together else ""
            how = f"{m.compared} of {m.size:,} parameters moved{all_}, loss recomputed"
            subject.notes.tested.append(Tested("matrix", m.name, how, m.wrong))
        if m.untested or not m.compared:
            subject.notes.untested.append(Untested("matrix", m.name, m.untested or "it has no parameter"))
    wrong = [m for m in subject.matrices if m.wrong and m.stale < m.wrong and m.deviation is not None]
    if not wrong:
        return
    cut = [m for m in wrong if m.zeros == m.wrong]
    chosen = cut or wrong
    d = chosen[0].deviation
    assert d is not None
    names = ", ".join(m.name for m in chosen[:6]) + (f" and {len(chosen) - 6} more" if len(chosen) > 6 else "")
    lines = _suspects(subject)
    said = (
        f"no gradient reaches {names}, though the loss depends on it" if cut else
        f"the gradients of {names} are not what "
        "moving them does to the loss, though the pass agrees with the graph: the graph is not what was computed"
    )  # fmt: skip
    kinks = any(f.kinks for f in subject.functions)
    also = f"; line {', '.join(map(str, lines[:4]))} reads the number without its graph" if lines else ""
    if not lines and (changed := _changed_since(subject)):
        lines, also = (
            [changed],
            f"; line {changed} gives parameters other numbers while the graph is in use",
        )
    yield Finding(
        WARNING if kinks else ERROR, "graph cut" if cut else "end to end", lines[0] if lines else 1, said + also,
        f"{d.of}: gradient {d.found:.6g}, by differences {d.expected:.6g}"
        + ("; the step runs over kinks, where a gradient may be either" if kinks else ""), step=subject.step.number,
    )  # fmt: skip


def _changed_numbers(subject: Subject) -> Iterator[Finding]:
    """A node's number that is written between its making and the backward pass."""
    step, kept = subject.step, set(subject.program.kept)
    seed = next((step.write_event[r] for r in step.seeds()), len(step))
    rows = [r for r in range(len(step.updated)) if step.update_event[r] < seed and step.updated[r] not in kept
            and step.born_at(step.updated[r]) >= 0 and step.users(step.updated[r])]  # fmt: skip
    if rows and step.episode_kind == "step" and step.kind[0] in (CREATE, *range(7)):
        node = step.updated[rows[0]]
        yield Finding(
            ERROR, "changed number", step.program.site(step.update_site[rows[0]]).line,
            f"the number of {name(step, node)} is changed after it was made, {len(rows)} such in "
            f"this step: no gradient "
            "reaches what it was changed by", f"{step.old[rows[0]]:.6g} became {step.new[rows[0]]:.6g}",
            step=step.number, event=step.update_event[rows[0]],
        )  # fmt: skip


def _changed_since(subject: Subject) -> int:
    """The line that updates parameters in the middle of what the last pass of the step walks, or 0."""
    step, kept = subject.step, set(subject.program.kept)
    seeds = [step.write_event[r] for r in step.seeds()]
    for row, event in enumerate(step.update_event):
        if len(seeds) > 1 and seeds[0] < event < seeds[-1] and step.updated[row] in kept:
            return step.program.site(step.update_site[row]).line
    return 0


def _suspects(subject: Subject) -> list[int]:
    """Lines that read a bare number, in code that was not found right by itself."""
    program, found = subject.program, []
    cleared = set[int]()
    for f in subject.functions:
        function = function_at(subject.trees[f.file], f.line)
        if function is not None and f.compared and not f.wrong and not f.untested:
            cleared.update(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    for line in bare_reads(subject.trees[0], program.data_name):
        if line not in cleared and line not in found and line in _forward_lines(subject):
            found.append(line)
    if not found:  # a function that is right by its operands may still cut a parameter off
        found = [
            x for x in dict.fromkeys(bare_reads(subject.trees[0], program.data_name)) if x in _forward_lines(subject)
        ]
    return sorted(found)


def _forward_lines(subject: Subject) -> set[int]:
    """Lines that the forward pass may have been on: of functions that were called,
    and of statements that made nodes."""
    step = subject.step
    lines = {step.program.site(s).line for s in step.site if s >= 0}
    for f in subject.functions:
        function = function_at(subject.trees[f.file], f.line)
        if function is not None and not f.name.startswith(subject.program.class_name + "."):
            lines.update(range(function.lineno, (function.end_lineno or function.lineno) + 1))
    return lines

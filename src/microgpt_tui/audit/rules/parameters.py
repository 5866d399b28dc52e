"""Parameters: several names for one object, not reached, not in the optimizer's list, updated twice."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from microgpt_tui.audit.findings import ERROR, WARNING, Finding
from microgpt_tui.audit.source import assignment_of, enclosing_loop, names_in
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.protocol.codes import NO_NODE
from microgpt_tui.recognise.dots import sum_end
from microgpt_tui.recognise.operations import graph_of
from microgpt_tui.recognise.parameters import reads
from microgpt_tui.trace.names import parameter_names
from microgpt_tui.trace.trace import Matrix, Trace


def shared(subject: Subject) -> Iterator[Finding]:
    """Elements of one matrix that are one object: ``[[…]] * n``."""
    if not subject.program.matrices:
        raise NotEvaluated("no parameters are known")
    aliased = [m for m in subject.program.matrices if len(set(m.nodes)) < len(m.nodes)]
    if aliased:
        m = aliased[0]
        more = f"; so in {len(aliased)} matrices" if len(aliased) > 1 else ""
        line = next(
            (n.lineno for t in subject.trees for n in ast.walk(t) if isinstance(n, ast.BinOp) and _repeats(n)), 0
        )
        yield Finding(
            ERROR, "one object", line or assignment_of(subject.trees[0], m.name.split("[")[0].split(".")[0]) or 1,
            f"{m.name} has {len(m.nodes):,} elements and only {len(set(m.nodes)):,} are objects of their own: rows "
            f"are one list, and every one changes with the others{more}",
        )  # fmt: skip


def _repeats(node: ast.BinOp) -> bool:
    """True for ``[[…]] * n``."""
    lists = [side for side in (node.left, node.right) if isinstance(side, ast.List) and side.elts]
    return isinstance(node.op, ast.Mult) and any(not isinstance(x.elts[0], ast.Constant) for x in lists)


def updates(subject: Subject) -> Iterator[Finding]:
    """Which parameters the optimizer changes, and how often."""
    steps = [s for s in subject.steps if len(s.updated) and s.complete]
    if not steps:
        raise NotEvaluated("no update of a parameter is recorded")
    step = steps[-1]
    kept = set(subject.program.kept)
    names = parameter_names(subject.program)
    rows = [r for r in range(len(step.updated)) if step.updated[r] in kept]
    if not rows:
        raise NotEvaluated("no update of a parameter is recorded")
    line = _list_line(subject, step, rows[0])
    moved = {step.updated[r] for r in rows}
    given = {n for n, source in zip(step.target, step.source, strict=True) if source != NO_NODE}
    for m in subject.program.matrices:
        left = [n for n in m.nodes if n not in moved]
        reached = [n for n in left if n in given and step.grad_at(n, step.update_event[rows[0]])]
        leaves = not any(len(step.children(n)) for n in m.nodes)
        if leaves and len(left) == len(m.nodes) and reached:
            yield Finding(
                ERROR, "not updated", line,
                f"{m.name} has gradients and is never updated: it is not in the list that the "
                "optimizer walks", f"{names.get(reached[0], m.name)} has the gradient "
                f"{step.grad_at(reached[0], step.update_event[rows[0]]):.6g}",
                step=step.number, event=step.update_event[rows[0]],
            )  # fmt: skip
    begins = [step.write_event[r] for r in step.seeds()]
    counts = Counter((step.updated[r], step.update_site[r], bisect_right(begins, step.update_event[r])) for r in rows)
    twice = [n for (n, _, _), c in counts.items() if c > 1]
    if twice:
        yield Finding(
            ERROR, "updated twice", line, f"{len(set(twice)):,} parameters are updated more than once after one pass: "
            f"{names.get(twice[0], twice[0])} is in the optimizer's list twice", step=step.number,
            event=step.update_event[rows[0]],
        )  # fmt: skip


def _list_line(subject: Subject, step: Trace, row: int) -> int:
    """Where the list is made that the loop around an update walks."""
    at = step.program.site(step.update_site[row]).line
    tree = subject.trees[0]
    loop = enclosing_loop(tree, at)
    for name in names_in(loop.iter) if loop is not None else ():
        line = assignment_of(tree, name)
        if line:
            return line
    return loop.lineno if loop is not None else at


def reached(subject: Subject) -> Iterator[Finding]:
    """Parameters that the loss does not hang on."""
    steps = [s for s in subject.steps if list(s.seeds()) and s.episode_kind == "step"]
    if not steps or not subject.program.matrices:
        raise NotEvaluated("no training step with parameters is recorded")
    written = {n for s in steps for n in s.write_index if any(s.source[r] >= 0 for r in s.writes_of(n))}
    step = steps[-1]
    found = reads(step)
    layers = {r.matrix for r in found.multiplied} - {r.matrix for r in found.embedded}
    for number, m in enumerate(subject.program.matrices):
        if not any(n in written for n in m.nodes):
            if not any(t.wrong and t.zeros for t in subject.matrices if t.name == m.name):
                yield Finding(WARNING, "not reached", defined(subject, m), f"the loss does not depend on {m.name}: no "
                              "gradient is ever passed on to it", step=step.number)  # fmt: skip
        elif len(m.shape) == 2 and number in layers:
            width = m.shape[1]
            rows = [i for i in range(m.shape[0]) if not any(n in written for n in m.nodes[i * width : (i + 1) * width])]
            if rows:
                yield Finding(
                    WARNING, "not reached", _used(step, number, rows) or defined(subject, m),
                    f"rows {rows[0]} to {rows[-1]} of {m.name} ({len(rows)} of {m.shape[0]}): what "
                    f"is computed with them is "
                    "used nowhere", step=step.number,
                )  # fmt: skip


def _used(step: Trace, matrix: int, rows: list[int]) -> int:
    """The line that uses what the other rows make."""
    graph = graph_of(step)
    for read in reads(step).multiplied:
        if read.matrix == matrix and read.row not in rows:
            for user in graph.users(sum_end(graph, read.node)):
                return step.site_of(user).line
    return 0


def defined(subject: Subject, m: Matrix) -> int:
    """The line that makes a matrix: its key in a dict, or the assignment of its name."""
    key = m.name.split("[")[0]
    for tree in subject.trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and node.value == key:
                return node.lineno
    return assignment_of(subject.trees[0], key.split(".")[0]) or 1

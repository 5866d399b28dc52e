"""The backward pass: its order,
run twice over one graph, gradients set instead of added, left over, or reset too early."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from microgpt_tui.audit.findings import ERROR, WARNING, Finding, Tested, Untested
from microgpt_tui.audit.source import FunctionNode, assignment_of, names_in
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.protocol.codes import ACCUMULATE, ASSIGN, OUTSIDE_OP, ZERO, SiteKind
from microgpt_tui.protocol.examination import PassTested
from microgpt_tui.trace.names import name, parameter_names
from microgpt_tui.trace.trace import Trace


def backward_pass(subject: Subject) -> Iterator[Finding]:
    """Whether the script's pass gives what another pass over the same graph gives; why, where not."""
    step, forward = subject.step, subject.forward
    seeds = list(step.seeds())
    if not seeds and forward is not None and forward.losses and step.episode_kind == "step":
        yield _old_graph(subject, step)
        return
    if not seeds:
        raise NotEvaluated("no backward pass is recorded in this step")
    rewired = any(f.deviation is not None and "its own operand" in f.deviation.guess for f in subject.functions)
    found = [] if rewired else list(_outside(step))
    found = found or list(_twice(step, seeds)) or list(_order(subject, step, seeds))
    yield from found
    if forward is None or not forward.pass_compared:
        why = forward.untested if forward is not None and forward.untested else "the step was not run again"
        subject.notes.untested.append(Untested("pass", "gradients", why))
    else:
        subject.notes.tested.append(Tested(
            "pass", "gradients", f"{forward.pass_compared:,} gradients against another pass over the same graph",
            forward.pass_wrong,
        ))  # fmt: skip
        if forward.pass_wrong and not found:
            yield _wrong(subject, step)
    yield from _ladder(subject, known=bool(found or (forward is not None and forward.pass_wrong)))
    loose = sum(
        step.source[r] < 0 and step.kind[step.write_event[r]] == ACCUMULATE for r in range(seeds[0], len(step.target))
    )
    if loose:
        subject.notes.untested.append(
            Untested("pass", "who gave", f"{loose:,} contributions cannot be attributed to a node")
        )


def _ladder(subject: Subject, *, known: bool) -> Iterator[Finding]:
    """The pass over a small graph whose nodes are used at several depths: this step's may have none such."""
    for p in subject.all(PassTested):
        if p.untested:
            subject.notes.untested.append(Untested("pass", "order", p.untested))
            continue
        how = f"{p.compared} gradients of a small graph of {p.operation} whose nodes are used at several depths"
        subject.notes.tested.append(Tested("pass", "order", how, p.wrong))
        if p.wrong and not known and p.deviation is not None:
            d = p.deviation
            yield Finding(
                WARNING, "order", pass_line(subject), "where a node is used at several depths the pass gives a wrong "
                "gradient, since it passes a gradient on before all of it is there; nothing in this step showed it",
                f"{d.at} with f = {p.operation}: d/d{d.of} is {d.found:.6g}, another pass gives {d.expected:.6g}",
                step=subject.step.number,
            )  # fmt: skip


def _old_graph(subject: Subject, step: Trace) -> Finding:
    """The pass walks a graph that no step has made."""
    tree = subject.trees[0]
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
             and n.func.attr == "backward" and isinstance(n.func.value, ast.Name)]  # fmt: skip
    at = calls[0].lineno if calls else 1
    made = max((assignment_of(tree, n) for c in calls for n in names_in(c.func)), default=0)
    return Finding(
        ERROR, "earlier step", made or at, f"line {at} walks a graph that was made before the training loop: its "
        "numbers do not follow the parameters, and its gradients add up", step=step.number, event=0,
    )  # fmt: skip


def _order(subject: Subject, step: Trace, seeds: list[int]) -> Iterator[Finding]:
    """A node that has passed its gradient on before all of it was there."""
    begun: dict[int, int] = {}
    bounds = [*seeds[1:], len(step.target)]
    for first, end in zip(seeds, bounds, strict=True):
        begun.clear()
        given_by = Counter(step.source[first:end])
        again = next((n for n, c in given_by.items() if n >= 0 and c > max(2, len(step.children(n)))), -1)
        if again >= 0:
            row = next(r for r in range(first, end) if step.source[r] == again)
            yield Finding(
                ERROR, "order", pass_line(subject),
                f"{name(step, again)} passes its gradient on {given_by[again]} times in one pass, and has "
                f"{len(step.children(again))} operands: nodes are walked once for every way that leads to them",
                step=step.number, event=step.write_event[row],
            )  # fmt: skip
            return
        for row in range(first, end):
            source, target = step.source[row], step.target[row]
            if source >= 0:
                begun.setdefault(source, row)
            given = begun.get(target)
            if (
                given is not None
                and source != target
                and source >= 0
                and step.kind[step.write_event[row]] == ACCUMULATE
            ):
                yield Finding(
                    ERROR, "order", pass_line(subject),
                    f"{name(step, target)} passes its gradient on before it is complete: {name(step, source)} adds "
                    f"{step.delta[row]:.6g} to it afterwards; the nodes are not walked in topological order",
                    file=0, step=step.number, event=step.write_event[row],
                )  # fmt: skip
                return


def _twice(step: Trace, seeds: list[int]) -> Iterator[Finding]:
    """Nodes that pass their gradients on in more than one pass."""
    passes: dict[int, int] = {}
    for row in range(seeds[0], len(step.target)):
        source = step.source[row]
        if source < 0:
            continue
        number = bisect_right(seeds, row)
        if passes.setdefault(source, number) != number:
            at = step.write_event[seeds[number - 1]]
            same = step.target[seeds[number - 1]] == step.target[seeds[passes[source] - 1]]
            if not same and not step.grad_at(source, at - 1):  # set back to zero between the two: nothing is left
                passes[source] = number
                continue
            shared = sum(
                1
                for r in {step.source[r] for r in range(seeds[number - 1], len(step.target))}
                if passes.get(r, number) != number
            )
            what = "the pass runs twice over one graph" if same else "two passes share a part of their graphs"
            yield Finding(
                ERROR, "twice", statement_line(step, at),
                f"{what}: {shared:,} nodes pass on once more what the pass before has left in their gradients, "
                f"{name(step, source)} the first of them",
                step=step.number, event=at,
            )  # fmt: skip
            return


def _wrong(subject: Subject, step: Trace) -> Finding:
    """The pass gives something else, and it is not its order: is a gradient set where it should be added to?"""
    forward = subject.forward
    assert forward is not None
    sets: dict[int, list[int]] = {}
    for row, target in enumerate(step.target):
        if step.kind[step.write_event[row]] == ASSIGN and step.source[row] != target:
            sets.setdefault(target, []).append(row)
    node, rows = next(((n, r) for n, r in sets.items() if len(r) > 1), (-1, []))
    d = forward.deviation
    numbers = f"{d.of}: {d.found:.6g}, another pass gives {d.expected:.6g}" if d is not None else ""
    if rows:
        line = step.program.site(step.write_site[rows[-1]]).line
        return Finding(
            ERROR, "assigned", line,
            f"the gradient of {name(step, node)} is set {len(rows)} times instead of being added to (= where += is "
            f"needed): only the last contribution is left; so with {forward.pass_wrong:,} parameters", numbers,
            step=step.number, event=step.write_event[rows[-1]],
        )  # fmt: skip
    return Finding(
        ERROR, "pass", pass_line(subject),
        f"{forward.pass_wrong:,} gradients are not what another pass over the same graph gives",
        numbers, step=step.number,
    )  # fmt: skip


def pass_line(subject: Subject) -> int:
    """The loop or the recursive call that walks the nodes."""
    for tree in subject.trees:
        for function in (n for n in ast.walk(tree) if isinstance(n, FunctionNode) and n.name == "backward"):
            inner = {
                n for f in ast.walk(function) if isinstance(f, FunctionNode) and f is not function for n in ast.walk(f)
            }
            own = [n for n in ast.walk(function) if n not in inner]
            calls = [
                n.lineno
                for n in own
                if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "backward"
            ]
            nested = {n for f in own if isinstance(f, ast.For | ast.While) for n in ast.walk(f) if n is not f}
            loops = [n.lineno for n in own if isinstance(n, ast.For | ast.While) and n not in nested]
            return calls[0] if calls else loops[-1] if loops else function.lineno
    return 1


def statement_line(step: Trace, event: int) -> int:
    """The line of the innermost statement around an event."""
    for scope in reversed(step.scope_path(step.scope_of(event))):
        if step.scope_kind(scope) is SiteKind.STATEMENT:
            return step.program.site(step.scope_site[scope]).line
    return 1


def _outside(step: Trace) -> Iterator[Finding]:
    """Nodes of earlier steps, no parameters, that this graph hangs on."""
    if step.episode_kind != "step":
        return
    old = [step.first_node + i for i, op in enumerate(step.op) if step.ops[op] == OUTSIDE_OP]
    user = next((u for n in old for u in step.users(n)), -1)
    loss = step.loss_node()
    if user >= 0:
        line = step.site_of(user).line
        made = f"line {line} builds on one of them ({name(step, user)})"
        event = step.born_at(user)
    elif loss >= 0 and step.born_at(loss) < 0:
        event = next(step.write_event[r] for r in step.seeds())
        line = statement_line(step, event)
        made = "the loss itself is of an earlier graph, which is walked again: its numbers never change"
    else:
        return
    carried = _carried(step, line)
    yield Finding(
        ERROR, "earlier step", carried or line,
        f"the graph of this step hangs on {len(old):,} nodes of earlier steps: {made}; their "
        f"gradients are passed on once "
        f"more; .{step.program.data_name} is the number without its graph",
        f"it is kept on line {carried}" if carried else "", step=step.number, event=event,
    )  # fmt: skip


def _carried(step: Trace, line: int) -> int:
    """The line in the loop that binds what a later step builds on, or 0."""
    text = step.program.files[0][1]
    tree = ast.parse(text)
    used = {n.id for s in ast.walk(tree) if isinstance(s, ast.stmt) and s.lineno == line for n in ast.walk(s)
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}  # fmt: skip
    loops = [
        n for n in ast.walk(tree) if isinstance(n, ast.For | ast.While) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    if not loops:
        return 0
    later = [
        n.lineno for n in ast.walk(loops[0]) if isinstance(n, ast.Assign) and n.lineno > line
        and any(isinstance(t, ast.Name) and t.id in used for t in n.targets)
    ]  # fmt: skip
    return later[0] if later else 0


def zeroing(subject: Subject) -> Iterator[Finding]:
    """Gradients that still hold what an earlier step left, or that are reset before they are used."""
    steps = [s for s in subject.steps if s.episode_kind == "step" and list(s.seeds())]
    if not steps:
        raise NotEvaluated("no training step is recorded")
    names = parameter_names(subject.program)
    for step in steps:
        stale = [n for n in subject.program.kept if step.start_grad_of(n) and _grows(step, n)]
        of_another = [n for n in stale if _reset_in(step, n)]
        if of_another and len(of_another) == len(stale):
            node = of_another[0]
            updates = step.update_index[node]
            yield Finding(
                WARNING, "zeroing", step.program.site(step.update_site[updates[0]]).line,
                f"{len(stale):,} gradients are set back to zero in the step, and hold what a later pass of the step "
                f"before has left in them when they are first used: {names.get(node, node)} begins at "
                f"{step.start_grad_of(node):.6g}", step=step.number, event=step.update_event[updates[0]],
            )  # fmt: skip
            break
        if stale:
            update = step.program.site(step.update_site[0]).line if len(step.update_site) else statement_line(step, 0)
            yield Finding(
                ERROR, "zeroing", update,
                f"{len(stale):,} gradients still hold what earlier steps left in them: {names.get(stale[0], stale[0])} "
                f"begins at {step.start_grad_of(stale[0]):.6g}; nothing sets .{step.program.grad_name} back to zero",
                step=step.number, event=step.write_event[step.writes_of(stale[0])[0]],
            )  # fmt: skip
            break
    for step in steps:
        early = [r for r in range(len(step.updated)) if _reset_before(step, r)]
        if early and len(early) > len(step.updated) // 2:
            node, event = step.updated[early[0]], step.update_event[early[0]]
            row = next(r for r in reversed(step.writes_of(node)) if step.write_event[r] < event)
            yield Finding(
                ERROR, "zeroed too early", step.program.site(step.write_site[row]).line,
                f"{len(early):,} gradients are zero again before the update reads them: {names.get(node, node)} had "
                f"{_largest(step, node, event):.6g}", step=step.number, event=step.write_event[row],
            )  # fmt: skip
            break


def _reset_in(step: Trace, node: int) -> bool:
    """True where the step sets a gradient back to zero once an update has used it."""
    updates = step.update_index.get(node)
    return bool(updates) and any(step.kind[step.write_event[r]] == ZERO for r in step.writes_of(node))


def _grows(step: Trace, node: int) -> bool:
    """True where what was there as the step began is added to, and still there when an update uses it."""
    rows = step.writes_of(node)
    if not rows or step.kind[step.write_event[rows[0]]] != ACCUMULATE:
        return False
    updates = step.update_index.get(node)
    used = step.update_event[updates[0]] if updates else len(step)
    return not any(step.kind[step.write_event[r]] == ZERO and step.write_event[r] < used for r in rows)


def _reset_before(step: Trace, update: int) -> bool:
    node, event = step.updated[update], step.update_event[update]
    rows = [r for r in step.writes_of(node) if step.write_event[r] < event]
    if not rows or step.kind[step.write_event[rows[-1]]] != ZERO:
        return False
    return any(step.kind[step.write_event[r]] == ACCUMULATE and step.after[r] for r in rows)


def _largest(step: Trace, node: int, event: int) -> float:
    return max((step.after[r] for r in step.writes_of(node) if step.write_event[r] < event), key=abs, default=0.0)

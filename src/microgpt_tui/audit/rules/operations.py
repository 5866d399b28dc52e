"""Every function that makes nodes: its gradients against differences of its own code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from microgpt_tui.audit.findings import ERROR, NOTE, Finding, Tested, Untested
from microgpt_tui.audit.source import bare_reads, bare_writes, derivative_line, function_at, parts_of_derivative
from microgpt_tui.audit.subject import NotEvaluated, Subject
from microgpt_tui.protocol.examination import Deviation, FunctionTested


def operations(subject: Subject) -> Iterator[Finding]:
    """The wrong ones, those first that others call."""
    if not subject.functions:
        raise NotEvaluated(_why_not(subject))
    for f in subject.functions:
        kind = "operation" if f.operation else "function"
        if f.compared:
            kinks = f", {f.kinks} of them at a kink" if f.kinks else f"; {f.at_zero}" if f.at_zero else ""
            also = f", {f.witnessed} by forward mode too" if f.witnessed else ""
            subject.notes.tested.append(
                Tested(kind, f.name, f"{f.compared} derivatives by differences{also}{kinks}", f.wrong)
            )
        if f.untested or not f.compared:
            part = "in part: " if f.compared else ""
            subject.notes.untested.append(Untested(kind, f.name, part + (f.untested or "no node among its operands")))
        if f.wrong and f.deviation is not None:
            line = _line(subject, f, f.deviation)
            yield Finding(ERROR, kind, line, _text(f, f.deviation), f.at_kink, f.file, subject.step.number)
            function = function_at(subject.trees[f.file], f.line)
            for name, at in parts_of_derivative(function, line) if function is not None and f.operation else ():
                yield Finding(
                    NOTE, kind, at, f"`{name}` is made here for the derivative on line {line} alone", "", f.file
                )
    for name in _unused(subject):
        subject.notes.untested.append(Untested("operation", name, "not used in this step"))


def _why_not(subject: Subject) -> str:
    refused = [r.why for r in subject.refusals]
    return refused[0] if refused else "the step was not examined"


def _text(f: FunctionTested, d: Deviation) -> str:
    guess = f": {d.guess}" if d.guess else ""
    return f"{d.at or f.name}: the derivative by {d.of} is {d.found:.6g}, differences say {d.expected:.6g}{guess}"


def _line(subject: Subject, f: FunctionTested, d: Deviation) -> int:
    program, tree = subject.program, subject.trees[f.file]
    function = function_at(tree, f.line)
    if "it changes the n" in d.guess and function is not None:
        return next(bare_writes(function, program.data_name), f.line)
    if f.operation:
        return derivative_line(tree, f.line, program.class_name, program.grad_name, d.of)
    if function is not None:
        return next(bare_reads(function, program.data_name), f.line)
    return f.line


def _unused(subject: Subject) -> list[str]:
    """Methods of the autograd class that make nodes and were not called."""
    seen = {f.name.rpartition(".")[2] for f in subject.functions}
    classes = (n for t in subject.trees for n in ast.walk(t) if isinstance(n, ast.ClassDef))
    found = next((c for c in classes if c.name == subject.program.class_name), None)
    methods = [m.name for m in found.body if isinstance(m, ast.FunctionDef)] if found is not None else []
    plain = {"__init__", "__repr__", "__str__", "__hash__", "__eq__", "backward", "zero_grad", "__lt__", "__gt__",
             "__float__", "__bool__", "__post_init__", "__format__", "__le__", "__ge__"}  # fmt: skip
    return [f"{subject.program.class_name}.{m}" for m in methods if m not in seen and m not in plain]

"""The operations of a script, by the names that its nodes have (``Trace.op_name``)."""

from __future__ import annotations

import ast

from microgpt_tui.protocol.codes import CONSTANT_OP, LEAF_OP, OUTSIDE_OP, REFLECTED, SiteKind
from microgpt_tui.trace.derived import derived
from microgpt_tui.trace.positions import syntax
from microgpt_tui.trace.trace import Program


@derived
def operations(program: Program) -> frozenset[str]:
    """What the nodes of this script can be called: methods of its class that make nodes, and functions that do."""
    methods = {REFLECTED.get(s.name, s.name) for s in program.sites if s is not None and s.kind == SiteKind.CREATE}
    return frozenset(methods | _functions(program) | {CONSTANT_OP, LEAF_OP, OUTSIDE_OP})


def _functions(program: Program) -> set[str]:
    """Functions that give a new node its operands: ``gelu(x)`` with ``return Value(y, (x,), (slope,))``."""
    calls = {s.name for s in program.sites if s is not None and s.kind == SiteKind.CALL}
    found = set()
    for tree in syntax(program):
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and function.name in calls:
                found |= {
                    function.name for n in ast.walk(function)
                    if isinstance(n, ast.Call) and getattr(n.func, "id", "") == program.class_name
                    and len(n.args) + len(n.keywords) > 1
                }  # fmt: skip
    return found

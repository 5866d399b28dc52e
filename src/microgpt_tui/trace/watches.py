"""Expressions about what the script calls things: ``q[3].grad``, ``layer0.attn_wq[3][5]``, ``max(logits)``, ``loss``.

What ``display`` shows at every stop and ``watch`` waits for a change of; pure functions of (trace, event).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from microgpt_tui.protocol.breakpoints import Resolved
from microgpt_tui.protocol.conditions import CONSTANTS, FACTS, FUNCTIONS, Condition, ConditionError, condition
from microgpt_tui.trace.breakpoints import BreakpointError, resolve_variable, variables_of
from microgpt_tui.trace.facts import facts
from microgpt_tui.trace.references import Reference, Value, look_up, parameters_called, read
from microgpt_tui.trace.trace import Program, Trace


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression about references and facts."""

    text: str
    condition: Condition
    references: tuple[Reference, ...]

    def value(self, trace: Trace, event: int) -> Value:
        """What it is at a moment. Raises NotHere, or what the arithmetic raises."""
        known: dict[str, Any] = {}
        for i, reference in enumerate(self.references):
            known[f"_{i}"] = look_up(reference, trace, event)
        names = self.condition.names
        known.update(facts(trace).at(event, [n for n in names if n not in known]))
        found: Value = self.condition.test(*(known[n] for n in names))
        return found

    def nodes(self, program: Program) -> list[int]:
        """The single parameters that it names: their history over the steps can be drawn."""
        named = (parameters_called(program, r) for r in self.references)
        return [next(iter(nodes)) for nodes in named if len(nodes) == 1]


def expression(text: str, program: Program) -> Expression:
    """Check and compile. Raises ConditionError or BreakpointError."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ConditionError(f"not an expression: {error.msg}", text, max(0, (error.offset or 1) - 1)) from None
    finder = _References(program, text.strip())
    tree = finder.visit(tree)
    placeholders = frozenset(f"_{i}" for i in range(len(finder.found)))
    try:
        compiled = condition(ast.unparse(ast.fix_missing_locations(tree)), placeholders)
    except ConditionError as error:
        shown = re.sub(r"\b_(\d+)\b", lambda found: finder.found[int(found[1])].text, error.message)
        raise ConditionError(shown, text.strip(), 0) from None
    return Expression(text.strip(), compiled, tuple(finder.found))


class _References(ast.NodeTransformer):
    """Puts placeholders where the script's things are named."""

    def __init__(self, program: Program, text: str) -> None:
        self.program = program
        self.text = text
        self.found: list[Reference] = []
        self.bound: set[str] = set()

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        self.bound |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        self.bound |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.args = [self.visit(a) for a in node.args]
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.reference(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return self.reference(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return self.reference(node)

    def reference(self, node: ast.expr) -> ast.AST:
        made = self.read(node)
        if made is None:
            if isinstance(node, ast.Attribute):
                raise ConditionError(f"{ast.unparse(node)} names nothing that can be looked up: write a name with its "
                                     "indices, as q[3].grad", self.text, node.col_offset)  # fmt: skip
            return self.generic_visit(node) if not isinstance(node, ast.Name) else node
        if made not in self.found:
            self.found.append(made)
        return ast.copy_location(ast.Name(f"_{self.found.index(made)}", ast.Load()), node)

    def read(self, node: ast.expr) -> Reference | None:
        """A thing of the script; None for a fact or anything else."""
        made = read(node, self.program)
        if made is None or made.parts[0] in self.bound:
            return None
        name = made.parts[0]
        is_fact = name in FACTS or name in FUNCTIONS or name in CONSTANTS
        plain = len(made.parts) == 1 and isinstance(node, ast.Name)
        return None if is_fact and (plain or name == "inputs") else made


def candidates(made: Expression, program: Program) -> list[Resolved]:
    """Places at which an expression may change. Raises BreakpointError where nothing can be watched."""
    found: list[Resolved] = []
    for reference in made.references:
        nodes = parameters_called(program, reference)
        found.append(
            Resolved("param", nodes=nodes) if nodes else resolve_variable(_variable(reference, program), program)
        )
    if "loss" in made.condition.names:
        found.append(Resolved("loss"))
    if {"step", "phase"} & set(made.condition.names):
        found.append(Resolved("phase"))
    if not found:
        raise BreakpointError(f"nothing in {made.text!r} can be watched: name a parameter, a variable or loss")
    return found


def _variable(reference: Reference, program: Program) -> str:
    """The part of a reference that the script binds: ``self.cache`` of ``self.cache[0]``."""
    names = [name for name, _ in reference.splits]
    return next((name for name in names if name in variables_of(program)), names[-1] if names else reference.text)

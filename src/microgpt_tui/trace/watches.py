"""Expressions about what the script calls things: ``q[3].grad``, ``layer0.attn_wq[3][5]``, ``max(logits)``, ``loss``.

What ``display`` shows at every stop and ``watch`` waits for a change of; pure functions of (trace, event).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from microgpt_tui.protocol.breakpoints import Resolved
from microgpt_tui.protocol.codes import BindKind
from microgpt_tui.protocol.conditions import CONSTANTS, FACTS, FUNCTIONS, NAN, Condition, ConditionError, condition
from microgpt_tui.trace.breakpoints import BreakpointError, resolve_variable
from microgpt_tui.trace.facts import facts, parameter_names
from microgpt_tui.trace.trace import Program, Trace
from microgpt_tui.trace.variables import variable

Value = float | int | str | tuple[Any, ...]


class NotHere(LookupError):
    """Something that the expression names does not exist at this moment."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A thing of the script: a parameter, or a variable in scope, by name and indices."""

    name: str
    indices: tuple[int, ...]
    attribute: str
    """``data`` or ``grad``."""

    @property
    def text(self) -> str:
        """Without the attribute: ``q[3]``."""
        return self.name + "".join(f"[{i}]" for i in self.indices)


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
        by_name = {name: node for node, name in parameter_names(program).items()}
        return [by_name[r.text] for r in self.references if r.text in by_name]


def expression(text: str, program: Program) -> Expression:
    """Check and compile. Raises ConditionError or BreakpointError."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ConditionError(f"not an expression: {error.msg}", text, max(0, (error.offset or 1) - 1)) from None
    finder = _References(program)
    tree = finder.visit(tree)
    placeholders = frozenset(f"_{i}" for i in range(len(finder.found)))
    compiled = condition(ast.unparse(ast.fix_missing_locations(tree)), placeholders)
    return Expression(text.strip(), compiled, tuple(finder.found))


class _References(ast.NodeTransformer):
    """Puts placeholders where the script's things are named."""

    def __init__(self, program: Program) -> None:
        self.program = program
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
            return self.generic_visit(node) if not isinstance(node, ast.Name) else node
        if made not in self.found:
            self.found.append(made)
        return ast.copy_location(ast.Name(f"_{self.found.index(made)}", ast.Load()), node)

    def read(self, node: ast.expr) -> Reference | None:
        """A chain of names, attributes and constant indices as a reference; None for a fact or anything else."""
        attribute = "data"
        names = {self.program.data_name: "data", self.program.grad_name: "grad", "data": "data", "grad": "grad"}
        if isinstance(node, ast.Attribute) and node.attr in names:
            attribute, node = names[node.attr], node.value
        indices: list[int] = []
        while isinstance(node, ast.Subscript):
            index = node.slice
            sign = 1
            if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub):
                sign, index = -1, index.operand
            if not isinstance(index, ast.Constant) or not isinstance(index.value, int):
                return None
            indices.insert(0, sign * index.value)
            node = node.value
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.bound:
            return None
        name = ".".join([node.id, *parts])
        plain = not parts and not indices and attribute == "data"
        if plain and (name in FACTS or name in FUNCTIONS or name in CONSTANTS):
            return None
        if name == "inputs" and indices:
            return None
        return Reference(name, tuple(indices), attribute)


def look_up(reference: Reference, trace: Trace, event: int) -> Value:
    """The number, text or nested numbers that a reference stands for. Raises NotHere."""
    found = variable(trace, event, reference.name)
    if found is None:
        nodes: Any = _matrix(reference.name, trace.program)
        if nodes is None:
            raise NotHere(f"{reference.name} is not in scope here")
        is_node = True
    else:
        nodes, is_node = found.value, found.has_nodes
        if found.kind == BindKind.OTHER:
            raise NotHere(f"{reference.name} is too long, or of a kind that is not recorded")
    for index in reference.indices:
        try:
            nodes = nodes[index]
        except (IndexError, TypeError, KeyError):
            raise NotHere(f"{reference.text} is out of range here") from None

    def number(leaf: Any) -> Any:
        if isinstance(leaf, list):
            return tuple(number(part) for part in leaf)
        if not is_node:
            return leaf
        if leaf < 0:
            return NAN
        return trace.grad_at(leaf, event) if reference.attribute == "grad" else trace.data_at(leaf, event)

    made: Value = number(nodes)
    return made


def node_of(reference_text: str, trace: Trace, event: int) -> int:
    """The node that ``q[3]``, ``layer0.attn_wq[0][1]`` or ``#123`` names at a moment. Raises NotHere."""
    text = reference_text.strip().lstrip("#")
    if text.isdigit():
        node = int(text)
        if node >= trace.end_node:
            raise NotHere(f"there is no node {node}")
        return node
    try:
        read = _References(trace.program).read(ast.parse(text, mode="eval").body)
    except SyntaxError:
        read = None
    if read is None:
        raise NotHere(f"{reference_text!r} names no node: write a name with its indices, as q[3]")
    found = variable(trace, event, read.name)
    nodes: Any = found.value if found is not None and found.has_nodes else _matrix(read.name, trace.program)
    for index in read.indices:
        try:
            nodes = nodes[index]
        except (IndexError, TypeError):
            nodes = None
    if not isinstance(nodes, int):
        known = facts(trace)["name"]
        if read.text in known:
            return int(facts(trace)["node"][known.index(read.text)])
        raise NotHere(f"{reference_text} names no single node here")
    return nodes


def _matrix(name: str, program: Program) -> Any:
    for matrix in program.matrices:
        if matrix.name == name:
            return _nested(list(matrix.nodes), matrix.shape)
    return None


def _nested(flat: list[int], shape: tuple[int, ...]) -> Any:
    if not shape:
        return flat[0]
    for size in reversed(shape[1:]):
        if size <= 0:
            return flat
        flat = [flat[i : i + size] for i in range(0, len(flat), size)]  # type: ignore[misc]  # deeper at each iteration
    return flat


def candidates(made: Expression, program: Program) -> list[Resolved]:
    """Places at which an expression may change. Raises BreakpointError where nothing can be watched."""
    found: list[Resolved] = []
    names = parameter_names(program)
    for reference in made.references:
        nodes = frozenset(n for n, name in names.items()
                          if name == reference.text or name.startswith(reference.text + "["))  # fmt: skip
        if nodes:
            found.append(Resolved("param", nodes=nodes))
        else:
            found.append(resolve_variable(reference.name, program))
    if "loss" in made.condition.names:
        found.append(Resolved("loss"))
    if {"step", "phase"} & set(made.condition.names):
        found.append(Resolved("phase"))
    if not found:
        raise BreakpointError(f"nothing in {made.text!r} can be watched: name a parameter, a variable or loss")
    return found

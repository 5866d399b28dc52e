"""Where in the source a mistake stands: the line that makes a derivative,
reads a node's bare number, lists parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
SAFE = {"max", "min", "print", "format", "isinstance", "round", "sorted", "str", "repr", "range", "choices"}
"""Calls whose arguments may read bare numbers without cutting the graph."""


def function_at(tree: ast.Module, line: int) -> FunctionNode | None:
    """The function whose definition begins on a line (or whose first decorator does)."""
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode) and line in (node.lineno, *(d.lineno for d in node.decorator_list)):
            return node
    return None


def derivative_line(tree: ast.Module, line: int, class_name: str, grad_name: str, operand: str) -> int:
    """The line that makes an operation's derivative by an operand; that of its definition where it cannot be told."""
    function = function_at(tree, line)
    if function is None:
        return line
    name = operand.split("[")[0]
    grads = [
        (t.value.id if isinstance(t.value, ast.Name) else "", at)
        for at, t in writes(function) if isinstance(t, ast.Attribute) and t.attr == grad_name
    ]  # fmt: skip
    if grads:
        return next((at for who, at in grads if who == name), grads[0][1])
    for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
        f = call.func
        called = f.id if isinstance(f, ast.Name) else f.attr if isinstance(f, ast.Attribute) else ""
        if called not in (class_name, "__class__", "cls") and not (isinstance(f, ast.Call)):
            continue
        values = [*call.args, *(k.value for k in call.keywords)]
        if len(values) == 2 and isinstance(values[1], ast.List | ast.Tuple):  # pairs of an operand and its derivative
            own = [e for e in values[1].elts if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(e))
                   and isinstance(e, ast.Tuple | ast.Call)]  # fmt: skip
            if own:
                return own[-1].lineno
        if len(values) >= 3:
            return _line_of_local(function, values[1], values[2], name)
    return line


def _line_of_local(function: FunctionNode, operands: ast.expr, made: ast.expr, name: str) -> int:
    if isinstance(made, ast.Tuple | ast.List):
        place = 0
        if isinstance(operands, ast.Tuple | ast.List) and len(operands.elts) == len(made.elts):
            names = [e.id if isinstance(e, ast.Name) else "" for e in operands.elts]
            place = names.index(name) if name in names else 0
        part = made.elts[place] if made.elts else made
    else:
        part = made
    if isinstance(part, ast.Name):
        assigned = [
            n.lineno for n in ast.walk(function)
            if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == part.id for t in n.targets)
        ]  # fmt: skip
        if assigned:
            return assigned[-1]
    return part.lineno


def bare_reads(root: ast.AST, data_name: str) -> Iterator[int]:
    """Lines in a piece of code that read a node's bare number and go on computing with it."""
    skip: set[ast.AST] = set()
    for node in ast.walk(root):
        if node in skip:
            continue
        safe = isinstance(node, ast.Compare | ast.JoinedStr | ast.If | ast.IfExp) or (
            isinstance(node, ast.Call)
            and (node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")) in SAFE
        )
        if isinstance(node, ast.If | ast.IfExp):
            skip.update(ast.walk(node.test))
        elif safe:
            skip.update(ast.walk(node))
        elif (isinstance(node, ast.Attribute) and node.attr == data_name and isinstance(node.ctx, ast.Load)) or (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float" and node.args
        ):
            yield node.lineno


def enclosing_loop(tree: ast.Module, line: int) -> ast.For | None:
    """The innermost ``for`` around a line."""
    around = [n for n in ast.walk(tree) if isinstance(n, ast.For) and n.lineno <= line <= (n.end_lineno or 0)]
    return max(around, key=lambda n: n.lineno, default=None)


def assignment_of(tree: ast.Module, name: str) -> int:
    """The line of the last plain assignment to a name, or 0."""
    return max((
        n.lineno for n in ast.walk(tree)
        if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in n.targets)
    ), default=0)  # fmt: skip


def names_in(expression: ast.expr) -> list[str]:
    """The names that an expression reads."""
    return [n.id for n in ast.walk(expression) if isinstance(n, ast.Name)]


def writes(root: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    """(line, target) of every assignment, ``+=`` and the like too."""
    for node in ast.walk(root):
        if isinstance(node, ast.Assign):
            yield from ((node.lineno, target) for target in node.targets)
        elif isinstance(node, ast.AugAssign):
            yield node.lineno, node.target


def bare_writes(root: ast.AST, data_name: str) -> Iterator[int]:
    """Lines in a piece of code that write a node's bare number."""
    return (line for line, t in writes(root) if isinstance(t, ast.Attribute) and t.attr == data_name)


def parts_of_derivative(function: FunctionNode, line: int) -> list[tuple[str, int]]:
    """(name, line) of what is computed in a function for the derivative on a line and used nowhere else."""
    uses: dict[str, int] = {}
    here: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] = uses.get(node.id, 0) + 1
            if node.lineno == line:
                here.add(node.id)
    return [
        (t.id, n.lineno) for n in ast.walk(function) if isinstance(n, ast.Assign) and n.lineno != line
        for t in n.targets if isinstance(t, ast.Name) and t.id in here and uses[t.id] == 1
    ]  # fmt: skip

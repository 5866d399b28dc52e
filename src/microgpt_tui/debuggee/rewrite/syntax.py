"""Questions about pieces of syntax, and small pieces of it to add."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from microgpt_tui.debuggee.rewrite.analyse import FunctionNode

BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.Pow: "pow",
    ast.MatMult: "matmul", ast.FloorDiv: "floordiv", ast.Mod: "mod",
}  # fmt: skip
BUILTIN_CALLS = {
    "sum": "add",
    "fsum": "add",
    "prod": "mul",
    "abs": "abs",
    "pow": "pow",
    "max": "max",
    "min": "min",
}
"""Operations that built-in functions make of their arguments, by the name they are called with."""


def plain(expression: ast.expr) -> bool:
    """True when evaluating an expression once more cannot be noticed: names, attributes, constant or named indices."""
    if isinstance(expression, ast.Name | ast.Constant):
        return True
    if isinstance(expression, ast.Attribute):
        return plain(expression.value)
    if isinstance(expression, ast.Subscript):
        return plain(expression.value) and not isinstance(expression.slice, ast.Slice) and plain(expression.slice)
    if isinstance(expression, ast.BinOp):
        return plain(expression.left) and plain(expression.right)
    if isinstance(expression, ast.UnaryOp):
        return plain(expression.operand)
    if isinstance(expression, ast.JoinedStr):
        return all(
            isinstance(v, ast.Constant) or (isinstance(v, ast.FormattedValue) and plain(v.value))
            for v in expression.values
        )
    return False


def load_of(expression: ast.expr) -> ast.expr:
    """A copy of an expression for reading."""
    clone = copy.deepcopy(expression)
    for node in ast.walk(clone):
        if hasattr(node, "ctx"):
            node.ctx = ast.Load()
    return clone


def same(a: ast.expr, b: ast.expr) -> bool:
    return ast.dump(load_of(a)) == ast.dump(load_of(b))


def names_bound_inside(expression: ast.expr) -> set[str]:
    """Names that exist only inside an expression: variables of comprehensions, arguments of lambdas."""
    found: set[str] = set()
    for node in ast.walk(expression):
        if isinstance(node, ast.comprehension):
            found.update(n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Lambda):
            found.update(a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg))
    return found


def is_generator(function: FunctionNode) -> bool:
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            todo.extend(ast.iter_child_nodes(node))
    return False


def header_of(statement: ast.stmt) -> list[ast.expr]:
    """The expressions that a statement evaluates itself, without the statements inside it."""
    found: list[ast.expr] = []
    for _, value in ast.iter_fields(statement):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.expr):
                found.append(part)
            elif isinstance(part, ast.withitem):
                found.append(part.context_expr)
    return found


def evaluated_in_place(expressions: list[ast.expr]) -> list[ast.expr]:
    """Expressions evaluated in place, outermost first: lambdas are left out."""
    found: list[ast.expr] = []
    todo: list[ast.AST] = list(expressions)
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.expr):
            found.append(node)
        todo.extend(ast.iter_child_nodes(node))
    return found


def blocks_of(statement: ast.stmt) -> Iterator[tuple[ast.AST, str, list[ast.stmt]]]:
    """The blocks inside a compound statement: whose (a clause's or its own), by what name, their statements."""
    for owner in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(owner, name, None)
            if isinstance(inner, list) and inner:
                yield owner, name, inner


def parameters_of(function: FunctionNode | ast.Lambda) -> list[ast.arg]:
    """Its parameters that can be given by position or name, in order."""
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def prologue_length(body: list[ast.stmt]) -> int:
    """How many statements are the docstring and ``from __future__`` lines, before which nothing may stand."""
    n = 0
    while n < len(body):
        s = body[n]
        is_doc = n == 0 and isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
        if not is_doc and not (isinstance(s, ast.ImportFrom) and s.module == "__future__"):
            break
        n += 1
    return n


def tuple_of(*values: ast.expr) -> ast.Tuple:
    """A tuple display of these expressions."""
    return ast.Tuple(list(values), ast.Load())


def operation_name(method: str) -> str:
    """``__radd__`` -> ``radd``, ``exp`` -> ``exp``."""
    return method.strip("_") if method.startswith("__") else method


def before_returns(body: list[ast.stmt], report: ast.stmt) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    for s in body:
        if isinstance(s, ast.Return):
            out.append(report)
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(s, name, None)
            if isinstance(inner, list) and inner and not isinstance(s, ast.FunctionDef | ast.ClassDef):
                setattr(s, name, before_returns(inner, report))
        out.append(s)
    return out

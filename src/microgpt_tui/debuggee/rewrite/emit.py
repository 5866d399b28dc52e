"""What the rewriter adds: numbered sites, calls of the hooks, positions."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from microgpt_tui.debuggee.rewrite.analyse import AutogradClass
from microgpt_tui.debuggee.rewrite.sites import MARK, NOTE, SiteRecord, Sites
from microgpt_tui.debuggee.rewrite.syntax import header_of, tuple_of
from microgpt_tui.protocol.codes import SiteKind

Placed = ast.stmt | ast.expr | ast.arg
"""Syntax that has a position."""


class Emitter:
    """Numbers the sites of a file. Knows where the rewriting is: in which function, how many loops deep."""

    def __init__(self, file: int, sites: Sites, autograd: AutogradClass) -> None:
        self.file = file
        self.sites = sites
        self.autograd = autograd
        self.function = 0
        """The CALL or MODULE site around."""
        self.depth = 0
        self.resumed = self.suspended = 0
        """In a generator or a coroutine: the marks for coming back to it and for leaving it."""
        self.globally = True
        """Outside functions, where a name is one of the script's globals."""

    def site(
        self,
        kind: SiteKind,
        node: Placed,
        name: str = "",
        *,
        names: tuple[str, ...] = (),
        statement: int = -1,
        candidates: tuple[tuple[str, tuple[int, ...]], ...] = (),
    ) -> int:
        """A new site; returns its number."""
        record = SiteRecord(
            kind, self.file, node.lineno, node.col_offset, *_end(node), name, statement, names,
            self.depth, self.function, candidates,
        )  # fmt: skip
        return self.sites.add(record)


def _end(node: Placed) -> tuple[int, int]:
    """Where a node ends; of a compound statement its header, of a function its last parameter."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if not node.args.args:
            return node.lineno, node.col_offset + len(node.name) + 4
        last = node.args.args[-1]
        return last.end_lineno or node.lineno, (last.end_col_offset or 0) + 1
    whole = node.end_lineno or node.lineno, node.end_col_offset or 0
    if not isinstance(node, ast.stmt) or not getattr(node, "body", None):
        return whole
    return max(((e.end_lineno or 0, e.end_col_offset or 0) for e in header_of(node)), default=whole)


def call(hook: str, *args: ast.expr) -> ast.Call:
    """A call of a hook."""
    return ast.Call(ast.Name(hook, ast.Load()), list(args), [])


def mark(number: int) -> ast.stmt:
    """A statement that tells where the script is."""
    return ast.Expr(call(MARK, ast.Constant(number)))


def note(number: int, *values: ast.expr) -> ast.stmt:
    """A statement that tells what has happened at a site, with these values."""
    return ast.Expr(call(NOTE, tuple_of(ast.Constant(number), *values)))


def then(expression: ast.expr, hook: ast.expr) -> ast.expr:
    """The expression's value, with a hook called right after it."""
    pair = tuple_of(expression, hook)
    return ast.copy_location(ast.Subscript(pair, ast.Constant(0), ast.Load()), expression)


def first(hook: ast.expr, expression: ast.expr) -> ast.expr:
    """The expression's value, with a hook called right before it: hooks give None, so ``or`` goes on."""
    return ast.copy_location(ast.BoolOp(ast.Or(), [hook, expression]), expression)


def fix(nodes: Iterable[ast.stmt], origin: ast.stmt) -> None:
    """Give every added node the position of the statement it stands for."""
    for root in nodes:
        for node in ast.walk(root):
            if isinstance(node, ast.expr | ast.stmt) and not hasattr(node, "lineno"):
                ast.copy_location(node, origin)

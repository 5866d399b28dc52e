"""The base of the rewriter: numbering sites, building calls of the hooks, keeping positions."""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.analyse import AutogradClass, LoopNode, Plan
from microgpt_tui.debuggee.rewrite.sites import MARK, NOTE, SiteRecord, Sites
from microgpt_tui.debuggee.rewrite.syntax import header_of, tuple_of
from microgpt_tui.protocol.codes import SiteKind


class Emitter:
    """Knows where the rewriting is (function, loop depth) and makes what is added there."""

    def __init__(self, file: int, sites: Sites, autograd: AutogradClass, plan: Plan) -> None:
        self.file = file
        self.sites = sites
        self.autograd = autograd
        self.plan = plan
        self.loop_sites: dict[LoopNode, int] = {}
        self.function = 0
        self.depth = 0
        self.ambiguous: dict[int, int] = {}
        self.class_name = autograd.node.name
        self.assigned: dict[str, ast.expr] = {}

    # -- small pieces ----------------------------------------------------------------------

    def site(self, kind: SiteKind, node: ast.AST, name: str = "", **extra: object) -> int:
        end_line = getattr(node, "end_lineno", None) or node.lineno  # type: ignore[attr-defined]  # any node with a position
        end_column = getattr(node, "end_col_offset", 0)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(node, ast.stmt):
            header = header_of(node)  # a compound statement: its header only
            args = getattr(node, "args", None)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                end_line, end_column = node.lineno, node.col_offset + len(node.name) + 4
                if isinstance(args, ast.arguments) and args.args:
                    last = args.args[-1]
                    end_line, end_column = (
                        last.end_lineno or node.lineno,
                        (last.end_col_offset or 0) + 1,
                    )
            elif header:
                last_expression = max(header, key=lambda e: (e.end_lineno or 0, e.end_col_offset or 0))
                end_line = last_expression.end_lineno or node.lineno
                end_column = last_expression.end_col_offset or 0
        record = SiteRecord(
            kind, self.file, node.lineno, node.col_offset, end_line, end_column, name,  # type: ignore[attr-defined]  # as above
            function=self.function, depth=self.depth, **extra,  # type: ignore[arg-type]  # checked by the record
        )  # fmt: skip
        return self.sites.add(record)

    @staticmethod
    def call(hook: str, *args: ast.expr) -> ast.Call:
        return ast.Call(ast.Name(hook, ast.Load()), list(args), [])

    def mark(self, number: int) -> ast.stmt:
        return ast.Expr(self.call(MARK, ast.Constant(number)))

    def note(self, number: int, *values: ast.expr) -> ast.stmt:
        return ast.Expr(self.call(NOTE, tuple_of(ast.Constant(number), *values)))

    def after(self, expression: ast.expr, then: ast.expr) -> ast.expr:
        """The expression's value, with something done right after it."""
        pair = tuple_of(expression, then)
        return ast.copy_location(ast.Subscript(pair, ast.Constant(0), ast.Load()), expression)

    @staticmethod
    def before(hook: ast.expr, expression: ast.expr) -> ast.expr:
        """The expression's value, with a hook called right before it: hooks give None, so ``or`` goes on."""
        return ast.copy_location(ast.BoolOp(ast.Or(), [hook, expression]), expression)

    @staticmethod
    def fix(nodes: list[ast.stmt], origin: ast.stmt) -> None:
        """Give every added node the position of the statement it stands for."""
        for root in nodes:
            todo: list[ast.AST] = [root]
            while todo:
                node = todo.pop()
                if isinstance(node, ast.expr | ast.stmt) and not hasattr(node, "lineno"):
                    ast.copy_location(node, origin)
                todo.extend(ast.iter_child_nodes(node))

"""Calls and operations inside expressions: prints, draws, and operations that need a mark of their own."""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.analyse import is_class_call
from microgpt_tui.debuggee.rewrite.gradients import GradientWriter, Setattrs
from microgpt_tui.debuggee.rewrite.sites import CHOOSE, DRAW, MARK, NOTE, PRINTED
from microgpt_tui.debuggee.rewrite.syntax import operation_name, tuple_of
from microgpt_tui.protocol.codes import SiteKind


class CreationMarks(ast.NodeTransformer):
    """Marks before each call of the autograd class inside one of its own methods."""

    def __init__(self, rewriter: GradientWriter, method: ast.FunctionDef) -> None:
        self.rewriter = rewriter
        self.method = method
        self.op = operation_name(method.name)
        args = [a.arg for a in (*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs)][1:]
        rebound = {n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.plain_operands = tuple(a for a in args if a not in rebound)

    def visit_body(self) -> None:
        self.method.body = [self.visit(s) for s in self.method.body]

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        rewriter = self.rewriter
        if not is_class_call(node, rewriter.class_name):
            return node
        simple = len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name | ast.Constant)
        if simple:
            place = rewriter.site(SiteKind.CONSTANT, node, self.op)
            return rewriter.before(rewriter.call(MARK, ast.Constant(place)), node)
        place = rewriter.site(SiteKind.CREATE, node, self.op, names=self.plain_operands)
        if self.plain_operands:
            values = (ast.Name(a, ast.Load()) for a in self.plain_operands)
            first = rewriter.call(NOTE, tuple_of(ast.Constant(place), *values))
        else:
            first = rewriter.call(MARK, ast.Constant(place))
        return rewriter.before(first, node)


class Expressions(Setattrs):
    """Calls that print or draw, operations that need a mark of their own; not inside lambdas."""

    def __init__(self, rewriter: GradientWriter) -> None:
        super().__init__(rewriter)
        self.ambiguous = rewriter.ambiguous

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        saved, self.ambiguous = self.ambiguous, {}
        self.generic_visit(node)
        self.ambiguous = saved
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def marked(self, node: ast.expr) -> ast.expr:
        place = self.ambiguous.get(id(node))
        if place is None:
            return node
        return self.rewriter.after(node, self.rewriter.call(MARK, ast.Constant(place)))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        place = self.ambiguous.get(id(node))
        found = super().visit_Call(node)
        if found is not node:
            return found
        rewriter = self.rewriter
        f = node.func
        if isinstance(f, ast.Name) and f.id == "print":
            number = rewriter.site(SiteKind.PRINT, node)
            return rewriter.after(node, rewriter.call(PRINTED, ast.Constant(number)))
        if isinstance(f, ast.Attribute) and f.attr == "write" and isinstance(f.value, ast.Attribute) \
                and f.value.attr in ("stdout", "stderr"):  # fmt: skip
            number = rewriter.site(SiteKind.PRINT, node)
            return rewriter.after(node, rewriter.call(PRINTED, ast.Constant(number)))
        name = f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
        if name == "choices" or (name == "random" and isinstance(f, ast.Attribute) and not node.args):
            number = rewriter.site(SiteKind.SAMPLE, node, name)
            hook = ast.Name(CHOOSE if name == "choices" else DRAW, ast.Load())
            ast.copy_location(hook, node)
            return ast.copy_location(ast.Call(hook, [ast.Constant(number), f, *node.args], node.keywords), node)
        if place is not None:
            return rewriter.after(node, rewriter.call(MARK, ast.Constant(place)))
        return node

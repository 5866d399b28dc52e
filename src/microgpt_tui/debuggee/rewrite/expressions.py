"""Calls and operations inside expressions: prints, draws, and operations that need a mark of their own."""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.analyse import is_class_call
from microgpt_tui.debuggee.rewrite.emit import Emitter, call, first, then
from microgpt_tui.debuggee.rewrite.gradients import Gradients
from microgpt_tui.debuggee.rewrite.sites import CHOOSE, DRAW, MARK, NOTE, PRINTED
from microgpt_tui.debuggee.rewrite.syntax import operation_name, parameters_of, tuple_of
from microgpt_tui.protocol.codes import SiteKind


class CreationMarks(ast.NodeTransformer):
    """Marks before each call of the autograd class inside one of its own methods."""

    def __init__(self, emit: Emitter, method: ast.FunctionDef) -> None:
        self.emit = emit
        self.op = operation_name(method.name)
        rebound = {n.id for n in ast.walk(method) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.operands = tuple(a.arg for a in parameters_of(method)[1:] if a.arg not in rebound)
        """Arguments that are still what they were when a node is made: plain numbers may be among them."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not is_class_call(node, self.emit.autograd.node.name):
            return node
        if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name | ast.Constant):
            hook = call(MARK, ast.Constant(self.emit.site(SiteKind.CONSTANT, node, self.op)))
        else:
            place = ast.Constant(self.emit.site(SiteKind.CREATE, node, self.op, names=self.operands))
            values = [ast.Name(a, ast.Load()) for a in self.operands]
            hook = call(NOTE, tuple_of(place, *values)) if values else call(MARK, place)
        return first(hook, node)


class Expressions(ast.NodeTransformer):
    """Calls that print, draw or set, operations that need a mark of their own; not inside lambdas.

    ``ambiguous``: ``id`` of a node of the syntax -> the site that a mark after it names.
    """

    def __init__(self, emit: Emitter, gradients: Gradients, ambiguous: dict[int, int]) -> None:
        self.emit = emit
        self.gradients = gradients
        self.ambiguous = ambiguous

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        outside, self.ambiguous = self.ambiguous, {}
        self.generic_visit(node)
        self.ambiguous = outside
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self.marked(node)

    def marked(self, node: ast.expr) -> ast.expr:
        place = self.ambiguous.get(id(node))
        return node if place is None else then(node, call(MARK, ast.Constant(place)))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        written = self.gradients.of_setattr(node)
        if written is not None:
            return written
        match node.func:
            case ast.Name(id="print") | ast.Attribute(value=ast.Attribute(attr="stdout" | "stderr"), attr="write"):
                return then(node, call(PRINTED, ast.Constant(self.emit.site(SiteKind.PRINT, node))))
            case ast.Name(id="choices") | ast.Attribute(attr="choices"):
                return self.drawn(CHOOSE, "choices", node)
            case ast.Attribute(attr="random") if not node.args:
                return self.drawn(DRAW, "random", node)
        return self.marked(node)

    def drawn(self, hook: str, name: str, node: ast.Call) -> ast.expr:
        """The hook draws in place of the function, which it is given."""
        place = ast.Constant(self.emit.site(SiteKind.SAMPLE, node, name))
        function = ast.copy_location(ast.Name(hook, ast.Load()), node)
        return ast.copy_location(ast.Call(function, [place, node.func, *node.args], node.keywords), node)

"""Variables: notes of what a statement has bound, set or made longer."""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.emit import Emitter, call, note
from microgpt_tui.debuggee.rewrite.sites import BIND, COPIED, LIST, TYPE
from microgpt_tui.debuggee.rewrite.syntax import load_of, plain, tuple_of
from microgpt_tui.protocol.codes import SiteKind


def bindings(emit: Emitter, statement: ast.stmt) -> list[ast.stmt]:
    """The notes that tell which variables a statement has bound or changed."""
    match statement:
        case ast.Assign(targets=given):
            targets = given
        case ast.AugAssign(target=single) | ast.AnnAssign(target=single, value=ast.expr()):
            targets = [single]
        case ast.Expr(value=ast.Call() as expression):
            return _growth(emit, expression)
        case _:
            return []
    out: list[ast.stmt] = []
    inside = {emit.autograd.data_name, emit.autograd.grad_name}
    for target in targets:
        for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
            match part:
                case ast.Name():
                    out.append(bound(emit, part, ast.unparse(part)))
                case ast.Attribute(value=ast.Name(), attr=name) if name not in inside:
                    out.append(bound(emit, part, ast.unparse(part)))
                case ast.Subscript() if plain(part):
                    root, path = _root_and_path(load_of(part))
                    place = emit.site(SiteKind.ELEMENT, part, ast.unparse(root))
                    out.append(note(place, root, tuple_of(*path), _as_it_is_now(part)))
    return out


def bound(emit: Emitter, target: ast.expr | ast.arg, name: str) -> ast.stmt:
    """The note that a variable, an attribute or a parameter has a value now."""
    place = emit.site(SiteKind.BIND, target, name)
    value = ast.Name(target.arg, ast.Load()) if isinstance(target, ast.arg) else load_of(target)
    return ast.Expr(call(BIND, ast.Constant(place), value))


def _as_it_is_now(part: ast.expr) -> ast.expr:
    """The value of an item, copied if it is a list."""
    is_list = ast.Compare(call(TYPE, load_of(part)), [ast.Is()], [ast.Name(LIST, ast.Load())])
    return ast.IfExp(is_list, call(COPIED, load_of(part)), load_of(part))


def _growth(emit: Emitter, expression: ast.Call) -> list[ast.stmt]:
    """``X.append(v)`` and ``X.extend(...)`` as a statement."""
    match expression.func:
        case ast.Attribute(
            value=ast.Name() | ast.Attribute() | ast.Subscript() as grown, attr="append" | "extend" as how
        ):
            if not plain(grown):
                return []
        case _:
            return []
    owner = load_of(grown)
    root, path = _root_and_path(owner)
    place = emit.site(SiteKind.APPEND, expression, ast.unparse(root))
    return [ast.Expr(call(BIND, ast.Constant(place), owner, tuple_of(*path), ast.Constant(how == "append"), root))]


def _root_and_path(owner: ast.expr) -> tuple[ast.expr, list[ast.expr]]:
    """``x[i][j]`` -> x and its indices."""
    path: list[ast.expr] = []
    while isinstance(owner, ast.Subscript):
        path.insert(0, owner.slice)
        owner = owner.value
    return owner, path

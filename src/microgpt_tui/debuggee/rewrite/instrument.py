"""Source in, rewritten code and a table of its sites out: a pure function.

The rewriting keeps every value, every order and every position. What it adds are calls of a
few hooks whose names no source can contain (``@mg_mark``, as pytest does it: a ``__name``
inside a class body would be mangled). They live in ``builtins``, so that the script's own
namespaces stay as they are; the recorder swaps them to go from running to stepping.
"""

from __future__ import annotations

import ast

from microgpt_tui.debuggee.rewrite.analyse import (
    NO_OPERATION,
    AutogradClass,
    FunctionNode,
    LoopNode,
    Plan,
    is_class_call,
    methods_of,
)
from microgpt_tui.debuggee.rewrite.expressions import CreationMarks, Expressions
from microgpt_tui.debuggee.rewrite.gradients import GradientWriter
from microgpt_tui.debuggee.rewrite.sites import BACKWARD, BIND, CLASS, EPISODE, NODE, SiteRecord, Sites
from microgpt_tui.debuggee.rewrite.syntax import (
    BINARY,
    BUILTIN_CALLS,
    before_returns,
    evaluated_in_place,
    header_of,
    is_generator,
    load_of,
    operation_name,
    plain,
    root_and_path,
    tuple_of,
)
from microgpt_tui.protocol.codes import LEAVE, LEAVE_OPERATION, SiteKind


def instrument(
    tree: ast.Module,
    file: int,
    sites: Sites,
    autograd: AutogradClass,
    plan: Plan,
) -> tuple[ast.Module, int, dict[LoopNode, int]]:
    """Rewrite a parsed file in place.

    Returns the tree, the number of its MODULE site, and the sites of its loops.
    """
    rewriter = Rewriter(file, sites, autograd, plan)
    module_site = rewriter.module(tree)
    return tree, module_site, rewriter.loop_sites


class Rewriter(GradientWriter):
    """Statements, functions, classes and loops."""

    def module(self, tree: ast.Module) -> int:
        number = self.sites.add(SiteRecord(SiteKind.MODULE, self.file, 1, 0, 1, 0, "module"))
        self.function = number
        prefix = self.prologue_length(tree.body)
        tree.body[prefix:] = [
            self.locate(self.mark(number), tree.body[prefix:]),
            *self.block(tree.body[prefix:]),
        ]
        ast.fix_missing_locations(tree)
        return number

    @staticmethod
    def locate(node: ast.stmt, near: list[ast.stmt]) -> ast.stmt:
        if near:
            ast.copy_location(node, near[0])
        return node

    @staticmethod
    def prologue_length(body: list[ast.stmt]) -> int:
        """The docstring and ``from __future__`` lines, before which nothing may stand."""
        n = 0
        while n < len(body):
            s = body[n]
            is_doc = n == 0 and isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
            if not is_doc and not (isinstance(s, ast.ImportFrom) and s.module == "__future__"):
                break
            n += 1
        return n

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            new = self.statement(statement)
            self.fix(new, statement)
            out.extend(new)
        return out

    def define(self, node: FunctionNode) -> None:
        """A function: enter and leave marks, its arguments as variables, its statements."""
        if isinstance(node, ast.AsyncFunctionDef) or is_generator(node):
            node.body = self.gradients_only(node.body)  # its statements interleave with its consumer's
            return
        outer = self.function, self.depth, self.assigned
        number = self.site(SiteKind.CALL, node, node.name)
        self.function, self.depth, self.assigned = number, 0, {}
        prefix = self.prologue_length(node.body)
        rest = node.body[prefix:]
        enter: list[ast.stmt] = [self.mark(number)]
        args = node.args
        for a in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            if a.arg not in ("self", "cls"):
                place = self.site(SiteKind.BIND, a, a.arg)
                bind = ast.Expr(self.call(BIND, ast.Constant(place), ast.Name(a.arg, ast.Load())))
                enter.append(ast.copy_location(bind, node.body[0]))
        for s in enter:
            ast.copy_location(s, node.body[0])
        body = self.block(rest) or [ast.copy_location(ast.Pass(), node.body[0])]
        leave = ast.copy_location(self.mark(LEAVE), node.body[-1])
        guarded = ast.copy_location(ast.Try(body, [], [], [leave]), node.body[0])
        self.break_cycles(rest, guarded)
        node.body = [*node.body[:prefix], *enter, guarded]
        self.backward_pass(node, guarded, prefix + len(enter))
        self.fix(node.body, node)
        self.function, self.depth, self.assigned = outer

    def backward_pass(self, node: FunctionNode, guarded: ast.Try, at: int) -> None:
        """Tell when a function called ``backward`` begins (with what: the loss) and ends."""
        args = [*node.args.posonlyargs, *node.args.args]
        if node.name == "backward" and args:
            begin = ast.Expr(self.call(BACKWARD, ast.Name(args[0].arg, ast.Load())))
            node.body.insert(at, ast.copy_location(begin, node.body[0]))
            guarded.finalbody.insert(0, ast.copy_location(ast.Expr(self.call(BACKWARD)), guarded))

    def break_cycles(self, body: list[ast.stmt], guarded: ast.Try) -> None:
        """A self-recursive inner function holds itself, and the graph with it: let go of it at the end.

        Only where its name is used for calls alone: then nobody else can hold it.
        """
        for inner in body:
            if not isinstance(inner, ast.FunctionDef):
                continue
            uses = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == inner.name]
            calls = {id(n.func) for s in body for n in ast.walk(s) if isinstance(n, ast.Call)}
            recursive = any(isinstance(n, ast.Name) and n.id == inner.name for n in ast.walk(inner))
            if recursive and all(id(n) in calls for n in uses) and not inner.decorator_list:
                forget = ast.Assign([ast.Name(inner.name, ast.Store())], ast.Constant(None))
                guarded.finalbody.append(ast.copy_location(forget, body[-1]))

    def class_definition(self, node: ast.ClassDef) -> None:
        if node is not self.autograd.node:
            for member in node.body:
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                    self.define(member)
                elif isinstance(member, ast.ClassDef):
                    self.class_definition(member)
            return
        names = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
        if "__init__" not in names and "__post_init__" not in names:
            hook = ast.parse("def __post_init__(self): pass").body[0]
            assert isinstance(hook, ast.FunctionDef)
            ast.copy_location(hook, node.body[-1])
            node.body.append(hook)
        for member in methods_of(node):
            self.method(member)
        self.fix(list(node.body), node)

    def method(self, node: ast.FunctionDef) -> None:
        """A method of the autograd class: no statement marks, only creations and gradient writes."""
        maker = "__init__" if any(m.name == "__init__" for m in methods_of(self.autograd.node)) else "__post_init__"
        if node.name == maker:
            me = node.args.args[0].arg
            report: ast.stmt = ast.Expr(self.call(NODE, ast.Name(me, ast.Load())))
            ast.copy_location(report, node.body[-1])
            node.body = [*before_returns(node.body, report), report]
            self.fix(node.body, node)
            return
        creates = [n for n in ast.walk(node) if is_class_call(n, self.class_name)]
        is_operation = node.name in self.autograd.operations
        number = -1
        original = list(node.body)
        if creates and is_operation:
            CreationMarks(self, node).visit_body()
        elif is_operation:
            number = self.site(SiteKind.OPERATION, node, operation_name(node.name))
        elif node.name not in NO_OPERATION or node.name in ("backward", "zero_grad"):
            number = self.site(SiteKind.CALL, node, node.name)
        outer, self.function = self.function, number if number >= 0 else self.function
        node.body = self.gradients_only(node.body)
        self.function = outer
        if number >= 0 and not is_generator(node):
            prefix = self.prologue_length(original)
            leave = self.mark(LEAVE_OPERATION if is_operation else LEAVE)
            ast.copy_location(leave, original[-1])
            rest = node.body[prefix:]
            guarded = ast.copy_location(ast.Try(rest, [], [], [leave]), original[0])
            self.break_cycles(original[prefix:], guarded)
            enter = ast.copy_location(self.mark(number), original[0])
            node.body = [*node.body[:prefix], enter, guarded]
            self.backward_pass(node, guarded, prefix + 1)
        self.fix(node.body, node)

    def statement(self, s: ast.stmt) -> list[ast.stmt]:
        """A statement of the script, outside the autograd class."""
        if isinstance(s, ast.FunctionDef | ast.AsyncFunctionDef):
            self.define(s)
            return [s]
        if isinstance(s, ast.ClassDef):
            self.class_definition(s)
            if s is self.autograd.node:
                return [s, ast.Expr(self.call(CLASS, ast.Name(s.name, ast.Load())))]
            return [s]
        if isinstance(
            s,
            ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal | ast.Pass | ast.Break | ast.Continue,
        ):
            return [s]
        number = self.statement_site(s)
        head: list[ast.stmt] = [self.mark(number)] if number >= 0 else []
        if isinstance(s, ast.For | ast.While):
            return self.loop(s, head)
        head += self.data_before(s)
        notes = [*self.writes(s), *self.forget(s)] if isinstance(s, ast.Assign | ast.AugAssign) else []
        self.expressions(s)
        outer, self.assigned = self.assigned, dict(self.assigned)  # what one branch assigns, another may not have
        for name in ("body", "orelse", "finalbody"):
            inner = getattr(s, name, None)
            if isinstance(inner, list) and inner and isinstance(inner[0], ast.stmt):
                setattr(s, name, self.block(inner))
        for handler in getattr(s, "handlers", []):
            handler.body = self.block(handler.body)
        for case in getattr(s, "cases", []):
            case.body = self.block(case.body)
        self.assigned = outer
        self.remember(s)
        return [*head, s, *notes, *self.bindings(s)]

    def remember(self, s: ast.stmt) -> None:
        """What a plain name was computed from, for the numbers behind an update."""
        if isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name | ast.Subscript):
            self.assigned[ast.unparse(s.targets[0])] = s.value

    def statement_site(self, s: ast.stmt) -> int:
        """A new STATEMENT site, or -1 for one that cannot make an event."""
        own = evaluated_in_place(header_of(s))
        self.ambiguous = {}
        busy = ast.Call | ast.BinOp | ast.UnaryOp | ast.Attribute
        if not isinstance(s, ast.AugAssign) and not any(isinstance(n, busy) for n in own):
            return -1
        number = len(self.sites.records)
        self.sites.records.append(None)  # the number is needed by its expressions
        found: dict[str, list[tuple[int, ast.expr | None]]] = {}
        for node in own:
            op = self.operation_of(node)
            if op:
                kind = ("call",) if isinstance(node, ast.Call) else ()
                place = self.site(SiteKind.EXPRESSION, node, op, statement=number, names=kind)
                found.setdefault(op, []).append((place, node))
        if isinstance(s, ast.AugAssign) and type(s.op) in BINARY:
            op = BINARY[type(s.op)]
            found.setdefault(op, []).append((self.site(SiteKind.EXPRESSION, s, op, statement=number), None))
        candidates = tuple((op, tuple(n for n, _ in places)) for op, places in found.items())
        place = self.site(SiteKind.STATEMENT, s, type(s).__name__, candidates=candidates)
        self.sites.records[number] = self.sites.records.pop(place)
        self.ambiguous = {
            id(node): n
            for places in found.values() if len(places) > 1 and not self.floats(s)
            for n, node in places if node is not None
        }  # fmt: skip
        return number

    def floats(self, s: ast.stmt) -> bool:
        """True for a statement that handles the numbers inside nodes, not nodes."""
        inside = {self.autograd.data_name, self.autograd.grad_name}
        return any(isinstance(n, ast.Attribute) and n.attr in inside for n in evaluated_in_place(header_of(s)))

    def operation_of(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp):
            return BINARY.get(type(node.op), "")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return "" if isinstance(node.operand, ast.Constant) else "neg"
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                if node.func.id in BUILTIN_CALLS:
                    return BUILTIN_CALLS[node.func.id]
                return "leaf" if node.func.id == self.class_name else ""
            if isinstance(node.func, ast.Attribute):
                attr = node.func.attr
                return operation_name(attr) if attr in self.autograd.operations else ""
        return ""

    def loop(self, s: LoopNode, head: list[ast.stmt]) -> list[ast.stmt]:
        self.expressions(s)
        is_episode = s is self.plan.train or s is self.plan.sample
        names = self.loop_names(s)
        iteration = self.site(SiteKind.ITERATION, s, ", ".join(names) or "while", names=tuple(names))
        self.loop_sites[s] = iteration
        value: ast.expr = tuple_of(*(ast.Name(n, ast.Load()) for n in names))
        if is_episode:
            first: ast.stmt = ast.Expr(self.call(EPISODE, ast.Constant(iteration), value))
        elif names:
            first = self.note(iteration, value)
        else:
            first = self.mark(iteration)
        self.depth += 1
        outer, self.assigned = self.assigned, dict(self.assigned)
        s.body = [ast.copy_location(first, s.body[0]), *self.block(s.body)]
        self.assigned = outer
        self.depth -= 1
        s.orelse = self.block(s.orelse)
        out: list[ast.stmt] = [*head, s]
        if is_episode:
            out.append(ast.Expr(self.call(EPISODE, ast.Constant(-iteration), tuple_of())))
        return out

    @staticmethod
    def loop_names(s: LoopNode) -> list[str]:
        if isinstance(s, ast.While):
            return []
        return [n.id for n in ast.walk(s.target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]

    def bindings(self, s: ast.stmt) -> list[ast.stmt]:
        """The notes that tell which variables a statement has bound or changed."""
        out: list[ast.stmt] = []
        targets: list[ast.expr] = []
        if isinstance(s, ast.Assign):
            targets = list(s.targets)
        elif isinstance(s, ast.AugAssign | ast.AnnAssign) and getattr(s, "value", None) is not None:
            targets = [s.target]
        elif isinstance(s, ast.With):
            targets = []
        elif isinstance(s, ast.Expr):
            return self.mutation(s.value)
        inside = {self.autograd.data_name, self.autograd.grad_name}
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                if isinstance(part, ast.Name) or (
                    isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.attr not in inside
                ):
                    place = self.site(SiteKind.BIND, part, ast.unparse(part))
                    out.append(ast.Expr(self.call(BIND, ast.Constant(place), load_of(part))))
                elif isinstance(part, ast.Subscript) and plain(part):
                    root, path = root_and_path(load_of(part))
                    place = self.site(SiteKind.ELEMENT, part, ast.unparse(root))
                    out.append(self.note(place, root, tuple_of(*path), load_of(part)))
        return out

    def mutation(self, e: ast.expr) -> list[ast.stmt]:
        """``X.append(v)`` and ``X.extend(...)`` as a statement."""
        if (
            not isinstance(e, ast.Call)
            or not isinstance(e.func, ast.Attribute)
            or e.func.attr not in ("append", "extend")
            or not plain(e.func.value)
            or not isinstance(e.func.value, ast.Name | ast.Attribute | ast.Subscript)
        ):
            return []
        owner = load_of(e.func.value)
        root, path = root_and_path(owner)
        place = self.site(SiteKind.APPEND, e, ast.unparse(root))
        one = ast.Constant(e.func.attr == "append")
        return [ast.Expr(self.call(BIND, ast.Constant(place), owner, tuple_of(*path), one, root))]

    # -- expressions ---------------------------------------------------------------------------

    def expressions(self, s: ast.stmt) -> None:
        """Rewrite the calls and the ambiguous operations inside a statement's own expressions."""
        visitor = Expressions(self)
        for name, value in ast.iter_fields(s):
            if isinstance(value, ast.expr):
                setattr(s, name, visitor.visit(value))
            elif isinstance(value, list):
                setattr(s, name, [visitor.visit(v) if isinstance(v, ast.expr) else v for v in value])
        if isinstance(s, ast.With):
            for item in s.items:
                item.context_expr = visitor.visit(item.context_expr)

"""What a script is made of, told from its text alone: the autograd class, the training and sampling loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

ARITHMETIC = {"__add__", "__mul__"}
DRAWS = {"choices", "random"}
"""Methods of ``random.Random`` that choose a token."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
LoopNode = ast.For | ast.While


@dataclass(frozen=True, slots=True)
class AutogradClass:
    """The scalar class of a script, found by its structure and never by its name."""

    node: ast.ClassDef
    module: str
    data_name: str
    grad_name: str
    operations: frozenset[str]
    """Methods that make a node or are written with such methods."""


@dataclass(slots=True)
class Plan:
    """The loops that cut a run into episodes, or None where the script has no such loop."""

    train: LoopNode | None = None
    sample: LoopNode | None = None


def attribute_writes(tree: ast.AST) -> Iterator[tuple[ast.expr | None, ast.Attribute]]:
    """Every assignment to an attribute, with what is assigned; ``a.x, a.y = 1, 2`` is two."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _attribute_targets(node.value, target)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            yield from _attribute_targets(node.value, node.target)


def _attribute_targets(value: ast.expr | None, target: ast.expr) -> Iterator[tuple[ast.expr | None, ast.Attribute]]:
    if isinstance(target, ast.Attribute):
        yield value, target
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        parts = value.elts if same and isinstance(value, ast.Tuple | ast.List) else [None] * len(target.elts)
        for part, inner in zip(parts, target.elts, strict=True):
            yield from _attribute_targets(part, inner)


def find_autograd_class(trees: dict[str, ast.Module]) -> AutogradClass | None:
    """The class with arithmetic methods, a value and a gradient, wherever it stands.

    ``trees`` maps module names to parsed files; the script itself comes first. Where several
    classes fit (a vector class around the scalar one), the one whose methods call it with the
    most operations of its own wins.
    """
    best: tuple[int, AutogradClass] | None = None
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found = _as_autograd(node, module, tree)
                if found is not None:
                    score = len(found.operations) + 10 * _calls_math(node)
                    if best is None or score > best[0]:
                        best = score, found
    return best[1] if best else None


def _calls_math(node: ast.ClassDef) -> bool:
    return any(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in ("math", "cmath")
        for n in ast.walk(node)
    )


def methods_of(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """The functions written directly in a class body."""
    return [n for n in node.body if isinstance(n, ast.FunctionDef)]


def _as_autograd(node: ast.ClassDef, module: str, tree: ast.Module) -> AutogradClass | None:
    methods = {m.name: m for m in methods_of(node)}
    if not methods.keys() >= ARITHMETIC:
        return None
    data_name = ""
    candidates: list[str] = []
    init = methods.get("__init__")
    if init is not None:
        given = [a.arg for a in (*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs)][1:]
        for value, target in attribute_writes(init):
            if value is not None and not data_name:
                named = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
                if given and given[0] in named:
                    data_name = target.attr
            if isinstance(value, ast.Constant) and value.value in (0, None) and value.value is not False:
                candidates.append(target.attr)
    else:  # a dataclass: annotated fields in order
        fields = [n for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
        names = [n.target.id for n in fields if isinstance(n.target, ast.Name)]
        data_name = names[0] if names else ""
        candidates = names[1:]
    written = [t.attr for _, t in attribute_writes(tree) if t.attr in candidates]
    written += [
        str(n.args[1].value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "setattr"
        and len(n.args) == 3 and isinstance(n.args[1], ast.Constant) and n.args[1].value in candidates
    ]  # fmt: skip
    if not data_name or not written:
        return None
    grad_name = "grad" if "grad" in written else max(set(written), key=written.count)
    operations = frozenset(_operations(methods))
    return AutogradClass(node, module, data_name, grad_name, operations)


NO_OPERATION = {
    "__init__", "__post_init__", "__new__", "__repr__", "__str__", "__hash__", "__eq__", "__ne__", "__lt__", "__le__",
    "__gt__", "__ge__", "__bool__", "__float__", "__int__", "__len__", "__format__", "__del__", "backward", "zero_grad",
}  # fmt: skip


def _operations(methods: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """The methods that give something back: a node, as far as the text tells."""
    for name, method in methods.items():
        if name in NO_OPERATION:
            continue
        own = {n for n in ast.walk(method) if isinstance(n, ast.Return) and n.value is not None}
        if own and not any(
            isinstance(d, ast.Name) and d.id in ("property", "staticmethod") for d in method.decorator_list
        ):
            yield name


def is_class_call(call: ast.AST, class_name: str) -> bool:
    """True for ``Value(...)``, ``self.__class__(...)``, ``type(self)(...)``, ``cls(...)``."""
    if not isinstance(call, ast.Call):
        return False
    f = call.func
    if isinstance(f, ast.Name):
        return f.id in (class_name, "cls")
    if isinstance(f, ast.Attribute):
        return f.attr in ("__class__", class_name)
    return isinstance(f, ast.Call) and isinstance(f.func, ast.Name) and f.func.id == "type"


# -- loops -----------------------------------------------------------------------------------


class _CallGraph:
    """Which functions a piece of code may reach, by their names."""

    def __init__(self, tree: ast.AST, skip: ast.ClassDef | None) -> None:
        self.functions: dict[str, list[FunctionNode]] = {}
        skipped = set(ast.walk(skip)) if skip is not None else set()
        for node in ast.walk(tree):
            if node in skipped:
                continue
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.ClassDef):
                for method in methods_of(node):
                    if method.name == "__init__":
                        self.functions.setdefault(node.name, []).append(method)

    def reach(self, root: ast.AST) -> Iterator[ast.AST]:
        """Every node in the code and in the functions it may call, each once."""
        seen: set[ast.AST] = set()
        todo = [root]
        while todo:
            for node in ast.walk(todo.pop()):
                if node in seen:
                    continue
                seen.add(node)
                yield node
                if isinstance(node, ast.Call):
                    f = node.func
                    name = f.id if isinstance(f, ast.Name) else f.attr if isinstance(f, ast.Attribute) else ""
                    names = (name, "__call__") if isinstance(f, ast.Name) and name not in self.functions else (name,)
                    for n in names:
                        todo.extend(g for g in self.functions.get(n, ()) if g not in seen)


def find_plan(trees: dict[str, ast.Module], autograd: AutogradClass) -> Plan:
    """The innermost loop around both a backward pass and updates, and the loop around the sampler."""
    tree = ast.Module([s for t in trees.values() for s in t.body], [])
    graph = _CallGraph(tree, autograd.node)
    inside_class = set(ast.walk(autograd.node))
    loops = [n for n in ast.walk(tree) if isinstance(n, ast.For | ast.While) and n not in inside_class]
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    facts = {loop: _facts(graph, loop, autograd) for loop in loops}
    plan = Plan()
    training = [loop for loop in loops if facts[loop][0] and facts[loop][1]]
    plan.train = _innermost(training, graph)
    sampling = [loop for loop in loops if facts[loop][2] and not facts[loop][0] and not facts[loop][1]]
    token_loop = _innermost(sampling, graph)
    if token_loop is not None:
        around = [loop for loop in sampling if loop is not token_loop and token_loop in set(graph.reach(loop))]
        plan.sample = _innermost(around, graph) if around else None
        if plan.sample is None and not _within(token_loop, plan.train, graph):
            plan.sample = None if _enclosing_function(token_loop, parents) else token_loop
        if plan.sample is not None and _within(plan.sample, plan.train, graph):
            plan.sample = None
    return plan


def _facts(graph: _CallGraph, loop: LoopNode, autograd: AutogradClass) -> tuple[bool, bool, bool]:
    backward = updates = samples = False
    for node in graph.reach(loop):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "backward":
                backward = True
            elif node.func.attr in DRAWS or node.func.attr == "choice":
                samples = True
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "backward":
                backward = True
            elif node.func.id in ("choices", "argmax") or (
                node.func.id == "max" and any(k.arg == "key" for k in node.keywords)
            ):
                samples = True
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            updates = updates or any(isinstance(t, ast.Attribute) and t.attr == autograd.data_name and not (
                isinstance(t.value, ast.Name) and t.value.id == "self") for t in targets)  # fmt: skip
    return backward, updates, samples


def _innermost(loops: list[LoopNode], graph: _CallGraph) -> LoopNode | None:
    """The loop that contains no other of them; the last such in the text."""
    best: LoopNode | None = None
    for loop in loops:
        inside = set(graph.reach(loop))
        if not any(other is not loop and other in inside and loop not in set(graph.reach(other)) for other in loops):
            best = loop if best is None or loop.lineno >= best.lineno else best
    return best


def _within(inner: LoopNode, outer: LoopNode | None, graph: _CallGraph) -> bool:
    return outer is not None and inner is not outer and inner in set(graph.reach(outer))


def _enclosing_function(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> FunctionNode | None:
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return node
    return None


def literal_assignments(tree: ast.Module) -> dict[str, ast.Assign]:
    """Module-level ``NAME = literal``: what ``--set`` can override. The first assignment of each."""
    found: dict[str, ast.Assign] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            try:
                ast.literal_eval(node.value)
            except (ValueError, SyntaxError):
                continue
            for name in names:
                found.setdefault(name, node)
    return found

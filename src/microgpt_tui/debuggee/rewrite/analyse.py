"""Which class of a script is its autograd class, told from the text alone: by what is done with it, never by names."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

ARITHMETIC = {f"__{side}{name}__" for name in ("add", "mul", "sub", "truediv", "pow", "matmul") for side in ("", "r")}

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
LoopNode = ast.For | ast.AsyncFor | ast.While
Trees = dict[str, ast.Module]


@dataclass(frozen=True, slots=True, eq=False)
class AutogradClass:
    """The scalar class of a script."""

    node: ast.ClassDef
    module: str
    data_name: str
    grad_name: str
    operations: frozenset[str]
    """Methods that make a node or are written with such methods."""
    family: tuple[ast.ClassDef, ...]
    """The class and those of its bases that the script defines: its methods may stand in any of them."""
    functions: dict[FunctionNode | ast.Lambda, str] = field(default_factory=dict)
    """Functions outside the class that make a node of others' data, and the operations that they are."""
    passes: frozenset[str] = frozenset({"backward"})
    """Functions that begin a backward pass."""
    wrappers: frozenset[str] = frozenset()
    """Functions and methods that operations hand a computed number to, for a node to be made of it."""

    @property
    def function_names(self) -> dict[str, str]:
        """The same functions by name."""
        return {f.name: name for f, name in self.functions.items() if not isinstance(f, ast.Lambda)}


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


def methods_of(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """The functions written directly in a class body."""
    return [n for n in node.body if isinstance(n, ast.FunctionDef)]


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


def find_autograd_class(trees: Trees) -> AutogradClass | None:
    """The class that holds a number and its gradient and has arithmetic, wherever either stands.

    ``trees`` maps module names to parsed files; the script itself comes first. Where several
    classes fit (a vector class around the scalar one), the one whose methods compute with the
    most operations of its own wins.
    """
    search = _Search(trees)
    best: tuple[int, AutogradClass] | None = None
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found = search.autograd(node, module)
                if found is not None:
                    score = len(found.operations) + len(found.functions) + 10 * _calls_math(found)
                    if best is None or score > best[0]:
                        best = score, found
    return best[1] if best else None


def _calls_math(found: AutogradClass) -> bool:
    return any(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in ("math", "cmath")
        for place in (*found.family, *found.functions)
        for n in ast.walk(place)
    )


class _Search:
    """What the files define and write, indexed once for all the classes that are looked at."""

    def __init__(self, trees: Trees) -> None:
        self.nodes = [node for tree in trees.values() for node in ast.walk(tree)]
        self.classes: dict[str, ast.ClassDef] = {}
        self.functions: dict[str, FunctionNode] = {}
        inside: set[ast.AST] = set()
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                self.classes.setdefault(node.name, node)
                inside.update(ast.walk(node))
        self.outside = [n for n in self.nodes if isinstance(n, ast.FunctionDef) and n not in inside]
        for function in self.outside:
            self.functions.setdefault(function.name, function)
        writes = [(value, target) for tree in trees.values() for value, target in attribute_writes(tree)]
        self.grown = Counter(t.attr for value, t in writes if _hands_on(value, t.attr))
        self.grown.update(
            n.target.attr for n in self.nodes
            if isinstance(n, ast.AugAssign) and isinstance(n.op, ast.Add) and isinstance(n.target, ast.Attribute)
        )  # fmt: skip
        self.seeded = Counter(t.attr for value, t in writes if isinstance(value, ast.Constant) and value.value == 1)
        for node in self.nodes:
            match node:
                case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), value]):
                    self.grown[name] += _hands_on(value, name)

    def autograd(self, node: ast.ClassDef, module: str) -> AutogradClass | None:
        """A class as the autograd class, or None where it cannot be one."""
        family = self.family(node)
        methods: dict[str, ast.FunctionDef] = {}
        for cls in family:
            for method in methods_of(cls):
                methods.setdefault(method.name, method)
        data_name, candidates = _fields(family)
        grown = [
            name for name in dict.fromkeys(candidates) if (self.grown[name] or self.seeded[name]) and name != data_name
        ]
        if not data_name or not grown:
            return None
        grad_name = "grad" if "grad" in grown else max(grown, key=lambda n: (self.seeded[n] > 0, self.grown[n]))
        attached = self.attached(node.name)
        functions: dict[FunctionNode | ast.Lambda, str] = {}
        for name, function in attached.items():
            if makes_a_node(function, node.name, data_name) and functions.get(function, "r").startswith("r"):
                functions[function] = name.strip("_")
        for free in self.outside:
            if free not in functions and makes_a_node(free, node.name, data_name):
                functions[free] = free.name
        operating = [*methods.values(), *functions]
        wrappers = {
            name for f in operating for n in ast.walk(f) if isinstance(n, ast.Call)
            if (name := getattr(n.func, "attr", getattr(n.func, "id", ""))) in methods or name in self.functions
            if any(reads_data(a, data_name, computed_names(f, data_name)) for a in n.args)
        }  # fmt: skip
        for name in wrappers & self.functions.keys():
            wrapper = self.functions[name]
            if wrapper not in functions and any(is_class_call(n, node.name) for n in ast.walk(wrapper)):
                functions[wrapper] = name
        named = ARITHMETIC.intersection((*methods, *attached, *_aliases(family)))
        if not named and len(functions) < 2:
            return None
        seeding = {
            f.name for f in (*methods.values(), *self.outside)
            if any(isinstance(v, ast.Constant) and v.value == 1 and t.attr == grad_name for v, t in attribute_writes(f))
        }  # fmt: skip
        operations = frozenset((*_operations(methods, seeding), *(set(attached) - NO_OPERATION - seeding)))
        return AutogradClass(
            node, module, data_name, grad_name, operations, family, functions, frozenset({"backward", *seeding}),
            frozenset(wrappers),
        )  # fmt: skip

    def family(self, node: ast.ClassDef) -> tuple[ast.ClassDef, ...]:
        """A class and its bases as far as the script defines them, itself first."""
        found = [node]
        for cls in found:
            for base in cls.bases:
                name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                known = self.classes.get(name)
                if known is not None and known not in found:
                    found.append(known)
        return tuple(found)

    def attached(self, class_name: str) -> dict[str, FunctionNode | ast.Lambda]:
        """Methods that are put into the class from outside: ``Value.__add__ = add``, ``setattr(Value, "exp", exp)``."""
        found: dict[str, FunctionNode | ast.Lambda] = {}

        def note(name: str, value: ast.expr) -> None:
            function = value if isinstance(value, ast.Lambda) else self.functions.get(getattr(value, "id", ""))
            if function is not None:
                found[name] = function

        for node in self.nodes:
            match node:
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == class_name:
                            note(target.attr, value)
                case ast.Call(
                    func=ast.Name(id="setattr"), args=[ast.Name(id=own), ast.Constant(value=str(name)), value]
                ):
                    if own == class_name:
                        note(name, value)
                case ast.For(target=ast.Name(id=each), iter=ast.Tuple(elts=values) | ast.List(elts=values)) if any(
                    isinstance(n, ast.Call) and getattr(n.func, "id", "") == "setattr" and len(n.args) == 3
                    and getattr(n.args[0], "id", "") == class_name and getattr(n.args[2], "id", "") == each
                    for n in ast.walk(node)
                ):  # fmt: skip
                    for value in values:
                        note(getattr(value, "id", ""), value)
        return found


def _hands_on(value: ast.expr | None, name: str) -> bool:
    """True for what is computed from such an attribute: ``x.grad = x.grad + …``, ``child.grad = local * v.grad``."""
    return value is not None and any(
        isinstance(n, ast.BinOp) and any(isinstance(p, ast.Attribute) and p.attr == name for p in ast.walk(n))
        for n in ast.walk(value)
    )


def _fields(family: tuple[ast.ClassDef, ...]) -> tuple[str, list[str]]:
    """The attribute that holds the number, and those that begin as 0 or None."""
    data_name = ""
    candidates: list[str] = []
    for cls in family:
        init = next((m for m in methods_of(cls) if m.name == "__init__"), None)
        fields = [n for n in cls.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
        candidates += [
            t.id for n in cls.body if isinstance(n, ast.Assign) and _is_nothing(n.value)
            for t in n.targets if isinstance(t, ast.Name)
        ]  # fmt: skip
        if init is not None:
            arguments = [*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs]
            defaults = [*init.args.defaults, *init.args.kw_defaults]
            without = [None] * (len(arguments) - len(defaults))
            nothing = {a.arg for a, d in zip(arguments, (*without, *defaults), strict=True) if _is_nothing(d)}
            given = [a.arg for a in arguments][1:]
            for value, target in attribute_writes(init):
                if value is None:
                    continue
                if not data_name and given and given[0] in {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}:
                    data_name = target.attr
                if _is_nothing(value) or (isinstance(value, ast.Name) and value.id in nothing):
                    candidates.append(target.attr)
        elif fields:  # a dataclass: annotated fields in order
            names = [n.target.id for n in fields if isinstance(n.target, ast.Name)]
            data_name = data_name or names[0]
            candidates += names[1:]
    return data_name, candidates


def _is_nothing(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value in (0, None) and value.value is not False


def _aliases(family: tuple[ast.ClassDef, ...]) -> Iterator[str]:
    """Names that a class body binds: ``__radd__ = __add__``."""
    for cls in family:
        for node in cls.body:
            if isinstance(node, ast.Assign):
                yield from (t.id for t in node.targets if isinstance(t, ast.Name))


def computed_names(function: ast.AST, data_name: str) -> set[str]:
    """Names that a function binds to something it has computed from the data of nodes."""
    found: set[str] = set()
    assigned = [
        (t.id, n.value) for n in ast.walk(function) if isinstance(n, ast.Assign)
        for target in n.targets for t in ast.walk(target) if isinstance(t, ast.Name)
    ]  # fmt: skip
    assigned += [(n.target.id, n.value) for n in ast.walk(function) if isinstance(n, ast.NamedExpr)]
    news = True
    while news:
        news = False
        for name, value in assigned:
            if name not in found and reads_data(value, data_name, found):
                found.add(name)
                news = True
    return found


def reads_data(value: ast.AST, data_name: str, computed: set[str]) -> bool:
    """Whether an expression depends on the data of nodes, itself or by names computed from it."""
    return any(
        (isinstance(n, ast.Attribute) and n.attr == data_name) or (isinstance(n, ast.Name) and n.id in computed)
        for n in ast.walk(value)
    )


def makes_a_node(function: FunctionNode | ast.Lambda, class_name: str, data_name: str) -> bool:
    """True for a function whose results are nodes made of others' data: an operation, wherever it stands."""
    if isinstance(function, ast.AsyncFunctionDef):
        return False
    computed = computed_names(function, data_name)
    bound = {
        t.id: n.value for n in ast.walk(function) if isinstance(n, ast.Assign) for t in n.targets
        if isinstance(t, ast.Name)
    }  # fmt: skip
    given = {a.arg for a in (*function.args.posonlyargs, *function.args.args)}

    def made(value: ast.expr | None) -> bool:
        while (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and not is_class_call(value, class_name)
        ):
            value = value.func.value  # a method that gives the node itself back
        if isinstance(value, ast.Name) and value.id in bound:
            value = bound[value.id]
        if not isinstance(value, ast.Call) or not is_class_call(value, class_name):
            return False
        return any(reads_data(a, data_name, computed) for a in (*value.args, *(k.value for k in value.keywords)))

    if not given:
        return False
    if isinstance(function, ast.Lambda):
        return made(function.body)
    returned = [n.value for n in own_statements(function) if isinstance(n, ast.Return)]
    return bool(returned) and any(map(made, returned)) and all(made(r) or _is_given(r, given) for r in returned)


def _is_given(value: ast.expr | None, given: set[str]) -> bool:
    return isinstance(value, ast.Name) and value.id in given


def own_statements(function: ast.AST) -> Iterator[ast.AST]:
    """Every node of a function but those of functions inside it."""
    todo = list(ast.iter_child_nodes(function))
    while todo:
        node = todo.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(node))


NO_OPERATION = {
    "__init__", "__post_init__", "__new__", "__repr__", "__str__", "__hash__", "__eq__", "__ne__", "__lt__", "__le__",
    "__gt__", "__ge__", "__bool__", "__float__", "__int__", "__len__", "__format__", "__del__", "__getattr__",
    "__getattribute__", "backward", "zero_grad",
}  # fmt: skip


def _operations(methods: dict[str, ast.FunctionDef], passes: set[str]) -> Iterator[str]:
    """The methods that give something back: a node, as far as the text tells."""
    for name, method in methods.items():
        if name in NO_OPERATION or name in passes:
            continue
        own = {n for n in ast.walk(method) if isinstance(n, ast.Return) and n.value is not None}
        if own and not any(
            isinstance(d, ast.Name) and d.id in ("property", "staticmethod") for d in method.decorator_list
        ):
            yield name


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

"""The script and the modules beside it: read, analysed and rewritten; the refusal where that cannot be."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType
from typing import Any

from microgpt_tui.debuggee.rewrite.analyse import AutogradClass, find_autograd_class, literal_assignments, methods_of
from microgpt_tui.debuggee.rewrite.instrument import instrument
from microgpt_tui.debuggee.rewrite.loops import Unit, find_plan
from microgpt_tui.debuggee.rewrite.sites import Making, SiteRecord, Sites
from microgpt_tui.debuggee.rewrite.syntax import plain
from microgpt_tui.debuggee.run.imports import find, imported, is_installed, is_text, search_path

MOST_FILES = 200


class Refusal(Exception):
    """The script cannot be debugged; the message names the file, the line and the remedy."""


@dataclass(slots=True)
class Loaded:
    """A script ready to run under the recorder."""

    code: CodeType
    autograd: AutogradClass
    sites: list[SiteRecord | None]
    files: list[tuple[str, str]]
    modules: dict[str, tuple[str, CodeType]] = field(default_factory=dict)
    """Module name -> (path, code) of the instrumented modules beside the script."""
    train_sites: tuple[int, ...] = ()
    sample_sites: tuple[int, ...] = ()
    total_steps: tuple[ast.expr, ...] = ()
    """What the training loops' ``range(...)`` say; empty where one does not, or re-evaluating it may do harm."""
    makers: dict[int, Making] = field(default_factory=dict)
    """Of the CREATE sites."""
    ordered_children: bool = True
    spec: ModuleSpec | None = None
    """Of a module that is run as the script."""


def load(path: str, overrides: dict[str, str], module: str = "") -> Loaded:
    """Read a script, or a module that is to be run as one, and rewrite it. Raises Refusal."""
    sources = parse_all(path, overrides, module)
    trees, paths, texts = sources.trees, sources.paths, sources.texts
    autograd = find_autograd_class(trees)
    if autograd is None:
        raise Refusal(
            f"{path}: no autograd class found: a class with arithmetic (__add__, __mul__, …) whose instances hold a "
            "number and its gradient (as Value does). microgpt-tui debugs scripts that train with such a class; "
            "`microgpt-tui new FILE` writes one to start from."
        )
    ordered = not any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "set" and n.args
        for cls in autograd.family for m in methods_of(cls) if m.name == "__init__" for n in ast.walk(m)
    )  # fmt: skip
    plan = find_plan(trees, autograd)
    totals = [_range_end(unit) for unit in plan.train]
    sites = Sites()
    units: dict[Unit, int] = {}
    modules: dict[str, tuple[str, CodeType]] = {}
    code: CodeType | None = None
    for file, (name, tree) in enumerate(trees.items()):
        tree, _, found = instrument(tree, file, sites, autograd, plan)
        units.update(found)
        try:
            compiled = compile(tree, paths[name], "exec", dont_inherit=True)
        except SyntaxError as error:  # what the grammar lets through: `return` outside a function
            if name != "__main__":
                continue  # the script's own import will tell
            raise _not_python(path, error, texts[name]) from error
        if name == "__main__":
            code = compiled
        else:
            modules[name] = (paths[name], compiled)
    assert code is not None
    return Loaded(
        code, autograd, sites.records, [(paths[n], texts[n]) for n in trees], modules,
        tuple(units[unit] for unit in plan.train if unit in units),
        tuple(units[unit] for unit in plan.sample if unit in units),
        tuple(t for t in totals if t is not None and None not in totals), sites.makers, ordered,
        sources.spec,
    )  # fmt: skip


@dataclass(slots=True)
class Sources:
    """The files that make up a script, by module name; the script itself is ``__main__`` and the first."""

    trees: dict[str, ast.Module] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    spec: ModuleSpec | None = None
    """Of a module that is run as the script."""

    def read(self, name: str, path: str) -> None:
        """Read and parse one file. Raises Refusal."""
        try:
            with open(path, "rb") as handle:
                raw = handle.read()
            text = importlib.util.decode_source(raw)
        except OSError as error:
            raise Refusal(f"{path}: {error.strerror}. Give the path of a Python script.") from error
        except (SyntaxError, UnicodeDecodeError) as error:
            raise Refusal(f"{path}: not a Python text: {error}. Give the path of a Python script.") from error
        try:
            self.trees[name] = ast.parse(text, path)
        except (SyntaxError, ValueError) as error:
            raise _not_python(path, error, text) from error
        self.paths[name], self.texts[name] = path, text

    def follow(self, search: list[str], *, installed: bool) -> None:
        """Read the modules that these files import, and that those import: the script's own, or installed ones too."""
        todo = list(self.trees)
        tried: set[str] = set()
        while todo and len(self.trees) < MOST_FILES:
            module = todo.pop(0)
            for name in imported(self.trees[module], self.package(module)):
                if name in self.trees or name in tried:
                    continue
                tried.add(name)
                spec = find(name, search)
                if spec is None or not is_text(spec) or (is_installed(spec) and not installed):
                    continue
                path = spec.origin or ""
                if any(os.path.samefile(path, known) for known in self.paths.values() if os.path.exists(known)):
                    continue
                try:
                    self.read(name, path)
                except Refusal:
                    continue  # the script's own import will tell
                todo.append(name)

    def package(self, module: str) -> str:
        """What the relative imports of a module start from."""
        if module == "__main__":
            return self.spec.parent or "" if self.spec is not None else ""
        is_package = os.path.basename(self.paths[module]) == "__init__.py"
        return module if is_package else module.rpartition(".")[0]

    def keep_one_package(self, module: str, own: set[str]) -> None:
        """Of what is installed only the package of this module is part of the script; the script's own files are."""
        top = module.partition(".")[0]
        for name in [n for n in self.trees if n not in own and n.partition(".")[0] != top]:
            del self.trees[name], self.paths[name], self.texts[name]


def parse_all(path: str, overrides: dict[str, str], module: str = "") -> Sources:
    """The script, or the module to be run as one, and the modules that it imports. Raises Refusal."""
    found = Sources()
    first = os.path.dirname(os.path.abspath(path))
    if module:
        first = os.getcwd()
        search = search_path(first, iter(()))
        spec = find(module, search)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = find(f"{module}.__main__", search)
        if spec is None or not (spec.origin or "").endswith(".py"):
            raise Refusal(
                f"-m {module}: no such module, seen from {first}. Give the name that `python -m` takes, in the folder "
                "from which that works."
            )
        found.spec, path = spec, spec.origin or ""
    found.read("__main__", path)
    search = search_path(first, ((t, found.paths[n]) for n, t in found.trees.items()))
    found.follow(search, installed=False)
    own = set(found.trees)
    if find_autograd_class(found.trees) is None:
        found.follow(search, installed=True)
        autograd = find_autograd_class(found.trees)
        found.keep_one_package(autograd.module if autograd is not None else "", own)
    _override(found.trees["__main__"], path, overrides)
    found.paths["__main__"] = os.path.abspath(path)
    return found


def _not_python(path: str, error: Exception, text: str) -> Refusal:
    line = getattr(error, "lineno", None) or 1
    shown = (getattr(error, "text", None) or "".join(text.splitlines()[line - 1 : line])).strip()
    return Refusal(
        f"{path}:{line}: not Python: {getattr(error, 'msg', str(error))}"
        + (f"\n    {shown}" if shown else "")
        + "\nMend that line; `python -m py_compile` shows it too."
    )


def _override(tree: ast.Module, path: str, overrides: dict[str, str]) -> None:
    literals = literal_assignments(tree)
    for name, text in overrides.items():
        found = literals.get(name)
        if found is None:
            known = ", ".join(sorted(literals)) or "none"
            raise Refusal(f"{path}: --set {name}: the script has no module-level `{name} = literal`. It has: {known}.")
        try:
            value = ast.parse(text, mode="eval").body
            ast.literal_eval(value)
        except (SyntaxError, ValueError):
            value = ast.Constant(text)
        for node in ast.walk(value):
            ast.copy_location(node, found.value)
        found.value = value


def _range_end(loop: Unit) -> ast.expr | None:
    if not isinstance(loop, ast.For):
        return None
    call = loop.iter
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "range"
        and (
            len(call.args) == 1
            and plain(call.args[0])
            and not any(isinstance(n, ast.Subscript) for n in ast.walk(call.args[0]))
        )
    ):
        return ast.parse(ast.unparse(call.args[0]), mode="eval").body
    return None


class ModulesBeside(importlib.abc.MetaPathFinder):
    """Gives ``import`` the rewritten text of a file, wherever it finds that file."""

    def __init__(self, modules: dict[str, tuple[str, CodeType]]) -> None:
        self.codes = {os.path.realpath(path): code for path, code in modules.values()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self.codes:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        code = self.codes.get(os.path.realpath(spec.origin)) if spec is not None and spec.origin else None
        if spec is None or code is None:
            return None
        spec.loader = _Rewritten(fullname, spec.origin or "", code)
        return spec


class _Rewritten(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> Any:
        return self.code

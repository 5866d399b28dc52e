"""The script and the modules beside it: read, analysed and rewritten; the refusal where that cannot be."""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any

from microgpt_tui.debuggee.rewrite.analyse import AutogradClass, find_autograd_class, literal_assignments, methods_of
from microgpt_tui.debuggee.rewrite.instrument import instrument
from microgpt_tui.debuggee.rewrite.loops import Unit, find_plan
from microgpt_tui.debuggee.rewrite.sites import Making, SiteRecord, Sites
from microgpt_tui.debuggee.rewrite.syntax import plain


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


def load(path: str, overrides: dict[str, str]) -> Loaded:
    """Read a script and rewrite it. Raises Refusal."""
    trees, paths, texts = parse_all(path, overrides)
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
    )  # fmt: skip


def parse_all(path: str, overrides: dict[str, str]) -> tuple[dict[str, ast.Module], dict[str, str], dict[str, str]]:
    """The script and the modules beside it: trees, paths and texts by module name, the script first. Raises Refusal."""
    trees: dict[str, ast.Module] = {}
    paths: dict[str, str] = {}
    texts: dict[str, str] = {}
    _parse("__main__", path, trees, paths, texts)
    _siblings(os.path.dirname(os.path.abspath(path)), trees, paths, texts)
    _override(trees["__main__"], path, overrides)
    paths["__main__"] = os.path.abspath(path)
    return trees, paths, texts


def _parse(name: str, path: str, trees: dict[str, ast.Module], paths: dict[str, str], texts: dict[str, str]) -> None:
    try:
        with open(path, "rb") as handle:
            raw = handle.read()
        text = importlib.util.decode_source(raw)
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}. Give the path of a Python script.") from error
    except (SyntaxError, UnicodeDecodeError) as error:
        raise Refusal(f"{path}: not a Python text: {error}. Give the path of a Python script.") from error
    try:
        trees[name] = ast.parse(text, path)
    except (SyntaxError, ValueError) as error:
        raise _not_python(path, error, text) from error
    paths[name] = path
    texts[name] = text


def _not_python(path: str, error: Exception, text: str) -> Refusal:
    line = getattr(error, "lineno", None) or 1
    shown = (getattr(error, "text", None) or "".join(text.splitlines()[line - 1 : line])).strip()
    return Refusal(
        f"{path}:{line}: not Python: {getattr(error, 'msg', str(error))}"
        + (f"\n    {shown}" if shown else "")
        + "\nMend that line; `python -m py_compile` shows it too."
    )


def _siblings(folder: str, trees: dict[str, ast.Module], paths: dict[str, str], texts: dict[str, str]) -> None:
    """Modules that lie beside the script and are imported by it, or by one another."""
    todo = list(trees.values())
    while todo:
        for node in ast.walk(todo.pop()):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                beside = os.path.join(folder, name + ".py")
                if "." not in name and name not in trees and os.path.isfile(beside):
                    try:
                        _parse(name, beside, trees, paths, texts)
                    except Refusal:
                        continue  # the script's own import will tell
                    todo.append(trees[name])


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
    """Gives ``import`` the rewritten modules that lie beside the script."""

    def __init__(self, modules: dict[str, tuple[str, CodeType]]) -> None:
        self.modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        found = self.modules.get(fullname)
        if found is None:
            return None
        loader = _Rewritten(fullname, *found)
        return importlib.util.spec_from_file_location(fullname, found[0], loader=loader)


class _Rewritten(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self.code = code

    def get_code(self, fullname: str) -> Any:
        return self.code

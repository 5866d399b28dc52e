"""Short titles for what is drawn: ``q = linear(…)`` for a statement, ``h=2`` for an iteration, ``wq`` for a matrix."""

from __future__ import annotations

import ast
import re
import textwrap

from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.trace.trace import Program, Site, Trace

WIDTH = 26
"""Characters that a title may take."""


def shortened(text: str, width: int = WIDTH) -> str:
    """A text cut to a width, with ``…`` where it was cut."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def scope_title(trace: Trace, scope: int, width: int = WIDTH) -> str:
    """What a scope is called in a picture."""
    site = trace.program.site(trace.scope_site[scope])
    if site.kind == SiteKind.CALL:
        value = trace.scope_values.get(scope, "")
        called = call_name(trace.program, site)
        return shortened(f"{called}({value})" if value else called, width)
    if site.kind != SiteKind.STATEMENT:
        return shortened(trace.scope_label(scope), width)
    return statement_title(trace.program, site, width)


def call_name(program: Program, site: Site) -> str:
    """A function's name; of ``__call__`` the class whose objects are called, of other such methods with their class."""
    if not site.name.startswith("__"):
        return site.name
    inside = _indent(program.line_text(site.file, site.line))
    for number in range(site.line - 1, 0, -1):
        line = program.line_text(site.file, number)
        if line.strip() and _indent(line) < inside:
            found = re.match(r"\s*class\s+(\w+)", line)
            if found is None:
                break
            return found[1] if site.name == "__call__" else f"{found[1]}.{site.name}"
    return site.name


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def statement_title(program: Program, site: Site, width: int = WIDTH) -> str:
    """A statement in a few characters: its targets and what it calls."""
    source = _source(program, site)
    try:
        tree = ast.parse(source).body[0]
    except (SyntaxError, IndexError, ValueError):
        return shortened(source or f"line {site.line}", width)
    return shortened(_short(tree), width)


def _source(program: Program, site: Site) -> str:
    lines = [program.line_text(site.file, n) for n in range(site.line, site.end_line + 1)]
    if not lines:
        return ""
    text = textwrap.dedent("\n".join(lines))
    first = text.lstrip().split("\n", 1)[0]
    if first.startswith(("for ", "while ", "if ", "with ", "async ")):
        return first.rstrip(": \\") + ": pass"
    return text.strip()


def _short(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign):
        return f"{', '.join(ast.unparse(t) for t in node.targets)} = {_value(node.value)}"
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        return f"{ast.unparse(node.target)} = {_value(node.value)}"
    if isinstance(node, ast.AugAssign):
        return ast.unparse(node)
    if isinstance(node, ast.Return) and node.value is not None:
        return f"return {_value(node.value)}"
    if isinstance(node, ast.For):
        return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}"
    if isinstance(node, ast.Expr):
        return _value(node.value)
    return ast.unparse(node).split("\n", 1)[0]


def _value(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        arguments = "…" if node.args or node.keywords else ""
        return f"{ast.unparse(node.func)}({arguments})"
    if isinstance(node, ast.ListComp):
        return f"[{ast.unparse(node.elt)} …]"
    return ast.unparse(node)

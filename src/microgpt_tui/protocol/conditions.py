"""The expressions of breakpoints, watches and searches: checked against a whitelist, compiled once.

A condition speaks about one event through named *facts* (``FACTS``). The same predicate object
is asked live, in the debuggee, and over the recorded columns, so that both directions stop at the
same events. Nothing but arithmetic, comparisons, a few functions and the facts gets through.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

NAN = math.nan

FACTS: dict[str, str] = {
    "data": "the node's number at this event",
    "grad": "the node's gradient at this event",
    "delta": "what was added: to the gradient (accumulate) or to the number (update); nan elsewhere",
    "factor": "the local gradient of an accumulation; nan elsewhere",
    "op": "the operation that made the node: 'add', 'exp', 'const', 'leaf', ...",
    "kind": "the event: 'create', 'accumulate', 'assign', 'zero', 'update', 'sample', 'print'",
    "name": "what the script calls the node at this event, as 'q[3]' or 'layer0.attn_wq[0][1]'; '' for none yet",
    "node": "the node's number",
    "inputs": "the numbers that a created node was made from; () elsewhere, and nan past its end",
    "line": "the line of the statement being executed",
    "scope": "the calls and loop iterations around it, as 'step=0 > gpt(pos_id=2) > li=0 > softmax'",
    "pos": "the token position, from 0; nan outside the loop over positions",
    "step": "the training step, from 1; 0 outside training",
    "sample": "the generated sample, from 1; 0 elsewhere",
    "phase": "'setup', 'forward', 'backward', 'optimizer' or 'inference'",
    "loss": "the loss of this step, once its backward pass has begun; nan before",
}
"""What a condition can speak about. Loop variables of the script (``li``, ``h``) can be added to these."""

EVENT_FACTS = frozenset({"data", "grad", "delta", "factor", "op", "kind", "name", "node", "inputs"})
"""Facts that differ from event to event inside one scope."""
TEXT_FACTS = frozenset({"op", "kind", "name", "scope", "phase"})


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


FUNCTIONS: dict[str, Any] = {
    "abs": abs, "min": min, "max": max, "round": round, "len": len, "sum": sum, "any": any, "all": all,
    "isnan": math.isnan, "isinf": math.isinf, "isfinite": math.isfinite, "log": math.log, "exp": math.exp,
    "sqrt": math.sqrt, "sign": _sign, "floor": math.floor, "ceil": math.ceil,
}  # fmt: skip
CONSTANTS: dict[str, Any] = {"nan": math.nan, "inf": math.inf, "pi": math.pi}
TEXT_METHODS = frozenset({"startswith", "endswith"})
LARGEST_EXPONENT = 64
LONGEST = 2000

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add,
    ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE,
    ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot, ast.IfExp, ast.Call, ast.Name, ast.Load, ast.Store,
    ast.Constant, ast.Tuple, ast.List, ast.Subscript, ast.GeneratorExp, ast.ListComp, ast.comprehension,
)  # fmt: skip


class ConditionError(ValueError):
    """A condition that is refused; ``column`` is where, from 0."""

    def __init__(self, message: str, text: str, column: int) -> None:
        self.message, self.text, self.column = message, text, column
        super().__init__(f"{message}\n  {text}\n  {' ' * column}^")


class Inputs(tuple[float, ...]):
    """The operands' numbers; one that is not there is nan, so that ``inputs[1] > 2`` is false for ``exp``."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        if type(index) is int and not -len(self) <= index < len(self):
            return NAN
        return tuple.__getitem__(self, index)


@dataclass(frozen=True)
class Condition:
    """A checked expression. Equal texts give equal predicates."""

    text: str
    source: str
    """The expression as Python would write it."""
    names: tuple[str, ...]
    """The facts that it reads, sorted: the arguments of ``test``."""

    @cached_property
    def test(self) -> Callable[..., Any]:
        """``test(*facts)`` in the order of ``names``: true or false, or whatever the expression raises."""
        return self.function(f"lambda {', '.join(self.names)}: {self.source}")

    @cached_property
    def conjuncts(self) -> tuple[Condition, ...]:
        """The parts of a top-level ``and``; the condition itself where it is none."""
        tree = ast.parse(self.source, mode="eval").body
        if not isinstance(tree, ast.BoolOp) or not isinstance(tree.op, ast.And):
            return (self,)
        found = []
        for part in tree.values:
            used = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
            text = ast.unparse(part)
            found.append(Condition(text, f"({text})", tuple(n for n in self.names if n in used)))
        return tuple(found)

    def implied(self, known: Iterable[str]) -> str:
        """The part that can be decided from these facts alone, as an expression: true wherever the whole is.

        Empty where nothing can be decided.
        """
        known = set(known)
        parts = [c.source for c in self.conjuncts if c.names and set(c.names) <= known]
        return " and ".join(parts)

    @cached_property
    def event_level(self) -> bool:
        """True when it reads a fact that differs from event to event inside a scope."""
        return not EVENT_FACTS.isdisjoint(self.names)

    @staticmethod
    def function(source: str) -> Callable[..., Any]:
        """A function from checked source, with the whitelisted functions and nothing else in reach."""
        reach = {"__builtins__": {}, "zip": zip, **FUNCTIONS, **CONSTANTS}
        made: Callable[..., Any] = eval(compile(source, "<condition>", "eval"), reach)  # it has passed the whitelist
        return made

    @cached_property
    def _scan(self) -> Callable[..., list[int]]:
        names = "".join(", " + n for n in self.names)
        columns = "".join(f", _{n}" for n in self.names)
        return self.function(f"lambda _e{columns}: [e for e{names} in zip(_e{columns}) if {self.source}]")

    def select(self, events: Sequence[int], facts: Mapping[str, Sequence[Any]]) -> tuple[list[int], Failure | None]:
        """The events at which it holds. ``facts`` are columns beside ``events``.

        One that fails ends the search: its event counts as selected, and the failure says why.
        """
        if not self.names:
            try:
                return (list(events) if self.test() else []), None
            except Exception as error:  # any fault of the expression is an answer, not an accident
                return list(events[:1]), Failure(events[0], str(error)) if events else None
        columns = [facts[n] for n in self.names]
        try:
            return self._scan(events, *columns), None
        except Exception:  # which event it was: once more, one by one
            found: list[int] = []
            test = self.test
            for event, *values in zip(events, *columns, strict=True):
                try:
                    if test(*values):
                        found.append(event)
                except Exception as error:  # as above
                    found.append(event)
                    return found, Failure(event, f"{type(error).__name__}: {error}")
            raise


@dataclass(frozen=True, slots=True)
class Failure:
    """A condition that could not be decided at an event."""

    event: int
    message: str


@lru_cache(maxsize=256)
def condition(text: str, extra: frozenset[str] = frozenset()) -> Condition:
    """Check and compile; ``extra`` are loop variables that may be named. Raises ConditionError."""
    stripped = text.strip()
    if not stripped:
        raise ConditionError("an empty condition", text, 0)
    if len(stripped) > LONGEST:
        raise ConditionError(f"longer than {LONGEST} characters", stripped[:60], 0)
    try:
        tree = ast.parse(stripped, mode="eval")
    except SyntaxError as error:
        column = error.offset - 1 if error.offset else len(stripped)  # at its end: no offset
        hint = " (write == to compare)" if stripped[column : column + 1] == "=" or "'='" in str(error.msg) else ""
        raise ConditionError(f"not an expression: {error.msg}{hint}", stripped, min(column, len(stripped))) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise ConditionError(f"not an expression: {error}", stripped[:60], 0) from None
    names = _check(tree, stripped, extra)
    return Condition(stripped, f"({ast.unparse(tree)})", tuple(sorted(names)))


def _check(tree: ast.Expression, text: str, extra: frozenset[str]) -> set[str]:
    """The facts used; raises ConditionError for what is not on the whitelist."""
    used: set[str] = set()
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    calls = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}

    def refuse(message: str, node: ast.AST) -> ConditionError:
        return ConditionError(message, text, getattr(node, "col_offset", 0))

    clash = bound & (FACTS.keys() | FUNCTIONS.keys() | CONSTANTS.keys() | extra)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr not in TEXT_METHODS or id(node) not in calls:
                raise refuse(f".{node.attr} is not allowed here: only .startswith(...) and .endswith(...)", node)
            continue
        if not isinstance(node, _ALLOWED):
            raise refuse(f"{type(node).__name__} is not allowed in a condition", node)
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store) and node.id in clash:
                raise refuse(f"{node.id!r} cannot be a loop's name here: it is a fact or a function", node)
            if node.id in bound or node.id in CONSTANTS:
                continue
            if node.id in FUNCTIONS:
                if id(node) not in calls and node.id not in extra:
                    raise refuse(f"{node.id} is a function: write {node.id}(...)", node)
                continue
            if node.id not in FACTS and node.id not in extra:
                known = [*FACTS, *extra, *FUNCTIONS]
                close = difflib.get_close_matches(node.id, known, 1)
                hint = f"did you mean {close[0]}?" if close else "there are: " + ", ".join(sorted([*FACTS, *extra]))
                raise refuse(f"unknown name {node.id!r}; {hint}", node)
            used.add(node.id)
        elif isinstance(node, ast.Call):
            if not isinstance(node.func, ast.Name | ast.Attribute) or node.keywords:
                raise refuse("only plain calls of known functions are allowed", node)
            if isinstance(node.func, ast.Name) and node.func.id not in FUNCTIONS:
                raise refuse(f"{node.func.id!r} is no function here; there are: {', '.join(FUNCTIONS)}", node)
        elif isinstance(node, ast.Constant):
            if type(node.value) not in (int, float, str, bool, type(None)):
                raise refuse(f"{node.value!r} is not allowed in a condition", node)
        elif isinstance(node, ast.comprehension):
            if not isinstance(node.target, ast.Name) or node.is_async:
                raise refuse("only a plain `for NAME in ...` is allowed", node.target)
        elif isinstance(node, ast.BinOp):
            _check_size(node, refuse)
    return used


def _check_size(node: ast.BinOp, refuse: Callable[[str, ast.AST], ConditionError]) -> None:
    """Refuse what could grow without bound: powers of powers, repeated texts."""
    if isinstance(node.op, ast.Pow):
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        value = power.value if isinstance(power, ast.Constant) else None
        if not isinstance(value, int | float) or abs(value) > LARGEST_EXPONENT:
            raise refuse(f"an exponent must be a number up to {LARGEST_EXPONENT}", node.right)
        if any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow) for n in ast.walk(node.left)):
            raise refuse("a power of a power is not allowed", node)
    elif isinstance(node.op, ast.Mult | ast.Mod):
        for side in (node.left, node.right):
            textual = (isinstance(side, ast.Constant) and isinstance(side.value, str)) or (
                isinstance(side, ast.Name) and (side.id in TEXT_FACTS or side.id == "inputs")
            )
            if textual or isinstance(side, ast.List | ast.Tuple | ast.ListComp):
                raise refuse("only numbers can be multiplied", side)


@dataclass(frozen=True)
class Template:
    """What a log point says: text with facts in braces, as ``{name} {data:.3f}``."""

    text: str
    parts: tuple[tuple[str, Condition | None, str], ...]
    """(literal, expression or None, format) in order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The facts that it reads."""
        return tuple(sorted({n for _, c, _ in self.parts if c is not None for n in c.names}))

    def render(self, facts: Mapping[str, Any]) -> str:
        """The text with the facts plugged in; a part that fails says so in its place."""
        out = []
        for literal, expression, form in self.parts:
            out.append(literal)
            if expression is not None:
                try:
                    out.append(format(expression.test(*(facts[n] for n in expression.names)), form))
                except Exception as error:  # a log point never stops the script
                    out.append(f"<{type(error).__name__}: {error}>")
        return "".join(out)


@lru_cache(maxsize=64)
def template(text: str, extra: frozenset[str] = frozenset()) -> Template:
    """Check and compile a log text. Raises ConditionError."""
    parts: list[tuple[str, Condition | None, str]] = []
    at = 0
    while at < len(text):
        start = text.find("{", at)
        if start < 0:
            break
        if text[start : start + 2] == "{{":
            parts.append((text[at : start + 1], None, ""))
            at = start + 2
            continue
        end = text.find("}", start)
        if end < 0:
            raise ConditionError("a brace that is not closed", text, start)
        inner, _, form = text[start + 1 : end].partition(":")
        if not all(c in "0123456789.+-<>^eEfFgGdsx%, " for c in form) or sum(c.isdigit() for c in form) > 4:
            raise ConditionError(f"unknown format {form!r}", text, start)
        try:
            parts.append((text[at:start], condition(inner, extra), form))
        except ConditionError as error:
            raise ConditionError(error.message, text, start + 1 + error.column) from None
        at = end + 1
    parts.append((text[at:].replace("}}", "}"), None, ""))
    return Template(text, tuple(parts))


# -- readings that the live script and the record share --------------------------------------


def parse_iteration(text: str) -> dict[str, int | str]:
    """The variables of a loop iteration's label: ``i=0, ch='a'``."""
    found: dict[str, int | str] = {}
    for part in text.split(", "):
        name, sign, value = part.partition("=")
        if sign:
            try:
                found[name] = int(value)
            except ValueError:
                found[name] = value.strip("'\"")
    return found


LONGEST_PRINTED = 4096
"""Bytes of output that are looked at for a printed line."""


def printed_line(output: bytes) -> str:
    """The line of output that ends where these bytes end."""
    text = output.rstrip(b"\r\n")
    start = max(text.rfind(b"\n"), text.rfind(b"\r"))
    return text[start + 1 :].decode(errors="replace")

"""Formulas with this moment's numbers in them: how a node was made, and its local gradients.

The derivatives are those of elementary calculus; what an operation of the script's own computes
is shown by its name, with the local gradients that the script recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from microgpt_tui.protocol.codes import ACCUMULATE
from microgpt_tui.trace.names import name, own_name
from microgpt_tui.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Operand:
    """One operand of an operation, with its derivative."""

    node: int
    name: str
    data: float
    local: float
    """d result / d operand: recorded by the script; NaN where it records none and it is not known."""
    recorded: bool
    """False when ``local`` is calculus' answer, because the script has not computed its own (yet)."""
    rule: str
    """The derivative in symbols: ``b`` for the first operand of a × b."""


@dataclass(frozen=True, slots=True)
class Formula:
    """How a node was made."""

    node: int
    op: str
    result: str
    symbols: str
    """``q[3] = q[3] up to term 15 + (wq[3][15] × x[15])``"""
    numbers: str
    """The same with numbers: ``-0.0731 = -0.0702 + -0.0029``"""
    operands: tuple[Operand, ...]


_INFIX = {"add": "+", "mul": "×", "sub": "−", "truediv": "÷", "matmul": "@", "floordiv": "//", "mod": "%"}

_RULES: dict[str, tuple[str, ...]] = {
    "add": ("1", "1"), "sub": ("1", "-1"), "mul": ("b", "a"), "truediv": ("1/b", "-a/b²"), "neg": ("-1",),
    "exp": ("exp(a)",), "log": ("1/a",), "relu": ("1 if a > 0 else 0",), "tanh": ("1 − tanh(a)²",),
    "sigmoid": ("σ(a)(1 − σ(a))",), "sqrt": ("1/(2√a)",), "abs": ("sign(a)",), "sin": ("cos(a)",),
    "cos": ("-sin(a)",), "silu": ("σ(a)(1 + a(1 − σ(a)))",), "softplus": ("σ(a)",),
}  # fmt: skip


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a)) if a >= 0 else math.exp(a) / (1 + math.exp(a))


_DERIVATIVES: dict[str, Callable[..., tuple[float, ...]]] = {
    "add": lambda a, b: (1.0, 1.0),
    "sub": lambda a, b: (1.0, -1.0),
    "mul": lambda a, b: (b, a),
    "truediv": lambda a, b: (1 / b, -a / (b * b)),
    "neg": lambda a: (-1.0,),
    "exp": lambda a: (math.exp(a),),
    "log": lambda a: (1 / a,),
    "relu": lambda a: (float(a > 0),),
    "tanh": lambda a: (1 - math.tanh(a) ** 2,),
    "sigmoid": lambda a: (_sigmoid(a) * (1 - _sigmoid(a)),),
    "sqrt": lambda a: (0.5 / math.sqrt(a),),
    "abs": lambda a: (math.copysign(1.0, a),),
    "sin": lambda a: (math.cos(a),),
    "cos": lambda a: (-math.sin(a),),
    "softplus": lambda a: (_sigmoid(a),),
    "silu": lambda a: (_sigmoid(a) * (1 + a * (1 - _sigmoid(a))),),
}


def known_locals(op: str, data: list[float], plain: tuple[float, ...]) -> tuple[float, ...] | None:
    """Calculus' local gradients of an elementary operation at a point; None where it knows none."""
    try:
        if op == "pow" and len(data) == 1 and plain:
            return (plain[0] * data[0] ** (plain[0] - 1),)
        rule = _DERIVATIVES.get(op)
        return rule(*data) if rule is not None else None
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None


def local_gradients(trace: Trace, node: int, event: int) -> list[tuple[float, bool]]:
    """Per operand (local gradient, whether the script recorded it).

    A script that keeps derivatives in closures tells them when the closure runs; until then
    calculus answers for the operations it knows.
    """
    children = list(trace.children(node))
    stored = list(trace.locals(node))
    if stored and all(x == x for x in stored):
        return [(x, True) for x in stored]
    handed: dict[int, list[float]] = {}
    for row in _propagated(trace, node, children):
        handed.setdefault(trace.target[row], []).append(trace.factor[row])
    born = max(0, trace.born_at(node))
    known = known_locals(
        trace.op_name(node), [trace.data_at(c, born) for c in children], trace.owner(node).operands.get(node, ())
    )
    found: list[tuple[float, bool]] = []
    for i, child in enumerate(children):
        given = handed.get(child)
        if stored and stored[i] == stored[i]:
            found.append((stored[i], True))
        elif given and given[0] == given[0]:
            found.append((given.pop(0), True))
        elif known is not None and i < len(known):
            found.append((known[i], False))
        else:
            found.append((math.nan, False))
    return found


def _propagated(trace: Trace, node: int, children: list[int]) -> list[int]:
    """Rows of the contributions that a node gave its operands."""
    rows = []
    for child in dict.fromkeys(children):
        rows += [
            r for r in trace.writes_of(child)
            if trace.source[r] == node and trace.kind[trace.write_event[r]] == ACCUMULATE
        ]  # fmt: skip
    return rows


def short(value: float) -> str:
    """A number for a formula: six significant digits."""
    return f"{value:.6g}" if value == value else "nan"


def formula(trace: Trace, node: int, event: int) -> Formula:
    """How a node was made, in symbols and in the numbers of the moment it was made."""
    op = trace.op_name(node)
    children = list(trace.children(node))
    born = trace.born_at(node)
    at = born if born >= 0 else event
    data = [trace.data_at(c, at) for c in children]
    own = name(trace, node)
    names = [_operand_name(trace, c) for c in children]
    names = [f"{n} of line {trace.site_of(c).line}" if n == own else n for n, c in zip(names, children, strict=True)]
    plain = trace.owner(node).operands.get(node, ())
    value = trace.data_at(node, at)
    if not children:
        symbols = numbers = short(value)
    else:
        symbols = _written(op, names, plain)
        numbers = _written(op, [_bracketed(short(d)) for d in data], plain)
    rules = _RULES.get(op, ())
    if op == "pow" and plain:
        rules = (f"{plain[0]:g}·a^{plain[0] - 1:g}",)
    operands = tuple(
        Operand(c, names[i], data[i], local, recorded, rules[i] if i < len(rules) else "")
        for i, (c, (local, recorded)) in enumerate(zip(children, local_gradients(trace, node, event), strict=True))
    )
    return Formula(node, op, own, f"{own} = {symbols}", f"{short(value)} = {numbers}", operands)


def _operand_name(trace: Trace, node: int) -> str:
    """An operand's name; an unnamed product is written out."""
    if own_name(trace, node) is None:
        op, children = trace.op_name(node), list(trace.children(node))
        if op in ("mul", "neg", "truediv") and all(
            own_name(trace, c) is not None or not trace.children(c) for c in children
        ):
            return "(" + _written(op, [name(trace, c) for c in children], ()) + ")"
    return name(trace, node)


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _written(op: str, parts: list[str], plain: tuple[float, ...]) -> str:
    extra = [f"{p:g}" for p in plain]
    if op in _INFIX and len(parts) == 2:
        return f"{parts[0]} {_INFIX[op]} {parts[1]}"
    if op == "neg" and len(parts) == 1:
        return f"−{parts[0]}"
    if op == "pow" and len(parts) + len(extra) == 2:
        return " ** ".join([*parts, *extra])
    return f"{op}({', '.join([*parts, *extra])})"

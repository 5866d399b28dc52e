"""What an operation does, in words: ``× multiplies wq[3][15] by x[15]: 0.11 × -0.21 = -0.0231``."""

from __future__ import annotations

import operator
from collections.abc import Callable

from microgpt_tui.narrate.story import Story
from microgpt_tui.narrate.words import called, listed, number
from microgpt_tui.protocol.codes import CONSTANT_OP, LEAF_OP, SiteKind
from microgpt_tui.trace.names import name, own_name
from microgpt_tui.trace.sums import sum_at, term_at
from microgpt_tui.trace.trace import Trace

Words = Callable[[list[str], list[float], tuple[float, ...]], str]
"""(names of the operands, their data, plain numbers) -> the sentence up to its colon."""


def _relu(names: list[str], data: list[float], plain: tuple[float, ...]) -> str:
    return f"relu lets {names[0]} pass: it is above 0" if data[0] > 0 else f"relu makes {names[0]} 0: it is not above 0"


_VERBS: dict[tuple[str, int], Words] = {
    ("add", 2): lambda n, d, p: f"+ adds {n[0]} and {n[1]}",
    ("mul", 2): lambda n, d, p: f"× multiplies {n[0]} by {n[1]}",
    ("sub", 2): lambda n, d, p: f"− takes {n[1]} from {n[0]}",
    ("truediv", 2): lambda n, d, p: f"÷ divides {n[0]} by {n[1]}",
    ("pow", 2): lambda n, d, p: f"** raises {n[0]} to the power {n[1]}",
    ("neg", 1): lambda n, d, p: f"− turns the sign of {n[0]}",
    ("exp", 1): lambda n, d, p: f"exp raises e to the power {n[0]}",
    ("log", 1): lambda n, d, p: f"log takes the natural logarithm of {n[0]}",
    ("sqrt", 1): lambda n, d, p: f"sqrt takes the square root of {n[0]}",
    ("abs", 1): lambda n, d, p: f"abs drops the sign of {n[0]}",
    ("tanh", 1): lambda n, d, p: f"tanh squeezes {n[0]} into -1 to 1",
    ("sigmoid", 1): lambda n, d, p: f"sigmoid squeezes {n[0]} into 0 to 1",
    ("relu", 1): _relu,
}
"""(Operation, number of operands) -> what it does. Others are told by the name that the script gives them."""
_SIGNS = {"add": "+", "mul": "×", "sub": "−", "truediv": "÷", "pow": "**"}
INFIX: dict[str, Callable[[float, float], float]] = {
    "add": operator.add, "mul": operator.mul, "sub": operator.sub, "truediv": operator.truediv, "pow": operator.pow,
}  # fmt: skip
"""Operators with two sides, one of which may be a plain number."""


def tell(trace: Trace, event: int) -> Story:
    """A node was made."""
    node = trace.node_of(event)
    op, value = trace.op_name(node), trace.data_at(node, event)
    children = list(trace.children(node))
    if not children:
        return _leaf(trace, node, op, value)
    names, data = operands(trace, node, event)
    plain = () if op in INFIX else trace.owner(node).operands.get(node, ())
    place = sum_at(trace, node)
    if place is not None and place.term > 1:
        lead = f"+ adds {_nth(trace, place.term, place.terms)} to the sum {_for(trace, place.total)}"
    else:
        words = _VERBS.get((op, len(data)))
        lead = words(names, data, plain) if words else f"{op} is computed of {listed(names)}"
    return Story(f"{lead}: {_written(op, data, plain)} = {number(value)}.", _why(trace, node, children, event))


def operands(trace: Trace, node: int, event: int) -> tuple[list[str], list[float]]:
    """Names and data of what a node was made from; of an operator with two sides in their order, plain numbers too."""
    children, op = list(trace.children(node)), trace.op_name(node)
    born = max(0, trace.born_at(node))
    names, data = [called(trace, c, event) for c in children], [trace.data_at(c, born) for c in children]
    compute = INFIX.get(op)
    if compute is None:
        return names, data
    plain = trace.owner(node).operands.get(node, ())
    names += [number(p) for p in plain]
    data += plain
    if len(data) == 1:
        names, data = [names[0], "itself"], data * 2
    value = trace.data_at(node, born)
    if len(data) == 2 and not _makes(compute, data, value) and _makes(compute, data[::-1], value):
        return names[::-1], data[::-1]  # the script keeps them in no order
    return names, data


def _makes(compute: Callable[[float, float], float], data: list[float], value: float) -> bool:
    try:
        made = compute(*data)
    except (ArithmeticError, TypeError):
        return False
    return made == value or made != made


def _leaf(trace: Trace, node: int, op: str, value: float) -> Story:
    made = f"{trace.program.class_name}({number(value)})"
    if op == CONSTANT_OP:
        what = f"The plain number {number(value)} is wrapped: {made}."
        return Story(what, "Only so can it be an operand; nothing will change it.")
    if op == LEAF_OP and own_name(trace, node) is not None:
        return Story(f"{own_name(trace, node)} begins as {number(value)}: {made}.", "It is made from no other node.")
    return Story(f"A new number is made: {made}.", "It is made from no other node.")


def _written(op: str, data: list[float], plain: tuple[float, ...]) -> str:
    parts = [number(d) for d in (*data, *plain)]
    if op in _SIGNS and len(parts) == 2:
        return f" {_SIGNS[op]} ".join(parts)
    return f"-({parts[0]})" if op == "neg" and len(parts) == 1 else f"{op}({', '.join(parts)})"


def _nth(trace: Trace, term: int, terms: int) -> str:
    return f"term {term} of {terms}" if trace.complete else f"term {term}"


def _for(trace: Trace, total: int) -> str:
    """``q[3]``, or ``in attn_logits[1]``: what a sum is or is on the way to."""
    own = own_name(trace, total)
    return own if own is not None else name(trace, total).removeprefix("sum ")


def _why(trace: Trace, node: int, children: list[int], event: int) -> str:
    """What the result is for."""
    said = []
    own, term = own_name(trace, node), term_at(trace, node)
    inside = own_method(trace, event)
    if inside:
        said.append(f"A step of the script's own {inside}.")
    if own is not None:
        said.append(f"The script calls it {own}.")
    elif term is not None:
        said.append(f"It is {_nth(trace, term.term, term.terms)} of the sum {_for(trace, term.total)}.")
    weights = [name(trace, c) for c in children if trace.index and trace.is_parameter(c)]
    if weights:
        said.append(f"{listed(weights)}: {'a weight' if len(weights) == 1 else 'weights'} that training changes.")
    return " ".join(said)


def own_method(trace: Trace, event: int) -> str:
    """The method of the autograd class, written with other operations, that an event is a step of; or ""."""
    scope = trace.scope_of(event)
    while scope >= 0 and trace.scope_kind(scope) in (SiteKind.STATEMENT, SiteKind.OPERATION):
        if trace.scope_kind(scope) is SiteKind.OPERATION:
            return trace.program.site(trace.scope_site[scope]).name
        scope = trace.scope_parent[scope]
    return ""

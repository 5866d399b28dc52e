"""How a gradient comes about, in words: the rule, where the script's derivative is the one that calculus has."""

from __future__ import annotations

import math
from collections.abc import Callable

from microgpt_tui.narrate.operations import INFIX, operands
from microgpt_tui.narrate.story import Story
from microgpt_tui.narrate.words import called, number, plural
from microgpt_tui.trace.formula import known_locals
from microgpt_tui.trace.ledger import counts
from microgpt_tui.trace.trace import Trace

Rule = Callable[[str, tuple[float, ...], float], str]
"""(name of the other operand, plain numbers, the derivative) -> the rule in words."""

_RULES: dict[tuple[str, int], Rule] = {
    ("add", 0): lambda other, plain, by: "A sum passes its gradient on unchanged",
    ("add", 1): lambda other, plain, by: "A sum passes its gradient on unchanged",
    ("mul", 0): lambda other, plain, by: f"A product passes its gradient on times the other factor, {other}",
    ("mul", 1): lambda other, plain, by: f"A product passes its gradient on times the other factor, {other}",
    ("sub", 0): lambda other, plain, by: "A difference passes its gradient on unchanged to what it takes from",
    ("sub", 1): lambda other, plain, by: "A difference passes its gradient on, the sign turned, to what it takes away",
    ("truediv", 0): lambda other, plain, by: f"A quotient passes its gradient on divided by the divisor, {other}",
    ("truediv", 1): lambda other, plain, by: f"A quotient passes on to its divisor b: -a / b² times, a is {other}",
    ("neg", 0): lambda other, plain, by: "A negation passes its gradient on with the sign turned",
    ("pow", 0): lambda other, plain, by: _power(other),
    ("exp", 0): lambda other, plain, by: "exp passes its gradient on times its own result",
    ("log", 0): lambda other, plain, by: "log passes its gradient on divided by its operand",
    ("sqrt", 0): lambda other, plain, by: "A square root passes its gradient on divided by twice the root",
    ("tanh", 0): lambda other, plain, by: "tanh passes its gradient on times 1 − tanh²",
    ("sigmoid", 0): lambda other, plain, by: "A sigmoid passes its gradient on times σ(1 − σ)",
    ("relu", 0): lambda other, plain, by: (
        "relu lets the gradient pass: its operand was above 0" if by else
        "relu stops the gradient: its operand was not above 0"
    ),
}  # fmt: skip
"""(Operation, which operand) -> the chain rule in words."""


def _power(exponent: str) -> str:
    try:
        below = number(float(exponent) - 1)
    except ValueError:
        return "A power passes its gradient on times its derivative"
    return f"A power passes its gradient on times {exponent} · a ** {below}"


def accumulated(trace: Trace, event: int) -> Story:
    """A contribution was added to a gradient."""
    row = trace.row[event]
    target, source = trace.target[row], trace.source[row]
    delta, factor = trace.delta[row], trace.factor[row]
    whose = called(trace, target, event)
    if source < 0:
        return Story(f"The script adds {number(delta)} to the gradient of {whose}.", _arrived(trace, target, event))
    upstream = trace.grad_at(source, event - 1)
    if factor != factor or not _same(upstream * factor, delta):
        what = f"{_named(trace, source, event)} adds {number(delta)} to the gradient of {whose}."
        return Story(what, _arrived(trace, target, event))
    sum_ = f"{number(upstream)} × {number(factor)} = {number(delta)} goes to {whose}."
    return Story(f"{_rule(trace, source, target, row, event)}: {sum_}", _arrived(trace, target, event))


def _same(a: float, b: float) -> bool:
    return a == b or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12) or (a != a and b != b)


def _named(trace: Trace, node: int, event: int) -> str:
    return f"{trace.op_name(node)}, which made {called(trace, node, event)},"


def _rule(trace: Trace, source: int, target: int, row: int, event: int) -> str:
    """The rule, where it is the one that the script's number follows; else that it is the script's own."""
    op, factor = trace.op_name(source), trace.factor[row]
    names, data = operands(trace, source, event)
    plain = trace.owner(source).operands.get(source, ())
    given = (data[:1], tuple(data[1:])) if op == "pow" else (data, () if op in INFIX else plain)
    known = known_locals(op, *given)
    whose = called(trace, target, event)
    places = [i for i, n in enumerate(names) if n == whose or n == "itself"]
    for i in places:
        if known is not None and i < len(known) and _same(known[i], factor):
            rule = _RULES.get((op, i))
            others = [whose if n == "itself" else n for j, n in enumerate(names) if j != i]
            own = f"{op} passes its gradient on times its derivative"
            return rule(others[0] if others else "", plain, factor) if rule is not None else own
    own = f"{op} passes its gradient on times the derivative that the script gives it"
    wrong = known is not None and places and places[0] < len(known)
    return f"{own}, while calculus has {number(known[places[0]])}" if known is not None and wrong else own


def _arrived(trace: Trace, node: int, event: int) -> str:
    """How far the gradient of a node has come."""
    grad = number(trace.grad_at(node, event))
    done, total = counts(trace, node, event)
    if trace.complete and done == total:
        return f"The gradient there is {grad}, and that is final: " + (
            "it was the only contribution." if total == 1 else f"all {total:,} contributions are in."
        )
    if trace.complete:
        return f"The gradient there is {grad} so far: {done:,} of {total:,} contributions are in."
    users = len(trace.users(node))
    said = f"The gradient there is {grad} so far, after {plural(done, 'contribution')}"
    return f"{said}; {plural(users, 'operation uses', 'operations use')} it." if users else f"{said}."


def assigned(trace: Trace, event: int) -> Story:
    """A gradient was set: the seed of a backward pass, or what the script thinks fit."""
    row = trace.row[event]
    target, after = trace.target[row], trace.after[row]
    whose = called(trace, target, event)
    before = trace.grad_at(target, event - 1)
    if trace.begins_phase(event) or row in trace.seeds():
        loss = number(trace.data_at(target, event))
        return Story(
            f"Backward begins at {whose} = {loss}: its gradient with respect to itself is {number(after)}.",
            "From here each operation passes its gradient on to its operands, the last made first.",
        )
    return Story(f"The script sets the gradient of {whose} to {number(after)}; it was {number(before)}.")


def zeroed(trace: Trace, event: int) -> Story:
    """A gradient was set back."""
    target = trace.target[trace.row[event]]
    before = trace.grad_at(target, event - 1)
    was = f", it was {number(before)}" if before else ", which it was already"
    return Story(
        f"The gradient of {called(trace, target, event)} is set to 0{was}.",
        "Gradients are added up: without this the next step would add to this one's.",
    )

"""Where a NaN, an infinity or a failing operation comes from: the chain of operands back to what went extreme."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from microgpt_tui.protocol.codes import CONSTANT_OP
from microgpt_tui.trace.facts import not_finite
from microgpt_tui.trace.names import name, own_name, parameter_names
from microgpt_tui.trace.trace import Trace

LARGE = 50.0
"""A number beyond this is on the way to an overflow: exp(50) is 5e21."""
SMALL = 1e-20
"""A number closer to zero than this is on the way to log(0) or 1/0."""
LONGEST = 24
MOST_TERMS = 10_000


@dataclass(frozen=True, slots=True)
class Link:
    """One operand on the chain, nearest to the failure first."""

    node: int
    name: str
    op: str
    data: float
    line: int
    event: int
    """Where it was made: -1 for a parameter."""
    made: int = 0
    """The line that made it; of a parameter in the setup, 0 where that is not known."""
    odd: str = ""
    """What the script has where that is no real number."""
    history: tuple[float, ...] = ()
    """PARAMETER: its number after each of the last steps."""


@dataclass(frozen=True, slots=True)
class RootCause:
    """A failure and where it comes from."""

    what: str
    """``exp(-4724.4) overflows``, ``log(0.0)``, ``NaN made by mul``."""
    event: int
    """The operation that failed, or the last event before one that raised."""
    line: int
    chain: tuple[Link, ...]
    origin: Link | None
    """The link to look at: the first one that is extreme though what it is made of is not, or a parameter."""
    said: str

    @property
    def text(self) -> str:
        """The whole card."""
        lines = [self.what, self.said]
        for link in self.chain:
            mark = "▶" if self.origin is not None and link.node == self.origin.node else " "
            where = f"line {link.line}" if link.event >= 0 else "parameter"
            lines.append(f" {mark} {link.name:<28} {link.odd or f'{link.data:+.6g}':<14} {link.op:<10} {where}")
            if link.history:
                lines.append("     over the last steps: " + "  ".join(f"{x:+.3g}" for x in link.history))
        return "\n".join(lines)


def extreme(value: float) -> bool:
    """True for a number that overflows, underflows or has already done so."""
    return not math.isfinite(value) or abs(value) > LARGE or (abs(value) < SMALL)


def first_failure(trace: Trace) -> int | None:
    """The first event that made a NaN or an infinity, or None."""
    found = not_finite(trace)
    return found[0] if found else None


def root_cause(
    trace: Trace,
    nodes: Sequence[int],
    event: int,
    what: str,
    line: int,
    growth: Callable[[int], Iterable[float]] = lambda node: (),
) -> RootCause:
    """Follow the most extreme operand back from ``nodes`` (the failing operation's operands) at an event.

    ``growth`` gives a parameter's numbers after the last steps (``session`` has them).
    """
    names = parameter_names(trace.program)
    chain: list[Link] = []
    seen: set[int] = set()
    node = _worst(trace, nodes, event)
    tiny = node >= 0 and abs(trace.data_at(node, event)) < SMALL
    while node >= 0 and node not in seen and len(chain) < LONGEST:
        seen.add(node)
        born = trace.born_at(node)
        parameter = node in names and trace.index > 0
        history = tuple(growth(node)) if parameter else ()
        site = trace.site_of(node)
        chain.append(Link(
            node, names[node] if parameter else name(trace, node), trace.op_name(node), trace.data_at(node, event),
            site.line, born, _made(trace, node), trace.owner(node).odd_data.get(node, ""), history,
        ))  # fmt: skip
        if parameter or born < 0:
            break
        node, tiny = _behind(trace, node, event, tiny)
    origin = _origin(chain)
    return RootCause(what, event, line, tuple(chain), origin, _said(chain, origin, what))


def _made(trace: Trace, node: int) -> int:
    return trace.site_of(node).line if trace.owner(node).site[node - trace.owner(node).first_node] >= 0 else 0


def cause_at(trace: Trace, event: int, growth: Callable[[int], Iterable[float]] = lambda node: ()) -> RootCause:
    """The root cause of the NaN or infinity that an event made."""
    node = trace.node_of(event)
    value = trace.data_at(node, event)
    odd = trace.owner(node).odd_data.get(node, "")
    kind = (
        f"the complex number {odd}"
        if odd.rstrip(")").endswith("j")
        else "NaN"
        if math.isnan(value)
        else "infinity"
        if math.isinf(value)
        else "gradient that is not finite"
    )
    operands = trace.children(node)
    line = trace.site_of(node).line
    if trace.born_at(node) == event:
        numbers = ", ".join(f"{trace.data_at(c, event):.6g}" for c in operands)
        what = f"{kind} made by {trace.op_name(node)}({numbers}) on line {line}"
        return root_cause(trace, operands, event, what, line, growth)
    what = f"{kind} in {name(trace, node)}"
    return root_cause(trace, [node], event, what, line, growth)


def _badness(value: float) -> float:
    """How far a number is from being harmless: infinite for NaN, else the size of its exponent."""
    if math.isnan(value):
        return math.inf
    if math.isinf(value):
        return 1e6
    if value == 0:
        return 1e5
    return abs(math.log10(abs(value)))


def _worst(trace: Trace, nodes: Iterable[int], event: int, tiny: bool | None = None) -> int:
    best, worst = -1, -math.inf
    for node in nodes:
        value = trace.data_at(node, event)
        bad = _badness(value) if tiny is None or not math.isfinite(value) else -abs(value) if tiny else abs(value)
        if bad > worst:
            best, worst = node, bad
    return best


def _behind(trace: Trace, node: int, event: int, tiny: bool) -> tuple[int, bool]:
    """The operand that made a number extreme, and whether it did so by being tiny.

    A product is tiny by its smallest factor and large by its largest; a sum is what its largest
    term is; behind any other operation is its operand.
    """
    op = trace.op_name(node)
    if op == "add":
        terms = _terms(trace, node)
        return _worst(trace, [t for t in terms if trace.op_name(t) != CONSTANT_OP] or terms, event, tiny=False), False
    children = [c for c in trace.children(node) if trace.op_name(c) != CONSTANT_OP] or list(trace.children(node))
    if len(children) > 1:
        return _worst(trace, children, event, tiny=tiny), tiny
    found = children[0] if children else -1
    return found, found >= 0 and abs(trace.data_at(found, event)) < min(SMALL, 1.0)


def _terms(trace: Trace, node: int) -> list[int]:
    """The terms of a sum that is added up two at a time."""
    terms: list[int] = []
    todo = list(trace.children(node))
    while todo and len(terms) < MOST_TERMS:
        term = todo.pop()
        same = trace.op_name(term) == "add" and trace.site_of(term) == trace.site_of(node)
        if same and own_name(trace, term) is None:
            todo.extend(trace.children(term))
        else:
            terms.append(term)
    return terms


def _origin(chain: Sequence[Link]) -> Link | None:
    """The last extreme link that is no constant, seen from the failure: what is behind it is still harmless."""
    found: Link | None = None
    for link in chain:
        if extreme(link.data):
            found = link
    return found if found is not None else (chain[0] if chain else None)


def _said(chain: Sequence[Link], origin: Link | None, what: str) -> str:
    if origin is None:
        return "no operand is recorded"
    size = (
        f"the complex number {origin.odd}"
        if origin.odd.rstrip(")").endswith("j")
        else "zero"
        if origin.data == 0
        else "not finite"
        if not math.isfinite(origin.data)
        else f"{origin.data:.4g}"
    )
    last = chain[-1]
    if not extreme(origin.data) and origin.data < 0 and ("domain" in what or "complex" in what):
        named = "" if origin.name == size else f"{origin.name} = "
        return f"its operand {named}{size} is negative, and there is no real result for that"
    if not extreme(origin.data):
        return f"its operand {origin.name} is {size}, and not extreme itself"
    if origin.history and len(origin.history) > 1:
        return f"parameter {origin.name} has gone to {size} over the last {len(origin.history)} steps"
    behind = chain[chain.index(origin) + 1 :]
    tail = f"; its largest part is {behind[0].name} = {behind[0].data:.4g}" if behind else ""
    if behind and last.event < 0 and last is not behind[0]:
        tail += f", and behind all of it is the parameter {last.name} = {last.data:.4g}"
    return f"it begins with {origin.name} = {size}, made by {origin.op} on line {origin.line}{tail}"

"""The functions of a forward pass, tried on detached nodes: the gradients they pass on, against differences."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import CodeType, FunctionType
from typing import Any

from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.run.calls import Call, Calls, Function, Leaf, Thawed, nodes_in
from microgpt_tui.debuggee.run.dual import Dual, dual_math, slope_of
from microgpt_tui.debuggee.run.live_graph import LiveGraph, NoRule
from microgpt_tui.debuggee.run.slope import WIDEST, Slope, slope
from microgpt_tui.protocol.examination import Deviation, FunctionTested, PassTested

RELATIVE = 1e-5
"""What a derivative may be off, relative."""
EXACT = 1e-8
"""... where forward mode is a second witness."""
INACCURATE = 1e-3
"""Differences with a larger relative error tell nothing."""
UPSTREAM = (1.0, -1.75)
LEAVES, COMPOSITE_CALLS = 5, 2
"""Operands, and calls, of a function that calls others of which each is tested by itself."""
SECONDS = 1.5
"""Time for one function."""


class Tested:
    """What the calls of one function have shown."""

    def __init__(self) -> None:
        self.compared = self.wrong = self.kinks = self.operations = self.witnessed = 0
        self.untested: dict[str, int] = {}
        self.deviations: list[tuple[Deviation, Evidence]] = []
        self.at_kink = self.at_zero = ""

    def skip(self, why: str) -> None:
        self.untested[why] = self.untested.get(why, 0) + 1


class Evidence:
    """The numbers around one wrong derivative: what a guess is made from."""

    def __init__(self, found: float, expected: float, others: list[float], numbers: list[float], result: float) -> None:
        self.found, self.expected, self.others = found, expected, others
        self.numbers, self.result = numbers, result


class Detached:
    """Tests every function that was heard, those first that are called by others."""

    def __init__(self, calls: Calls, graph: LiveGraph, files: dict[str, int]) -> None:
        self.functions = calls.functions
        self.graph = graph
        self.files = files
        self.wrong: dict[CodeType, str] = {}
        spaces = {id(f.__globals__): f.__globals__ for f in _functions(calls)}
        self.namespaces: list[dict[str, Any]] = list(spaces.values())
        self.ladder: Call | None = None
        """A call of an operation with two operands that is right: what a graph can be made of."""
        self.chance = random.Random(1)

    def results(self, what: str = "") -> Iterator[FunctionTested]:
        """One result a function, callees before callers."""
        heights: dict[CodeType, int] = {}
        functions = [f for f in self.functions.values() if f.kept and (not what or what in f.code.co_qualname)]
        for function in sorted(functions, key=lambda f: (self._height(f.code, heights), f.code.co_firstlineno)):
            yield self._tested(function)

    def _height(self, code: CodeType, known: dict[CodeType, int]) -> int:
        if code not in known:
            known[code] = 0  # for one that calls itself
            known[code] = 1 + max((self._height(c, known) for c in self.functions[code].callees), default=0)
        return known[code]

    def _tested(self, function: Function) -> FunctionTested:
        tested, code = Tested(), function.code
        blamed = [self.wrong[c] for c in function.callees if c in self.wrong]
        state, until = random.getstate(), time.perf_counter() + SECONDS
        for number, call in enumerate(function.kept):
            if blamed or time.perf_counter() > until or (number >= COMPOSITE_CALLS and not tested.operations):
                break
            random.setstate(state)
            try:
                self._try(call, tested, state)
            except (NoRule, ArithmeticError, ValueError, TypeError, AttributeError, LookupError) as error:
                tested.skip(str(error) if isinstance(error, NoRule) else f"{type(error).__name__}: {error}")
        random.setstate(state)
        if tested.operations and not tested.wrong:
            if not tested.kinks:
                tested.at_zero = self._at_zero(function.kept[0])
            if self.ladder is None:
                self.ladder = next((c for c in function.kept if [type(x) for x in c.given] == [Leaf, Leaf]), None)
        if blamed:
            tested.skip(f"it calls {blamed[0]}, which is wrong")
        deviation = None
        if tested.deviations:
            first, _ = tested.deviations[0]
            deviation = Deviation(first.of, first.found, first.expected, first.at, first.guess or guess(
                [evidence for _, evidence in tested.deviations]))  # fmt: skip
        if tested.wrong or blamed:
            self.wrong[code] = blamed[0] if blamed else code.co_name
        why = "; ".join(f"{w} ({n}×)" if n > 1 else w for w, n in tested.untested.items())
        return FunctionTested(
            code.co_qualname, self.files[code.co_filename], code.co_firstlineno,
            bool(tested.operations) and not any(self.functions[c].kept for c in function.callees), function.calls,
            tested.compared, tested.wrong, tested.kinks, why, deviation, tested.at_kink, tested.at_zero,
            tested.witnessed,
        )  # fmt: skip

    # -- one call --------------------------------------------------------------------------

    def _try(self, call: Call, tested: Tested, state: Any) -> None:
        node_class, data = self.graph.node_class, self.graph.data_name
        made = Thawed(call, node_class)
        outputs = list(nodes_in(made.result, node_class))
        if not outputs:
            tested.skip("it gives back no node")
            return
        if self._changed_in_place(call, made, outputs, tested):
            return
        new = {identity_of(x) for x in made.nodes.values()}
        outputs = [x for x in outputs if identity_of(x) not in new]
        if not outputs:
            tested.skip("it gives back what it was given")
            return
        for output in outputs:
            self.graph.operands(output)
        if not self.graph.known:
            raise NoRule("where its class keeps the operands of a node cannot be told")
        is_operation = len(outputs) == 1 and self._is_operation(outputs[0], new)
        seeds = [1.0] if is_operation else [self.chance.uniform(0.5, 1.5) for _ in outputs]
        if is_operation:
            tested.operations += 1
            found = self._passed_on(outputs[0], made, call, tested)
        else:
            adjoint = self.graph.reverse(outputs, seeds)
            found = {key: adjoint.get(identity_of(node), 0.0) for key, node in made.nodes.items()}
        if not found:
            return

        def value(moved: tuple[int, float] | None) -> float | None:
            random.setstate(state)
            try:
                results = list(nodes_in(Thawed(call, node_class, moved).result, node_class))
                total = sum(w * getattr(x, data) for w, x in zip(seeds, results, strict=False))
            except (ArithmeticError, ValueError):  # outside its domain
                return None
            return float(total) if type(total) is float and math.isfinite(total) else \
                float(total) if type(total) is int else None  # fmt: skip

        def value_moved(key: int, distance: float) -> float | None:
            return value((key, distance))

        keys = list(found)
        if not is_operation and len(keys) > LEAVES:
            keys = self.chance.sample(keys, LEAVES)
        slopes: dict[int, Slope | None] = {}
        for key in keys:
            at = float(call.leaves[key])
            moved = partial(value_moved, key)
            once = None if is_operation else _once(moved, at, found[key])
            slopes[key] = once or slope(moved, at)
        for key in keys:
            exact = self._forward_mode(call, key) if is_operation else None
            self._compare(call, key, found[key], slopes, exact, tested, float(getattr(outputs[0], data)))

    def _forward_mode(self, call: Call, key: int) -> float | None:
        """The derivative by dual numbers through the script's own code; None where that does not take them."""
        try:
            with dual_math(self.namespaces):
                made = Thawed(call, self.graph.node_class, (key, Dual(0.0, 1.0)))
                slope = float(slope_of(getattr(made.result, self.graph.data_name)))
        except Exception:  # whatever its code does with numbers that are no floats
            return None
        return slope if math.isfinite(slope) else None

    def _at_zero(self, call: Call) -> str:
        """The kink that an operation with one operand has at 0, or an empty text."""
        if len(call.leaves) != 1:
            return ""
        (key,) = call.leaves
        at = replace(call, leaves={key: 0.0})
        node_class, data = self.graph.node_class, self.graph.data_name

        def value(distance: float) -> float | None:
            try:
                return float(getattr(Thawed(at, node_class, (key, distance)).result, data))
            except (ArithmeticError, ValueError, TypeError, AttributeError):
                return None

        try:
            found = slope(value, 0.0)
            if found is None or not found.kink:
                return ""
            made = Thawed(at, node_class)
            has = self._passed_on(made.result, made, at, Tested()).get(key, math.nan)
        except (NoRule, ArithmeticError, ValueError, TypeError, AttributeError, LookupError):
            return ""
        return f"at 0, where this step has not been, the slope is {found.left:.6g} on the left and " \
               f"{found.right:.6g} on the right, and the script has {has:.6g}"  # fmt: skip

    def ladder_tested(self, run: Callable[[Any], Any]) -> PassTested | None:
        """The script's pass (``run``) over a graph with nodes that are used at several depths."""
        if self.ladder is None:
            return None
        made, graph, name = self.ladder.function, self.graph, self.ladder.code.co_qualname
        try:
            a, b = graph.node_class(0.75), graph.node_class(1.25)
            c = made(a, b)
            d = made(c, a)
            e = made(c, d)
            top = made(e, c)
            expected = graph.reverse([top], [1.0])
            run(top)
        except Exception as error:
            return PassTested(name, 0, untested=f"{type(error).__name__}: {error}")
        leaves = {"a": a, "b": b}
        found = {n: float(getattr(x, graph.grad_name) or 0.0) for n, x in leaves.items()}
        off = [n for n, x in leaves.items() if not _near(found[n], expected[identity_of(x)])]
        deviation = Deviation(off[0], found[off[0]], expected[identity_of(leaves[off[0]])],
                              "c = f(a, b), d = f(c, a), e = f(c, d), f(e, c)") if off else None  # fmt: skip
        return PassTested(name, len(leaves), len(off), deviation=deviation)

    def _is_operation(self, output: Any, new: set[int]) -> bool:
        operands = self.graph.operands(output)
        return bool(operands) and all(identity_of(x) in new or not self.graph.operands(x) for x in operands) \
            and any(identity_of(x) in new for x in operands)  # fmt: skip

    def _changed_in_place(self, call: Call, made: Thawed, outputs: list[Any], tested: Tested) -> bool:
        """True for a call that has changed a node's number instead of making a node."""
        data = self.graph.data_name
        for key, node in made.nodes.items():
            number = getattr(node, data)
            if number == call.leaves[key] or number != number:
                continue
            tested.wrong += 1
            tested.compared += 1
            rewired = any(x is node for x in self.graph.operands(node))
            guess_ = (
                "it changes the node itself and makes it its own operand: whoever used it before is "
                "changed too" if rewired
                else "it changes the number of a node that exists: no gradient reaches what was added"
            )  # fmt: skip
            others = [k for k in call.leaves if k != key]
            expected = 1.0 if others else math.nan
            tested.deviations.append((Deviation(
                _name(call, others[0] if others else key), 0.0, expected, _shown(call), guess_,
            ), Evidence(0.0, expected, [], [], 0.0)))  # fmt: skip
            return True
        return False

    def _passed_on(self, output: Any, made: Thawed, call: Call, tested: Tested) -> dict[int, float]:
        """Key -> the derivative that the operation passes on, whatever its result's gradient is."""
        graph, grad = self.graph, self.graph.grad_name
        operands = graph.operands(output)
        mine = {identity_of(node): key for key, node in made.nodes.items()}
        used = {identity_of(x) for x in operands}
        factors = graph.factors(output, operands)
        if factors is not None:
            found = {key: 0.0 for i, key in mine.items() if i in used}
            for operand, factor in zip(operands, factors, strict=True):
                if identity_of(operand) in mine:
                    found[mine[identity_of(operand)]] += factor
            return found
        closure = graph.closure(output)
        if closure is None:
            raise NoRule("its result keeps neither local gradients nor a closure that passes a gradient on")

        def passed(upstream: float, held: float) -> dict[int, float]:
            for operand in operands:
                setattr(operand, grad, held)
            setattr(output, grad, upstream)
            closure()
            return {mine[identity_of(x)]: float(getattr(x, grad)) for x in operands if identity_of(x) in mine}

        before = tested.wrong
        plain, other, held = passed(UPSTREAM[0], 0.0), passed(UPSTREAM[1], 0.0), passed(UPSTREAM[0], 0.5)
        for key, number in plain.items():
            if not _near(other[key], UPSTREAM[1] * number):
                dropped = _near(other[key], number)
                self._fault(tested, call, key, other[key], UPSTREAM[1] * number,
                            "it drops the gradient that comes from above" if dropped else
                            "what it passes on is not in proportion to the gradient from above")  # fmt: skip
            if not _near(held[key], number + 0.5):
                sets = _near(held[key], number)
                self._fault(tested, call, key, held[key] - 0.5, number,
                            "= where += is needed: what other uses of the operand have passed on is lost" if sets else
                            "it depends on what the operand held before")  # fmt: skip
        return plain if tested.wrong == before else {}

    def _fault(self, tested: Tested, call: Call, key: int, found: float, expected: float, guess_: str) -> None:
        tested.compared += 1
        tested.wrong += 1
        tested.deviations.append((Deviation(_name(call, key), found, expected, _shown(call), guess_),
                                  Evidence(found, expected, [], [], 0.0)))  # fmt: skip

    def _compare(
        self, call: Call, key: int, found: float, slopes: dict[int, Slope | None], exact: float | None,
        tested: Tested, result: float,
    ) -> None:  # fmt: skip
        expected = slopes[key]
        if expected is None:
            tested.skip("the function has no value beside this point")
            return
        if expected.error > INACCURATE * max(abs(expected.value), 1e-2) and not expected.kink:
            tested.skip("differences are too inaccurate there")
            return
        tested.compared += 1
        if expected.kink:
            tested.kinks += 1
            if not tested.at_kink:
                tested.at_kink = f"{_shown(call)}: slope {expected.left:.6g} left, {expected.right:.6g} " \
                                 f"right, and the script has {found:.6g}"  # fmt: skip
        if exact is not None and (expected.kink or not expected.agrees(exact, RELATIVE)):
            exact = None  # two witnesses that contradict one another: differences see all that the code does
        tested.witnessed += exact is not None
        if found != found or not (expected.agrees(found, RELATIVE) if exact is None else
                                  abs(found - exact) <= EXACT * max(1.0, abs(found), abs(exact))):  # fmt: skip
            tested.wrong += 1
            others = [s.value for k, s in slopes.items() if k != key and s is not None]
            numbers = [float(x) for x in call.leaves.values()]
            tested.deviations.append((
                Deviation(_name(call, key), found, expected.value if exact is None else exact, _shown(call)),
                Evidence(found, expected.value, others, numbers, result),
            ))  # fmt: skip


def _functions(calls: Calls) -> Iterator[FunctionType]:
    for function in calls.functions.values():
        for call in function.kept[:1]:
            if isinstance(call.function, FunctionType):
                yield call.function


def _once(f: Callable[[float], float | None], x: float, found: float) -> Slope | None:
    """One difference, where that says what the script says; None where more are needed to tell."""
    h = WIDEST * max(abs(x), 0.05) / 4
    up, down = f(h), f(-h)
    if up is None or down is None:
        return None
    result = Slope((up - down) / (2 * h), 0.0, found, found, kink=False)
    return result if result.agrees(found, RELATIVE) else None


def _near(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))


def _name(call: Call, key: int) -> str:
    """What the function calls a node among its arguments."""
    for name, value in zip(call.code.co_varnames, call.given, strict=False):
        for place, leaf in _leaves(value, ""):
            if leaf.key == key:
                return name + place
    return "an operand"


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if hasattr(value, "key") and hasattr(value, "data"):
        yield place, value
    elif type(value) in (list, tuple):
        for i, part in enumerate(value):
            yield from _leaves(part, f"{place}[{i}]")


def _shown(call: Call) -> str:
    """The call, with its numbers."""
    numbers = [f"{x:.6g}" for x in list(call.leaves.values())[:4]]
    plain = [repr(x) for x in call.given if type(x) in (int, float)][:2]
    more = ["…"] if len(call.leaves) > 4 else []
    return f"{call.code.co_name}({', '.join(numbers + plain + more)})"


GUESSES: tuple[tuple[str, Callable[[Evidence], float]], ...] = (
    ("nothing is passed on to it", lambda e: 0.0),
    ("the sign is wrong", lambda e: -e.expected),
    ("it is the derivative by the other operand", lambda e: e.others[0] if len(e.others) == 1 else math.nan),
    ("the result's number stands where the derivative should", lambda e: e.result),
    ("the operand's number stands where the derivative should", lambda e: e.numbers[0] if e.numbers else math.nan),
    ("it is 1 whatever the operand", lambda e: 1.0),
)


def guess(evidence: list[Evidence]) -> str:
    """What kind of mistake makes all these numbers, or an empty text."""
    telling = [e for e in evidence if e.expected == e.expected]
    for text, says in GUESSES:
        if telling and all(abs(e.found - says(e)) <= 1e-5 * max(1e-2, abs(e.found)) for e in telling):
            return text
    ratios = [e.found / e.expected for e in telling if abs(e.expected) > 1e-9]
    if len(ratios) > 1 and max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
        return f"it is {ratios[0]:.6g} times what it should be"
    if len(ratios) == 1 and abs(ratios[0] - round(ratios[0])) < 1e-4:
        return f"it is {round(ratios[0])} times what it should be"
    if len(ratios) > 1:
        return "a term of the chain rule is missing or wrong: the ratio to what it should be changes with the operand"
    return ""

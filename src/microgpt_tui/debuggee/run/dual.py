"""Forward mode: numbers that carry their derivative through the script's own arithmetic, exact but for rounding.

A second witness beside differences. It stands in a fork only: there ``math``'s functions, and the names that the script
has taken from it, take such numbers too. Code that makes a plain float of a number (``float(x)``) refuses them.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Number = Any


class Dual:
    """A number and its derivative: value + slope·ε, where ε² = 0."""

    __slots__ = ("slope", "value")

    def __init__(self, value: Number, slope: Number) -> None:
        self.value = value
        self.slope = slope

    def __add__(self, other: Number) -> Dual:
        return Dual(self.value + value_of(other), self.slope + slope_of(other))

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __pos__(self) -> Dual:
        return self

    def __sub__(self, other: Number) -> Dual:
        return Dual(self.value - value_of(other), self.slope - slope_of(other))

    def __rsub__(self, other: Number) -> Dual:
        return Dual(other - self.value, -self.slope)

    def __mul__(self, other: Number) -> Dual:
        a, b = self.value, value_of(other)
        return Dual(a * b, self.slope * b + a * slope_of(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Number) -> Dual:
        b = value_of(other)
        result = self.value / b
        return Dual(result, (self.slope - result * slope_of(other)) / b)

    def __rtruediv__(self, other: Number) -> Dual:
        result = other / self.value
        return Dual(result, -result * self.slope / self.value)

    def __pow__(self, other: Number) -> Dual:
        a, b = self.value, value_of(other)
        result = a**b
        slope = b * a ** (b - 1) * self.slope if self.slope else 0.0
        if slope_of(other):
            slope += result * math.log(a) * slope_of(other)
        return Dual(result, slope)

    def __rpow__(self, other: Number) -> Dual:
        result = other**self.value
        return Dual(result, result * _LOG(other) * self.slope)

    def __abs__(self) -> Dual:
        return -self if self.value < 0 else self

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: object) -> bool:
        return bool(self.value == value_of(other))

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Number) -> bool:
        return bool(self.value < value_of(other))

    def __le__(self, other: Number) -> bool:
        return bool(self.value <= value_of(other))

    def __gt__(self, other: Number) -> bool:
        return bool(self.value > value_of(other))

    def __ge__(self, other: Number) -> bool:
        return bool(self.value >= value_of(other))


def value_of(x: Number) -> Number:
    """The number itself."""
    return x.value if type(x) is Dual else x


def slope_of(x: Number) -> Number:
    """Its derivative: 0 for one that carries none."""
    return x.slope if type(x) is Dual else 0.0


_LOG = math.log
_ROOT_PI = math.sqrt(math.pi)
_E = math.exp
SLOPES: dict[str, Callable[[float, float], float]] = {
    "exp": lambda x, y: y,
    "expm1": lambda x, y: y + 1,
    "log": lambda x, y: 1 / x,
    "log2": lambda x, y: 1 / (x * _LOG(2)),
    "log10": lambda x, y: 1 / (x * _LOG(10)),
    "log1p": lambda x, y: 1 / (1 + x),
    "sqrt": lambda x, y: 0.5 / y,
    "tanh": lambda x, y: 1 - y * y,
    "sin": lambda x, y: math.cos(x),
    "cos": lambda x, y: -math.sin(x),
    "tan": lambda x, y: 1 + y * y,
    "sinh": lambda x, y: math.cosh(x),
    "cosh": lambda x, y: math.sinh(x),
    "atan": lambda x, y: 1 / (1 + x * x),
    "asin": lambda x, y: (1 - x * x) ** -0.5,
    "acos": lambda x, y: -((1 - x * x) ** -0.5),
    "erf": lambda x, y: 2 / _ROOT_PI * _E(-x * x),
    "erfc": lambda x, y: -2 / _ROOT_PI * _E(-x * x),
    "fabs": lambda x, y: -1.0 if x < 0 else 1.0,
}
"""Function of ``math`` -> its derivative, from its argument and its result."""
TESTS = ("isfinite", "isnan", "isinf")


@contextlib.contextmanager
def dual_math(namespaces: Iterable[dict[str, Any]]) -> Iterator[None]:
    """``math``, and what these namespaces hold of it, takes dual numbers inside the block."""
    usual = {name: getattr(math, name) for name in (*SLOPES, *TESTS, "pow") if hasattr(math, name)}
    by_function = {id(function): name for name, function in usual.items()}
    new = {name: _taking_duals(name, function) for name, function in usual.items()}
    taken = [(space, key, name) for space in namespaces for key, value in space.items()
             if (name := by_function.get(id(value))) is not None]  # fmt: skip
    try:
        for name, function in new.items():
            setattr(math, name, function)
        for space, key, name in taken:
            space[key] = new[name]
        yield
    finally:
        for name, function in usual.items():
            setattr(math, name, function)
        for space, key, name in taken:
            space[key] = usual[name]


def _taking_duals(name: str, usual: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        if not any(type(x) is Dual for x in args):
            return usual(*args)
        if name in TESTS:
            return usual(value_of(args[0]))
        if name == "pow":
            return args[0] ** args[1]
        if len(args) > 1:  # a logarithm to another base
            return function(args[0]) / function(args[1])
        x = args[0]
        result = usual(x.value)
        return Dual(result, SLOPES[name](x.value, result) * x.slope)

    return function

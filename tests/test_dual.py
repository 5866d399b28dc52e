"""Forward mode by dual numbers, against differences; and as the second witness of the audit."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from test_audit_operations import ENGINE, IDENTITY, TRAIN, line_of, report_of

from microgpt_tui.debuggee.run.dual import SLOPES, Dual, dual_math, slope_of, value_of

ARITHMETIC: list[Callable[[float], float]] = [
    lambda x: x * x - 3 * x + 2,
    lambda x: 1 / x + x / 3 - 2 / (x + 4),
    lambda x: x**3 + x**-0.5,
    lambda x: 2.5**x,
    lambda x: x**x,
    lambda x: abs(-x) + max(0.0, x) + min(5.0, x),
    lambda x: -x if x > 0.2 else x,
    lambda x: math.pow(x, 2.0) + math.log(x, 3.0) + 1 - x,
]


def differences(f: Callable[[float], float], x: float) -> float:
    h = 1e-5
    return (f(x + h) - f(x - h)) / (2 * h)


@pytest.mark.parametrize("x", [0.3, 0.7])
@pytest.mark.parametrize("f", ARITHMETIC)
def test_arithmetic(f: Callable[[float], float], x: float) -> None:
    with dual_math([]):
        found = f(Dual(x, 1.0))
    assert value_of(found) == pytest.approx(f(x), rel=1e-15)
    assert slope_of(found) == pytest.approx(differences(f, x), rel=1e-7)


@pytest.mark.parametrize("name", SLOPES)
def test_functions_of_math(name: str) -> None:
    usual = getattr(math, name)
    with dual_math([]):
        found = getattr(math, name)(Dual(0.4, 2.0))
    assert value_of(found) == usual(0.4)
    assert slope_of(found) == pytest.approx(2 * differences(usual, 0.4), rel=1e-7)


def test_names_taken_from_math_are_put_back() -> None:
    space = {"exp": math.exp, "other": 3}
    usual = math.exp
    with dual_math([space]):
        assert slope_of(space["exp"](Dual(0.0, 1.0))) == 1.0
    assert space["exp"] is usual is math.exp


def test_a_plain_float_is_not_made_of_one() -> None:
    """Its derivative would be lost."""
    with pytest.raises(TypeError):
        float(Dual(1.0, 1.0))


def test_a_derivative_that_is_off_by_a_millionth_is_found(tmp_path: Path) -> None:
    """Differences are too coarse for it."""
    report = report_of(tmp_path, ENGINE + IDENTITY + TRAIN, exp="1.000001 * out.data")
    assert [(f.rule, f.line) for f in report.findings] == [("operation", line_of(ENGINE, "EXP"))], report.text


def test_what_forward_mode_has_seen_is_told(tmp_path: Path) -> None:
    report = report_of(tmp_path, (ENGINE + IDENTITY + TRAIN).replace("math.exp", "exp").replace(
        "import math, random", "import math, random\nfrom math import exp"))  # fmt: skip
    how = {t.name: t.how for t in report.tested if t.kind == "operation"}
    assert all("by forward mode too" in h for h in how.values()), report.text
    plain = report_of(tmp_path, (ENGINE + IDENTITY + TRAIN).replace("self.data = data", "self.data = float(data)"))
    assert not plain.findings, plain.text
    assert not any("forward mode" in t.how for t in plain.tested)

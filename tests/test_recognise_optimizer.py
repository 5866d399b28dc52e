"""An optimizer's numbers are those that follow the gradients by a recurrence; others beside the parameters are not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from microgpt_tui.recognise.optimizer import LAWS, _obeys

Rule = Callable[[float, float, float], float]
"""From (number before, gradient, weight) to the number after."""


def points(rule: Rule, start: Callable[[], float]) -> list[tuple[float, float, float, float]]:
    draw = random.Random(5)
    found = []
    for _ in range(40):
        before, gradient, weight = start(), draw.gauss(0, 0.1), draw.gauss(0, 0.3)
        found.append((before, gradient, weight, rule(before, gradient, weight)))
    return found


def law(rule: Rule, start: Callable[[], float]) -> str:
    return next((name for name, terms in LAWS.items() if _obeys(terms, points(rule, start))), "")


RULES: dict[str, tuple[Rule, str]] = {
    "Adam's m": (lambda m, g, w: 0.9 * m + 0.1 * g, "mean of gradients"),
    "momentum with the rate in it": (lambda m, g, w: 0.9 * m - 0.01 * g, "mean of gradients"),
    "Adam's v": (lambda v, g, w: 0.95 * v + 0.05 * g * g, "mean of squared gradients"),
    "Adagrad": (lambda v, g, w: v + g * g, "mean of squared gradients"),
    "momentum with decay": (lambda m, g, w: 0.9 * m + g + 0.01 * w, "mean of gradients and weights"),
    "a mean of the weights": (lambda m, g, w: 0.9 * m + 0.1 * w, ""),
    "a rate per parameter": (lambda m, g, w: m, ""),
    "noise": (lambda m, g, w: hash((m, g)) / 2**63, ""),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("first", [True, False], ids=["first step", "later step"])
def test_a_recurrence_is_told_by_its_numbers(name: str, first: bool) -> None:
    rule, expected = RULES[name]
    draw = random.Random(7)
    found = law(rule, (lambda: 0.0) if first else (lambda: draw.gauss(0, 0.2)))
    assert found == expected

"""Softmax over plain numbers, and what other sampling settings would make of it."""

from __future__ import annotations

import math


def softmax(values: list[float], temperature: float = 1.0) -> list[float]:
    """Probabilities of logits at a temperature (> 0)."""
    finite = [v for v in values if v == v]
    if not finite:
        return [math.nan] * len(values)
    top = max(finite)
    exps = [math.exp((v - top) / temperature) for v in values]
    total = sum(exps)
    return [e / total for e in exps]


def what_if(logits: list[float], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> list[float]:
    """The distribution that other sampling settings would give, computed beside the script.

    First the temperature, then the ``top_k`` likeliest (0: all), then the smallest set of tokens whose probabilities
    add up to ``top_p``; what remains is scaled to add up to 1.
    """
    shares = softmax(logits, max(temperature, 1e-6))
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    if top_k > 0:
        order = order[:top_k]
    total = sum(shares[i] for i in order)
    kept, reached = [], 0.0
    for i in order:
        kept.append(i)
        reached += shares[i] / total
        if reached >= top_p - 1e-12:
            break
    total = sum(shares[i] for i in kept)
    result = [0.0] * len(shares)
    for i in kept:
        result[i] = shares[i] / total
    return result

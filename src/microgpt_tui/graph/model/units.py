"""The units of a figure, and what they are called: a matrix times a vector, a norm, a softmax, an addition."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from microgpt_tui.trace.trace import Matrix

Vector = tuple[int, ...]
"""Nodes: one vector at one position."""


@dataclass(slots=True)
class Unit:
    """A box of the figure: one operation on vectors, at the position that is shown."""

    kind: str
    """``parameters``, ``input``, ``linear``, ``norm``, ``softmax``, ``scores``, ``blend``, ``add``, ``multiply``,
    ``function``, ``mean`` or ``loss``."""
    title: str
    vector: Vector
    """What it made, as far as somebody uses it."""
    operands: list[Vector] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)
    detail: str = ""
    """A second line: ``÷ √4``, ``mean of 7``."""
    inputs: list[int] = field(default_factory=list)
    """Places of the units that made the operands."""
    copies: int = 1
    """So many of it side by side: heads, experts."""
    mark: int = -1
    """Tells apart what uses different parts of one list of parameters: the first of them."""
    skips: int = -1
    """Of an addition that closes a residual block: which of its inputs is the stream."""

    @property
    def is_join(self) -> bool:
        """Drawn as a small circle."""
        return self.kind in ("add", "multiply") and not self.matrices


@dataclass(frozen=True, slots=True)
class Held:
    """Parameters that are written into a box together: a matrix, or the vectors of all neurons of a layer."""

    name: str
    shape: tuple[int, ...]
    matrices: tuple[Matrix, ...]

    @property
    def count(self) -> int:
        """How many parameters."""
        return sum(len(m.nodes) for m in self.matrices)

    @property
    def shape_text(self) -> str:
        """``16×16``, ``2 × 3×4``; ragged parts as ``…``; empty for a single number."""
        return "×".join("…" if n < 0 else str(n) for n in self.shape)


def pattern(name: str) -> str:
    """A matrix's name with every number replaced: what the same matrix of all layers, or neurons, have in common."""
    return re.sub(r"\d+", "#", name)


def held(matrices: list[Matrix]) -> list[Held]:
    """Matrices as the figure names them: those that differ by a number only are one."""
    families: dict[tuple[str, tuple[int, ...]], list[Matrix]] = {}
    for matrix in matrices:
        families.setdefault((pattern(matrix.name), matrix.shape), []).append(matrix)
    found = []
    for (_, shape), family in families.items():
        members = tuple(dict.fromkeys(family))
        size = shape if len(members) == 1 else (len(members), *shape)
        found.append(Held(common_name([m.name for m in members]), size, members))
    return found


def common_name(names: list[str]) -> str:
    """One name for several that differ by numbers: ``hidden[0…3].w``."""
    if len(set(names)) == 1:
        return names[0]
    parts = [re.split(r"(\d+)", name) for name in names]
    if len({len(p) for p in parts}) > 1:
        return names[0]
    text = ""
    for places in zip(*parts, strict=True):
        if len(set(places)) == 1:
            text += places[0]
        else:
            numbers = sorted({int(p) for p in places if p.isdigit()})
            text += f"{numbers[0]}…{numbers[-1]}" if numbers else places[0]
    return text


def factor_text(factor: float, divided: bool = False) -> str:
    """A constant factor: ``÷ √4``, ``÷ 7``, ``× 0.5``."""
    if not factor or not math.isfinite(factor):
        return f"× {factor:g}"
    inverse = factor if divided else 1 / factor
    if abs(inverse) > 1 and math.isclose(inverse, round(inverse), rel_tol=1e-9):
        return f"÷ {round(inverse)}"
    square = inverse * inverse
    if inverse > 1 and math.isclose(square, round(square), rel_tol=1e-9):
        return f"÷ √{round(square)}"
    return f"÷ {factor:g}" if divided else f"× {factor:g}"

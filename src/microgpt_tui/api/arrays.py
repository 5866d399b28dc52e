"""Numbers by the buffer protocol: NumPy takes them without a copy, and without being needed."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence

from microgpt_tui.trace.trace import Matrix


def shaped(values: Sequence[float], shape: tuple[int, ...]) -> memoryview[float]:
    """Numbers as a read-only memoryview of float64; flat where the lists are ragged (a shape with -1)."""
    raw = memoryview(array("d", values)).toreadonly().cast("B")
    return raw.cast("d") if len(shape) < 2 or min(shape) < 1 else raw.cast("d", list(shape))


class Matrices(Mapping[str, "memoryview[float]"]):
    """The script's matrices by name, such as ``weights["wte"]``: each of float64, in its own shape."""

    def __init__(self, matrices: Sequence[Matrix], numbers: Callable[[Matrix], Sequence[float]]) -> None:
        self._matrices = {m.name: m for m in matrices}
        self._numbers = numbers

    def __getitem__(self, name: str) -> memoryview[float]:
        """The matrix as it is at the moment; raises KeyError, which names those that there are."""
        if name not in self._matrices:
            raise KeyError(f"{name}: there are {', '.join(self._matrices) or 'none'}")
        matrix = self._matrices[name]
        return shaped(self._numbers(matrix), tuple(matrix.shape))

    def __iter__(self) -> Iterator[str]:
        return iter(self._matrices)

    def __len__(self) -> int:
        return len(self._matrices)

    def __repr__(self) -> str:
        return ", ".join(f"{m.name} {'×'.join(map(str, m.shape))}" for m in self._matrices.values()) or "no matrices"

"""The gradients as they are now, by the script's own arithmetic."""

from __future__ import annotations

from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns
from microgpt_tui.protocol.gradients import Gradients


class Sums:
    """Laid out from the columns when somebody asks; added up with every write where doubles do not hold the numbers."""

    def __init__(self, columns: Columns, start: dict[int, Any]) -> None:
        """``start``: grads when the episode began, by node."""
        self.columns = columns
        self.outside_grads: dict[int, float] = {}
        """Grads that nodes of earlier episodes had when they were first met."""
        self.gradients = Gradients(columns.first_node, start, self.outside_grads)
        self.exact_sums: list[Any] | None = None
        """Per node its grad so far, from where on numbers are met that are neither doubles nor short ints."""
        self.write_rows = 0
        if None in map(int_flag, start.values()):
            self.be_exact()

    def now(self) -> list[Any]:
        """The grad of every node so far, by number: 0 (as the script begins) for a new one."""
        if self.exact_sums is None:
            self.gradients.lay_out(self.columns.c)
            return self.gradients.sums
        self.exact_sums.extend([0] * (self.columns.first_node + len(self.columns.c["data"]) - len(self.exact_sums)))
        return self.exact_sums

    def be_exact(self) -> list[Any]:
        """From here on add the grads up with the script's own numbers: they are not all doubles and short ints."""
        self.exact_sums = list(self.now())
        return self.exact_sums

    def int_flags(self, values: Any) -> bytes:
        """Which of the numbers are ints; where one is no short number, grads are added up exactly from here on."""
        flags = list(map(int_flag, values))
        if None in flags and self.exact_sums is None:
            self.be_exact()
        return bytes(flag or 0 for flag in flags)


def int_flag(value: Any) -> int | None:
    """1 for a Python int, 0 for a float; None for what a double does not hold to the last bit."""
    kind = type(value)
    if kind is float:
        return 0
    return 1 if (kind is int or kind is bool) and abs(value) < 2**53 else None

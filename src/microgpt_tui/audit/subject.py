"""What an audit looks at: the recorded steps, and what the examination of one of them has said."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from microgpt_tui.audit.findings import Finding, Tested, Untested
from microgpt_tui.protocol.examination import Examination, ForwardRun, FunctionTested, MatrixTested, NotExamined
from microgpt_tui.trace.trace import Program, Trace

M = TypeVar("M", bound=Examination)


class NotEvaluated(Exception):
    """A rule that has nothing to say here: why."""


@dataclass(slots=True)
class Notes:
    """What rules say besides their findings."""

    tested: list[Tested] = field(default_factory=list)
    untested: list[Untested] = field(default_factory=list)


@dataclass
class Subject:
    """A run of a script: its program, its recorded steps, and the examination."""

    program: Program
    steps: list[Trace]
    """Recorded training steps, in order; the setup, for a script without a training loop."""
    said: list[Examination]
    notes: Notes = field(default_factory=Notes)

    def all(self, kind: type[M]) -> list[M]:
        """What the examination has said of a kind."""
        return [m for m in self.said if isinstance(m, kind)]

    @property
    def functions(self) -> list[FunctionTested]:
        return self.all(FunctionTested)

    @property
    def matrices(self) -> list[MatrixTested]:
        return self.all(MatrixTested)

    @property
    def forward(self) -> ForwardRun | None:
        found = self.all(ForwardRun)
        return found[0] if found else None

    @property
    def refusals(self) -> list[NotExamined]:
        return self.all(NotExamined)

    @property
    def step(self) -> Trace:
        """The step that was examined: the last one that is whole. Raises NotEvaluated."""
        whole = [t for t in self.steps if t.complete and len(t)]
        if not whole and not self.steps:
            raise NotEvaluated("no step is recorded")
        return whole[-1] if whole else self.steps[-1]

    @cached_property
    def trees(self) -> list[ast.Module]:
        """The parsed files."""
        return [ast.parse(text) for _, text in self.program.files]


Rule = Callable[[Subject], Iterator[Finding]]
"""A generator of findings; raises NotEvaluated where it cannot say anything."""

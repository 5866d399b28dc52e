"""Run by test_encoder.py in a process of its own: SCRIPT [STEPS]. Encodes the log of each step in several ways.

Prints how many entries the steps had, and every column that differs from what encoding entry by entry gives.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from array import array
from typing import Any

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.record.kinds import Scope
from microgpt_tui.debuggee.run.load import load
from microgpt_tui.debuggee.run.main_module import main_module
from microgpt_tui.protocol.codes import SiteKind
from microgpt_tui.protocol.rows import EventRows

PIECES = ("pass_row", "pass_start", "pass_site")
"""Columns that tell in which pieces a backward pass was encoded: what follows from them is compared."""


class Tried(Recording):
    """A recorder that encodes every finished step again and again."""

    steps = 2
    entries = 0

    def close(self) -> None:
        if self.episode_kind == "step":
            self.entries += len(self.log)
            expected = self.encoded(["singly"])
            for way in (["whole"], ["random", 1, 2, 51, 3000], ["random", 7, 30_000]):
                found = self.encoded(way)
                for name, value in expected.items():
                    if found[name] != value:
                        print(f"{way}: {name} differs", file=sys.__stderr__)
            self.steps -= 1
            if not self.steps:
                print(f"{self.entries} entries", file=sys.__stderr__)
                os._exit(0)
        super().close()

    def encoded(self, way: list[Any]) -> dict[str, Any]:
        stack = [(s.site, s.kind, s.value) for s in self.start_stack]
        self._encoder = None
        encoder = self.encoder
        log = self.log
        if way == ["singly"]:
            encoder.iterations.irregular = set(range(len(self.records)))  # no iteration is taken for like another
            for end in range(1, len(log) + 1):
                encoder.feed(log, end)
        elif way == ["whole"]:
            encoder.feed(log)
        else:
            chance = random.Random(len(log))
            while encoder.done < len(log):
                encoder.feed(log, min(len(log), encoder.done + chance.choice(way[1:])))
        encoder.close()
        self._encoder = None
        self.start_stack = [Scope(*s) for s in stack]
        sums = encoder.sums.now()
        rows = EventRows()
        rows.lay_out(encoder.c)
        laid_out = {**encoder.c, **vars(encoder.sums.gradients), **vars(rows)}
        return {
            **{name: c.tobytes() for name, c in laid_out.items() if type(c) is array and name not in PIECES},
            **encoder.columns.extras,
            "texts": encoder.columns.texts, "ops": encoder.columns.ops, "sums": sums, "current": encoder.writes.current,
            "labels": encoder.scopes.scope_values, "span": encoder.scopes.span_scope,
        }  # fmt: skip


def main(path: str) -> None:
    loaded = load(path, {})
    names = loaded.autograd.data_name, loaded.autograd.grad_name
    recorder = Tried(loaded.sites, names, {name: i for i, (name, _) in enumerate(loaded.files)})
    recorder.train_sites, recorder.makers = frozenset(loaded.train_sites), loaded.makers
    first = next(i for i, r in enumerate(loaded.sites) if r is not None and r.kind is SiteKind.MODULE)
    recorder.start_stack = [Scope(first, SiteKind.MODULE)]
    module = main_module(path, [], loaded)
    recorder.main_globals = module.__dict__
    recorder.keep = False
    recorder.install()
    gc.disable()
    exec(loaded.code, module.__dict__)


if __name__ == "__main__":
    main(sys.argv[1])

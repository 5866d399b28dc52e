"""A run as Python objects, for notebooks and scripts: ``microgpt_tui.record`` and ``microgpt_tui.open``.

import microgpt_tui

with microgpt_tui.record("gpt.py", steps=2) as run:
    print(run.losses)
    moment = run.step(2).at("backward")
    print(moment.node("q[3]").grad)
"""

from __future__ import annotations

from microgpt_tui.api.moment import Episode, Moment, Node
from microgpt_tui.api.run import Run, open_file, record
from microgpt_tui.headless.launch import InputError

__all__ = ["Episode", "InputError", "Moment", "Node", "Run", "open_file", "record"]

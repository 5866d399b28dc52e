"""Where an event is, as people count and as the script does: which step, of which document, at which position."""

from __future__ import annotations

from microgpt_tui.protocol.codes import BindKind
from microgpt_tui.trace.blocks import forward_place
from microgpt_tui.trace.positions import position_scope, positions
from microgpt_tui.trace.trace import Trace
from microgpt_tui.trace.variables import bindings


def episode_text(trace: Trace) -> str:
    """``training step 1/1000 (step=0)``: counted from 1, the script's own counting beside it where it differs."""
    total = trace.program.total_steps
    known = {"step": f"training step {trace.number}{f'/{total}' if total else ''}", "sample": f"sample {trace.number}",
             "other": "between steps"}  # fmt: skip
    text = known.get(trace.episode_kind, trace.episode_kind)
    loops = {"step": trace.program.train_sites, "sample": trace.program.sample_sites}.get(trace.episode_kind, ())
    scope = next((s for s, site in enumerate(trace.scope_site[:64]) if site in loops), -1)
    return _beside(text, trace.number, trace.scope_values.get(scope, ""))


def position_text(trace: Trace, event: int) -> str:
    """``position 3 of 7 (pos_id=2)``, also of the forward place that a backward pass has reached; "" elsewhere."""
    born = forward_place(trace, event)
    scope = position_scope(trace, born if born >= 0 else event)
    if scope < 0:
        return ""
    found = positions(trace).position
    place = int(found[scope]) + 1
    of = f" of {max(found.values()) + 1}" if trace.complete else ""
    return _beside(f"position {place}{of}", place, trace.scope_values.get(scope, ""))


def _beside(text: str, number: int, own: str) -> str:
    """With the script's own counting, where that is another."""
    short = own if len(own) <= 16 else own[:15] + "…"
    return f"{text} ({short})" if own and own.rpartition("=")[2] != str(number) else text


def document(trace: Trace, event: int) -> str:
    """The text that the episode is about: the first that a variable got below the head of its loop (``doc``), or ""."""
    program = trace.program
    heads = [program.site(site).line for site in (*program.train_sites, *program.sample_sites)]
    for frame, names in bindings(trace).by_frame.items():
        if trace.scope_parent[frame] >= 0 and frame > 2:
            continue
        for rows in names.values():
            row = rows[0]
            if trace.bind_kind[row] != BindKind.TEXT or trace.bind_event[row] > event:
                continue
            if program.site(trace.bind_site[row]).line > min(heads, default=0):
                return trace.texts[trace.bind_start[row]]
    return ""

"""Everything that can be drawn. To add one, copy a file of this folder and name it in the list below."""

from __future__ import annotations

from microgpt_tui.graph.request import What
from microgpt_tui.graph.whats import attention, cone, model, scalars, scopes, slices, step, tokens, whole

WHATS: dict[str, What] = {
    what.name: what
    for module in (model, whole, cone, slices, scopes, step, attention, tokens, scalars)
    for what in module.WHATS
}
"""Name -> what it is, in the order of help and dialog."""

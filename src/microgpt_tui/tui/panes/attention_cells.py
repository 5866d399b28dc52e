"""One row of one head's heatmap."""

from __future__ import annotations

from microgpt_tui.recognise.attention import AttentionRow
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Row
from microgpt_tui.tui.numbers import fitted
from microgpt_tui.tui.pane import View
from microgpt_tui.tui.panes import cells
from microgpt_tui.tui.panes.attention_picture import MASKED, Picture

NUMBERS = 4
"""From so many columns per cell the number itself is written."""


def put_cells(
    row: Row, view: View, picture: Picture, found: AttentionRow, mode: str, scale: float, chosen: int
) -> None:
    """Add the cells of an attention row: shares for ``weight``, signed numbers for ``logit`` and ``gradient``.

    A number that is not made yet at the moment is a dot, a masked score a cross; ``chosen`` is the marked key or -1.
    """
    trace, event = view.trace, view.event
    first, born, data = trace.first_node, trace.born, trace.data
    nodes = found.weights if mode == "weight" else found.logits
    width = picture.cell
    put = row.put
    for key in range(picture.first_key, picture.first_key + picture.shown):
        column = key - found.keys.start
        if not 0 <= column < len(nodes):
            put(" " * width, palette.FAINT)
            continue
        node = nodes[column]
        mark = key == chosen
        if node < first or born[node - first] > event:
            put(
                ("[·" if mark and width > 1 else "◆" if mark else "·").ljust(width),
                palette.MARK if mark else palette.FAINT,
            )
            continue
        if mode == "weight":
            value = data[node - first]
            piece, style = cells.share(value, scale, width, mark)
            shown = fitted(value, width - 1, signed=False)
        else:
            value = data[node - first] if mode == "logit" else trace.grad_at(node, event)
            if mode == "logit" and key > found.query and value < -MASKED:
                put("×".ljust(width), palette.FAINT)
                continue
            piece, style = cells.signed(value, scale, width, mark)
            shown = fitted(value, width - 1)
        if width >= NUMBERS:
            piece = ("›" if mark else " ") + (shown or "~0").rjust(width - 1)
        put(piece, style)

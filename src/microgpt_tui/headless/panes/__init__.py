"""The panes without a screen: a file each, with its numbers as a document and the document as text.

``show SCRIPT --at MOMENT --pane NAME``; the schema is in docs/show.md.
"""

from __future__ import annotations

from microgpt_tui.headless.panes import attention, graph, map, residual, tokens, training, variables, weights
from microgpt_tui.headless.panes.report import Report

PANES: dict[str, Report] = {
    report.name: report
    for report in (
        attention.REPORT, tokens.REPORT, weights.REPORT, training.REPORT, variables.REPORT, graph.REPORT,
        map.REPORT, residual.REPORT,
    )
}  # fmt: skip
"""Name -> the report; the names are those of ``--pane``."""

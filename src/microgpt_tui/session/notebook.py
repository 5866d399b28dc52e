"""A notebook as a script: its code cells, one after another."""

from __future__ import annotations

import json
from pathlib import Path

NOTEBOOK = ".ipynb"
_NOT_PYTHON = ("%", "!", "?")


def script_of(notebook: Path) -> str:
    """The text of its code cells; what is no Python (``%magic``, ``!command``) stands there as a remark.

    Raises ValueError for what is no notebook.
    """
    try:
        cells = [c for c in json.loads(notebook.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
        texts = ["".join(cell["source"]) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{notebook}: no notebook: {type(error).__name__}: {error}") from error
    lines: list[str] = []
    for number, text in enumerate(texts, 1):
        lines.append(f"# %% [{number}]")
        lines += ["" if text.startswith("%%") else "".join(_line(line)) for line in text.splitlines()]
    return "\n".join(lines) + "\n"


def _line(line: str) -> str:
    bare = line.lstrip()
    if not bare.startswith(_NOT_PYTHON):
        return line
    return f"{line[: len(line) - len(bare)]}pass  # {bare}"

"""In a notebook: the examples of docs/api.md as cells, run by a kernel, and what the objects show of themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.DOTALL)
SHOWN = ["run.losses", "run.step(1)", "value", "moment", "moment.graph()", "run"]
"""What stands at the end of a cell is shown."""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The cells after a kernel has run them."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "gpt.py").write_text((ROOT / "src/microgpt_tui/programs/microgpt.py").read_text("utf-8"), "utf-8")
    (folder / "input.txt").write_bytes((ROOT / "sample_data" / "names.txt").read_bytes())
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (*EXAMPLES[:-1], *SHOWN, EXAMPLES[-1])]
    )
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return list(notebook.cells)


def shown(cells: list[Any], source: str) -> dict[str, str]:
    """What a cell has at its end, by MIME type."""
    cell = next(c for c in cells if c.source == source)
    return next(dict(o["data"]) for o in cell.outputs if o["output_type"] == "execute_result")


@pytest.mark.slow
def test_every_example_runs_in_a_kernel(cells: list[Any]) -> None:
    assert len(cells) == len(EXAMPLES) + len(SHOWN)
    assert not [o for c in cells for o in c.outputs if o["output_type"] == "error"]


@pytest.mark.slow
def test_the_numbers_are_those_of_the_run(cells: list[Any]) -> None:
    assert shown(cells, "run.losses")["text/plain"].startswith("[3.26695")


@pytest.mark.slow
def test_objects_show_themselves(cells: list[Any]) -> None:
    assert "<svg" in shown(cells, "moment.graph()")["image/svg+xml"]
    for source in ("run", "run.step(1)", "moment", "value"):
        html = shown(cells, source)["text/html"]
        assert "<table" in html or "<pre" in html, source
        assert "<script" not in html

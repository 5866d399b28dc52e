"""A branch beside the run that it has left: where they part, to the last bit, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_fixtures import give, said
from test_travel import ended, launch

from microgpt_tui.session.commands.command import CommandError
from microgpt_tui.session.debugger import Debugger


@pytest.fixture
def debugger(tmp_path: Path) -> Iterator[Debugger]:
    """A run that is over."""
    found = ended(launch(tmp_path))
    yield found
    found.close()


def test_a_branch_parts_from_its_run_where_the_number_was_set(debugger: Debugger) -> None:
    give(debugger, "goto 4:700", "set lm_head[0][0] = 0.5", "run")
    data = give(debugger, "compare")[-1].data
    assert (data["base"], data["mine"]) == ("main", "b1")
    assert 4 in data["recorded"]
    assert data["divergence"]["step"] == 4
    numbers = [(n, a == b) for n, a, b in data["losses"]]
    assert all(same for n, same in numbers if n < 4)
    assert not all(same for n, same in numbers if n > 4)
    text = said(debugger, "compare main")
    assert "base main, mine b1" in text
    assert "they part in step 4" in text
    assert "step     5" in text
    give(debugger, "branch main")
    assert give(debugger, "compare b1")[-1].data["divergence"]["step"] == 4
    assert give(debugger, "compare")[-1].data["mine"] == "main", "the only other one"


def test_a_change_that_changes_nothing_leaves_no_difference(debugger: Debugger) -> None:
    give(debugger, "goto 4:700", "exec unused = 3", "run")
    data = give(debugger, "compare")[-1].data
    assert data["divergence"] is None
    assert "no difference in the" in said(debugger, "compare")


def test_without_a_branch_it_says_how_to_make_one(debugger: Debugger) -> None:
    with pytest.raises(CommandError, match="there is one run only"):
        give(debugger, "compare")
    give(debugger, "goto 2:10", "exec unused = 3")
    with pytest.raises(CommandError, match="no other branch “x”; there are main"):
        give(debugger, "compare x")

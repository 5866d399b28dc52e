"""Fixtures that every test file can use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from snippets import PRELUDE, SNIPPETS
from support import NAMES, PYTHONS, SCRIPTS, Session, record


@pytest.fixture(params=PYTHONS, ids=lambda version: f"python{version}")
def python(request: pytest.FixtureRequest) -> str:
    """Each Python on this machine, 3.11 to 3.13: the recorder has to be true on every one."""
    return PYTHONS[request.param]


@pytest.fixture(scope="session", params=SCRIPTS)
def recorded(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session on each design with its first training step recorded whole."""
    session = record(SCRIPTS[request.param][1], data=NAMES)
    yield session
    session.debugger.close()


@pytest.fixture
def trained(tmp_path: Path) -> str:
    """A script of three training steps that takes a moment to run."""
    path = tmp_path / "trained.py"
    path.write_text(PRELUDE + SNIPPETS["train"], encoding="utf-8")
    return str(path)

"""The columns of an episode do not depend on how its log was taken: entry by entry, in pieces, or all at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import BUNDLED, NAMES, SAMPLES

SCRIPTS = [BUNDLED, *(SAMPLES / "scripts" / f"{name}.py" for name in ("closures_tuple", "mlp_only", "mixture"))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_columns_are_the_same_however_the_log_is_taken(script: Path, tmp_path: Path) -> None:
    shutil.copy(NAMES, tmp_path / "input.txt")
    tried = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("encode_in_pieces.py")), str(script)],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert tried.stderr.split()[1:] == ["entries"]
    assert int(tried.stderr.split()[0]) > 3000

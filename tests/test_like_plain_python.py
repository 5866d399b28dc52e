"""A script sees and shows what it does under plain Python: output, errors, status, on every Python there is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support import PYTHONS, run_bare, run_recorded

HOSTILE = Path(__file__).parent / "hostile"
ADDRESS = re.compile(r"0x[0-9a-f]{8,}")
PROGRAMS = (
    "sees_everything", "walks_its_stack", "recursion_depth_of_the_script", "looks_at_the_collector", "traces_itself",
    "profiles_itself", "exception_chained", "exception_group", "exception_in_excepthook", "exception_whose_text_raises",
    "dunder_del_raises", "removes_builtins", "redefines_builtins", "closes_all_descriptors", "exit_large_number",
    "exit_in_atexit", "stdout_detached", "fork_and_wait", "fork_child_trains_on", "faults_under_warnings",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("version", PYTHONS)
def test_output_errors_and_status_are_those_of_plain_python(
    version: str, program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for name in (program, "engine"):
        shutil.copy(HOSTILE / f"{name}.py", tmp_path)
    script = Path(f"{program}.py")
    bare = run_bare(script, "a", "b c", python=PYTHONS[version])
    recorded = run_recorded(script, "a", "b c", python=PYTHONS[version])
    assert recorded.stdout == bare.stdout
    assert ADDRESS.sub("0x", recorded.stderr) == ADDRESS.sub("0x", bare.stderr)
    assert recorded.status == bare.status

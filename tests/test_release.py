"""The release: what is in the wheel and the sdist, and that they run in a bare environment on each Python."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")


def version() -> str:
    found = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    assert found is not None
    return found[1]


def python(wanted: str) -> str | None:
    """A Python of that version on this machine."""
    if sys.version.startswith(wanted + "."):
        return sys.executable
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"{wanted}.*/bin/python3"))
    return str(kept[-1]) if kept else shutil.which(f"python{wanted}")


def done(*command: str | Path, folder: Path, **more: str) -> str:
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PYTHON", "COVERAGE")) or k == "PYTHONDONTWRITEBYTECODE"
    }
    made = subprocess.run(
        list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=300, check=False,
        env={**clean, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **more},
    )  # fmt: skip
    assert made.returncode == 0, (made.stdout + made.stderr)[-3000:]
    return made.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel that is built from it, as a user of the index would."""
    folder = tmp_path_factory.mktemp("dist")
    done(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
    return folder


def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_has_what_the_program_needs_and_nothing_else(built: Path) -> None:
    package = ROOT / "src" / "microgpt_tui"
    wanted = {
        str(p.relative_to(package.parent)) for p in package.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }  # fmt: skip
    with zipfile.ZipFile(wheel(built)) as archive:
        names = set(archive.namelist())
        metadata = email.message_from_bytes(archive.read(next(n for n in names if n.endswith("/METADATA"))))
        entry = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert {n for n in names if ".dist-info/" not in n} == wanted
    assert metadata["Version"] == version()
    assert metadata["License-Expression"] == "MIT"
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert "microgpt-tui = microgpt_tui.cli:main" in entry
    assert {"pictures", "web", "dev"} <= set(metadata.get_all("Provides-Extra") or ())


@pytest.mark.slow
def test_the_sdist_has_the_tests_and_no_leftovers(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = [n.split("/", 1)[1] for n in archive.getnames() if "/" in n]
    for wanted in ("pyproject.toml", "Makefile", "CHANGELOG.md", "README.md", "LICENSE", "tests/test_release.py",
                   "sample_data/names.txt", "docs/architecture.md", "src/microgpt_tui/web/page.html"):  # fmt: skip
        assert wanted in names
    assert not [n for n in names if "__pycache__" in n or n.startswith((".venv", ".git/"))]


def test_the_changelog_tells_of_this_version() -> None:
    dated = re.findall(r"^## \[(\d[\d.]*)\] - \d{4}-\d{2}-\d{2}$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert dated[0] == version()


@pytest.mark.slow
@pytest.mark.parametrize("wanted", VERSIONS)
def test_the_wheel_runs_in_a_bare_environment(wanted: str, built: Path, tmp_path: Path) -> None:
    """Installed with its dependencies alone, from another folder, with nothing of this repository to be found."""
    interpreter = python(wanted)
    if interpreter is None:
        pytest.skip(f"no Python {wanted} here")
    done(interpreter, "-m", "venv", tmp_path / "env", folder=tmp_path)
    inside = tmp_path / "env" / "bin"
    done(inside / "python", "-m", "pip", "install", "-q", wheel(built), folder=tmp_path)
    command = inside / "microgpt-tui"
    assert done(command, "--version", folder=tmp_path) == f"microgpt-tui {version()}\n"
    small = ("--set", "n_embd=4", "--set", "n_head=2")
    assert "step 1" in done(command, "run", *small, "--steps", "1", folder=tmp_path)
    assert "equal" in done(command, "verify", *small, "--steps", "1", folder=tmp_path)
    done(command, "record", *small, "--steps", "1", "-o", "run.mgt", folder=tmp_path)
    assert "backward" in done(command, "show", "run.mgt", "--at", "1:backward", folder=tmp_path)
    done(command, "export", "run.mgt", "--what", "model", "-o", "model.svg", folder=tmp_path)  # a layout of our own
    assert (tmp_path / "model.svg").stat().st_size > 5000
    refused = subprocess.run(
        [command, "--web"], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert refused.returncode == 2
    assert "pip install 'microgpt-tui[web]'" in refused.stderr

"""Files: written whole or not at all, and nothing overwritten unasked."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class ExportError(Exception):
    """Nothing was written: the message says why and what to do."""


def check_free(path: Path, overwrite: bool) -> None:
    """Raises ExportError for a file that exists and is to stay."""
    if path.exists() and not overwrite:
        raise ExportError(f"{path} exists already. Choose another name, or say --overwrite.")


def write_whole(path: Path, parts: Iterable[bytes], *, overwrite: bool = False) -> int:
    """Write a file completely or not at all; returns its size. Raises ExportError.

    An existing file is replaced only with ``overwrite``, and keeps its content until the new one is complete.
    """
    check_free(path, overwrite)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}. Choose another place.") from None
    try:
        size = 0
        with os.fdopen(handle, "wb") as sink:
            for part in parts:
                sink.write(part)
                size += len(part)
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        if overwrite:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)  # fails where a file has appeared meanwhile
    except FileExistsError:
        raise ExportError(f"{path} exists already. Choose another name, or say --overwrite.") from None
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}. Choose another place.") from None
    finally:
        Path(temporary).unlink(missing_ok=True)
    return size


@dataclass(frozen=True, slots=True)
class Written:
    """What was written and where."""

    path: Path
    size: int
    boxes: int = 0
    edges: int = 0
    engine: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        drawn = f": {self.boxes} boxes, {self.edges} edges" if self.boxes > 1 else ""
        lines = [f"Wrote {self.path}{drawn} ({self.size:,} bytes)"]
        return "\n".join(lines + [f"  {note}" for note in self.notes if note])

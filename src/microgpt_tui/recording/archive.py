"""The file itself: a zip of JSON and of raw columns, written whole or not at all, read with limits.

Every member has the zip's own CRC-32, which is compared whenever one is read. What does not fit raises RecordingError,
which names the file, what is wrong with it, and what to do.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

FORMAT = "microgpt-tui recording"
VERSION = 1
SUFFIX = ".mgt"
HEADER = "header.json"
FASTEST = 1
"""zlib's level: columns shrink to a third at once, and hardly more with more patience."""
SMALL = 1 << 20
"""Bytes that a member may always have."""
SHRINKS = 200
"""A larger member is at most so many times as large as it is in the file: real columns shrink by 2 to 30."""
LARGEST = 1 << 31
"""Bytes of one member: an episode of some 60 million events."""


class RecordingError(ValueError):
    """A file that is no recording, or a damaged one; the message says what to do."""


class Writer:
    """Writes a recording: into a file beside it, which takes its name when everything is there."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the folder cannot be written."""
        if sys.byteorder != "little":
            raise RecordingError(f"{path}: recordings are written on little-endian machines only, and this is none")
        self.path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._zip = zipfile.ZipFile(self._part, "x", zipfile.ZIP_DEFLATED, compresslevel=FASTEST)

    def add(self, name: str, content: bytes | Any) -> None:
        """One member: bytes as they are, anything else as JSON."""
        raw = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
        self._zip.writestr(name, raw)

    def finish(self, header: dict[str, Any]) -> int:
        """Write the header and put the file in its place; its size in bytes."""
        self.add(HEADER, {"format": FORMAT, "version": VERSION, **header})
        self._zip.close()
        self._part.replace(self.path)
        return self.path.stat().st_size

    def drop(self) -> None:
        """Leave nothing behind."""
        self._zip.close()
        self._part.unlink(missing_ok=True)


class Archive:
    """An open recording: its header, and each member when it is asked for."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError for a file that is none, OSError for one that cannot be read."""
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise RecordingError(
                f"{path}: not a recording of microgpt-tui ({error}). `microgpt-tui record SCRIPT -o FILE{SUFFIX}` "
                "writes one."
            ) from None
        self.header = self.mapping(HEADER)
        if self.header.get("format") != FORMAT:
            raise self.wrong(f"{HEADER} names no {FORMAT}")
        if self.header.get("version") != VERSION:
            raise RecordingError(
                f"{path}: a recording of format {self.header.get('version')!r}; this microgpt-tui reads format "
                f"{VERSION}. Open it with the version that wrote it "
                f"({self.header.get('written by', 'unknown')!s:.40}), or record anew."
            )

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def raw(self, name: str) -> bytes:
        """The bytes of a member. Raises RecordingError."""
        if self._zip.fp is None:
            raise RecordingError(f"{self.path}: this recording was closed. Open it again.")
        info = self._zip.NameToInfo.get(name)
        if info is None:
            raise self.wrong(f"it has no {name}")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise self.wrong(f"{name} is packed in a way that recordings are not")
        if info.file_size > min(LARGEST, max(SMALL, SHRINKS * info.compress_size)):
            raise self.wrong(f"{name} would unpack to {info.file_size:,} bytes")
        try:
            return self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
            raise self.wrong(f"{name} cannot be read: {error}") from None

    def mapping(self, name: str) -> dict[str, Any]:
        """A member that is a JSON object. Raises RecordingError."""
        try:
            found = json.loads(self.raw(name))
        except (ValueError, RecursionError) as error:
            if isinstance(error, RecordingError):
                raise
            raise self.wrong(f"{name} is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise self.wrong(f"{name} is no JSON object")
        return found

    def wrong(self, what: str) -> RecordingError:
        """The error for a damaged file."""
        return RecordingError(f"{self.path}: a damaged recording: {what}. Copy it again, or record anew.")

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

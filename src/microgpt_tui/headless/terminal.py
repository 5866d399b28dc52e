"""What a command writes: fit for a terminal whatever the script has put into it, and for any encoding."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from microgpt_tui.protocol.escape import visible_lines


class Escaping:
    """A text stream that lets no control character through."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, its control characters as pictures."""
        self._stream.write(visible_lines(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def escaped() -> Iterator[None]:
    """Within, ``sys.stdout`` and ``sys.stderr`` take any text: of what they have no letter for, the number."""
    kept = sys.stdout, sys.stderr
    errors = [(s, s.errors) for s in kept if hasattr(s, "reconfigure")]
    try:
        for stream, _ in errors:
            stream.reconfigure(errors="backslashreplace")
        sys.stdout, sys.stderr = map(Escaping, kept)  # what else is asked, they pass on
        yield
    finally:
        sys.stdout, sys.stderr = kept
        for stream, before in errors:
            stream.reconfigure(errors=before)


def replay(stream: TextIO, raw: bytes) -> None:
    """What the script has written: its own bytes to a file or a pipe, visible on a terminal."""
    if stream.isatty():
        stream.write(raw.decode("utf-8", "replace"))
        return
    stream.flush()
    stream.buffer.write(raw)
    stream.buffer.flush()


def print_json(document: Any, indent: int | None = 1) -> None:
    """Print a document as JSON, in ASCII."""
    import json

    print(json.dumps(document, indent=indent).replace("\x7f", "\\u007f"))

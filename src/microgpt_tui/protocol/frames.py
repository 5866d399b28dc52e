"""Frames on the control channel: a JSON header and raw bytes. No pickle: nothing is executed on reading."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from microgpt_tui.protocol.fields import Data, MessageError, as_data, from_data

_SIZES = struct.Struct("<II")
_LONGEST_ADDRESS = 100
"""Bytes of a local socket's path: the system allows 103 to 107."""
Blobs = Mapping[str, tuple[int, bytes | memoryview]]
"""Column -> where in it the bytes belong, and the bytes."""


def pack(message: Data, blobs: Blobs | None = None) -> bytes:
    """One frame. ``blobs`` maps a column to its start and bytes."""
    parts = []
    index = []
    for name, (start, raw) in (blobs or {}).items():
        index.append((name, start, len(raw)))
        parts.append(raw)
    text = json.dumps((message, index), default=as_data).encode()
    return b"".join((_SIZES.pack(len(text), sum(map(len, parts))), text, *parts))


@contextmanager
def reachable(path: str) -> Iterator[str]:
    """A socket's path as the system takes it, short: a long one goes by its folder's descriptor (Linux)."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        yield path
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def reader(channel: socket.socket) -> Callable[[int], bytearray]:
    """``read(count)`` on a socket: exactly so many bytes, or EOFError."""

    def read(count: int) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        at = 0
        while at < count:
            got = channel.recv_into(view[at:], count - at)
            if not got:
                raise EOFError
            at += got
        return data

    return read


def unpack(read: Callable[[int], bytes | bytearray]) -> tuple[Data, Blobs]:
    """The next frame from ``read(count)``, which gives exactly so many bytes or raises EOFError.

    Raises MessageError for one that is no message; the frames after it can be read.
    """
    text_size, body_size = _SIZES.unpack(read(_SIZES.size))
    text = read(text_size)
    body = memoryview(read(body_size) if body_size else b"")
    try:
        data, index = json.loads(text)
        message = from_data(data)
        blobs: dict[str, tuple[int, bytes | memoryview]] = {}
        at = 0
        for name, start, size in index:
            blobs[name] = (start, body[at : at + size])
            at += size
    except MessageError as error:
        raise MessageError(f"not a message of this version of microgpt-tui: {error}") from None
    except (ValueError, TypeError) as error:
        raise MessageError(f"not a message of microgpt-tui: {error}") from None
    return message, blobs

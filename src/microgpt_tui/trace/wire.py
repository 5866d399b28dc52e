"""Frames on the control channel: a JSON header and raw bytes. No pickle: nothing is executed on reading."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from typing import Any

_SIZES = struct.Struct("<II")


def pack(header: dict[str, Any], blobs: dict[str, tuple[int, bytes]] | None = None) -> bytes:
    """One frame. ``blobs`` maps a column to its start and bytes."""
    parts = []
    index = []
    for name, (start, raw) in (blobs or {}).items():
        index.append((name, start, len(raw)))
        parts.append(raw)
    text = json.dumps({**header, "blobs": index}).encode()
    body = b"".join(parts)
    return _SIZES.pack(len(text), len(body)) + text + body


def reader(channel: socket.socket) -> Callable[[int], bytes]:
    """``read(count)`` on a socket: exactly so many bytes, or EOFError."""

    def read(count: int) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        at = 0
        while at < count:
            got = channel.recv_into(view[at:], count - at)
            if not got:
                raise EOFError
            at += got
        return bytes(data)

    return read


def unpack(read: Callable[[int], bytes]) -> tuple[dict[str, Any], dict[str, tuple[int, bytes]]]:
    """The next frame from ``read(count)``, which gives exactly so many bytes or raises EOFError."""
    text_size, body_size = _SIZES.unpack(read(_SIZES.size))
    header = json.loads(read(text_size))
    body = read(body_size) if body_size else b""
    blobs: dict[str, tuple[int, bytes]] = {}
    at = 0
    for name, start, size in header.pop("blobs"):
        blobs[name] = (start, body[at : at + size])
        at += size
    return header, blobs

"""The script's end of the channel to its debugger."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Callable

from microgpt_tui.protocol import frames
from microgpt_tui.protocol.fields import Data, MessageError
from microgpt_tui.protocol.messages import Failed, Quit

_USUAL = dict(vars(builtins))
_ABSENT = object()


def usual_builtins() -> dict[str, object]:
    """Whatever the script has done to them: what it had instead, for ``give_back``."""
    now = vars(builtins)
    changed = {name: now.get(name, _ABSENT) for name, usual in _USUAL.items() if now.get(name, _ABSENT) is not usual}
    now.update((name, _USUAL[name]) for name in changed)
    return changed


def give_back(changed: dict[str, object]) -> None:
    """The script has its own builtins again."""
    now = vars(builtins)
    for name, value in changed.items():
        if value is _ABSENT:
            del now[name]
        else:
            now[name] = value


class Ended(BaseException):
    """The debugger wants the script to end now, or is gone."""


class Channel:
    """Messages to and from the debugger. A script whose debugger is gone ends, and cannot catch that."""

    def __init__(self, connection: socket.socket) -> None:
        self.use(connection)
        self.on_end: Callable[[], None] = lambda: None
        """What is done at the end, before anything of the script is unwound."""

    def use(self, connection: socket.socket) -> None:
        """Go on over another connection."""
        self._connection = connection
        self._read = frames.reader(connection)

    def close(self) -> None:
        """Close this end of it."""
        self._connection.close()

    def fileno(self) -> int:
        """The connection's descriptor."""
        return self._connection.fileno()

    def _ended(self) -> Ended:
        self.on_end()
        return Ended()

    def send(self, message: Data, blobs: frames.Blobs | None = None) -> None:
        """Tell the debugger. Raises Ended."""
        changed = usual_builtins()
        try:
            self._connection.sendall(frames.pack(message, blobs))
        except (BrokenPipeError, ConnectionError):
            raise self._ended() from None
        finally:
            give_back(changed)

    def receive(self) -> Data:
        """The next command, waiting for it. Raises Ended, also where that is the command."""
        while True:
            changed = usual_builtins()
            try:
                command, _ = frames.unpack(self._read)
            except MessageError as error:
                self.send(Failed(str(error)))
                continue
            except (EOFError, ConnectionError):
                raise self._ended() from None
            finally:
                give_back(changed)
            if isinstance(command, Quit):
                raise self._ended()
            return command

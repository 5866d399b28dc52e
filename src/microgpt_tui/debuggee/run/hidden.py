"""Functions whose frames cannot be seen: not by walking ``f_back``, not in a traceback, not by ``sys._getframe``.

A frame that has not come to its first RESUME is one that Python itself still prepares, and passes over. That of a
hidden function stands behind its last instruction.
"""

from __future__ import annotations

import opcode
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
_RESUME, _NOP = opcode.opmap["RESUME"], opcode.opmap["NOP"]


def hidden(function: F) -> F:
    """Hide the frames of a plain function (no generator)."""
    code = function.__code__
    raw = bytearray(code.co_code)
    raw[next(i for i in range(0, len(raw), 2) if raw[i] == _RESUME)] = _NOP
    function.__code__ = code.replace(co_code=bytes(raw) + bytes((_RESUME, 0)))
    return function

"""An exception of the script: printed as Python would, and told to the debugger."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from types import TracebackType

from microgpt_tui.debuggee.encode.recording import Recording
from microgpt_tui.debuggee.run.evaluate import failing_operation
from microgpt_tui.protocol.stops import Raised

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_FRAMES = 40
"""Frames of a long traceback that are told, from either end."""
LONGEST_MESSAGE = 2000


def told(recorder: Recording, error: BaseException) -> Raised:
    """What the debugger is told of an exception."""
    own = [
        (recorder.files[f.filename], f.lineno or 0, f.name)
        for f in traceback.extract_tb(error.__traceback__) if f.filename in recorder.files
    ]  # fmt: skip
    shown = own[:MOST_FRAMES] + own[-MOST_FRAMES:] if len(own) > 2 * MOST_FRAMES else own
    message = _text(error)[:LONGEST_MESSAGE]
    operation, operands, line = failing_operation(recorder, error.__traceback__)
    return Raised(type(error).__name__, message, tuple(shown), len(own), operation, operands, line)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the class is the script's
        return "<exception str() failed>"


def show(error: BaseException) -> None:
    """Print the traceback as Python would, without the debugger's own frames. Raises SystemExit: the hook's wish.

    Called where no exception is handled: the script's hook may look.
    """
    error.__traceback__ = _without_ours(error.__traceback__)
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    hook = getattr(sys, "excepthook", None)
    if hook is None:
        _write("sys.excepthook is missing\n")
        sys.__excepthook__(type(error), error, error.__traceback__)
        return
    try:
        hook(type(error), error, error.__traceback__)
    except SystemExit:
        raise
    except BaseException as second:
        _write("Error in sys.excepthook:\n")
        second.__traceback__ = _without_ours(second.__traceback__)
        sys.__excepthook__(type(second), second, second.__traceback__)
        _write("\nOriginal exception was:\n")
        sys.__excepthook__(type(error), error, error.__traceback__)


def _write(text: str) -> None:
    with contextlib.suppress(Exception):  # the script may have replaced it
        sys.stderr.write(text)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    kept: list[TracebackType] = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_OURS):
            kept.append(trace)
        trace = trace.tb_next
    following: TracebackType | None = None
    for item in reversed(kept):
        item.tb_next = following
        following = item
    return following


def last_line(trace: TracebackType | None, recorder: Recording) -> int:
    """Of the innermost frame of the script's own, or 0."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in recorder.files:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

"""A script that failed before there was anything to look at: what happened, where, what to do about it."""

from __future__ import annotations

from microgpt_tui.protocol.stops import Exited, Finished, Raised, Refused
from microgpt_tui.session.history import History

_DOWNLOAD = ("URLError", "HTTPError", "RemoteDisconnected", "ConnectionError", "ConnectionRefusedError", "gaierror",
             "SSLError", "SSLCertVerificationError", "TimeoutError", "timeout")  # fmt: skip
_DATA_REMEDY = "Offer it a corpus, one document per line: --data FILE (the script then finds it as ./input.txt)."


def explain(history: History, script: str) -> str | None:
    """The message for a script whose setup ended before it made a node; None for one that can be looked at.

    Says the script's own error with ``file:line`` and the remedy.
    """
    stop = history.stop
    if stop is None or not stop.over:
        return None
    if any(s.index for s in history.summaries) or any(len(trace.born) for trace in history.traces.values()):
        return None
    if isinstance(stop, Refused):
        return stop.message
    if isinstance(stop, Raised):
        return _exception(history, script, stop)
    if isinstance(stop, Exited):
        place = f"{script}:{stop.line}" if stop.line else script
        message = f"{place}: the script ended itself with exit status {stop.status} before it made a node."
        return message + "\nIts arguments go after `--`: microgpt-tui SCRIPT -- ARGS."
    if isinstance(stop, Finished):
        return (
            f"{script}: the script ended without making a node of its autograd class "
            f"{history.program.class_name}: nothing to look at.\n"
            "Does it train only when told to (an argument after `--`), or only when run in another way?"
        )
    return f"{script}: the script was ended by signal or killed before it made a node ({stop.reason})."


def _exception(history: History, script: str, stop: Raised) -> str:
    place = script
    source = ""
    if stop.frames:
        file, line, _ = stop.frames[-1]
        path, _text = history.program.files[file]
        place = f"{path}:{line}"
        source = history.program.line_text(file, line).strip()
    error, message = stop.error, stop.message
    text = f"{place}: {error}: {message}" if message else f"{place}: {error}"
    if source:
        text += f"\n    {source}"
    missing = error == "FileNotFoundError" and "input.txt" in message
    if missing or error in _DOWNLOAD:
        return f"{text}\n{_DATA_REMEDY}"
    if error == "ModuleNotFoundError":
        return f"{text}\nInstall that module for the Python that runs the script, or name another: --python FILE."
    return f"{text}\nThe script fails before it makes a node; `python {script}` shows the same."

"""``new FILE``: a copy of the bundled GPT, to modify."""

from __future__ import annotations

from pathlib import Path

from microgpt_tui.headless.launch import BUNDLED, CORPUS, InputError


def write_copy(target: Path) -> str:
    """Write the bundled script to ``target``; returns what to tell the person. Raises InputError, never overwrites."""
    if target.is_dir():
        target = target / BUNDLED.name
    try:
        with target.open("x", encoding="utf-8") as handle:
            handle.write(BUNDLED.read_text(encoding="utf-8"))
    except FileExistsError:
        raise InputError(f"{target}: exists already, and is left as it is. Choose another name.") from None
    except OSError as error:
        raise InputError(f"{target}: {error.strerror}. Choose another place.") from None
    return (
        f"Wrote {target}: the GPT in one file, yours to change.\n"
        f"  microgpt-tui {target} --data {CORPUS}    debug it on the bundled names\n"
        f"  microgpt-tui {target} --data YOUR.txt    or on your own text, one document per line"
    )

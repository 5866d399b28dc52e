"""Text of a script's own, made fit for a terminal: nothing in it can command one, or turn what is read around."""

from __future__ import annotations

REPLACEMENT = 0xFFFD
_BESIDES = (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
"""Separators of lines and paragraphs, what turns the direction of reading, half characters."""
_PICTURES = {
    **{code: 0x2400 + code for code in range(0x20)}, 0x7F: 0x2421,
    **dict.fromkeys((*range(0x80, 0xA0), *_BESIDES), REPLACEMENT),
}  # fmt: skip
_LINES = {code: picture for code, picture in _PICTURES.items() if code not in (0x09, 0x0A)}


def visible(text: str) -> str:
    """A line: a control character is a picture of itself (``␛``), so that the length stays."""
    return text if text.isprintable() else text.translate(_PICTURES)


def visible_lines(text: str) -> str:
    """The same of a text of several lines: their ends and tabulators stay."""
    return text if text.isprintable() else text.translate(_LINES)

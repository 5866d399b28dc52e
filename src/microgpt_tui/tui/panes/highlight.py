"""Python source in colours, a file once: per line the pieces and their styles."""

from __future__ import annotations

import builtins
import io
import keyword
import tokenize
from functools import lru_cache

from rich.style import Style

from microgpt_tui.tui import palette

Piece = tuple[str, Style]

PLAIN = Style(color=palette.TEXT)
COMMENT = Style(color="#6b778d", italic=True)
DOC = Style(color="#7d9174", italic=True)
STRING = Style(color="#a3be8c")
NUMBER = Style(color="#d0b98a")
KEYWORD = Style(color="#c3a6dd")
DEFINED = Style(color=palette.TEXT, bold=True)
BUILTIN = Style(color="#8fc1c9")
OPERATOR = Style(color="#aab4c8")
# Quiet colours: orange and blue mean signs, yellow means "here".

_BUILTINS = frozenset(n for n in dir(builtins) if n.islower() and not n.startswith("_"))
_STRINGS = {tokenize.STRING} | {
    getattr(tokenize, n) for n in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END") if hasattr(tokenize, n)
}


def _style_of(token: tokenize.TokenInfo, previous: tokenize.TokenInfo | None) -> Style | None:
    text = token.string
    if token.type == tokenize.COMMENT:
        return COMMENT
    if token.type in _STRINGS:
        begins = previous is None or previous.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.NL)
        return DOC if token.type == tokenize.STRING and begins and text[:1] in "\"'r" else STRING
    if token.type == tokenize.NUMBER:
        return NUMBER
    if token.type == tokenize.OP:
        return OPERATOR
    if token.type == tokenize.NAME:
        if keyword.iskeyword(text):
            return KEYWORD
        if previous is not None and previous.string in ("def", "class"):
            return DEFINED
        if text in _BUILTINS and (previous is None or previous.string != "."):
            return BUILTIN
    return None


@lru_cache(maxsize=32)
def highlighted(text: str) -> list[list[Piece]]:
    """Lines of (text, style). A text that is no Python stays plain from where it stops being it."""
    lines = text.splitlines()
    spans: list[list[tuple[int, int, Style]]] = [[] for _ in lines]
    previous: tokenize.TokenInfo | None = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            style = _style_of(token, previous)
            if style is not None:
                (row, start), (end_row, end) = token.start, token.end
                for r in range(row, min(end_row, len(lines)) + 1):
                    low = start if r == row else 0
                    high = end if r == end_row else len(lines[r - 1])
                    if high > low:
                        spans[r - 1].append((low, high, style))
            previous = token
    except (tokenize.TokenError, SyntaxError, IndexError):
        pass
    return [_pieces(line, found) for line, found in zip(lines, spans, strict=True)]


def _pieces(line: str, spans: list[tuple[int, int, Style]]) -> list[Piece]:
    pieces: list[Piece] = []
    at = 0
    for low, high, style in spans:
        if low > at:
            pieces.append((line[at:low], PLAIN))
        if high > max(low, at):
            pieces.append((line[max(low, at) : high], style))
        at = max(at, high)
    if at < len(line):
        pieces.append((line[at:], PLAIN))
    return pieces

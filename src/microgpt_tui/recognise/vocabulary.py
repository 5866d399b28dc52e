"""From token ids to characters, through lists, texts and dicts that the script keeps."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from microgpt_tui.trace.trace import Program

SPECIAL = "·"
"""How a token that is no character (begin of document, end) is shown in one column."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The texts of the tokens, by id; ``None`` where the script keeps none (often BOS)."""

    texts: tuple[str | None, ...]
    source: str
    """The name of what it was read from; empty when nothing was found."""

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, token: int) -> str | None:
        """What the script writes for a token, or None where it is not known."""
        return self.texts[token] if 0 <= token < len(self.texts) else None

    def short(self, token: int) -> str:
        """One column: the character, ``·`` for a special token, ``?`` for none."""
        if not 0 <= token < len(self.texts):
            return "?" if token < 0 or self.source else _digit(token)
        text = self.texts[token]
        if text is None:
            return SPECIAL if self.source else _digit(token)
        if text == " ":
            return "␣"
        return text if _takes_one_column(text) else SPECIAL

    def name(self, token: int) -> str:
        """For sentences: ``'a'``, ``<BOS>``, ``·`` or ``token 26``."""
        if not 0 <= token < len(self.texts):
            return f"token {token}"
        text = self.texts[token]
        if text is None:
            return SPECIAL if self.source else f"token {token}"
        return text if len(text) > 1 and text.isprintable() else f"'{text}'" if text.isprintable() else repr(text)


def _takes_one_column(text: str) -> bool:
    return (
        len(text) == 1
        and text.isprintable()
        and unicodedata.east_asian_width(text) not in "WF"
        and not unicodedata.category(text).startswith("M")
    )


def _digit(token: int) -> str:
    return "0123456789abcdefghijklmnopqrstuvwxyz"[token % 36] if token >= 0 else "?"


def vocabulary(program: Program, size: int) -> Vocabulary:
    """The best reading of the script's plain values as texts of ``size`` tokens.

    A mapping between ids and texts counts more than a list, and one that covers all ids more than one that leaves out
    a special token.
    """
    best: tuple[tuple[int, int], Vocabulary] | None = None
    for name, value in program.namespace.items():
        for rank, texts in _readings(value):
            missing = size - len(texts)
            if not texts or max(texts) >= size or missing > 3 or missing < 0:
                continue
            score = (missing, rank)
            if best is None or score < best[0]:
                best = (score, Vocabulary(tuple(texts.get(i) for i in range(size)), name))
    return best[1] if best else Vocabulary((None,) * max(0, size), "")


def _readings(value: Any) -> list[tuple[int, dict[int, str]]]:
    """(rank, id -> text) for each way in which a value may be a vocabulary; a lower rank is more certain."""
    if isinstance(value, dict) and isinstance(value.get("keys"), list) and isinstance(value.get("values"), list):
        keys, values = value["keys"], value["values"]
        if len(keys) != len(values):
            return []
        if all(type(k) is int for k in keys) and all(type(v) is str for v in values):
            return [(0, dict(zip(keys, values, strict=True)))]
        if all(type(k) is str for k in keys) and all(type(v) is int and v >= 0 for v in values):
            return [(0, {v: k for k, v in zip(keys, values, strict=True)})] if len(set(values)) == len(values) else []
        return []
    if isinstance(value, list) and len(value) > 1 and all(type(v) is str for v in value):
        return [(1, dict(enumerate(value)))] if len(set(value)) == len(value) else []
    if isinstance(value, str) and len(value) > 1 and len(set(value)) == len(value):
        return [(2, dict(enumerate(value)))]
    return []

"""From token ids to texts, through lists, texts and mappings that the script keeps, and through proved arithmetic."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from microgpt_tui.trace.trace import Program

SPECIAL = "·"
"""How a token that is no text (begin of document, end) is shown where others have one."""
LONG = "▪"
"""A text of several characters where there is room for one."""
UNKNOWN = "#"
"""A token of which no text is known, where there is room for one character."""


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
        """The text, ``·`` for a special token, ``#22`` where no texts are known, ``?`` for none."""
        text = self.text(token)
        if text is not None:
            return "␣" if text == " " else text if _is_plain(text) else ascii(text)[1:-1]
        if token < 0 or (self.source and token >= len(self.texts)):
            return "?"
        return SPECIAL if self.source else f"{UNKNOWN}{token}"

    def cell(self, token: int) -> str:
        """One column: the character, ``▪`` for a longer text, ``·`` for a special token, ``#`` where none is known."""
        short = self.short(token)
        if self.text(token) is None:
            return short[0]
        return short if _takes_one_column(short) else LONG

    @property
    def width(self) -> int:
        """Columns that a list of tokens needs for their texts; longer ones are cut."""
        return max(1, min(6, max((len(self.short(i)) for i in range(len(self.texts))), default=1)))

    def name(self, token: int) -> str:
        """For sentences: ``'a'``, ``<BOS>``, ``·`` or ``token 26``."""
        if not 0 <= token < len(self.texts):
            return f"token {token}"
        text = self.texts[token]
        if text is None:
            return SPECIAL if self.source else f"token {token}"
        return text if len(text) > 1 and text.isprintable() else f"'{text}'" if text.isprintable() else repr(text)


def _is_plain(text: str) -> bool:
    return text.isprintable() and text != "" and not unicodedata.category(text[0]).startswith("M")


def _takes_one_column(text: str) -> bool:
    return len(text) == 1 and unicodedata.east_asian_width(text) not in "WF"


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


# -- texts that are computed: only with a proof ---------------------------------------------------


def proved(program: Program, size: int, sequences: Sequence[Sequence[int]], texts: Iterable[str]) -> Vocabulary | None:
    """A vocabulary of character codes that spells every sequence as the beginning of a text that the script has.

    Codes are ids with something added (``chr(97 + i)``) or the numbers of a list (bytes). ``sequences`` are the ids of
    documents; the first of each may stand for its beginning. None where nothing is proved.
    """
    known = {t for t in texts if len(t) > 1}
    for value in program.namespace.values():
        if isinstance(value, list):
            known.update(t for t in value if isinstance(t, str) and len(t) > 1)
    whole = [ids for ids in sequences if len(ids) > 2]
    if not whole or not known:
        return None
    begins = {ids[0] for ids in whole}
    for source, codes in _codings(program, size, whole, known):
        if all(_spells(codes, ids, known) for ids in whole):
            special = begins if all(not _spells(codes, ids, known, 0) for ids in whole) else set()
            found = [chr(codes[i]) if i in codes and i not in special else None for i in range(size)]
            return Vocabulary(tuple(t if t is not None and _is_letter(t) else None for t in found), source)
    return None


def _codings(
    program: Program, size: int, sequences: Sequence[Sequence[int]], known: set[str]
) -> Iterator[tuple[str, dict[int, int]]]:
    """(what it is, id -> code)."""
    for name, value in program.namespace.items():
        if (
            isinstance(value, list)
            and size - 3 <= len(value) <= size
            and all(type(v) is int and 0 < v < 256 for v in value)
            and len(set(value)) == len(value)
        ):
            yield f"codes in {name}", dict(enumerate(value))
    ids = max(sequences, key=len)
    for text in sorted(known):
        for lead in (1, 0):
            add = ord(text[0]) - ids[lead]
            if add >= 0 and len(ids) > lead + 1 and ord(text[1]) - ids[lead + 1] == add:
                yield f"chr({add} + id)" if add else "chr(id)", {i: i + add for i in range(size)}


def _spells(codes: dict[int, int], ids: Sequence[int], known: set[str], lead: int | None = None) -> bool:
    """True where the ids, with or without the first, are a text's beginning, or a whole text and an end."""
    for start in (1, 0) if lead is None else (lead,):
        own = list(ids[start:])
        spelled = "".join(chr(codes[i]) if i in codes else "\0" for i in own)
        if any(t.startswith(spelled) for t in known) or (start and own[-1] == ids[0] and spelled[:-1] in known):
            return True
    return False


def _is_letter(text: str) -> bool:
    return text.isalnum() or text in " .,;:!?'\"-\n"

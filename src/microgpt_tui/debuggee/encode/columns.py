"""The columns of an episode as they grow, and the tables that they refer to."""

from __future__ import annotations

from array import array
from operator import attrgetter
from typing import Any

from microgpt_tui.debuggee.record.kinds import NAN
from microgpt_tui.debuggee.rewrite.sites import Making, SiteRecord
from microgpt_tui.protocol import frames as wire
from microgpt_tui.protocol.codes import COLUMNS
from microgpt_tui.protocol.narrow import narrowed


class Columns:
    """What every part of the encoder writes to."""

    def __init__(
        self, records: list[SiteRecord | None], node_class: type, names: tuple[str, str], first_node: int
    ) -> None:
        self.records = records
        self.makers: dict[int, Making] = {}
        """How the calls of the class make nodes, by site."""
        self.node_class = node_class
        self.data_name, self.grad_name = names
        self.data_of, self.grad_of = attrgetter(self.data_name), attrgetter(self.grad_name)
        self.first_node = first_node
        self.c: dict[str, array[Any]] = {name: array(code) for name, code in COLUMNS.items()}
        self.sent: dict[str, int] = dict.fromkeys(COLUMNS, 0)
        self.op_numbers: dict[str, int] = {}
        self.ops: list[str] = []
        self.sent_ops = 0
        self.texts: list[str] = []
        self.text_numbers: dict[str, int] = {}
        self.shapes: list[Any] = []
        self.shape_numbers: dict[str, int] = {}
        self.extras: dict[str, list[Any]] = {}
        """What is new and no column of numbers."""

    def operation_number(self, name: str) -> int:
        found = self.op_numbers.get(name)
        if found is None:
            found = self.op_numbers[name] = len(self.ops)
            self.ops.append(name)
        return found

    def shape(self, shape: Any) -> int:
        if shape is None:
            return -1
        key = repr(shape)
        number = self.shape_numbers.get(key)
        if number is None:
            number = self.shape_numbers[key] = len(self.shapes)
            self.shapes.append(shape)
            self.extras.setdefault("shapes", []).append(shape)
        return number

    def text(self, text: str) -> int:
        number = self.text_numbers.get(text)
        if number is None:
            number = self.text_numbers[text] = len(self.texts)
            self.texts.append(text)
            self.extras.setdefault("texts", []).append(text)
        return number

    def odd_number(self, number: int, value: Any) -> float:
        try:
            found = float(value)
            if type(value) is int or type(value) is bool:
                self.c["int_data"].append(number)
            return found
        except (TypeError, ValueError, OverflowError):
            self.extras.setdefault("odd_data", []).append((number, _odd(value)))
            return NAN

    def unsent(self) -> tuple[dict[str, Any], wire.Blobs]:
        """What is new since the last time: a header, and per column its start and bytes."""
        blobs: dict[str, tuple[int, bytes]] = {}
        for name, column in self.c.items():
            start = self.sent[name]
            if len(column) > start:
                sent_as, raw = narrowed(name, column, start)
                blobs[sent_as] = (start, raw)
            self.sent[name] = len(column)
        header = self.extras
        if len(self.ops) > self.sent_ops:
            header["ops"] = self.ops[self.sent_ops :]
            self.sent_ops = len(self.ops)
        self.extras = {}
        return header, blobs


_NUMBERS = array("i", range(1 << 16))


def counting(start: int, stop: int) -> array[int]:
    """``start, …, stop - 1`` as a piece of a column: copied from one that is kept, not counted anew."""
    if stop > len(_NUMBERS):
        _NUMBERS.extend(range(len(_NUMBERS), max(stop, 2 * len(_NUMBERS))))
    return _NUMBERS[start:stop]


def path_text(path: tuple[Any, ...]) -> str:
    return "".join(f"[{p!r}]" for p in path if type(p) in (int, str))


def iteration_text(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """``pos_id=2``: the loop's plain variables."""
    parts = []
    for name, value in zip(names, values, strict=False):
        if type(value) is int or (type(value) is str and len(value) <= 24):
            parts.append(f"{name}={value!r}" if type(value) is str else f"{name}={value}")
    return ", ".join(parts[:3])


def _odd(value: Any) -> str:
    """What is shown of a number that is no real one."""
    return repr(value) if type(value) is complex else f"<{type(value).__name__}>"

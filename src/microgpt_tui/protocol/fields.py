"""Frozen dataclasses as JSON and back: one conversion for every message, by the types of its fields.

An instance becomes an object with its class's name under ``is``. Reading checks every field: what does not fit raises
``MessageError``, which says where it is.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

_CLASSES: dict[str, type[Data]] = {}
_TAG = "is"


class MessageError(ValueError):
    """What came over the channel is no message of this version: what, and in which field."""


class Data:
    """Whatever can cross the border between the processes: a base of frozen dataclasses, found again by their names."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        _CLASSES[cls.__name__] = cls


def as_data(value: object) -> Any:
    """For ``json.dumps(default=...)``: what JSON has no form of."""
    cls: Any = type(value)
    if isinstance(value, Data):
        return {_TAG: cls.__name__, **{name: getattr(value, name) for name in _names(cls)}}
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{cls.__name__} cannot be sent")


def from_data(data: Any) -> Data:
    """The message in what ``json.loads`` gave. Raises MessageError."""
    found: Data = _reader(Data)(data)
    return found


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(cls))


@cache
def _fields(cls: Any) -> dict[str, tuple[Callable[[Any], Any], bool]]:
    """Name -> how to read it, and whether it must be there."""
    hints = get_type_hints(cls)
    missing = dataclasses.MISSING
    return {
        f.name: (_reader(hints[f.name]), f.default is missing and f.default_factory is missing)
        for f in dataclasses.fields(cls)
    }


def _instance(data: Any, expected: type[Data]) -> Data:
    name = data.get(_TAG) if isinstance(data, dict) else None
    cls: Any = _CLASSES.get(name) if isinstance(name, str) else None
    if cls is None or not issubclass(cls, expected) or cls.__subclasses__():  # a base is no message
        raise _wrong(expected.__name__, data if name is None else name)
    known = _fields(cls)
    unknown = data.keys() - known.keys() - {_TAG}
    absent = [n for n, (_, needed) in known.items() if needed and n not in data]
    if unknown or absent:
        raise MessageError(f"{name} " + (f"has no {min(unknown)}" if unknown else f"lacks {absent[0]}"))
    values = {}
    for field in data.keys() & known.keys():
        try:
            values[field] = known[field][0](data[field])
        except MessageError as error:
            raise MessageError(f"{name}.{field}: {error}") from None
    made: Data = cls(**values)
    return made


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """What reads a value of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda data: data
    if origin in (Union, types.UnionType):
        return _either(hint, [_reader(a) for a in arguments])
    if origin in (tuple, frozenset):
        return _items(hint, origin, arguments)
    if origin is dict:
        return _mapping(hint, _reader(arguments[1]))
    if issubclass(hint, Data):
        return lambda data: _instance(data, hint)
    if issubclass(hint, IntEnum):
        return lambda data: hint(_exactly(data, hint, (int,)))
    accepted = (int, float) if hint is float else (hint,)
    return lambda data: _exactly(data, hint, accepted)


def _exactly(data: Any, hint: Any, accepted: tuple[type, ...]) -> Any:
    if type(data) not in accepted:
        raise _wrong(hint.__name__, data)
    return data


def _either(hint: Any, readers: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def read(data: Any) -> Any:
        for reader in readers:
            try:
                return reader(data)
            except MessageError:
                continue
        raise _wrong(str(hint), data)

    return read


def _items(hint: Any, made: type, arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    """``tuple[int, ...]``, ``frozenset[int]``, or a tuple of so many."""
    if made is frozenset or (len(arguments) == 2 and arguments[1] is ...):
        reader = _reader(arguments[0])
        return lambda data: made(map(reader, _exactly(data, list, (list,))))
    readers = [_reader(a) for a in arguments]

    def read(data: Any) -> Any:
        if type(data) is not list or len(data) != len(readers):
            raise _wrong(str(hint), data)
        return tuple(reader(x) for reader, x in zip(readers, data, strict=True))

    return read


def _mapping(hint: Any, reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda data: {key: reader(x) for key, x in _exactly(data, dict, (dict,)).items()}


def _wrong(expected: str, data: Any) -> MessageError:
    return MessageError(f"{repr(data)[:80]} is no {expected}")

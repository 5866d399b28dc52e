"""One recorded episode as two members: a JSON object, and its columns one behind the other."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any

from microgpt_tui.protocol.codes import COLUMNS, EVENT_NAMES
from microgpt_tui.protocol.narrow import NARROW, narrowed
from microgpt_tui.recording.archive import Archive, Writer
from microgpt_tui.trace.first_bindings import leaf_count
from microgpt_tui.trace.trace import Program, Trace

KINDS = ("setup", "step", "sample", "other")
BESIDE = ("start_data", "start_grad", "start_grad_int")
"""Columns as long as the program's parameters, as they were when the episode began."""
FAMILIES = ("buffers", "moments", "moments_now")
"""Named columns of the optimizer."""
MANY = 1_000_000
"""Values of a list that may be shown shortened, whatever is kept of it."""
EXTRAS = ("texts", "shapes", "populations", "ops")


def write_episode(writer: Writer, trace: Trace, folder: str) -> dict[str, Any]:
    """Add an episode to the members of a run; its entry in the header's list."""
    columns: list[tuple[str, int]] = []
    parts: list[bytes] = []

    def put(name: str, raw: bytes) -> None:
        columns.append((name, len(raw)))
        parts.append(raw)

    for name in COLUMNS:
        put(*narrowed(name, getattr(trace, name), 0))
    for name in BESIDE:
        put(name, getattr(trace, name).tobytes())
    for family in FAMILIES:
        for name, column in getattr(trace, family).items():
            put(f"{family}:{name}", column.tobytes())
    place = f"{folder}episodes/{trace.index}"
    writer.add(f"{place}.bin", b"".join(parts))
    writer.add(
        f"{place}.json",
        {
            "columns": columns,
            "moments_updates": trace.moments_updates,
            **{name: getattr(trace, name) for name in EXTRAS},
            "scope_values": list(trace.scope_values.items()),
            "operands": list(trace.operands.items()),
            "start_grads": list(trace.outside_grads.items()),
            "odd_data": list(trace.odd_data.items()),
        },
    )
    return {
        "index": trace.index, "kind": trace.episode_kind, "number": trace.number, "first_node": trace.first_node,
        "events": len(trace), "complete": trace.complete,
    }  # fmt: skip


def read_episode(archive: Archive, entry: dict[str, Any], program: Program, setup: Trace | None) -> Trace:
    """The episode of an entry. Raises RecordingError where it is damaged, or does not fit the program."""
    place = entry["place"]
    about, raw = archive.mapping(f"{place}.json"), memoryview(archive.raw(f"{place}.bin"))
    trace = Trace(program, entry["index"], entry["kind"], entry["number"], setup)
    trace.first_node = entry["first_node"]
    try:
        _fill(trace, about, raw)
        trace.complete = entry["complete"]
        fault = next(_faults(trace), "")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise archive.wrong(f"{place}: {type(error).__name__}: {error}") from None
    if fault or len(trace) != entry["events"]:
        raise archive.wrong(f"{place}: {fault or 'other events than the header says'}")
    return trace


def _fill(trace: Trace, about: dict[str, Any], raw: memoryview) -> None:
    blobs: dict[str, tuple[int, memoryview]] = {}
    at = 0
    for name, size in about["columns"]:
        if type(size) is not int or not 0 <= size <= len(raw) - at:
            raise ValueError(f"{name} is longer than the file")
        part = raw[at : at + size]
        at += size
        family, _, own = name.partition(":")
        if family in FAMILIES and own:
            getattr(trace, family)[own] = array("d", bytes(part))
        elif name in BESIDE:
            setattr(trace, name, array("d", bytes(part)))
        elif name.removesuffix(NARROW) in COLUMNS:
            blobs[name] = 0, part
        else:
            raise ValueError(f"no column is called {name!r:.40}")
    extras: dict[str, Any] = {name: about[name] for name in EXTRAS}
    if not all(type(t) is str for name in ("texts", "ops") for t in extras[name]):
        raise TypeError("texts that are none")
    for name in ("scope_values", "operands", "start_grads", "odd_data"):
        extras[name] = about[name]
        if not all(type(key) is int for key, _ in extras[name]):
            raise TypeError(f"{name} that are none")
    trace.moments_updates = int(about["moments_updates"])
    trace.extend(extras, blobs, complete=True)


def _faults(trace: Trace) -> Iterator[str]:
    """What in the columns points at nothing: a damaged file is found when it is read, not when it is looked at."""
    nodes, edges, scopes = len(trace.data), len(trace.child), len(trace.scope_parent)
    end, sites, events = trace.end_node, len(trace.program.sites), len(trace)
    for name in ("op", "child_start", "site"):
        if len(getattr(trace, name)) != nodes:
            yield f"{name} is not as long as data"
    for name in ("scope_site", "scope_first", "scope_last"):
        if len(getattr(trace, name)) != scopes:
            yield f"{name} is not as long as scope_parent"
    for name in ("old", "new", "update_site", "update_event"):
        if len(getattr(trace, name)) != len(trace.updated):
            yield f"{name} is not as long as updated"
    for name in ("bind_scope", "bind_site", "bind_kind", "bind_start", "bind_shape", "bind_path", "bind_index"):
        if len(getattr(trace, name)) != len(trace.bind_event):
            yield f"{name} is not as long as bind_event"
    most = len(trace.bound_nodes) + len(trace.bound_numbers) + len(trace.texts)
    if any(leaf_count(shape) > max(most, MANY) for shape in trace.shapes):
        yield "a list of more values than there are"
    if len(trace.local) != edges:
        yield "local is not as long as child"
    if any(map(int.__gt__, trace.child_start, trace.child_start[1:])):
        yield "child_start goes down"
    within: dict[str, tuple[int, int]] = {
        "kind": (0, len(EVENT_NAMES)), "span_start": (0, max(1, events)), "span_scope": (0, scopes),
        "scope_parent": (-1, scopes), "scope_site": (0, sites), "op": (0, len(trace.ops)),
        "child_start": (0, edges + 1), "site": (-1, sites), "child": (0, end), "noted_target": (0, end),
        "noted_source": (-1, end), "noted_site": (-1, sites), "pass_start": (0, len(trace.order) + 1),
        "pass_site": (-1, sites), "order": (0, end), "updated": (0, end), "update_site": (-1, sites),
        "update_event": (0, events + 1), "used_start": (0, len(trace.used) + 1), "sample_event": (0, events + 1),
        "sample_site": (-1, sites), "weight_start": (0, len(trace.weight) + 1), "print_event": (0, events + 1),
        "print_site": (-1, sites), "bind_event": (0, events + 1), "bind_scope": (-1, scopes),
        "bind_site": (-1, sites), "bound_nodes": (-1, end), "int_data": (0, end),
    }  # fmt: skip
    for name, (low, high) in within.items():
        column = getattr(trace, name)
        if len(column) and (min(column) < low or max(column) >= high):
            yield f"{name} points at nothing: {min(column)} to {max(column)}, of {low} to {high - 1}"


def entries(archive: Archive, about: dict[str, Any], folder: str) -> dict[int, dict[str, Any]]:
    """A run's list of episodes, by index, each with the ``place`` of its members. Raises RecordingError."""
    wanted: dict[str, Callable[[Any], bool]] = {
        "index": _natural, "kind": KINDS.__contains__, "number": _natural, "first_node": _natural, "events": _natural,
        "complete": lambda value: type(value) is bool,
    }  # fmt: skip
    found = {}
    listed = about.get("episodes")
    for entry in listed if isinstance(listed, list) else [None]:
        if not isinstance(entry, dict) or not all(name in entry and fits(entry[name]) for name, fits in wanted.items()):
            raise archive.wrong("its list of episodes is none")
        found[entry["index"]] = {**entry, "place": f"{folder}episodes/{entry['index']}"}
    return found


def _natural(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 40

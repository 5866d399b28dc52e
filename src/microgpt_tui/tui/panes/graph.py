"""The computation graph around the selected value: inputs to the left, users to the right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType

from microgpt_tui.graph.levels import Level
from microgpt_tui.graph.model.overview import Overview, overview, source_of, why_none
from microgpt_tui.graph.scene import DEEPEST, Scene, SceneRequest, Show, edge_text, scene
from microgpt_tui.graph.selection import target_of
from microgpt_tui.graph.state import Reached, node_at, used_event
from microgpt_tui.graph.sums import Sums, first_addition
from microgpt_tui.trace.names import describe, name
from microgpt_tui.tui import palette
from microgpt_tui.tui.lines import Line, clip, empty, text, wrapped
from microgpt_tui.tui.messages import NodeChosen
from microgpt_tui.tui.pane import Pane, View
from microgpt_tui.tui.panes.graph_map import block_words, map_lines
from microgpt_tui.tui.panes.graph_paths import path_lines
from microgpt_tui.tui.panes.graph_window import window

THRESHOLDS = (0.0, 0.01, 0.05, 0.2)
HEADING, FOOTING = 1, 2
"""Lines above and below the drawing."""


class GraphPane(Pane):
    """The neighbourhood of a value, drawn with lines; walk along them, fold it, slice it."""

    title = "Graph"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "along(-1)", "to an input", show=False),
        Binding("right", "along(1)", "to a user", show=False),
        Binding("up", "beside(-1)", "above", show=False),
        Binding("down", "beside(1)", "below", show=False),
        Binding("enter", "centre", "centre"),
        Binding("backspace", "back", "back"),
        Binding("plus,equals_sign", "depth(1)", "further", show=False),
        Binding("minus", "depth(-1)", "nearer", show=False),
        Binding("l", "map", "map"),
        Binding("o", "open", "open a sum", show=False),
        Binding("j", "level(-1)", "fold"),
        Binding("J", "level(1)", "unfold", show=False),
        Binding("m", "show(1)", "slices"),
        Binding("M", "show(-1)", "show before", show=False),
        Binding("r", "mark", "mark one end", show=False),
        Binding("u", "threshold(1)", "threshold", show=False),
        Binding("U", "threshold(-1)", "threshold lower", show=False),
        Binding("G", "paths", "paths"),
    ]
    explanation = """\
# Graph

What the selected value was made of (left) and what was made of it (right), as far as the pane has room. A box `│ │` is
a value, round `(×)` an operation, with the name where a variable holds its result, the *data*, and `∇` the gradient. A
sum of many terms is one, `(Σ 32)`; `o` opens it. The data flow to the right; in the backward pass the gradients flow to
the left along the same lines: a node hands **local gradient × its own gradient** to each operand, and an operand adds
up what all of its users hand to it.

`∇·` not reached yet, `∇…` contributions are still missing, `∇✓` final. `‹2` and `3›` at a box count its inputs and
users that are not drawn; at the pane's edges, what is drawn and out of sight. `×4` at a line stands for four lines. A
plain `┼` is a crossing, `├` and `●` are branches of one line. Without a selected value it is the graph of the loss.

| key | |
|---|---|
| arrows | along the lines; up and down within a column |
| Enter, Backspace | put the box in the middle; go back |
| `+` `-` | more or fewer steps to each side; fewer than one: as many as fit |
| `l` | the map of the whole model, and back; there Enter goes down to the operations of a block |
| `o` | open a sum into its additions, or close it |
| `j` `J` | fold: operations, statements, blocks, layers, positions |
| `m` `M` | around · inputs down to the parameters · up to the loss · between the mark and here |
| `r` | mark one end of *between* |
| `u` `U` | hide edges that brought less than a share of the gradient |
| `G` | the paths to the loss with the largest products of local gradients |
"""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.level = Level.OPERATIONS
        self.show_what = Show.AROUND
        self.depth = 0
        """Steps to each side; 0 for as many as the pane has room for."""
        self.threshold = 0.0
        self.opened: frozenset[int] = frozenset()
        """Sums that are drawn addition by addition, by their first ones."""
        self.mapped = False
        """The map of the model is shown."""
        self.block = -1
        """The block that the arrows have moved to in the map; -1 for the one where the cursor is."""
        self.marked = -1
        """The other end of *between*."""
        self.listing = False
        """The paths to the loss are listed."""
        self.cursor = -1
        """The key of the box that the arrows have moved to; -1 for the selected value's."""
        self.edge: tuple[int, int] | None = None
        self.trail: list[int] = []
        """Nodes that were in the middle before."""
        self._scene: Scene | None = None
        self._scene_key: object = None
        self._middle = (-1, -1)
        self._rows: dict[int, int] = {}
        """Place of a block -> its line in the map."""

    # -- what is shown -----------------------------------------------------------------------

    def show(self, view: View) -> None:
        if self._middle != (view.trace.index, view.node):
            self._middle = (view.trace.index, view.node)
            self.cursor, self.edge, self.block = -1, None, -1
        super().show(view)
        self._follow()

    def state_key(self) -> object:
        return (
            self.level, self.show_what, self.depth, self.threshold, self.marked, self.listing, self.cursor, self.edge,
            self.opened, self.mapped, self.block, self.size.height,
        )  # fmt: skip

    def node_of(self, view: View) -> int:
        """The value in the middle: the selected one, else the loss, or what was made last; -1 for none."""
        node = view.node if view.node >= 0 else target_of(view.trace, view.event)
        return node if view.trace.first_node <= node or view.node >= 0 else -1

    def request(self, view: View, width: int) -> SceneRequest:
        """What to draw at this width."""
        room = max(3, self.size.height - HEADING - FOOTING)
        return SceneRequest(
            self.node_of(view), self.show_what, self.level, self.depth, self.threshold, self.marked,
            max(3, room // 3), self.opened, width, room,
        )  # fmt: skip

    def asked(self, view: View) -> SceneRequest:
        """What is drawn now, with the depth that fitted."""
        request = self.request(view, self.content_width)
        return replace(request, depth=self.scene_of(view, self.content_width).depth or DEEPEST)

    def scene_of(self, view: View, width: int) -> Scene:
        """The scene of a moment, computed once."""
        request = self.request(view, width)
        key = (view.version, request)
        if self._scene is None or self._scene_key != key:
            self._scene, self._scene_key = scene(view.trace, view.event, request), key
            if self.cursor not in self._scene.boxes:
                self.cursor, self.edge = -1, None
        return self._scene

    def build(self, view: View, width: int) -> list[Line]:
        if self.mapped:
            return self._map_lines(view, width)
        node = self.node_of(view)
        if node < 0:
            return empty("The computation graph around a value", "Nothing is computed yet: s steps to an operation.")
        if self.listing:
            return path_lines(replace(view, node=node), width)
        drawn = self.scene_of(view, width)
        head = self._heading(view, width, drawn)
        if not drawn.boxes:
            return [head, *empty("No path here", "m shows another part of the graph, r marks the other end")]
        cursor = self.cursor if self.cursor in drawn.boxes else drawn.focus
        if cursor < 0:
            cursor = next(iter(drawn.boxes))
        foot = [[_cut(line, width)] for line in self._footing(view, drawn, cursor)]
        height = max(3, self.size.height - HEADING - FOOTING)
        return [head, *window(drawn, cursor, self._chosen_edge(drawn, cursor), width, height), *foot]

    # -- the map -----------------------------------------------------------------------------

    def overview(self, view: View) -> Overview | None:
        """The map of the moment's episode, before it has a loss that of the newest one that has; None without one."""
        own, traces = view.trace, view.history.traces
        key = own.index, own.loss_node(), own.complete, len(traces)  # what it is told from costs a look at every node
        trace = self.kept(("source", *key), lambda: source_of(own, traces))
        return self.kept(("map", *key), partial(overview, trace)) if trace is not None else None

    def here(self, view: View, found: Overview) -> int:
        """The place of the block where the cursor is; -1 for none."""
        node = view.node if view.node >= 0 else node_at(view.trace, view.event)
        return self.kept(
            ("here", found.trace.index, view.trace.index, node, view.version[-1]),
            lambda: found.block_of(view.trace, node) if node >= 0 else -1,
        )

    def _map_lines(self, view: View, width: int) -> list[Line]:
        found = self.overview(view)
        if found is None:
            why = f"  {why_none(view.trace)}. ] goes to the next phase, l back to the value's graph."
            said = [text(f" {word}", palette.DIM) for word in why.split()]
            return [*empty("The map of the model"), *wrapped([text(" "), *said], width - 1, 2)]
        own = found.trace.index == view.trace.index
        event = view.event if own else len(found.trace) - 1
        numbers = found.numbers(event)
        here = self.here(view, found)
        drawn = map_lines(found, numbers, here, self._block(found, here), width)
        self._rows = {place: HEADING + row for place, row in drawn.row_of.items()}
        episode = f"{found.trace.episode_kind} {found.trace.number or ''}".strip()
        heads = [f" the model · {'as of ' if not own else ''}{episode}", " · ▶ the cursor", " · ∇ norm of the gradient"]
        while len(heads) > 1 and sum(map(len, heads)) > width:
            heads.pop()
        about = [text(f" {word}") for word in block_words(found, numbers, self._block(found, here)).split()]
        return [
            [text(clip("".join(heads), width), palette.DIM)], *drawn.lines, [], *wrapped(about, width, 1),
            *wrapped([text(" Enter: down to its operations", palette.DIM), text(" · l: back", palette.DIM)], width),
        ]  # fmt: skip

    def _block(self, found: Overview, here: int) -> int:
        places = [b.place for b in found.blocks]
        return self.block if self.block in places else here if here in places else places[-1]

    def _follow(self) -> None:
        """Scroll the map to the selected block."""
        view = self.view
        if self.mapped and view is not None and (found := self.overview(view)) is not None:
            self.reveal(self._rows.get(self._block(found, self.here(view, found)), 0), 3)

    def action_map(self) -> None:
        """The map of the whole model, or the graph of the value again."""
        self.mapped = not self.mapped
        self.listing, self.block = False, -1
        if not self.mapped:
            self.jump_to(0)
        self.restate()
        self._follow()

    def _walk_map(self, step: int) -> None:
        view = self.view
        found = self.overview(view) if view is not None else None
        if view is None or found is None:
            return
        places = [b.place for b in found.blocks]
        at = places.index(self._block(found, self.here(view, found))) + step
        if 0 <= at < len(places):
            self.block = places[at]
            self.restate()
            self._follow()

    def _zoom(self) -> None:
        """Down to the operations of the selected block."""
        view = self.view
        found = self.overview(view) if view is not None else None
        if view is None or found is None:
            return
        if found.trace.index != view.trace.index:
            self.action_nothing(f"this map is that of {found.trace.episode_kind} {found.trace.number}: go there first")
            return
        place = self._block(found, self.here(view, found))
        node = found.made_by(next(b for b in found.blocks if b.place == place), view.event)
        if node < 0:
            self.action_nothing("this block is computed later in the step")
            return
        self.trail.append(self.node_of(view))
        self.mapped = False
        self.jump_to(0)
        self.post_message(NodeChosen(node))
        self.restate()

    def _heading(self, view: View, width: int, drawn: Scene) -> Line:
        count = len(drawn.boxes)
        node = self.node_of(view)
        parts = [f"{self.show_what.value} {name(view.trace, node)}"]
        if view.node < 0:
            parts[0] += " (nothing is selected)"
        if self.show_what is Show.AROUND:
            parts.append(f"depth {drawn.depth}" if drawn.depth else "all of it")
        elif self.show_what is Show.BETWEEN:
            parts[0] += f" and {name(view.trace, self.marked)}" if self.marked >= 0 else " and the loss"
        parts += [f"{count} box{'es' if count != 1 else ''}", f"fold: {self.level.label}"]
        if self.threshold:
            parts.append(f"≥ {self.threshold:.0%} of the grad")
        if drawn.picture.note:
            parts.append(drawn.picture.note)
        while len(parts) > 2 and len(" · ".join(parts)) >= width:
            parts.pop(-2)
        return [text(clip(" " + " · ".join(parts), width), palette.DIM)]

    def _footing(self, view: View, drawn: Scene, cursor: int) -> list[tuple[str, str]]:
        trace, box = view.trace, drawn.boxes[cursor]
        node = drawn.nodes[cursor]
        if box.node >= 0:
            used = trace.data_text(node, used_event(trace, node, view.event))
            now = trace.data_text(node, view.event)
            about = f" {describe(trace, node)}   data {used}" + (f" (updated to {now})" if now != used else "")
            if box.grad == box.grad:
                about += f"   grad {box.grad!r} ({box.state.value})"
        else:
            about = f" {box.title}   {box.count:,} nodes"
            if box.state is not Reached.NONE:
                about += f"   gradients: {box.state.value}"
        edge = self._chosen_edge(drawn, cursor)
        line = ""
        if edge is not None:
            ends = [drawn.boxes[k].title if drawn.boxes[k].node < 0 else name(trace, drawn.nodes[k]) for k in edge]
            mark = "◂ now " if drawn.arrows[edge].carrying else ""
            line = f" {mark}{edge_text(drawn, edge, ends)}"
        return [(about, palette.TEXT), (line, palette.ACCENT)]

    def _chosen_edge(self, drawn: Scene, cursor: int) -> tuple[int, int] | None:
        if self.edge in drawn.arrows:
            return self.edge
        moving = next((pair for pair, arrow in drawn.arrows.items() if arrow.carrying), None)
        if moving is not None:
            return moving
        return next((pair for pair in drawn.arrows if cursor in pair), None)

    # -- keys --------------------------------------------------------------------------------

    def _now(self) -> tuple[View, Scene, int] | None:
        view = self.view
        if view is None or self.node_of(view) < 0 or self.listing or self.mapped:
            return None
        drawn = self.scene_of(view, self.content_width)
        cursor = self.cursor if self.cursor in drawn.boxes else drawn.focus
        return (view, drawn, cursor) if cursor in drawn.boxes else None

    def action_along(self, direction: int) -> None:
        """Along a line: left to an input, right to a user."""
        if self.mapped:
            self._walk_map(direction)
            return
        now = self._now()
        if now is None:
            return
        _, drawn, cursor = now
        near = drawn.inputs(cursor) if direction < 0 else drawn.users(cursor)
        if not near:
            return
        row = drawn.sheet.places[cursor].y
        carrying = [k for k in near if drawn.arrows[(k, cursor) if direction < 0 else (cursor, k)].carrying]

        def distance(key: int) -> tuple[bool, int]:
            return drawn.boxes[key].kind == "constant", abs(drawn.sheet.places[key].y - row)

        target = carrying[0] if carrying else min(near, key=distance)
        self.edge = (target, cursor) if direction < 0 else (cursor, target)
        self.cursor = target
        self.restate()

    def action_beside(self, step: int) -> None:
        """To the box above or below."""
        if self.mapped:
            self._walk_map(step)
            return
        now = self._now()
        if now is None:
            return
        _, drawn, cursor = now
        target = drawn.beside(cursor, step)
        if self.edge is not None:
            other = self.edge[1] if self.edge[0] == cursor else self.edge[0]
            self.edge = next((p for p in ((target, other), (other, target)) if p in drawn.arrows), None)
        self.cursor = target
        self.restate()

    def action_centre(self) -> None:
        """Select the value under the cursor: it moves to the middle. In the map: down to a block's operations."""
        if self.mapped:
            self._zoom()
            return
        now = self._now()
        if now is None:
            return
        view, drawn, cursor = now
        node = drawn.nodes[cursor]
        if node != view.node:
            self.trail.append(self.node_of(view))
            self.post_message(NodeChosen(node))
        else:
            self.action_nothing("it is in the middle already")

    def action_back(self) -> None:
        """Back to the value that was in the middle before."""
        if self.trail:
            self.post_message(NodeChosen(self.trail.pop()))
        else:
            self.action_nothing("nothing was in the middle before")

    def action_depth(self, step: int) -> None:
        """More or fewer steps to each side; fewer than one are as many as fit."""
        self.mapped = False
        if self.view is not None and self.node_of(self.view) >= 0:
            now = self.depth or self.scene_of(self.view, self.content_width).depth
            self.depth = max(0, min(12, now + step))
            self.restate()

    def action_open(self) -> None:
        """Open the sum under the cursor into its additions, or close it again."""
        self.mapped = False
        now = self._now()
        first = first_addition(now[0].trace, now[1].nodes[now[2]]) if now and self.level is Level.OPERATIONS else -1
        if now is None or first < 0:
            self.action_nothing("this is no sum of three terms or more")
            return
        self.opened ^= {first}
        self.restate()
        drawn = self._now()
        if drawn is not None and now[2] not in drawn[1].boxes:
            self.cursor = Sums(now[0].trace, now[0].event, self.node_of(now[0])).box_of(now[1].nodes[now[2]])
            self.edge = None
            self.restate()

    def action_level(self, step: int) -> None:
        """Fold further (-1) or less."""
        self.mapped = False
        levels = list(Level)
        self.level = levels[(levels.index(self.level) + step) % len(levels)]
        self.cursor, self.edge = -1, None
        self.restate()

    def action_show(self, step: int) -> None:
        """Another part of the graph."""
        self.mapped = False
        kinds = list(Show)
        self.show_what = kinds[(kinds.index(self.show_what) + step) % len(kinds)]
        self.cursor, self.edge, self.listing = -1, None, False
        self.restate()

    def action_mark(self) -> None:
        """Make the value under the cursor one end of *between*."""
        self.mapped = False
        now = self._now()
        if now is not None:
            self.marked = now[1].nodes[now[2]]
            self.restate()

    def action_threshold(self, step: int) -> None:
        """Hide edges that brought less of the gradient."""
        self.mapped = False
        at = THRESHOLDS.index(self.threshold) + step
        self.threshold = THRESHOLDS[at % len(THRESHOLDS)]
        self.restate()

    def action_export(self) -> None:
        """Open the export dialog for what is shown."""
        from microgpt_tui.tui.screens.export import ExportScreen

        if self.view is not None:
            self.app.push_screen(ExportScreen.over(self.app, self.view, [self]))

    def action_paths(self) -> None:
        """List the paths to the loss, or draw the graph again."""
        self.mapped = False
        self.listing = not self.listing
        self.restate()


def _cut(line: tuple[str, str], width: int) -> Segment:
    """A line of text that stands whole, or says that it does not."""
    return text(clip(line[0], width), line[1])

"""A recorder whose log is encoded when somebody asks: for the running episode's columns, for the setup's parameters."""

from __future__ import annotations

import math
from types import FrameType
from typing import Any

from microgpt_tui.debuggee.encode.columns import Columns
from microgpt_tui.debuggee.encode.encoder import Encoder
from microgpt_tui.debuggee.record.identity import identity_of
from microgpt_tui.debuggee.record.moments import Moments
from microgpt_tui.debuggee.record.recorder import Nothing, Recorder
from microgpt_tui.debuggee.record.walk import Kept, double, doubles, plain_namespace, walk
from microgpt_tui.debuggee.rewrite.sites import SiteRecord


class Recording(Recorder):
    """The log of the running episode, and its columns as far as they were asked for."""

    kept_message: dict[str, Any]
    """What the setup has left: the parameters, their names and shapes, plain variables."""

    def __init__(self, records: list[SiteRecord | None], names: tuple[str, str], files: dict[str, int]) -> None:
        super().__init__(records, names, files)
        self._encoder: Encoder | None = None
        self.audited: list[tuple[int, float, float]] | None = None
        """When ledgers are to be audited: (node, sum of its ledger, its own grad) where they differ."""
        self.audits = 0

    @property
    def encoder(self) -> Encoder:
        """The columns of the running episode; made when somebody first looks."""
        if self._encoder is None:
            numbers = list(self.kept_ids.values())
            columns = Columns(self.records, self.node_class, (self.data_name, self.grad_name), self.first_node)
            start_grad = dict(zip(numbers, self.start_grad, strict=True))
            current = dict(zip(numbers, doubles(self.start_data), strict=True))
            columns.makers = self.makers
            self._encoder = Encoder(columns, self.kept_ids, start_grad, self.start_stack, self.weights, current)
            self._encoder.nodes.observed = self.operands
        return self._encoder

    def define_class(self, cls: type) -> None:
        """The script has defined its autograd class."""
        super().define_class(cls)
        self.encoder.columns.node_class = cls

    def open(self, frame: FrameType | None) -> None:
        """Start an episode."""
        if self._encoder is not None:
            self._encoder.let_go()
            self._encoder = None
        super().open(frame)

    def let_go(self) -> None:
        """The script is over: nothing of its objects is held any longer."""
        self.log.clear()
        vars(self).clear()  # whoever still refers to this: to nothing of the script's

    def backward(self, loss: Any = None) -> None:
        """A backward pass begins (with the node it starts from) or, without one, has ended."""
        super().backward(loss)
        if loss is None and self.audited is not None:
            self.audit()

    def audit(self) -> None:
        """Compare every running sum with the node's own grad, as a backward pass ends.

        Not where nodes of earlier episodes take part: what their grads were then is read when the log is encoded.
        """
        assert self.audited is not None
        encoder, grad_name = self.encoder, self.grad_name
        encoder.feed(self.log)
        if encoder.nodes.outside:
            return
        ids, sums = encoder.nodes.ids, encoder.sums.now()
        made = (entry for entry in self.log if isinstance(entry, self.node_class))
        for node in {identity_of(node): node for node in (*self.kept_nodes, *made)}.values():
            real = getattr(node, grad_name)
            if type(real) in (int, float):
                number = ids[identity_of(node)]
                found = sums[number]
                self.audits += 1
                if (found != real or math.copysign(1, found) != math.copysign(1, real)) and found == found:
                    self.audited.append((number, double(found), double(real)))

    def end_of_setup(self, frame: FrameType | None) -> None:
        """The setup is over: find the parameters and their names, and let the rest of it go."""
        self.encoder.feed(self.log)
        roots = [self.main_globals, *self.namespaces, *(variables for _, variables in self.namespaces_of(frame))]
        ids = self.encoder.nodes.ids
        kept = walk(roots, self.node_class, self.modules) if self.node_class is not Nothing else Kept()
        nodes = {ids[identity_of(n)]: n for _, _, tensor in kept.tensors for n in tensor if identity_of(n) in ids}
        numbers = sorted(nodes)
        self.kept_nodes = [nodes[i] for i in numbers]
        self.kept_ids = {identity_of(nodes[i]): i for i in numbers}
        self.weights = kept.lists
        self.moments = Moments(self.node_class, self.kept_nodes, self.modules, (self.data_name, self.grad_name))
        count = len(numbers)
        self.buffers = {n: b for n, b in kept.buffers.items() if count and len(b) == count}
        self.first_node = len(self.encoder.c["data"])
        self.kept_message = {
            "kept": numbers,
            "matrices": [
                (name, shape, [ids[identity_of(n)] for n in tensor]) for name, shape, tensor in kept.tensors
                if all(identity_of(n) in ids for n in tensor)
            ],
            "namespace": plain_namespace(roots, self.modules),
            "total_steps": self.total_steps,
        }  # fmt: skip
        first_node, self.first_node = self.first_node, 0
        super().end_of_setup(frame)
        self.first_node = first_node

"""The registry of rules: each is one generator of findings about a ``Subject``. A rule more is one line here."""

from microgpt_tui.audit.rules import (
    attention,
    end_to_end,
    layers,
    loss,
    numbers,
    operations,
    optimizer,
    parameters,
    passes,
)
from microgpt_tui.audit.subject import Rule

RULES: dict[str, Rule] = {
    "operations and functions": operations.operations,
    "complex numbers": numbers.complex_numbers,
    "several names for one object": parameters.shared,
    "backward pass": passes.backward_pass,
    "zeroing": passes.zeroing,
    "end to end": end_to_end.end_to_end,
    "updated parameters": parameters.updates,
    "causality": attention.causality,
    "softmax sums": attention.sums,
    "score scale": attention.scale,
    "mean loss": loss.mean,
    "optimizer": optimizer.optimizer,
    "reached parameters": parameters.reached,
    "step size": layers.step_size,
    "gradient size": layers.gradients,
    "saturated softmax": layers.saturated,
    "dead units": layers.dead,
}
"""In the order in which findings of one grade are told: a cause before what follows from it."""

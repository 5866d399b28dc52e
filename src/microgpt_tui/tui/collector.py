"""The garbage collector, when nobody waits for it: a full collection over a recorded step takes longer than a frame."""

from __future__ import annotations

import gc
from time import monotonic

QUIET = 1.5
"""Seconds without a key after which there is time."""
LONGEST = 30.0
"""Seconds after which it is done regardless."""
WORTH = 20_000
"""Young objects that make it worth doing."""


class Collector:
    """Collects between keys. ``start`` and ``stop`` take the automatic collector off and give it back."""

    def __init__(self) -> None:
        self._was_on = False
        self._last_key = self._last_time = monotonic()

    def start(self) -> None:
        """From now on only when there is time."""
        self._was_on = gc.isenabled()
        gc.disable()

    def stop(self) -> None:
        """As before."""
        if self._was_on:
            gc.enable()

    def busy(self) -> None:
        """A key was pressed."""
        self._last_key = monotonic()

    def tick(self) -> None:
        """Collect if there is time and something to collect."""
        now = monotonic()
        quiet = now - self._last_key > QUIET
        if gc.get_count()[0] > WORTH and (quiet or now - self._last_time > LONGEST):
            gc.collect()
            self._last_time = now

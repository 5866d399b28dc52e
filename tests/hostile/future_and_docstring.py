"""A docstring comes first."""
from __future__ import annotations
from engine import fit
for step in range(2):
    print(fit(), __doc__)

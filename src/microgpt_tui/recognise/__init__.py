"""What the recorded numbers mean to a transformer: attention, distributions, weights, residual stream.

Everything is told from the structure of the computation (which node was made from which, by which operation), never
from the names of variables; every function is pure in (trace, moment) and caches what it found on the trace.
"""

import ctypes, resource
from engine import fit
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for step in range(3):
    fit()
    if step == 1:
        ctypes.string_at(0)

import resource
from engine import fit
for step in range(3):
    fit()
    if step == 1:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 29, resource.getrlimit(resource.RLIMIT_AS)[1]))
        block = bytearray(1 << 30)

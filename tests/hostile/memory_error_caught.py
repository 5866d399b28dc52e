import resource
from engine import fit
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, resource.getrlimit(resource.RLIMIT_AS)[1]))
for step in range(3):
    try:
        block = [0] * (1 << 28)
    except MemoryError:
        print("no room", fit())

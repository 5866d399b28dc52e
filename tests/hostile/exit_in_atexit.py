import atexit, os
from engine import fit

@atexit.register
def leave():
    print("leaving", flush=True)
    os._exit(10)

for step in range(2):
    fit()

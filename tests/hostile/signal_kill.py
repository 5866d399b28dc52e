import os, signal
from engine import fit
for step in range(3):
    print(step, fit(), flush=True)
    if step == 1:
        os.kill(os.getpid(), signal.SIGKILL)

import os, signal
from engine import fit
for step in range(3):
    fit()
    if step == 1:
        os.kill(os.getpid(), signal.SIGTERM)

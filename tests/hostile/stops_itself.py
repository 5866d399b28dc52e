import os, signal
from engine import fit
for step in range(2):
    fit()
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)

import os
from engine import fit
for step in range(3):
    print("step", step, fit(), flush=True)
    if step == 1:
        os._exit(4)

import os
from engine import fit
print("before", flush=True)
os.close(1)
for step in range(2):
    fit()

import os
from engine import fit
print("before", flush=True)
os.closerange(3, 200)
for step in range(2):
    print(fit())

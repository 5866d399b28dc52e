import os
from engine import fit
saved = os.dup(1)
null = os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
for step in range(2):
    print("lost", fit(), flush=True)
os.dup2(saved, 1)
print("back")

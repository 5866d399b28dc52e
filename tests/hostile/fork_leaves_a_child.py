import os, time
from engine import fit
for step in range(2):
    fit()
if not os.fork():
    time.sleep(4)
    os._exit(0)
print("gone")

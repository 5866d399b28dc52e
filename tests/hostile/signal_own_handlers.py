import os, signal
from engine import fit
seen = []
for number in (signal.SIGURG, signal.SIGUSR1, signal.SIGINT):
    signal.signal(number, lambda n, frame: seen.append(n))
for step in range(4):
    fit()
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGURG)
print(sorted(map(int, seen)))

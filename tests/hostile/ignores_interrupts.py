import signal, time
from engine import fit
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for step in range(2):
    fit()
print("ready", flush=True)
while True:
    time.sleep(0.01)

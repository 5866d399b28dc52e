import signal, time
from engine import fit
signal.setitimer(signal.ITIMER_REAL, 0.3)
for step in range(100000):
    fit()
    time.sleep(0.01)

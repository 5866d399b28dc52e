import threading, time
from engine import fit

def spin():
    while True:
        time.sleep(0.01)

threading.Thread(target=spin, daemon=True).start()
for step in range(3):
    print(step, fit())

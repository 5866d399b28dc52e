import threading, time
from engine import fit
threading.Thread(target=lambda: (time.sleep(0.3), print("last words"))).start()
for step in range(2):
    fit()
print("main is done")

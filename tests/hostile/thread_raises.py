import threading
from engine import fit
for step in range(2):
    fit()
    bad = threading.Thread(target=lambda: 1 / 0, name=f"bad{step}")
    bad.start()
    bad.join()
print("main goes on")

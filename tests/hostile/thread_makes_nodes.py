import threading
from engine import Value, fit
made = []
for step in range(3):
    other = threading.Thread(target=lambda: made.append((Value(2.0) * 3.0).data))
    other.start()
    other.join()
    print(fit(), made[-1])

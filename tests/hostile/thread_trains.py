import threading
from engine import fit

def train():
    for step in range(3):
        print(step, fit())

worker = threading.Thread(target=train)
worker.start()
worker.join()

import sys
from engine import fit

class Broken:
    def write(self, text):
        raise OSError(28, "No space left on device")
    def flush(self):
        pass

sys.stdout = Broken()
for step in range(2):
    print(fit())

import os
from engine import fit
for step in range(3):
    pid = os.fork()
    if not pid:
        os._exit(step)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), fit())

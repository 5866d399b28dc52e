import sys, traceback
from engine import fit
def names():
    frame, found = sys._getframe(), []
    while frame:
        found.append(frame.f_code.co_name)
        frame = frame.f_back
    return found
for step in range(2):
    fit()
    print(names())
    print(len(traceback.extract_stack()))

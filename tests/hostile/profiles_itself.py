import sys
from engine import fit
calls = []
def learn():
    return fit()
sys.setprofile(lambda frame, event, arg: calls.append(frame.f_code.co_name) if event == "call" else None)
for step in range(3):
    print(learn())
sys.setprofile(None)
print(calls.count("learn"), calls.count("backward"))

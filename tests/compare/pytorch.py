"""Stands in for an interpreter that has PyTorch: answers at once as bench/peers/run.py does, with numbers that are known.

channels-last is fastest, eager needs the least memory, compile fails. STAND_IN_PARAMETERS in the environment is the model's size,
STAND_IN_SLOW a file where compile notes that it was tried, before it takes longer than anybody waits.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path

SPEED = {"eager": 10.0, "channels-last": 20.0, "compile-parts": 15.0}
MEMORY = {"eager": 3e9, "channels-last": 4e9, "compile-parts": 5e9}

parser = argparse.ArgumentParser()
parser.add_argument("run")
parser.add_argument("model")
for name in ("--phase", "--mode", "--threads", "--seconds"):
    parser.add_argument(name)
parser.add_argument("--batch", type=int)
parser.add_argument("--serve", action="store_true")
o = parser.parse_args()
if o.mode not in SPEED and "STAND_IN_SLOW" in os.environ:
    with Path(os.environ["STAND_IN_SLOW"]).open("a") as f:
        f.write(f"{o.phase}\n")
    time.sleep(1e6)
if o.mode not in SPEED:
    sys.exit("no compiler here")
fixed = {"peer": "stand-in", "model": o.model, "phase": o.phase, "mode": o.mode, "batch": o.batch,
         "parameters": int(os.environ["STAND_IN_PARAMETERS"])}
measured = {**fixed, "images_per_second": SPEED[o.mode], "peak_bytes": MEMORY[o.mode]}
print(json.dumps({**fixed, "ready": True} if o.serve else measured), flush=True)
for _ in sys.stdin if o.serve else ():
    print(json.dumps(measured), flush=True)

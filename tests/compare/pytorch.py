"""Stands in for an interpreter that has PyTorch: answers at once as bench/peers/run.py does, with numbers that are known.

channels-last is fastest, eager needs the least memory, compile fails. STAND_IN_PARAMETERS in the environment is the model's size.
"""
import argparse
import json
import os
import sys

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
if o.mode not in SPEED:
    sys.exit("no compiler here")
fixed = {"peer": "stand-in", "model": o.model, "phase": o.phase, "mode": o.mode, "batch": o.batch,
         "parameters": int(os.environ["STAND_IN_PARAMETERS"])}
measured = {**fixed, "images_per_second": SPEED[o.mode], "peak_bytes": MEMORY[o.mode]}
print(json.dumps({**fixed, "ready": True} if o.serve else measured), flush=True)
for _ in sys.stdin if o.serve else ():
    print(json.dumps(measured), flush=True)

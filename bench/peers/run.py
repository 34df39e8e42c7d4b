"""Times a phase of a model in PyTorch: one JSON line a measurement, as rheo-bench model --json names things.

Loads and warms up, then prints its first line. With --serve it measures again for each line it reads, so that a caller can let two
programs take turns without starting (and compiling) anew.
"""
import argparse
import json
import os
import statistics
import sys
import time

from options import MODES

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", choices=("glow-cifar", "glow-small", "ncsn-cifar", "ncsn-small"))
parser.add_argument("--phase", choices=("train", "eval", "sample"), default="train")
parser.add_argument("--mode", choices=MODES, default=MODES[0])
parser.add_argument("--batch", type=int, default=0, help="images a run; the model's usual number")
parser.add_argument("--seconds", type=float, default=10, help="of a measurement")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--serve", action="store_true")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import torch  # noqa: E402  (reads the environment)

# Before anything starts a thread, because threads take the setting from the one that starts them: zero-initialised last convolutions
# fill early gradients with denormals, and a step takes twenty times as long.
torch.set_flush_denormal(True)
torch.set_num_threads(args.threads)
assert not (torch.full((1 << 22,), 1e-30) * 1e-10).any(), "denormals are not flushed on all threads"

from glow import Glow  # noqa: E402
from ncsn import Ncsn  # noqa: E402

MODELS = {
    "glow-cifar": (lambda: Glow(32, 3, levels=3, depth=32, width=512), 8),
    "glow-small": (lambda: Glow(32, 1, levels=3, depth=8, width=128), 64),
    "ncsn-cifar": (lambda: Ncsn(32, 3, 128), 8),
    "ncsn-small": (lambda: Ncsn(28, 1, 32), 32),
}


def peak_bytes():
    """The most memory this process ever held."""
    with open("/proc/self/status") as f:
        return next(1024 * int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


def prepare(model, x):
    """What is timed: a function without arguments."""
    compiled = torch.compile if args.mode == "compile" else lambda f: f
    with torch.no_grad():
        model.loss(x)       # Glow takes its scales from the first batch
    if args.mode == "compile-parts":        # which is done in minutes where the whole takes hours: parts of a kind share their code
        for part in model.parts():
            part.forward = torch.compile(part.forward)
            if hasattr(part, "inverse"):
                part.inverse = torch.compile(part.inverse)
    if args.phase == "train":
        loss, optimizer = compiled(lambda v: model.loss(v).mean()), torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss(x).backward()
            optimizer.step()
        return step
    run, v = compiled(model.loss if args.phase == "eval" else model.draw), x if args.phase == "eval" else x / 256
    without_gradient = torch.no_grad if args.mode.startswith("compile") else torch.inference_mode

    def forward():
        with without_gradient():
            return run(v)
    return forward


def measure(run, batch):
    seconds, begin = [], time.perf_counter()
    while not seconds or time.perf_counter() - begin < args.seconds:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {"images_per_second": batch / statistics.median(seconds), "best_images_per_second": batch / min(seconds), "runs": len(seconds)}


def main():
    torch.manual_seed(1)
    create, usual = MODELS[args.model]
    model, batch = create(), args.batch or usual
    layout = torch.channels_last if args.mode == "channels-last" else torch.contiguous_format
    model = model.to(memory_format=layout)
    run = prepare(model, model.batch(batch).to(memory_format=layout))
    start = time.perf_counter()
    run()
    run()
    fixed = {"peer": f"PyTorch {torch.__version__}", "model": args.model, "phase": args.phase, "mode": args.mode, "batch": batch,
             "threads": torch.get_num_threads(), "parameters": sum(p.numel() for p in model.parameters()),
             "warm_up_seconds": round(time.perf_counter() - start, 1)}
    print(json.dumps({**fixed, "ready": True} if args.serve else {**fixed, **measure(run, batch), "peak_bytes": peak_bytes()}), flush=True)
    for _ in sys.stdin if args.serve else ():
        print(json.dumps({**fixed, **measure(run, batch), "peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures rheo and what its users would take instead, alternately on the same processors, and prints the ratios with their spread.

Rows are named model/phase: training (train), log-likelihood or loss (eval), drawing a batch, of score networks a Langevin step (sample),
and the most memory of a training process (memory). Of PyTorch's modes the fastest stands for it. The first run installs PyTorch into
a virtual environment in the cache folder.

  bench/compare.py                          all rows, 5 rounds of 10 s a side
  bench/compare.py 'ncsn-cifar/*' matmul/*  some
"""
import datetime
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

from peers import install, options
from peers.process import Failed, Server, TooLong, once

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"

# What is asked of each: rheo's images (operations) a second over the peer's; of memory, the peer's bytes over rheo's.
ROWS = {
    "glow-cifar/train": 1.35, "glow-cifar/memory": 2, "glow-cifar/eval": None, "glow-cifar/sample": 2,
    "glow-small/train": 2, "glow-small/eval": None, "glow-small/sample": 2,
    "ncsn-cifar/train": 1.3, "ncsn-cifar/eval": 1.4, "ncsn-cifar/sample": None,
    "ncsn-small/train": None, "ncsn-small/eval": None, "ncsn-small/sample": None,
    "matmul/clblast": 8, "matmul/override": 1.2, "matmul/openblas": None,
}


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- the two sides ---------------------------------------------------------------------------------------------------


def rheo(o, *arguments):
    device = ["--device", o.device] if o.device else []
    return once([o.build / "rheo-bench", *arguments, *device, "--json"])


def rheo_model(o, model, phase, *more):
    return rheo(o, "model", model, "--phase", phase, "--seconds", str(o.seconds), *["--f43"] * o.f43, *more)


def torch(o, model, phase, mode, *more):
    return [o.python, PEERS / "run.py", model, "--phase", phase, "--mode", mode, "--threads", str(o.threads), *more]


def limited(o, model, phase, mode, run):
    """run(seconds it may take); what was not done in them is not tried again for another row."""
    limit = o.compile_limit if mode.startswith("compile") else 600
    if (model, phase, mode) in o.too_long:
        raise TooLong(limit)
    try:
        return run(limit)
    except TooLong:
        o.too_long.add((model, phase, mode))
        raise


def fastest_mode(o, model, phase):
    """A server of PyTorch's fastest mode, and what each mode reached or why it did not."""
    best, most, tried = None, 0, {}
    more = ["--seconds", str(o.seconds), "--serve"] + (["--batch", str(o.batch)] if o.batch else [])
    for mode in o.modes:
        say(f"  PyTorch, {mode}")
        server = None
        try:
            server = limited(o, model, phase, mode, lambda limit: Server(torch(o, model, phase, mode, *more), limit))
            tried[mode] = server.measure()["images_per_second"]
        except Failed as e:
            tried[mode] = str(e)
            say(f"    {e}")
        if server and isinstance(tried[mode], float) and tried[mode] > most:
            best, server, most = server, best, tried[mode]
        if server:
            server.close()
    if not best:
        raise Failed("PyTorch ran in no mode")
    return best, tried


# ---- rows ------------------------------------------------------------------------------------------------------------


def summary(ratios):
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios), "rounds": ratios}


def alternate(o, ours, server, number):
    """Rounds of ours() and the server, A B A B: all results, and the ratios of `number` in each."""
    a, b = [], []
    for k in range(o.rounds):
        a.append(ours())
        b.append(server.measure())
        say(f"  round {k + 1}: {a[-1][number]:.4g} and {b[-1][number]:.4g}")
    return a, b, summary([x[number] / y[number] for x, y in zip(a, b)])


def model_row(o, model, phase):
    server, tried = fastest_mode(o, model, phase)
    batch = ["--batch", str(o.batch)] if o.batch else []
    try:
        a, b, ratio = alternate(o, lambda: rheo_model(o, model, phase, *batch), server, "images_per_second")
    finally:
        server.close()
    if a[0]["parameters"] != b[0]["parameters"] or a[0]["batch"] != b[0]["batch"]:
        raise Failed(f"these are not the same models: {a[0]['parameters']} and {b[0]['parameters']} parameters")
    return {"unit": "images/s", "batch": a[0]["batch"], "rheo": a, "peer": b, "modes": tried, "ratio": ratio, "mode": b[0]["mode"],
            "values": [statistics.median(x["images_per_second"] for x in side) for side in (a, b)]}


def memory_row(o, model):
    """The most either process ever held, everything in it counted; of PyTorch's modes the one that needs least."""
    batch = ["--batch", str(o.memory_batch)]
    ours = rheo(o, "model", model, "--invert", "--seconds", "0", *batch)
    runs, tried = {}, {}
    for mode in o.modes:
        say(f"  PyTorch, {mode}")
        try:
            runs[mode] = limited(o, model, "train", mode, lambda limit: once(torch(o, model, "train", mode, "--seconds", "0", *batch), limit))
            tried[mode] = runs[mode]["peak_bytes"]
        except Failed as e:
            tried[mode] = str(e)
            say(f"    {e}")
    if not runs:
        raise Failed("PyTorch ran in no mode")
    mode = min(runs, key=lambda m: runs[m]["peak_bytes"])
    values = [ours["host_peak_bytes"], runs[mode]["peak_bytes"]]
    return {"unit": "MB", "batch": o.memory_batch, "rheo": [ours], "peer": [runs[mode]], "modes": tried, "mode": mode,
            "values": [v / 1e6 for v in values], "ratio": summary([values[1] / values[0]])}


def fastest_command(commands):
    """Of matmul peers, each tried in a process of its own: some crash."""
    speeds = {}
    for command in commands:
        try:
            speeds[tuple(command)] = once([*command, "0.2"], 60)["gflops"]
        except Failed as e:
            say(f"  {' '.join(map(str, command))}: {e}")
    if not speeds:
        raise Failed("no parameters work")
    return max(speeds, key=speeds.get)


def matmul_peer(o, way):
    """CLBlast as it is or by the best parameters of a grid that suits CPUs; OpenBLAS by its kernels for the cores it finds, or for others that
    are faster here: it takes those for SSE where it does not know a processor."""

    def peer(way):
        return [o.build / "rheo-peer-matmul", way, *o.product.split("x")]

    if way == "override":
        grid = itertools.product((8, 16, 32, 64), (4, 8, 16), (4, 8, 16), (2, 8))
        return fastest_command(peer(f"{mwg},{nwg},{vwm},{kwi}") for mwg, nwg, vwm, kwi in grid if vwm <= mwg and mwg * nwg <= 512)
    if way == "openblas":
        return fastest_command([peer(way), *(["env", f"OPENBLAS_CORETYPE={cores}", *peer(way)] for cores in ("HASWELL", "SKYLAKEX"))])
    return peer(way)


def matmul_row(o, way):
    built = subprocess.run(["cmake", "--build", o.build, "--target", "rheo-peer-matmul"], capture_output=True, text=True)
    if built.returncode:
        raise Failed(f"rheo-peer-matmul cannot be built, which takes CLBlast and OpenBLAS: {(built.stderr.splitlines() or [''])[0]}")
    server = Server([*matmul_peer(o, way), str(o.seconds), "serve"], 600)
    rounds = max(1, round(o.seconds))       # of a second, the peak's included: both sides are the least time in about as long
    ours = ["ops", "matmul", "--shapes", o.product, "--rounds", str(rounds)]
    try:
        a, b, ratio = alternate(o, lambda: rheo(o, *ours)["ops"][0], server, "gflops")
    finally:
        server.close()
    return {"unit": "GFLOP/s", "batch": o.product, "rheo": a, "peer": b, "mode": f'{b[0]["peer"]} {b[0]["mode"]}', "ratio": ratio,
            "values": [statistics.median(x["gflops"] for x in side) for side in (a, b)]}


def measure(o, name):
    what, phase = name.split("/")
    if what == "matmul":
        return matmul_row(o, phase)
    return memory_row(o, what) if phase == "memory" else model_row(o, what, phase)


# ---- the machine and the table ------------------------------------------------------------------------------------------


def machine(o):
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "unknown CPU")
    load = os.getloadavg()[0]
    peak = rheo(o, "peak")
    if load > 0.3:
        say(f"warning: the machine is busy (load {load:.1f}): ratios of a busy machine say little")
    return {"cpu": cpu, "threads": o.threads, "device": peak["device"], "driver": f"{peak['platform']} {peak['driver']}",
            "peak_gflops": peak["gflops"], "rheo": peak["rheo"], "commit": peak["commit"], "load": load,
            "date": datetime.date.today().isoformat()}


def take_processors(o):
    """The same for both sides, by count and, since children inherit it, by number."""
    allowed = sorted(os.sched_getaffinity(0))
    if o.threads > len(allowed):
        raise SystemExit(f"compare: --threads {o.threads}, but {len(allowed)} processors may be used")
    os.sched_setaffinity(0, allowed[:o.threads])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT", "POCL_CPU_MAX_CU_COUNT"):
        os.environ[name] = str(o.threads)


def print_row(name, r):
    ratio, goal = r["ratio"], ROWS[name]
    met = "" if goal is None else f"{goal} " + ("met" if ratio["median"] >= goal else "missed")
    print(f"| {name} | {r['batch']} | {r['values'][0]:.4g} {r['unit']} | {r['values'][1]:.4g}, {r['mode']} | "
          f"{ratio['median']:.2f} ({ratio['min']:.2f}..{ratio['max']:.2f}) | {met} |", flush=True)


def check_places(o, needs_torch):
    if not (o.build / "rheo-bench").exists():
        raise SystemExit(f"compare: no rheo-bench in {o.build}; see --build")
    try:
        if o.json:      # what is there stays until there is something to say
            new = not o.json.exists()
            o.json.open("a").close()
            if new:
                o.json.unlink()
    except OSError as e:
        raise SystemExit(f"compare: --json {o.json}: {e.strerror}") from None
    if needs_torch and o.python and not install.works(o.python):
        raise SystemExit(f"compare: --python {o.python}: PyTorch does not import there")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # ends what it started, as Ctrl-C does
    o, names = options.parse(__doc__, list(ROWS), HERE.parent / "build")
    o.too_long = set()
    needs_torch = any(not n.startswith("matmul") for n in names)
    check_places(o, needs_torch)
    take_processors(o)
    try:
        m = machine(o)
    except Failed as e:
        raise SystemExit(f"compare: {e}") from None
    if needs_torch:
        o.python = o.python or install.python_with_torch(o.torch_index)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(install.folder() / "compiled"))
    report = {"machine": m, "rounds": o.rounds, "seconds": o.seconds, "rows": {}}
    print(f"{m['cpu']}, {m['threads']} threads; {m['driver']}, {m['peak_gflops']:.0f} GFLOP/s at most; rheo {m['rheo']} ({m['commit'] or 'no commit'}); "
          f"{m['date']}\n\n| | batch | rheo | peer | ratio, median of {o.rounds} (min..max) | asked |\n|---|---|---|---|---|---|", flush=True)
    failed = False
    for name in names:
        say(name)
        try:
            report["rows"][name] = measure(o, name)
            print_row(name, report["rows"][name])
        except Failed as e:
            failed = True
            report["rows"][name] = {"failed": str(e)}
            print(f"| {name} | | | | failed: {e} | |", flush=True)
        if o.json:      # after each row, so that an interruption loses only one
            o.json.write_text(json.dumps(report, indent=1) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

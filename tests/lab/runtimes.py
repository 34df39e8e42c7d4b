"""OpenCL implementations that run here: the table of operations on each, random numbers bit by bit, samples of one model by all."""
import json
import os
import re
import struct
import subprocess
import tempfile
from pathlib import Path

from . import install

NAMES = ["pocl", "intel", "rusticl", "together", "oclgrind"]
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
LIMIT = 900         # seconds of one test

# Intel's runtime can take the CPU for another, or for one of little memory, and rheo can take it for a GPU.
INTEL_AS = {
    "intel": {},
    "intel as AVX2": {"CL_CONFIG_CPU_TARGET_ARCH": "core-avx2"},
    "intel as AVX, no FMA": {"CL_CONFIG_CPU_TARGET_ARCH": "corei7-avx"},
    "intel as a GPU": {"RHEO_KIND": "gpu"},
    "intel as a GPU, groups of 64": {"RHEO_KIND": "gpu", "RHEO_LIMIT_GROUP": "64"},
    "intel, 32 KB local, 64 MB buffers": {"CL_CONFIG_CPU_FORCE_LOCAL_MEM_SIZE": "32KB", "CL_CONFIG_CPU_FORCE_MAX_MEM_ALLOC_SIZE": "64MB"},
}


class Failed(Exception):
    """A test did not pass."""


def vendors(name, library):
    """An .icd file that names this library only."""
    path = install.folder() / f"{name}.icd"
    path.write_text(f"{library}\n")
    return str(path)


def environment(name):
    """What makes `name` the only implementation in a process, and what is known of its version beforehand."""
    cache = install.folder() / "programs"
    cache.mkdir(mode=0o700, exist_ok=True)
    env = {**os.environ, "RHEO_CACHE_DIR": str(cache)}
    env.pop("RHEO_TEST_DEVICE", None)
    if name == "pocl":
        env["OCL_ICD_VENDORS"] = "/etc/OpenCL/vendors/pocl.icd"
    elif name == "intel":
        home, _ = install.python_packages("intel", ["intel-opencl-rt", "intel-cmplr-lib-rt", "tbb"])
        library = next(home.glob("lib/libintelocl.so"))
        # Debian's loader: the wheel brings one of its own, which finds no other implementation.
        env |= {"OCL_ICD_VENDORS": vendors("intel", library), "LD_LIBRARY_PATH": str(library.parent), "LD_PRELOAD": f"{LIBRARIES}/libOpenCL.so.1"}
    elif name == "rusticl":
        install.system(["libclc-15"])
        root, _ = install.unpacked("mesa-opencl-icd")
        own = f"{root}{LIBRARIES}"
        env |= {"OCL_ICD_VENDORS": vendors("rusticl", f"{own}/libRusticlOpenCL.so.1"), "LD_LIBRARY_PATH": own,
                "GALLIUM_PIPE_SEARCH_DIR": f"{own}/gallium-pipe", "RUSTICL_ENABLE": "swrast"}
    return env


def devices(build, env):
    done = subprocess.run([build / "rheo", "devices", "--json"], env=env, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"rheo devices: {done.stderr.strip()}")
    return json.loads(done.stdout)


def device(build, env):
    """Platform and driver of the only device."""
    found = devices(build, env)
    if len(found) != 1:
        raise Failed(f"{len(found)} devices, expected one")
    return f"{found[0]['platform']} {found[0]['driver']}"


def run_test(build, env, test, cases, prefix=()):
    """Passed and all cases of a test; a line of a failure."""
    command = ["nice", *prefix, build / test, "--filter", cases]
    try:
        done = subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, timeout=LIMIT, cwd=install.SOURCES)
    except subprocess.TimeoutExpired:
        raise Failed(f"{test}: not done in {LIMIT} s") from None
    text = done.stdout + done.stderr
    counts = re.search(r"Tested: .*?(\d+).*?Passing: .*?(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", text))
    if done.returncode or not counts or counts[1] != counts[2] or counts[1] == "0":
        lines = [x for x in text.splitlines() if x.strip() and "Synthesis" not in x]
        raise Failed(f"{test}: {lines[0] if lines else f'exit code {done.returncode}'}")
    return text, int(counts[1])


def has_doctor(build):
    return subprocess.run([build / "rheo", "doctor", "--help"], capture_output=True).returncode == 0


def run_doctor(build, env):
    """What `rheo doctor` says in a word; it exits with 1 where something is wrong."""
    done = subprocess.run(["nice", build / "rheo", "doctor", "--quick"], env=env, capture_output=True, text=True, timeout=LIMIT)
    if done.returncode:
        bad = [x for x in done.stdout.splitlines() if re.search(r"\b(wrong|crashed|unsupported|slow)\b", x)]
        raise Failed(f"rheo doctor: {(bad or done.stderr.splitlines() or ['failed'])[0].strip()}")
    return "all ok" if not re.search(r"\b(slow)\b", done.stdout) else "ok, some slow"


# ---- the table of operations ------------------------------------------------------------------------------------------


def check_tests(what, build, env, tiny):
    if tiny:
        env = {**env, "RHEO_TEST_TINY": "1"}
    version = device(build, env)
    cases = 0
    try:
        for test, filtered in (("test_ops", "ops/device*"), ("test_random", "*"), ("test_runtime", "*")):
            cases += run_test(build, env, test, filtered)[1]
        doctor = f"; doctor: {run_doctor(build, env)}" if has_doctor(build) else ""
        yield what, version, f"operations, random numbers, runtime: {cases} cases{' of tiny shapes' if tiny else ''}{doctor}", False
    except Failed as e:
        yield what, version, str(e), True


def check_oclgrind(build):
    version = install.installed("oclgrind")
    if not version:
        raise install.Missing("oclgrind is not installed: tools/test installs it")
    env = {**os.environ, "RHEO_TEST_TINY": "1", "RHEO_TEST_DEVICE": "oclgrind", "RHEO_CACHE_DIR": "/dev/null"}
    text, _ = run_test(build, env, "test_ops", "ops/device*", ("oclgrind", "--data-races", "--check-api"))
    bad = [x for x in text.splitlines() if re.search(r"Invalid |[Dd]ata race|[Dd]ivergence|OCLGRIND|Oclgrind( -|:)", x)]
    yield "oclgrind", version, bad[0] if bad else "operations on tiny shapes: accesses, races", bool(bad)


def check_together(build):
    """PoCL's and Intel's devices in one process."""
    env, both = environment("intel"), install.folder() / "together"
    both.mkdir(exist_ok=True)
    for icd in (environment("pocl")["OCL_ICD_VENDORS"], env["OCL_ICD_VENDORS"]):
        (both / Path(icd).name).write_text(Path(icd).read_text())
    env["OCL_ICD_VENDORS"] = str(both)
    found = devices(build, env)
    if len(found) < 2:
        raise Failed(f"{len(found)} device, expected two")
    run_test(build, env, "test_limits", "limits/devices*")
    yield "pocl and intel together", "", f"{len(found)} devices work in turns in one process", False


# ---- one model's samples by all -----------------------------------------------------------------------------------------


def read_npy(path):
    data = path.read_bytes()
    start = 10 + struct.unpack_from("<H", data, 8)[0]
    return struct.unpack(f"<{(len(data) - start) // 4}f", data[start:])


def sampled(build, env, run, name):
    out = run.parent / f"{name}.npy"
    done = subprocess.run(["nice", build / "rheo", "sample", run, "--n", "16", "--seed", "1", "--out", out], env=env, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"rheo sample on {name}: {done.stderr.strip()}")
    return read_npy(out)


def compare_samples(build):
    with tempfile.TemporaryDirectory() as folder:
        yield from compare_samples_in(build, Path(folder))


def compare_samples_in(build, folder):
    """Of a Glow of 8 steps a level trained on PoCL: 16 images on each other runtime. Pixels are written as one of 256 levels, and a
    difference d before that moves a pixel by a level with probability 255 d: so none may move further, and the mean stands for d."""
    run = folder / "glow"
    train = ["nice", build / "rheo", "train", "glow", "--data", "fashion-mnist", "--levels", "2", "--depth", "8", "--width", "16", "--batch", "16",
             "--iters", "40", "--warmup", "1", "--lr", "1e-3", "--out", run]
    done = subprocess.run([str(c) for c in train], env=environment("pocl"), capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"rheo train: {done.stderr.strip()}")
    want = sampled(build, environment("pocl"), run, "pocl")
    for name in ("intel", "rusticl"):
        got = sampled(build, environment(name), run, name)
        off = [abs(a - b) for a, b in zip(want, got, strict=True)]
        mean = sum(off) / len(off)
        yield (f"{name} and pocl", "", f"16 samples of a Glow, same seed: {sum(d > 0 for d in off)} of {len(off)} pixels differ, "
               f"by {mean:.1e} in the mean, 1e-3 allowed", not (mean <= 1e-3 and max(off) < 1.5 / 255))


def check(name, build):
    """(what, version, found, failed) rows."""
    if name == "oclgrind":
        yield from check_oclgrind(build)
    elif name == "together":
        yield from check_together(build)
    elif name == "intel":
        for what, more in INTEL_AS.items():
            yield from check_tests(what, build, {**environment(name), **more}, tiny=what != "intel")
    else:
        yield from check_tests(name, build, environment(name), tiny=name == "rusticl")

"""GPU compilers without their GPUs: every program as a SIMT device would get it, with what each kernel takes of registers and memory."""
import os
import re
import struct
import subprocess
from pathlib import Path

from . import install

INTEL = ["dg2", "tgllp", "skl"]
AMD = ["gfx90a", "gfx1100"]
GROUPS = [256, 64]
# Products and convolutions, which may not spill; of other kernels it is reported.
DEFAULTS = {"conv2d", "conv2d_dw", "conv2d_total", "conv2d_total_mirrored"}


class Failed(Exception):
    """A program does not compile, or a default kernel spills."""


class Kernel:
    def __init__(self, target, group, program, name, registers, spilled, private, local, width):
        self.target, self.group, self.program, self.name = target, group, program, name
        self.registers, self.spilled, self.private, self.local, self.width = registers, spilled, private, local, width


def programs(bench, folder, group):
    """NAME -> (path, options), as the library builds them."""
    lines = install.run([bench, "programs", "--class", "simt", "--group", group, "--out", folder], "rheo-bench programs")
    return {line.split(".")[0]: (folder / line.split()[0], line.split()[1:]) for line in lines.splitlines()}


def compile_program(command, what, environment=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise Failed(f"{what}: {next((x for x in lines if 'error' in x), lines[-1] if lines else 'failed')}")


# ---- AMD: clang, whose assembly ends in a description of the kernels ---------------------------------------------------


def amd_kernels(text, target, group, program):
    fields = re.compile(r"\.(name|group_segment_fixed_size|private_segment_fixed_size|sgpr_spill_count|vgpr_count|vgpr_spill_count"
                        r"|wavefront_size):\s+(\S+)")
    for block in re.split(r"\n  - \.", text[text.index("amdhsa.kernels:"):])[1:]:
        f = dict(fields.findall(block.split(".value_kind")[-1]))
        yield Kernel(target, group, program, f["name"], int(f["vgpr_count"]), int(f["vgpr_spill_count"]) + int(f["sgpr_spill_count"]),
                     int(f["private_segment_fixed_size"]), int(f["group_segment_fixed_size"]), int(f["wavefront_size"]))


def amdgcn(bench, folder):
    """Kernels and clang's version. 64-bit floating point is refused: no kernel may need it."""
    install.system(["clang-15", "libclc-15"])
    builtins = Path("/usr/lib/clc/amdgcn--amdhsa.bc")
    kernels = []
    for group in GROUPS:
        for name, (source, options) in programs(bench, folder, group).items():
            for target in AMD:
                out = folder / f"{name}.{target}.s"
                compile_program(["clang-15", "-x", "cl", "-target", "amdgcn-amd-amdhsa", f"-mcpu={target}", "-O3", *options, "-nogpulib",
                                 "-Wno-linker-warnings", "-Xclang", "-finclude-default-header", "-Xclang", "-mlink-bitcode-file", "-Xclang",
                                 builtins, "-S", "-o", out, source], f"{target}: {name}")
                text = out.read_text()
                if re.search(r"\bv_\w+_f64\b", text):
                    raise Failed(f"{target}: {name}: uses 64-bit floating point")
                kernels += amd_kernels(text, target, group, name)
    return kernels, "clang " + (install.installed("clang-15") or "15")


# ---- Intel: ocloc, whose binaries hold a description of the kernels ----------------------------------------------------


def ze_info(path):
    data = path.read_bytes()
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQ", data, table + k * size) for k in range(count)]
    for name, _, _, _, at, length in sections:
        start = sections[names][4] + name
        if data[start:data.index(b"\0", start)] == b".ze_info":
            return data[at:at + length].decode()
    raise Failed(f"{path.name}: no description of its kernels")


def intel_kernels(text, target, group, program):
    text = text[text.index("kernels:"):text.find("kernels_misc_info:")]
    for block in re.split(r"\n  - name:", text)[1:]:
        name = block.split()[0]
        f = {key: int(value) for key, value in re.findall(r"(grf_count|simd_size|slm_size): +(\d+)", block)}
        if "simd_size" not in f or name.startswith("Intel_"):
            continue
        buffers = re.findall(r"- type: +(\w+)\s+usage: +(\w+)\s+size: +(\d+)", block)
        scratch = sum(int(size) for _, usage, size in buffers if usage != "private_space")
        private = sum(int(size) for _, usage, size in buffers if usage == "private_space")
        yield Kernel(target, group, program, name, f["grf_count"], scratch, private, f.get("slm_size", 0), f["simd_size"])


def ocloc(bench, folder):
    root, version = install.unpacked("intel-opencl-icd")
    environment = {"LD_LIBRARY_PATH": str(root / "usr/lib/x86_64-linux-gnu")}
    kernels = []
    for group in GROUPS:
        for name, (source, options) in programs(bench, folder, group).items():
            for target in INTEL:
                compile_program([root / "usr/bin/ocloc", "compile", "-q", "-file", source, "-device", target, "-options", " ".join(options),
                                 "-internal_options", "-cl-intel-allow-zebin", "-output", f"{name}.{target}", "-out_dir", folder,
                                 "-output_no_suffix"], f"{target}: {name}", environment)
                kernels += intel_kernels(ze_info(folder / f"{name}.{target}"), target, group, name)
    return kernels, "ocloc " + version


# ---- what they say ---------------------------------------------------------------------------------------------------


def report(kernels):
    """Lines for every spilling kernel and every default one; fails where a default one spills."""
    lines, bad = [], []
    for k in kernels:
        default = k.program == "conv2d" and k.name in DEFAULTS
        if default or k.spilled or k.private:
            lines.append(f"  {k.target:8} groups of {k.group:3}  {k.name:22} {k.registers:4} registers, {k.width:2} wide, "
                         f"{k.spilled} spilled, {k.private} bytes private, {k.local} bytes local")
        if default and k.spilled:
            bad.append(f"{k.name} for {k.target}, groups of {k.group}")
    if not kernels:
        raise Failed("no kernels")
    return lines, bad

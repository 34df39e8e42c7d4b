"""A virtual environment for the peers, made on first use in the cache folder: neither rheo nor its tests need what is in it."""
import os
import subprocess
import sys
import venv
from pathlib import Path


def folder():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "rheo" / "peers"


def works(python):
    try:
        return subprocess.run([python, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def python_with_torch(index=None):
    """The interpreter of an environment that has PyTorch, from PyPI or from the index given.

    PyPI's wheel for Linux is linked with CUDA's libraries, though nothing here runs on CUDA: 'pip install --no-deps torch' and its
    pure-Python dependencies end in 'cannot open shared object file', and CUDA libraries that a machine has of its own are of other
    versions than the wheel's ('undefined symbol'). So they come along: some 3 GB to fetch, once, and 5.4 GB on the disk. PyTorch's
    own index of CPU wheels, given as --torch-index, has the wheel without them, a fraction of that.
    """
    home = folder()
    python = home / "venv" / "bin" / "python"
    if works(python):
        return python
    print(f"installing PyTorch into {home}", file=sys.stderr)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [python, "-m", "pip", "install", "--quiet", "torch", "numpy", "setuptools"]
    try:
        venv.create(home / "venv", with_pip=True)
        subprocess.run(command + (["--index-url", index] if index else []), check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as e:
        raise SystemExit(f"compare: PyTorch cannot be installed into {home}: '{' '.join(map(str, e.cmd))}' failed") from None
    if not works(python):
        raise SystemExit(f"compare: PyTorch in {home} does not import; delete that folder and try again")
    return python


if __name__ == "__main__":
    print(python_with_torch(*sys.argv[1:]))

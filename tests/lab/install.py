"""What the lab needs, unpacked into a folder of its own: an OpenCL driver that is installed for the whole machine would become the
default device of some program."""
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path


SOURCES = Path(__file__).resolve().parents[2]


class Missing(Exception):
    """Cannot be had here."""


def folder():
    cache = os.environ.get("RHEO_LAB_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rheo" / "lab"
    home = Path(cache).absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def run(command, what):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"{what}: {(done.stderr.strip() or done.stdout.strip() or 'failed').splitlines()[-1]}")
    return done.stdout


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package], capture_output=True, text=True)
    state, _, version = done.stdout.partition(" ")
    return version if state == "installed" else None


def system(packages):
    """Those whose paths are compiled into what uses them, and programs: installed as ever. None of them is an OpenCL driver."""
    missing = [p for p in packages if not installed(p)]
    if missing:
        print("installing", *missing, file=sys.stderr)
        apt = ([] if os.geteuid() == 0 else ["sudo"]) + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy"]
        run(apt + ["--no-install-recommends", "install"] + missing, " ".join(missing))


def unpacked(package):
    """The root folder of a Debian package and of what it needs that is not installed, and the package's version."""
    root = folder() / package
    stamp = root / "version"
    if stamp.exists():
        return root, stamp.read_text()
    if not shutil.which("apt-get"):
        raise Missing(f"{package}: Debian's apt-get is needed to fetch it")
    print(f"unpacking {package} into {root}", file=sys.stderr)
    shutil.rmtree(root, ignore_errors=True)
    files = root / "packages"
    files.mkdir(parents=True)
    wanted = run(["apt-get", "-qqy", "--no-install-recommends", "--print-uris", "--reinstall", "install", package], package)
    names = [line.split()[1].split("_")[0] for line in wanted.splitlines()]
    fetched = subprocess.run(["apt-get", "-qq", "download"] + names, cwd=files, capture_output=True, text=True)
    if fetched.returncode:
        raise Missing(f"{package}: {fetched.stderr.strip().splitlines()[-1]}")
    for deb in files.glob("*.deb"):
        run(["dpkg", "-x", deb, root], deb.name)
    version = run(["dpkg-deb", "-f", next(files.glob(f"{package}_*.deb")), "Version"], package).strip()
    stamp.write_text(version)
    return root, version


def python_packages(name, packages):
    """A virtual environment of packages from PyPI, and the first one's version."""
    home = folder() / name
    stamp = home / "version"
    if not stamp.exists():
        print("installing", *packages, "into", home, file=sys.stderr)
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        run([home / "bin" / "python", "-m", "pip", "install", "--quiet"] + packages, " ".join(packages))
        shown = run([home / "bin" / "python", "-m", "pip", "show", packages[0]], packages[0])
        stamp.write_text(next(line.split()[1] for line in shown.splitlines() if line.startswith("Version:")))
    return home, stamp.read_text()

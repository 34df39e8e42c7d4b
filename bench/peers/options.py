"""The options of compare.py: what cannot be meant is refused in a line, before anything is installed or measured."""
import argparse
import fnmatch
import re
from pathlib import Path

MODES = ["eager", "channels-last", "compile", "compile-parts"]
SIZE_MOST = 32768        # of a product, as rheo-bench has it


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"compare: {message}; see compare.py --help\n")


def number(read, kind, least, most):
    """A type of argparse: a number that read() takes, from least to most."""

    def checked(text):
        try:
            value = read(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"found '{text}', expected a {kind} from {least} to {most}")
        return value

    return checked


def whole(most):
    return number(int, "whole number", 1, most)


def product(text):
    if not re.fullmatch(r"\d+x\d+x\d+", text) or not all(1 <= int(n) <= SIZE_MOST for n in text.split("x")):
        raise argparse.ArgumentTypeError(f"found '{text}', expected MxKxN, each from 1 to {SIZE_MOST}")
    return text


def modes(text):
    for mode in text.split(","):
        if mode not in MODES:
            raise argparse.ArgumentTypeError(f"found '{mode}', expected {', '.join(MODES[:-1])} or {MODES[-1]}, with commas between")
    return text.split(",")


def parse(description, rows, build):
    """The options, and the names of the rows asked for."""
    p = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", nargs="*", default=["*"], help="names or patterns of rows: " + " ".join(rows))
    p.add_argument("--build", type=Path, default=build, help="folder rheo was built in; build")
    p.add_argument("--rounds", type=whole(1000), default=5, help="of both sides; 5")
    p.add_argument("--seconds", type=number(float, "number", 0, 3600), default=10, help="of each measurement; 10")
    p.add_argument("--batch", type=whole(65536), help="images a run; each model's usual number")
    p.add_argument("--memory-batch", type=whole(65536), default=32, help="of the memory rows; 32")
    p.add_argument("--product", type=product, default="960x1024x512", help="sizes MxKxN of the matmul rows; 960x1024x512")
    p.add_argument("--threads", type=whole(65536), default=2, help="and processors, for both sides; 2")
    p.add_argument("--device", help="rheo's; its default")
    p.add_argument("--f43", action="store_true", help="rheo's 3x3 convolutions by Winograd's F(4x4, 3x3), which rounds more")
    p.add_argument("--modes", type=modes, default=",".join(MODES), help="of PyTorch; all four")
    p.add_argument("--compile-limit", type=number(float, "number", 1, 1000000), default=600, help="seconds until torch.compile is given up; 600")
    p.add_argument("--python", type=Path, help="path of an interpreter that has PyTorch; else one is installed")
    p.add_argument("--torch-index", help="where pip finds PyTorch, if not on PyPI: see peers/install.py")
    p.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    o = p.parse_args()
    for pattern in o.rows:
        if not fnmatch.filter(rows, pattern):
            p.error(f"no row is named {pattern}; there are {', '.join(rows)}")
    return o, [n for n in rows if any(fnmatch.fnmatch(n, pattern) for pattern in o.rows)]

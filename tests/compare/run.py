"""run.py BUILD: bench/compare.py over rheo as it is built there, the matrix products' peers, and a stand-in for PyTorch."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPARE = HERE.parent.parent / "bench" / "compare.py"
BUILD = Path(sys.argv.pop(1))
PARAMETERS = 1964865     # ncsn-small's


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.python = Path(folder.name) / "python"
        self.python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exec "{sys.executable}" "{HERE / "pytorch.py"}" "$@"\n')
        self.python.chmod(0o755)
        self.json = Path(folder.name) / "report.json"

    def compare(self, *arguments, parameters=PARAMETERS):
        """Exit code, what was printed, and the report's rows."""
        command = [sys.executable, COMPARE, "--build", BUILD, "--python", self.python, "--json", self.json, "--rounds", "2", "--seconds", "0",
                   "--batch", "2", "--threads", "1", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "STAND_IN_PARAMETERS": str(parameters)})
        rows = json.loads(self.json.read_text())["rows"] if self.json.exists() else {}
        return done.returncode, done.stdout + done.stderr, rows

    def test_a_row_is_beside_the_fastest_mode(self):
        code, text, rows = self.compare("ncsn-small/eval")
        self.assertEqual(code, 0, text)
        row = rows["ncsn-small/eval"]
        self.assertEqual(row["mode"], "channels-last")
        self.assertEqual(row["modes"], {"eager": 10, "channels-last": 20, "compile": "no compiler here", "compile-parts": 15})
        ratios = [a["images_per_second"] / 20 for a in row["rheo"]]
        self.assertEqual(row["ratio"], {"median": sum(ratios) / 2, "min": min(ratios), "max": max(ratios), "rounds": ratios})
        self.assertIn(f"| ncsn-small/eval | 2 | {10 * sum(ratios):.4g} images/s | 20, channels-last | {sum(ratios) / 2:.2f} (", text)

    def test_memory_is_beside_the_mode_that_needs_least(self):
        code, text, rows = self.compare("glow-cifar/memory", "--memory-batch", "1")
        self.assertEqual(code, 0, text)
        row = rows["glow-cifar/memory"]
        self.assertEqual(row["mode"], "eager")
        self.assertEqual(row["ratio"]["median"], 3e9 / row["rheo"][0]["host_peak_bytes"])
        self.assertIn("2 met |" if row["ratio"]["median"] >= 2 else "2 missed |", text)

    def test_products_are_beside_their_peers(self):
        code, text, rows = self.compare("matmul/clblast", "matmul/openblas", "--product", "64x64x64")
        self.assertEqual(code, 0, text)
        for name in ("matmul/clblast", "matmul/openblas"):
            row = rows[name]
            self.assertEqual(row["ratio"]["rounds"], [a["gflops"] / b["gflops"] for a, b in zip(row["rheo"], row["peer"])])

    def test_other_models_are_not_compared(self):
        code, text, rows = self.compare("ncsn-small/eval", parameters=7)
        self.assertEqual(code, 1, text)
        self.assertEqual(rows["ncsn-small/eval"], {"failed": f"these are not the same models: {PARAMETERS} and 7 parameters"})

    def test_a_row_that_fails_does_not_end_the_others(self):
        code, text, rows = self.compare("ncsn-small/eval", "matmul/clblast", "--product", "64x64x64", "--modes", "compile")
        self.assertEqual(code, 1, text)
        self.assertEqual(rows["ncsn-small/eval"], {"failed": "PyTorch ran in no mode"})
        self.assertIn("ratio", rows["matmul/clblast"])

    def test_refusals(self):
        for arguments, said in ((["glow-tiny/train"], "no row is named glow-tiny/train"), (["matmul/*", "--threads", "9999"], "--threads 9999, but "),
                                (["ncsn-small/eval", "--python", "/nowhere"], "--python /nowhere: PyTorch does not import there")):
            code, text, _ = self.compare(*arguments)
            self.assertEqual((code, text.count("\n")), (1, 1), text)
            self.assertIn(said, text)


if __name__ == "__main__":
    unittest.main()

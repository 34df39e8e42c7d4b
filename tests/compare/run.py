"""run.py BUILD: bench/compare.py over rheo as it is built there, the matrix products' peers, and a stand-in for PyTorch; and what
`rheo-bench compare` says of two reports."""
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
GLOW_PARAMETERS = 44135856     # glow-cifar's


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.python = Path(folder.name) / "python"
        self.python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exec "{sys.executable}" "{HERE / "pytorch.py"}" "$@"\n')
        self.python.chmod(0o755)
        self.json = Path(folder.name) / "report.json"
        self.tried = Path(folder.name) / "tried"

    def compare(self, *arguments, parameters=PARAMETERS, report=True, **environment):
        """Exit code, what was printed, and the report's rows."""
        command = [sys.executable, COMPARE, "--build", BUILD, "--python", self.python, "--rounds", "2", "--seconds", "0",
                   "--batch", "2", "--threads", "1", *["--json", self.json] * report, *arguments]
        done = subprocess.run(command, capture_output=True, text=True,
                              env={**os.environ, "STAND_IN_PARAMETERS": str(parameters), **environment})
        rows = json.loads(self.json.read_text())["rows"] if report else {}
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

    def test_a_mode_that_takes_too_long_is_tried_once(self):
        code, text, rows = self.compare("glow-cifar/train", "glow-cifar/memory", "--memory-batch", "1", "--modes", "eager,compile",
                                        "--compile-limit", "3", parameters=GLOW_PARAMETERS, STAND_IN_SLOW=str(self.tried))
        self.assertEqual(code, 0, text)
        self.assertEqual([row["modes"]["compile"] for row in rows.values()], ["not done in 3 s"] * 2)
        self.assertEqual(self.tried.read_text(), "train\n")

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
        for arguments, status, said in (
                (["matmul/*", "glow-tiny/train"], 2, "no row is named glow-tiny/train"),
                (["matmul/*", "--rounds", "0"], 2, "--rounds: found '0', expected a whole number from 1"),
                (["matmul/*", "--seconds", "-1"], 2, "--seconds: found '-1', expected a number from 0"),
                (["matmul/*", "--product", "9x9"], 2, "--product: found '9x9', expected MxKxN"),
                (["ncsn-small/eval", "--modes", "eager,fast"], 2, "--modes: found 'fast', expected eager, "),
                (["ncsn-small/eval", "--compile-limit", "0"], 2, "--compile-limit: found '0', expected a number from 1"),
                (["matmul/*", "--threads", "9999"], 1, "--threads 9999, but "),
                (["matmul/*", "--device", "nobody's"], 1, 'no device is "nobody\'s"'),
                (["matmul/*", "--json", "/nowhere/a.json"], 1, "--json /nowhere/a.json: No such file or directory"),
                (["ncsn-small/eval", "--python", "/nowhere"], 1, "--python /nowhere: PyTorch does not import there")):
            code, text, _ = self.compare(*arguments, report=False)
            self.assertEqual((code, text.count("\n")), (status, 1), text)
            self.assertIn(said, text)

    def test_what_is_refused_leaves_the_report_alone(self):
        for wrong in (["--threads", "9999"], ["--device", "nobody's"]):
            arguments = ["matmul/*", *wrong, "--json", self.json]
            self.assertEqual(self.compare(*arguments, report=False)[0], 1)
            self.assertFalse(self.json.exists())
            self.json.write_text("{}")
            self.assertEqual(self.compare(*arguments, report=False)[0], 1)
            self.assertEqual(self.json.read_text(), "{}")
            self.json.unlink()


class Reports(unittest.TestCase):
    def compare(self, *reports):
        """Exit code, and the words of what was printed."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{k}.json" for k in range(2)]
            for path, report in zip(paths, reports):
                path.write_text(report if isinstance(report, str) else json.dumps(report))
            done = subprocess.run([BUILD / "rheo-bench", "compare", *paths], capture_output=True, text=True)
            return done.returncode, [line.split() for line in (done.stdout + done.stderr).replace(folder, "").splitlines()]

    def test_what_changed(self):
        a = {"gflops": 100, "host": {"bytes": 8, "same": 3}, "ops": [{"key": "one", "seconds": 1}, {"key": "two", "seconds": 2}], "only": 1}
        b = {"gflops": 104, "host": {"bytes": 4, "same": 3}, "ops": [{"key": "two", "seconds": 3}, {"key": "one", "seconds": 1.04}]}
        self.assertEqual(self.compare(a, b), (0, ["host bytes 8 -> 4 x 0.500".split(), "ops two 2 -> 3 x 1.500".split()]))

    def test_nothing_changed(self):
        self.assertEqual(self.compare({"zero": 0, "a": 1}, {"zero": 0, "a": 1.01}), (0, ["of 2 numbers none changed by more than 5 %".split()]))

    def test_refusals(self):
        self.assertEqual(self.compare({"a": 1}, {"b": 1}), (1, ["rheo-bench compare: /0.json and /1.json: no number stands in both".split()]))
        self.assertEqual(self.compare("{", {"b": 1}), (1, ["rheo-bench compare: /0.json: cannot be read as a JSON report".split()]))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""What `cmake --install` puts where, and whether systemd takes the units.   test_packaging.py --cmake CMAKE --build FOLDER"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

CMAKE = BUILD = None
HERE = pathlib.Path(__file__).parent
UNITS = [HERE / "weir-sensor.service", HERE / "weir-gateway.service"]
# Of 10: what `systemd-analyze security` gives a unit with no restriction is 9.6.
EXPOSURE = 2.5


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


class Packaging(unittest.TestCase):
    def test_what_is_installed(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run(CMAKE, "--install", BUILD, "--prefix", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            there = {path.relative_to(folder).as_posix() for path in pathlib.Path(folder).rglob("*") if path.is_file()}
            self.assertLessEqual({"bin/weir", *(f"lib/systemd/system/{unit.name}" for unit in UNITS), "share/doc/weir/weir.yaml", "share/doc/weir/README.md", "share/doc/weir/docs/GATEWAY.md"}, there)
            self.assertEqual(run(f"{folder}/bin/weir", "config", "check", f"{folder}/share/doc/weir/weir.yaml").returncode, 0)


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
class Unit(unittest.TestCase):
    def test_systemd_takes_it(self):
        for name in UNITS:
            with self.subTest(unit=name.name), tempfile.TemporaryDirectory() as folder:
                # The program need not be installed for the unit to be right.
                unit = pathlib.Path(folder) / name.name
                unit.write_text(name.read_text().replace("/usr/bin/weir ", "/bin/true "))
                done = run("systemd-analyze", "verify", "--man=no", str(unit))
                self.assertEqual([line for line in done.stderr.splitlines() if name.name in line], [])

    def test_little_is_exposed(self):
        for name in UNITS:
            with self.subTest(unit=name.name):
                done = run("systemd-analyze", "security", "--offline=true", str(name))
                found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
                if not found:
                    self.skipTest(f"systemd-analyze cannot tell here: {done.stderr.strip()[-200:]}")
                print(f"{name.name}: exposure {found[1]} of 10")
                self.assertLess(float(found[1]), EXPOSURE, done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--build", required=True)
    options, rest = parser.parse_known_args()
    CMAKE, BUILD = options.cmake, options.build
    result = unittest.main(argv=[sys.argv[0], *rest], verbosity=2, exit=False).result
    for _, why in result.skipped:
        print(f"SKIPPED: {why}")
    sys.exit(not result.wasSuccessful())

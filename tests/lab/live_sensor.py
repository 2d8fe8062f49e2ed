"""`weir sensor` in a test: started in the router's namespace, told what to do by signals, and what it writes."""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import network

WEIR = CHURN = None  # the programs, once main() knows

def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class Sensor:
    """One run of it in the router's namespace."""

    def __init__(self, lab, folder, *options, interfaces=None, log_to_pipe=False, host=None):
        """`log_to_pipe`: its log is what `process.stdout` gives, and in no file. `host`: where it runs, if not on the (near) router."""
        self.folder = pathlib.Path(folder)
        self.log = self.folder / "eve.json"
        self.errors = self.folder / "errors"
        names = interfaces or [lab.interface(path, 1) for path in range(1, lab.paths + 1)]
        flags = [word for name in names for word in ("-i", name)]
        with open(self.errors, "w") as errors:
            self.process = lab.start(host or lab.router, WEIR, "sensor", *flags, "--log", "-" if log_to_pipe else str(self.log), *options, stderr=errors,
                                     **({"stdout": subprocess.PIPE} if log_to_pipe else {}))
        self.said("weir: ready")

    def said(self, line, seconds=20):
        def there():
            assert self.process.poll() is None, self.errors.read_text()
            return any(said == line or said.startswith(line + ";") for said in self.errors.read_text().splitlines())
        wait_for(there, line, seconds)

    def signal(self, number):
        os.kill(self.process.pid, number)  # ip netns exec becomes the program

    def records(self, kind):
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines(keepends=True)
        return [r for r in (json.loads(line) for line in lines if line.endswith("\n")) if r["event_type"] == kind]

    def end(self):
        began = time.monotonic()
        self.signal(signal.SIGTERM)
        status = self.process.wait(timeout=10)
        return status, time.monotonic() - began


def main(needs_weir=True, needs_churn=False):
    """Runs the tests of the file that was started; SKIPPED where no network can be made."""
    global WEIR, CHURN
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=needs_weir)
    parser.add_argument("--churn", required=needs_churn)
    options, rest = parser.parse_known_args()
    WEIR, CHURN = (os.path.abspath(one) if one else None for one in (options.weir, options.churn))
    if reason := network.missing():
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)

#!/usr/bin/env python3
"""clang-tidy over src, several files at once, within a time: what it does not reach is named, never passed over in silence.

Files are taken in an order that changes by the day, so that over several runs within a short time all are reached.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import random
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="a build folder with a compile_commands.json of clang's")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--clang-tidy", default="clang-tidy-19")
    parser.add_argument("files", nargs="*", help="only these")
    options = parser.parse_args()
    with open(os.path.join(options.build, "compile_commands.json"), encoding="utf-8") as commands:
        known = {os.path.relpath(os.path.join(c["directory"], c["file"])) for c in json.load(commands)}
    files = sorted(f for f in known if f.startswith("src/") and not f.endswith("_test.cc"))
    if options.files:
        files = [f for f in files if f in options.files]
    random.Random(datetime.date.today().toordinal()).shuffle(files)
    deadline = time.monotonic() + options.seconds

    def check(file):
        left = deadline - time.monotonic()
        if left <= 0:
            return file, None, ""
        command = [options.clang_tidy, "-p", options.build, "--quiet", "--extra-arg=-Wno-unknown-warning-option", file]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=left)
        except subprocess.TimeoutExpired:
            return file, None, ""
        return file, run.returncode, run.stdout

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(check, files))
    failed = [(file, said) for file, status, said in results if status]
    missed = sorted(file for file, status, _ in results if status is None)
    seen = set()
    for _, said in failed:
        for line in said.splitlines():  # a header's finding comes with every file that includes it
            if line not in seen or not line.startswith("/"):
                print(line)
            seen.add(line)
    print(f"{len(files) - len(missed)} files checked, {len(failed)} with findings")
    if missed:
        print(f"not reached in {options.seconds:.0f} s: {' '.join(missed)}")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes the scenarios: generate.py [--only TEXT] [--list] [FOLDER]      (FOLDER: tests/scenarios/out unless given)"""
import argparse
import importlib
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(os.path.dirname(HERE))]
from lab.octets import packets  # noqa: E402
import scene  # noqa: E402

FAMILIES = sorted(f[:-3] for f in os.listdir(HERE) if f.startswith("family_") and f.endswith(".py"))


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--only", default="", help="only scenarios whose name holds this text")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("folder", nargs="?", default=os.path.join(HERE, "out"))
    args = ap.parse_args()
    for family in FAMILIES:
        importlib.import_module(family)
    chosen = {n: f for n, f in scene.ALL.items() if args.only in n}
    if args.list:
        for name, make in chosen.items():
            print(name, "-", " ".join(make.__doc__.split()))
        return 0
    if not args.only and os.path.isdir(args.folder):
        for entry in os.listdir(args.folder):
            if os.path.exists(os.path.join(args.folder, entry, "expected.json")):
                shutil.rmtree(os.path.join(args.folder, entry))
    for name, make in chosen.items():
        packets.restart_idents()
        s = scene.Scene(name, " ".join(make.__doc__.split()))
        make(s)
        s.finish(args.folder)
    print(f"{len(chosen)} scenarios written to {args.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

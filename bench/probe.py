#!/usr/bin/env python3
"""Measures weir probe --raw beside zmap on the same targets in namespaces of its own. Needs root, and zmap. See README.md."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests" / "lab")]
import probe_world  # noqa: E402

from lab import addresses, namespaces  # noqa: E402

DARK, DARK_COUNT = "10.128.0.0/14", 1 << 18  # nobody is there: what sending costs
LIT, LIT_COUNT = "10.64.0.0/16", 1 << 16  # MPTCP servers at all of them
GOAL = 0.8


class Failed(Exception):
    pass


class World(probe_world.World):
    def _make(self):
        super()._make()
        self._ip("-4", "-n", self.router, "route", "add", "blackhole", DARK)
        self._ip("-4", "-n", self.router, "route", "add", LIT, "via", addresses.server(1, 4))
        self._ip("-4", "-n", self.server, "route", "add", "local", LIT, "dev", "lo")


def measured(world, *command):
    """(CPU seconds, wall seconds) of a program in the client's namespace. What its packets cost the network is in it: a veth pair delivers in the sender's time."""
    begun = os.times()
    process = subprocess.Popen(["ip", "netns", "exec", world.client, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode != 0:
        raise Failed(f"{command[0]}: {said.decode(errors='replace')[-500:]}")
    return usage.ru_utime + usage.ru_stime, os.times().elapsed - begun.elapsed


def weir(world, program, folder, net, rate, tries):
    out = folder / "weir.json"
    cpu, wall = measured(world, program, "probe", "--raw", "--quiet", "--exclude", "/dev/null", "--rate", rate, "--network-rate", 0, "--tries", tries, "--in-flight", 1 << 18,
                         "--output", out, f"{net}:80")
    targets = packets = hits = 0
    with open(out) as file:
        for line in file:
            record = json.loads(line)
            targets, packets, hits = targets + 1, packets + record["packets"], hits + (record["verdict"] == "v1")
    return {"cpu_s": cpu, "wall_s": wall, "packets": packets, "targets": targets, "hits": hits}


def zmap(world, folder, net, rate, mac):
    meta, out = folder / "zmap.json", folder / "zmap.csv"
    cpu, wall = measured(world, "zmap", "-q", "--disable-syslog", "-v", 0, "-b", "/dev/null", "-p", 80, "-i", "p1", "-G", mac, "-S", addresses.client(1, 4), "-r", rate,
                         "-T", 1, "-c", 2, "-m", meta, "-o", out, net)
    said = json.loads(meta.read_text())
    return {"cpu_s": cpu, "wall_s": wall, "packets": said.get("total_sent", said.get("packets_sent", 0)), "targets": said.get("total_sent", said.get("packets_sent", 0)),
            "hits": said["success_unique"]}


def best(runs, key):
    return max(runs, key=lambda one: one[key] / one["cpu_s"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", default=HERE.parent / "build" / "weir", type=Path)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--json", type=Path, help="the numbers, for programs")
    options = parser.parse_args()
    if why := namespaces.missing():
        raise Failed(why)
    results = {}
    with World() as world, tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        world.serve()
        said = world.run(world.router, "ip", "-j", "link", "show", "c1", capture_output=True, text=True).stdout
        mac = json.loads(said)[0]["address"]
        for name, net, rate, tries in (("dark", DARK, 2_000_000, 1), ("lit", LIT, 20_000, 4)):
            runs = {"weir": [], "zmap": []}
            for _ in range(options.rounds):
                runs["weir"].append(weir(world, options.weir.resolve(), folder, net, rate, tries))
                runs["zmap"].append(zmap(world, folder, net, rate, mac))
            results[name] = {program: best(list_of, "packets") for program, list_of in runs.items()}
    for name, count in (("dark", DARK_COUNT), ("lit", LIT_COUNT)):
        print(f"{name}: {count} targets")
        for program, one in results[name].items():
            print(f"  {program}: {one['packets'] / one['cpu_s']:>9.0f} probes and {one['targets'] / one['cpu_s']:>9.0f} targets a CPU second,"
                  f" {one['packets']} probes in {one['cpu_s']:.2f} s of CPU, {one['wall_s']:.1f} s in all, hit rate {100 * one['hits'] / count:.2f} %")
        ours, theirs = results[name]["weir"], results[name]["zmap"]
        ratio = (ours["packets"] / ours["cpu_s"]) / (theirs["packets"] / theirs["cpu_s"])
        print(f"  probes a second a core: {ratio:.2f}x zmap's" + (f" (goal {GOAL}x)" if name == "dark" else ""))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"bench/probe.py: {why}")

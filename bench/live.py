#!/usr/bin/env python3
"""Measures weir sensor against tcpdump on a veth pair in namespaces of its own, at the same offered load. Needs root. See README.md."""

import argparse
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MB, GB = 1_000_000, 1_000_000_000


class Failed(Exception):
    pass


def run(*command, **options):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **options).stdout


class Veth:
    """`out` of one namespace sends to `in` of the other; nothing answers."""

    def __init__(self):
        self.sender, self.receiver = (f"weirbench{os.getpid()}{end}" for end in ("s", "r"))

    def __enter__(self):
        for name in (self.sender, self.receiver):
            run("ip", "netns", "add", name)
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        run("ip", "link", "add", "out", "netns", self.sender, "type", "veth", "peer", "name", "in", "netns", self.receiver)
        run("ip", "-n", self.sender, "link", "set", "out", "up")
        run("ip", "-n", self.receiver, "link", "set", "in", "up")
        return self

    def __exit__(self, *_):
        for name in (self.sender, self.receiver):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def wait_for(file, words, process, seconds=20):
    deadline = time.monotonic() + seconds
    while words not in Path(file).read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"did not start: {Path(file).read_text()[-300:]}")
        time.sleep(0.02)


class Bench:
    def __init__(self, build, folder):
        self.build, self.folder = Path(build), Path(folder)

    def once(self, command, ready, capture, megabits):
        """(packets sent, bytes sent, CPU seconds of the capturing program, what it said)."""
        said = self.folder / "said"
        with Veth() as veth:
            with open(said, "w") as out:
                process = subprocess.Popen(["ip", "netns", "exec", veth.receiver, *map(str, command)], stdout=out, stderr=out)
            try:
                wait_for(said, ready, process)
                sent = run("ip", "netns", "exec", veth.sender, self.build / "weir_bench_send", "out", capture, megabits).split()
                time.sleep(0.5)  # what the rings hold back
                process.send_signal(signal.SIGINT)
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()
        if process.returncode != 0:
            raise Failed(f"{command[0]}: {said.read_text()[-300:]}")
        return int(sent[0]), int(sent[1]), float(sent[2]), usage.ru_utime + usage.ru_stime, said.read_text()

    def tcpdump(self, capture, megabits):
        command = ["tcpdump", "-i", "in", "-n", "-B", 131072, "-w", "/dev/null"]
        sent, size, seconds, cpu, said = self.once(command, "listening on", capture, megabits)
        kept = int(re.search(r"(\d+) packets captured", said)[1])
        return sent, size, seconds, cpu, kept

    def weir(self, capture, megabits, workers, *options):
        log, config = self.folder / "eve.json", self.folder / "weir.yaml"
        log.unlink(missing_ok=True)
        config.write_text(f"sensor: {{workers: {workers}, ring_bytes: 134217728}}\n")
        command = [self.build / "weir", "sensor", "-i", "in", "--config", config, "--log", log, *options]
        sent, size, seconds, cpu, _ = self.once(command, "weir: ready", capture, megabits)
        stats = [r for r in map(json.loads, log.read_text().splitlines()) if r["event_type"] == "stats"][-1]["stats"]
        kept = stats["capture"]["kernel_packets"] - stats["capture"]["kernel_drops"] - stats["capture"].get("shard_drops", 0)
        return sent, size, seconds, cpu, kept

    def compare(self, title, workload, megabits, ways):
        capture = self.folder / "offered.pcap"
        subprocess.run([self.build / "weir_bench_generate", capture, *map(str, workload)], check=True, stderr=subprocess.DEVNULL)
        capture.chmod(0o644)
        for rate in megabits:
            print(f"\n{title}, {rate} Mbit/s offered\n")
            print("| | packets kept | CPU s a GB | of tcpdump's |\n| --- | --- | --- | --- |")
            base = None
            for name, measure in ways.items():
                sent, size, seconds, cpu, kept = measure(capture, rate)
                each = cpu / (size / GB)
                base = base or each
                print(f"| {name} | {100 * kept / sent:.2f} % of {sent:,} ({size * 8 / seconds / 1e6:.0f} Mbit/s) | {each:.2f} | {each / base:.2f}x |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=HERE.parent / "build")
    parser.add_argument("--size", type=int, default=500, help="MB of each capture (default: 500)")
    parser.add_argument("--rate", type=int, action="append", help="Mbit/s offered; several times for several (default: 500, 2000)")
    parser.add_argument("--workers", type=int, action="append", help="of the sensor (default: 1, 2)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: namespaces need root")
        return 77
    with contextlib.suppress(ValueError):  # rings may do without
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.build, folder)
        os.chmod(folder, 0o755)
        ways = {"tcpdump -w /dev/null": bench.tcpdump}
        for workers in options.workers or (1, 2):
            name = f"weir sensor, {workers} worker{'s' if workers > 1 else ''}"
            ways[name] = lambda c, r, w=workers: bench.weir(c, r, w)
            ways[f"{name}, --all-tcp"] = lambda c, r, w=workers: bench.weir(c, r, w, "--all-tcp")
        try:
            bench.compare("MPTCP over 4 subflows", ("mptcp4", options.size * MB), options.rate or (500, 2000), {n: w for n, w in ways.items() if "all-tcp" not in n})
            bench.compare("Plain TCP", ("plain", options.size * MB), options.rate or (500, 2000), ways)
        except (Failed, subprocess.CalledProcessError) as error:
            print(f"live.py: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

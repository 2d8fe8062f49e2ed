#!/usr/bin/env python3
"""Measures weir against tcpdump and tshark on one machine in one run, and how its cost grows. See README.md."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import rules

HERE = Path(__file__).resolve().parent
PROGRAMS = ("weir", "weir_bench_generate", "weir_bench_measure")
ROUNDS = 3
MB = 1_000_000
GOAL_MPTCP_TCPDUMP, GOAL_MPTCP_TSHARK, GOAL_PLAIN_TCPDUMP, GOAL_IDLE_BYTES = 0.6, 25, 0.75, 1024


class Measured:
    def __init__(self, cpu, wall, peak_kib):
        self.cpu, self.wall, self.peak_kib = cpu, wall, peak_kib


class Failed(Exception):
    pass


class Bench:
    def __init__(self, build, folder, quick, size):
        self.weir, self.generator, self.measure = (build / name for name in PROGRAMS)
        self.folder, self.quick = Path(folder), quick
        self.size = size
        self.results = {}

    def run_once(self, command, stdin=None):
        """Runs a command with its output thrown away; CPU seconds are its own, user and system."""
        done = subprocess.run([self.measure, *command], stdin=stdin or subprocess.DEVNULL, capture_output=True, text=True)
        numbers = done.stdout.split()
        if done.returncode != 0 or numbers[4] != "0":
            raise Failed(f"{' '.join(map(str, command))}: failed: {done.stderr[-300:].strip()}")
        user, system, wall, peak_kib = map(float, numbers[:4])
        return Measured(user + system, wall, peak_kib)

    def best_of(self, commands, rounds=ROUNDS):
        """The best of some rounds for each command. They take turns, so that what disturbs the machine disturbs all alike."""
        best = {}
        for _ in range(rounds):
            for name, command in commands.items():
                one = self.run_once(command)
                if name not in best or one.cpu < best[name].cpu:
                    best[name] = one
        return best

    def capture(self, name, *workload):
        path = self.folder / name
        done = subprocess.run([self.generator, path, *map(str, workload)], stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Failed(f"weir_bench_generate: {done.stderr.strip()}")
        packets, _, bytes_written, _ = done.stderr.split()[:4]
        path.chmod(0o644)  # tcpdump gives up its privileges before it reads
        with path.open("rb") as file:  # into the page cache
            while file.read(MB):
                pass
        return path, int(packets), int(bytes_written)

    def inspect(self, path, *options):
        return [self.weir, "inspect", "--quiet", *options, path]

    def peak_through_pipe(self, path, *options):
        """Peak memory of weir alone: of a file it maps, the kernel would count the file's pages, too."""
        with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
            return self.run_once(self.inspect("-", *options), stdin=cat.stdout).peak_kib

    # --- against other programs ---------------------------------------------------------------------------------

    def compare(self, title, workload, *options):
        # tshark is slow, and grows with what it reads: it gets a shorter capture of the same kind. Rates need no scaling; its
        # start counts against it a little more, so the capture is long enough for that to be a few per cent.
        tshark_size = min(self.size, 200 * MB)
        path, packets, size = self.capture("bulk.pcap", workload, self.size)
        commands = {"weir": self.inspect(path, *options)}
        if shutil.which("tcpdump"):
            commands["tcpdump"] = ["tcpdump", "-r", path, "-w", "/dev/null"]
        best = self.best_of(commands)
        peak = {name: one.peak_kib for name, one in best.items()}
        peak["weir"] = self.peak_through_pipe(path, *options)
        path.unlink()
        sizes = {name: (packets, size) for name in best}
        if shutil.which("tshark"):
            path, small_packets, small_size = self.capture("small.pcap", workload, tshark_size)
            best |= self.best_of({"tshark": ["tshark", "-q", "-z", "conv,tcp", "-r", path]}, 1 if self.quick else 2)
            sizes["tshark"] = (small_packets, small_size)
            peak["tshark"] = best["tshark"].peak_kib
            path.unlink()

        print(f"\n{title}: {size / MB:,.0f} MB, {packets:,} packets")
        print(f"  {'':10}{'file MB':>9}{'CPU s':>8}{'wall s':>8}{'MB/s':>9}{'packets/s':>13}{'MB/CPU s':>10}{'peak MiB':>10}")
        rate = {}
        for name, one in best.items():
            count, octets = sizes[name]
            rate[name] = octets / MB / one.cpu
            print(f"  {name:10}{octets / MB:9,.0f}{one.cpu:8.2f}{one.wall:8.2f}{octets / MB / one.wall:9,.0f}{count / one.wall:13,.0f}{rate[name]:10,.0f}{peak[name] / 1024:10,.0f}")
        return rate

    @staticmethod
    def against(rate, name, goal):
        if name not in rate:
            print(f"  {name} is not installed: no ratio")
            return None
        ratio = rate["weir"] / rate[name]
        verdict = "" if goal is None else f"   goal at least {goal:g}: {'met' if ratio >= goal else 'MISSED'}"
        print(f"  weir / {name}, MB per CPU second: {ratio:.2f}{verdict}")
        return ratio

    def compare_all(self):
        rate = self.compare("(a) MPTCP, 4 subflows interleaved", "mptcp4")
        self.results["mptcp"] = {"rate": rate, "tcpdump": self.against(rate, "tcpdump", GOAL_MPTCP_TCPDUMP), "tshark": self.against(rate, "tshark", GOAL_MPTCP_TSHARK)}
        rate = self.compare("(b) plain TCP, 100 flows, --all-tcp", "plain", "--all-tcp")
        self.results["plain"] = {"rate": rate, "tcpdump": self.against(rate, "tcpdump", GOAL_PLAIN_TCPDUMP), "tshark": self.against(rate, "tshark", None)}

    # --- curves -------------------------------------------------------------------------------------------------

    def tracked_bytes(self, path):
        """What weir counts itself: `memory.bytes` of its last stats record."""
        last = None
        with subprocess.Popen([self.weir, "inspect", "--log", "-", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            for line in process.stdout:
                if b'"event_type":"stats"' in line.replace(b" ", b"")[:300] or b'"stats":' in line:
                    last = line
        return json.loads(last)["stats"]["memory"]["bytes"] if last else None

    def connections(self):
        counts = [100, 1_000, 10_000, 100_000] + ([] if self.quick else [1_000_000])
        more = 600_000 if self.quick else 3_000_000
        print("\nCost against the number of connections, all open at once, taking turns packet by packet")
        print(f"  {'connections':>12}{'ns/packet':>11}{'set-up us':>11}{'bytes each: peak RSS':>22}{'counted by weir':>17}")
        ground = None
        rows = self.results["connections"] = []
        for count in counts:
            # Two captures: what is not the packets' own cost (start, handshakes, records) falls out of the difference.
            path, short_packets, _ = self.capture("few.pcap", "connections", count)
            short = self.best_of({"": self.inspect(path)})[""].cpu
            peak = self.peak_through_pipe(path)
            counted = self.tracked_bytes(path)
            path.unlink()
            path, long_packets, _ = self.capture("many.pcap", "connections", count, short_packets + more)
            long = self.best_of({"": self.inspect(path)})[""].cpu
            path.unlink()
            ground = peak if ground is None else ground
            row = {"connections": count, "ns_per_packet": (long - short) / (long_packets - short_packets) * 1e9}
            # Below that the clock's grain and the start of the program are all that one would see.
            if count >= 10_000:
                row |= {"setup_us": short / count * 1e6, "rss_bytes": (peak - ground) * 1024 / (count - counts[0]), "counted_bytes": counted / count if counted else None}
            rows.append(row)
            cells = [f"{row[key]:.{digits}f}" if row.get(key) is not None else "-" for key, digits in (("setup_us", 2), ("rss_bytes", 0), ("counted_bytes", 0))]
            print(f"  {count:12,}{row['ns_per_packet']:11.0f}{cells[0]:>11}{cells[1]:>22}{cells[2]:>17}", flush=True)
        print("  (the peak is that of a moment when every connection has data that is not acknowledged yet)")

    def idle(self):
        """What a connection costs that is tracked and silent: the growth of the peak from few to many of them, everything counted."""
        few, many = 1_000, 100_000 if self.quick else 1_000_000
        with_rules = rules.make_ready(self)
        kinds = {"engine alone": (), "10,000 rules loaded": ("--rules", with_rules)}
        peaks = {name: [] for name in kinds}
        for count in (few, many):
            path, _, _ = self.capture("idle.pcap", "idle", count)
            for name, options in kinds.items():
                peaks[name].append(self.peak_through_pipe(path, *options))
            counted = self.tracked_bytes(path)
            path.unlink()
        self.results["idle"] = {"connections": many, "counted_bytes": counted / many if counted else None}
        print(f"\nAn idle tracked connection ({many:,} of them), bytes of peak memory each   goal at most {GOAL_IDLE_BYTES}")
        for name, (ground, peak) in peaks.items():
            each = (peak - ground) * 1024 / (many - few)
            self.results["idle"][name] = each
            print(f"  {name:20}{each:6.0f}   {'met' if each <= GOAL_IDLE_BYTES else 'MISSED'}", flush=True)

    def curve(self, name, title, values, workload):
        print(f"\n{title}")
        print(f"  {name:>12}{'ns/packet':>11}{'MB/CPU s':>10}{'peak MiB':>10}")
        rows = self.results[name] = []
        size = self.size // (5 if self.quick else 3)
        for value in values:
            path, packets, octets = self.capture("curve.pcap", workload, value, size)
            cpu = self.best_of({"": self.inspect(path)})[""].cpu
            peak = self.peak_through_pipe(path)
            path.unlink()
            rows.append({name: value, "ns_per_packet": cpu / packets * 1e9})
            print(f"  {value:12,}{cpu / packets * 1e9:11.0f}{octets / MB / cpu:10,.0f}{peak / 1024:10,.0f}", flush=True)

    def mixed(self):
        packets, connections = (1_000_000, 10_000) if self.quick else (10_000_000, 100_000)
        print(f"\nBounded memory: {connections:,} connections that come and go, about {packets:,} packets, through a pipe")
        generator = subprocess.Popen([self.generator, "-", "mixed", str(packets), str(connections)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with generator:
            one = self.run_once(self.inspect("-"), stdin=generator.stdout)
        self.results["mixed"] = {"cpu_s": one.cpu, "peak_kib": one.peak_kib}
        print(f"  {one.cpu:.1f} CPU s, {one.cpu / packets * 1e9:.0f} ns/packet, peak memory {one.peak_kib / 1024:.0f} MiB")


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: bench/run.py --quick")
    parser.add_argument("--build", type=Path, default=HERE.parent / "build", help="folder with weir and weir_bench_generate (default: build)")
    parser.add_argument("--quick", action="store_true", help="about a minute: 200 MB, shorter curves; the ratios are rougher")
    parser.add_argument("--size", type=int, metavar="MB", help="of the captures in (a) and (b) (default: 1000, with --quick 200)")
    parser.add_argument("--only", choices=["compare", "connections", "idle", "subflows", "reorder", "mixed", "rules"], action="append", help="this part only; may be repeated")
    parser.add_argument("--folder", help="where the captures go for a while (default: the system's temporary folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    options = parser.parse_args()
    for program in (options.build / name for name in PROGRAMS):
        if not program.exists():
            sys.exit(f"bench: {program}: not there (build with: cmake --preset release && cmake --build --preset release)")
    size = (options.size or (200 if options.quick else 1000)) * MB
    with tempfile.TemporaryDirectory(prefix="weir-bench-", dir=options.folder) as folder:
        os.chmod(folder, 0o755)
        bench = Bench(options.build.resolve(), folder, options.quick, size)
        print(f"{machine()}\nwarm page cache, best of {ROUNDS} rounds by CPU time (user and system)")
        parts = {
            "compare": bench.compare_all,
            "connections": bench.connections,
            "idle": bench.idle,
            "subflows": lambda: bench.curve("subflows", "Cost against the number of subflows, interleaved segment by segment", [1, 2, 4, 8, 16, 32], "subflows"),
            "reorder": lambda: bench.curve("depth", "Cost against reordering: two subflows, random order in blocks of so many segments", [1, 4, 16, 64, 256, 1024, 4096], "reorder"),
            "mixed": bench.mixed,
            "rules": lambda: rules.run(bench),
        }
        try:
            for name, part in parts.items():
                if not options.only or name in options.only:
                    part()
        except Failed as failure:
            sys.exit(f"bench: {failure}")
    if options.json:
        options.json.write_text(json.dumps(bench.results, indent=1) + "\n")


if __name__ == "__main__":
    main()

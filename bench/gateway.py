#!/usr/bin/env python3
"""Measures weir gateway on a router between real kernels, beside the same router without it, in turns. Needs root and iperf3. See README.md."""
import argparse
import contextlib
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from lab import namespaces  # noqa: E402
from lab.network import MPTCP, Network  # noqa: E402

PORT, GB = 5201, 1_000_000_000
READY_SECONDS = 30


class Failed(Exception):
    pass


def rules(count):
    """Contents that no random bytes hold, for any port: each is looked for."""
    chance = random.Random(1)
    lines = []
    for number in range(1, count + 1):
        text = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=16))
        lines.append(f'drop tcp any any -> any any (msg:"{number}"; content:"{text}"; sid:{number};)\n')
    return "".join(lines)


class Gateway:
    """`weir gateway` on the router, from `with` to its end; nothing if there is no policy."""

    def __init__(self, lab, weir, policy, signatures=0, queues=1):
        self.lab, self.weir, self.policy, self.signatures, self.queues = lab, weir, policy, signatures, queues
        self.process = None

    def __enter__(self):
        if self.policy is None:
            return self
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        (folder / "bench.rules").write_text(rules(self.signatures))
        (folder / "weir.yaml").write_text(f"web: {{listen: 'off'}}\nlog: {{eve: {folder}/eve.json}}\nsensor: {{user: root, inventory: {folder}/inventory.json}}\n"
                                          f"gateway: {{state: '', queues: {self.queues}, control: {{socket: ''}}}}\npolicy: {{default: {{action: {self.policy}}}}}\n")
        options = ["--rules", str(folder / "bench.rules")] if self.signatures else []
        with open(folder / "said", "w") as said:
            self.process = self.lab.start(self.lab.router, self.weir, "gateway", "--config", str(folder / "weir.yaml"), *options, stderr=said)
        deadline = time.monotonic() + READY_SECONDS
        while "weir: ready" not in (folder / "said").read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed((folder / "said").read_text()[-300:])
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        if self.process is None:
            return
        self.process.terminate()
        self.process.wait(timeout=20)
        self.folder.cleanup()

    def cpu_seconds(self):
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    def __init__(self, lab, options):
        self.lab, self.options = lab, options

    def gateway(self, policy, signatures=0):
        return Gateway(self.lab, self.options.weir, policy, signatures, self.options.queues)

    def throughput(self, gateway, mptcp=True):
        """(bits a second, CPU seconds of weir a GB)."""
        wrap = ["mptcpize", "run"] if mptcp else []
        flows = ["-P", str(self.options.flows)] if self.options.flows > 1 else []
        server = self.lab.start(self.lab.server, *wrap, "iperf3", "-s", "-1", "-p", str(PORT), stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        before = gateway.cpu_seconds()
        done = self.lab.run(self.lab.client, *wrap, "iperf3", "-c", self.lab.target(), "-p", str(PORT), "-t", str(self.options.seconds), "-J", *flows,
                            capture_output=True, text=True)
        cpu = gateway.cpu_seconds() - before
        server.wait(timeout=20)
        received = json.loads(done.stdout)["end"]["sum_received"]
        return received["bits_per_second"], cpu / (received["bytes"] / GB)

    def churn(self, _):
        """(connections a second that were begun, used and ended, lost ones)."""
        server = self.lab.start(self.lab.server, self.options.churn, "serve", "6000", "8", stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        done = self.lab.run(self.lab.client, self.options.churn, "connect", self.lab.target(), "6000", "8", str(self.options.rate), str(self.options.seconds), "1000",
                            capture_output=True, text=True)
        server.kill()
        said = json.loads(done.stdout)
        return said["finished"] / self.options.seconds, said

    def joins(self, _):
        """How long each SYN with MP_JOIN takes from one interface of the router to another, in seconds, sorted."""
        router, found = self.lab.router, {}
        with tempfile.NamedTemporaryFile("r") as said:
            dump = self.lab.start(router, "tcpdump", "-i", "any", "-nn", "-tt", "-l", "--immediate-mode",
                                  "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn", stdout=said.fileno(), stderr=subprocess.DEVNULL)
            time.sleep(1)
            with namespaces.inside(self.lab.server):
                listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", PORT + 1))
            listener.listen(64)
            serving = threading.Thread(target=serve, args=(listener,), daemon=True)
            serving.start()
            for _ in range(self.options.joins):
                with namespaces.inside(self.lab.client), socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP) as one:
                    one.connect((self.lab.target(), PORT + 1))
                    one.sendall(b"x")
                    one.recv(1)
                    deadline = time.monotonic() + 2
                    while one.getsockopt(284, 1, 64)[0] < 1 and time.monotonic() < deadline:
                        time.sleep(0.001)
            time.sleep(0.5)
            dump.terminate()
            dump.wait(timeout=10)
            listener.shutdown(socket.SHUT_RDWR)
            serving.join(5)
            listener.close()
            for line in Path(said.name).read_text().splitlines():
                match = re.match(r"(\S+) (\S+)\s+(In|Out)\s+IP (\S+) > (\S+): .*mptcp.*join", line)
                if match:
                    found.setdefault((match[4], match[5]), {})[match[3]] = float(match[1])
        return sorted(one["Out"] - one["In"] for one in found.values() if len(one) == 2)


def serve(listener):
    with contextlib.suppress(OSError):
        while True:
            one, _ = listener.accept()
            with one:
                one.sendall(one.recv(1))
                one.recv(1)


def in_turns(rounds, ways, measure):
    """Each way once a round, so that what else the machine does meets all of them; the median of each."""
    values = {name: [] for name in ways}
    for _ in range(rounds):
        for name, make in ways.items():
            with make() as gateway:
                values[name].append(measure(gateway))
    return values


def table(title, goal, rows):
    print(f"\n{title}\n")
    print("| | measured | of without | goal | CPU s a GB |\n| --- | --- | --- | --- | --- |")
    base = next(iter(rows.values()))[0]
    for name, (value, text, cpu) in rows.items():
        wanted = f"{goal[name]:.2f}" if name in goal else ""
        print(f"| {name} | {text} | {value / base:.2f} | {wanted} | {'' if cpu is None else f'{cpu:.2f}'} |", flush=True)


def throughput(bench, title, goal, ways, mptcp):
    values = in_turns(bench.options.rounds, ways, lambda gateway: bench.throughput(gateway, mptcp))
    rows = {}
    for name, got in values.items():
        bits, cpu = (statistics.median(column) for column in zip(*got))
        rows[name] = (bits, f"{bits / 1e9:.2f} Gbit/s", cpu)
    table(title, goal, rows)


def run(bench):
    without, count = (lambda: bench.gateway(None)), bench.options.signatures
    inspecting = f"every byte inspected, {count} rules"
    if "throughput" in bench.options.part:
        throughput(bench, f"MPTCP over two paths, {bench.options.flows} connection(s)", {"allowed": 0.95, inspecting: 0.6},
                   {"without": without, "allowed": lambda: bench.gateway("allow"), inspecting: lambda: bench.gateway("inspect", count)}, True)
    if "plain" in bench.options.part:
        throughput(bench, "Plain TCP beside it", {"with the gateway": 1.0}, {"without": without, "with the gateway": lambda: bench.gateway("inspect", count)}, False)
    ways = {"without": without, "allowed": lambda: bench.gateway("allow"), "inspected": lambda: bench.gateway("inspect", count)}
    if "connections" in bench.options.part:
        values = in_turns(1, ways, bench.churn)
        table(f"Connections a second, {bench.options.rate} wanted", {}, {name: (got[0][0], f"{got[0][0]:.0f}, {got[0][1]['failed']} failed", None) for name, got in values.items()})
    if "joins" in bench.options.part:
        print("\nFrom one interface to the other: SYNs with MP_JOIN\n\n| | joins | p50 | p99 |\n| --- | --- | --- | --- |")
        for name, (delays,) in in_turns(1, ways, bench.joins).items():
            if not delays:
                raise Failed("no JOIN was seen")
            print(f"| {name} | {len(delays)} | {1e6 * statistics.median(delays):.0f} us | {1e6 * delays[int(len(delays) * 0.99)]:.0f} us |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=HERE.parent / "build")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput, in turns; the median counts (default: 3)")
    parser.add_argument("--signatures", type=int, default=1000)
    parser.add_argument("--queues", type=int, default=1, help="gateway.queues, a thread each (default: 1)")
    parser.add_argument("--rate", type=int, default=3000, help="connections a second that the client tries (default: 3000)")
    parser.add_argument("--flows", type=int, default=1, help="connections at once, of throughput (default: 1)")
    parser.add_argument("--joins", type=int, default=300)
    parser.add_argument("--part", action="append", choices=["throughput", "plain", "connections", "joins"])
    options = parser.parse_args()
    options.weir, options.churn = str(options.build / "weir"), str(options.build / "tests/lab/churn")
    options.part = options.part or ["throughput", "plain", "connections", "joins"]
    if not Path(options.churn).exists():
        options.churn = str(options.build / "churn")
    if reason := namespaces.missing():
        print(f"SKIPPED: {reason}")
        return 77
    try:
        with Network(2) as lab:
            run(Bench(lab, options))
    except (Failed, subprocess.CalledProcessError) as error:
        print(f"gateway.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

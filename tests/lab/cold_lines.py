#!/usr/bin/env python3
"""What connections lose on lines that have just come up, by hand: 100 at once by IPv6, with the gateway between them or with kernels alone.

The kernels fall back where a SYN that waits for the router's neighbour is overtaken by its retransmission: see README.md."""
import argparse
import collections
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile

import live_sensor
import network
from live_gateway import Gateway

from lab import talk

PORT, MANY, SIZE, SUBFLOWS = 7002, 100, 200_000, 3
SYN = re.compile(rf"(\S+) > \S+\.{PORT}: Flags \[S\],.*TS val (\d+)")


def overtaken(captured):
    """Flows whose SYNs have not the order in which their sender's clock has told them."""
    times = collections.defaultdict(list)
    for flow, time in SYN.findall(captured.read_text()):
        times[flow].append(int(time))
    return sum(one != sorted(one) for one in times.values())


def captures(lab, folder):
    """SYNs before the router's FORWARD, behind the last of its rules, and at the server."""
    where = []
    for group, chain in enumerate(("PREROUTING", "POSTROUTING"), 1):
        lab.run(lab.router, "ip6tables", "-t", "mangle", "-A", chain, "-p", "tcp", "--syn", "-j", "NFLOG", "--nflog-group", str(group))
        where.append((chain, lab.router, f"nflog:{group}"))
    for name, namespace, interface in (*where, ("server", lab.server, "any")):
        with open(folder / name, "w") as out:
            process = lab.start(namespace, "tcpdump", "-lni", interface, stdout=out, stderr=subprocess.PIPE, text=True)
        while "listening" not in (line := process.stderr.readline()):
            assert line, f"tcpdump on {interface} has ended"
        yield name, process


def run(between, queues):
    """Fallbacks that the kernels count, and flows whose SYNs were overtaken by then, point by point."""
    with network.Network("three-paths") as lab, tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = lab.start(lab.server, sys.executable, talk.__file__, "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        server.stdout.readline()
        if between == "weir":
            Gateway(lab, folder, gateway=f"queues: {queues}").start()
        if between == "rps":
            for path in range(1, lab.paths + 1):
                for side in (1, 2):
                    lab.run(lab.router, "sh", "-c", f"echo 3 > /sys/class/net/{lab.interface(path, side)}/queues/rx-0/rps_cpus")
        listening = list(captures(lab, folder))
        client = lab.start(lab.client, sys.executable, talk.__file__, "send", lab.target(1, 6), str(PORT), str(MANY), str(SIZE), str(SUBFLOWS),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(timeout=120)
        for _, process in listening:
            process.terminate()
            process.wait()
        counted = [lab.kernel_counters(end).get(f"MPTcpExt{of}Fallback", 0) for end, of in ((lab.client, "MPCapableData"), (lab.server, "Dss"))]
        return counted, {point: overtaken(folder / point) for point, _ in listening}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--between", choices=("nothing", "rps", "weir"), default="nothing", help="rps: the router's kernel spreads its packets over two CPUs")
    parser.add_argument("--weir", help="the program")
    parser.add_argument("--queues", type=int, default=4)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    if (options.between == "weir") != (options.weir is not None):
        parser.error("--weir PROGRAM goes with --between weir")
    if missing := network.missing():
        parser.exit(77, f"SKIPPED: {missing}\n")
    live_sensor.WEIR = options.weir
    with_fallback = 0
    for number in range(1, options.runs + 1):
        (client, server), order = run(options.between, options.queues)
        with_fallback += client + server > 0
        print(f"{number}: fallbacks {client} (client) {server} (server); flows with an older SYN behind a newer one: {order}", flush=True)
    print(f"{options.between}: {with_fallback} of {options.runs} runs with fallbacks")


if __name__ == "__main__":
    main()

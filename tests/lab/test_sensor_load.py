#!/usr/bin/env python3
"""`weir sensor` under load: many connections at once, byte for byte; and connections that appear and vanish for as long as one likes, in flat memory.

WEIR_SOAK_SECONDS=3600 test_sensor_load.py --weir build/weir --churn build/tests/lab/churn -k soak   is the hour's run; WEIR_SOAK_RATE: connections a second.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import live_sensor
import network
from live_sensor import Sensor, wait_for

from lab import talk

LAB = pathlib.Path(talk.__file__).parent
SOAK_SECONDS = int(os.environ.get("WEIR_SOAK_SECONDS", "60"))
SOAK_RATE = int(os.environ.get("WEIR_SOAK_RATE", "2000"))
PORT, PORTS = 20000, 8
SLACK_BYTES = 8 << 20
STATE = re.compile(rb'"mptcp":{[^{]*"state":"(\w+)"')


class Reader(threading.Thread):
    """Takes a sensor's log off its pipe and keeps numbers, so that an hour's log needs no disk."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.states, self.stats, self.anomalies = stream, {}, None, {}
        self.start()

    def run(self):
        for line in self.stream:
            if b'"event_type":"mptcp"' in line:  # by far the most: at the end thousands come at once, and the sensor does not wait for a slow reader
                state = STATE.search(line)[1].decode()
                self.states[state] = self.states.get(state, 0) + 1
                continue
            record = json.loads(line)
            if record["event_type"] == "stats":
                self.stats = record["stats"]
            elif record["event_type"] == "anomaly":
                event = record["anomaly"]["event"]
                self.anomalies[event] = self.anomalies.get(event, 0) + 1


class Load(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_two_hundred_connections_at_once_over_three_paths(self):
        count, size = 200, 100_000
        lab = self.enterContext(network.Network("three-paths"))
        server = lab.start(lab.server, sys.executable, str(LAB / "talk.py"), "serve", "7000", stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")
        streams = self.folder / "streams"
        sensor = Sensor(lab, self.folder, "--export-streams", str(streams), interfaces=[lab.interface(path, side) for path in (1, 2, 3) for side in (1, 2)])
        began = time.monotonic()
        done = lab.run(lab.client, sys.executable, str(LAB / "talk.py"), "send", lab.target(), "7000", str(count), str(size), str(lab.paths), capture_output=True, text=True)
        self.assertEqual(done.stdout, "done\n")
        took = time.monotonic() - began
        wait_for(lambda: len(sensor.records("mptcp")) >= count, "a record of each connection")
        self.assertEqual(sensor.end()[0], 0, sensor.errors.read_text())
        records = sensor.records("mptcp")
        subflows = sum(len(one["mptcp"]["subflows"]) for one in records)
        joins = lab.kernel_counters(lab.server)["MPTcpExtMPJoinAckRx"]
        print(f"{count} connections, {subflows} subflows ({joins} joined by the kernel), {count * size / took / 1e6:.1f} MB/s")
        self.assertEqual(len(records), count)
        self.assertEqual({one["mptcp"]["state"] for one in records}, {"closed"})
        self.assertEqual({one["mptcp"]["visibility"] for one in records}, {1})
        self.assertEqual((joins, subflows), (2 * count, 3 * count))
        stats = sensor.records("stats")[-1]["stats"]
        self.assertEqual(stats["capture"]["kernel_drops"], 0)
        self.assertEqual(stats["mptcp"]["connections"], count)
        self.assertEqual(sorted(file.read_bytes() for file in streams.glob("*.toserver")), sorted(talk.text(number, size) for number in range(count)))

    def test_soak(self):
        lab = self.enterContext(network.Network("two-paths"))
        for namespace in (lab.client, lab.server):
            # A client's port is free again after a second instead of a minute.
            lab.set(namespace, "net.ipv4.ip_local_port_range", "1024 65535")
            lab.set(namespace, "net.ipv4.tcp_tw_reuse", 1)
        server = lab.start(lab.server, live_sensor.CHURN, "serve", str(PORT), str(PORTS), stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")
        sensor = Sensor(lab, self.folder, log_to_pipe=True)
        log = Reader(sensor.process.stdout)
        client = lab.start(lab.client, live_sensor.CHURN, "connect", lab.target(), str(PORT), str(PORTS), str(SOAK_RATE), str(SOAK_SECONDS), "600", stdout=subprocess.PIPE, text=True)
        status = pathlib.Path(f"/proc/{sensor.process.pid}/status")
        resident = []
        while client.poll() is None:
            self.assertIsNone(sensor.process.poll(), sensor.errors.read_text())
            resident.append(int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) << 10)
            try:
                client.wait(timeout=1)
            except subprocess.TimeoutExpired:
                pass
        sent = json.loads(client.stdout.readline())
        rate = sent["began"] / sent["seconds"]
        self.assertEqual(sensor.end()[0], 0, sensor.errors.read_text())
        log.join(timeout=20)
        steady = resident[len(resident) // 4:]
        first, second = (max(half) for half in (steady[:len(steady) // 2], steady[len(steady) // 2:]))
        print(f"{sent['began']} connections in {sent['seconds']} s, {rate:.0f} a second (asked for: {SOAK_RATE}); resident MiB: begin {resident[0] >> 20}, first half {first >> 20}, "
              f"second half {second >> 20}; {log.states}; anomalies {log.anomalies}")
        counters = self.account(lab, log.stats)
        self.assertEqual(sent["failed"], 0)
        self.assertEqual(log.stats["capture"]["kernel_drops"], 0)
        self.assertEqual(counters["MPTcpExtMPCapableACKRX"], sent["began"])
        self.assertEqual(log.stats["mptcp"]["connections"], sent["began"])
        self.assertEqual(sum(log.states.values()), sent["began"])
        self.assertLess(second, first * 1.1 + SLACK_BYTES)

    @staticmethod
    def account(lab, stats):
        counters = lab.kernel_counters(lab.server)
        print({name: value for name, value in stats["mptcp"].items() if value}, {name: value for name, value in stats["capture"].items()})
        return counters


if __name__ == "__main__":
    live_sensor.main(needs_churn=True)

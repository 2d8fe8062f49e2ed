#!/usr/bin/env python3
"""Signatures that a sender cuts up over subflows, octet by octet, to a real kernel and to its own kind: `weir sensor` says so within a second, and which subflows."""
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import network
from live_sensor import Sensor, wait_for

from lab import endpoint, namespaces
from lab.raw import plan
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
KERNEL_PORT, RAW_PORT = 7000, 7001
SIGNATURE = b"an unmistakable sign"
WITHIN_SECONDS = 1


class Signatures(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("three-paths"))
        self.lab.without_a_bound_on_subflows(self.lab.server)
        rules = folder / "local.rules"
        rules.write_text(f'alert tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n')
        self.serve("talk.py", "serve", str(KERNEL_PORT))
        self.sensor = Sensor(self.lab, folder, "--rules", str(rules))
        self.seed = 0
        self.silenced = []  # connections that must not be in an alert

    def serve(self, program, *options):
        server = self.lab.start(self.lab.server, sys.executable, str(LAB / program), *options, stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")

    def send(self, steps, subflows, remote, version=1, checksum=False):
        """The connection, still open, and when its last octet left."""
        self.seed += 1
        host = self.enterContext(Host(self.seed))
        with namespaces.inside(self.lab.client):
            connection = endpoint.client(host, remote, subflows, version, checksum)
        last = plan.perform(connection, steps)
        host.pump(lambda: connection.data_acked >= connection.end, "the acknowledgement of all octets")
        return connection, last

    def told(self, connection):
        return [one for one in self.sensor.records("alert") if one["mptcp"]["id"] == connection.identity]

    def check(self, subflows, remote, expected=None, order="forward", **how):
        before = b"hello "
        steps = [plan.Step(text=before.decode(), wait=True), *plan.split(SIGNATURE, subflows, start=len(before), order=order)]
        connection, last = self.send(steps, subflows, remote, **how)
        deadline = last + 10
        while not (alerts := self.told(connection)) and time.time() < deadline:
            connection.host.pump(lambda: True, None, 0)
            time.sleep(0.002)
        took = time.time() - last
        self.assertTrue(alerts, "no alert while the connection is open")
        kind = f"v{how.get('version', 1)}, IPv{6 if ':' in remote[0] else 4}, {subflows:2} subflows, {order}"
        print(f"{kind}: in the log {took * 1000:.0f} ms after the last octet was sent", flush=True)
        alert = alerts[0]
        self.assertLess(took, WITHIN_SECONDS)
        self.assertEqual((len(alerts), alert["alert"]["signature_id"]), (1, 7))
        self.assertEqual(alert["mptcp"]["split"], subflows > 1)
        self.assertEqual(alert["mptcp"]["subflows"], list(range(subflows)) if expected is None else expected)
        self.assertEqual((alert["mptcp"]["dsn_first"], alert["mptcp"]["dsn_last"]), (len(before), len(before) + len(SIGNATURE) - 1))
        connection.finish()

    def silent(self, subflows, remote, **how):
        """The same octets in the same cuts, in another sequence: they make no signature."""
        connection, _ = self.send(plan.split(bytes(reversed(SIGNATURE)), subflows), subflows, remote, **how)
        connection.finish()
        self.silenced.append(connection)

    def tearDown(self):
        """A connection's record comes a while after its end, and whatever was found in it before."""
        wait_for(lambda: {one.identity for one in self.silenced} <= {one["mptcp"]["id"] for one in self.sensor.records("mptcp")}, "the records of connections without a signature")
        for connection in self.silenced:
            self.assertEqual(self.told(connection), [])

    def test_version_1_to_a_kernel(self):
        remote = (self.lab.target(), KERNEL_PORT)
        for subflows in (1, 2, 3, 8, 16):
            with self.subTest(subflows):
                self.check(subflows, remote)
                self.silent(subflows, remote)

    def test_version_1_to_a_kernel_otherwise(self):
        remote = (self.lab.target(), KERNEL_PORT)
        self.check(3, (self.lab.target(1, 6), KERNEL_PORT))
        self.check(3, remote, order="backward")
        self.check(8, remote, order="shuffled")
        self.check(3, remote, checksum=True)

    def test_version_0_between_endpoints(self):
        self.serve("endpoint.py", "server", "--listen", str(RAW_PORT), "--version", "0")
        remote = ("10.1.2.101", RAW_PORT)
        for subflows in (1, 2, 3, 8, 16):
            with self.subTest(subflows):
                self.check(subflows, remote, version=0)
                self.silent(subflows, remote, version=0)

    def test_who_carried_it_and_who_carried_it_again(self):
        """Of two copies the one that the kernel took counts: the other subflow is not named. Rings hold packets back, so copies that are only
        milliseconds apart at two interfaces may be taken in either order."""
        half = len(SIGNATURE) // 2
        first, second = SIGNATURE[:half].decode(), SIGNATURE[half:].decode()
        steps = [plan.Step(0, 0, first, wait=True), plan.Step(2, 0, first, delay_ms=300, wait=True), plan.Step(1, half, second, delay_ms=300, wait=True)]
        connection, _ = self.send(steps, 3, (self.lab.target(), KERNEL_PORT))
        alert = wait_for(lambda: self.told(connection), "the alert")[0]
        self.assertEqual(alert["mptcp"]["subflows"], [0, 1])
        connection.finish()
        record = wait_for(lambda: [one for one in self.sensor.records("mptcp") if one["mptcp"]["id"] == connection.identity], "the connection's record")[0]
        self.assertEqual(record["mptcp"]["duplicate_bytes"], half)

    def test_what_a_stranger_forges_is_told(self):
        host = self.enterContext(Host(99))
        with namespaces.inside(self.lab.client):
            connection = endpoint.client(host, (self.lab.target(), KERNEL_PORT), 2)
        wanted = {"join_wrong_hmac": "join_hmac_mismatch", "add_addr_wrong_hmac": "add_addr_hmac_mismatch", "remove_addr_unknown_id": "remove_addr_unknown_id",
                  "fastclose_wrong_key": "fastclose_key_mismatch"}
        plan.perform(connection, [plan.Step(text="hello", wait=True), *(plan.Step(subflow=1, forge=kind) for kind in wanted), plan.Step(subflow=1, text="end", wait=True)])
        connection.finish()
        wait_for(lambda: self.sensor.records("mptcp"), "the connection's record")
        self.assertEqual({one["anomaly"]["event"] for one in self.sensor.records("anomaly")}, set(wanted.values()))


if __name__ == "__main__":
    live_sensor.main()

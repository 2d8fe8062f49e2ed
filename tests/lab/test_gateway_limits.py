#!/usr/bin/env python3
"""Limits over time and over all connections of a client, over IPv4 and IPv6; another client has its own."""
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for, warm

from lab import endpoint, namespaces
from lab.raw.connection import Refused
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT = 7000
FAMILIES = (4, 6)
PATIENCE = 30


class Limits(unittest.TestCase):
    def start(self, limits):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        self.lab.without_a_bound_on_subflows(self.lab.server)
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        warm(self.lab, PORT)
        self.gateway = Gateway(self.lab, folder, policy=f"  default: {{action: inspect, limits: {{{limits}}}}}", more="limits: {linger_seconds: 1}").start()
        self.host = self.enterContext(Host(1))

    def open(self, family, subflows=1):
        with namespaces.inside(self.lab.client):
            return endpoint.client(self.host, (self.lab.target(1, family), PORT), subflows)

    def joins(self, connection, family, count):
        """So many at once over the second path; those that came to be, how long that took."""
        with namespaces.inside(self.lab.client):
            link, address = self.host.link("p2", family)
        began = time.monotonic()
        tried = [connection.join(link, (address, self.host.port()), (self.lab.target(1, family), PORT), addr_id=number, wait=False) for number in range(1, count + 1)]
        self.host.pump(lambda: all(one.state in ("established", "reset", "failed") for one in tried), "all to be answered", PATIENCE)
        took = time.monotonic() - began
        self.assertNotIn("failed", [one.state for one in tried], "what is refused is told by RST")
        return [one for one in tried if one.state == "established"], took

    def refused(self, action="reset"):
        return [one["reason"] for one in self.gateway.decisions() if one["action"] == action]

    def told(self, reason, count, action="reset"):
        wait_for(lambda: len(self.refused(action)) >= count, f"{count} records", PATIENCE)
        self.assertEqual(self.refused(action), [reason] * count)

    def others_have_their_own(self, family):
        sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(1, family), str(PORT), "1", "100000", "2",
                            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((sent.stdout, sent.stderr), ("done\n", ""))

    def rate(self, name, connections):
        """2 a second: of 12 at once two pass, and as many more as their time has room for."""
        told = 0
        for family in FAMILIES:
            opened = [self.open(family) for _ in range(connections)]
            each, passed, took = 12 // connections, 0, 0.0
            began = time.monotonic()
            for connection in opened:
                some, _ = self.joins(connection, family, each)
                passed += len(some)
            took = time.monotonic() - began
            self.assertGreaterEqual(passed, 2)
            self.assertLessEqual(passed, 2 + 2 * took + 1)
            told += 12 - passed
            wait_for(lambda told=told: len(self.refused()) >= told, f"{told} records", PATIENCE)
            wait_for(lambda: self.joins(opened[0], family, 1)[0], "room again", PATIENCE)
            told = len(self.refused())
            for connection in opened:
                connection.finish()
        self.assertEqual(set(self.refused()), {f"limits.{name}"})

    def test_joins_per_second(self):
        self.start("joins_per_second: 2")
        self.rate("joins_per_second", 1)

    def test_joins_per_second_of_a_client(self):
        self.start("host_joins_per_second: 2")
        self.rate("host_joins_per_second", 3)
        for family in FAMILIES:
            self.others_have_their_own(family)

    def test_subflows_of_a_client(self):
        self.start("host_subflows: 4")
        self.turned_away = 0
        for number, family in enumerate(FAMILIES, 1):
            first, second = self.open(family), self.open(family)
            self.assertEqual(len(self.joins(first, family, 1)[0]), 1)
            self.assertEqual(len(self.joins(second, family, 3)[0]), 1, "of the four that it may have")
            self.assertEqual(self.joins(first, family, 1)[0], [], "nor of another connection")
            self.told("limits.host_subflows", 3 * number)
            with self.assertRaises(Refused):
                self.open(family)
            self.turned_away += 1
            self.told("limits.host_subflows", self.turned_away, "strip")
            self.others_have_their_own(family)
            first.finish()
            self.again(family).finish()
            second.finish()

    def again(self, family):
        """Once what was is over, there is room."""
        def opened():
            try:
                return self.open(family)
            except Refused:
                self.turned_away += 1
                return None
        return wait_for(opened, "room again", PATIENCE)

    def test_connections_of_a_client(self):
        self.start("host_connections: 2")
        self.turned_away = 0
        for family in FAMILIES:
            first, second = self.open(family), self.open(family)
            with self.assertRaises(Refused):
                self.open(family)
            self.turned_away += 1
            self.told("limits.host_connections", self.turned_away, "strip")
            self.others_have_their_own(family)
            first.finish()
            third = self.again(family)
            for one in (second, third):
                one.finish()


if __name__ == "__main__":
    live_sensor.main()

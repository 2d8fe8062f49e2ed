#!/usr/bin/env python3
"""`weir gateway` refuses a SYN that the router's own NAT has changed: its sender is told at once, as by the peer that it has asked."""
import contextlib
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import network
from live_gateway import Gateway

from lab import endpoint, namespaces
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT = 7000
AT_ONCE_SECONDS = 0.9  # a SYN without an answer comes again after 1 s
STRANGE_TOKEN = b"\xde\xad\xbe\xef"
# Beside a port that is forwarded, what goes to the server gets the router's address.
BOTH = "".join(f'table {ip} both {{\n chain after {{\n type nat hook postrouting priority 90\n oifname "s*" masquerade\n }}\n}}\n' for ip in ("ip", "ip6"))
NETWORKS = {"nat-port-forward": ("nat-port-forward", ""), "nat-one-to-one": ("nat-one-to-one", ""), "both addresses": ("nat-port-forward", BOTH)}


class Refused(unittest.TestCase):
    @contextlib.contextmanager
    def on(self, name, **how):
        described, rules = NETWORKS[name]
        with network.Network(described) as self.lab, tempfile.TemporaryDirectory() as folder:
            if rules:
                self.lab.run(self.lab.router, "nft", "-f", "-", input=rules, text=True)
            self.gateway = Gateway(self.lab, folder, **how).start()
            talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
            self.assertEqual(talk.stdout.readline(), "listening\n")
            yield
            self.assertEqual(self.gateway.end()[0], 0)
            self.told_by_kernel = self.gateway.last_stats()["gateway"]["told_by_kernel"]
            self.assertNotIn("weir_reset", self.lab.run(self.lab.router, "nft", "list", "tables", capture_output=True, text=True).stdout)

    def reset_at_once(self, sub):
        began = time.monotonic()
        sub.connection.host.pump(lambda: sub.state != "syn_sent", "an answer to the SYN", 5)
        self.assertEqual(sub.state, "reset")
        self.assertLess(time.monotonic() - began, AT_ONCE_SECONDS)

    def open(self, host, family):
        with namespaces.inside(self.lab.client):
            return endpoint.client(host, (self.lab.target(1, family), PORT), 1)

    def test_the_action_reset(self):
        for name in NETWORKS:
            with self.subTest(name), self.on(name, policy="  default: {action: reset}"):
                for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
                    for path in (1, 2):
                        with namespaces.inside(self.lab.client), socket.socket(kind, socket.SOCK_STREAM, network.MPTCP) as client:
                            client.settimeout(5)
                            began = time.monotonic()
                            with self.assertRaises(ConnectionRefusedError):
                                client.connect((self.lab.target(path, family), PORT))
                            self.assertLess(time.monotonic() - began, AT_ONCE_SECONDS)
                self.assertEqual(self.lab.kernel_counters(self.lab.server)["MPTcpExtMPCapableSYNRX"], 0)
            self.assertEqual(self.told_by_kernel, 0 if name == "nat-one-to-one" else 4)

    def test_a_join_with_an_unknown_token(self):
        for name in NETWORKS:
            with self.subTest(name), self.on(name), Host(1) as host:
                for family in (4, 6):
                    connection = self.open(host, family)
                    first = connection.subflows[0]
                    self.reset_at_once(connection.join(first.link, (first.local[0], host.port()), first.remote, token=STRANGE_TOKEN, wait=False))
                    connection.send(first, 0, b"the connection lives on")
                    connection.finish()
                self.assertEqual(self.lab.kernel_counters(self.lab.server)["MPTcpExtMPJoinNoTokenFound"], 0)

    def test_a_join_to_another_address_than_those_known(self):
        for name in NETWORKS:
            with self.subTest(name), self.on(name, policy="  default: {action: inspect, limits: {subflows: 1}}"), Host(1) as host:
                for family in (4, 6):
                    connection = self.open(host, family)
                    first = connection.subflows[0]
                    self.reset_at_once(connection.join(first.link, (first.local[0], host.port()), (self.lab.target(2, family), PORT), wait=False))
                    connection.send(first, 0, b"the connection lives on")
                    connection.finish()
                self.assertEqual(self.lab.kernel_counters(self.lab.server)["MPTcpExtMPJoinSynRx"], 0)


if __name__ == "__main__":
    live_sensor.main()

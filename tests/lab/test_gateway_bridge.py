#!/usr/bin/env python3
"""The gateway on a bridge: the router's lines are ports, hosts reach each other without it as a hop. Policy and prevention as on a router."""
import contextlib
import itertools
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for

from lab import addresses, endpoint, namespaces
from lab.raw import link, plan
from lab.raw.host import Host

HERE = pathlib.Path(__file__).parent
LAB = pathlib.Path(endpoint.__file__).parent
PORT, RECEIVER = 7000, 7001
FAMILIES = (4, 6)
SIGNATURE = b"an unmistakable sign"
DROP = f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n'


def warm_bridge(lab):
    """The router's own first packet may be lost, too, until it knows its neighbours."""
    for path in (1, 2):
        for family in FAMILIES:
            with namespaces.inside(lab.router), contextlib.suppress(OSError):
                socket.create_connection((addresses.client(path, family), 9), timeout=5).close()


class Bridge(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        if not self.has_bridge_netfilter():
            self.skipTest("this kernel has no br_netfilter")
        for path in (1, 2):
            self.bridge(path)
        for name in ("iptables", "ip6tables"):
            self.lab.set(self.lab.router, f"net.bridge.bridge-nf-call-{name}", 1)
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        for path, family in itertools.product((1, 2), FAMILIES):
            wait_for(lambda path=path, family=family: self.connects(path, family), f"path {path} by IPv{family}")
        warm_bridge(self.lab)

    def has_bridge_netfilter(self):
        return self.lab.run(self.lab.router, "test", "-e", "/proc/sys/net/bridge/bridge-nf-call-iptables", check=False).returncode == 0

    def ip(self, namespace, *words):
        self.lab.run(namespace, "ip", *words, capture_output=True)

    def bridge(self, path):
        """c1 and s1 are ports of br1, which has an address, as Weir's own packets need a way out; both hosts have everything on their line."""
        router, name = self.lab.router, f"br{path}"
        self.ip(router, "link", "add", name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        for side, host, line in ((addresses.CLIENT_SIDE, self.lab.client, "c"), (addresses.SERVER_SIDE, self.lab.server, "s")):
            self.ip(router, "addr", "flush", "dev", f"{line}{path}")
            self.ip(router, "link", "set", f"{line}{path}", "master", name)
            for family in FAMILIES:
                self.ip(router, f"-{family}", "addr", "add", f"{addresses.address(path, side, 1, family)}/{addresses.PREFIX[family]}", "dev", name,
                        *(["nodad"] if family == 6 else []))
                self.ip(host, f"-{family}", "route", "replace", addresses.net(path, 3 - side, family), "dev", f"p{path}")
                self.ip(host, f"-{family}", "route", "replace", "default", "dev", f"p{path}", "table", str(path))
        for family in FAMILIES:  # what comes over a line is answered there
            self.ip(self.lab.server, f"-{family}", "rule", "del", "table", str(path))
        self.ip(router, "link", "set", name, "up")
        if path > 1:  # where IPv4 answers for every address of the host, IPv6 does not
            with namespaces.inside(self.lab.server):
                mac = next(one["address"] for one in link.ip_json("link", "show", "dev", f"p{path}"))
            self.ip(self.lab.client, "-6", "neigh", "replace", addresses.server(1, 6), "lladdr", mac, "dev", f"p{path}")

    def connects(self, path, family):
        with namespaces.inside(self.lab.client), contextlib.suppress(OSError):
            socket.create_connection((addresses.server(path, family), PORT), timeout=5, source_address=(addresses.client(path, family), 0)).close()
            return True

    def start(self, **how):
        self.gateway = Gateway(self.lab, self.folder, **how).start()
        self.before = {host: self.lab.kernel_counters(host) for host in (self.lab.client, self.lab.server)}

    def count(self, host, *names):
        counters = self.lab.kernel_counters(host)
        return [counters.get(name, 0) - self.before[host].get(name, 0) for name in names]

    def send(self, family, subflows):
        sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(1, family), str(PORT), "1", "1000000", str(subflows),
                            capture_output=True, text=True, timeout=60, check=False)
        return sent.stderr or sent.stdout

    def test_inspect(self):
        self.start(policy="  default: {action: inspect}")
        for family in FAMILIES:
            self.assertEqual(self.send(family, 2), "done\n")
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPCapableACKRX", "MPTcpExtMPJoinAckRx"), [2, 2])
        hops = self.lab.run(self.lab.router, "nstat", "-asz", "--json", "IpForwDatagrams", capture_output=True, text=True).stdout
        self.assertIn('"IpForwDatagrams":0', hops.replace(" ", ""), "it was no hop")
        self.gateway.end()
        self.assertEqual([(one["mptcp"]["bytes_toserver"], one["mptcp"]["visibility"]) for one in self.gateway.records("mptcp")], [(1_000_000, 1)] * 2)

    def test_strip(self):
        self.start(policy="  default: {action: strip}", gateway="interfaces: [br1, br2]")
        for family in FAMILIES:
            self.assertEqual(self.send(family, 1), "done\n")
        self.assertEqual(self.count(self.lab.client, "MPTcpExtMPCapableFallbackSYNACK", "TcpExtTCPSynRetrans"), [2, 0])
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPCapableSYNRX"), [0])

    def test_reset_by_port_of_the_bridge(self):
        self.start(policy="  default: {action: inspect}\n  rules: [{name: in-here, match: {interface_in: [c1], interface_out: [s1]}, action: reset}]")
        for family in FAMILIES:
            self.assertIn("Connection refused", self.send(family, 1))
        self.assertEqual(self.count(self.lab.client, "TcpExtTCPSynRetrans"), [0])
        wait_for(lambda: len(self.gateway.decisions()) >= 2, "both records")
        self.assertEqual([(one["action"], one["rule"]) for one in self.gateway.decisions()], [("reset", "in-here")] * 2)

    def open(self, host, family, port, subflows):
        with namespaces.inside(self.lab.client):
            lines = [host.link(f"p{path}", family) for path in (1, 2)]
            for path, (line, _) in enumerate(lines, 1):
                line.gateways[family] = addresses.server(path, family)  # it is on this line
            return endpoint.client(host, (self.lab.target(1, family), port), subflows), lines[1]

    def test_a_path_that_is_not_allowed(self):
        self.start(policy="  default: {action: inspect, limits: {paths: [c1]}}")
        for family in FAMILIES:
            with Host(family) as host:
                connection, (line, address) = self.open(host, family, PORT, 1)
                second = connection.join(line, (address, host.port()), (self.lab.target(1, family), PORT), addr_id=1)
                self.assertEqual(second.state, "reset")
                connection.finish()
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPJoinSynRx"), [0])
        self.gateway.end()
        self.assertEqual({one["reason"] for one in self.gateway.decisions() if one["action"] == "reset"}, {"limits.paths"}, self.gateway.decisions())

    def test_a_signature_over_two_subflows(self):
        self.start(rules=DROP)
        receiver = self.lab.start(self.lab.server, sys.executable, str(HERE / "receiver.py"), str(RECEIVER), stdout=subprocess.PIPE, text=True)
        self.assertEqual(receiver.stdout.readline(), "listening\n")
        for family in FAMILIES:
            with Host(family) as host:
                connection, _ = self.open(host, family, RECEIVER, 2)
                plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 2, start=6)])
                host.pump(lambda: connection.fastclosed, "MP_FASTCLOSE")
            for line in receiver.stdout:
                if '"how"' in line:
                    break
            self.assertNotIn(SIGNATURE.decode(), line)
            self.assertNotIn('"eof"', line)
        wait_for(lambda: len(self.gateway.records("alert")) == 2, "both alerts")


if __name__ == "__main__":
    live_sensor.main()

#!/usr/bin/env python3
"""Each action of the policy and each limit, by what the kernels of both ends count, over IPv4 and IPv6."""
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

LAB = pathlib.Path(endpoint.__file__).parent
PORT = 7000
SIZE = 2_000_000
FAMILIES = (4, 6)


class Policy(unittest.TestCase):
    def start(self, policy, paths="three-paths", **how):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network(paths))
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        # Lines that have just come up may lose a first packet: what is counted here is the gateway's doing.
        with namespaces.inside(self.lab.client):
            for family in FAMILIES:
                for path in range(1, self.lab.paths + 1):
                    socket.create_connection((self.lab.target(1, family), PORT), timeout=10, source_address=(addresses.client(path, family), 0)).close()
        self.gateway = Gateway(self.lab, folder, policy=policy, **how).start()
        self.before = {host: self.lab.kernel_counters(host) for host in (self.lab.client, self.lab.server)}

    def send(self, family=4, subflows=1, size=SIZE):
        """"done": what was sent came through octet by octet. How long it took says more of the machine than of the gateway: that no SYN was sent again, the kernels count."""
        sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(1, family), str(PORT), "1", str(size), str(subflows),
                            capture_output=True, text=True, timeout=60, check=False)
        return sent.stderr or sent.stdout

    def count(self, host, *names):
        counters = self.lab.kernel_counters(host)
        return [counters.get(name, 0) - self.before[host].get(name, 0) for name in names]

    def test_strip(self):
        self.start("  default: {action: strip}")
        for number, family in enumerate(FAMILIES, 1):
            self.assertEqual(self.send(family), "done\n")
            self.assertEqual(self.count(self.lab.client, "MPTcpExtMPCapableSYNTX", "MPTcpExtMPCapableFallbackSYNACK", "MPTcpExtMPJoinSynTx", "MPTcpExtBlackhole", "TcpExtTCPSynRetrans"),
                             [number, number, 0, 0, 0])
            self.assertEqual(self.count(self.lab.server, "MPTcpExtMPCapableSYNRX", "TcpExtTCPSynRetrans"), [0, 0])
        self.gateway.end()
        self.assertEqual([one["action"] for one in self.gateway.decisions()], ["strip"] * 2)
        self.assertEqual(self.gateway.last_stats()["gateway"]["queue"]["packets"], 2, "two SYNs, and nothing that came after")

    def test_reset(self):
        self.start("  default: {action: inspect}\n  rules: [{name: none-of-these, match: {port: [7000]}, action: reset}]")
        for family in FAMILIES:
            self.assertIn("Connection refused", self.send(family))
        self.assertEqual(self.count(self.lab.client, "TcpExtTCPSynRetrans"), [0])
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPCapableSYNRX"), [0])
        self.gateway.end()
        self.assertEqual([(one["action"], one["rule"]) for one in self.gateway.decisions()], [("reset", "none-of-these")] * 2)

    def test_allow_goes_by_in_the_kernel(self):
        self.start("  default: {action: allow}")
        for family in FAMILIES:
            self.assertEqual(self.send(family, 3, 20_000_000), "done\n")
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPCapableACKRX", "MPTcpExtMPJoinAckRx"), [2, 4])
        self.gateway.end()
        self.assertLess(self.gateway.last_stats()["gateway"]["queue"]["packets"], 200)
        self.assertEqual(self.gateway.records("anomaly"), [])

    def test_inspect(self):
        self.start("  default: {action: inspect}")
        for family in FAMILIES:
            self.assertEqual(self.send(family, 3), "done\n")
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPCapableACKRX", "MPTcpExtMPJoinAckRx"), [2, 4])
        self.gateway.end()
        self.assertEqual([(one["mptcp"]["bytes_toserver"], one["mptcp"]["visibility"]) for one in self.gateway.records("mptcp")], [(SIZE, 1)] * 2)

    def limited(self, limits, joined, more=""):
        self.start(f"  default: {{action: inspect, limits: {{{limits}}}}}" + more)
        for family in FAMILIES:
            self.assertEqual(self.send(family), "done\n")
        wait_for(lambda: self.count(self.lab.client, "MPTcpExtMPJoinSynTx")[0] == 4, "the JOINs")
        self.assertEqual(self.count(self.lab.server, "MPTcpExtMPJoinAckRx"), [2 * joined])
        self.assertEqual(self.count(self.lab.client, "MPTcpExtBlackhole", "TcpExtTCPSynRetrans"), [0, 0])
        self.gateway.end()
        refused = [one for one in self.gateway.decisions() if one["action"] == "reset"]
        self.assertEqual(len(refused), 2 * (2 - joined))
        return refused

    def test_limit_of_subflows(self):
        self.assertEqual({one["reason"] for one in self.limited("subflows: 2", 1)}, {"limits.subflows"})

    def test_limit_of_paths(self):
        self.assertEqual({one["reason"] for one in self.limited("paths: [c1, c3]", 1)}, {"limits.paths"})

    def test_limit_of_who_opens(self):
        self.limited("opened_by: server", 0)

    def test_limit_of_backup(self):
        self.limited("backup_only: true", 0)

    def test_version(self):
        self.start("  default: {action: inspect, limits: {versions: [0]}}")
        self.assertEqual(self.send(), "done\n")
        self.assertEqual(self.count(self.lab.client, "MPTcpExtMPCapableFallbackSYNACK"), [1])

    def test_reload_decides_anew(self):
        self.start("  default: {action: inspect}")
        self.assertEqual(self.send(), "done\n")
        self.gateway.write("  default: {action: strip}")
        self.gateway.process.send_signal(live_sensor.signal.SIGHUP)
        self.gateway.said("weir: reloaded")
        self.assertEqual(self.send(), "done\n")
        self.assertEqual(self.count(self.lab.client, "MPTcpExtMPCapableFallbackSYNACK"), [1])

    def test_rules_come_and_go(self):
        self.start("  default: {action: inspect}")
        self.lab.run(self.lab.router, "iptables", "-t", "mangle", "-A", "FORWARD", "-m", "comment", "--comment", "of others", "-j", "ACCEPT")
        status, took = self.gateway.end()
        self.assertEqual(status, 0)
        self.assertLess(took, 5)
        for program in ("iptables", "ip6tables"):
            left = self.lab.run(self.lab.router, program, "-t", "mangle", "-S", capture_output=True, text=True).stdout
            self.assertNotIn("WEIR", left)
            self.assertEqual("of others" in left, program == "iptables")

    def test_dry_run(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "weir.yaml"
            config.write_text("gateway: {interfaces: [lan0]}\n")
            pathlib.Path(folder).chmod(0o755)
            run = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", live_sensor.WEIR, "gateway", "--config", str(config), "--dry-run"], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("-A WEIR-FORWARD -i lan0 -g WEIR-JUDGE", run.stdout)


if __name__ == "__main__":
    live_sensor.main()

#!/usr/bin/env python3
"""`weir probe --raw` on a host with several uplinks: each target by the way that the kernel would take, from the right address; what the user fixes of it."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
import probe_world

from lab import description

# The first path is clean, and on the second MPTCP is stripped.
CLEAN, STRIPPED, CLEAN6, STRIPPED6 = "10.1.2.2", "10.2.2.2", "fd00:1:2::2", "fd00:2:2::2"
PORT = 8000
COUNT = f"""
table inet uplinks {{
  counter p1 {{}}
  counter p2 {{}}
  chain in {{
    type filter hook prerouting priority -200;
    iifname c1 tcp dport {PORT} counter name p1
    iifname c2 tcp dport {PORT} counter name p2
  }}
}}
"""


class Uplinks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(network.Network(description.of({"families": ["ipv4", "ipv6"], "routers": 2, "box": "far",
                                                                                  "path": [{}, {"strip": "all"}]})))
        server = cls.world.start(cls.world.server, sys.executable, "-c", probe_world.SERVE, f"262:{PORT}", stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "listening\n"
        cls.world.run(cls.world.router, "nft", "-f", "-", input=COUNT, text=True)
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def probe(self, *arguments, status=0):
        done = self.world.run(self.world.client, live_sensor.WEIR, "probe", "--raw", "--port", str(PORT), "--tries", "3", "--timeout-ms", "400", "--quiet", *arguments,
                              check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        self.said = done.stderr
        records = {}
        output = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--output"]
        if not output and status == 0:
            records = {record["ip"]: record for record in map(probe_world.json.loads, done.stdout.splitlines())}
        return records

    def sent_by(self, path):
        """How many SYNs to the port have come by the path so far."""
        said = self.world.run(self.world.router, "nft", "list", "counter", "inet", "uplinks", f"p{path}", capture_output=True, text=True).stdout
        return int(said.split("packets ")[1].split()[0])

    def verdicts(self, *arguments):
        return {ip: record["verdict"] for ip, record in self.probe(*arguments).items()}

    def test_each_target_by_its_own_way(self):
        found = self.probe("--trace", STRIPPED, CLEAN, f"[{CLEAN6}]:{PORT}", f"[{STRIPPED6}]:{PORT}")
        self.assertEqual(self.said, "")
        self.assertEqual({ip: record["verdict"] for ip, record in found.items()}, {CLEAN: "v1", STRIPPED: "tcp_only", CLEAN6: "v1", STRIPPED6: "tcp_only"})
        # What the router on its way quotes stands in its own net.
        self.assertEqual(found[STRIPPED]["trace"]["hops"][0]["address"], "10.2.1.1")
        self.assertEqual(found[STRIPPED6]["trace"]["hops"][0]["address"], "fd00:2:1::1")

    def test_a_more_special_route_within_a_prefix(self):
        """Of one prefix as a target some addresses lie behind another interface."""
        self.world.run(self.world.client, "ip", "route", "add", "10.1.2.0/30", "via", "10.2.1.1")
        for router in (self.world.router, self.world.far):
            self.world.run(router, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0")
        try:
            before = [self.sent_by(path) for path in (1, 2)]
            found = self.verdicts("10.1.2.0/29")
            for path, count in zip((1, 2), before):
                self.assertGreaterEqual(self.sent_by(path) - count, 4, path)
        finally:
            self.world.run(self.world.client, "ip", "route", "del", "10.1.2.0/30")
        self.assertEqual(found[CLEAN], "tcp_only")  # from the second interface's address: the answers pass the box
        self.assertEqual(len(found), 8)

    def test_what_is_fixed_holds_for_every_target(self):
        # Answers to the second interface's address pass the box. The host's rules know the way by the second interface for what speaks from its address.
        for fixed in (["-i", "p2"], ["--source", "10.2.1.2"], ["--gateway", "10.2.1.1"], ["-i", "p2", "--gateway", "10.2.1.1"],
                      ["-i", "p2", "--source", "10.2.1.2"], ["-i", "p2", "--source", "10.2.1.2", "--gateway", "10.2.1.1"], ["--source", "10.2.1.77"],
                      ["-i", "p2", "--source", "10.2.1.78", "--gateway", "10.2.1.1"]):
            with self.subTest(fixed):
                before = self.sent_by(1)
                self.assertEqual(self.verdicts(*fixed, CLEAN, STRIPPED), {CLEAN: "tcp_only", STRIPPED: "tcp_only"})
                self.assertEqual(self.sent_by(1), before, "SYNs by the first interface")

    def test_the_kernel_does_not_reset_what_it_did_not_open(self):
        resets = self.world.kernel_counters(self.world.client)["TcpOutRsts"]
        for fixed in ([], ["--source", "10.1.1.2"], ["-i", "p2", "--source", "10.2.1.2", "--gateway", "10.2.1.1"]):
            self.verdicts(*fixed, CLEAN, STRIPPED)
        self.assertEqual(self.world.kernel_counters(self.world.client)["TcpOutRsts"], resets)

    def test_without_privileges_it_says_what_is_missing_and_nothing_else(self):
        for capabilities in ([], ["--inh-caps=+net_raw", "--ambient-caps=+net_raw"]):
            done = self.world.run(self.world.client, "setpriv", "--reuid", "65534", "--clear-groups", *capabilities, live_sensor.WEIR, "probe", "--raw", CLEAN, check=False,
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, r"\Aweir: --raw: .*CAP_NET_ADMIN is needed.*\n\Z")

    def test_contradictions_are_told(self):
        for fixed, said in ((["-i", "p1", "--source", "10.2.1.2"], "is an address of p2, not of p1"),
                            (["-i", "p1", "--source", "10.2.1.77"], "is in the net of p2, not of p1"),
                            (["-i", "p1", "--gateway", "10.2.1.1"], "is not on the link of p1"),
                            (["--source", "10.1.1.2", "--gateway", "10.2.1.1"], "is an address of p1"),
                            (["--source", "198.51.100.7"], "is in no net of this host's interfaces"),
                            (["--source", "10.1.1.2", "--source", "10.2.1.2"], "is the second of its family"),
                            (["--gateway", "10.1.1.2"], "is this host's own address"),
                            (["--gateway", "198.51.100.1"], "is on no link of this host's"),
                            (["-i", "p9"], "there is no such interface"),
                            (["-i", "lo"], "there is no way to it by lo")):
            with self.subTest(fixed):
                self.probe(*fixed, CLEAN, STRIPPED, status=2)
                self.assertIn(said, self.said)
                self.assertEqual(self.said.count("\n"), 1)

    def test_what_has_no_way_is_told_as_that(self):
        self.world.run(self.world.client, "ip", "route", "add", "unreachable", "203.0.113.0/24")
        try:
            found = self.probe("203.0.113.7", CLEAN, "10.2.1.2")
            self.assertEqual({ip: (record["verdict"], record["evidence"].get("why"), record["packets"]) for ip, record in found.items() if ip != CLEAN},
                             {ip: ("inconclusive", "no_route", 0) for ip in ("203.0.113.7", "10.2.1.2")})
            self.assertEqual(found[CLEAN]["verdict"], "v1")
            self.assertIn("203.0.113.7: there is no way to it", self.said)
            self.assertIn("10.2.1.2: is this host itself", self.said)
            self.probe("203.0.113.7", status=1)
            self.assertIn("there is no way to it", self.said)
        finally:
            self.world.run(self.world.client, "ip", "route", "del", "unreachable", "203.0.113.0/24")

    def test_a_source_that_no_host_can_have(self):
        for source, why in (("10.1.1.255", "is the broadcast address of p1's net"), ("0.0.0.0", "is no address of a host"), ("255.255.255.255", "is no address of a host"),
                            ("224.0.0.1", "is a multicast address"), ("127.0.0.1", "is a loopback address"), ("::", "is no address of a host"),
                            ("ff02::1", "is a multicast address"), ("::1", "is a loopback address")):
            with self.subTest(source):
                self.probe("--source", source, CLEAN, f"[{CLEAN6}]:{PORT}", status=2)
                self.assertEqual(self.said.count("\n"), 1, self.said)
                self.assertIn(f"weir: --source {source}: {why}", self.said)


class UplinkDown(unittest.TestCase):
    def test_an_uplink_that_goes_down_is_told_and_not_taken_for_silence(self):
        output = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "down.json"
        with network.Network(description.of({"families": ["ipv4"], "routers": 2, "path": [{}, {}]})) as world:
            world.run(world.router, "nft", "-f", "-", input=COUNT, text=True)
            process = world.start(world.client, live_sensor.WEIR, "probe", "--raw", "--quiet", "--rate", "40", "--tries", "2", "--timeout-ms", "300", "--port", str(PORT),
                                  "--output", str(output), "10.1.2.0/28", "10.2.2.0/28", stderr=subprocess.PIPE, text=True)

            def come():
                return "packets 0" not in world.run(world.router, "nft", "list", "counter", "inet", "uplinks", "p2", capture_output=True, text=True).stdout
            live_sensor.wait_for(come, "a SYN by the second uplink", 20)
            world.run(world.client, "ip", "link", "set", "p2", "down")
            self.assertEqual(process.wait(timeout=40), 1)
            said = process.stderr.read()
        self.assertEqual(said.count("p2: is down"), 1, said)
        self.assertIn("could not be asked: their interface was down", said)
        records = probe_world.read(output)
        self.assertEqual(len(records), 32)
        not_sent = [record for record in records if record["evidence"].get("why") == "not_sent"]
        self.assertGreater(len(not_sent), 8)
        for record in not_sent:
            self.assertEqual((record["ip"].rpartition(".")[0], record["verdict"]), ("10.2.2", "inconclusive"))
        self.assertEqual([record for record in records if record["ip"].startswith("10.2.2.") and record["verdict"] == "timeout"], [])


if __name__ == "__main__":
    live_sensor.main()

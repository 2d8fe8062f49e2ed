#!/usr/bin/env python3
"""The feed drives the gateway: what `weir probe` finds decides on the next connection, by what the kernels of both ends count."""
import datetime
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network  # noqa: F401  (finds the lab)
import probe_world
from live_gateway import Gateway, wait_for

from lab import addresses, endpoint

HERE, LAB = pathlib.Path(__file__).parent, pathlib.Path(endpoint.__file__).parent
MPTCP_PORT, PLAIN_PORT = 7000, 81
SPEAKS, SPEAKS6, PLAIN, UNPROBED = "10.50.0.1", "fd50::1", "10.51.0.1", "10.50.0.200"
SIZE = 100_000

# Asks for a name, so that the gateway sees what it stands for.
ASK = """
import socket, sys
name, server = sys.argv[1:]
labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split("."))
question = b"\\x12\\x34\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0\\0\\1\\0\\1"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(5)
    asking.sendto(question, (server, 53))
    assert asking.recv(4096)[:2] == question[:2]
"""

ONLY_SPEAKERS = """
  default: {action: strip}
  rules: [{name: speakers, match: {feed: mptcp}, action: inspect}]
"""

# Finance sites: strip; CDNs in the feed: two subflows; the rest: inspect.
BY_CATEGORY = """
  default: {action: inspect}
  rules:
    - {name: finance, match: {category: finance}, action: strip}
    - {name: cdn, match: {category: cdn, feed: mptcp}, action: inspect, limits: {subflows: 2}}
"""


def stale(text):
    """A feed as it was written ten days ago, whole in every other way."""
    def time(days):
        return (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    first, _, _, *rest, end = text.splitlines(keepends=True)
    content = "".join([first, f"written\t{time(10)}\n", f"valid-until\t{time(3)}\n", *rest])
    return f"{content}end\t{end.split(chr(9))[1]}\t{hashlib.sha256(content.encode()).hexdigest()}\n"


class Feed(unittest.TestCase):
    def setUp(self):
        self.world = world = self.enterContext(probe_world.World(paths=3))
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.feed = self.folder / "probe.feed"
        for command in ([str(LAB / "talk.py"), "serve", str(MPTCP_PORT)], ["-c", probe_world.SERVE, f"6:{PLAIN_PORT}"]):
            server = world.start(world.server, sys.executable, *command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.assertEqual(server.stdout.readline(), "listening\n")

    def start(self, policy, more=""):
        self.gateway = Gateway(self.world, self.folder, policy=policy, more=f"feeds: {{mptcp: {self.feed}}}\n{more}").start()

    def probe(self, *arguments, status=0):
        """On the gateway's host: what the policy does to forwarded connections must not be taken for what the servers do."""
        done = self.world.run(self.world.router, live_sensor.WEIR, "probe", "--quiet", "--output", str(self.folder / "results.json"), "--feed", str(self.feed), *arguments,
                              check=False, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def errors(self):
        return self.gateway.errors.read_text()

    def reloaded(self, times):
        """The gateway looks every few seconds."""
        wait_for(lambda: self.errors().count("weir: feeds reloaded") == times, "the feed", 10)

    def replace(self, text):
        fresh = self.folder / "fresh.feed"
        fresh.write_text(text)
        fresh.rename(self.feed)

    def count(self):
        client, server = (self.world.kernel_counters(host) for host in (self.world.client, self.world.server))
        return {"capable": server["MPTcpExtMPCapableACKRX"], "joined": server["MPTcpExtMPJoinAckRx"], "stripped": client["MPTcpExtMPCapableFallbackSYNACK"]}

    def connect(self, address, subflows=1):
        """What one connection adds to the counters of both ends' kernels; what was sent came through."""
        before = self.count()
        sent = self.world.run(self.world.client, sys.executable, str(LAB / "talk.py"), "send", address, str(MPTCP_PORT), "1", str(SIZE), str(subflows),
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(sent.stdout, "done\n", sent.stderr)
        return {name: value - before[name] for name, value in self.count().items()}

    def speaks(self, address):
        counted = self.connect(address)
        self.assertEqual((counted["capable"], counted["stripped"]), (1, 0), address)

    def is_stripped(self, address):
        self.assertEqual(self.connect(address), {"capable": 0, "joined": 0, "stripped": 1}, address)

    def test_the_next_connection_is_decided_by_it_and_a_bad_one_leaves_the_last_good_one(self):
        self.start(ONLY_SPEAKERS)
        self.assertIn("; the feed mptcp is empty", self.errors())
        for address in (SPEAKS, SPEAKS6):
            self.is_stripped(address)

        self.probe("--raw", f"{SPEAKS}:{MPTCP_PORT}", f"[{SPEAKS6}]:{MPTCP_PORT}", f"{PLAIN}:{PLAIN_PORT}")
        self.reloaded(1)
        for address in (SPEAKS, SPEAKS6):
            self.speaks(address)
        self.is_stripped(UNPROBED)

        good = self.feed.read_text()
        self.replace(good.replace("\tv1\t", "\tv0\t", 1))
        wait_for(lambda: "the SHA-256 at the end is not that of the content: the file is damaged; the last good one stays" in self.errors(), "the damage", 10)
        self.speaks(SPEAKS)
        self.assertIn("the SHA-256 at the end is not that of the content", self.probe("--raw", f"{UNPROBED}:{MPTCP_PORT}", status=1))
        self.assertNotIn(UNPROBED, self.feed.read_text(), "the prober does not write over what is damaged")
        self.is_stripped(UNPROBED)

        self.replace(stale(good))
        wait_for(lambda: "is stale: it was valid until" in self.errors(), "its age", 10)
        self.assertEqual(self.errors().count("the last good one stays"), 2)
        self.speaks(SPEAKS)
        self.is_stripped(UNPROBED)
        self.assertEqual(self.errors().count("weir: feeds reloaded"), 1)

        # The next run makes it good again, with what is new.
        self.probe("--raw", f"{SPEAKS}:{MPTCP_PORT}", f"{UNPROBED}:{MPTCP_PORT}")
        self.reloaded(2)
        self.speaks(UNPROBED)
        self.speaks(SPEAKS)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertEqual({one["rule"] for one in self.gateway.decisions() if one["action"] == "strip"}, {"default"})

    def test_with_categories(self):
        dns = addresses.server(1, 4)
        known = self.world.start(self.world.server, sys.executable, str(HERE / "name_server.py"), dns, "53", "www.bank.example=10.50.0.11",
                                 "images.cdn.example=10.50.0.12", "unprobed.cdn.example=10.50.0.13", "shop.example=10.50.0.14", stdout=subprocess.PIPE, text=True)
        self.assertEqual(known.stdout.readline(), "listening\n")
        finance, cdn, sites = (self.folder / name for name in ("finance", "cdn", "sites"))
        finance.write_text("bank.example\n")
        cdn.write_text("cdn.example\n")
        sites.write_text("www.bank.example\nimages.cdn.example\nshop.example\n")
        self.probe("--port", str(MPTCP_PORT), "--dns", dns, "--list", str(sites))
        self.assertEqual({(one["names"][0]["name"], one["verdict"]) for one in probe_world.read(self.folder / "results.json")},
                         {("www.bank.example", "v1"), ("images.cdn.example", "v1"), ("shop.example", "v1")})
        self.start(BY_CATEGORY, f"categories: {{finance: {finance}, cdn: {cdn}}}")

        def connect(name, address, subflows):
            self.world.run(self.world.client, sys.executable, "-c", ASK, name, dns)
            return self.connect(address, subflows)
        self.assertEqual(connect("www.bank.example", "10.50.0.11", 1), {"capable": 0, "joined": 0, "stripped": 1})
        self.assertEqual(connect("images.cdn.example", "10.50.0.12", 2), {"capable": 1, "joined": 1, "stripped": 0})
        for name, address in (("unprobed.cdn.example", "10.50.0.13"), ("shop.example", "10.50.0.14")):
            self.assertEqual(connect(name, address, 3), {"capable": 1, "joined": 2, "stripped": 0}, name)
        self.assertEqual(self.gateway.end()[0], 0)
        found = [(one["rule"], one["action"]) for one in self.gateway.decisions()]
        self.assertEqual(found, [("finance", "strip"), ("cdn", "inspect"), ("cdn", "reset"), ("default", "inspect"), ("default", "inspect")])


if __name__ == "__main__":
    live_sensor.main()

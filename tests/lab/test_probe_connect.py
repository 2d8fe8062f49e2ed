#!/usr/bin/env python3
"""`weir probe` by the kernel's own connections: what it can tell, names, and the hour for which a kernel turns MPTCP off."""
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import probe_world
from probe_world import World

from lab import addresses

HERE = pathlib.Path(__file__).parent


class Connect(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.serve()
        self.world.boxes()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def probe(self, *arguments):
        # Without any privilege.
        done = self.world.run(self.world.client, "setpriv", "--reuid", "65534", "--clear-groups", live_sensor.WEIR, "probe", "--rate", "1000", *arguments, check=False,
                              capture_output=True, text=True, timeout=60)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    def test_what_the_kernel_can_tell(self):
        done, records = self.probe("10.50.0.0/26:80", "10.51.0.0/26:81", "10.52.0.0/26:82", "10.53.0.0/28:80", "10.54.0.0/30:80", "10.55.0.0/30:80", "[fd50::/124]:80")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(records), 3 * 64 + 16 + 4 + 4 + 16)
        right = {"speaker": "v1", "speaker6": "v1", "plain": "tcp_only", "closed": "closed", "stripped": "tcp_only", "dropped": "timeout", "nowhere": "timeout"}
        for record in records:
            self.assertEqual(record["verdict"], right[probe_world.name_of(record["ip"])], record)
        self.assertEqual(self.world.kernel_counters(self.world.client)["MPTcpExtMPCapableSYNTXDisabled"], 0)

    def test_the_rate_to_one_network(self):
        began = time.monotonic()
        _, records = self.probe("--network-rate", "10", "10.50.0.0/28:80", "10.50.1.0/28:80", "10.50.2.0/30:80")
        took = time.monotonic() - began
        self.assertEqual([record["verdict"] for record in records], ["v1"] * 36)
        times = {}
        for record in records:
            times.setdefault(record["ip"].rsplit(".", 1)[0], []).append(datetime.datetime.fromisoformat(record["timestamp"]))
        for network in ("10.50.0", "10.50.1"):
            self.assertGreater((max(times[network]) - min(times[network])).total_seconds(), 1.3, "16 connections, 10 a second")
        self.assertLess(took, 3.4, "one network does not wait for another")

    def test_mptcp_turned_off_for_the_host_ends_it(self):
        done, records = self.probe("--timeout-ms", "8000", "10.54.0.0/30:80")
        self.assertEqual(done.returncode, 1)
        self.assertIn("turned it off for this whole host", done.stderr)
        done, more = self.probe("10.50.0.0/30:80", "10.51.0.0/30:81")
        self.assertEqual(done.returncode, 1)
        self.assertIn("blackhole_timeout", done.stderr)
        for record in records + more:
            self.assertNotEqual(record["verdict"], "tcp_only", record)

    def test_subflows_and_addresses_after_the_grace_time(self):
        self.world.run(self.world.server, "ip", "mptcp", "endpoint", "add", "10.50.9.9", "dev", "lo", "id", "9", "signal")
        _, records = self.probe("--grace-ms", "800", "10.50.0.1:80")
        self.assertEqual(records[0]["verdict"], "v1")
        self.assertEqual(records[0]["evidence"]["addresses_accepted"], 1)
        self.assertEqual(records[0]["evidence"]["subflows"], 1)

    def test_no_way_to_a_target_is_no_silence(self):
        """Neither where this host knows that, nor where a router says it."""
        self.world.run(self.world.router, "nft", "flush", "ruleset")
        self.world.rules("ip daddr 10.54.0.0/24 reject with icmp host-unreachable\nip6 daddr fd50::/120 reject with icmpv6 no-route")
        self.world.run(self.world.client, "ip", "route", "add", "unreachable", "198.51.100.0/24")
        for mode, targets in ((), ["198.51.100.1:80", "10.54.0.1:80", "[fd50::3]:80"]), (["--raw"], ["10.54.0.1:80", "[fd50::3]:80"]):
            done = self.world.run(self.world.client, live_sensor.WEIR, "probe", *mode, "--tries", "1", "--timeout-ms", "2500", *targets, "10.55.0.1:80", "10.50.0.1:80",
                                  check=False, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            found = {record["ip"]: record for record in map(json.loads, done.stdout.splitlines())}
            for target in targets:
                record = found.pop(target.rsplit(":", 1)[0].strip("[]"))
                self.assertEqual((record["verdict"], record["evidence"].get("why")), ("inconclusive", "no_route"), record)
            self.assertEqual({ip: record["verdict"] for ip, record in found.items()}, {"10.55.0.1": "timeout", "10.50.0.1": "v1"})

    def test_categories_of_addresses(self):
        cdn, video = self.folder / "cdn", self.folder / "video"
        cdn.write_text("10.50.0.0/30\n[fd50::4]:80\n")
        video.write_text("10.50.0.2:80\n10.51.0.7\n")
        self.folder.chmod(0o755)
        done, records = self.probe("--port", "80", "--category", f"cdn={cdn}", "--category", f"video={video}", "10.51.0.7:81", "10.50.0.9:80")
        self.assertEqual(done.returncode, 0)
        found = {(r["ip"], r["port"]): r.get("categories") for r in records}
        self.assertEqual(found, {("10.50.0.0", 80): ["cdn"], ("10.50.0.1", 80): ["cdn"], ("10.50.0.2", 80): ["cdn", "video"], ("10.50.0.3", 80): ["cdn"],
                                 ("fd50::4", 80): ["cdn"], ("10.51.0.7", 80): ["video"], ("10.51.0.7", 81): ["video"], ("10.50.0.9", 80): None})

    def test_a_silent_dns_server_is_told_soon(self):
        began = time.monotonic()
        done, records = self.probe("--dns", "10.55.0.1", "one.example", "two.example:80", "localhost:1", "10.50.0.1:80")
        self.assertLess(time.monotonic() - began, 9)
        self.assertEqual(done.returncode, 1)
        for name in ("one.example", "two.example"):
            self.assertIn(f"weir: {name}: no DNS server answers\n", done.stderr)
        self.assertEqual({record["ip"]: record["verdict"] for record in records if record["ip"] != "::1"}, {"127.0.0.1": "closed", "10.50.0.1": "v1"})

    def test_names_are_resolved_and_kept(self):
        server = addresses.server(1, 4)
        known = self.world.start(self.world.server, sys.executable, str(HERE / "name_server.py"), server, "53", "both.example=10.50.0.7,fd50::7,https",
                                 "plain.example=10.51.0.7", "same.example=10.50.0.7", stdout=subprocess.PIPE, text=True)
        self.assertEqual(known.stdout.readline(), "listening\n")
        shops = self.folder / "shops"
        shops.write_text("# shops\nBoth.Example:80\nplain.example:81\n")
        self.folder.chmod(0o755)
        done, records = self.probe("--dns", server, "--category", f"shops={shops}", "same.example:80", "10.51.0.7:82", "both.example:80", "nobody.example")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody.example", done.stderr)
        found = {(r["ip"], r["port"]): r for r in records}
        self.assertEqual(set(found), {("10.50.0.7", 80), ("fd50::7", 80), ("10.51.0.7", 81), ("10.51.0.7", 82)})
        # What came as an address has the category of the name that it has.
        for port in (81, 82):
            self.assertEqual((found["10.51.0.7", port]["categories"], found["10.51.0.7", port]["names"][0]["name"]), (["shops"], "plain.example"))
        both = found["10.50.0.7", 80]
        self.assertEqual(both["verdict"], "v1")
        self.assertEqual(sorted(both["names"], key=lambda n: n["name"]), [{"name": "both.example", "category": "shops", "https_record": True}, {"name": "same.example"}])


if __name__ == "__main__":
    live_sensor.main()

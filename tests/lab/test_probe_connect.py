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

    def test_names_are_resolved_and_kept(self):
        server = addresses.server(1, 4)
        known = self.world.start(self.world.server, sys.executable, str(HERE / "name_server.py"), server, "53", "both.example=10.50.0.7,fd50::7,https",
                                 "plain.example=10.51.0.7", "same.example=10.50.0.7", stdout=subprocess.PIPE, text=True)
        self.assertEqual(known.stdout.readline(), "listening\n")
        shops = self.folder / "shops"
        shops.write_text("# shops\nBoth.Example:80\nplain.example:81\n")
        self.folder.chmod(0o755)
        done, records = self.probe("--dns", server, "--category", f"shops={shops}", "same.example:80", "nobody.example")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nobody.example", done.stderr)
        found = {(r["ip"], r["port"]): r for r in records}
        self.assertEqual(set(found), {("10.50.0.7", 80), ("fd50::7", 80), ("10.51.0.7", 81)})
        both = found["10.50.0.7", 80]
        self.assertEqual(both["verdict"], "v1")
        self.assertEqual(sorted(both["names"], key=lambda n: n["name"]), [{"name": "both.example", "category": "shops", "https_record": True}, {"name": "same.example"}])


if __name__ == "__main__":
    live_sensor.main()

#!/usr/bin/env python3
"""`weir probe --raw --trace`: boxes that strip or drop at a known hop are found between the right hops, over IPv4 and IPv6, there and back."""
import pathlib
import signal
import subprocess
import tempfile
import unittest

import live_sensor
import probe_world
from probe_world import World

from lab import addresses

NEAR, FAR = {4: addresses.address(1, addresses.CLIENT_SIDE, 1, 4), 6: addresses.address(1, addresses.CLIENT_SIDE, 1, 6)}, {
    4: addresses.address(1, addresses.MIDDLE, 2, 4), 6: addresses.address(1, addresses.MIDDLE, 2, 6)}
TARGETS = {4: ("10.50.0.1:80", "10.50.0.2:80"), 6: ("[fd50::1]:80", "[fd50::2]:80")}


class Trace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World(routers=2))
        cls.world.serve()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def tearDown(self):
        self.world.run(self.world.router, "nft", "flush", "ruleset")

    def trace(self, *targets):
        output = self.folder / "out.json"
        done = self.world.run(self.world.client, live_sensor.WEIR, "probe", "--raw", "--trace", "--timeout-ms", "300", "--quiet", "--output", str(output), *targets,
                              check=False, capture_output=True, text=True, timeout=100)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return probe_world.read(output)

    def located(self, rule, loss, between):
        for family in (4, 6):
            self.world.rules(rule)
            records = self.trace(*TARGETS[family])
            self.world.run(self.world.router, "nft", "flush", "ruleset")
            self.assertEqual(len(records), len(TARGETS[family]))
            for record in records:
                self.assertEqual((record["verdict"], record["trace"]["loss"]), ("stripped", loss), record)
                self.assertEqual([record["trace"].get(side) for side in ("before", "behind")], between(family), record)

    @staticmethod
    def pair(family):
        return [{"ttl": 1, "address": NEAR[family]}, {"ttl": 2, "address": FAR[family]}]

    def test_stripped_between_the_first_and_the_second_hop(self):
        self.located("tcp dport 80 reset tcp option mptcp", "removed", self.pair)

    def test_dropped_between_the_first_and_the_second_hop(self):
        self.located("tcp dport 80 tcp option mptcp exists drop", "dropped", self.pair)

    def test_changed_between_the_first_and_the_second_hop(self):
        # Another version than the one that was sent: the box rewrites octets of the option (subtype and version, flags).
        self.located("tcp flags & (syn | ack) == syn tcp dport 80 tcp option mptcp subtype 0 @th,208,16 set 0x0f81", "changed", self.pair)

    def test_lost_on_the_way_back(self):
        self.located("tcp sport 80 reset tcp option mptcp", "return_path", lambda family: [None, None])

    def test_stripped_directly_before_the_target_is_not_told_as_something_else(self):
        self.world.run(self.world.far, "nft", "-f", "-", text=True,
                       input="table inet boxes { chain forward { type filter hook forward priority 0; tcp dport 80 reset tcp option mptcp; }; }")
        try:
            for family in (4, 6):
                for record in self.trace(*TARGETS[family]):
                    self.assertEqual((record["verdict"], record["trace"]["loss"], record["trace"]["intact_to"]), ("tcp_only", "unknown", self.pair(family)[1]), record)
                    self.assertIn("it cannot be told which", record["trace"]["note"])
        finally:
            self.world.run(self.world.far, "nft", "flush", "ruleset")

    def test_a_plain_server_is_not_stripped_and_a_speaker_not_traced(self):
        self.world.boxes()
        found = {record["ip"]: record for record in self.trace("10.51.0.1:81", "10.50.0.1:80", "10.52.0.1:82")}
        self.assertEqual({ip: record["verdict"] for ip, record in found.items()}, {"10.51.0.1": "tcp_only", "10.50.0.1": "v1", "10.52.0.1": "closed"})
        plain = found["10.51.0.1"]["trace"]
        self.assertEqual(plain["loss"], "unknown")
        self.assertEqual([(hop["ttl"], hop["mptcp"], hop["address"]) for hop in plain["hops"]], [(1, "intact", NEAR[4]), (2, "intact", FAR[4])])
        self.assertNotIn("trace", found["10.50.0.1"])

    def interrupted(self, targets, when, what):
        """A run that is ended at that time, and goes on: what it had written by then."""
        output, state = self.folder / "parts.json", self.folder / "state"
        output.unlink(missing_ok=True)
        command = ["probe", "--raw", "--trace", "--timeout-ms", "500", "--quiet", "--output", str(output), "--state", str(state), *targets]
        process = self.world.start(self.world.client, live_sensor.WEIR, *command, stderr=subprocess.PIPE, text=True)
        live_sensor.wait_for(lambda: when(output, state), what, 30)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=5), 1)
        self.assertIn(f"the same command goes on from here, by {state}", process.stderr.read())
        first = probe_world.read(output)
        done = self.world.run(self.world.client, live_sensor.WEIR, *command, check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertFalse(state.exists())
        return first, probe_world.read(output)

    def test_what_an_interruption_left_untraced_is_traced_when_it_goes_on(self):
        self.world.boxes()
        dropped, behind = [f"10.54.0.{n}:80" for n in range(8)], [f"10.55.0.{n}:80" for n in range(8)]

        def syns():
            said = self.world.run(self.world.router, "nft", "list", "table", "inet", "beside", capture_output=True, text=True).stdout
            return int(said.split("counter packets ")[1].split()[0])
        # SYNs with a TTL of 1 are the trace's.
        self.world.run(self.world.router, "nft", "-f", "-", text=True,
                       input="table inet beside { chain in { type filter hook prerouting priority 0; ip daddr 10.54.0.0/29 ip ttl 1 counter; }; }")
        for targets, when, what in ((["10.50.0.1:80", *dropped], lambda output, state: syns() > 0, "the traces"),
                                    # The last have no verdict yet while others wait for their trace.
                                    ([*dropped, "10.50.0.1:80", *behind], lambda output, state: state.exists() and output.exists() and output.read_text(), "results")):
            first, all_of_it = self.interrupted(targets, when, what)
            self.assertEqual([(record["ip"], record["verdict"]) for record in first], [("10.50.0.1", "v1")])
            found = {record["ip"]: record for record in all_of_it}
            self.assertEqual((len(found), len(all_of_it)), (len(targets), len(targets)))
            for ip, record in found.items():
                if ip.startswith("10.54."):
                    self.assertEqual((record["verdict"], record["trace"]["loss"]), ("stripped", "dropped"), record)
            said = self.world.run(self.world.server, "ss", "-Hant", "state", "syn-recv", capture_output=True, text=True).stdout
            self.assertEqual(said, "", "handshakes that stand open")


if __name__ == "__main__":
    live_sensor.main()

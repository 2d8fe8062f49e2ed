#!/usr/bin/env python3
"""Options that a stranger forges for a connection through the gateway: dropped, or as configured let by; named in the log; the connection lives on."""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for

from lab import description, endpoint, namespaces
from lab.raw import plan
from lab.raw.connection import Refused
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT, RAW_PORT = 7000, 7001
TEXT = b"The quick brown fox jumps over the lazy dog, octet by octet, over as many paths as there are."
# What is forged: how the log and the counters call it.
NAMES = {
    "join_unknown_token": ("join_unknown_token", "join_unknown_token"),
    "join_wrong_hmac": ("join_hmac_mismatch", "join_hmac"),
    "add_addr_wrong_hmac": ("add_addr_hmac_mismatch", "forged_add_addr"),
    "remove_addr_unknown_id": ("remove_addr_unknown_id", "forged_remove_addr"),
    "mp_prio": ("mp_prio_foreign", "forged_mp_prio"),
    "mp_fail": ("mp_fail", "forged_mp_fail"),
    "fastclose_wrong_key": ("fastclose_key_mismatch", "forged_fastclose"),
}
# MP_PRIO names another subflow in version 0 only; an ADD_ADDR has no HMAC there.
KINDS = {1: [kind for kind in NAMES if kind != "mp_prio"], 0: [kind for kind in NAMES if kind != "add_addr_wrong_hmac"]}
# The receiver's kernel counts these when they come to it.
WITNESSES = {"MPTcpExtMPJoinNoTokenFound": 1, "MPTcpExtMPJoinAckHMacFailure": 1, "MPTcpExtMPFailRx": 1}


class Forged(unittest.TestCase):
    def start(self, forged, policy=""):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network(description.of({"families": ["ipv4", "ipv6"], "stranger": True, "path": [{}, {}]})))
        self.gateway = Gateway(self.lab, folder, gateway=f"forged: {forged}", policy=policy).start()
        self.serve("talk.py", "serve", str(PORT))

    def serve(self, program, *options):
        server = self.lab.start(self.lab.server, sys.executable, str(LAB / program), *options, stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")
        return server

    def transfer(self, version, family=4):
        """All that can be forged, between pieces of a text that must come through octet by octet."""
        if version == 0:
            server = self.serve("endpoint.py", "server", "--listen", str(RAW_PORT), "--version", "0", "--connections", "1")
            remote = ("10.1.2.101", RAW_PORT)
        else:
            remote = (self.lab.target(1, family), PORT)
        with Host(version) as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, remote, 2, version=version)
            with namespaces.inside(self.lab.stranger):
                stranger = host.link("p1", family)
            steps = plan.split(TEXT, 2, piece=8, wait=True)
            for at, kind in enumerate(KINDS[version]):
                steps.insert(2 * at + 1, plan.Step(subflow=at % 2, forge=kind))
            plan.perform(connection, steps, stranger)
            connection.finish()
            self.assertFalse(connection.fastclosed)
            self.assertEqual(connection.stream.decode(), hashlib.sha256(TEXT).hexdigest())
            self.assertEqual([one.state for one in connection.subflows if one.state in ("reset", "failed")], [])
        if version == 0:
            self.assertEqual(json.loads(server.stdout.readline())["sha256"], hashlib.sha256(TEXT).hexdigest())

    def counted(self):
        counters = self.lab.kernel_counters(self.lab.server)
        return {name: counters[name] for name in WITNESSES}

    def named(self, kinds, times=1, action="blocked"):
        """Each of them in the log, with what became of it, and in the counters, and nothing else."""
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertEqual({(one["anomaly"]["event"], one["anomaly"]["action"]) for one in self.gateway.records("anomaly")}, {(NAMES[kind][0], action) for kind in kinds})
        refused = {name: count for name, count in self.gateway.last_stats()["gateway"]["refused"].items() if count}
        self.assertEqual(set(refused), {NAMES[kind][1] for kind in kinds})
        self.assertGreaterEqual(min(refused.values()), times)

    def test_dropped(self):
        self.start("drop")
        for family in (4, 6):
            self.transfer(1, family)
        self.assertEqual(self.counted(), dict.fromkeys(WITNESSES, 0))
        self.named(KINDS[1], times=2)

    def test_dropped_in_version_0(self):
        self.start("drop")
        self.transfer(0)
        self.named(KINDS[0])

    def test_let_by(self):
        self.start("alert")
        self.transfer(1)
        self.assertEqual(self.counted(), WITNESSES)
        self.named(KINDS[1], action="allowed")

    def test_who_has_forged_before_is_known_to_the_policy(self):
        """A connection's events count against its client: a rule may ask for them."""
        self.start("drop", "  default: {action: inspect}\n  rules: [{name: watched, match: {anomaly: [fastclose_key_mismatch]}, action: reset}]")
        self.transfer(1)
        with Host(2) as host, namespaces.inside(self.lab.client), self.assertRaises(Refused):
            endpoint.client(host, (self.lab.target(1), PORT), 1)
        # Who has done nothing of the kind is none of the rule's.
        sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(), str(PORT), "1", "10000", capture_output=True, text=True)
        self.assertEqual(sent.stdout, "done\n", sent.stderr)
        wait_for(lambda: len(self.gateway.decisions()) == 3, "all decisions")
        self.assertEqual([(one["action"], one["rule"]) for one in self.gateway.decisions()], [("inspect", "default"), ("reset", "watched"), ("inspect", "default")])

    def test_the_policy_asks_the_inventory(self):
        self.start("drop", "  default: {action: inspect}\n  rules: [{name: known, match: {inventory: {client: known, service: known}}, action: allow}]")
        for number in (1, 2):
            sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(), str(PORT), "1", "10000", capture_output=True, text=True)
            self.assertEqual(sent.stdout, "done\n", sent.stderr)
            wait_for(lambda: len(self.gateway.decisions()) == number, "the decision")
        self.assertEqual([(one["action"], one["rule"]) for one in self.gateway.decisions()], [("inspect", "default"), ("allow", "known")])


if __name__ == "__main__":
    live_sensor.main()

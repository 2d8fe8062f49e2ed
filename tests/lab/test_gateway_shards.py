#!/usr/bin/env python3
"""`weir gateway` with several queues: JOINs find the shard of their connection, all comes through octet by octet, and a signature over many shards' subflows does not."""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for, warm

from lab import addresses, endpoint, namespaces
from lab.raw import plan
from lab.raw.host import Host

HERE = pathlib.Path(__file__).parent
LAB = pathlib.Path(endpoint.__file__).parent
PORT, TALK = 7000, 7002
MANY, SIZE = 100, 200_000
SIGNATURE = b"an unmistakable sign"


class Shards(unittest.TestCase):
    def start(self, queues):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("three-paths"))
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(TALK), stdout=subprocess.PIPE, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        # On lines that have just come up some connections fall back without a gateway, too, and are never joined: README.md.
        warm(self.lab, TALK)
        self.gateway = Gateway(self.lab, folder, gateway=f"queues: {queues}",
                               rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n').start()

    def transfers(self, family=4):
        return self.lab.start(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(1, family), str(TALK), str(MANY), str(SIZE), "3",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def done(self, transfers):
        self.assertEqual(transfers.communicate(timeout=120), ("done\n", ""))

    def all_come_through(self, queues):
        self.start(queues)
        for family in (4, 6):
            self.done(self.transfers(family))
        counted = self.lab.kernel_counters(self.lab.server)
        wait_for(lambda: len(self.gateway.records("mptcp")) >= 2 * MANY, "a record of each connection", 60)
        self.assertEqual(self.gateway.end()[0], 0, self.gateway.errors.read_text())
        stats = self.gateway.last_stats()["gateway"]
        self.assertEqual(stats["workers"], queues)
        self.assertGreater(stats["steered"], 0)
        self.assertEqual(stats["joins_refused"], 0)
        self.assertEqual({name: count for name, count in stats["refused"].items() if count}, {}, "hosts that do nothing wrong")
        records = self.gateway.records("mptcp")
        self.assertEqual(len(records), 2 * MANY, "each connection in one shard")
        # The kernel of the server has joined what the gateway saw joined.
        joined = sum(sum(s["auth"] == "verified" for s in r["mptcp"]["subflows"]) - 1 for r in records)
        self.assertEqual(joined, counted["MPTcpExtMPJoinAckRx"])
        self.assertGreaterEqual(joined, 2 * MANY)
        self.assertEqual(counted["MPTcpExtMPJoinAckHMacFailure"], 0)
        print(f"{queues} queues: {2 * MANY} transfers over {joined} further subflows; {stats['steered']} packets led to another shard of {stats['queue']['packets']}", flush=True)

    def test_two_queues(self):
        self.all_come_through(2)

    def test_four_queues(self):
        self.all_come_through(4)

    def follow_each_other(self, how, ports, times):
        """On the same addresses and ports, each before what the gateway and conntrack have of the one before is forgotten."""
        self.start(4)
        self.lab.set(self.lab.client, "net.ipv4.tcp_tw_reuse", 1)
        program = str(HERE / "ports_again.py")
        server = self.lab.start(self.lab.server, sys.executable, program, "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")
        said = self.lab.run(self.lab.client, sys.executable, program, "again", self.lab.target(), str(PORT), addresses.client(1, 4), how, str(ports), str(times),
                            capture_output=True, text=True).stdout
        self.assertEqual(said, f"{ports * times} well\n")
        wait_for(lambda: len(self.gateway.records("mptcp")) >= ports * times, "a record of each", 60)
        self.assertEqual(self.gateway.end()[0], 0)
        stats = self.gateway.last_stats()["gateway"]
        self.assertEqual(stats["inspected"], ports * times, "each was decided on")
        self.assertEqual(stats["refused"]["dsn_conflict"], 0, "JOINs on ports that come again are judged as what they are of")

    def test_ports_of_connections_that_ended_come_again(self):
        self.follow_each_other("ended", 150, 10)

    def test_ports_of_connections_that_were_aborted_come_again_at_once(self):
        self.follow_each_other("aborted", 4, 400)

    def test_a_signature_over_eight_subflows_of_any_shard(self):
        self.start(4)
        receiver = self.lab.start(self.lab.server, sys.executable, str(HERE / "receiver.py"), str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(receiver.stdout.readline(), "listening\n")
        beside = self.transfers()
        for seed in range(1, 9):
            with Host(seed) as host:
                with namespaces.inside(self.lab.client):
                    connection = endpoint.client(host, (self.lab.target(), PORT), 8)
                plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 8, start=6, order="shuffled", seed=seed)])
                host.pump(lambda: connection.fastclosed or not connection.alive(), "the client to see the end", 8)
                self.assertTrue(connection.fastclosed)
                identity = connection.identity
            while "how" not in (told := json.loads(receiver.stdout.readline())):
                pass
            self.assertNotIn(SIGNATURE.decode(), told["end"])
            wait_for(lambda: [one for one in self.gateway.records("alert") if one["mptcp"]["id"] == identity], "the alert")  # noqa: B023
        self.done(beside)
        self.gateway.end()
        self.assertGreater(self.gateway.last_stats()["gateway"]["steered"], 8)

    def test_reloaded_and_killed_with_other_queues_after(self):
        self.start(4)
        transfers = self.transfers()
        # Counted since the start: some may be over when it is asked.
        wait_for(lambda: self.lab.kernel_counters(self.lab.server)["MPTcpExtMPCapableACKRX"] >= MANY // 4, "transfers under way", 60)
        self.gateway.process.send_signal(signal.SIGHUP)
        self.gateway.said("weir: reloaded")
        self.done(transfers)
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.gateway.write(gateway="queues: 2")
        self.gateway.start()
        self.done(self.transfers())
        self.assertEqual(self.gateway.end()[0], 0)


if __name__ == "__main__":
    live_sensor.main()

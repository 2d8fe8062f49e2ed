#!/usr/bin/env python3
"""A signature that a rule drops, cut up over subflows: the server's application never gets its last octet, both ends see the connection end, others go on."""
import json
import pathlib
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for

from lab import endpoint, namespaces
from lab.raw import plan
from lab.raw.host import Host

HERE = pathlib.Path(__file__).parent
LAB = pathlib.Path(endpoint.__file__).parent
PORT, TALK = 7000, 7002
SIGNATURE = b"an unmistakable sign"
RUNS = 200


AT_ONCE = f"""
import socket, sys
one = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM, 262)
one.settimeout(30)
one.connect((sys.argv[1], {PORT}))
try:
    one.sendall({SIGNATURE!r})
    one.recv(1)
except OSError as error:
    print(type(error).__name__)
"""


class Prevention(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("three-paths"))
        self.lab.without_a_bound_on_subflows(self.lab.server)
        self.heard, self.ended, self.accepted = queue.Queue(), {}, set()
        self.receiver = self.lab.start(self.lab.server, sys.executable, str(HERE / "receiver.py"), str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(self.receiver.stdout.readline(), "listening\n")
        threading.Thread(target=self.listen, daemon=True).start()
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(TALK), stdout=subprocess.PIPE, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        self.gateway = Gateway(self.lab, folder, rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n').start()
        self.seed, self.got = 0, {}

    def listen(self):
        for line in self.receiver.stdout:
            one = json.loads(line)
            if "how" in one:
                self.heard.put(one)
            elif "accepted" in one:
                self.accepted.add(one["port"])

    def open(self, host, subflows, family=4, **how):
        """From ports that no other run has: what belongs to an ended connection is not taken for the next one's."""
        first = 20000 + 8 * self.seed
        with namespaces.inside(self.lab.client):
            return endpoint.client(host, (self.lab.target(1, family), PORT), subflows, ports=range(first, first + subflows), **how)

    def end_of(self, connection, seconds=40):
        """What the server's application got of it, and how it ended there."""
        port = connection.subflows[0].local[1]
        began = time.monotonic()
        deadline = began + seconds
        while port not in self.ended:
            connection.host.pump(lambda: True, None, 0)
            try:
                one = self.heard.get(timeout=0.02)
                self.ended[one["port"]] = one
            except queue.Empty:
                # One that ends before the application has taken it is taken out of the kernel's list: the application never hears of it.
                if port not in self.accepted and time.monotonic() > began + 1 and not any(f":{port} " in one for one in self.lab.kernel_connections(self.lab.server)):
                    return {"octets": 0, "how": "never accepted", "end": ""}
                self.assertLess(time.monotonic(), deadline, f"run {self.seed}: the server's application does not see an end: {self.lab.kernel_connections(self.lab.server)}")
        return self.ended.pop(port)

    def attack(self, subflows, steps, family=4, **how):
        """Sends it, and checks all that is promised. The number of octets that the application got."""
        self.seed += 1
        with Host(self.seed) as host:
            connection = self.open(host, subflows, family, **how)
            began = time.monotonic()
            plan.perform(connection, steps)
            host.pump(lambda: connection.fastclosed or not connection.alive(), "the client to see the end", 30)
            self.assertTrue(connection.fastclosed, "MP_FASTCLOSE with the client's key")
            told = self.end_of(connection)
            self.assertNotIn(SIGNATURE.decode(), told["end"])
            self.assertNotEqual(told["how"], "eof")
            self.took = time.monotonic() - began
            self.identity = connection.identity
            self.got[self.identity] = told["octets"]
            return told["octets"]

    def check(self, subflows, order="forward", family=4, **how):
        got = self.attack(subflows, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, subflows, start=6, order=order)], family, **how)
        self.assertLess(got, 6 + len(SIGNATURE))
        print(f"IPv{family}, {subflows} subflows, {order}: {got} of {6 + len(SIGNATURE)} octets got there, ended at both after {self.took * 1000:.0f} ms", flush=True)
        alert = wait_for(lambda: [one for one in self.gateway.records("alert") if one["mptcp"]["id"] == self.identity], "the alert")[0]
        self.assertEqual(alert["alert"]["action"], "blocked")

    def test_over_one_two_and_eight_subflows(self):
        beside = self.lab.start(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(), str(TALK), "3", "20000000", "3",
                                stdout=subprocess.PIPE, text=True)
        for subflows in (1, 2, 8):
            with self.subTest(subflows):
                self.check(subflows)
        self.check(2, order="backward")
        self.check(3, family=6)
        self.check(8, order="shuffled", family=6)
        self.check(2, checksum=True)
        self.assertEqual(beside.communicate(timeout=60)[0], "done\n")
        self.gateway.end()
        records = {one["mptcp"]["id"]: one["mptcp"] for one in self.gateway.records("mptcp")}
        for identity, got in self.got.items():
            record = records[identity]
            self.assertLessEqual(got, record["bytes_toserver"])
            self.assertLess(record["bytes_toserver"], 6 + len(SIGNATURE), "what was delivered")
            self.assertEqual(sum(f["bytes_toserver"] for f in record["subflows"]), 6 + len(SIGNATURE) - 1, "all but the octet that completed it")

    def test_reinjection_and_retransmission_bring_nothing_through(self):
        cut = plan.split(SIGNATURE, 2, start=0)
        again = [plan.Step(subflow=2, offset=at, hex=SIGNATURE[at:at + 1].hex()) for at in range(len(SIGNATURE))]
        whole = plan.Step(subflow=1, offset=0, text=SIGNATURE.decode())
        got = self.attack(3, [*cut[:-1], *cut[-1:], *again, whole])
        self.assertLess(got, len(SIGNATURE))
        got = self.attack(3, [*plan.split(SIGNATURE, 3, start=0, duplicate=2), *again])
        self.assertLess(got, len(SIGNATURE))

    def test_without_the_signature_all_comes_through(self):
        for order in ("forward", "shuffled"):
            self.seed += 1
            with Host(self.seed) as host:
                connection = self.open(host, 8)
                data = bytes(reversed(SIGNATURE)) * 10
                plan.perform(connection, plan.split(data, 8, order=order, seed=self.seed))
                host.pump(lambda: connection.data_acked >= connection.end, "the acknowledgement")
                connection.finish()
                told = self.end_of(connection)
            self.assertEqual((told["octets"], told["how"], told["end"]), (len(data), "eof", data.decode()))

    def test_a_client_whose_first_data_match_hears_of_the_end_by_mptcp(self):
        """Its kernel has seen no DATA_ACK by then: without one it would fall back, and take no MP_FASTCLOSE."""
        for family in (4, 6):
            with self.subTest(family):
                before = self.lab.kernel_counters(self.lab.client)
                client = self.lab.start(self.lab.client, sys.executable, "-c", AT_ONCE, self.lab.target(1, family), stdout=subprocess.PIPE, text=True)
                self.assertEqual(client.communicate(timeout=60)[0], "ConnectionResetError\n")
                after = self.lab.kernel_counters(self.lab.client)
                for name in ("MPTcpExtMPCapableDataFallback", "MPTcpExtDssFallback"):
                    self.assertEqual(after.get(name, 0), before.get(name, 0), name)
                self.assertEqual(after["MPTcpExtMPFastcloseRx"], before.get("MPTcpExtMPFastcloseRx", 0) + 1)

    def test_a_receiver_that_has_not_shown_mptcp_is_asked(self):
        """Data out of order right behind the first octets: refused until the server's DATA_ACK has come, which nothing else would make it send again."""
        for family in (4, 6):
            self.seed += 1
            with Host(self.seed) as host:
                connection = self.open(host, 1, family)
                data = b"and the last come first"
                plan.perform(connection, [plan.Step(text="and "), *plan.split(data[4:], 1, piece=5, start=4, order="backward")])
                host.pump(lambda connection=connection, data=data: connection.data_acked >= len(data), "the acknowledgement")
                connection.finish()
                told = self.end_of(connection)
            self.assertEqual((told["octets"], told["how"], told["end"]), (len(data), "eof", data.decode()))

    def test_many_runs(self):
        random_numbers = random.Random(1)
        for _ in range(RUNS):
            subflows = random_numbers.choice((1, 2, 3, 8))
            before = bytes(random_numbers.randrange(97, 123) for _ in range(random_numbers.randrange(40)))
            steps = plan.split(SIGNATURE, subflows, piece=random_numbers.choice((1, 2, 5, 20)), start=len(before),
                               order=random_numbers.choice(("forward", "backward", "shuffled")), seed=random_numbers.random(), duplicate=random_numbers.choice((0, 0, 1)))
            for step in steps:
                if random_numbers.random() < 0.1:
                    step.late = random_numbers.randrange(1, 4)
            got = self.attack(subflows, [*([plan.Step(hex=before.hex())] if before else []), *steps])
            self.assertLess(got, len(before) + len(SIGNATURE), f"run {self.seed}")
        print(f"{RUNS} runs: none complete", flush=True)


if __name__ == "__main__":
    live_sensor.main()

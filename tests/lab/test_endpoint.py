#!/usr/bin/env python3
"""The fragmenting sender: a real kernel's application gets exactly the stream, however it was cut up; and the endpoint against its own kind in version 0."""
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network

from lab import endpoint, namespaces
from lab.raw import plan
from lab.raw.host import Host
from lab.raw.link import own_address

LAB = pathlib.Path(endpoint.__file__).parent
PORT, RAW_PORT = 7000, 7001
TEXT = b"The quick brown fox jumps over the lazy dog, octet by octet, over as many paths as there are."


def start_server(lab):
    """A kernel's: it answers with the SHA-256 of what its application got."""
    server = lab.start(lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "listening\n"


def start_endpoint(lab, *options):
    """The same on raw sockets, for version 0; a line of JSON for each connection."""
    server = lab.start(lab.server, sys.executable, str(LAB / "endpoint.py"), "server", "--listen", str(RAW_PORT), *options, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "listening\n"
    return server


class Sender(unittest.TestCase):
    def setUp(self):
        self.lab = self.enterContext(network.Network("three-paths"))
        start_server(self.lab)
        self.seed = 0

    def host(self):
        """Other ports and numbers each time. Its sockets are in the client's namespace, this test is not."""
        self.seed += 1
        return self.enterContext(Host(self.seed))

    def transfer(self, steps, expected, subflows=3, family=4, stranger=False, remote=None, **how):
        """Performs the plan, ends the connection; the server's application must have got `expected`."""
        host = self.host()
        with namespaces.inside(self.lab.client):
            connection = endpoint.client(host, remote or (self.lab.target(1, family), PORT), subflows, **how)
        if stranger:
            with namespaces.inside(self.lab.stranger):
                stranger = host.link("p1")
        plan.perform(connection, steps, stranger or None)
        connection.finish()
        self.assertEqual(connection.stream.decode(), hashlib.sha256(expected).hexdigest())
        return connection

    def counted(self, name):
        return self.lab.kernel_counters(self.lab.server)[name]

    def test_single_octets_over_two_three_and_eight_subflows(self):
        for subflows in (2, 3, 8):
            for family in (4, 6):
                with self.subTest(subflows=subflows, family=family):
                    before = self.counted("MPTcpExtMPJoinAckRx")
                    done = self.transfer(plan.split(TEXT, subflows), TEXT, subflows, family)
                    self.assertEqual(self.counted("MPTcpExtMPJoinAckRx") - before, subflows - 1)
                    self.assertEqual([one.describe()["state"] for one in done.subflows], ["closed"] * subflows)
                    self.assertEqual(sum(one.describe()["bytes_sent"] for one in done.subflows), len(TEXT))

    def test_with_checksums(self):
        done = self.transfer(plan.split(TEXT, 3), TEXT, checksum=True)
        self.assertTrue(done.checksum)
        self.assertEqual(self.counted("MPTcpExtDataCsumErr"), 0)

    def test_every_order(self):
        for order in ("backward", "shuffled"):
            with self.subTest(order):
                self.transfer(plan.split(TEXT, 3, piece=2, order=order, seed=3), TEXT)
        self.assertGreater(self.counted("MPTcpExtOFOQueue"), 0)

    def test_late_segments_and_duplicates(self):
        steps = plan.split(TEXT, 3, piece=3, duplicate=2)
        for step in steps[::4]:
            step.late = 5
        self.transfer(steps, TEXT)
        self.assertGreater(self.lab.kernel_counters(self.lab.server)["TcpExtTCPOFOQueue"], 0)

    def test_the_same_octets_again_on_another_subflow(self):
        steps = plan.split(TEXT, 2, piece=4)
        again = [plan.Step(subflow=2, offset=step.offset, hex=step.hex) for step in steps]
        self.transfer([step for pair in zip(steps, again) for step in pair], TEXT)
        self.assertGreater(self.counted("MPTcpExtDuplicateData"), 0)

    def test_the_first_of_contradicting_copies_is_what_the_application_gets(self):
        self.transfer([plan.Step(0, 0, "good ", wait=True), plan.Step(1, 0, "evil ", wait=True), plan.Step(1, 5, "end")], b"good end")

    def test_overlap_in_part(self):
        self.transfer([plan.Step(0, 0, "abcdef", wait=True), plan.Step(1, 3, "defghi")], b"abcdefghi")

    def test_octets_that_are_left_out_come_by_another_subflow(self):
        self.transfer([plan.Step(0, 0, "abc", wait=True), plan.Step(1, 3, "def", lose=True), plan.Step(0, 3, "def"), plan.Step(2, 6, "ghi")], b"abcdefghi")

    def test_a_stream_larger_than_the_window(self):
        data = random.Random(5).randbytes(600_000)
        self.transfer(plan.split(data, 3, piece=1400), data)

    def test_many_small_pieces_that_the_kernel_has_no_room_for_are_sent_again(self):
        data = random.Random(6).randbytes(3_000)
        steps = plan.split(data, 3)
        self.transfer(steps[1:] + steps[:1], data)

    def test_forged_options_change_nothing(self):
        kinds = ("join_unknown_token", "join_wrong_hmac", "add_addr_wrong_hmac", "remove_addr_unknown_id", "fastclose_wrong_key")
        steps = plan.split(TEXT, 3, piece=8, wait=True)
        for at, kind in enumerate(kinds):
            steps.insert(2 * at + 1, plan.Step(subflow=at % 3, forge=kind))
        self.transfer(steps, TEXT, stranger=True)
        counters = self.lab.kernel_counters(self.lab.server)
        self.assertEqual(counters["MPTcpExtMPJoinNoTokenFound"], 1)
        self.assertEqual(counters["MPTcpExtMPJoinAckHMacFailure"], 1)
        self.assertEqual(counters["MPTcpExtAddAddr"], 0)

    def test_priority(self):
        self.transfer([plan.Step(0, 0, "abc"), plan.Step(subflow=1, forge="mp_prio"), plan.Step(0, 3, "def")], b"abcdef")
        self.assertEqual(self.counted("MPTcpExtMPPrioRx"), 1)

    def test_a_wrong_checksum_ends_the_subflow_and_the_rest_goes_on(self):
        host = self.host()
        with namespaces.inside(self.lab.client):
            connection = endpoint.client(host, (self.lab.target(), PORT), 2, checksum=True)
        plan.perform(connection, [plan.Step(0, 0, "abc", wait=True), plan.Step(1, 3, "def", spoil_checksum=True)])
        host.pump(lambda: connection.subflows[1].state == "reset", "the kernel to give up the subflow")
        connection.finish()
        self.assertEqual(connection.stream.decode(), hashlib.sha256(b"abcdef").hexdigest())
        self.assertEqual(self.counted("MPTcpExtDataCsumErr"), 1)

    def test_sixteen_subflows(self):
        self.lab.without_a_bound_on_subflows(self.lab.server)
        self.transfer(plan.split(TEXT, 16), TEXT, 16)
        self.assertEqual(self.counted("MPTcpExtMPJoinAckRx"), 15)

    def test_versions_0_and_1_between_endpoints(self):
        for version in (0, 1):
            server = start_endpoint(self.lab, "--version", str(version))
            for family in (4, 6):
                for checksum in (False, True):
                    with self.subTest(version=version, family=family, checksum=checksum):
                        remote = (("10.1.2.101", "fd00:1:2::165")[family == 6], RAW_PORT)
                        done = self.transfer(plan.split(TEXT, 16, order="shuffled"), TEXT, 16, remote=remote, version=version, checksum=checksum)
                        told = json.loads(server.stdout.readline())
                        self.assertEqual((told["id"], told["version"], told["checksum"], len(told["subflows"])), (done.identity, version, checksum, 16))
            server.kill()
            server.wait()

    def test_its_address_is_not_the_kernels(self):
        with namespaces.inside(self.lab.client):
            self.assertEqual([own_address("p1", 4), own_address("p2", 6)], ["10.1.1.101", "fd00:2:1::165"])


class CommandLine(unittest.TestCase):
    def call(self, lab, *options):
        done = lab.run(lab.client, sys.executable, str(LAB / "endpoint.py"), "client", "--connect", f"{lab.target()}:{PORT}", *options, capture_output=True, text=True)
        return json.loads(done.stdout)

    def test_split_and_plan(self):
        with network.Network("two-paths") as lab:
            start_server(lab)
            done = self.call(lab, "--subflows", "2", "--split", "unmistakable", "--before", "hello ")
            self.assertEqual(done["received"], hashlib.sha256(b"hello unmistakable").hexdigest())
            self.assertEqual([one["bytes_sent"] for one in done["subflows"]], [12, 6])
            file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "plan.json"
            file.write_text(json.dumps([{"subflow": 1, "offset": 3, "text": "def"}, {"subflow": 0, "offset": 0, "hex": "616263", "delay_ms": 50}]))
            self.assertEqual(self.call(lab, "--plan", str(file))["received"], hashlib.sha256(b"abcdef").hexdigest())


class Plans(unittest.TestCase):
    def test_what_is_wrong_is_said(self):
        with self.assertRaisesRegex(ValueError, "step 2: unknown key ofset"):
            plan.parse([{}, {"ofset": 3}])
        with self.assertRaisesRegex(ValueError, "step 1: forge is one of"):
            plan.parse([{"forge": "dollars"}])


if __name__ == "__main__":
    live_sensor.main(needs_weir=False)

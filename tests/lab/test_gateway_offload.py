#!/usr/bin/env python3
"""What goes by in the kernel alone: connections inspected to their depth, over a restart; what control cuts all the same; marks that a match leaves."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, OverSocket, wait_for, warm

from lab import endpoint, namespaces
from lab.raw import plan
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT = 7000
FAMILIES = (4, 6)
DEPTH, ROUND = 32_768, 2_000_000
OFFLOADED, BLOCKED = 2, 4  # of Weir's bits in a connection mark: they are the same in all versions
SIGNATURE = b"an unmistakable sign"
DROP = f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n'

ECHO = f"""
import socket, threading
def answer(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)
    connection.close()
listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 262)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(("::", {PORT}))
listener.listen()
print("listening", flush=True)
while True:
    threading.Thread(target=answer, args=listener.accept()[:1], daemon=True).start()
"""
# A round for each octet that it is told; it ends with its input, or at an x with an answer that it has not read.
ROUNDS = f"""
import os, select, socket, sys, threading
sys.path.insert(0, {str(LAB)!r})
import talk
one = socket.socket(talk.family(sys.argv[1]), socket.SOCK_STREAM, 262)
one.settimeout(60)
one.connect((sys.argv[1], {PORT}))
one.sendall(b"x")
assert one.recv(1) == b"x"
talk.wait_for_subflows(one, 2)
print("connected", flush=True)
number = 0
while what := os.read(0, 1):
    if what == b"x":
        one.sendall(what)
        select.select([one], [], [])
        os._exit(0)
    number += 1
    data, got = talk.text(number, {ROUND}), bytearray()
    sender = threading.Thread(target=one.sendall, args=(data,))
    sender.start()
    while len(got) < len(data):
        piece = one.recv(65536)
        assert piece, "ended"
        got += piece
    sender.join()
    assert got == data, "not what was sent"
    print("round", flush=True)
one.close()
"""


class Offload(unittest.TestCase):
    def start(self, policy, more="", rules=""):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        echo = self.lab.start(self.lab.server, sys.executable, "-c", ECHO, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(echo.stdout.readline(), "listening\n")
        warm(self.lab, PORT)
        self.state, self.socket = self.folder / "gateway.state", self.folder / "control"
        self.gateway = Gateway(self.lab, self.folder, policy=policy, gateway=f"state: {self.state}, control: {{socket: {self.socket}}}", more=more, rules=rules).start()

    def marks(self):
        """Of the subflows in the router's kernel: what Weir's bits say."""
        said = "".join(self.lab.run(self.lab.router, "conntrack", "-L", "-f", f"ipv{family}", "-p", "tcp", capture_output=True, text=True).stdout for family in FAMILIES)
        return sorted(int(mark) >> 24 & 7 for mark in re.findall(rf"dport={PORT} .*mark=(\d+)", said))

    def connect(self, family):
        rounds = self.lab.start(self.lab.client, sys.executable, "-c", ROUNDS, self.lab.target(1, family), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(rounds.stdout.readline(), "connected\n")
        return rounds

    def round(self, rounds):
        rounds.stdin.write("\n")
        rounds.stdin.flush()
        self.assertEqual(rounds.stdout.readline(), "round\n")

    def end(self, rounds):
        self.assertEqual(rounds.communicate(timeout=60), ("", ""))

    def until_offloaded(self, rounds):
        def offloaded():
            self.round(rounds)
            return self.marks().count(OFFLOADED) == 2  # of connections before, what has ended is looked at
        wait_for(offloaded, f"both subflows to be offloaded: {self.marks()}", 60)

    def inspected_to_its_depth(self, family):
        self.start("  default: {action: inspect}", more=f"limits: {{inspect_depth_bytes: {DEPTH}}}")
        rounds = self.connect(family)
        self.until_offloaded(rounds)
        wait_for(lambda: self.state.exists() and self.state.stat().st_size > 200, "the state", 60)
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.round(rounds)  # without a gateway
        self.gateway.start()
        self.assertIn("weir: goes on with 1 running connections", self.gateway.errors.read_text())
        for _ in range(3):
            self.round(rounds)
        self.assertEqual(self.marks(), [OFFLOADED] * 2)
        self.end(rounds)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertLess(self.gateway.last_stats()["gateway"]["queue"]["bytes"], ROUND, "of six times that")

    def test_inspected_to_its_depth_over_a_restart(self):
        self.inspected_to_its_depth(4)

    def test_inspected_to_its_depth_over_a_restart_by_ipv6(self):
        self.inspected_to_its_depth(6)

    def cut(self, path):
        connection = OverSocket(self.socket)
        connection.request("POST", path)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200, answer.read())
        connection.close()

    def connections(self):
        connection = OverSocket(self.socket)
        connection.request("GET", "/api/v1/connections")
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer["connections"]

    def listed(self):
        return self.connections()[0]["id"]

    def subflows(self, host):
        return self.lab.run(host, "ss", "-Htn", "state", "established", f"( sport = :{PORT} or dport = :{PORT} )", capture_output=True, text=True).stdout.splitlines()

    def test_what_has_ended_is_over(self):
        """By FIN, and by MP_FASTCLOSE: most of both connections went by unseen."""
        for family in FAMILIES:
            with self.subTest(family):
                self.doCleanups()
                self.start("  default: {action: allow, limits: {host_connections: 2}}")
                for last in ("", "x"):
                    rounds = self.connect(family)
                    self.until_offloaded(rounds)
                    rounds.stdin.write(last)
                    self.end(rounds)
                wait_for(lambda: not self.connections(), f"both to leave the table: {self.connections()}", 60)
                wait_for(lambda: len(self.gateway.records("mptcp")) == 2, "their records")
                states = [(one["mptcp"]["state"], [s["state"] for s in one["mptcp"]["subflows"]]) for one in self.gateway.records("mptcp")]
                self.assertEqual(states, [("closed", ["closed"] * 2), ("reset", ["reset"] * 2)])

    def test_a_subflow_is_cut(self):
        self.start("  default: {action: allow}")
        rounds = self.connect(4)
        self.until_offloaded(rounds)
        self.cut(f"/api/v1/connections/{self.listed()}/subflows/1/cut")
        self.round(rounds)
        for host in (self.lab.client, self.lab.server):
            wait_for(lambda host=host: len(self.subflows(host)) == 1, f"one subflow left at {host}", 60)
        self.round(rounds)
        self.end(rounds)

    def test_a_connection_is_cut(self):
        for family in FAMILIES:
            with self.subTest(family):
                self.doCleanups()
                self.start("  default: {action: allow}")
                rounds = self.connect(family)
                self.until_offloaded(rounds)
                self.cut(f"/api/v1/connections/{self.listed()}/cut")
                for host in (self.lab.client, self.lab.server):
                    wait_for(lambda host=host: not self.subflows(host), f"no subflow left at {host}", 60)

    def test_a_match_marks_every_subflow(self):
        for family in FAMILIES:
            with self.subTest(family):
                self.doCleanups()
                self.start("  default: {action: inspect}", rules=DROP)
                with Host(1) as host:
                    with namespaces.inside(self.lab.client):
                        connection = endpoint.client(host, (self.lab.target(1, family), PORT), 3)
                    connection.fastclose = lambda: None  # one that does not give in
                    plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 1, start=6)])
                    wait_for(lambda: self.gateway.records("alert"), "the alert")
                    wait_for(lambda: self.marks() == [BLOCKED] * 3, f"all three to be marked: {self.marks()}")


if __name__ == "__main__":
    live_sensor.main()

#!/usr/bin/env python3
"""Who speaks MPTCP, under which name, and where it is stripped: `weir sensor` on a router between real kernels."""
import csv
import io
import ipaddress
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import network
from live_sensor import wait_for

HERE = pathlib.Path(__file__).parent
TALK = pathlib.Path(network.__file__).resolve().parents[2] / "lab" / "talk.py"
MPTCP, PLAIN = 7000, 7001


class Sensor(live_sensor.Sensor):
    """One that keeps its inventory in `folder`."""

    def __init__(self, lab, folder, interfaces, workers=0, host=None):
        self.state = pathlib.Path(folder) / "inventory.json"
        config = pathlib.Path(folder) / "weir.yaml"
        config.write_text(f"sensor: {{local: [10.0.0.0/8], inventory: {self.state}, workers: {workers}}}\n")
        super().__init__(lab, folder, "--config", str(config), interfaces=interfaces, host=host)

    def inventory(self):
        """What `weir inventory` shows of the state, by (address, role, port)."""
        shown = subprocess.run([live_sensor.WEIR, "inventory", "--state", str(self.state), "--json"], check=True, capture_output=True, text=True)
        return {(e["address"], e["role"], e.get("port")): e for e in json.loads(shown.stdout)["inventory"]}


def serve(port, protocol):
    """Answers each connection with what it sends, until it ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(16)
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                while piece := connection.recv(65536):
                    connection.sendall(piece)


def resolve(name, resolver):
    """Asks for the address of `name`, as a stub resolver does."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(10)
        asking.connect((resolver, 53))
        asking.send(struct.pack(">HHHHHH", os.getpid() & 0xFFFF, 0x0100, 1, 0, 0, 0) + question)
        return socket.inet_ntoa(asking.recv(512)[-4:])


def answer_names(address):
    """A DNS server for whom every name is an alias of one with that address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 53))
        print("listening", flush=True)
        while True:
            asked, client = server.recvfrom(512)
            end = asked.index(b"\0", 12) + 5
            alias = b"\x04edge\x07example\0"
            answers = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 300, len(alias)) + alias
            answers += alias + struct.pack(">HHIH", 1, 1, 300, 4) + ipaddress.ip_address(address).packed
            server.sendto(asked[:2] + struct.pack(">HHHHH", 0x8180, 1, 2, 0, 0) + asked[12:end] + answers, client)


def talk(address, port, protocol, paths, name):
    """One connection: resolved first if it has a name, ended once all its subflows are there and octets have come back over it."""
    if name != "-":
        address = resolve(name, address)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as connection:
        connection.settimeout(20)
        connection.connect((address, port))
        for at in range(20):
            connection.sendall(b"hello" * 100)
            got = 0
            while got < 500:
                got += len(connection.recv(65536))
            if at == 0 and paths > 1:
                deadline = time.monotonic() + 20
                while connection.getsockopt(284, 1, 64)[0] < paths - 1:  # MPTCP_INFO: subflows beyond the first
                    assert time.monotonic() < deadline, "the other subflows did not come up"
                    time.sleep(0.01)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    print("done", flush=True)


class Inventory(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.lab = self.enterContext(network.Network(2))
        self.inside = [self.lab.interface(path, 1) for path in (1, 2)]

    def play(self, namespace, *arguments):
        process = self.lab.start(namespace, sys.executable, str(HERE / "test_inventory.py"), "--play", *map(str, arguments), stdout=subprocess.PIPE, text=True)
        return process

    def serve(self, *arguments):
        self.assertEqual(self.play(self.lab.server, *arguments).stdout.readline(), "listening\n")

    def talk(self, port, protocol=network.MPTCP, paths=1, name="-", address="10.1.2.2"):
        self.assertEqual(self.play(self.lab.client, "talk", address, port, protocol, paths, name).stdout.readline(), "done\n")

    def test_who_speaks_since_when_and_who_refuses(self):
        self.serve("serve", MPTCP, network.MPTCP)
        self.serve("serve", PLAIN, socket.IPPROTO_TCP)
        self.lab.run(self.lab.server, "ip", "mptcp", "endpoint", "add", "10.2.2.2", "dev", "p2", "signal")
        sensor = Sensor(self.lab, self.folder, self.inside)
        self.talk(PLAIN)
        wait_for(lambda: sensor.records("inventory"), "the client that offers")
        first = sensor.records("inventory")
        self.assertEqual([(r["inventory"]["new"], r["inventory"]["address"], r["inventory"]["role"]) for r in first], [("speaker", "10.1.1.2", "client")])
        self.assertEqual(first[0]["inventory"]["version"], 1)
        self.talk(MPTCP, paths=2)
        wait_for(lambda: len(sensor.records("mptcp")) == 2, "both connections")
        self.assertEqual(sensor.end()[0], 0, sensor.errors.read_text())
        speakers = {(r["inventory"]["address"], r["inventory"]["role"], r["inventory"].get("port")) for r in sensor.records("inventory") if r["inventory"]["new"] == "speaker"}
        self.assertEqual(speakers, {("10.1.1.2", "client", None), ("10.1.2.2", "server", MPTCP)})
        offered = [r["inventory"]["new_address"] for r in sensor.records("inventory") if r["inventory"]["new"] == "address" and r["inventory"]["role"] == "server"]
        self.assertIn("10.2.2.2", [each["address"] for each in offered])

        known = sensor.inventory()
        self.assertEqual(set(known), speakers | {("10.1.2.2", "server", PLAIN)})
        server, client, plain = known["10.1.2.2", "server", MPTCP], known["10.1.1.2", "client", None], known["10.1.2.2", "server", PLAIN]
        self.assertEqual((server["speaks"], server["versions"], server["agreed"], server["refused"]), (True, [1], 1, 0))
        self.assertGreaterEqual(server["most_subflows"], 2)
        self.assertTrue(any(a["address"] == "10.2.2.2" and a["offered"] and a["authentic"] for a in server["addresses"]), server)
        self.assertEqual((client["agreed"], client["refused"]), (1, 1))
        self.assertIn("10.2.1.2", [a["address"] for a in client["addresses"] if a["used"]])
        self.assertEqual((plain["speaks"], plain["versions"], plain["agreed"], plain["refused"]), (False, [], 0, 1))

        # A restart: nothing is new, and what was first seen stays so. Then the plain server is replaced by one that speaks.
        os.truncate(sensor.log, 0)
        again = Sensor(self.lab, self.folder, self.inside)
        self.talk(MPTCP)
        wait_for(lambda: again.records("mptcp"), "the connection")
        self.assertEqual([r for r in again.records("inventory") if r["inventory"]["new"] == "speaker"], [])
        self.assertEqual(again.end()[0], 0, again.errors.read_text())
        later = again.inventory()["10.1.2.2", "server", MPTCP]
        self.assertEqual(later["first_seen"], server["first_seen"])
        self.assertGreater(later["last_seen"], server["last_seen"])
        self.assertEqual(later["agreed"], 2)

        shown = subprocess.run([live_sensor.WEIR, "inventory", "--state", str(again.state), "--csv"], check=True, capture_output=True, text=True).stdout
        rows = list(csv.DictReader(io.StringIO(shown)))
        self.assertEqual([(r["address"], r["role"], r["port"], r["speaks"]) for r in rows],
                         [("10.1.1.2", "client", "", "yes"), ("10.1.2.2", "server", str(MPTCP), "yes"), ("10.1.2.2", "server", str(PLAIN), "no")])

        # A damaged file is told, kept aside, and replaced.
        again.state.write_text(again.state.read_text()[:200])
        os.truncate(again.log, 0)
        once_more = Sensor(self.lab, self.folder, self.inside)
        self.assertIn("is no inventory", once_more.errors.read_text())
        self.talk(MPTCP)
        wait_for(lambda: once_more.records("mptcp"), "the connection")
        self.assertEqual(once_more.end()[0], 0)
        self.assertEqual(len((self.folder / pathlib.Path("inventory.json.damaged")).read_text()), 200)
        self.assertEqual(once_more.inventory()["10.1.2.2", "server", MPTCP]["agreed"], 1, once_more.log.read_text())

    def test_the_name_of_the_server(self):
        self.serve("serve", MPTCP, network.MPTCP)
        self.serve("names", "10.1.2.2")
        sensor = Sensor(self.lab, self.folder, self.inside)
        self.talk(MPTCP, paths=2, name="files.test.example")
        record = wait_for(lambda: sensor.records("mptcp"), "the connection")[0]
        self.assertEqual(record["mptcp"]["names"], [{"name": "files.test.example", "source": "dns"}])
        self.assertEqual([s["state"] for s in record["mptcp"]["subflows"]].count("closed"), 2, "the joined one is of the named connection")
        self.assertEqual(sensor.end()[0], 0, sensor.errors.read_text())

    def test_where_it_is_stripped(self):
        self.serve("serve", MPTCP, network.MPTCP)
        rules = "table ip strip { chain forward { type filter hook forward priority 0; tcp dport 7000 reset tcp option mptcp; }\n}\n"
        self.lab.run(self.lab.router, "nft", "-f", "-", input=rules, text=True)
        sensor = Sensor(self.lab, self.folder, [self.lab.interface(1, 1), self.lab.interface(1, 2)])
        self.talk(MPTCP)
        event = wait_for(lambda: [r["anomaly"] for r in sensor.records("anomaly") if r["anomaly"]["event"] == "option_stripped"], "option_stripped")[0]
        self.assertEqual(event["detail"]["between"], [self.lab.interface(1, 1), self.lab.interface(1, 2)])
        self.assertEqual((event["detail"]["option"], event["detail"]["direction"]), ("MP_CAPABLE", "to_server"))
        self.assertEqual(sensor.end()[0], 0, sensor.errors.read_text())
        self.assertNotIn(("10.1.2.2", "server", MPTCP), sensor.inventory(), "it is not the server that refuses")


class StrippedJoins(unittest.TestCase):
    def test_where_a_join_is_stripped(self):
        """Of a subflow that is lost on the second path; whichever of several workers gets which copy of its SYN."""
        with network.Network("stripping") as lab:
            server = lab.start(lab.server, sys.executable, str(TALK), "serve", "7000", stdout=subprocess.PIPE, text=True)
            self.assertEqual(server.stdout.readline(), "listening\n")
            points = [lab.interface(path, side) for path in (1, 2) for side in (3, 2)]
            folder = self.enterContext(tempfile.TemporaryDirectory())
            sensor = Sensor(lab, folder, points, host=lab.far, workers=4)
            def told():
                return [r["anomaly"]["detail"] for r in sensor.records("anomaly") if r["anomaly"]["event"] == "option_stripped"]
            for times in range(1, 9):  # other ports, other workers
                with lab.start(lab.client, sys.executable, str(TALK), "pause", lab.target(), "7000", "30000", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
                    self.assertEqual(sender.stdout.readline(), "half\n")
                    wait_for(lambda times=times: len(told()) >= times, f"number {times} to be told")
                    self.assertEqual(sender.communicate("\n", timeout=20)[0], "done\n")
            # The second address' way to the server's first one leads over both: there by the second interface of the client, here by the first line.
            self.assertEqual({(one["option"], *one["between"]) for one in told()}, {("MP_JOIN", lab.interface(1, 3), lab.interface(1, 2))})
            self.assertEqual(sensor.end()[0], 0, sensor.errors.read_text())


def play(what, *arguments):
    if what == "serve":
        serve(int(arguments[0]), int(arguments[1]))
    elif what == "names":
        answer_names(arguments[0])
    else:
        talk(arguments[0], int(arguments[1]), int(arguments[2]), int(arguments[3]), arguments[4])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        play(*sys.argv[2:])
        sys.exit()
    live_sensor.main()

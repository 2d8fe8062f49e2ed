#!/usr/bin/env python3
"""`weir sensor` with several workers between real kernels: subflows that come to different workers, and one result."""
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
import talk
from live_sensor import Sensor, wait_for

HERE = pathlib.Path(__file__).parent
PORT = 7000
SIZE = 100_000


class Shards(unittest.TestCase):
    paths = 3

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network(self.paths))
        server = self.lab.start(self.lab.server, sys.executable, str(HERE / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")

    def sensor(self, workers, *options, **more):
        config = self.folder / f"weir{workers}.yaml"
        config.write_text(f"sensor: {{workers: {workers}, ring_bytes: 67108864}}\n")
        folder = self.folder / str(workers)
        folder.mkdir(exist_ok=True)
        return Sensor(self.lab, folder, "--config", str(config), *options, **more)

    def send(self, count, size):
        done = self.lab.run(self.lab.client, sys.executable, str(HERE / "talk.py"), "send", "10.1.2.2", str(PORT), str(count), str(size), capture_output=True, text=True)
        self.assertEqual(done.stdout, "done\n")

    def every_byte(self, workers, count):
        streams = self.folder / f"streams{workers}"
        rules = self.folder / "local.rules"
        # Across the middle of a text: with several paths, often over two of them.
        words = {number: talk.text(number, SIZE)[50_000:50_032].hex(" ") for number in range(count)}
        rules.write_text("".join(f'alert tcp any any -> any any (msg:"{number}"; content:"|{word}|"; sid:{number + 1};)\n' for number, word in words.items()))
        sensor = self.sensor(workers, "--export-streams", str(streams), "--rules", str(rules))
        self.send(count, SIZE)
        wait_for(lambda: len(sensor.records("mptcp")) >= count, "a record of each connection", 60)
        status, took = sensor.end()
        self.assertEqual(status, 0, sensor.errors.read_text())
        self.assertLess(took, 5)
        capture = sensor.records("stats")[-1]["stats"]["capture"]
        self.assertEqual(capture["workers"], workers)
        self.assertEqual(capture["kernel_drops"], 0)
        interfaces = capture["interfaces"]
        self.assertEqual(set(interfaces), {self.lab.interface(path, 1) for path in range(1, self.paths + 1)})
        self.assertEqual(sum(i["packets"] for i in interfaces.values()), capture["kernel_packets"])
        self.assertEqual([i["dropped"] for i in interfaces.values()], [0] * self.paths)
        if workers > 1:
            self.assertEqual(capture["shard_drops"], 0)
            self.assertGreater(capture["shard_packets"], 0, "subflows of one connection came to different workers")
        records = sensor.records("mptcp")
        self.assertEqual(len(records), count)
        for record in records:
            self.assertEqual(record["mptcp"]["visibility"], 1)
            self.assertEqual({s["auth"] for s in record["mptcp"]["subflows"]}, {"verified"})
        self.assertGreater(sum(len(record["mptcp"]["subflows"]) > 1 for record in records), count // 10, "other paths were used")
        self.assertEqual(sorted(file.read_bytes() for file in streams.glob("*.toserver")), sorted(talk.text(number, SIZE) for number in range(count)))
        self.assertEqual(sorted(a["alert"]["signature_id"] for a in sensor.records("alert")), sorted(number + 1 for number in words))
        print(f"{workers} workers: {capture['shard_packets'] if workers > 1 else 0} of {capture['kernel_packets']} packets were another's,"
              f" {sum(a['mptcp']['split'] for a in sensor.records('alert'))} of {count} signatures were split")

    def test_one_worker(self):
        self.every_byte(1, 100)

    def test_two_workers(self):
        self.every_byte(2, 100)

    def test_four_workers(self):
        self.every_byte(4, 100)

    def test_single_octets_over_three_paths(self):
        rules = self.folder / "local.rules"
        rules.write_text('alert tcp any any -> any any (msg:"cut"; content:"unmistakable"; sid:7;)\n')
        sensor = self.sensor(4, "--rules", str(rules))
        sending = self.lab.start(self.lab.client, sys.executable, str(HERE / "talk.py"), "cut", "10.1.2.2", str(PORT), "unmistakable", "3",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(sending.stdout.readline().split()[:1], ["sent"])
        alert = wait_for(lambda: sensor.records("alert"), "the alert while the connection is open")[0]
        self.assertTrue(alert["mptcp"]["split"])
        self.assertEqual(alert["mptcp"]["subflows"], [0, 1, 2])
        sending.stdin.close()

    def test_reload_reopen_and_interfaces_with_all_workers(self):
        rules = self.folder / "local.rules"
        rules.write_text("")
        sensor = self.sensor(3, "--rules", str(rules))
        away = self.lab.interface(3, 1)
        self.lab.run(self.lab.router, "ip", "link", "set", away, "down")
        sensor.said(f"weir: {away}: Network is down (watched again when it is back)")
        self.lab.run(self.lab.router, "ip", "link", "set", away, "name", "other")
        sensor.said(f"weir: {away}: the interface is gone (watched again when one of that name is there)")
        self.lab.run(self.lab.router, "ip", "link", "set", "other", "name", away)
        self.lab.run(self.lab.router, "ip", "link", "set", away, "up")
        sensor.said(f"weir: {away}: watched again")
        self.lab.run(self.lab.router, "ip", "route", "replace", "10.3.2.0/24", "dev", self.lab.interface(3, 2))
        rules.write_text(f'alert tcp any any -> any any (msg:"seen"; content:"|{talk.text(0, 64)[20:36].hex(" ")}|"; sid:1;)\n')
        sensor.signal(signal.SIGHUP)
        sensor.said("weir: reloaded")
        sensor.log.rename(sensor.log.with_suffix(".1"))
        sensor.signal(signal.SIGUSR1)
        wait_for(sensor.log.exists, "a new log")
        self.send(20, 5_000)
        wait_for(lambda: len(sensor.records("mptcp")) == 20, "their records", 60)
        self.assertEqual([a["alert"]["signature_id"] for a in sensor.records("alert")], [1])
        self.assertEqual(sensor.end()[0], 0)

    def test_what_needs_order_gets_one_worker(self):
        sensor = self.sensor(4, "--export-pcap", str(self.folder / "plain.pcap"))
        self.assertIn("weir: --export-pcap: needs all packets in their order: one worker takes them\n", sensor.errors.read_text())
        self.assertEqual(sensor.end()[0], 0)
        self.assertEqual(sensor.records("stats")[-1]["stats"]["capture"]["workers"], 1)

    def test_what_nobody_looks_at_stays_in_the_kernel(self):
        sensor = self.sensor(2)
        datagrams = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b'quic', ('10.1.2.2', 443)) for _ in range(50)]"
        self.lab.run(self.lab.client, sys.executable, "-c", datagrams)
        self.send(1, 5_000)
        wait_for(lambda: sensor.records("mptcp"), "the record")
        self.assertEqual(sensor.end()[0], 0)
        decode = sensor.records("stats")[-1]["stats"]["decode"]
        self.assertEqual(decode["packets"], decode["tcp"])

    def test_vlan_tags_are_where_they_were(self):
        """The kernel keeps the outer tag of a frame beside it."""
        capture = self.folder / "plain.pcap"
        sensor = self.sensor(1, "--export-pcap", str(capture), interfaces=[self.lab.interface(1, 1)])
        datagram = bytes.fromhex("4500002000010000401100000a0101020a0101010035003500 0c0000 77656972")
        frames = [bytes.fromhex("ffffffffffff 020000000001") + tags + b"\x08\x00" + datagram for tags in (bytes.fromhex("81000007"), bytes.fromhex("88a80008 81000009"))]
        send = f"import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('p1', 0)); [s.send(f) for f in {frames!r}]"
        self.lab.run(self.lab.client, sys.executable, "-c", send)
        self.assertEqual(sensor.end()[0], 0)  # what the ring still holds is taken
        for filter in ("vlan 7 and udp", "vlan 8 and vlan 9 and udp"):
            told = subprocess.run(["tcpdump", "-e", "-n", "-r", str(capture), filter], check=True, capture_output=True, text=True).stdout
            self.assertEqual(len(told.splitlines()), 1, filter)


if __name__ == "__main__":
    live_sensor.main()

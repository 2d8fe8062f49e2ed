#!/usr/bin/env python3
"""`weir sensor` on a router between real kernels: what it writes, how it starts, reloads, reopens and ends."""
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import network
import talk
from live_sensor import Sensor, wait_for

HERE = pathlib.Path(__file__).parent
PORT = 7000


class LiveSensor(unittest.TestCase):
    paths = 2

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.lab = self.enterContext(network.Network(self.paths))
        server = self.lab.start(self.lab.server, sys.executable, str(HERE / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")

    def send(self, count, size):
        done = self.lab.run(self.lab.client, sys.executable, str(HERE / "talk.py"), "send", "10.1.2.2", str(PORT), str(count), str(size), capture_output=True, text=True)
        self.assertEqual(done.stdout, "done\n")

    def test_every_byte_of_every_connection(self):
        streams = pathlib.Path(self.folder) / "streams"
        sensor = Sensor(self.lab, self.folder, "--export-streams", str(streams))
        self.send(40, 200_000)
        wait_for(lambda: len(sensor.records("mptcp")) >= 40, "a record of each connection")
        status, took = sensor.end()
        self.assertEqual(status, 0, sensor.errors.read_text())
        self.assertLess(took, 5)
        records = sensor.records("mptcp")
        self.assertEqual(len(records), 40)
        several = 0
        for record in records:
            self.assertEqual(record["mptcp"]["version"], 1)
            self.assertEqual(record["mptcp"]["visibility"], 1)
            several += len(record["mptcp"]["subflows"]) > 1
        self.assertGreater(several, 0, "the second path was used")
        expected = sorted(talk.text(number, 200_000) for number in range(40))
        self.assertEqual(sorted(file.read_bytes() for file in streams.glob("*.toserver")), expected)
        stats = sensor.records("stats")[-1]["stats"]
        self.assertEqual(stats["capture"]["kernel_drops"], 0)

    def test_rules_are_read_again(self):
        rules = pathlib.Path(self.folder) / "local.rules"
        word = talk.text(0, 64)[20:36].hex(" ")
        rules.write_text("")
        sensor = Sensor(self.lab, self.folder, "--rules", str(rules))
        self.send(1, 5_000)
        wait_for(lambda: sensor.records("mptcp"), "the first record")
        rules.write_text(f'alert tcp any any -> any any (msg:"seen"; content:"|{word}|"; sid:1;)\n')
        sensor.signal(signal.SIGHUP)
        sensor.said("weir: reloaded")
        self.send(1, 5_000)
        alert = wait_for(lambda: sensor.records("alert"), "the alert")
        self.assertEqual([a["alert"]["signature_id"] for a in alert], [1])
        rules.unlink()
        sensor.signal(signal.SIGHUP)
        wait_for(lambda: "No such file" in sensor.errors.read_text(), "why it cannot be read")
        self.send(1, 5_000)
        wait_for(lambda: len(sensor.records("alert")) == 2, "the rules that were there go on")

    def test_a_signature_in_single_octets_over_two_paths(self):
        rules = pathlib.Path(self.folder) / "local.rules"
        rules.write_text('alert tcp any any -> any any (msg:"cut"; content:"unmistakable"; sid:7;)\n')
        sensor = Sensor(self.lab, self.folder, "--rules", str(rules))
        sending = self.lab.start(self.lab.client, sys.executable, str(HERE / "talk.py"), "cut", "10.1.2.2", str(PORT), "unmistakable", "2",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sent = sending.stdout.readline().split()
        self.assertEqual(sent[:1], ["sent"])
        alert = wait_for(lambda: sensor.records("alert"), "the alert while the connection is open")[0]
        print(f"seen in the log {time.time() - float(sent[1]):.2f} s after the last octet was acknowledged")
        self.assertEqual(alert["alert"]["signature_id"], 7)
        self.assertTrue(alert["mptcp"]["split"])
        self.assertEqual(alert["mptcp"]["subflows"], [0, 1])
        self.assertEqual(sensor.records("mptcp"), [])
        sending.stdin.close()

    def test_the_log_is_opened_again(self):
        sensor = Sensor(self.lab, self.folder)
        self.send(1, 5_000)
        wait_for(lambda: sensor.records("mptcp"), "the first record")
        moved = sensor.log.with_suffix(".1")
        sensor.log.rename(moved)
        sensor.signal(signal.SIGUSR1)
        wait_for(sensor.log.exists, "a new log")
        self.send(1, 5_000)
        wait_for(lambda: sensor.records("mptcp"), "the second record in it")
        self.assertEqual(len(sensor.records("mptcp")), 1)
        self.assertEqual(sensor.end()[0], 0)

    def test_an_interface_that_goes_and_comes(self):
        sensor = Sensor(self.lab, self.folder)
        away = self.lab.interface(2, 1)
        self.lab.run(self.lab.router, "ip", "link", "set", away, "down")
        sensor.said(f"weir: {away}: Network is down (watched again when it is back)")
        self.lab.run(self.lab.router, "ip", "link", "set", away, "name", "other")
        sensor.said(f"weir: {away}: the interface is gone (watched again when one of that name is there)")
        self.send(1, 5_000)
        wait_for(lambda: sensor.records("mptcp"), "the first path is watched meanwhile")
        self.lab.run(self.lab.router, "ip", "link", "set", "other", "name", away)
        self.lab.run(self.lab.router, "ip", "link", "set", away, "up")
        sensor.said(f"weir: {away}: watched again")
        self.lab.run(self.lab.router, "ip", "route", "replace", "10.2.2.0/24", "dev", self.lab.interface(2, 2))
        self.send(4, 200_000)
        wait_for(lambda: len(sensor.records("mptcp")) == 5, "the others")
        points = {point for record in sensor.records("mptcp") for subflow in record["mptcp"]["subflows"] for point in subflow["capture_points"]}
        self.assertEqual(points, {self.lab.interface(1, 1), away})
        self.assertEqual(sensor.end()[0], 0)

    def test_a_restart_in_the_middle(self):
        sensor = Sensor(self.lab, self.folder)
        sending = self.lab.start(self.lab.client, sys.executable, str(HERE / "talk.py"), "pause", "10.1.2.2", str(PORT), "50000000",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(sending.stdout.readline(), "half\n")
        sensor.signal(signal.SIGKILL)
        sensor.process.wait()
        self.assertIsNone(sending.poll(), "the transfer was over before the sensor was killed")
        again = Sensor(self.lab, self.folder)
        sending.stdin.write("\n")
        sending.stdin.flush()
        self.assertEqual(sending.stdout.readline(), "done\n")
        self.assertEqual(again.end()[0], 0)
        record = again.records("mptcp")[-1]
        self.assertTrue(record["mptcp"]["midstream"])
        self.assertGreater(record["mptcp"]["bytes_toserver"], 0)

    def test_an_interface_that_is_not_there(self):
        done = subprocess.run([live_sensor.WEIR, "sensor", "-i", "none0"], capture_output=True, text=True, timeout=10)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "weir: none0: no such interface: No such device\n")


if __name__ == "__main__":
    live_sensor.main()

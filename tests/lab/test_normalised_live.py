#!/usr/bin/env python3
"""What unmodified tools see that listen on the interface of `weir sensor --normalise-to`, while connections run over several paths."""
import os
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
sys.path.insert(0, str(HERE.parent / "normalised"))
from test_normalised import findings, follow, follow_options, followed, tshark  # noqa: E402

PORT = 7000
OUT = "weir0"
PLAIN = 1000  # number of the text that goes over plain TCP
HEADER = 14
AS_DATA = ["-d", f"tcp.port=={PORT},data"]  # else the port's usual protocol is looked for in what is none


class Reader:
    """A program that listens on the interface, in the router's namespace."""

    def __init__(self, lab, folder, name, *command, ready, interface=OUT):
        self.errors, self.output = folder / f"{name}.errors", folder / f"{name}.out"
        with open(self.errors, "w") as errors, open(self.output, "w") as output:
            self.process = lab.start(lab.router, *[word.replace("IFACE", interface) for word in command], stdout=output, stderr=errors)
        wait_for(lambda: ready in self.errors.read_text(), f"{name} listens: {self.errors.read_text()}")

    def signal(self, number):
        os.kill(self.process.pid, number)

    def end(self):
        self.signal(signal.SIGINT)
        self.process.wait(timeout=60)
        return self.output.read_text()

    def drops(self):
        """As tcpdump tells at its end."""
        return int(next(line.split()[0] for line in self.errors.read_text().splitlines() if line.endswith("dropped by kernel")))


class NotSent(AssertionError):
    """A transfer between the kernels was not whole: what a passive sensor writes cannot be judged by it."""


class NormalisedLive(unittest.TestCase):
    paths = 3

    def setUp(self):
        self.begin()

    def begin(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network(self.paths))
        server = self.lab.start(self.lab.server, sys.executable, str(HERE / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")

    def sensor(self, *options):
        return Sensor(self.lab, self.folder, "--normalise-to", OUT, *options)

    def made(self, kind, *options):
        """A sensor that makes the interface; skips where the kernel has no such."""
        if kind == "dummy":
            probe = subprocess.run(["ip", "-n", self.lab.router, "link", "add", "probe", "type", "dummy"], capture_output=True)
            if probe.returncode:
                self.skipTest("this kernel has no dummy interfaces")
            self.lab.run(self.lab.router, "ip", "link", "del", "probe")
        return self.sensor("--normalise-create", kind, *options)

    def tcpdump(self, name="tcpdump", interface=OUT, *options):
        file = self.folder / f"{name}.pcap"
        return Reader(self.lab, self.folder, name, "tcpdump", "-n", "-Z", "root", "-B", "65536", "-U", "-i", "IFACE", "-w", str(file), *options, ready="listening on", interface=interface), file

    def tshark(self, streams):
        return Reader(self.lab, self.folder, "tshark", "tshark", "-n", "-i", "IFACE", "-B", "64", "-q", *follow_options(range(streams)), ready="Capture started")

    def send(self, count, size):
        done = self.lab.run(self.lab.client, sys.executable, str(HERE / "talk.py"), "send", "10.1.2.2", str(PORT), str(count), str(size), capture_output=True, text=True)
        if done.stdout != "done\n":
            raise NotSent(done.stdout + done.stderr)

    def send_plain(self, size):
        """One plain TCP connection with a text of its own."""
        code = ("import socket, sys; sys.path.insert(0, sys.argv[1]); import talk\n"
                "with socket.create_connection(('10.1.2.2', int(sys.argv[2]))) as s:\n"
                "    s.sendall(talk.text(int(sys.argv[3]), int(sys.argv[4]))); s.shutdown(socket.SHUT_WR); print(len(s.recv(100)))\n")
        done = self.lab.run(self.lab.client, sys.executable, "-c", code, str(HERE), str(PORT), str(PLAIN), str(size), capture_output=True, text=True)
        self.assertEqual(done.stdout, "64\n")

    def stats(self, sensor, seconds=30):
        """Of a record that is yet to come."""
        had = len(sensor.records("stats"))
        wait_for(lambda: len(sensor.records("stats")) > had, "a stats record", seconds)
        return sensor.records("stats")[-1]["stats"]

    def texts(self, streams):
        """What went to the server, of all of tshark's conversations."""
        return sorted(ways[0] for ways in streams.values())

    def numbers(self, file):
        """Of the conversations in a capture: MPTCP's flows, and plain TCP's."""
        shown = {int(number) for number in tshark(str(file), "-Y", "tcp", "-T", "fields", "-e", "tcp.stream").split()}
        plain = {int(number) for number in tshark(str(file), "-Y", "tcp.flags.syn==1 && tcp.flags.ack==0 && tcp.options.timestamp.tsval", "-T", "fields", "-e", "tcp.stream").split()}
        return shown - plain, plain

    def check_capture(self, file, flows, plain, mtu=1500):
        """Nothing that tshark would complain of, no longer frame than the interface takes."""
        ours, others = self.numbers(file)
        self.assertEqual((len(ours), len(others)), (flows, plain))
        found = findings(str(file), *AS_DATA)
        self.assertEqual({number: found[number] for number in found if number in ours}, {})
        bad = tshark(str(file), *AS_DATA, "-Y", "tcp.checksum.status==0 || ip.checksum.status==0 || _ws.malformed", "-T", "fields", "-e", "frame.number").split()
        self.assertEqual(bad, [], "bad checksums, or malformed")
        self.assertLessEqual(max(int(size) for size in tshark(str(file), "-T", "fields", "-e", "frame.len").split()), mtu + HEADER)
        self.assertLessEqual(max(int(size) for size in tshark(str(file), "-Y", "tcp.options.mss_val && !tcp.options.timestamp.tsval", "-T", "fields", "-e", "tcp.options.mss_val").split()), mtu - 40)

    def bytes_and_findings(self, kind, mtu=1500):
        try:
            self.once(kind, mtu)
        except NotSent as why:
            print(f"begun anew on another network, once: {why}")
            self.begin()
            self.once(kind, mtu)

    def once(self, kind, mtu):
        count, size, plain = 20, 150_000, 100_000
        options = [] if mtu == 1500 else ["--config", str(self.folder / "weir.yaml")]
        (self.folder / "weir.yaml").write_text(f"sensor: {{normalise: {{mtu: {mtu}}}}}\n")
        sensor = self.made(kind, *options)
        dump, file = self.tcpdump()
        live = self.tshark(count + 1)
        self.send(count, size)
        self.send_plain(plain)
        wait_for(lambda: len(sensor.records("mptcp")) >= count, "a record of each connection", 40)
        several = [record for record in sensor.records("mptcp") if len(record["mptcp"]["subflows"]) > 1]
        self.assertGreater(len(several), 0, "more than one path was used")
        expected = sorted([talk.text(number, size) for number in range(count)] + [talk.text(PLAIN, plain)])
        self.assertEqual(self.texts(followed(live.end())), expected, "what tshark follows, live")
        dump.end()
        self.assertEqual(dump.drops(), 0)
        self.check_capture(file, count, 1, mtu)
        ours, others = self.numbers(file)
        self.assertEqual(self.texts(follow(str(file), sorted(ours | others))), expected, "what tcpdump wrote")
        status, took = sensor.end()
        self.assertEqual(status, 0, sensor.errors.read_text())
        self.assertLess(took, 5)
        stats = sensor.records("stats")[-1]["stats"]
        self.assertEqual(stats["capture"]["kernel_drops"], 0)
        self.assertEqual([stats["normalise"][name] for name in ("dropped", "interface_down", "refused", "too_long_left_out", "cut_short_left_out")], [0] * 5)
        self.assertGreater(stats["normalise"]["flow_packets"], count * size // mtu)
        self.assertEqual(stats["normalise"]["packets"], stats["normalise"]["flow_packets"] + stats["normalise"]["other_packets"])
        left = subprocess.run(["ip", "-n", self.lab.router, "link", "show", OUT], capture_output=True)
        self.assertNotEqual(left.returncode, 0, "what it made, it removes")

    def test_tap(self):
        self.bytes_and_findings("tap")

    def test_veth_with_a_small_mtu(self):
        self.bytes_and_findings("veth", 576)

    def test_dummy(self):
        self.bytes_and_findings("dummy")

    def test_on_an_interface_that_is_there_without_other_traffic(self):
        self.lab.run(self.lab.router, "ip", "link", "add", OUT, "type", "veth", "peer", "name", "listen")
        for name in (OUT, "listen"):
            self.lab.run(self.lab.router, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
            self.lab.run(self.lab.router, "ip", "link", "set", name, "up")
        sensor = self.sensor("--normalise-other", "none")
        dump, file = self.tcpdump("listen", "listen")
        self.send_plain(10_000)
        self.send(3, 50_000)
        wait_for(lambda: len(sensor.records("mptcp")) >= 3, "the records", 40)
        dump.end()
        self.check_capture(file, 3, 0)
        ours, _ = self.numbers(file)
        self.assertEqual(self.texts(follow(str(file), sorted(ours))), sorted(talk.text(number, 50_000) for number in range(3)))
        self.assertEqual(sensor.end()[0], 0)
        stats = sensor.records("stats")[-1]["stats"]
        self.assertGreater(stats["normalise"]["left_out"], 0)
        self.assertEqual(stats["normalise"]["other_packets"], 0)
        self.lab.run(self.lab.router, "ip", "link", "show", OUT, capture_output=True)  # what it found, it leaves

    def test_a_stalled_reader_blocks_nothing(self):
        sensor = self.made("tap")
        stalled, _ = self.tcpdump("stalled")
        stalled.signal(signal.SIGSTOP)
        dump, file = self.tcpdump()
        self.send(4, 20_000_000)  # more than the stalled one's buffer
        wait_for(lambda: len(sensor.records("mptcp")) >= 4, "the records", 60)
        dump.end()
        stats = self.stats(sensor)
        self.assertEqual(stats["capture"]["kernel_drops"], 0)
        self.assertEqual(stats["normalise"]["dropped"], 0)
        ours, _ = self.numbers(file)
        if dump.drops() == 0:  # tcpdump itself may be too slow here
            got = sum(int(size) for size in tshark(str(file), "-Y", "tcp.dstport==%d" % PORT, "-T", "fields", "-e", "tcp.len").split())
            self.assertEqual((len(ours), got), (4, 4 * 20_000_000))
        stalled.signal(signal.SIGCONT)
        stalled.end()
        self.assertGreater(stalled.drops(), 0, "it is the reader that lost packets, and says so")
        self.assertEqual(sensor.end()[0], 0)

    def test_the_interface_goes_down_and_comes_up(self):
        for kind in ("tap", "veth"):
            with self.subTest(kind=kind):
                sensor = self.made(kind)
                self.lab.run(self.lab.router, "ip", "link", "set", OUT if kind == "tap" else OUT + "-tx", "down")
                self.send(2, 20_000)
                wait_for(lambda: self.stats(sensor)["normalise"]["interface_down"] > 0, "what was not sent is counted", 40)
                self.lab.run(self.lab.router, "ip", "link", "set", OUT if kind == "tap" else OUT + "-tx", "up")
                dump, file = self.tcpdump(kind)
                self.send(2, 20_000)
                wait_for(lambda: len(sensor.records("mptcp")) >= 4, "the records", 40)
                dump.end()
                self.check_capture(file, 2, 0)
                self.assertEqual(sensor.end()[0], 0)
                sensor.log.unlink()

    def test_a_connection_is_seen_at_once(self):
        """The first octets are there while the connection is still open."""
        sensor = self.made("tap")
        live = Reader(self.lab, self.folder, "tcpdump", "tcpdump", "-n", "-l", "-Z", "root", "--immediate-mode", "-A", "-i", "IFACE", ready="listening on")
        code = ("import socket, sys, time\n"
                "s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.connect(('10.1.2.2', int(sys.argv[1]))); s.sendall(b'unmistakable')\n"
                "print(time.time(), flush=True); sys.stdin.read()\n")
        sending = self.lab.start(self.lab.client, sys.executable, "-c", code, str(PORT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sent = float(sending.stdout.readline())
        wait_for(lambda: "unmistakable" in live.output.read_text(), "the octets")
        print(f"seen by tcpdump within {time.time() - sent:.2f} s of being sent")
        self.assertEqual(sensor.records("mptcp"), [])
        sending.stdin.close()
        live.end()
        self.assertEqual(sensor.end()[0], 0)

    def test_what_is_refused(self):
        first = self.lab.interface(1, 1)
        for options, said in (
                (["--normalise-to", "none0"], "weir: none0: no such interface (ip link add none0 type dummy"),
                (["--normalise-to", first], f"weir: {first}: is captured on as well"),
                (["--normalise-to", "lo"], "weir: lo: is a loopback interface"),
                (["--normalise-to", "a/b", "--normalise-create", "tap"], "weir: a/b: an interface's name"),
                (["--normalise-to", "thirteenchars", "--normalise-create", "veth"], "weir: thirteenchars: its other end would be thirteenchars-tx")):
            done = subprocess.run(["ip", "netns", "exec", self.lab.router, live_sensor.WEIR, "sensor", "-i", first, "--log", "/dev/null", "--normalise-other", "none", *options], capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 1)
            self.assertTrue(done.stderr.startswith(said), done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_an_interface_of_a_running_sensor_is_left_to_it(self):
        first = self.made("veth")
        config = self.folder / "second.yaml"
        config.write_text('web: {listen: "off"}\n')
        second = subprocess.run(["ip", "netns", "exec", self.lab.router, live_sensor.WEIR, "sensor", "--config", str(config), "-i", self.lab.interface(1, 1), "--log", str(self.folder / "second.json"),
                                 "--normalise-to", OUT, "--normalise-create", "veth"], capture_output=True, text=True, timeout=10)
        self.assertEqual(second.returncode, 1, second.stderr)
        self.assertIn(f"weir: {OUT}: belongs to the sensor that runs as process {first.process.pid}", second.stderr)
        self.lab.run(self.lab.router, "ip", "link", "show", OUT, capture_output=True)
        self.assertEqual(first.end()[0], 0)

    def test_what_a_killed_run_left_is_taken_over(self):
        sensor = self.made("veth")
        sensor.signal(signal.SIGKILL)
        sensor.process.wait()
        self.lab.run(self.lab.router, "ip", "link", "show", OUT, capture_output=True)
        again = self.made("veth")
        self.assertEqual(again.end()[0], 0)
        left = subprocess.run(["ip", "-n", self.lab.router, "link", "show", OUT], capture_output=True)
        self.assertNotEqual(left.returncode, 0)


if __name__ == "__main__":
    live_sensor.main()

#!/usr/bin/env python3
"""Every network that lab/networks describes: it comes up, real programs speak MPTCP over all its paths, its boxes do what it says, and it is gone afterwards."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest

import live_sensor
import network
from live_sensor import wait_for

from lab import description, firewall, namespaces

LAB = pathlib.Path(network.__file__).resolve().parents[2] / "lab"
PORT = 7000


def serve(lab):
    server = lab.start(lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline() == "listening\n"


def send(lab, address, count=1, size=2_000_000, subflows=1):
    done = lab.run(lab.client, sys.executable, str(LAB / "talk.py"), "send", address, str(PORT), str(count), str(size), str(subflows), capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stdout + done.stderr


def needs(*programs):
    absent = [program for program in programs if shutil.which(program) is None]
    return unittest.skipIf(absent, f"there is no {' and no '.join(absent)} (packaging/apt-test.txt)")


class Networks(unittest.TestCase):
    def up(self, name):
        lab = self.enterContext(network.Network(name))
        serve(lab)
        return lab

    def joins(self, lab):
        return lab.kernel_counters(lab.server)["MPTcpExtMPJoinAckRx"]

    def test_each_carries_mptcp_over_all_its_paths_and_ends(self):
        for name in description.names():
            with self.subTest(name):
                wanted = description.read(name)
                stripped = sum(path.strip is not None for path in wanted.path)
                with network.Network(name) as lab:
                    serve(lab)
                    for number, family in enumerate(lab.families, 1):
                        send(lab, lab.target(1, family), subflows=lab.paths - stripped)
                        server = lab.kernel_counters(lab.server)
                        self.assertEqual(server["MPTcpExtMPCapableACKRX"], number)
                        self.assertEqual(server["MPTcpExtMPJoinAckRx"], number * (lab.paths - 1 - stripped))
                        self.assertEqual(server["MPTcpExtMPFallbackTokenInit"], 0)
                    hosts = set(lab.hosts.values())
                self.assertEqual(hosts & set(namespaces.existing()), set())

    @needs("mptcpize", "iperf3")
    def test_rates_hold(self):
        lab = self.up("rates")
        rate = self.iperf3(lab, "mptcpize", "run")
        both = sum(path.rate_mbit for path in lab.described.path)
        print(f"{rate:.0f} Mbit/s over both paths of {[path.rate_mbit for path in lab.described.path]}")
        self.assertGreater(rate, lab.described.path[0].rate_mbit * 0.5)
        self.assertLess(rate, both * 1.1)
        alone = self.iperf3(lab)
        self.assertLess(alone, lab.described.path[0].rate_mbit * 1.1)

    def iperf3(self, lab, *before):
        """Mbit/s. iperf3 now and then finds its own control connection closed: it is asked again then."""
        for port in range(5201, 5204):
            server = lab.start(lab.server, *before, "iperf3", "-s", "-1", "-p", str(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(lambda port=port: f":{port}" in lab.run(lab.server, "ss", "-Htln", capture_output=True, text=True).stdout, "iperf3 to listen")
            done = lab.run(lab.client, *before, "iperf3", "-c", lab.target(), "-p", str(port), "-t", "4", "-J", capture_output=True, text=True, check=False)
            server.kill()
            if "error" not in (said := json.loads(done.stdout)):
                return said["end"]["sum_received"]["bits_per_second"] / 1e6
        raise AssertionError(said["error"])

    @needs("mptcpize", "curl")
    def test_curl_and_a_web_server(self):
        lab = self.up("two-paths")
        lab.start(lab.server, "mptcpize", "run", sys.executable, "-m", "http.server", "8000", "--directory", str(LAB), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: ":8000" in lab.run(lab.server, "ss", "-Htln", capture_output=True, text=True).stdout, "the web server to listen")
        got = lab.run(lab.client, "mptcpize", "run", "curl", "-s", f"http://{lab.target()}:8000/network.py", capture_output=True, text=True).stdout
        self.assertEqual(got, (LAB / "network.py").read_text())
        self.assertEqual(lab.kernel_counters(lab.server)["MPTcpExtMPCapableACKRX"], 1)

    def test_the_kernel_tells_its_connections(self):
        lab = self.up("two-paths")
        self.assertEqual(lab.kernel_connections(lab.client), [])
        sending = lab.start(lab.client, sys.executable, str(LAB / "talk.py"), "cut", lab.target(), str(PORT), "ab", "2", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        sending.stdout.readline()
        told = lab.kernel_connections(lab.client)
        self.assertEqual(len(told), 1)
        self.assertIn("subflows:1", told[0])

    def test_the_server_sees_the_addresses_that_translation_leaves(self):
        for name, seen in {"two-paths": "10.1.1.2", "nat-masquerade": "10.1.2.1", "nat-one-to-one": "203.0.113.1", "two-routers": "10.1.3.1"}.items():
            with self.subTest(name), network.Network(name) as lab:
                server = lab.start(lab.server, sys.executable, "-c", "import socket; s = socket.create_server(('0.0.0.0', 9000)); print('up', flush=True); print(s.accept()[1][0])",
                                   stdout=subprocess.PIPE, text=True)
                server.stdout.readline()
                lab.run(lab.client, sys.executable, "-c", f"import socket; socket.create_connection(('{lab.target()}', 9000), 5)")
                self.assertEqual(server.stdout.readline().strip(), seen)

    def test_a_stripping_path_carries_tcp_and_no_mptcp(self):
        lab = self.up("stripping")
        send(lab, lab.target())
        client, server = lab.kernel_counters(lab.client), lab.kernel_counters(lab.server)
        self.assertEqual((client["MPTcpExtMPJoinSynTx"], client["MPTcpExtMPJoinSynAckRx"], server["MPTcpExtMPJoinSynRx"]), (1, 0, 0))

    def test_sixteen_subflows_and_more_where_the_kernel_is_told_so(self):
        lab = self.up("one-path")
        lab.without_a_bound_on_subflows(lab.server)
        done = lab.run(lab.client, sys.executable, str(LAB / "endpoint.py"), "client", "--connect", f"{lab.target()}:{PORT}", "--subflows", "16", "--split", "sixteen subflows",
                       capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.joins(lab), 15)


class Descriptions(unittest.TestCase):
    def test_what_is_wrong_is_said(self):
        for text, said in {
            "": "paths: 1 to 4 of [[path]]",
            "[[path]]\nrate = 3": "path 1: unknown key rate; there are nat, rate_mbit, strip",
            "colour = 1\n[[path]]": "the network: unknown key colour; there are box, description, families, path, routers, stranger",
            "box = 'far'\n[[path]]": "box: one of ('router',)",
            "[[path]]\nnat = 'carrier'": "nat: one of ('masquerade', 'one-to-one', 'port-forward')",
            "[[path]]\n" * 5: "paths: 1 to 4 of [[path]]",
        }.items():
            with self.assertRaises(description.Wrong) as raised:
                description.parse(text)
            self.assertEqual(str(raised.exception), said)

    def test_only_boxes_that_do_something_have_rules(self):
        self.assertEqual(firewall.rules(description.read("three-paths")), "")
        self.assertIn("masquerade", firewall.rules(description.read("nat-masquerade")))


class Commands(unittest.TestCase):
    def call(self, *words, status=0):
        done = subprocess.run([str(LAB / words[0]), *words[1:]], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def test_up_and_down(self):
        said = self.call("up", "one-path")
        hosts = re.findall(r"^(\w+) +ip netns exec (weir\d+\w) COMMAND$", said, re.M)
        self.assertEqual([host for host, _ in hosts], ["client", "router", "server"])
        namespace = {name for _, name in hosts}
        self.assertLessEqual(namespace, set(namespaces.existing()))
        number = re.search(r"lab/down (\d+) ends it", said)[1]
        self.assertIn(f"{number} one-path", self.call("down", "--list"))
        self.call("down", number)
        self.assertEqual(namespace & set(namespaces.existing()), set())
        self.assertNotIn(number, self.call("down", "--list"))

    def test_run_gives_the_names_and_the_status(self):
        said = self.call("run", "two-paths", "--", "sh", "-c", 'ip netns exec $LAB_CLIENT ip -br addr show dev p2; echo $LAB_PATHS $LAB_TARGET4 $LAB_TARGET6; exit 3', status=3)
        self.assertIn("10.2.1.2/24", said)
        self.assertIn("2 10.1.2.2 fd00:1:2::2", said)

    def test_of_two_routers_each_is_told_with_its_interfaces(self):
        said = self.call("up", "two-routers")
        self.addCleanup(self.call, "down", re.search(r"lab/down (\d+)", said)[1])
        self.assertIn("m1.. towards far; far's are m1.. towards the router, s1.. towards the server", said)

    def test_both_ends_say_how_they_are_called(self):
        for words, status in ((["--help"], 0), ([], 2), (["send", "10.1.2.2"], 2)):
            done = subprocess.run([sys.executable, str(LAB / "talk.py"), *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, status)
            self.assertTrue((done.stdout + done.stderr).startswith("usage: talk.py serve PORT\n"), done.stderr)

    def test_what_a_killed_run_left_can_be_removed(self):
        run = subprocess.Popen([str(LAB / "run"), "one-path", "--", "sh", "-c", "echo $LAB_CLIENT $$; exec sleep 30"], stdout=subprocess.PIPE, text=True)
        left, command = run.stdout.readline().split()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        run.stdout.close()
        self.assertIn(left, self.call("down", "--stale", "--list"))
        self.assertIn(left, namespaces.existing())
        self.call("down", "--stale")
        self.assertNotIn(left, namespaces.existing())
        os.kill(int(command), signal.SIGKILL)  # it was started outside of the namespaces


if __name__ == "__main__":
    live_sensor.main(needs_weir=False)

#!/usr/bin/env python3
"""The gateway is killed, restarted and ended in the middle of 50 transfers, in both fail modes; and a match stays a match when it is dead."""
import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import live_sensor
import network
from live_gateway import Gateway, half_way, wait_for

from lab import endpoint, namespaces
from lab.octets import options as o
from lab.octets.packets import SYN, Segment
from lab.raw import plan
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT = 7000
MANY, SIZE = 50, 4_000_000
SIGNATURE = b"an unmistakable sign"


class Faults(unittest.TestCase):
    def start(self, fail, rules="", policy="", state=False):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        self.state = folder / "gateway.state"
        self.gateway = Gateway(self.lab, folder, gateway=f"fail: {fail}" + (f", state: {self.state}" if state else ""), rules=rules, policy=policy).start()

    def transfers(self, many=MANY):
        return self.lab.start(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(), str(PORT), str(many), str(SIZE), "2",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def under_way(self):
        """Counted since the start: some may be over when it is asked."""
        wait_for(lambda: self.lab.kernel_counters(self.lab.server)["MPTcpExtMPCapableACKRX"] >= MANY // 2, "transfers under way", 60)

    def done(self, transfers, seconds=60):
        out, said = transfers.communicate(timeout=seconds)
        self.assertEqual((out, said), ("done\n", ""))

    def test_killed_and_open(self):
        self.start("open")
        transfers = self.transfers()
        self.under_way()
        self.gateway.process.kill()
        self.done(transfers)
        self.done(self.transfers(3))

    def test_killed_and_closed(self):
        self.start("closed")
        transfers = self.transfers(3)
        wait_for(lambda: len(self.lab.kernel_connections(self.lab.server)) >= 3, "transfers under way")
        self.gateway.process.kill()
        self.gateway.process.wait()
        beside = subprocess.run(["ip", "netns", "exec", self.lab.client, "timeout", "2", "python3", "-c",
                                 f"import socket; socket.create_connection(('{self.lab.target()}', {PORT})).close(); print('plain TCP passes')"],
                                capture_output=True, text=True, check=False)
        self.assertEqual(beside.stdout, "plain TCP passes\n", beside.stderr)
        before = self.lab.kernel_counters(self.lab.server)["MPTcpExtMPCapableSYNRX"]
        another = self.transfers(1)
        time.sleep(0.5)
        self.assertEqual(self.lab.kernel_counters(self.lab.server)["MPTcpExtMPCapableSYNRX"], before, "a SYN with MP_CAPABLE is held")
        self.gateway.start()
        self.done(another)
        self.done(transfers)

    def test_restarted(self):
        self.start("open")
        transfers = self.transfers()
        self.under_way()
        self.assertEqual(self.gateway.end()[0], 0)
        self.gateway.start()
        self.done(transfers)

    def test_killed_and_restarted(self):
        self.start("open")
        transfers = self.transfers()
        self.under_way()
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.gateway.start()
        self.done(transfers)

    def test_reloaded(self):
        self.start("open")
        transfers = self.transfers()
        self.under_way()
        self.gateway.process.send_signal(signal.SIGHUP)
        self.gateway.said("weir: reloaded")
        self.done(transfers)

    def test_what_was_blocked_stays_blocked_without_the_gateway(self):
        self.start("open", rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n')
        with Host(1) as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, (self.lab.target(), PORT), 1)
            connection.fastclose = lambda: None  # one that does not give in
            plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 1, start=6)])
            wait_for(lambda: self.gateway.records("alert"), "the alert")
            self.gateway.process.kill()
            self.gateway.process.wait()
            before = self.lab.kernel_counters(self.lab.server)["TcpInSegs"]
            host.pump(lambda: False, None, 2)  # sends again and again what was not acknowledged
            self.assertEqual(self.lab.kernel_counters(self.lab.server)["TcpInSegs"], before)

    def kill_and_start(self):
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.gateway.start()

    def keeps(self, octets):
        wait_for(lambda: self.state.exists() and self.state.stat().st_size > octets, "the state")

    def test_a_running_connection_goes_on_with_its_keys_and_limits(self):
        self.start("open", policy="  default: {action: inspect, limits: {subflows: 2}}", state=True)
        with Host(1) as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, (self.lab.target(), PORT), 1)
                link, address = host.link("p2", 4)
            plan.perform(connection, [plan.Step(text="hello ", wait=True)])
            self.keeps(200)
            self.assertEqual(self.state.stat().st_mode & 0o777, 0o600)
            self.kill_and_start()
            self.assertIn("weir: goes on with 1 running connections", self.gateway.errors.read_text())
            second = connection.join(link, (address, host.port()), (self.lab.target(), PORT), addr_id=1)
            self.assertEqual(second.state, "established")
            third = connection.join(link, (address, host.port()), (self.lab.target(), PORT), addr_id=2)
            self.assertNotEqual(third.state, "established")
            connection.finish()
            wait_for(lambda: self.gateway.records("mptcp"), "its record")
        self.assertEqual([one["reason"] for one in self.gateway.decisions() if one["action"] == "reset"], ["limits.subflows"])
        self.assertEqual([f.get("auth") for f in self.gateway.records("mptcp")[-1]["mptcp"]["subflows"]][1:], ["verified"])

    def test_what_was_blocked_stays_blocked_after_a_kill_and_a_start(self):
        self.start("open", rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n', state=True)
        with Host(1) as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, (self.lab.target(), PORT), 1)
                link, address = host.link("p2", 4)
            connection.fastclose = lambda: None  # one that does not give in
            plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 1, start=6)])
            wait_for(lambda: self.gateway.records("alert"), "the alert")
            self.kill_and_start()
            before = self.lab.kernel_counters(self.lab.server)
            connection.join(link, (address, host.port()), (self.lab.target(), PORT), addr_id=1, wait=False)
            host.pump(lambda: False, None, 2)
            after = self.lab.kernel_counters(self.lab.server)
        for name in ("MPTcpExtMPJoinSynRx", "MPTcpExtMPJoinAckRx"):
            self.assertEqual(after[name], before[name], name)
        self.assertEqual(len(self.gateway.records("alert")), 1)

    def test_transfers_are_taken_over(self):
        self.start("open", state=True)
        transfers = self.transfers()
        self.under_way()
        self.keeps(MANY * 100)
        self.kill_and_start()
        self.assertIn("running connections", self.gateway.errors.read_text())
        self.done(transfers)

    def half_way(self):
        """50 transfers over two subflows each, of which half has passed; they wait to be told to go on."""
        return half_way(self.lab, PORT, MANY, SIZE, 2)

    def stopped_in_the_middle(self, stop):
        """Fail closed: all subflows are in the state, and much is under way, in order and out of it, when the gateway is stopped."""
        self.start("closed", state=True)
        transfers = self.half_way()
        began = time.time()
        wait_for(lambda: self.state.exists() and self.state.stat().st_mtime > began, "the state")
        self.keeps(MANY * 100)
        before = self.lab.kernel_counters(self.lab.server)["TcpInSegs"]
        transfers.stdin.write("\n" * MANY)
        transfers.stdin.flush()
        wait_for(lambda: self.lab.kernel_counters(self.lab.server)["TcpInSegs"] > before + 2_000, "transfers to go on")
        stop()
        self.gateway.start()
        self.assertIn(f"weir: goes on with {MANY} running connections", self.gateway.errors.read_text())
        out, said = transfers.communicate(timeout=120)
        self.assertEqual((out.strip(), said), ("done", ""))
        self.gateway.end()
        told = self.gateway.last_stats()["gateway"]
        self.assertEqual((told["unseen_path"], told["blocked_connections"]), (0, 0))
        self.assertEqual([one["anomaly"]["event"] for one in self.gateway.records("anomaly")], [])
        return {one["mptcp"]["id"]: one["mptcp"] for one in self.gateway.records("mptcp")}  # of those that went on the last one

    def test_a_restart_that_fails_closed_ends_no_connection(self):
        records = self.stopped_in_the_middle(lambda: self.assertEqual(self.gateway.end()[0], 0))
        self.assertEqual(len(records), MANY)
        for one in records.values():
            self.assertGreaterEqual(one["bytes_toserver"], SIZE)
            self.assertEqual((one["gap_bytes_toserver"], one["visibility"]), (0, 1))

    def test_a_kill_that_fails_closed_ends_no_connection(self):
        def kill():
            self.gateway.process.kill()
            self.gateway.process.wait()
        self.stopped_in_the_middle(kill)

    def test_a_damaged_state_is_told_of_and_begun_without(self):
        self.start("open", state=True)
        self.assertEqual(self.gateway.end()[0], 0)
        self.state.write_bytes(self.state.read_bytes()[:-1] + b"\xff")
        self.gateway.start()
        self.assertIn(f"weir: {self.state}: is damaged (begins without running connections; the file will be written anew)", self.gateway.errors.read_text())
        self.done(self.transfers(3))

    def test_folders_that_are_there_or_not(self):
        """Nothing is named in the configuration: the log is where the sensor's is, the state and the socket where CONTRACT.md says; what is missing is said."""
        lab = self.enterContext(network.Network("one-path"))
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        config, there, errors = folder / "weir.yaml", folder / "log", folder / "errors"
        config.write_text("web: {listen: 'off'}\nsensor: {user: root}\npolicy: {default: {action: allow}}\n")
        program = [live_sensor.WEIR, "gateway", "--config", str(config)]

        def run(*mounts):
            """In a mount namespace of its own, as `ip netns exec` makes one."""
            before = " && ".join(["mount -t tmpfs none /var/lib", "mount -t tmpfs none /run", *mounts])
            with open(errors, "w") as said:
                process = lab.start(lab.router, "sh", "-c", f'{before} && exec "$@"', "sh", *program, stderr=said)
            wait_for(lambda: process.poll() is not None or "weir: ready" in errors.read_text(), "it runs")
            process.send_signal(signal.SIGTERM)
            return process.wait(timeout=10), errors.read_text()

        status, said = run("mount -t tmpfs none /var/log")
        self.assertEqual(status, 0, said)
        for text in ("/var/log/weir/eve.json: cannot be written: nothing is logged", "/var/lib/weir/gateway.state: No such file or directory; without it running "
                     "connections do not outlive a restart", "/run/weir/gateway.sock: No such file or directory (goes on without control"):
            self.assertIn(text, said)
        (there / "weir").mkdir(parents=True)
        status, said = run(f"mount --bind {there} /var/log", "mkdir /var/lib/weir /run/weir")
        self.assertEqual((status, said), (0, "weir: ready\n"))
        self.assertIn('"event_type":"stats"', (there / "weir" / "eve.json").read_text())

    def test_no_subflow_of_a_blocked_connection_passes_without_the_gateway(self):
        self.start("open", rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n')
        with Host(1) as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, (self.lab.target(), PORT), 2)
            connection.fastclose = lambda: None  # one that does not give in
            plan.perform(connection, [plan.Step(text="hello ", wait=True), plan.Step(subflow=1, text="there ", wait=True),
                                      *plan.split(SIGNATURE, 1, start=12)])
            wait_for(lambda: self.gateway.records("alert"), "the alert")
            time.sleep(0.2)  # the kernel is told behind the verdicts: within one turn of the program
            self.gateway.process.kill()
            self.gateway.process.wait()
            before = self.lab.kernel_counters(self.lab.server)["TcpInSegs"]
            plan.perform(connection, [plan.Step(subflow=1, offset=12, text=SIGNATURE.decode())])
            host.pump(lambda: False, None, 2)
            self.assertEqual(self.lab.kernel_counters(self.lab.server)["TcpInSegs"], before)

    def test_a_match_marks_every_subflow(self):
        self.start("open", rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n')
        with Host(1) as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, (self.lab.target(), PORT), 2)
            plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 1, start=6)])
            wait_for(lambda: self.gateway.records("alert"), "the alert")
        self.gateway.end()
        told = self.gateway.last_stats()["gateway"]
        self.assertEqual((told["marks_set"], told["marks_failed"]), (2, 0))

    def test_a_strangers_syn_changes_nothing_of_plain_tcp(self):
        self.start("closed")
        with socket_between(self.lab) as (client, server):
            with namespaces.inside(self.lab.client), Host(1) as host:
                link, _ = host.link("p1")
                (local, local_port), (remote, remote_port) = client.getsockname(), client.getpeername()
                for flags in (0x01, 0x81):
                    link.send(Segment(local, local_port, remote, remote_port, 77, 0, SYN, 1000, o.mp_capable(1, flags)))
            wait_for(lambda: self.gateway.decisions(), "the SYN to be decided on")
            for _ in range(3):
                client.sendall(b"plain")
                self.assertEqual(server.recv(5), b"plain")
            self.gateway.process.kill()
            self.gateway.process.wait()
            client.sendall(b"plain")
            self.assertEqual(server.recv(5), b"plain")


@contextlib.contextmanager
def socket_between(lab):
    """Plain TCP through the router."""
    with namespaces.inside(lab.server):
        listener = socket.create_server((lab.target(), 7009))
    with namespaces.inside(lab.client):
        client = socket.create_connection((lab.target(), 7009), timeout=5)
    server = listener.accept()[0]
    server.settimeout(5)
    with listener, client, server:
        yield client, server


if __name__ == "__main__":
    live_sensor.main()

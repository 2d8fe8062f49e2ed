#!/usr/bin/env python3
"""What becomes of 50 transfers, and of what comes after, when the gateway is dead, stopped, full, without memory or without rules: as each fail mode says."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, OverSocket, half_way, wait_for

from lab import endpoint, namespaces
from lab.raw import plan
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT = 7000
MANY, SIZE = 50, 400_000
SIGNATURE = b"an unmistakable sign"
DROP = f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n'
HELD_UP = "weir: gateway.fail: closed: MPTCP is held up until the gateway runs"
STAY = "weir: the kernel's rules: those that are there stay as they are"
NONE = "weir: the kernel's rules: none of Weir's are installed: MPTCP passes"
LONG = 60


class Failing(unittest.TestCase):
    def begin(self, fail, more="", limits="", **how):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        self.state, self.rules = folder / "gateway.state", folder / "more.rules"
        self.gateway = Gateway(self.lab, folder, gateway=f"fail: {fail}, state: {self.state}{more}", more=limits, **how)

    def start(self, fail, more="", **how):
        self.begin(fail, more, **how)
        self.rules.write_text(DROP)
        self.gateway.start("--rules", str(self.rules))

    def transfers(self, many=MANY, size=SIZE, subflows=2):
        return self.lab.start(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(), str(PORT), str(many), str(size), str(subflows),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def under_way(self, many=MANY, subflows=2, going=MANY // 2):
        """50 transfers over two subflows each, half way; `going` of them are told to go on, the others wait for go_on()."""
        transfers = half_way(self.lab, PORT, many, SIZE, subflows)
        self.go_on(transfers, going)
        return transfers

    @staticmethod
    def go_on(transfers, many=MANY):
        transfers.stdin.write("\n" * many)
        transfers.stdin.flush()

    def done(self, transfers):
        """Octet by octet."""
        out, said = transfers.communicate(timeout=LONG)
        self.assertEqual((out.strip(), said), ("done", ""))

    def counted(self, host, name):
        return self.lab.kernel_counters(host)[name]

    def still(self, transfers):
        """Nothing comes to the server any more, though the client tries; and they have not ended."""
        def unchanged():
            before, sent = self.counted(self.lab.server, "TcpInSegs"), self.counted(self.lab.client, "TcpRetransSegs")
            wait_for(lambda: self.counted(self.lab.client, "TcpRetransSegs") > sent, "the client to try again")
            return self.counted(self.lab.server, "TcpInSegs") == before
        wait_for(unchanged, "all to stand still", LONG)
        self.assertIsNone(transfers.poll())

    def in_kernel(self):
        return self.lab.run(self.lab.router, "iptables", "-t", "mangle", "-S", capture_output=True, text=True).stdout

    def plain_tcp_passes(self):
        said = self.lab.run(self.lab.client, sys.executable, "-c", f"import socket; socket.create_connection(('{self.lab.target()}', {PORT}), timeout=20).close(); print('passes')",
                            capture_output=True, text=True, check=False)
        self.assertEqual(said.stdout, "passes\n", said.stderr)

    def held_up(self):
        """A transfer whose SYN does not get to the server, though it is sent again."""
        before, sent = self.counted(self.lab.server, "MPTcpExtMPCapableSYNRX"), self.counted(self.lab.client, "TcpExtTCPSynRetrans")
        transfer = self.transfers(1, 10_000, 1)
        wait_for(lambda: self.counted(self.lab.client, "TcpExtTCPSynRetrans") > sent, "its SYN to be sent again")
        self.assertEqual(self.counted(self.lab.server, "MPTcpExtMPCapableSYNRX"), before)
        return transfer

    def drops_a_signature(self):
        alerts = len(self.gateway.records("alert"))
        with Host() as host:
            with namespaces.inside(self.lab.client):
                connection = endpoint.client(host, (self.lab.target(), PORT), 2)
            plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 2, start=6)])
            host.pump(lambda: connection.fastclosed, "MP_FASTCLOSE")
        wait_for(lambda: len(self.gateway.records("alert")) > alerts, "the alert")

    # -- the process is gone
    def test_killed_and_closed(self):
        # What passed since the state was last written is unseen to the next process: with unseen_path closed, that would end a connection.
        self.start("{dead: closed, queue: closed, memory: closed}")
        transfers = self.under_way()
        wait_for(lambda: self.state.exists() and self.state.stat().st_size > MANY * 100, "the state", LONG)
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.go_on(transfers)
        self.still(transfers)
        self.plain_tcp_passes()
        self.gateway.start()
        self.assertIn("running connections", self.gateway.errors.read_text())
        self.done(transfers)
        self.done(self.transfers(3))

    def test_restarted_and_closed(self):
        self.start("{dead: closed, queue: closed, memory: closed}")
        transfers = self.under_way()
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertIn(HELD_UP, self.gateway.errors.read_text())
        self.go_on(transfers)
        self.still(transfers)  # nothing goes by unseen meanwhile
        self.gateway.start()
        self.done(transfers)

    def test_reloaded_and_closed(self):
        self.start("closed")
        transfers = self.under_way()
        for number in range(1, 4):
            self.gateway.process.send_signal(signal.SIGHUP)
            wait_for(lambda number=number: self.gateway.errors.read_text().count("weir: reloaded") == number, "the reload")
        self.go_on(transfers)
        self.done(transfers)
        self.drops_a_signature()

    # -- what it needs is not there
    def without_rules(self, fail):
        self.begin(fail)
        self.gateway.start("--rules", str(self.rules), wait=False)
        self.assertEqual(self.gateway.process.wait(timeout=LONG), 2)
        self.assertIn(f"weir: {self.rules}: ", self.gateway.errors.read_text())

    def test_rules_that_fail_at_the_start_and_closed(self):
        self.without_rules("closed")
        self.assertIn(HELD_UP, self.gateway.errors.read_text())
        self.assertIn("WEIR", self.in_kernel())
        waiting = self.held_up()
        self.plain_tcp_passes()
        self.rules.write_text(DROP)
        self.gateway.start("--rules", str(self.rules))
        self.done(waiting)
        self.drops_a_signature()

    def test_a_file_without_rules_at_the_start_and_closed(self):
        self.begin("closed")
        self.rules.write_text("<html>no rules here</html>\n")
        self.gateway.start("--rules", str(self.rules), wait=False)
        self.assertEqual(self.gateway.process.wait(timeout=LONG), 2)
        said = self.gateway.errors.read_text()
        self.assertIn(f"weir: {self.rules}: is no rules file: no rule in 1 line", said)
        self.assertIn(HELD_UP, said)
        self.held_up()

    def test_rules_that_fail_at_the_start_and_open(self):
        self.without_rules("open")
        self.assertNotIn("WEIR", self.in_kernel())
        self.done(self.transfers(3))

    def policy_that_fails(self, fail):
        """Names that the policy asks for are not there: as with rules."""
        self.begin(fail, policy="  default: {action: inspect}\n  rules: [{name: by-name, match: {category: [finance]}, action: strip}]", limits="categories: {finance: /nowhere/at/all}")
        self.gateway.start(wait=False)
        self.assertEqual(self.gateway.process.wait(timeout=LONG), 2)

    def test_a_policy_that_fails_to_load_and_closed(self):
        self.policy_that_fails("closed")
        self.assertIn(HELD_UP, self.gateway.errors.read_text())
        self.assertIn("WEIR", self.in_kernel())
        waiting = self.held_up()
        self.gateway.write(gateway="fail: closed")
        self.gateway.start()
        self.done(waiting)

    def test_a_policy_that_fails_to_load_and_open(self):
        self.policy_that_fails("open")
        self.assertNotIn("WEIR", self.in_kernel())
        self.done(self.transfers(3))

    # -- its configuration has errors
    def cannot_begin(self, text=None):
        """What it says then."""
        if text is not None:
            self.gateway.config.write_text(text)
        self.gateway.start(wait=False)
        self.assertEqual(self.gateway.process.wait(timeout=LONG), 2)
        return self.gateway.errors.read_text()

    def broken(self, fail, error):
        return f"gateway: {{fail: {fail}, interfaces: [c1, c2], state: '', control: {{socket: ''}}}}\nweb: {{listen: 'off'}}\n{error}\n"

    def test_errors_anywhere_else_in_the_configuration_and_closed(self):
        """All is known by which traffic is held up, so it is."""
        self.begin("closed")
        policy = "policy: {{rules: [{{match: {{{}}}, action: {}}}]}}"
        for error in (policy.format("port: 1", "stripp"), policy.format("category: [nowhere]", "reset"), "polcy: {}", "limits: {idle_seconds: never}", "nat: [{inside: x}]", "vars: {HOME_NET: []}",
                      "sensor: {user: [a]}", "categories: {a: }"):
            with self.subTest(error):
                self.assertIn(HELD_UP, self.cannot_begin(self.broken("closed", error)))
                self.assertIn("-A WEIR-FORWARD -i c2 -g WEIR-JUDGE", self.in_kernel())
                self.assertNotIn("WEIR-QUEUE -j NFQUEUE --queue-num 8384 --queue-bypass", self.in_kernel())
                self.lab.run(self.lab.router, "iptables", "-t", "mangle", "-F", "WEIR-FORWARD")
        self.cannot_begin()
        waiting = self.held_up()
        self.plain_tcp_passes()
        self.gateway.write(gateway="fail: closed")
        self.gateway.start()
        self.done(waiting)
        standing = self.in_kernel()
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertIn(STAY, self.cannot_begin("gateway: {fail: [}"))  # nothing at all is known: what holds goes on
        self.assertIn(STAY, self.cannot_begin(self.broken("open", policy.format("port: 1", "stripp"))))
        self.assertEqual(self.in_kernel(), standing)
        self.held_up()

    def test_errors_by_which_no_one_knows_what_to_hold_up(self):
        self.begin("closed")
        for text in ("gateway: {fail: [}", "- fail", "gateway: {fail: closedd}", "gateway: {fail: closed, interfacess: [c1]}", "gateway: {fail: closed, queues: 0}", "gatewy: {fail: closed}",
                     "gateway: {fail: closed}\ngateway: {fail: closed}", self.broken("open", "limits: {idle_seconds: never}")):
            with self.subTest(text):
                self.assertIn(NONE, self.cannot_begin(text))
                self.assertNotIn("WEIR", self.in_kernel())
        self.gateway.config.unlink()
        self.assertIn(NONE, self.cannot_begin())
        self.done(self.transfers(3))

    def test_a_second_gateway(self):
        """It does not take the first one's rules, whatever its own configuration says."""
        self.start("open")
        standing = self.in_kernel()
        (other := self.gateway.folder / "other").mkdir()
        second = Gateway(self.lab, other, gateway="fail: closed, interfaces: [c1]").start(wait=False)
        self.assertEqual(second.process.wait(timeout=LONG), 1)
        said = second.errors.read_text()
        self.assertIn("weir: queue 8384: cannot be had: another process has it (a gateway that runs already?", said)
        self.assertIn(STAY, said)
        self.assertEqual(self.in_kernel(), standing)
        self.done(self.transfers(3))
        self.drops_a_signature()

    def test_a_second_gateway_with_other_queues(self):
        """Whether it could begin or not: the first one's traffic does not go where no one reads."""
        self.start("closed")
        standing = self.in_kernel()
        (other := self.gateway.folder / "other").mkdir()
        second = Gateway(self.lab, other, gateway="fail: closed, first_queue: 40")
        for status, options in ((2, ("--rules", str(other / "nowhere.rules"))), (1, ())):
            with self.subTest(options=options):
                self.assertEqual(second.start(*options, wait=False).process.wait(timeout=LONG), status)
                self.assertIn(f"{STAY} (another process reads the queue that they lead to)", second.errors.read_text())
                self.assertNotIn(HELD_UP, second.errors.read_text())
                self.assertEqual(self.in_kernel(), standing)
        self.done(self.transfers(3))
        self.drops_a_signature()

    def test_a_queue_that_another_program_reads_and_closed(self):
        self.begin("closed")
        other = Gateway(self.lab, self.gateway.folder, gateway="fail: open")
        other.start()
        self.lab.run(self.lab.router, "nft", "flush", "ruleset")  # its queue is left, as another program's would be
        other.process.send_signal(signal.SIGSTOP)
        self.gateway.write(gateway="fail: closed")
        self.gateway.start(wait=False)
        self.assertEqual(self.gateway.process.wait(timeout=LONG), 1)
        self.assertIn(HELD_UP, self.gateway.errors.read_text())
        self.held_up()
        self.plain_tcp_passes()
        other.process.kill()
        other.process.wait()

    # -- its rules are taken away
    def flush(self):
        self.lab.run(self.lab.router, "nft", "flush", "ruleset")
        self.assertNotIn("WEIR", self.in_kernel())

    def keeper(self):
        """The process that puts rules into the kernel."""
        children = pathlib.Path(f"/proc/{self.gateway.process.pid}/task/{self.gateway.process.pid}/children").read_text().split()
        return next(int(child) for child in children if pathlib.Path(f"/proc/{child}/comm").read_text() == "weir-rules\n")

    def test_rules_that_are_taken_away_right_before_the_end_and_closed(self):
        self.start("closed")
        self.done(self.transfers(3))
        self.flush()
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertIn(HELD_UP, self.gateway.errors.read_text())
        self.assertIn("-A FORWARD -j WEIR-FORWARD", self.in_kernel())
        self.held_up()
        self.plain_tcp_passes()

    def ends_without_a_keeper(self, fail):
        """What it says, and how: it answers until the end, and waits no longer than it must."""
        self.start(fail)
        self.done(self.transfers(3))
        keeper = self.keeper()
        os.kill(keeper, signal.SIGSTOP)
        try:
            self.assertEqual(self.gateway.end()[0], 1)
            said = self.gateway.errors.read_text()
            self.assertIn("weir: the kernel's rules: the process that keeps them does not answer", said)
            self.assertNotIn(HELD_UP, said)
            self.assertTrue(self.state.exists())
        finally:
            os.kill(keeper, signal.SIGCONT)

    def test_a_keeper_that_does_not_answer_and_closed(self):
        self.ends_without_a_keeper("closed")

    def test_a_keeper_that_does_not_answer_and_open(self):
        self.ends_without_a_keeper("open")
        wait_for(lambda: "WEIR" not in self.in_kernel(), "what was asked to be done")

    def problems_of_one_that_runs(self):
        """What its status tells of them, whenever it is asked."""
        control = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "control"
        self.begin("closed", f", control: {{socket: {control}}}")
        self.gateway.start()

        def problems():
            with contextlib.closing(OverSocket(control)) as connection:
                connection.request("GET", "/api/v1/status")
                return json.loads(connection.getresponse().read())["problems"]
        self.assertEqual(problems(), [])
        return problems

    def test_a_keeper_that_does_not_answer_for_some_time(self):
        """All else goes on."""
        problems = self.problems_of_one_that_runs()
        keeper = self.keeper()
        os.kill(keeper, signal.SIGSTOP)
        try:
            wait_for(lambda: any("the process that keeps them does not answer" in one for one in problems()), "the problem", 40)
            self.done(self.transfers(3))
        finally:
            os.kill(keeper, signal.SIGCONT)
        wait_for(lambda: not problems(), "its answer", 40)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertEqual(self.gateway.last_stats()["gateway"]["rules_restored"], 0)

    def test_rules_that_cannot_be_put_back(self):
        """Said once, told in the status for as long as it lasts, and counted when they are there again."""
        problems = self.problems_of_one_that_runs()
        self.flush()
        self.lab.run(self.lab.router, "nft", "-f", "-", input="table ip mangle { chain FORWARD { type filter hook forward priority 5; meta l4proto gre log group 3; }; }", text=True)
        wait_for(lambda: any("the kernel's rules: " in one for one in problems()), "the problem", 30)
        (trouble,) = problems()
        self.assertEqual(self.gateway.errors.read_text().count(f"weir: {trouble}"), 1)
        self.lab.run(self.lab.router, "nft", "delete", "table", "ip", "mangle")
        wait_for(lambda: not problems(), "the rules", 30)
        self.assertIn("-A FORWARD -j WEIR-FORWARD", self.in_kernel())
        self.assertEqual(self.gateway.errors.read_text().count(f"weir: {trouble}"), 1)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertEqual(self.gateway.last_stats()["gateway"]["rules_restored"], 1)

    # -- rules that fail to load while it runs
    def rules_that_fail(self, fail):
        self.start(fail)
        transfers = self.under_way()
        self.rules.unlink()
        self.gateway.process.send_signal(signal.SIGHUP)
        wait_for(lambda: f"weir: {self.rules}: " in self.gateway.errors.read_text(), "the error")
        self.go_on(transfers)
        self.done(transfers)
        self.assertNotIn("weir: reloaded", self.gateway.errors.read_text())
        self.drops_a_signature()  # as those say that it had before
        self.assertEqual(self.gateway.end()[0], 0)

    def test_rules_that_fail_at_a_reload_and_open(self):
        self.rules_that_fail("open")

    def test_rules_that_fail_at_a_reload_and_closed(self):
        self.rules_that_fail("closed")

    # -- the queue is full
    def full(self, fail):
        """The queue is made small once all are half way, and nothing takes packets out of it."""
        self.start(fail)
        transfers = self.under_way(going=0)
        self.assertEqual(self.gateway.end()[0], 0)
        self.gateway.write(gateway=f"fail: {fail}, state: {self.state}, queue_packets: 32")
        self.gateway.start()
        self.gateway.process.send_signal(signal.SIGSTOP)
        self.go_on(transfers)
        return transfers

    def test_a_full_queue_and_open(self):
        transfers = self.full("open")
        self.done(transfers)  # while it stands still
        self.gateway.process.send_signal(signal.SIGCONT)
        self.done(self.transfers(3))
        self.assertEqual(self.gateway.end()[0], 0)

    def test_a_full_queue_and_closed(self):
        transfers = self.full("{dead: closed, queue: closed, memory: closed}")
        self.still(transfers)
        wait_for(lambda: self.queues(5), "the queue to be full", LONG)
        self.plain_tcp_passes()
        self.gateway.process.send_signal(signal.SIGCONT)
        self.done(transfers)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertGreater(self.gateway.last_stats()["gateway"]["queue"]["full"], 0)

    # -- memory
    def beyond_the_limit_of_subflows(self, fail):
        self.start(fail, limits="limits: {max_subflows: 1}")
        transfers = self.under_way(4, 1, going=0)
        wait_for(lambda: self.counted(self.lab.client, "MPTcpExtMPJoinSynTx"), "a JOIN", LONG)
        if fail == "open":
            wait_for(lambda: self.counted(self.lab.server, "MPTcpExtMPJoinAckRx"), "a JOIN to be taken", LONG)
        self.go_on(transfers)
        self.done(transfers)
        self.assertEqual(self.counted(self.lab.server, "MPTcpExtMPJoinAckRx") > 0, fail == "open")
        self.assertEqual(self.gateway.end()[0], 0)
        told = self.gateway.last_stats()["gateway"]
        self.assertGreater(told["refused"]["subflows"], 0)
        self.assertEqual(told["unfollowed"] > 0, fail == "open")

    def test_subflows_beyond_the_limit_and_open(self):
        self.beyond_the_limit_of_subflows("open")

    def test_subflows_beyond_the_limit_and_closed(self):
        self.beyond_the_limit_of_subflows("closed")

    def queues(self, column):
        """Of the kernel's queues: 2: packets that wait, 5: that were lost as there was no room."""
        said = self.lab.run(self.lab.router, "cat", "/proc/net/netfilter/nfnetlink_queue", capture_output=True, text=True).stdout
        return sum(int(line.split()[column]) for line in said.splitlines())

    def beyond_the_limit_of_memory(self, fail):
        """What came while it stood still is judged at once: more than it may hold."""
        self.start(fail, limits="limits: {memory_bytes: 1048576}")
        transfers = self.under_way()
        self.gateway.process.send_signal(signal.SIGSTOP)
        self.go_on(transfers)
        wait_for(lambda: self.queues(2) >= 2 * MANY, "packets to wait", LONG)
        self.gateway.process.send_signal(signal.SIGCONT)
        self.done(transfers)
        self.assertEqual(self.gateway.end()[0], 0)
        told = self.gateway.last_stats()["gateway"]
        self.assertGreater(told["refused"]["memory"], 0)
        self.assertEqual(told["unfollowed"] > 0, fail == "open")
        self.assertEqual(any("there is no room to follow it: memory" in one["reason"] for one in self.gateway.decisions()), fail == "open")

    def test_memory_beyond_the_limit_and_open(self):
        self.beyond_the_limit_of_memory("open")

    def test_memory_beyond_the_limit_and_closed(self):
        self.beyond_the_limit_of_memory("closed")


if __name__ == "__main__":
    live_sensor.main()

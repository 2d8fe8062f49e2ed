#!/usr/bin/env python3
"""`weir gateway` beside others' rules and NAT: theirs stay as they are, whatever it does, and what it sends in a host's name gets there through their NAT."""
import contextlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
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
NETWORKS = ("nat-masquerade", "nat-one-to-one", "nat-port-forward")
SIGNATURE = b"an unmistakable sign"

OTHERS_NFT = """
table inet other {
  set admins { type ipv4_addr; elements = { 192.0.2.1 } }
  chain forward { type filter hook forward priority -160; tcp dport 22 ip saddr @admins accept; tcp dport 23 drop; }
  chain after { type filter hook forward priority 10; ct state invalid counter drop; }
}
"""
# Beside a port that is forwarded, what goes to the server gets the router's address: conntrack knows neither host's packets as they are forwarded.
BOTH = "".join(f'table {ip} both {{\n chain after {{\n type nat hook postrouting priority 90\n oifname "s*" masquerade\n }}\n}}\n' for ip in ("ip", "ip6"))
OTHERS_IPTABLES = ("-t raw -A OUTPUT -p tcp --dport 9 -j ACCEPT", "-t mangle -N OTHER", "-t mangle -A OTHER -p tcp --dport 443 -j MARK --set-xmark 0x1/0xff", "-t mangle -A FORWARD -j OTHER",
                   "-t mangle -A FORWARD -p tcp --dport 25 -j ACCEPT", "-t mangle -A POSTROUTING -o lo -j ACCEPT", "-A FORWARD -p tcp --dport 23 -j DROP",
                   "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT", "-A FORWARD -j ACCEPT")


class BesideOthers(unittest.TestCase):
    @contextlib.contextmanager
    def on(self, name, **how):
        """A network with rules of others, and a gateway that is not started yet."""
        with network.Network(name) as self.lab, tempfile.TemporaryDirectory() as folder:
            self.prepare(folder, **how)
            yield

    def prepare(self, folder, **how):
        self.assertEqual(self.lab.hosts[self.lab.described.box], self.lab.router)
        for tables in ("iptables", "ip6tables"):
            for rule in OTHERS_IPTABLES:
                self.lab.run(self.lab.router, tables, *rule.split())
        self.lab.run(self.lab.router, "nft", "-f", "-", input=OTHERS_NFT, text=True)
        self.before = self.rules()
        self.gateway = Gateway(self.lab, folder, **how)

    def rules(self):
        """All of the router's rules, without counts and without Weir's."""
        text = ""
        for command in ("iptables-save", "ip6tables-save"):
            text += self.lab.run(self.lab.router, command, capture_output=True, text=True).stdout
        kept = [re.sub(r"\[\d+:\d+\]", "", line) for line in text.splitlines() if "WEIR-" not in line and not line.startswith("#")]
        tables = self.lab.run(self.lab.router, "nft", "list", "tables", capture_output=True, text=True).stdout.split("\n")
        for table in tables:
            if not table or " weir" in table or table.endswith(("mangle", "filter", "raw")) and "inet" not in table:
                continue  # iptables' own: above
            listed = self.lab.run(self.lab.router, "nft", "list", *table.split(), capture_output=True, text=True).stdout
            kept.append(re.sub(r"packets \d+ bytes \d+", "", listed))
        return "\n".join(kept)

    def weirs(self):
        return "WEIR-" in self.lab.run(self.lab.router, "iptables-save", capture_output=True, text=True).stdout

    def test_rules_of_others_stay(self):
        self.enterContext(self.on("nat-masquerade"))
        self.assertFalse(self.weirs())
        self.gateway.start()
        self.assertTrue(self.weirs())
        self.assertEqual(self.rules(), self.before, "started")
        self.gateway.process.send_signal(signal.SIGHUP)
        self.gateway.said("weir: reloaded")
        self.assertEqual(self.rules(), self.before, "reloaded")
        self.gateway.process.kill()
        self.gateway.process.wait()
        self.assertEqual(self.rules(), self.before, "killed")
        self.gateway.start()
        self.assertEqual(self.rules(), self.before, "started again")
        jumps = [line for line in self.lab.run(self.lab.router, "iptables-save", capture_output=True, text=True).stdout.splitlines() if line.endswith("-j WEIR-FORWARD")]
        self.assertEqual(len(jumps), 1)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertEqual(self.rules(), self.before, "ended")
        self.assertFalse(self.weirs())

    def test_rules_that_someone_takes_away_come_back(self):
        with self.on("nat-masquerade", more="nat:\n  - pool: {outside: [192.0.2.77], ports: 20000-20099}"):
            self.gateway.start()
            tables = ("ip mangle", "ip6 mangle", "ip raw", "ip6 raw", "inet weir_reset", "inet weir_nat")
            self.assertEqual([one for one in tables if one not in self.tables()], [])
            self.lab.run(self.lab.router, "nft", "flush", "ruleset")
            self.assertFalse(self.weirs())
            wait_for(self.weirs, "the rules", 30)
            wait_for(lambda: "someone has taken them away" in self.gateway.errors.read_text(), "what it says of it")
            self.assertEqual([one for one in tables if one not in self.tables()], [])
            self.assertEqual(self.gateway.end()[0], 0)
            self.assertFalse(self.weirs())
            self.assertEqual(self.gateway.last_stats()["gateway"]["rules_restored"], 1)

    def tables(self):
        return [line.removeprefix("table ") for line in self.lab.run(self.lab.router, "nft", "list", "tables", capture_output=True, text=True).stdout.splitlines()]

    def test_a_refused_join_is_told_through_nat(self):
        for name in NETWORKS:
            with self.subTest(name), self.on(name, policy="  default: {action: inspect, limits: {subflows: 1}}"):
                self.gateway.start()
                talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(TALK), stdout=subprocess.PIPE, text=True)
                self.assertEqual(talk.stdout.readline(), "listening\n")
                for family in (4, 6):
                    failed = self.lab.kernel_counters(self.lab.client)["TcpAttemptFails"]
                    sender = self.lab.start(self.lab.client, sys.executable, str(LAB / "talk.py"), "pause", self.lab.target(1, family), str(TALK), "1000000",
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                    self.assertEqual(sender.stdout.readline(), "half\n")
                    wait_for(lambda: self.lab.kernel_counters(self.lab.client)["TcpAttemptFails"] > failed, f"the reset at the client, IPv{family}")  # noqa: B023
                    self.assertEqual(sender.communicate("\n", timeout=30), ("done\n", None))
                self.assertEqual(self.lab.kernel_counters(self.lab.server)["MPTcpExtMPJoinSynRx"], 0)
                self.gateway.end()
                self.assertEqual(self.rules(), self.before)

    def test_a_connection_that_is_ended_ends_at_both_through_nat(self):
        for name, more, family in (*((each, "", 4) for each in NETWORKS), ("nat-port-forward", BOTH, 4), ("nat-port-forward", BOTH, 6)):
            with self.subTest(name, both=bool(more), family=family), self.on(name, rules=f'drop tcp any any -> any any (msg:"cut"; content:"{SIGNATURE.decode()}"; sid:7;)\n'):
                self.lab.run(self.lab.router, "nft", "-f", "-", input=more, text=True)
                self.gateway.start()
                receiver = self.lab.start(self.lab.server, sys.executable, str(HERE / "receiver.py"), str(PORT), stdout=subprocess.PIPE, text=True)
                self.assertEqual(receiver.stdout.readline(), "listening\n")
                with Host(1) as host:
                    with namespaces.inside(self.lab.client):
                        connection = endpoint.client(host, (self.lab.target(1, family), PORT), 2)
                    plan.perform(connection, [plan.Step(text="hello ", wait=True), *plan.split(SIGNATURE, 2, start=6)])
                    host.pump(lambda: connection.fastclosed or not connection.alive(), "the client to see the end", 8)
                    self.assertTrue(connection.fastclosed, "MP_FASTCLOSE with the client's key")
                while "how" not in (told := json.loads(receiver.stdout.readline())):
                    pass
                self.assertNotEqual(told["how"], "eof")
                self.assertNotIn(SIGNATURE.decode(), told["end"])


if __name__ == "__main__":
    live_sensor.main()

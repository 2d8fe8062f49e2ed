#!/usr/bin/env python3
"""A server with private addresses behind the NAT of `weir gateway`: its second address reaches the client as an outside one, and the client joins it."""
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import live_gateway
import live_sensor
import network
from lab import addresses, description, namespaces
from live_gateway import wait_for
from talk import wait_for_subflows

PORT, LISTENER = 8000, 7777
RETRANSMIT_SECONDS = 1


def outside(path, family):
    return f"203.0.113.{path}" if family == 4 else f"2001:db8:113::{path}"


class Monitor:
    """What the client's kernel says of addresses: `ip mptcp monitor`."""

    def __init__(self, lab):
        self.file = tempfile.NamedTemporaryFile("r", suffix=".monitor")
        with open(self.file.name, "w") as out:
            self.process = lab.start(lab.client, "stdbuf", "-oL", "ip", "mptcp", "monitor", stdout=out)
        wait_for(self.listens, "ip mptcp monitor")

    def listens(self):
        """It says nothing when it does; a generic netlink socket (16) with groups is in its namespace then."""
        with open(f"/proc/{self.process.pid}/net/netlink") as sockets:
            return any(fields[1] == "16" and int(fields[3], 16) for fields in map(str.split, list(sockets)[1:]))

    def announced(self, number=0):
        """(address, port) of each ADD_ADDR that came, once there are so many; one that tells no port means the connection's."""
        with contextlib.suppress(AssertionError):  # who asked says what is missing
            wait_for(lambda: len(self._announced()) >= number, "ip mptcp monitor to tell")
        return self._announced()

    def _announced(self):
        with open(self.file.name) as said:
            lines = [line for line in said if "ANNOUNCED" in line]
        return [(re.search(r"daddr[46]=(\S+)", line)[1], int(re.search(r"dport=(\d+)", line)[1])) for line in lines]


class Case:
    """A network, a gateway on its router, and one connection over it."""

    def __init__(self, family, config, forward=False):
        self.family, self.config, self.forward = family, config, forward

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        try:
            return self._enter()
        except BaseException:
            self.stack.close()
            raise

    def __exit__(self, *_):
        self.stack.close()

    def _enter(self):
        name = {4: "ipv4", 6: "ipv6"}[self.family]
        described = description.of({"families": [name], "path": [{}, {}]})
        self.lab = lab = self.stack.enter_context(network.Network(described))
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        inner = [addresses.net(path, addresses.SERVER_SIDE, self.family) for path in (1, 2)]
        for net in inner:  # an inside address is of no use to the client
            lab.run(lab.client, "ip", f"-{self.family}", "route", "replace", "blackhole", net)
        lab.run(lab.client, "ip", "mptcp", "endpoint", "flush")
        lab.set(lab.server, "net.mptcp.add_addr_timeout", RETRANSMIT_SECONDS)
        for host, interface in ((lab.server, "p1"), (lab.router, "s1")):  # a path that is full leaves something to the other one
            lab.run(host, "tc", "qdisc", "add", "dev", interface, "root", "tbf", "rate", "100mbit", "burst", "64k", "latency", "20ms")
        if self.forward:
            ip = {4: "ip", 6: "ip6"}[self.family]
            rule = f"{ip} daddr {outside(1, self.family)} tcp dport {PORT} dnat to {addresses.server(1, self.family)}"
            lab.run(lab.router, "nft", "-f", "-", input=f"table {ip} admin {{ chain before {{ type nat hook prerouting priority -100;\n{rule}\n}}\n}}", text=True)
        inside = ", ".join(f'"{net}"' for net in inner)
        self.keys = f"inside: [{inside}]"
        self.gateway = live_gateway.Gateway(lab, folder, gateway=self.keys, more=self.config)
        self.gateway.start()
        self.monitor = Monitor(lab)
        self.listener = None
        return self

    def reload(self, config, says="weir: reloaded"):
        """With this for nat; what the gateway says to it, once more than before."""
        before = self.gateway.errors.read_text().count(says)
        self.gateway.write(gateway=self.keys, more=config)
        self.gateway.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.gateway.errors.read_text().count(says) > before, says)

    def offer(self, *flags):
        self.lab.run(self.lab.server, "ip", "mptcp", "endpoint", "add", addresses.server(2, self.family), "dev", "p2", "id", "2", *(flags or ("signal",)))

    def connect(self):
        kind = socket.AF_INET if self.family == 4 else socket.AF_INET6
        if self.listener is None:
            with namespaces.inside(self.lab.server):
                self.listener = listener = self.stack.enter_context(socket.socket(kind, socket.SOCK_STREAM, network.MPTCP))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("" if self.family == 4 else "::", PORT))
            listener.listen()
            listener.settimeout(20)
        with namespaces.inside(self.lab.client):
            client = self.stack.enter_context(socket.socket(kind, socket.SOCK_STREAM, network.MPTCP))
            client.settimeout(20)
            client.connect((outside(1, self.family), PORT))
        server, _ = self.listener.accept()
        self.stack.enter_context(server)
        server.settimeout(20)
        return client, server

    def exchange(self, client, server, size=4 << 20):
        """So many octets each way, equal at the other end."""
        for one, other in ((client, server), (server, client)):
            data, got = os.urandom(size), hashlib.sha256()

            def receive():
                left = size
                while left > 0 and (piece := other.recv(min(left, 1 << 16))):
                    got.update(piece)
                    left -= len(piece)

            receiver = threading.Thread(target=receive)
            receiver.start()
            one.sendall(data)
            receiver.join(30)
            assert got.hexdigest() == hashlib.sha256(data).hexdigest()

    def bytes_on(self, interface):
        with namespaces.inside(self.lab.router):
            said = subprocess.run(["ip", "-s", "-j", "link", "show", "dev", interface], check=True, capture_output=True, text=True).stdout
        counted = json.loads(said)[0]["stats64"]
        return counted["rx"]["bytes"], counted["tx"]["bytes"]

    def nat(self, what="table"):
        return self.lab.run(self.lab.router, "nft", "list", *what.split(), "inet", "weir_nat", check=False, capture_output=True, text=True).stdout

    def counter(self, namespace, name):
        return self.lab.kernel_counters(namespace)[name]


STATIC = {family: f'nat: [{{inside: "{addresses.server(1, family)}", outside: "{outside(1, family)}"}},'
                  f' {{inside: "{addresses.server(2, family)}", outside: "{outside(2, family)}"}}]' for family in (4, 6)}
POOL = {family: f'nat: [{{pool: {{outside: ["{outside(2, family)}"], ports: 20000-20009}}}}]' for family in (4, 6)}
WHOLE = {family: f'nat: [{{pool: {{outside: ["{outside(2, family)}"], ports: 1-65535}}}}]' for family in (4, 6)}


class GatewayNat(unittest.TestCase):
    def joins(self, family, config, told, flags=(), forward=False):
        """The whole story: offered, told as `told`, echoed, joined, used, withdrawn."""
        with Case(family, config, forward) as case:
            lab = case.lab
            case.offer("signal", *flags)
            client, server = case.connect()
            client.sendall(b"hello")
            self.assertEqual(server.recv(5), b"hello")
            wait_for_subflows(client, 2)
            self.assertEqual(case.monitor.announced(1), [told])
            before = case.bytes_on("s2")
            for _ in range(8):  # which subflow carries what is the scheduler's choice
                case.exchange(client, server)
                carried = [now - then for now, then in zip(case.bytes_on("s2"), before)]
                if min(carried) > 100_000:
                    break
            self.assertGreater(min(carried), 100_000, "both ways over the joined subflow")
            self.assertGreater(min(case.bytes_on("s1")), 100_000)

            # Were the echo not taken, the offer would come again and again.
            time.sleep(2.5 * RETRANSMIT_SECONDS)
            self.assertEqual(case.counter(lab.server, "MPTcpExtAddAddrTx"), 1)
            self.assertEqual(case.counter(lab.server, "MPTcpExtEchoAdd"), 1)
            self.assertEqual(case.counter(lab.server, "MPTcpExtMPJoinAckRx"), 1)
            for host in (lab.client, lab.server):
                self.assertEqual(case.counter(host, "MPTcpExtMPJoinAckHMacFailure"), 0)
            self.assertEqual([d["action"] for d in case.gateway.decisions() if d["action"] in ("translate", "drop")], ["translate"])

            lab.run(lab.server, "ip", "mptcp", "endpoint", "delete", "id", "2")
            wait_for(lambda: case.counter(lab.client, "MPTcpExtRmAddr") == 1, "REMOVE_ADDR at the client")
            wait_for(lambda: client.getsockopt(284, 1, 64)[0] == 0, "the end of the second subflow")
            case.exchange(client, server, 1 << 16)
            client.close()
            server.close()
            self.assertEqual(case.gateway.end()[0], 0)
            self.assertEqual(case.nat(), "", "the table goes with the gateway")

    def test_fixed_pair(self):
        self.joins(4, STATIC[4], (outside(2, 4), PORT))

    def test_fixed_pair_with_a_port(self):
        self.joins(4, STATIC[4], (outside(2, 4), LISTENER), ("port", str(LISTENER)))

    def test_fixed_pair_ipv6(self):
        self.joins(6, STATIC[6], (outside(2, 6), PORT))

    def test_pool_tells_a_port(self):
        self.joins(4, POOL[4], (outside(2, 4), 20000), forward=True)

    def test_pool_translates_a_port(self):
        self.joins(4, POOL[4], (outside(2, 4), 20000), ("port", str(LISTENER)), forward=True)

    def test_pool_ipv6_tells_a_port_beside_timestamps(self):
        self.joins(6, POOL[6], (outside(2, 6), 20000), forward=True)

    def test_pool_of_whole_addresses_needs_no_port(self):
        self.joins(6, WHOLE[6], (outside(2, 6), PORT), forward=True)

    def test_ipv6_with_a_port(self):
        """Without time stamps there is room for the server to tell one."""
        with Case(6, POOL[6], forward=True) as case:
            for host in (case.lab.server, case.lab.client):
                case.lab.set(host, "net.ipv4.tcp_timestamps", 0)
            case.offer("signal", "port", str(LISTENER))
            client, server = case.connect()
            client.sendall(b"hello")
            server.recv(5)
            wait_for_subflows(client, 2)
            self.assertEqual(case.monitor.announced(1), [(outside(2, 6), 20000)])
            case.exchange(client, server)
            time.sleep(2.5 * RETRANSMIT_SECONDS)
            self.assertEqual(case.counter(case.lab.server, "MPTcpExtAddAddrTx"), 1)

    def test_a_mapping_is_for_joins_only(self):
        with Case(4, POOL[4], forward=True) as case:
            case.offer()
            client, server = case.connect()
            client.sendall(b"hello")
            server.recv(5)
            wait_for_subflows(client, 2)
            self.assertIn(f"{outside(2, 4)} . 20000", case.nat("map").replace("\n", " ") or case.nat())
            with namespaces.inside(case.lab.client), socket.socket() as plain, self.assertRaises(OSError):
                plain.settimeout(1)
                plain.connect((outside(2, 4), 20000))

    def test_a_fixed_pairs_own_connections_come_from_outside(self):
        for family in (4, 6):
            with self.subTest(family=family), Case(family, STATIC[family]) as case:
                kind = socket.AF_INET if family == 4 else socket.AF_INET6
                with namespaces.inside(case.lab.client):
                    listener = case.stack.enter_context(socket.socket(kind, socket.SOCK_STREAM))
                    listener.bind((addresses.client(2, family), PORT))
                    listener.listen()
                    listener.settimeout(10)
                with namespaces.inside(case.lab.server):
                    own = case.stack.enter_context(socket.socket(kind, socket.SOCK_STREAM))
                    own.bind((addresses.server(2, family), 0))
                    own.connect((addresses.client(2, family), PORT))
                accepted, peer = listener.accept()
                case.stack.enter_context(accepted)
                self.assertEqual(peer[0], outside(2, family))

    def test_who_is_refused_is_told_by_the_outside_address(self):
        for family in (4, 6):
            with self.subTest(family=family), Case(family, STATIC[family]) as case:
                case.gateway.end()
                case.gateway.write("  default: {action: reset}", f'inside: ["{addresses.net(1, addresses.SERVER_SIDE, family)}"]', STATIC[family])
                case.gateway.start()
                with namespaces.inside(case.lab.client), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM, network.MPTCP) as client:
                    client.settimeout(5)
                    began = time.monotonic()
                    with self.assertRaises(ConnectionRefusedError):
                        client.connect((outside(1, family), PORT))
                    self.assertLess(time.monotonic() - began, 0.9, "a SYN without an answer comes again after 1 s")
                self.assertEqual(case.counter(case.lab.server, "MPTcpExtMPCapableSYNRX"), 0)

    def test_limits_drop_and_allow(self):
        """add_addr: drop takes the offer out, allow lets it pass as it is; no one joins."""
        for what, seen in (("drop", []), ("allow", [(addresses.server(2, 4), PORT)])):
            with self.subTest(add_addr=what), Case(4, STATIC[4]) as case:
                case.gateway.end()
                case.gateway.write(f"  default: {{action: inspect, limits: {{add_addr: {what}}}}}", "inside: [10.1.2.0/24, 10.2.2.0/24]", STATIC[4])
                case.gateway.start()
                case.offer()
                client, server = case.connect()
                client.sendall(b"hello")
                self.assertEqual(server.recv(5), b"hello")
                case.exchange(client, server, 1 << 16)
                time.sleep(0.5)
                self.assertEqual(case.monitor.announced()[:1], seen)
                self.assertEqual(case.counter(case.lab.server, "MPTcpExtMPJoinAckRx"), 0)
                client.close()
                server.close()
                case.gateway.end()
                told = [one for one in case.gateway.records("mptcp_policy") if one["mptcp_policy"]["action"] == "drop"]
                # Once, however often the kernel repeats it, and of the connection that it is about.
                self.assertEqual([one["mptcp_policy"]["reason"].partition(": ")[2] for one in told],
                                 [f"{addresses.server(2, 4)} is taken out: limits.add_addr"] if what == "drop" else [])
                self.assertLessEqual({one["mptcp"]["id"] for one in told}, {one["mptcp"]["id"] for one in case.gateway.records("mptcp")})
                self.assertEqual(case.gateway.last_stats()["gateway"]["add_addr_dropped"] > 0, what == "drop")

    def test_a_flushed_ruleset_comes_back_with_the_next_offer(self):
        with Case(4, POOL[4], forward=True) as case:
            admin = case.lab.run(case.lab.router, "nft", "list", "table", "ip", "admin", capture_output=True, text=True).stdout
            case.lab.run(case.lab.router, "nft", "delete", "table", "inet", "weir_nat")
            case.offer()
            client, server = case.connect()
            client.sendall(b"hello")
            server.recv(5)
            wait_for_subflows(client, 2)
            self.assertEqual(case.lab.run(case.lab.router, "nft", "list", "table", "ip", "admin", capture_output=True, text=True).stdout, admin)

    def joined(self, case, told):
        """A connection with a second subflow, whose address was told as this."""
        before = len(case.monitor.announced())
        client, server = case.connect()
        client.sendall(b"hello")
        self.assertEqual(server.recv(5), b"hello")
        wait_for_subflows(client, 2)
        self.assertEqual(case.monitor.announced(before + 1)[before:], [told])
        return client, server

    def test_a_reload_changes_it_and_what_runs_goes_on(self):
        with Case(4, POOL[4], forward=True) as case:
            case.offer()
            first = self.joined(case, (outside(2, 4), 20000))

            case.reload(STATIC[4])
            self.assertIn(f"{outside(2, 4)} . 20000", case.nat(), "its mapping stays")
            self.assertIn(f"{outside(2, 4)} : {addresses.server(2, 4)}", case.nat())
            case.exchange(*first)
            second = self.joined(case, (outside(2, 4), PORT))

            # What is wrong is said with its line, and changes nothing.
            table = re.sub(r"expires \S+", "", case.nat())
            pair = f'{{inside: "{addresses.server(1, 4)}", outside: "{outside(1, 4)}"}}'
            case.reload(f"nat:\n  - {pair}\n  - {pair}", f"weir: {case.gateway.config}:9: ")
            case.reload("nat: []\nlimits: {inspect_depth_bytes: 77777}", f"weir: {case.gateway.config}:8: limits.inspect_depth_bytes cannot change while the gateway runs")
            self.assertEqual(re.sub(r"expires \S+", "", case.nat()), table)
            third = self.joined(case, (outside(2, 4), PORT))

            case.reload("nat: []")
            self.assertNotIn(f"{outside(2, 4)} : {addresses.server(2, 4)}", case.nat())
            for one in (first, second, third):
                case.exchange(*one)
                self.assertEqual(one[0].getsockopt(284, 1, 64)[0], 1, "its second subflow lives")
            self.assertEqual(case.gateway.end()[0], 0)
            self.assertEqual(case.nat(), "")

    def test_policy_test_sees_what_the_gateway_sees(self):
        for family in (4, 6):
            with self.subTest(family=family), Case(family, STATIC[family]) as case:
                inside_it, outside_it = addresses.server(1, family), outside(1, family)
                rules = f'  rules:\n    - {{name: outside, match: {{server: ["{outside_it}"]}}, action: reset}}\n    - {{name: inside, match: {{server: ["{inside_it}"], direction: inbound}}, action: allow}}'
                case.gateway.write(rules, gateway=case.keys, more=case.config)
                case.gateway.process.send_signal(signal.SIGHUP)
                case.gateway.said("weir: reloaded")
                case.connect()
                wait_for(case.gateway.decisions, "the decision")
                foretold = case.lab.run(case.lab.router, live_sensor.WEIR, "policy", "test", "--json", "--client", addresses.client(1, family), "--server", outside_it, "--port", str(PORT),
                                        "--config", str(case.gateway.config), capture_output=True, text=True, check=True).stdout
                self.assertEqual((json.loads(foretold)["rule"], case.gateway.decisions()[0]["rule"]), ("inside", "inside"))

    def test_a_reload_begins_it(self):
        with Case(4, "", forward=True) as case:
            self.assertEqual(case.nat(), "")
            case.offer()
            case.reload(POOL[4])
            case.exchange(*self.joined(case, (outside(2, 4), 20000)))
            self.assertEqual(case.gateway.end()[0], 0)
            self.assertEqual(case.nat(), "", "the table goes with the gateway")


if __name__ == "__main__":
    live_gateway.main()

#!/usr/bin/env python3
"""What an operator asks of a running gateway by HTTP, and what no one else can."""
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for

from lab import endpoint, namespaces

LAB = pathlib.Path(endpoint.__file__).parent
PORT, REFUSED, SIZE = 7000, 7001, 400_000
WEB = ("127.0.0.1", 8384)
TOKEN = "a-token-of-the-test-0123456789"


class OverHttp(unittest.TestCase):
    """A gateway with control over HTTP between a client and a server."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        for port in (PORT, REFUSED):
            talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(port), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.assertEqual(talk.stdout.readline(), "listening\n")

    def start(self, token=TOKEN, mode=0o600, policy="", gateway="", state="''", more=""):
        file = self.folder / "token"
        file.write_text(token + "\n")
        file.chmod(mode)
        self.keys = f"control: {{socket: '', token_file: {file}}}, state: {state}" + (f", {gateway}" if gateway else "")
        self.gateway = Gateway(self.lab, self.folder, gateway=self.keys, policy=policy, more="web: {listen: '127.0.0.1:8384'}\n" + more).start()

    def web(self, method, path, head=None, body=None):
        with namespaces.inside(self.lab.router):
            connection = http.client.HTTPConnection(*WEB, timeout=20)
            connection.connect()
        connection.request(method, path, body=body, headers=head or {})
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return answer.status, said

    def ask(self, method, path, token=TOKEN):
        status, said = self.web(method, path, {"Authorization": f"Bearer {token}"} if token else {})
        return status, json.loads(said)

    def connections(self):
        status, said = self.ask("GET", "/api/v1/connections")
        self.assertEqual((status, said["after"]), (200, None))
        return said["connections"]

    def metrics(self):
        status, said = self.web("GET", "/metrics")
        self.assertEqual(status, 200)
        return {name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", said, re.M)}

    def half_way(self, number=1, subflows=2):
        """A transfer that waits for a line."""
        program = f"import sys; sys.path.insert(0, {str(LAB)!r}); import talk; talk.send({self.lab.target()!r}, {PORT}, [{number}], {SIZE}, {subflows}, True)"
        sender = self.lab.start(self.lab.client, sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(sender.stdout.readline(), "half\n")
        return sender

    def subflows(self, host):
        return self.lab.run(host, "ss", "-Htn", "state", "established", f"( sport = :{PORT} or dport = :{PORT} )", capture_output=True, text=True).stdout.splitlines()

    def send(self, port=PORT):
        sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(), str(port), "1", "10000", capture_output=True, text=True,
                            timeout=60, check=False)
        return sent.stderr or sent.stdout


class Http(OverHttp):
    def test_list_and_cut(self):
        self.start()
        first = self.half_way(1)
        wait_for(lambda: [[f["state"] for f in one["subflows"]] for one in self.connections()] == [["established"] * 2], "both subflows")
        one = self.connections()[0]
        self.assertEqual((one["action"], one["rule"], one["version"], one["blocked"]), ("inspect", "default", 1, False))
        self.assertEqual(self.ask("GET", f"/api/v1/connections/{one['id']}")[1]["subflows"][0]["server_port"], PORT)
        self.assertEqual(self.ask("GET", f"/api/v1/connections/{one['id'] + 1}")[0], 404)
        second = self.half_way(2)
        wait_for(lambda: len(self.connections()) == 2, "the other connection")
        status, page = self.ask("GET", "/api/v1/connections?limit=1")
        self.assertEqual((status, len(page["connections"]), page["after"]), (200, 1, one["id"]))
        status, page = self.ask("GET", f"/api/v1/connections?limit=1&after={page['after']}")
        self.assertEqual((status, page["after"]), (200, None))
        other = page["connections"][0]["id"]
        self.assertEqual(self.ask("DELETE", f"/api/v1/connections/{one['id']}/subflows/1"), (200, {"done": True}))
        self.assertEqual(self.ask("DELETE", f"/api/v1/connections/{other}"), (200, {"done": True}))
        self.assertIn("reset", second.communicate("\n", timeout=30)[1].lower())
        for host in (self.lab.client, self.lab.server):
            wait_for(lambda host=host: len(self.subflows(host)) == 1, "one subflow of the first connection left")
        self.assertEqual(first.communicate("\n", timeout=30), ("done\n", ""))
        self.assertEqual(self.ask("DELETE", f"/api/v1/connections/{other + 7}")[0], 404)
        self.assertEqual(self.gateway.end()[0], 0)

    def test_who_has_no_token(self):
        self.start()
        for token in (None, "wrong", TOKEN[:-1], TOKEN + "x", ""):
            for method, path in (("GET", "/api/v1/status"), ("GET", "/api/v1/connections"), ("POST", "/api/v1/reload"), ("DELETE", "/api/v1/connections/1"), ("GET", "/api/x")):
                status, said = self.ask(method, path, token)
                self.assertEqual((status, list(said)), (401, ["error"]), (token, path))
        self.assertEqual(self.ask("GET", "/api/x")[0], 404)
        self.assertEqual(self.ask("PUT", "/api/v1/reload")[0], 405)
        self.assertEqual(self.web("GET", "/healthz"), (200, "ok\n"))
        status, said = self.ask("GET", "/api/v1/status")
        self.assertEqual((status, said["problems"], said["draining"]), (200, [], False))
        self.assertIn("gateway.inspected", said["counters"])
        with self.assertRaises((http.client.HTTPException, OSError)):  # no answer: a body is not read
            self.web("POST", "/api/v1/reload", {"Authorization": f"Bearer {TOKEN}"}, body="x" * 100_000)
        self.gateway.end()
        for file in self.folder.iterdir():
            if file.name != "token":
                self.assertNotIn(TOKEN, file.read_text(), "the token is told to no one")

    def test_slow_ones_stop_no_packets(self):
        self.start()
        with namespaces.inside(self.lab.router):
            slow = [socket.create_connection(WEB, timeout=10) for _ in range(60)]
        for each in slow:
            each.sendall(b"GET /api/v1/status HTTP/1.1\r\nA: ")
        self.assertEqual(self.send(), "done\n")
        for each in slow:
            each.close()
        wait_for(lambda: self.ask("GET", "/api/v1/status")[0] == 200, "room for others")

    def test_a_token_that_others_may_read(self):
        self.start(mode=0o644)
        self.assertRegex(self.gateway.errors.read_text(), r"weir: gateway.control.token_file: \S+token: may be read or written by others")
        status, said = self.ask("GET", "/api/v1/status")
        self.assertEqual(status, 403)
        self.assertIn("gateway.control.token_file", said["error"])
        self.assertEqual(self.web("GET", "/healthz")[0], 200)

    def test_a_network_is_no_loopback(self):
        config = self.folder / "far.yaml"
        for remote, status in (("false", 2), ("true", 0)):
            config.write_text(f"web: {{listen: '0.0.0.0:8384'}}\ngateway: {{control: {{token_file: /etc/weir/token, remote: {remote}}}}}\n")
            checked = self.lab.run(self.lab.router, live_sensor.WEIR, "config", "check", str(config), capture_output=True, text=True, check=False)
            self.assertEqual(checked.returncode, status, checked.stderr)
        config.write_text("web: {listen: '0.0.0.0:8384'}\ngateway: {control: {token_file: /etc/weir/token}}\n")
        checked = self.lab.run(self.lab.router, live_sensor.WEIR, "config", "check", str(config), capture_output=True, text=True, check=False)
        self.assertIn(f"{config}:2: gateway.control.token_file: the token would cross the network in the clear", checked.stderr)

    def test_reload_and_counters(self):
        self.start(policy="  default: {action: inspect}\n" f"  rules: [{{name: no, match: {{port: [{REFUSED}]}}, action: reset}}]")
        before = self.metrics()
        self.assertEqual(self.send(), "done\n")
        self.assertIn("refused", self.send(REFUSED).lower())
        rose = {"weir_gateway_inspected_total": 1, "weir_gateway_reset_total": 1, "weir_gateway_packets_dropped_total": 1}
        wait_for(lambda: {name: self.metrics()[name] - before[name] for name in rose} == rose, "counters of both decisions")
        self.assertTrue([name for name in before if name.startswith("weir_gateway_refused_")])
        self.assertIn("weir_gateway_queue_waiting", before)
        self.gateway.write("  default: {action: strip}", self.keys, "web: {listen: '127.0.0.1:8384'}")
        self.assertEqual(self.ask("POST", "/api/v1/reload"), (200, {"done": True}))
        self.assertEqual(self.send(REFUSED), "done\n")
        wait_for(lambda: self.metrics()["weir_gateway_stripped_total"] == 1, "the new policy's decision")
        self.gateway.config.write_text("policy: {nonsense: 1}\n")
        self.assertEqual(self.ask("POST", "/api/v1/reload")[0], 422)

    def test_the_log_is_opened_again(self):
        self.start()
        self.assertEqual(self.send(), "done\n")
        wait_for(self.gateway.decisions, "its record")
        old = self.gateway.log.rename(self.folder / "old.json")
        self.gateway.process.send_signal(signal.SIGUSR1)
        wait_for(self.gateway.log.exists, "the new log")
        self.assertEqual(self.send(), "done\n")
        wait_for(lambda: len(self.gateway.decisions()) == 1, "the second one's record in the new log")
        self.assertEqual(self.gateway.end()[0], 0)
        decided = [json.loads(line)["event_type"] for line in old.read_text().splitlines()].count("mptcp_policy")
        self.assertEqual((decided, len(self.gateway.decisions())), (1, 1))


class Drain(OverHttp):
    """What has ended is forgotten soon here."""

    def start(self, **how):
        super().start(more="limits: {linger_seconds: 1}", **how)

    def drain(self):
        self.assertEqual(self.web("GET", "/healthz")[0], 200)
        self.assertEqual(self.ask("POST", "/api/v1/drain"), (200, {"done": True}))
        status, said = self.web("GET", "/healthz")
        self.assertEqual((status, json.loads(said)), (503, {"status": "draining", "problems": []}))
        self.assertTrue(self.ask("GET", "/api/v1/status")[1]["draining"])
        self.assertEqual(self.metrics()["weir_draining"], 1)

    def end(self, seconds=30):
        self.assertEqual(self.gateway.process.wait(timeout=seconds), 0)
        self.assertNotIn("WEIR", self.lab.run(self.lab.router, "iptables-save", capture_output=True, text=True).stdout)

    def decided(self):
        return [(one["action"], one["reason"]) for one in self.gateway.decisions()]

    def test_open(self):
        """New ones go by, over several subflows, and are not taken in; the process ends with the last of those that ran."""
        self.start(gateway="fail: open", state=str(self.folder / "state"))
        before = self.half_way(1)
        self.drain()
        during = self.half_way(2)
        self.assertEqual(len(self.connections()), 1)
        self.assertEqual(during.communicate("\n", timeout=30), ("done\n", ""))
        wait_for(lambda: self.decided()[1:] == [("allow", "the gateway drains")], "its record")
        self.assertIsNone(self.gateway.process.poll())
        self.assertEqual(before.communicate("\n", timeout=30), ("done\n", ""))
        self.end()
        self.assertIn("weir: drained; 0 connections are left", self.gateway.errors.read_text())
        self.assertEqual((self.folder / "state").stat().st_mode & 0o777, 0o600)
        self.assertEqual([one["action"] for one in self.gateway.decisions()], ["inspect", "allow"])
        self.assertEqual(self.gateway.records("anomaly"), [])

    def test_closed(self):
        self.start(gateway="fail: closed")
        before = self.half_way(1)
        self.drain()
        self.assertIn("refused", self.send().lower())
        wait_for(lambda: self.decided()[1:] == [("reset", "the gateway drains")], "its record")
        self.assertEqual(self.ask("DELETE", "/api/v1/drain"), (200, {"done": True}))
        self.assertEqual(self.web("GET", "/healthz"), (200, "ok\n"))
        self.assertEqual(self.send(), "done\n")
        self.assertEqual(self.ask("POST", "/api/v1/drain")[0], 200)
        self.assertEqual(before.communicate("\n", timeout=30), ("done\n", ""))
        self.end()

    def test_limit(self):
        """At the limit it ends, and what is left goes on without it."""
        self.start(gateway="drain_seconds: 2")
        before = self.half_way(1)
        self.drain()
        self.end()
        self.assertIn("weir: drained; 1 connections are left", self.gateway.errors.read_text())
        self.assertEqual(before.communicate("\n", timeout=30), ("done\n", ""))


class Proxy(OverHttp):
    """Connections that the policy says are for a proxy are led to one on the router."""

    POLICY = f"  default: {{action: inspect}}\n  rules: [{{name: ours, match: {{port: [{PORT}]}}, action: proxy}}]"

    def proxy(self, port):
        proxy = self.lab.start(self.lab.router, sys.executable, str(pathlib.Path(__file__).with_name("local_proxy.py")), str(port), stdout=subprocess.PIPE, text=True)
        self.assertEqual(proxy.stdout.readline(), "listening\n")
        return proxy

    def rules(self):
        return "".join(self.lab.run(self.lab.router, "ip", version, "rule", capture_output=True, text=True).stdout for version in ("-4", "-6"))

    def test_on_its_own_port_with_joins(self):
        proxy = self.proxy(PORT)
        self.start(policy=self.POLICY)
        for family in (4, 6):
            target = self.lab.target(1, family)
            sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", target, str(PORT), "1", str(SIZE), "2", capture_output=True, text=True, timeout=60,
                                check=False)
            self.assertEqual((sent.stdout, sent.stderr), ("done\n", ""))
            self.assertEqual(proxy.stdout.readline(), f"for {target} {PORT}\n")
        self.assertEqual(self.send(REFUSED), "done\n")
        decided = [("proxy", "ours")] * 2 + [("inspect", "default")]
        wait_for(lambda: [(one["action"], one["rule"]) for one in self.gateway.decisions()] == decided, "the decisions")
        wait_for(lambda: self.metrics()["weir_gateway_proxied_total"] == 2, "the counter")
        self.assertEqual(self.rules().count("lookup 8384"), 2)
        self.assertEqual(self.lab.kernel_counters(self.lab.client).get("TcpExtTCPSynRetrans", 0), 0)
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertNotIn("8384", self.rules())
        self.assertEqual(self.send(), "done\n")

    def test_on_one_port(self):
        proxy = self.proxy(9000)
        self.start(policy=self.POLICY, gateway="proxy: {port: 9000, table: 77}")
        self.assertEqual(self.send(), "done\n")
        self.assertEqual(proxy.stdout.readline(), f"for {self.lab.target()} {PORT}\n")
        self.gateway.write("  default: {action: inspect}", self.keys, "web: {listen: '127.0.0.1:8384'}")
        self.assertEqual(self.ask("POST", "/api/v1/reload")[0], 200)
        self.assertNotIn("lookup 77", self.rules())
        self.assertEqual(self.send(), "done\n")
        wait_for(lambda: [one["action"] for one in self.gateway.decisions()] == ["proxy", "inspect"], "the decisions")

    def test_what_is_not_known_before_routing(self):
        config = self.folder / "wrong.yaml"
        config.write_text("policy:\n  rules:\n  - {match: {interface_out: [s1]}, action: strip}\n  - {match: {port: [80]}, action: proxy}\n  - {match: {interface_out: [s1]}, action: strip}\n")
        checked = self.lab.run(self.lab.router, live_sensor.WEIR, "config", "check", str(config), capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 2)
        self.assertIn(f"{config}:3: interface_out cannot be asked for", checked.stderr)
        self.assertNotIn(f"{config}:5", checked.stderr)


if __name__ == "__main__":
    live_sensor.main()

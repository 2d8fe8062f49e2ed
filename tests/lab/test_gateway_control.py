#!/usr/bin/env python3
"""What an operator asks of a running gateway over its Unix socket: what runs, one subflow cut, a connection cut, the configuration read again."""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, OverSocket, wait_for

from lab import endpoint

LAB = pathlib.Path(endpoint.__file__).parent
PORT, SIZE = 7000, 400_000


class OnANetwork(unittest.TestCase):
    network, more = "two-paths", ""

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.socket = folder / "control"
        self.lab = self.enterContext(network.Network(self.network))
        self.lab.run(self.lab.router, "nft", "-f", "-", input=self.more, text=True)
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        self.gateway = Gateway(self.lab, folder, gateway=f"control: {{socket: {self.socket}}}").start()

    def ask(self, method, path):
        connection = OverSocket(self.socket)
        connection.request(method, path)
        answer = connection.getresponse()
        said = json.loads(answer.read())
        connection.close()
        return answer.status, said

    def connections(self):
        status, said = self.ask("GET", "/api/v1/connections")
        self.assertEqual((status, said["after"]), (200, None))
        return said["connections"]

    def half_way(self):
        """A transfer over two subflows that waits for a line."""
        program = f"import sys; sys.path.insert(0, {str(LAB)!r}); import talk; talk.send({self.lab.target()!r}, {PORT}, [1], {SIZE}, 2, True)"
        sender = self.lab.start(self.lab.client, sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(sender.stdout.readline(), "half\n")
        wait_for(lambda: self.connections() and [f["state"] for f in self.connections()[0]["subflows"]] == ["established"] * 2, "both subflows")
        return sender, self.connections()[0]

    def subflows(self, host):
        return self.lab.run(host, "ss", "-Htn", "state", "established", f"( sport = :{PORT} or dport = :{PORT} )", capture_output=True, text=True).stdout.splitlines()


class Control(OnANetwork):
    def test_a_subflow_is_cut_and_the_connection_lives(self):
        sender, one = self.half_way()
        self.assertEqual((one["action"], one["rule"], one["version"], one["blocked"]), ("inspect", "default", 1, False))
        self.assertFalse({"key", "token", "keys"} & set(one))
        self.assertEqual(self.ask("POST", f"/api/v1/connections/{one['id']}/subflows/1/cut"), (200, {"done": True}))
        for host in (self.lab.client, self.lab.server):
            wait_for(lambda host=host: len(self.subflows(host)) == 1, "one subflow left")
        self.assertEqual(sender.communicate("\n", timeout=30), ("done\n", ""))

    def test_a_connection_is_cut_at_both_ends(self):
        sender, one = self.half_way()
        self.assertEqual(self.ask("POST", f"/api/v1/connections/{one['id']}/cut"), (200, {"done": True}))
        for host in (self.lab.client, self.lab.server):
            wait_for(lambda host=host: not self.subflows(host), "no subflow left")
        self.assertIn("reset", sender.communicate("\n", timeout=30)[1].lower())
        wait_for(lambda: "it was cut by control" in [each["reason"] for each in self.gateway.decisions()], "its record")

    def test_what_is_not_there(self):
        self.assertEqual(self.socket.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.connections(), [])
        for method, path, status in (("POST", "/api/v1/connections/77/cut", 404), ("GET", "/", 404), ("GET", "/api/v1/reload", 405)):
            got, said = self.ask(method, path)
            self.assertEqual(got, status, path)
            self.assertTrue(said["error"])
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.socket))
            one.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000)
            self.assertIn(b"400", one.recv(100))

    def test_a_reload_of_rules_that_are_none(self):
        control = f"control: {{socket: {self.socket}}}, interfaces: [{self.lab.interface(1, 1)}, misspelt]"
        rules = f"rules: ['{self.gateway.rules}']"
        good, bad = ('drop tcp any any -> any any (msg:"cut"; content:"sign"; sid:%d;)\n' % sid for sid in (1, 2))
        self.assertEqual(self.gateway.end()[0], 0)
        self.gateway.write(gateway=control, more=rules)
        self.gateway.config.write_text(self.gateway.config.read_text())
        self.gateway.rules.write_text(good + bad.replace("content", "kontent"))
        self.gateway.start()
        self.gateway.said("weir: ready; 1 rule, 1 refused")
        self.assertIn(f"weir: {self.gateway.config}:4: gateway.interfaces: there is no interface 'misspelt'", self.gateway.errors.read_text())
        self.assertEqual([(one["name"], one["watched"]) for one in self.ask("GET", "/api/v1/status")[1]["interfaces"]], [(self.lab.interface(1, 1), True), ("misspelt", False)])
        self.gateway.rules.write_text("<html>\n")
        status, said = self.ask("POST", "/api/v1/reload")
        self.assertEqual((status, said["problems"][-1]), (422, f"{self.gateway.rules}: is no rules file: no rule in 1 line (weir rules check says all)"))
        self.assertEqual(self.ask("GET", "/api/v1/status")[1]["counters"]["rules.loaded"], 1, "what ran goes on")
        self.gateway.rules.write_text(good + bad)
        self.assertEqual(self.ask("POST", "/api/v1/reload"), (200, {"done": True}))
        self.gateway.said("weir: reloaded; 2 rules")
        self.assertEqual(self.gateway.end()[0], 0)

    def test_reload(self):
        self.gateway.rules.write_text('drop tcp any any -> any any (msg:"cut"; content:"sign"; sid:1;)\n')
        for rules, loaded in ((f"rules: ['{self.gateway.rules}']", 1), ("", None)):
            self.gateway.write("  default: {action: strip}", f"control: {{socket: {self.socket}}}", rules)
            self.assertEqual(self.ask("POST", "/api/v1/reload"), (200, {"done": True}))
            self.assertEqual(self.ask("GET", "/api/v1/status")[1]["counters"].get("rules.loaded"), loaded)
        self.gateway.config.write_text("policy: {nonsense: 1}\n" + "".join(f"wrong{i}: 1\n" for i in range(100)))
        status, said = self.ask("POST", "/api/v1/reload")
        self.assertEqual((status, said["problems"][0]), (422, f"{self.gateway.config}:1: unknown key 'policy.nonsense'"))
        self.assertEqual((len(said["problems"]), said["left_out"]), (20, 81))
        self.assertIn("wrong99", said["problems"][-1])
        self.assertEqual(self.gateway.end()[0], 0)
        self.assertFalse(self.socket.exists())


class BothAddressesTranslated(OnANetwork):
    network = "nat-port-forward"
    more = 'table ip both {\n chain after {\n type nat hook postrouting priority 90\n oifname "s*" masquerade\n }\n}\n'

    def test_a_connection_that_is_cut_ends_at_both_as_soon_as_one_sends(self):
        sender, one = self.half_way()
        self.assertEqual(self.ask("POST", f"/api/v1/connections/{one['id']}/cut"), (200, {"done": True}))
        self.assertIn("reset", sender.communicate("\n", timeout=30)[1].lower())
        for host in (self.lab.client, self.lab.server):
            wait_for(lambda host=host: not self.subflows(host), "no subflow left")


if __name__ == "__main__":
    live_sensor.main()

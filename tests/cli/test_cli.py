#!/usr/bin/env python3
"""Black-box tests of the command line.   test_cli.py WEIR [TEST...]"""
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import small_capture

WEIR = None
SUBFLOW_FIELDS = ["id", "src_ip", "src_port", "dest_ip", "dest_port", "opener", "addr_id", "backup", "auth", "bytes_toserver", "bytes_toclient", "state", "capture_points"]


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.capture = self.file("small.pcap", small_capture.whole())

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return path

    def content(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_weir(self, *arguments, status=0, **options):
        run = subprocess.run([WEIR, *arguments], capture_output=True, timeout=60, cwd=self.folder, **options)
        self.assertGreaterEqual(run.returncode, 0, f"died of a signal: {arguments}")
        out, err = run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")
        self.assertEqual(run.returncode, status, f"{arguments}\n{out[-500:]}\n{err[-500:]}")
        for line in err.splitlines():
            if status != 2 or "Usage" not in err:
                self.assertTrue(line.startswith("weir: "), line)
        return out, err

    def records(self, text):
        return [json.loads(line) for line in text.splitlines()]


class Usage(Cli):
    def test_version(self):
        self.assertRegex(self.run_weir("--version")[0], r"^weir \d+\.\d+\.\d+\n$")

    def test_help_has_an_example(self):
        for arguments in (["--help"], ["inspect", "--help"], ["inventory", "--help"], ["config", "--help"], ["policy", "--help"]):
            out, err = self.run_weir(*arguments)
            self.assertIn("Example", out)
            self.assertEqual(err, "")

    def test_help_names_every_option_of_inspect(self):
        out, _ = self.run_weir("inspect", "--help")
        for option in "--rules --log --export-pcap --export-streams --export-files --report --all-tcp --checksums --quiet --config".split():
            self.assertIn(option, out)

    def test_the_gateway_offers_nothing_that_it_refuses(self):
        out, _ = self.run_weir("gateway", "--help")
        for option, argument in (("--all-tcp", []), ("--export-pcap", ["x.pcap"]), ("--checksums", ["ignore"])):
            self.assertNotIn(option, out)
            _, err = self.run_weir("gateway", "--dry-run", option, *argument, status=2)
            self.assertIn(f"weir: {option}: is not for the gateway", err)

    def test_wrong_usage_is_2(self):
        for arguments in ([], ["fly"], ["--fly"], ["inspect"], ["inspect", "--fly", self.capture], ["inspect", "--checksums", "maybe", self.capture],
                          ["inspect", "--log"], ["inspect", "--log", "", self.capture], ["inspect", "-", "-"], ["config"], ["config", "check"], ["config", "fly", "x"]):
            self.run_weir(*arguments, status=2)

    def test_wrong_options_of_the_gateway_have_nothing_to_do_with_the_kernel(self):
        _, err = self.run_weir("gateway", "--fly", status=2)
        self.assertIn("--fly", err)
        self.assertNotIn("kernel", err)

    def test_verbs_that_are_not_there_say_so(self):
        for verb in "proxy analyzer".split():
            _, err = self.run_weir(verb, status=2)
            self.assertIn("not part of this version", err)

    def test_rules_that_are_not_there(self):
        _, err = self.run_weir("inspect", "--rules", "missing.rules", self.capture, status=2)
        self.assertIn("missing.rules", err)
        self.assertIn("No such file", err)


class Rules(Cli):
    GOOD = 'alert tcp any any -> any any (msg:"text"; content:"text"; sid:1; rev:2; classtype:trojan-activity;)\n'

    def test_all_loaded(self):
        out, err = self.run_weir("rules", "check", self.file("a.rules", "# a comment\n\n" + self.GOOD))
        self.assertEqual(err, "")
        self.assertRegex(out, r"loaded +1 +100.0 %")

    def test_refused_by_name_line_and_column(self):
        path = self.file("b.rules", self.GOOD + 'alert tcp any any -> any any (content:"x"; fly:1; sid:2;)\nalert udp any any -> any any (sid:3;)\n')
        out, err = self.run_weir("rules", "check", path, status=1)
        self.assertIn(f"weir: {path}:2:44: 'fly': not supported", err)
        self.assertIn(f"weir: {path}:3:7: 'udp': the protocol is not supported", err)
        self.assertIn("refused: fly", out)

    def test_a_folder(self):
        folder = os.path.dirname(self.file("rules.d/a.rules", self.GOOD))
        self.file("rules.d/readme.txt", "no rule")
        out, _ = self.run_weir("rules", "check", folder)
        self.assertIn("1 file", out)

    def test_wrong_usage(self):
        for arguments in ([], ["check"], ["fly", "x"], ["check", "missing.rules"], ["check", "--fly", "x"], ["check", "--config"]):
            self.run_weir("rules", *arguments, status=2)

    def test_variables_come_from_the_configuration(self):
        rules = self.file("v.rules", 'alert tcp $MINE any -> any $WEB (content:"x"; sid:1;)\n')
        self.run_weir("rules", "check", rules, status=1)
        config = self.file("v.yaml", "vars: {MINE: [10.0.0.0/8, '!10.1.0.0/16'], WEB: [80, 8080]}\n")
        self.run_weir("rules", "check", "--config", config, rules)
        _, err = self.run_weir("config", "check", self.file("bad.yaml", "vars:\n  MINE: [10.0.0.0/40]\n"), status=2)
        self.assertIn("bad.yaml:2", err)

    def test_what_is_no_rules_file_stops_everything(self):
        unsupported = 'alert icmp any any -> any any (sid:9;)\n'
        self.file("rules.d/good.rules", self.GOOD)
        self.file("rules.d/other.rules", unsupported)
        for name, content, said in (("noise.rules", bytes(range(256)) * 40, "is no rules file: no rule in"), ("page.rules", "<html>\n<p>404</p>\n", "is no rules file: no rule in 2 lines"),
                                    ("other.rules", unsupported, "nothing of it can run: 1 rule refused"), ("late.rules", 'alert tcp any any -> any any (pcre:"/(/"; sid:8;)\n', "nothing of it can run: 1 rule refused")):
            with self.subTest(name):
                path = self.file(name, content)
                _, err = self.run_weir("inspect", "--rules", "rules.d", "--rules", path, self.capture, status=2)
                self.assertIn(f"weir: {path}: {said}", err)
                self.assertLess(err.count("\n"), 20)
                self.run_weir("rules", "check", path, status=1)
        self.run_weir("inspect", "--rules", "rules.d", "--rules", self.file("none.rules", "# nothing yet\n\n"), "--rules", "rules.d/good.rules", self.capture)
        page = self.file("rules.d/page.rules", "<html>\n")  # beside rules that run
        _, err = self.run_weir("inspect", "--rules", "rules.d", self.capture, status=2)
        self.assertIn("rules.d/page.rules: is no rules file: no rule in 1 line", err)
        os.unlink(page)

    def test_a_refused_rule_does_not_stop_the_others(self):
        rules = self.file("c.rules", self.GOOD + 'alert tcp any any -> any any (content:"x"; fly:1; sid:2;)\n')
        out, err = self.run_weir("inspect", "--rules", rules, "--log", "-", self.capture)
        self.assertIn("'fly'", err)
        stats = [json.loads(line) for line in out.splitlines()][-1]["stats"]
        self.assertEqual(stats["rules"], {"loaded": 1, "refused": 1})


class Inventory(Cli):
    STATE = ('{"format":"weir-inventory-1","inventory":[\n{"address":"10.0.0.2","role":"server","port":80,"speaks":true,"versions":[1],"first_seen":"2026-11-24T02:16:00.123456+0000",'
             '"last_seen":"2026-11-24T02:17:00.000000+0000","agreed":3,"refused":1,"unanswered":0,"fallback":0,"most_subflows":2,'
             '"addresses":[{"address":"10.0.0.3","offered":true,"authentic":true,"used":false}]}\n]}\n')

    def test_as_a_table_json_and_csv(self):
        state = self.file("inventory.json", self.STATE)
        table, _ = self.run_weir("inventory", "--state", state)
        for text in ("10.0.0.2", "server", "80", "v1", "2026-11-24T02:16:00", "offers 10.0.0.3"):
            self.assertIn(text, table)
        self.assertEqual(self.run_weir("inventory", "--state", state, "--json")[0], self.STATE)
        csv, _ = self.run_weir("inventory", "--state", state, "--csv")
        self.assertIn("10.0.0.2,server,80,yes,1,2026-11-24T02:16:00.123456+0000,2026-11-24T02:17:00.000000+0000,3,1,0,0,2,10.0.0.3,", csv)

    def test_the_configuration_names_the_file(self):
        state = self.file("kept.json", self.STATE)
        config = self.file("weir.yaml", f"sensor: {{inventory: {state}}}\n")
        self.assertEqual(self.run_weir("inventory", "--config", config, "--json")[0], self.STATE)

    def test_no_inventory_is_1_and_wrong_usage_2(self):
        _, err = self.run_weir("inventory", "--state", "none.json", status=1)
        self.assertIn("weir: none.json: there is no such file", err)
        damaged = self.file("damaged.json", self.STATE[:-9])
        _, err = self.run_weir("inventory", "--state", damaged, status=1)
        self.assertIn("is no inventory", err)
        self.assertTrue(os.path.exists(damaged), "looking at it changes nothing")
        for arguments in (["--csv", "--json"], ["--state"], ["--state", ""], ["x"], ["--config", "none.yaml"]):
            self.run_weir("inventory", *arguments, status=2)


class Inspect(Cli):
    def test_log(self):
        self.assertEqual(self.run_weir("inspect", "--quiet", "--log", "eve.json", self.capture), ("", ""))
        found = [r for r in self.records(self.content("eve.json")) if r["event_type"] == "mptcp"]
        self.assertEqual(len(found), 1)
        record = found[0]
        self.assertRegex(record["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000$")
        self.assertEqual((record["src_ip"], record["src_port"], record["dest_ip"], record["dest_port"], record["proto"]), ("192.0.2.1", 40000, "198.51.100.2", 80, "TCP"))
        self.assertTrue(record["community_id"].startswith("1:"))
        mptcp = record["mptcp"]
        self.assertEqual(mptcp["id"], small_capture.ID)
        self.assertEqual((mptcp["version"], mptcp["state"], mptcp["checksum"], mptcp["visibility"]), (1, "closed", False, 1))
        self.assertEqual((mptcp["bytes_toserver"], mptcp["bytes_toclient"]), (len(small_capture.TO_SERVER), len(small_capture.TO_CLIENT)))
        self.assertEqual(list(mptcp["subflows"][0]), SUBFLOW_FIELDS)
        self.assertEqual(mptcp["subflows"][0]["capture_points"], ["small"])

    def test_inventory_of_local_hosts(self):
        found = lambda *options: [r["inventory"] for r in self.records(self.run_weir("inspect", "--log", "-", *options, self.capture)[0]) if r["event_type"] == "inventory"]
        self.assertEqual(found(), [], "neither host is of the default HOME_NET")
        config = self.file("weir.yaml", "sensor: {local: [198.51.100.0/24, 192.0.2.1]}\n")
        client, server = found("--config", config)
        self.assertEqual((client["new"], client["address"], client["role"], client["version"], client["agreed"]), ("speaker", "192.0.2.1", "client", 1, 1))
        self.assertEqual((server["address"], server["role"], server["port"], server["versions"], server["speaks"]), ("198.51.100.2", "server", 80, [1], True))
        self.assertEqual(server["first_seen"], server["last_seen"])
        self.assertFalse(os.path.exists("/var/lib/weir/inventory.json.new"))

    def test_the_host_of_http_is_a_name_of_the_connection(self):
        request = small_capture.TO_SERVER
        try:
            small_capture.TO_SERVER = b"GET / HTTP/1.0\r\nHost: www.test.example\r\n\r\n"
            path = self.file("host.pcap", small_capture.whole())
        finally:
            small_capture.TO_SERVER = request
        out, _ = self.run_weir("inspect", "--log", "-", path)
        record = next(r for r in self.records(out) if r["event_type"] == "mptcp")
        self.assertEqual(record["mptcp"]["names"], [{"name": "www.test.example", "source": "http"}])

    def test_log_to_standard_output_is_all_there_is(self):
        out, err = self.run_weir("inspect", "--log", "-", self.capture)
        self.assertEqual(err, "")
        records = self.records(out)
        self.assertEqual([r["event_type"] for r in records], ["http", "mptcp", "stats"])
        self.assertEqual(records[-1]["stats"]["decode"]["packets"], 14)
        self.assertIn("unanswered", records[-1]["stats"]["mptcp"])
        self.assertIn("bytes", records[-1]["stats"]["memory"])
        self.assertEqual(records[-1]["stats"]["uptime"], 0)

    def test_summary(self):
        out, _ = self.run_weir("inspect", self.capture)
        self.assertIn(small_capture.ID, out)
        self.assertIn("closed", out)
        self.assertNotIn("\033", out)
        self.assertEqual(self.run_weir("inspect", "--quiet", self.capture)[0], "")

    def test_streams(self):
        self.run_weir("inspect", "--quiet", "--export-streams", "a/b", self.capture)
        for way, content in (("toserver", small_capture.TO_SERVER), ("toclient", small_capture.TO_CLIENT)):
            self.assertEqual(self.content(f"a/b/{small_capture.ID}.{way}"), content)

    def test_several_captures_count_once(self):
        again = self.file("again.pcap", small_capture.whole())
        out, _ = self.run_weir("inspect", "--log", "-", self.capture, again)
        found = [r["mptcp"] for r in self.records(out) if r["event_type"] == "mptcp"]
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["bytes_toserver"], len(small_capture.TO_SERVER))
        self.assertEqual(found[0]["duplicate_bytes"], 0)
        self.assertEqual(found[0]["subflows"][0]["capture_points"], ["small", "again"])

    def test_compressed_and_standard_input(self):
        packed = self.file("packed.pcap.gz", gzip.compress(small_capture.whole()))
        for arguments, options in ((["-"], {"input": small_capture.whole()}), ([packed], {})):
            out, _ = self.run_weir("inspect", "--log", "-", *arguments, **options)
            self.assertIn(small_capture.ID, out)

    def test_plain_tcp_makes_flows_only_if_asked(self):
        plain = small_capture.pcap([small_capture.frame(small_capture.CLIENT, small_capture.SERVER, 1, 0, small_capture.SYN),
                                    small_capture.frame(small_capture.SERVER, small_capture.CLIENT, 9, 2, small_capture.SYN | small_capture.ACK),
                                    small_capture.frame(small_capture.CLIENT, small_capture.SERVER, 2, 10, small_capture.ACK, payload=b"abc")])
        path = self.file("plain.pcap", plain)
        kinds = lambda *more: [r["event_type"] for r in self.records(self.run_weir("inspect", "--log", "-", *more, path)[0])]
        self.assertEqual(kinds(), ["stats"])
        self.assertEqual(kinds("--all-tcp"), ["flow", "stats"])

    def test_checksums(self):
        packets = list(small_capture.frames())
        packets[3] = packets[3][:-1] + b"!"  # the request, changed on the way
        path = self.file("changed.pcap", small_capture.pcap(packets))
        count = lambda policy: next(r["mptcp"]["bytes_toserver"] for r in self.records(self.run_weir("inspect", "--checksums", policy, "--log", "-", path)[0]) if r["event_type"] == "mptcp")
        self.assertEqual(count("verify"), 0)
        self.assertEqual(count("auto"), 0)
        self.assertEqual(count("ignore"), len(small_capture.TO_SERVER))

    def test_normalised_capture_is_a_capture(self):
        self.run_weir("inspect", "--quiet", "--export-pcap", "plain.pcap", self.capture)
        written = self.content("plain.pcap")
        self.assertEqual(written[:4].hex(), "4d3cb2a1")
        self.assertIn(small_capture.TO_SERVER, written)
        out, _ = self.run_weir("inspect", "--all-tcp", "--log", "-", "plain.pcap")
        flow = next(r for r in self.records(out) if r["event_type"] == "flow")
        self.assertEqual((flow["flow"]["bytes_toserver"], flow["flow"]["state"]), (len(small_capture.TO_SERVER), "closed"))
        self.assertNotIn("mptcp", [r["event_type"] for r in self.records(out)])

    def test_cooked_capture_stays_cooked(self):
        cooked = [b"\0\0\0\1\0\6\2\0\0\0\0\1\0\0" + packet[12:] for packet in small_capture.frames()]
        path = self.file("cooked.pcap", small_capture.pcap(cooked, link=113))
        self.run_weir("inspect", "--quiet", "--export-pcap", "plain.pcap", path)
        self.assertEqual(self.content("plain.pcap")[20], 113)
        self.run_weir("inspect", "--quiet", "--export-pcap", "both.pcap", path, self.capture)
        self.assertEqual(self.content("both.pcap")[20], 1)


class BadInput(Cli):
    def test_empty_capture_is_fine(self):
        out, err = self.run_weir("inspect", self.file("none.pcap", small_capture.pcap([])))
        self.assertIn("No MPTCP connection", out)
        self.assertEqual(err, "")

    def test_unreadable_captures_are_1_and_others_are_reported(self):
        bad = {"zero.pcap": b"", "text.pcap": b"this is no capture at all, is it?\n" * 20, "cut.pcap": small_capture.whole()[:-7], "cut.pcap.gz": gzip.compress(small_capture.whole())[:-30],
               "header.pcap": small_capture.whole()[:10], "noise.pcap": bytes(range(256)) * 40}
        for name, content in bad.items():
            path = self.file(name, content)
            for arguments in ([path], [path, self.capture], [self.capture, path]):
                out, err = self.run_weir("inspect", "--log", "-", *arguments, status=1)
                self.assertIn(name, err)
                self.assertEqual(self.records(out)[-1]["event_type"], "stats")
                if self.capture in arguments:
                    self.assertIn(small_capture.ID, out)
        for name in ("missing.pcap", "."):
            _, err = self.run_weir("inspect", "--quiet", name, self.capture, status=1)
            self.assertIn(name, err)

    def test_what_comes_before_a_cut_is_reported(self):
        path = self.file("cut.pcap", small_capture.whole()[:-7])
        out, _ = self.run_weir("inspect", "--log", "-", path, status=1)
        found = next(r["mptcp"] for r in self.records(out) if r["event_type"] == "mptcp")
        self.assertEqual(found["bytes_toclient"], len(small_capture.TO_CLIENT))

    def test_every_cut_and_every_changed_octet_is_survived(self):
        whole = small_capture.whole()
        for size in range(0, len(whole), 37):
            run = subprocess.run([WEIR, "inspect", "--log", "-", "--all-tcp", "-"], input=whole[:size], capture_output=True, timeout=60)
            self.assertIn(run.returncode, (0, 1), size)
        for at in range(0, len(whole), 23):
            changed = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1:]
            run = subprocess.run([WEIR, "inspect", "--log", "-", "--all-tcp", "--export-pcap", self.path("out.pcap"), "-"], input=changed, capture_output=True, timeout=60)
            self.assertIn(run.returncode, (0, 1), at)
            self.records(run.stdout.decode())


class BadOutput(Cli):
    def test_places_that_cannot_be_written(self):
        self.file("file", "x")
        for option in (["--log", "missing/eve.json"], ["--log", "."], ["--export-pcap", "missing/x.pcap"], ["--export-streams", "file/below"], ["--export-streams", "file"], ["--log", "unix:nobody"]):
            _, err = self.run_weir("inspect", *option, self.capture, status=1)
            self.assertEqual(len(err.splitlines()), 1, err)
            self.assertIn(option[1], err)

    def test_a_full_disk_is_said_once(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        for option in ("--log", "--export-pcap"):
            _, err = self.run_weir("inspect", "--quiet", option, "/dev/full", self.capture, status=1)
            self.assertEqual(len(err.splitlines()), 1, err)
            self.assertIn("No space left", err)

    def test_inputs_are_not_written_over(self):
        for option in ("--log", "--export-pcap"):
            self.run_weir("inspect", option, self.capture, self.capture, status=2)
            os.link(self.capture, self.path("same.pcap")) if not os.path.exists(self.path("same.pcap")) else None
            self.run_weir("inspect", option, "same.pcap", self.capture, status=2)
        self.assertEqual(self.content("small.pcap"), small_capture.whole())

    def test_a_reader_that_goes_away(self):
        many = self.file("many.pcap", small_capture.pcap([small_capture.frame(("192.0.2.1", port), small_capture.SERVER, 1, 0, small_capture.SYN) for port in range(1, 30000)]
                                                         + [small_capture.frame(("192.0.2.1", port), small_capture.SERVER, 2, 1, small_capture.ACK, payload=b"x") for port in range(1, 30000)]))
        run = subprocess.Popen([WEIR, "inspect", "--all-tcp", "--log", "-", many], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        run.stdout.close()
        err = run.stderr.read()
        run.stderr.close()
        self.assertEqual((run.wait(60), err), (1, b""))

    def test_whatever_prints_ends_quietly_when_its_reader_has_gone(self):
        config, rules = self.file("weir.yaml", "gateway: {fail: closed}\n"), self.file("a.rules", "# none\n")
        inventory = self.file("inventory.json", '{"format": "weir-inventory-1", "inventory": []}')
        for arguments in (["--help"], ["--version"], ["inspect", "--help"], ["inspect", self.capture], ["gateway", "--help"], ["gateway", "--dry-run", "--config", config], ["config", "check", config], ["config", "--help"],
                          ["rules", "check", rules], ["rules", "--help"], ["policy", "test", "--client", "10.0.0.1", "--server", "10.0.0.2", "--config", config], ["inventory", "--state", inventory]):
            with self.subTest(arguments):
                ends = os.pipe()
                os.close(ends[0])
                run = subprocess.run([WEIR, *arguments], stdout=ends[1], stderr=subprocess.PIPE, timeout=60)
                os.close(ends[1])
                self.assertEqual((run.returncode, run.stderr), (1, b""))
                with open("/dev/full", "wb") as full:
                    run = subprocess.run([WEIR, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60)
                self.assertRegex(run.stderr, rb"\Aweir: standard output: No space left on device[^\n]*\n\Z")
                self.assertEqual(run.returncode, 1)

    def test_closed_standard_output(self):
        self.run_weir("inspect", "--quiet", "--log", "eve.json", self.capture, preexec_fn=lambda: os.close(1))
        self.assertEqual(self.records(self.content("eve.json"))[-1]["event_type"], "stats")


class Interrupted(Cli):
    def test_what_was_read_is_reported(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            run = subprocess.Popen([WEIR, "inspect", "--log", self.path("eve.json"), "--quiet", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            run.stdin.write(small_capture.whole())
            run.stdin.flush()
            time.sleep(0.5)
            run.send_signal(number)
            err = run.stderr.read().decode()
            run.stdin.close()
            run.stderr.close()
            self.assertEqual(run.wait(20), 1)
            self.assertIn("interrupted", err)
            self.assertEqual(self.records(self.content("eve.json"))[-1]["event_type"], "stats")


class Config(Cli):
    GOOD = """
log: {eve: eve.json}
vars: {HOME_NET: [10.0.0.0/8], HTTP_PORTS: [80, 8080]}
sensor: {interfaces: [eth0, eth1]}
gateway:
  interfaces: [lan0, wan1, wan2]
  inside: [10.0.0.0/8, "fd00::/8"]
  fail: open
policy:
  default: {action: inspect}
  rules:
    - name: one-path-for-finance
      match: {server: [198.51.100.0/24], category: [finance], direction: outbound}
      action: strip
    - name: two-paths-for-cdn
      match: {name: ["*.cdn.example"], version: 1}
      action: inspect
      limits: {subflows: 2, paths: [wan1, wan2], opened_by: client, joins_per_second: 10, add_addr: translate}
categories: {finance: /etc/weir/categories/finance}
feeds: {mptcp: /var/lib/weir/probe.feed}
nat:
  - {inside: 10.0.5.2, outside: 203.0.113.9}
  - pool: {outside: [203.0.113.10], ports: 20000-29999}
limits: {max_connections: 1000}
"""

    def check(self, text, status=2):
        return self.run_weir("config", "check", self.file("weir.yaml", text), status=status)

    def test_the_shipped_example_has_every_limit(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        self.run_weir("config", "check", os.path.join(root, "packaging", "weir.yaml"))
        with open(os.path.join(root, "packaging", "weir.yaml")) as file:
            example = file.read()
        with open(os.path.join(root, "src", "base", "limits.h")) as file:
            names = re.findall(r"^  X\((\w+),", file.read(), re.M)
        self.assertGreater(len(names), 20)
        for name in names:
            self.assertRegex(example, rf"(?m)^  {name}: \d+ ")

    def test_good_ones(self):
        service = ("log: {eve: [/var/log/weir/eve.json, 'unix:/run/weir/eve.sock'], rotate_bytes: 1000000, rotate_keep: 3}\n"
                   "sensor: {interfaces: [eth0], user: weir}\nweb: {listen: '[::1]:8384'}\n")
        for text in (self.GOOD, service, "sensor: {local: [10.0.0.0/8, $HOME_NET, '!10.1.0.0/16', 'fd00::/8'], inventory: /var/lib/weir/inventory.json}\n", "web: {listen: off}\n", "limits: {}\n", "", "# nothing\n"):
            self.check(text, status=0)

    def test_every_error_with_its_line(self):
        _, err = self.check("log:\n  evee: x\nlimts: {}\nlimits:\n  max_connections: many\n  idle_seconds: -1\nlog: {}\n")
        for line, text in ((2, "did you mean 'eve'"), (3, "did you mean 'limits'"), (5, "max_connections"), (6, "idle_seconds"), (7, "twice")):
            self.assertRegex(err, rf"weir\.yaml:{line}: [^\n]*{text}")

    def test_errors_of_a_service(self):
        _, err = self.check("log:\n  rotate_bytes: -1\n  rotate_keep: 0\nsensor:\n  user: [a]\nweb:\n  listen: localhost\n  port: 1\n")
        for line, text in ((2, "rotate_bytes is a whole number"), (3, "rotate_keep"), (5, "user"), (7, "web.listen is an address and a port"), (8, "unknown key 'web.port'")):
            self.assertRegex(err, rf"weir\.yaml:{line}: [^\n]*{text}")

    def test_keys_that_do_not_go_together(self):
        for text, said in (("sensor:\n  interfaces: [a, b]\n  normalise: {interface: b}\n", "weir.yaml:3: 'b' is one of sensor.interfaces"),
                           ("sensor:\n  normalise:\n    create: veth\n", "weir.yaml:3: there is no sensor.normalise.interface"),
                           ("log: {eve: 'unix:'}\n", "weir.yaml:1: unix: is followed by"),
                           ("sensor: {interfaces: eth0}\n", "weir.yaml:1: 'interfaces' takes a list")):
            _, err = self.check(text)
            self.assertIn(said, err)
            self.assertEqual(err.count("\n"), 1, err)

    def test_what_this_machine_lacks_is_told(self):
        _, err = self.check("rules:\n  - /nowhere/a.rules\n  - /nowhere/*.rules\nsensor: {user: nobody-of-this-name}\n", status=0)
        for said in ("weir.yaml:2: /nowhere/a.rules", "weir.yaml:3: /nowhere/*.rules", "no user 'nobody-of-this-name'"):
            self.assertIn(said, err)
        _, err = self.check("gateway:\n  interfaces: [lo, none-such]\n  queue_packets: 16\n", status=0)
        self.assertIn("weir.yaml:2: gateway.interfaces: there is no interface 'none-such'", err)
        self.assertIn("weir.yaml:3: gateway.queue_packets: a few transfers fill a queue of 16: what it has no room for passes unseen", err)
        self.assertEqual(err.count("\n"), 2, err)

    def test_wrong_files(self):
        for text in ("a: [", "- 1\n- 2\n", "a: b: c\n", "just text\n", "log: {eve: [[1]]}\n", "log: {eve: [a, a]}\n", "log: {eve: {a: 1}}\n", "x: &x [*x]\n", "{" * 10000, "[" * 100000, "log: {}\n---\nlog: {}\n", "\0\1\2", "? [a]\n: b\n",
                     "sensor: {local: 10.0.0.0/8}\n", "sensor: {local: []}\n", "sensor: {local: [10.0.0.0/33]}\n", "sensor: {local: [$NONE]}\n", "sensor: {inventory: [a]}\n",
                     "gateway: {fly: 1}\n", "policy: {rules: {name: x, fly: 2}}\n", "nat: [{insid: 1}]\n", "log: {eve: ''}\n"):
            self.check(text)
        self.run_weir("config", "check", "missing.yaml", status=2)
        self.run_weir("config", "check", ".", status=2)

    def test_inspect_uses_it_and_options_win(self):
        config = self.file("weir.yaml", self.GOOD)
        self.file("eve.json", '{"before": true}\n')
        self.run_weir("inspect", "--quiet", "--config", config, self.capture)
        lines = self.records(self.content("eve.json"))
        self.assertEqual(lines[0], {"before": True}, "a standing log is added to")
        self.assertEqual(lines[-1]["event_type"], "stats")
        self.run_weir("inspect", "--quiet", "--config", config, "--log", "other.json", self.capture)
        self.assertEqual(len(self.records(self.content("eve.json"))), len(lines))
        self.assertTrue(os.path.exists(self.path("other.json")))

    def test_inspect_writes_one_log(self):
        config = self.file("weir.yaml", "log: {eve: [one.json, two.json]}\n")
        _, err = self.run_weir("inspect", "--quiet", "--config", config, self.capture, status=2)
        self.assertIn("name it with --log", err)
        self.run_weir("inspect", "--quiet", "--config", config, "--log", "one.json", self.capture)

    def test_errors_stop_inspect(self):
        _, err = self.run_weir("inspect", "--config", self.file("weir.yaml", "a: 1\n"), self.capture, status=2)
        self.assertIn("weir.yaml:1: ", err)
        self.run_weir("inspect", "--config", "missing.yaml", self.capture, status=2)


if __name__ == "__main__":
    WEIR = os.path.abspath(sys.argv.pop(1))
    unittest.main()

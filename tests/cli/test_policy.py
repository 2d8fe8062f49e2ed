#!/usr/bin/env python3
"""Black-box tests of policy: its configuration, and `weir policy test`.   test_policy.py WEIR [TEST...]"""
import hashlib
import json
import os
import sys
import unittest

import test_cli

POLICY = """gateway:
  inside: [10.0.0.0/8, "fd00::/8"]
policy:
  default: {action: inspect, limits: {subflows: 8}}
  rules:
    - name: finance
      match: {category: finance, direction: outbound}
      action: strip
    - name: night
      match: {time: "22:00-06:00", weekdays: [fri], server: [198.51.100.0/24, "!198.51.100.7"]}
      action: reset
    - name: cdn
      match: {name: ["*.cdn.example"], version: 1, feed: mptcp}
      action: inspect
      limits: {subflows: 2, paths: [wan1, wan2], opened_by: client, joins_per_second: 10, add_addr: drop, versions: [1]}
    - name: probed-not
      match: {feed: ["mptcp:tcp_only"], port: [8000-8099, 8443]}
      action: allow
    - name: guests
      match: {interface_in: "guest*", anomaly: join_flood, inventory: {client: new}}
      action: proxy
categories: {finance: finance}
feeds: {mptcp: probe.feed}
"""


def feed(*entries, valid_until="2099-01-01T00:00:00Z"):
    text = f"weir-feed 1\nwritten\t2026-11-28T07:00:00Z\nvalid-until\t{valid_until}\nname\taddress\tport\tverdict\tfirst_seen\tlast_seen\tevidence\n"
    for name, address, port, verdict in entries:
        text += f"{name}\t{address}\t{port}\t{verdict}\t2026-11-28T07:00:00Z\t2026-11-28T07:00:00Z\tby hand\n"
    return text + f"end\t{len(entries)}\t{hashlib.sha256(text.encode()).hexdigest()}\n"


FEED = feed(("a.cdn.example", "198.51.100.20", 443, "v1"), ("-", "198.51.100.21", 8080, "tcp_only"))


class Policy(test_cli.Cli):
    def setUp(self):
        super().setUp()
        self.config = self.file("weir.yaml", POLICY)
        self.file("finance/domains", "bank.example\nbroker.example\n192.0.2.80\n")
        self.file("probe.feed", FEED)

    def ask(self, *arguments, client="10.0.0.5", server="203.0.113.1", time="mon 12:00", status=0):
        out, self.said = self.run_weir("policy", "test", "--client", client, "--server", server, "--time", time, "--config", self.config, "--json", *arguments, status=status)
        return json.loads(out)

    def decided(self, *arguments, **options):
        answer = self.ask(*arguments, **options)
        return answer["rule"], answer["action"]

    def test_each_condition_decides(self):
        self.assertEqual(self.decided(), ("default", "inspect"))
        self.assertEqual(self.decided("--name", "www.Bank.example."), ("finance", "strip"))
        self.assertEqual(self.decided(server="192.0.2.80"), ("finance", "strip"))
        self.assertEqual(self.decided("--name", "bank.example", client="203.0.113.9"), ("default", "inspect"))
        self.assertEqual(self.decided(server="198.51.100.6", time="fri 23:00"), ("night", "reset"))
        self.assertEqual(self.decided(server="198.51.100.6", time="sat 05:59"), ("night", "reset"))
        self.assertEqual(self.decided(server="198.51.100.6", time="fri 05:59"), ("default", "inspect"))
        self.assertEqual(self.decided(server="198.51.100.7", time="fri 23:00"), ("default", "inspect"))
        self.assertEqual(self.decided("--name", "a.cdn.example", server="198.51.100.20"), ("cdn", "inspect"))
        self.assertEqual(self.decided("--name", "a.cdn.example", server="198.51.100.20", client="10.0.0.5")[0], "cdn")
        self.assertEqual(self.decided("--name", "a.cdn.example", "--version", "0", server="198.51.100.20")[0], "default")
        self.assertEqual(self.decided("--name", "b.cdn.example", server="198.51.100.99")[0], "default")
        self.assertEqual(self.decided("--port", "8080", server="198.51.100.21"), ("probed-not", "allow"))
        self.assertEqual(self.decided("--port", "8443", server="198.51.100.21")[0], "default")
        self.assertEqual(self.decided("--in", "guest7", "--anomaly", "join_flood", "--client-is", "new"), ("guests", "proxy"))
        self.assertEqual(self.decided("--in", "guest7", "--anomaly", "join_flood")[0], "default")
        self.assertEqual(self.decided(client="fd00::5", server="2001:db8::1")[0], "default")

    def test_says_which_rule_where_and_why_not_the_others(self):
        answer = self.ask("--name", "a.cdn.example", server="198.51.100.20")
        self.assertEqual((answer["file"], answer["line"], answer["direction"]), (self.config, POLICY[: POLICY.index("- name: cdn")].count("\n") + 1, "outbound"))
        self.assertEqual([(r["rule"], r["matches"], r.get("missed")) for r in answer["rules"]], [("finance", False, "category"), ("night", False, "time"), ("cdn", True, None)])
        self.assertEqual(answer["limits"], {"subflows": 2, "paths": ["wan1", "wan2"], "opened_by": "client", "joins_per_second": 10, "backup_only": False, "add_addr": "drop", "versions": [1]})
        out, _ = self.run_weir("policy", "test", "--client", "10.0.0.5", "--server", "198.51.100.7", "--time", "fri 23:00", "--config", self.config)
        for text in ("server is 198.51.100.7", "category is none", "no rule matches", "rule: default", "subflows: 8", "outbound"):
            self.assertIn(text, out)

    def test_fixed_pairs_of_nat_are_seen_from_behind(self):
        rules = """gateway: {inside: [10.0.0.0/8]}
policy:
  rules:
    - {name: proxied, match: {server: [203.0.113.8], port: 8080}, action: proxy}
    - {name: own, match: {server: [10.0.5.2], direction: inbound}, action: strip}
    - {name: outside, match: {server: [203.0.113.9]}, action: reset}
    - {name: out, match: {client: [10.0.5.2]}, action: allow}
    - {name: proxied too late, match: {server: [10.0.5.4]}, action: proxy}
nat: [{inside: 10.0.5.2, outside: 203.0.113.9}, {inside: 10.0.5.3, outside: 203.0.113.8}, {inside: 10.0.5.4, outside: 203.0.113.7}, {pool: {outside: [203.0.113.10], ports: 20000-20009}}]
"""
        self.config = self.file("weir.yaml", rules)
        answer = self.ask(client="198.51.100.1", server="203.0.113.9")
        self.assertEqual((answer["rule"], answer["direction"], answer["nat"]), ("own", "inbound", {"client": "198.51.100.1", "server": "10.0.5.2"}))
        answer = self.ask(client="203.0.113.9", server="198.51.100.1")
        self.assertEqual((answer["rule"], answer["direction"], answer["nat"]), ("out", "outbound", {"client": "10.0.5.2", "server": "198.51.100.1"}))
        answer = self.ask("--port", "8080", client="198.51.100.1", server="203.0.113.8")
        self.assertEqual((answer["rule"], "nat" in answer), ("proxied", False), "for a proxy it is decided before")
        answer = self.ask(client="198.51.100.1", server="203.0.113.7")
        self.assertEqual((answer["rule"], answer["action"], answer["reason"]), ("proxied too late", "reset", "it is for a proxy, and was routed before it was decided"))
        out, _ = self.run_weir("policy", "test", "--client", "198.51.100.1", "--server", "203.0.113.7", "--config", self.config)
        self.assertIn("\nreason: it is for a proxy, and was routed before it was decided\n", out)
        self.assertEqual(self.ask(client="198.51.100.1", server="10.0.5.4")["action"], "proxy", "as no address is translated")
        for server in ("203.0.113.10", "10.0.5.3", "198.51.100.2"):
            self.assertNotIn("nat", self.ask(server=server))
        out, _ = self.run_weir("policy", "test", "--client", "198.51.100.1", "--server", "203.0.113.9", "--config", self.config)
        self.assertIn("198.51.100.1 -> 203.0.113.9 port 443, inbound", out)
        self.assertIn("\nnat: rules see 203.0.113.9 as 10.0.5.2\n", out)

    def test_a_feed_that_cannot_be_taken(self):
        for name, content, why in (("missing", None, "No such file"), ("cut off", FEED[:-3], "cut off"), ("changed", FEED.replace("by hand", "by Hand"), "SHA-256"),
                                   ("stale", feed(valid_until="2026-11-28T07:00:01Z"), "stale"), ("binary", b"\x00\xff" * 50, "no feed")):
            with self.subTest(name):
                os.unlink(self.path("probe.feed"))
                if content is not None:
                    self.file("probe.feed", content)
                answer = self.ask("--name", "a.cdn.example", server="198.51.100.20", status=1)
                self.assertEqual(answer["rule"], "default")
                self.assertIn("probe.feed", self.said)
                self.assertIn(why, self.said)
                self.assertIn("the feed mptcp is empty", self.said)
                self.file("probe.feed", FEED)

    def test_categories_of_every_form(self):
        self.file("finance/urls", "big.example/page\nwhole.example/\n")
        self.assertEqual(self.decided("--name", "whole.example")[0], "finance")
        self.assertIn("addresses of pages are not used (1)", self.said)
        self.assertEqual(self.decided("--name", "big.example")[0], "default")
        self.file("list.csv", "rank,domain,category\n1,x.example,finance\n2,y.example,news\n")
        self.file("list.txt", "# names\nz.example\ntwo words\n")
        for name, path, expected in (("x.example", "list.csv", "finance"), ("y.example", "list.csv", "default"), ("a.z.example", "list.txt", "finance")):
            self.config = self.file("weir.yaml", POLICY.replace("finance: finance}", f"finance: {path}}}"))
            self.assertEqual(self.decided("--name", name)[0], expected, name)
        self.assertIn("list.txt:3", self.said)

    def test_a_category_that_is_not_there_is_an_error(self):
        self.config = self.file("weir.yaml", POLICY.replace("finance: finance}", "finance: nowhere}"))
        _, err = self.run_weir("policy", "test", "--client", "10.0.0.1", "--server", "10.0.0.2", "--config", self.config, status=2)
        self.assertIn("nowhere", err)
        os.makedirs(self.path("nowhere"))
        _, err = self.run_weir("policy", "test", "--client", "10.0.0.1", "--server", "10.0.0.2", "--config", self.config, status=2)
        self.assertIn("'domains'", err)

    def test_wrong_usage(self):
        addresses = ["--client", "10.0.0.1", "--server", "10.0.0.2", "--config", self.config]
        for arguments in ([], ["fly"], ["test"], ["test", "--client", "10.0.0.1"], ["test", "--client", "x", *addresses[2:]], ["test", "--client", "::1", *addresses[2:]],
                          *(["test", *addresses, *more] for more in (["--port", "0"], ["--port", "x"], ["--version", "2"], ["--time", "25:00"], ["--time", "someday"],
                                                                    ["--name", "a b"], ["--anomaly", "none"], ["--client-is", "odd"], ["--fly"]))):
            self.run_weir("policy", *arguments, status=2)

    def test_every_key_is_checked_with_its_line(self):
        errors = [("gateway: {inside: [10.0.0.0/33]}", "no address"), ("gateway: {fail: maybe}", "open, closed"), ("gateway: {fail: {deed: open}}", "did you mean 'dead'"),
                  ("gateway: {queues: 0}", "1 to 16"), ("gateway: {queues: 17}", "1 to 16"), ("gateway: {first_queue: 65536}", "0 to 65535"), ("gateway: {forged: keep}", "drop, alert"),
                  ("gateway: {offload: maybe}", "false, true"), ("gateway: {control: {socket: [a]}}", "takes no list"), ("gateway: 5", "takes keys"),
                  ("policy: {default: strip}", "takes keys"), ("policy: {rules: [{name: a}]}", "action is missing"), ("policy: {rules: [{action: fly}]}", "allow, inspect"),
                  ("policy: {rules: [{name: a, action: strip}, {name: a, action: strip}]}", "two rules"), ("policy: {rules: [{name: default, action: strip}]}", "not called"),
                  *((f"policy: {{rules: [{{action: strip, match: {{{match}}}}}]}}", why) for match, why in (
                      ("client: [!10.0.0.1]", "in quotes"), ("client: []", "empty list"), ("port: 70000", "no port"), ("direction: up", "outbound, inbound"), ("time: 8-9", "span of the day"),
                      ("weekdays: [monday]", "spans of days"), ("name: ['a..b']", "not a host name"), ("category: none", "none of categories"), ("feed: x", "none of feeds"),
                      ("version: 2", "one of 0, 1"), ("anomaly: x", "no event"), ("inventory: {client: odd}", "new, known"), ("interface_in: much_too_long_name", "name of an interface"),
                      ("sever: 10.0.0.1", "did you mean 'server'"))),
                  *((f"policy: {{default: {{limits: {{{limit}}}}}}}", why) for limit, why in (
                      ("subflows: 0", "1 to 1000000"), ("opened_by: me", "both, client, server"), ("add_addr: keep", "allow, drop, translate"), ("backup_only: 2", "false, true"),
                      ("paths: [a/b]", "name of an interface"))),
                  ("categories: {finance: ''}", "a file of names"), ("feeds: {'a:b': x}", "has no ':'"), ("nat: [{inside: 10.0.0.1}]", "inside and outside"),
                  ("nat: [{inside: 10.0.0.1, outside: '::1'}]", "one family"), ("nat: [{inside: x, outside: y}]", "is an address"), ("nat: [5]", "an entry of nat"),
                  ("nat: [{pool: {outside: [203.0.113.1], ports: 9-1}}]", "range of ports"), ("nat: [{inside: 10.0.0.1, outside: 1.2.3.4}, {inside: 10.0.0.1, outside: 1.2.3.5}]", "already")]
        for text, why in errors:
            with self.subTest(text):
                _, err = self.run_weir("config", "check", self.file("bad.yaml", "# first\n" + text + "\n"), status=2)
                self.assertIn("bad.yaml:2: ", err)
                self.assertIn(why, err)

    def test_the_shipped_example_names_every_key(self):
        shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "weir.yaml")
        self.run_weir("config", "check", shipped)
        with open(shipped) as file:
            text = file.read()
        # The rule that stands there as a comment is one that works.
        begin = text.index("  # - name: cdn")
        rule = "".join(line.replace("  # ", "  ", 1) for line in text[begin : text.index("categories:", begin)].splitlines(keepends=True))
        config = text.replace("  rules: []                                 #", "  rules:   #").replace("categories: {}", "categories: {finance: f}").replace("feeds: {} ", "feeds: {mptcp: f} ")
        config = config[: config.index("  # - name: cdn")] + rule + config[config.index("categories:") :]
        self.run_weir("config", "check", self.file("whole.yaml", config))


if __name__ == "__main__":
    test_cli.WEIR = os.path.abspath(sys.argv.pop(1))
    unittest.main()

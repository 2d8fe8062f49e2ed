#!/usr/bin/env python3
"""Black-box tests of `weir probe`'s command line: what it refuses, and what it says where nothing is left to ask.   test_probe.py WEIR [TEST...]"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

WEIR = None


class Probe(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, name, content):
        (self.folder / name).write_text(content)
        return name

    def probe(self, *arguments, status):
        done = subprocess.run([WEIR, "probe", *arguments], capture_output=True, text=True, timeout=60, cwd=self.folder)
        self.assertEqual(done.returncode, status, f"{arguments}\n{done.stdout[-500:]}\n{done.stderr[-500:]}")
        for line in done.stderr.splitlines():
            self.assertTrue(line.startswith("weir: "), line)
        return done.stdout, done.stderr

    def refused(self, *arguments, says):
        out, err = self.probe(*arguments, status=2)
        self.assertEqual(out, "")
        self.assertEqual(err.count("\n"), 1, err)
        for text in says:
            self.assertIn(text, err)

    def test_numbers_out_of_their_bounds(self):
        for option, value, text in (("--port", "70000", "from 1 to 65535"), ("--port", "0", "from 1 to 65535"), ("--port", "http", "from 1 to 65535"),
                                    ("--rate", "abc", "no number of packets a second above 0"), ("--rate", "0", "above 0"), ("--rate", "-5", "above 0"),
                                    ("--rate", "inf", "above 0"), ("--network-rate", "x", "no number of packets a second"), ("--watch", "0", "from 1 to"),
                                    ("--tries", "5", "from 1 to 4"), ("--hops", "61", "from 1 to 60"), ("--timeout-ms", "0", "from 1 to"), ("--in-flight", "0", "from 1 to")):
            with self.subTest(option=option, value=value):
                self.refused(option, value, "192.0.2.1", says=[f"{option}: '{value}'", text])

    def test_options_that_do_not_fit_together(self):
        self.file("log", "")
        for arguments, says in ((["--learn", "log", "192.0.2.1"], ["--learn", "--watch SECONDS"]),
                                (["--dns", "dns.example", "192.0.2.1"], ["--dns: 'dns.example' is no ADDRESS or ADDRESS:PORT"]),
                                (["--dns", "192.0.2.1:0", "a.example"], ["is no ADDRESS or ADDRESS:PORT"]),
                                (["--dns", "192.0.2.0/24", "a.example"], ["is no ADDRESS or ADDRESS:PORT"]),
                                (["--trace", "192.0.2.1"], ["--raw --trace"]),
                                (["--state", "s", "--nft-set", "n", "192.0.2.1"], ["--state", "--output FILE"]),
                                (["--state", "s", "--report", "r", "--output", "-", "192.0.2.1"], ["--state", "--output FILE"]),
                                (["-i", "lo", "192.0.2.1"], ["--raw"])):
            with self.subTest(arguments):
                self.refused(*arguments, says=says)

    def test_an_exclusion_list_is_a_must_for_more_than_a_16_in_all(self):
        excluded = self.file("excluded", "0.0.0.0/0\n::/0\n")
        for wide in (["10.0.0.0/15"], ["10.0.0.0/16", "10.1.0.0/16"], ["10.0.0.0/16", "192.0.2.1"], ["2001:db8::/111"],
                     [f"10.{a}.{b}.0/24" for a in range(2) for b in range(0, 256)]):
            with self.subTest(wide[0]):
                self.refused(*wide, says=["--exclude FILE", "more than a /16 has"])
        self.probe("--exclude", excluded, "10.0.0.0/15", status=1)  # there is a list: it is obeyed

    def test_nothing_left_is_told(self):
        self.file("all", "192.0.2.0/24\n")
        self.file("none", "# nothing yet\n")
        for arguments, says in ((["--exclude", "all", "192.0.2.0/25", "192.0.2.200"], "all targets are excluded"), (["--list", "none"], "the lists name no target")):
            with self.subTest(arguments):
                out, err = self.probe("--output", "results", *arguments, status=1)
                self.assertEqual((out, err.count("\n")), ("", 1), err)
                self.assertIn(says, err)
                self.assertFalse((self.folder / "results").exists())

    def test_localhost_needs_no_server(self):
        began = time.monotonic()
        done = subprocess.run([WEIR, "probe", "--dns", "127.0.0.1:9", "--quiet", "--timeout-ms", "500", "localhost:1"], capture_output=True, text=True, timeout=60)
        if "this kernel makes no MPTCP connections" in done.stderr:
            self.skipTest("no MPTCP here")
        self.assertLess(time.monotonic() - began, 3)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertIn("127.0.0.1", [record["ip"] for record in records])
        for record in records:
            self.assertEqual(record["names"], [{"name": "localhost"}])
            self.assertNotIn("packets", record, "how many the kernel sent it does not tell")


if __name__ == "__main__":
    WEIR = os.path.abspath(sys.argv.pop(1))
    unittest.main()

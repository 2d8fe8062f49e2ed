#!/usr/bin/env python3
"""Black-box tests of `weir probe`'s command line: what it refuses, and what it says where nothing is left to ask.   test_probe.py WEIR [TEST...]"""
import json
import os
import pathlib
import signal
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
                                (["-i", "lo", "192.0.2.1"], ["--raw"]),
                                (["--data", "x", "192.0.2.1"], ["--data: is a part of raw mode"]),
                                (["--raw", "--hops", "3", "192.0.2.1"], ["--hops: is a part of a trace", "--raw --trace"]),
                                (["--raw", "--grace-ms", "100", "192.0.2.1"], ["--grace-ms: is a part of connect mode"])):
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

    def test_what_is_no_target_is_told_with_what_to_write_instead(self):
        for target, says in (("http://host/", "write host:80"), ("https://host:8443/a", "write host:8443"), ("::1:80", "write [ADDRESS]:PORT")):
            with self.subTest(target):
                self.refused(target, says=[f"weir: {target}: ", says])

    def test_a_list_that_cannot_be_read_says_why(self):
        for arguments in (["--list", "{}"], ["--category", "a={}"], ["--exclude", "{}", "192.0.2.1"]):
            for path, why in ((".", "Is a directory"), ("nix", "No such file or directory")):
                with self.subTest(arguments=arguments, path=path):
                    self.refused(*(word.format(path) for word in arguments), says=[f"weir: {path}: {why}"])

    def test_what_could_not_be_written_is_told_before_anything_is_asked(self):
        (self.folder / "null").symlink_to("/dev/null")  # what replaced it would replace the link alone
        for option in ("--feed", "--nft-set", "--report", "--state"):
            for path, why in (("nowhere/file", "No such file or directory"), (".", "Is a directory"), ("null", "is no regular file")):
                with self.subTest(option=option, path=path):
                    out, err = self.probe(option, path, "--output", "results", "127.0.0.1:1", status=1)
                    self.assertEqual((out, err.count("\n")), ("", 1), err)
                    self.assertIn(f"weir: {path}: {'is no state' if (option, path) == ('--state', 'null') else why}", err)
                    self.assertFalse((self.folder / "results").exists())
        self.assertEqual([path.name for path in self.folder.iterdir()], ["null"], "what it tried with is gone")

    def test_only_results_are_an_earlier_run(self):
        result = '{"event_type":"probe","ip":"192.0.2.1","port":80,"verdict":"v1"}\n'
        for content, line in (("hello\n", 1), (result + '{"event_type":"tls"}\n' + result, 2)):
            self.refused("--previous", self.file("earlier", content), "--output", "results", "127.0.0.1:1", says=[f"weir: earlier:{line}: is no result of weir probe"])
        self.refused("--previous", ".", "127.0.0.1:1", says=["weir: .: Is a directory"])
        self.assertFalse((self.folder / "results").exists())

    def test_a_run_that_goes_on_without_the_csv_of_its_first_part_is_refused(self):
        command = ["--state", "state", "--output", "results", "--csv", "csv", "--rate", "5", "--quiet", "127.0.0.0/28:1"]
        process = subprocess.Popen([WEIR, "probe", *command], stderr=subprocess.PIPE, text=True, cwd=self.folder)
        until = time.monotonic() + 30
        while not ((self.folder / "csv").exists() and (self.folder / "csv").read_text().count("\n") > 2) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=10), 1)
        with process.stderr:
            said = process.stderr.read()
        if "this kernel makes no MPTCP connections" in said:
            self.skipTest("no MPTCP here")
        first = (self.folder / "csv").read_text()
        (self.folder / "csv").unlink()
        _, err = self.probe(*command, status=1)
        self.assertIn("weir: csv: has not the results of the run's first part", err)
        self.assertFalse((self.folder / "csv").exists())
        (self.folder / "csv").write_text(first)
        self.probe(*command, status=0)
        lines = (self.folder / "csv").read_text().splitlines()
        self.assertEqual([number for number, line in enumerate(lines) if line.startswith("timestamp,")], [0])
        self.assertEqual(len(lines), 17)

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

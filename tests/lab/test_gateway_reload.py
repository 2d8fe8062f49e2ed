#!/usr/bin/env python3
"""What a running gateway takes over when its configuration is read again: all of it or nothing, and no file twice that did not change."""
import datetime
import hashlib
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for

ODD = "no host name or address"
POLICY = """  default: {action: inspect}
  rules:
    - {name: listed, match: {category: [finance]}, action: strip}
    - {name: probed, match: {feed: [mptcp]}, action: allow}"""


def feed(entry):
    now = datetime.datetime.now(datetime.timezone.utc)
    written, until = (f"{t:%Y-%m-%dT%H:%M:%SZ}" for t in (now, now + datetime.timedelta(days=1)))
    line = "\t".join(["-", entry, "443", "v1", written, written, "seen"])
    columns = "\t".join("name address port verdict first_seen last_seen evidence".split())
    content = f"weir-feed 1\nwritten\t{written}\nvalid-until\t{until}\n{columns}\n{line}\n"
    return f"{content}end\t1\t{hashlib.sha256(content.encode()).hexdigest()}\n"


class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))

    def start(self, policy="", gateway="", more=""):
        self.gateway = Gateway(self.lab, self.folder, policy, gateway=gateway, more=more).start()

    def said(self, text):
        return self.gateway.errors.read_text().count(text)

    def reload(self, says="weir: reloaded\n"):
        before = self.said(says)
        self.gateway.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.said(says) > before, says)

    def settled(self, *files):
        """A change of theirs from now on shows in their times."""
        wait_for(lambda: all(time.time() - file.stat().st_ctime > 1.1 for file in files), "the clock")

    def test_only_files_that_changed_are_read_again(self):
        names, other, probed = self.folder / "names", self.folder / "other.feed", self.folder / "probed.feed"
        names.write_text("bank.example\n not a name at all \n")
        probed.write_text(feed("192.0.2.1"))
        other.write_text("damaged")
        lists = f"categories: {{finance: {names}}}\nfeeds: {{mptcp: {probed}, other: {other}}}\n"
        self.settled(names, other, probed)
        self.start(POLICY, more=lists)
        self.assertEqual(self.said(ODD), 1)

        fresh = self.folder / "fresh"
        fresh.write_text(feed("192.0.2.2"))
        fresh.rename(probed)
        wait_for(lambda: self.said("weir: feeds reloaded\n") == 1, "the feed", 10)
        self.assertEqual(self.said(ODD), 1, "the list is as it was")
        self.reload()
        self.assertEqual(self.said(ODD), 1)

        names.write_text("bank.example\n neither is this \n")
        self.reload()
        self.assertEqual(self.said(ODD), 2)
        self.settled(names)
        self.reload()  # had it been read within a tick of its change, it would be read once more
        before = self.said(ODD)
        self.reload()
        self.assertEqual(self.said(ODD), before)

        names.unlink()
        self.reload(f"weir: {names}: ")
        self.assertEqual(self.said("weir: reloaded\n"), 4, "without a list nothing is taken over")
        names.write_text("bank.example\n")
        self.reload()
        self.assertEqual(self.gateway.end()[0], 0)

    def test_a_standard_error_that_goes_away_ends_nothing(self):
        gateway = Gateway(self.lab, self.folder)
        process = self.lab.start(self.lab.router, live_sensor.WEIR, "gateway", "--config", str(gateway.config), stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stderr.readline(), "weir: ready\n")
        process.stderr.close()

        def led():
            """By which interfaces packets are led to it."""
            return self.lab.run(self.lab.router, "iptables", "-t", "mangle", "-S", "WEIR-FORWARD", capture_output=True, text=True, check=False).stdout
        gateway.write(gateway=f"interfaces: [{self.lab.interface(1, 1)}, misspelt]")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "-i misspelt" in led(), "the reload")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(10), 0)
        self.assertEqual(led(), "", "its rules are gone")

    def test_what_needs_a_restart_is_refused_with_its_line(self):
        self.start(gateway="queues: 2")
        self.gateway.write("  default: {action: strip}", "queues: 4, forged: alert", "limits: {max_connections: 5000}")
        self.reload("gateway.queues cannot change while the gateway runs")
        errors = self.gateway.errors.read_text()
        for line, key in ((4, "gateway.queues"), (4, "gateway.forged"), (7, "limits.max_connections")):
            self.assertIn(f"weir: {self.gateway.config}:{line}: {key} cannot change while the gateway runs (what ran goes on)", errors)
        self.assertNotIn("weir: reloaded", errors)
        self.gateway.write("  default: {action: strip}", "queues: 2, drain_seconds: 7")
        self.reload()
        self.assertEqual(self.gateway.end()[0], 0)


if __name__ == "__main__":
    live_sensor.main()

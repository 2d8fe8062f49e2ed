#!/usr/bin/env python3
"""`weir probe --raw` on real servers and odd hosts: every verdict over 10,000 targets, with loss; interruption; what it leaves behind; the feed."""
import collections
import ipaddress
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import live_sensor
import probe_world
from probe_world import NETS, World

MAY_BE_LOST = 0.01  # of the targets, with 2 % of packets lost


class Raw(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))

    def tearDown(self):
        self.world.run(self.world.router, "nft", "flush", "ruleset")

    def probe(self, *arguments, check=True, **options):
        done = self.world.run(self.world.client, live_sensor.WEIR, "probe", "--raw", "--network-rate", "0", "--quiet", *arguments, check=False, capture_output=True,
                              text=True, timeout=120, **options)
        if check:
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done

    def everything(self, output, *arguments):
        self.probe("--output", str(output), *arguments, *probe_world.targets())
        records = probe_world.read(output)
        self.assertEqual(len(records), probe_world.count())
        self.assertEqual(len({(r["ip"], r["port"]) for r in records}), len(records), "a target came twice")
        return records

    def test_every_verdict_over_ten_thousand_targets(self):
        self.assertGreaterEqual(probe_world.count(), 10_000)
        self.world.boxes()
        for record in self.everything(self.folder / "all.json"):
            self.assertEqual(record["verdict"], NETS[probe_world.name_of(record["ip"])][2], record)
        # A connection that a probe opened is over on both sides.
        self.assertEqual(self.world.kernel_connections(self.world.server), [])
        self.assertEqual(self.world.kernel_connections(self.world.client), [])

    def test_with_loss_no_verdict_is_wrong(self):
        self.world.boxes(loss_percent=2)
        wrong, lost = [], 0
        for record in self.everything(self.folder / "loss.json"):
            right = NETS[probe_world.name_of(record["ip"])][2]
            if record["verdict"] == "inconclusive" != right:
                lost += 1
            elif record["verdict"] != right:
                wrong.append(record)
        self.assertEqual(wrong, [])
        self.assertLessEqual(lost, probe_world.count() * MAY_BE_LOST)

    def test_the_evidence_says_why(self):
        self.world.boxes()
        self.probe("--output", str(self.folder / "why.json"), "10.50.0.1:80", "10.51.0.1:81", "10.54.0.1:80", "10.62.0.1:80", "10.63.0.1:80", "10.63.0.129:80", "10.60.0.1:80")
        evidence = {r["ip"]: r["evidence"] for r in probe_world.read(self.folder / "why.json")}
        self.assertEqual(evidence["10.50.0.1"], {"syn_v1": "capable", "data_ack_v1": "exact"})
        self.assertEqual(evidence["10.51.0.1"], {"syn_v1": "plain", "syn_v0": "plain"})
        self.assertEqual(evidence["10.54.0.1"], {"syn_v1": "silent", "syn_plain": "plain"})
        self.assertEqual(evidence["10.62.0.1"], {"syn_v1": "plain", "syn_v0": "echo"})
        self.assertEqual(evidence["10.63.0.1"], {"syn_v1": "capable", "data_ack_v1": "no_data_ack", "join": "echo"})
        self.assertEqual(evidence["10.63.0.129"]["data_ack_v1"], "wrong")
        self.assertEqual(evidence["10.60.0.1"], {"syn_v1": "plain", "syn_v0": "capable", "data_ack_v0": "exact"})

    def test_interrupted_and_resumed_none_twice_and_none_missed(self):
        self.world.boxes()
        output, state = self.folder / "parts.json", self.folder / "state"
        sets, page, shops = (self.folder / name for name in ("parts.nft", "parts.html", "shops"))
        shops.write_text("\n".join(probe_world.targets("speaker", "plain")))
        command = ["--output", str(output), "--state", str(state), "--nft-set", str(sets), "--report", str(page), "--category", f"shops={shops}", "--rate", "4000",
                   *probe_world.targets()]
        for share in (0.3, 0.6):
            process = self.world.start(self.world.client, live_sensor.WEIR, "probe", "--raw", "--network-rate", "0", "--quiet", *command, stderr=subprocess.PIPE, text=True)
            live_sensor.wait_for(lambda: output.exists() and output.read_text().count("\n") > share * probe_world.count(), f"{share} of the results", 60)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=5), 1)
            said = process.stderr.read()
            self.assertIn(f"of {probe_world.count():,} targets have no verdict yet (the same command goes on from here, by {state})", said)
            self.assertTrue(state.exists())
        self.assertLess(len(probe_world.read(output)), probe_world.count())
        self.probe(*command)
        self.assertFalse(state.exists())
        seen = collections.Counter((r["ip"], r["port"]) for r in probe_world.read(output))
        self.assertEqual(len(seen), probe_world.count())
        self.assertEqual(max(seen.values()), 1)
        records = probe_world.read(output)
        self.assertEqual({r["verdict"] for r in records}, {verdict for _, _, verdict in NETS.values()})
        # The sets and the summary tell of all parts.
        speakers = sum(r["verdict"] in ("v1", "v0") for r in records)
        self.assertEqual(sets.read_text().count(" . ") - 2, speakers, "elements, and the types of two sets")
        self.assertIn(f"{probe_world.count():,} targets", page.read_text())
        self.assertIn(f"<td>shops<td class=n>{probe_world.count('speaker', 'plain'):,}<td>", page.read_text())

    def test_what_cannot_tell_of_the_whole_run_is_refused(self):
        output, state = self.folder / "gone.json", self.folder / "gone-state"
        command = ["--output", str(output), "--state", str(state), "--report", str(self.folder / "gone.html"), "--rate", "500", *probe_world.targets("speaker")]
        process = self.world.start(self.world.client, live_sensor.WEIR, "probe", "--raw", "--network-rate", "0", "--quiet", *command, stderr=subprocess.DEVNULL)
        live_sensor.wait_for(lambda: output.exists() and output.read_text().count("\n") > 100, "results", 60)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=5), 1)
        output.unlink()
        self.assertIn("has not the results of the run's first part", self.probe(*command, check=False).stderr)
        self.assertTrue(state.exists())

    def half_open(self):
        said = self.world.run(self.world.server, "ss", "-Hant", "state", "syn-recv", capture_output=True, text=True).stdout
        return said.count("\n")

    def test_what_an_interrupted_or_failed_run_opened_is_ended(self):
        for source in ([], ["--source", "10.1.1.77"]):
            output = self.folder / "half.json"
            output.unlink(missing_ok=True)
            process = self.world.start(self.world.client, live_sensor.WEIR, "probe", "--raw", "--quiet", *source, "--output", str(output), "10.50.0.0/20:80",
                                       stderr=subprocess.DEVNULL)
            live_sensor.wait_for(lambda: self.half_open() > 50, "open handshakes", 30)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=5), 1)
            self.assertEqual(self.half_open(), 0, source)
            # The kernel does away with a connection some time after its last subflow.
            live_sensor.wait_for(lambda: not self.world.kernel_connections(self.world.server), "the end of every connection", 20)
        failed = self.world.run(self.world.client, live_sensor.WEIR, "probe", "--raw", "--quiet", "--output", "/dev/full", "10.50.0.0/20:80", check=False,
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertEqual(self.half_open(), 0, "after a failed run")

    def test_the_time_of_an_answer_is_its_targets_own(self):
        """Some targets are behind a line that is slow, and they are asked in turn with others."""
        self.world.run(self.world.router, "tc", "qdisc", "add", "dev", "x1", "root", "tbf", "rate", "256kbit", "burst", "1600", "latency", "3s")
        try:
            self.probe("--rate", "2000", "--output", str(self.folder / "times.json"), "10.60.0.0/26:80", "10.50.0.0/26:80")
        finally:
            self.world.run(self.world.router, "tc", "qdisc", "del", "dev", "x1", "root")
        times = {}
        for record in probe_world.read(self.folder / "times.json"):
            times.setdefault(record["verdict"], []).append(record["rtt_ms"])
        self.assertEqual({verdict: len(of) for verdict, of in times.items()}, {"v0": 64, "v1": 64})
        # Each waits for those before it on the slow line, about 2 ms each; the others wait for nobody.
        self.assertGreater(max(times["v0"]), 60)
        self.assertGreater(len(set(times["v0"])), 48)
        self.assertLess(sorted(times["v1"])[32], 40)

    def test_killed_and_resumed_none_twice_and_none_missed(self):
        self.world.boxes()
        output, state, feed = self.folder / "killed-parts.json", self.folder / "killed-state", self.folder / "killed.feed"
        command = ["--output", str(output), "--state", str(state), "--feed", str(feed), "--rate", "3000", *probe_world.targets("speaker", "plain")]
        total = probe_world.count("speaker", "plain")
        for share in (0.3, 0.6):
            process = self.world.start(self.world.client, live_sensor.WEIR, "probe", "--raw", "--network-rate", "0", "--quiet", *command)
            live_sensor.wait_for(lambda: state.exists() and output.read_text().count("\n") > share * total, f"{share} of the results", 60)
            process.kill()
            process.wait()
            # A line that the kill cut in two.
            with open(output, "a") as file:
                file.write('{"timestamp":"2026-')
        self.probe(*command)
        self.assertFalse(state.exists())
        seen = collections.Counter((r["ip"], r["port"]) for r in probe_world.read(output))
        self.assertEqual((len(seen), max(seen.values())), (total, 1))
        self.assertEqual(feed.read_text().count("\tv1\t"), probe_world.count("speaker"))

    def test_it_leaves_no_rule_even_when_it_is_killed(self):
        process = self.world.start(self.world.client, live_sensor.WEIR, "probe", "--raw", "--quiet", "--output", str(self.folder / "killed.json"), "10.55.0.0/24:80")

        def rules():
            return self.world.run(self.world.client, "nft", "list", "ruleset", capture_output=True, text=True).stdout
        live_sensor.wait_for(lambda: "weir_probe" in rules(), "the rule")
        process.kill()
        process.wait()
        live_sensor.wait_for(lambda: rules() == "", "no rule")

    def test_from_an_address_of_its_own(self):
        for own, target in (("10.1.1.77", "10.50.0.1:80"), ("fd00:1:1::77", "[fd50::1]:80"), ("10.1.1.77", "10.1.1.1:9")):
            self.probe("--source", own, "--output", str(self.folder / "own.json"), target)
            self.assertEqual([r["verdict"] for r in probe_world.read(self.folder / "own.json")], ["closed" if target.endswith(":9") else "v1"])

    def test_what_is_excluded_gets_no_packet(self):
        excluded = self.folder / "excluded"
        excluded.write_text("10.50.0.0/25 # ours\n")
        wide = self.probe("10.0.0.0/8:80", check=False)
        self.assertEqual(wide.returncode, 2)
        self.assertIn("--exclude", wide.stderr)
        self.world.rules("ip daddr 10.50.0.0/25 counter")
        self.probe("--exclude", str(excluded), "--output", str(self.folder / "rest.json"), "10.50.0.0/24:80")
        records = probe_world.read(self.folder / "rest.json")
        self.assertEqual(len(records), 128)
        self.assertTrue(all(ipaddress.ip_address(r["ip"]) in ipaddress.ip_network("10.50.0.128/25") for r in records))
        said = self.world.run(self.world.router, "nft", "list", "ruleset", capture_output=True, text=True).stdout
        self.assertIn("counter packets 0", said)

    def test_rates_are_kept(self):
        for rate, network_rate in ((300, 0), (100_000, 100)):
            self.world.rules("ip saddr 10.1.1.2 counter")
            began = time.monotonic()
            self.world.run(self.world.client, live_sensor.WEIR, "probe", "--raw", "--quiet", "--rate", str(rate), "--network-rate", str(network_rate), "--output", "/dev/null",
                           *(f"10.50.{n}.0/25:80" for n in range(3)))
            seconds = time.monotonic() - began
            said = self.world.run(self.world.router, "nft", "list", "ruleset", capture_output=True, text=True).stdout
            packets = int(said.split("counter packets ")[1].split()[0])
            self.world.run(self.world.router, "nft", "flush", "ruleset")
            self.assertLess(packets / seconds, 330, (rate, network_rate))

    def test_the_feed_the_sets_and_the_summary(self):
        feed, sets, page, csv = (self.folder / name for name in ("probe.feed", "sets.nft", "page.html", "all.csv"))
        outputs = ["--feed", str(feed), "--nft-set", str(sets), "--report", str(page), "--csv", str(csv)]
        self.probe(*outputs, "10.50.0.0/28:80", "10.51.0.0/28:81", "[fd50::/126]:80")
        lines = feed.read_text().splitlines()
        self.assertEqual(lines[0], "weir-feed 1")
        self.assertEqual(collections.Counter(line.split("\t")[3] for line in lines[4:-1]), {"v1": 20, "tcp_only": 16})
        self.world.run(self.world.client, "nft", "-f", str(sets))
        self.world.run(self.world.client, "nft", "-f", str(sets))
        held = self.world.run(self.world.client, "nft", "-j", "list", "set", "inet", "weir_probe", "mptcp4", capture_output=True, text=True).stdout
        self.assertEqual(held.count('"concat"'), 16)
        self.world.run(self.world.client, "nft", "flush", "ruleset")
        self.assertIn("tcp_only", page.read_text())
        self.assertEqual(len(csv.read_text().splitlines()), 37)
        # The next run is merged; a torn feed is not written over.
        self.probe(*outputs, "10.50.0.16/28:80")
        self.assertEqual(len(feed.read_text().splitlines()), 4 + 36 + 16 + 1)
        torn = feed.read_text()[:-100]
        feed.write_text(torn)
        refused = self.probe(*outputs, "10.50.0.16/28:80", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(str(feed), refused.stderr)
        self.assertEqual(feed.read_text(), torn)


if __name__ == "__main__":
    live_sensor.main()

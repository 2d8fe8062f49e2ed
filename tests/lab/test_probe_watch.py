#!/usr/bin/env python3
"""`weir probe --watch`: round after round, with the names that a log tells, into one feed."""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import probe_world
from probe_world import World

from lab import addresses

HERE = pathlib.Path(__file__).parent


class Watch(unittest.TestCase):
    def test_learns_names_and_sees_changes(self):
        world = self.enterContext(World())
        world.serve()
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        server = addresses.server(1, 4)
        known = world.start(world.server, sys.executable, str(HERE / "name_server.py"), server, "53", "learnt.example=10.50.0.9", stdout=subprocess.PIPE, text=True)
        self.assertEqual(known.stdout.readline(), "listening\n")
        log, output, feed = folder / "eve.json", folder / "out.json", folder / "probe.feed"
        log.write_text("")
        process = world.start(world.client, live_sensor.WEIR, "probe", "--raw", "--quiet", "--watch", "1", "--timeout-ms", "300", "--learn", str(log), "--port", "80",
                              "--dns", server, "--output", str(output), "--feed", str(feed), "10.50.0.1:80")

        def found(address, verdict):
            return lambda: output.exists() and any(json.loads(line)["verdict"] == verdict for line in output.read_text().splitlines(keepends=True)
                                                   if line.endswith("\n") and address in line)
        live_sensor.wait_for(found("10.50.0.1", "v1"), "the first round")
        with open(log, "a") as file:
            file.write(json.dumps({"event_type": "tls", "tls": {"sni": "learnt.example"}}) + "\n")
        live_sensor.wait_for(found("10.50.0.9", "v1"), "the name that was learnt")
        world.rules("reset tcp option mptcp")
        live_sensor.wait_for(found("10.50.0.1", "tcp_only"), "the change")
        live_sensor.wait_for(lambda: "tcp_only" in feed.read_text(), "the change in the feed")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=5), 0)
        names = {record["ip"]: record.get("names") for record in probe_world.read(output)}
        self.assertEqual(names["10.50.0.9"], [{"name": "learnt.example"}])


if __name__ == "__main__":
    live_sensor.main()

#!/usr/bin/env python3
"""`weir sensor` when what is around it fails: full disks, collectors that stall or go, reloads under load; and what it may do and says of itself."""
import contextlib
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import live_sensor
import network
import talk
from live_sensor import wait_for

HERE = pathlib.Path(__file__).parent
PORT = 7000
RULES = 200


class Service(live_sensor.Sensor):
    """A sensor with a configuration. `before`: shell words that run first, in its mount namespace."""

    def __init__(self, lab, folder, config, *options, before=":", ready=True):
        self.folder = pathlib.Path(folder)
        self.errors = self.folder / "errors"
        self.config = self.folder / "weir.yaml"
        self.config.write_text(json.dumps({"limits": {"linger_seconds": 1, "log_queue_bytes": 1 << 20}} | config))
        names = [word for path in range(1, lab.paths + 1) for word in ("-i", lab.interface(path, 1))]
        with open(self.errors, "w") as errors:
            # ip netns exec gives it mounts of its own, and becomes the program.
            self.process = lab.start(lab.router, "sh", "-c", f'{before} && exec "$@"', "sh", live_sensor.WEIR, "sensor", "--config", str(self.config), *names, *options, stderr=errors)
        if ready:
            self.says("weir: ready")

    def says(self, text, seconds=20):
        def there():
            assert self.process.poll() is None, self.errors.read_text()
            return text in self.errors.read_text()
        wait_for(there, text, seconds)


def records(text, kind=None):
    """Every line of it, each a JSON object; the last one must be whole, too."""
    assert not text or text.endswith("\n"), f"torn: {text[-100:]}"
    found = [json.loads(line) for line in text.splitlines()]
    return [record for record in found if kind in (None, record["event_type"])]


class Collector:
    """Listens on a Unix socket; reads while it is told to."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.connection = None

    def accept(self):
        self.connection = self.listener.accept()[0]
        self.connection.settimeout(3)

    def read(self):
        """Until nothing comes any more."""
        got = b""
        with contextlib.suppress(TimeoutError):
            while piece := self.connection.recv(1 << 20):
                got += piece
        return got.decode()

    def hang_up(self):
        self.connection.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.listener.close()


class Faults(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network(2))
        server = self.lab.start(self.lab.server, sys.executable, str(HERE / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "listening\n")

    def send(self, count, size=5_000):
        done = self.lab.run(self.lab.client, sys.executable, str(HERE / "talk.py"), "send", "10.1.2.2", str(PORT), str(count), str(size), capture_output=True, text=True)
        self.assertEqual(done.stdout, "done\n")

    def test_an_interface_that_is_down_is_told(self):
        service = Service(self.lab, self.folder, {"log": {"eve": str(self.folder / "eve.json")}})
        down = self.lab.interface(2, 1)
        self.lab.run(self.lab.router, "ip", "link", "set", down, "down")
        wait_for(lambda: self.get("/healthz")[0] == 503, "it is not well")
        self.assertIn(f"{down}: the interface is down", self.get("/healthz")[1])
        self.lab.run(self.lab.router, "ip", "link", "set", down, "up")
        service.says(f"weir: {down}: watched again")
        wait_for(lambda: self.get("/healthz")[0] == 200, "it is well again")

    def test_a_reload_says_what_it_cannot_do(self):
        service = Service(self.lab, self.folder, {"log": {"eve": str(self.folder / "eve.json")}})
        config = json.loads(service.config.read_text())
        config["limits"]["linger_seconds"] = 2
        service.config.write_text(json.dumps(config))
        os.kill(service.process.pid, signal.SIGHUP)
        service.says("weir: reloaded; limits.linger_seconds needs a restart")
        service.config.write_text("nothing: like this")
        os.kill(service.process.pid, signal.SIGHUP)
        service.says("weir: reload: failed: what was loaded before stays")

    def many_rules(self, connections=40):
        """Each connection makes an alert of each of its RULES: more lines than a queue holds."""
        path = self.folder / "many.rules"
        for_all = [talk.text(number, 64)[:8].hex(" ") for number in range(connections)]
        path.write_text("".join(f'alert tcp any any -> any any (msg:"{"long " * 40}"; content:"|{word}|"; depth:8; sid:{1 + n * RULES + i};)\n'
                                for n, word in enumerate(for_all) for i in range(RULES)))
        return str(path)

    def get(self, path):
        """Status and text, asked from within the router."""
        program = ("import sys, urllib.request, urllib.error\n"
                   "try: answer = urllib.request.urlopen(sys.argv[1], timeout=10)\n"
                   "except urllib.error.HTTPError as error: answer = error\n"
                   "print(answer.status); print(answer.read().decode(), end='')")
        done = self.lab.run(self.lab.router, sys.executable, "-c", program, f"http://127.0.0.1:8384{path}", capture_output=True, text=True)
        status, _, text = done.stdout.partition("\n")
        return int(status), text

    def on_a_small_disk(self):
        """The sensor, its log on a tmpfs that a filler takes up all of."""
        disk = self.folder / "disk"
        disk.mkdir()
        service = Service(self.lab, self.folder, {"log": {"eve": str(disk / "eve.json")}}, before=f"mount -t tmpfs -o size=256k none {disk}")
        seen = pathlib.Path(f"/proc/{service.process.pid}/root{disk}")
        self.assertEqual(os.statvfs(seen).f_blocks * os.statvfs(seen).f_frsize, 256 << 10)
        with open(seen / "filler", "wb", buffering=0) as filler, self.assertRaises(OSError):
            while True:
                filler.write(b"x" * 4096)
        return service, seen

    def test_a_full_disk_is_waited_for(self):
        service, disk = self.on_a_small_disk()
        self.send(20)
        service.says("eve.json: No space left on device (tried again until it works; lines wait meanwhile, up to limits.log_queue_bytes)")
        wait_for(lambda: self.get("/healthz")[0] == 503, "health says so")
        self.assertIn("No space left on device", json.loads(self.get("/healthz")[1])["problems"][0])
        records((disk / "eve.json").read_text())
        (disk / "filler").unlink()
        service.says("eve.json: is written again (0 lines were lost)")
        wait_for(lambda: len(records((disk / "eve.json").read_text(), "mptcp")) >= 20, "a record of each connection")
        wait_for(lambda: self.get("/healthz") == (200, "ok\n"), "health says so")
        stats = wait_for(lambda: records((disk / "eve.json").read_text(), "stats"), "a record of counters")[-1]["stats"]
        self.assertGreater(stats["log"]["errors"], 0)
        self.assertEqual(stats["log"]["lines_lost"], 0)
        self.assertEqual(len(records((disk / "eve.json").read_text(), "mptcp")), 20)
        status, took = service.end()
        self.assertEqual(status, 0, service.errors.read_text())
        self.assertLess(took, 5)
        self.assertEqual(service.errors.read_text().count("No space left"), 1, "said once")

    def test_the_end_on_a_full_disk(self):
        service, disk = self.on_a_small_disk()
        kept = os.open(disk, os.O_RDONLY)  # the mount ends with the program otherwise
        self.addCleanup(os.close, kept)
        self.send(20)
        service.says("No space left on device")
        status, took = service.end()
        self.assertEqual(status, 1, "not all is written")
        self.assertLess(took, 5)
        self.assertIn("lines could not be written before the end", service.errors.read_text())
        log = os.open("eve.json", os.O_RDONLY, dir_fd=kept)
        with open(log) as file:
            records(file.read())

    def test_a_collector_that_stalls(self):
        collector = Collector(self.folder / "socket")
        self.addCleanup(collector.close)
        log = self.folder / "eve.json"
        service = Service(self.lab, self.folder, {"log": {"eve": [str(log), f"unix:{self.folder}/socket"]}, "rules": [self.many_rules()]})
        collector.accept()

        def send_to_a_file_that_keeps_up():
            for _ in range(10):
                before = len(records_so_far(log, "alert"))
                self.send(3)
                wait_for(lambda: len(records_so_far(log, "alert")) == before + 3 * RULES, "every alert in the file")

        send_to_a_file_that_keeps_up()
        service.says("socket: lines are lost: more wait for it than limits.log_queue_bytes")
        got = collector.read()
        service.says("socket: is written again")
        lost = records_of_status(self.get("/api/v1/status"))["log.lines_lost"]
        alerts = len(records(got, "alert"))
        self.assertGreater(lost, 0)
        self.assertLess(alerts, 30 * RULES)
        self.assertGreaterEqual(alerts + lost, 30 * RULES, "what is missing is counted")
        self.send(1)
        self.assertEqual(len(records(collector.read(), "alert")), RULES, "it goes on with whole lines")
        send_to_a_file_that_keeps_up()  # and the collector stalls again
        wait_for(lambda: service.errors.read_text().count("socket: lines are lost: more") == 2, "the second time")
        status, took = service.end()
        self.assertLess(took, 5)
        self.assertEqual(status, 1, "not all is written")
        self.assertEqual(records(log.read_text(), "stats")[-1]["stats"]["capture"]["kernel_drops"], 0)
        self.assertEqual(len(records(log.read_text(), "alert")), 61 * RULES)

    def test_a_collector_that_goes_and_comes(self):
        service = Service(self.lab, self.folder, {"log": {"eve": f"unix:{self.folder}/socket"}})
        service.says("socket: No such file or directory (tried again until it works")
        self.send(5)
        collector = Collector(self.folder / "socket")
        self.addCleanup(collector.close)
        collector.accept()
        self.assertEqual(len(records(collector.read(), "mptcp")), 5, "those from before, too")
        collector.hang_up()
        self.send(5)
        collector.accept()
        self.assertEqual(len(records(collector.read(), "mptcp")), 5)
        self.assertEqual(records_of_status(self.get("/api/v1/status"))["log.lines_lost"], 0)
        status, took = service.end()
        self.assertEqual(status, 0, service.errors.read_text())
        self.assertLess(took, 5)

    def test_reload_under_load(self):
        streams = self.folder / "streams"
        log = self.folder / "eve.json"
        service = Service(self.lab, self.folder, {"log": {"eve": str(log)}, "rules": [self.many_rules(1)]}, "--export-streams", str(streams))
        over = threading.Event()
        reloads = 0

        def reload():
            nonlocal reloads
            while not over.wait(0.2):
                service.signal(signal.SIGHUP)
                reloads += 1

        reloading = threading.Thread(target=reload)
        reloading.start()
        try:
            self.send(20, 2_000_000)
        finally:
            over.set()
            reloading.join()
        wait_for(lambda: len(records_so_far(log, "mptcp")) >= 20, "a record of each connection", 60)
        status, took = service.end()
        self.assertEqual(status, 0, service.errors.read_text())
        self.assertLess(took, 5)
        self.assertGreater(service.errors.read_text().count("weir: reloaded"), 0)
        print(f"{reloads} reloads asked for, {service.errors.read_text().count('weir: reloaded')} made")
        all_records = records(log.read_text())
        self.assertEqual([r["stats"]["capture"]["kernel_drops"] for r in all_records if r["event_type"] == "stats"][-1], 0)
        expected = sorted(talk.text(number, 2_000_000) for number in range(20))
        self.assertTrue(sorted(file.read_bytes() for file in streams.glob("*.toserver")) == expected, "streams differ from what was sent")

    def test_metrics(self):
        service = Service(self.lab, self.folder, {"log": {"eve": str(self.folder / "eve.json")}})
        self.send(5)
        wait_for(lambda: "\nweir_mptcp_connections_total 5\n" in self.get("/metrics")[1], "five connections")
        text = self.get("/metrics")[1]
        for line in (f'weir_capture_dropped_total{{interface="{self.lab.interface(2, 1)}"}} 0', "weir_log_lines_lost_total 0", "weir_healthy 1"):
            self.assertIn(f"\n{line}\n", text)
        self.assertEqual(self.get("/healthz"), (200, "ok\n"))
        self.assertEqual(self.get("/etc/passwd")[0], 404)
        other = self.folder / "other"
        other.mkdir()
        second = Service(self.lab, other, {"log": {"eve": str(other / "eve.json")}})
        self.assertIn("weir: 127.0.0.1:8384: Address already in use (goes on without metrics", second.errors.read_text())
        self.lab.run(self.lab.router, "ip", "link", "set", self.lab.interface(2, 1), "name", "other")
        wait_for(lambda: self.get("/healthz")[0] == 503, "the interface is missed")
        self.assertEqual(second.end()[0], 0)
        self.assertEqual(service.end()[0], 0)

    def privileges(self, service):
        lines = pathlib.Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def test_root_keeps_one_capability(self):
        service = Service(self.lab, self.folder, {"sensor": {"user": "root"}, "log": {"eve": str(self.folder / "eve.json")}})
        now = self.privileges(service)
        for name in ("CapEff", "CapPrm"):
            self.assertEqual(int(now[name], 16), 1 << 13, f"{name}: CAP_NET_RAW")
        self.assertEqual(int(now["CapBnd"], 16), 0)
        self.assertEqual((now["NoNewPrivs"], now["Seccomp"]), ("1", "2"))
        for thread in pathlib.Path(f"/proc/{service.process.pid}/task").iterdir():
            of_thread = (thread / "status").read_text()
            self.assertIn(f"CapEff:\t{1 << 13:016x}", of_thread)
            self.assertIn("Seccomp:\t2", of_thread)

    def test_another_user(self):
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.folder, 0o755)
        logs = self.folder / "logs"
        logs.mkdir()
        os.chown(logs, nobody.pw_uid, nobody.pw_gid)
        log = logs / "eve.json"
        service = Service(self.lab, self.folder, {"sensor": {"user": "nobody"}, "log": {"eve": str(log)}})
        self.assertIn("weir: goes on as user nobody\n", service.errors.read_text())
        now = self.privileges(service)
        self.assertEqual(now["Uid"].split(), [str(nobody.pw_uid)] * 4)
        self.assertEqual(int(now["CapEff"], 16), 1 << 13)
        self.assertEqual(log.stat().st_uid, nobody.pw_uid)
        log.rename(logs / "eve.json.1")
        service.signal(signal.SIGUSR1)
        wait_for(log.exists, "the log is opened again")
        away = self.lab.interface(2, 1)
        self.lab.run(self.lab.router, "ip", "link", "set", away, "down")
        self.lab.run(self.lab.router, "ip", "link", "set", away, "name", "other")
        service.says("the interface is gone")
        self.lab.run(self.lab.router, "ip", "link", "set", "other", "name", away)
        self.lab.run(self.lab.router, "ip", "link", "set", away, "up")
        service.says(f"weir: {away}: watched again")
        self.assertEqual(service.end()[0], 0)

    def test_as_a_service_manager_starts_it(self):
        os.chmod(self.folder, 0o755)
        nobody = pwd.getpwnam("nobody")
        logs = self.folder / "logs"
        logs.mkdir()
        os.chown(logs, nobody.pw_uid, nobody.pw_gid)
        manager = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        manager.bind(str(self.folder / "notify"))
        os.chmod(self.folder / "notify", 0o777)
        manager.settimeout(20)
        caps = "--inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw"
        as_nobody = f"setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups {caps} --no-new-privs"
        service = Service(self.lab, self.folder, {"log": {"eve": str(logs / "eve.json")}}, before=f'export NOTIFY_SOCKET={self.folder}/notify && set -- {as_nobody} "$@"')
        told = [manager.recv(100)]
        while b"READY=1" not in told:
            told.append(manager.recv(100))
        self.assertEqual(manager.recv(100), b"WATCHDOG=1")
        self.assertEqual(int(self.privileges(service)["CapEff"], 16), 1 << 13)
        self.send(1)
        wait_for(lambda: records_so_far(logs / "eve.json", "mptcp"), "the record")
        service.signal(signal.SIGTERM)
        while (last := manager.recv(100)) == b"WATCHDOG=1":
            pass
        self.assertEqual(last, b"STOPPING=1")
        self.assertEqual(service.process.wait(timeout=10), 0)

    def test_a_user_that_may_not_write_the_log(self):
        os.chmod(self.folder, 0o755)
        service = Service(self.lab, self.folder, {"sensor": {"user": "nobody"}, "log": {"eve": str(self.folder / "eve.json")}}, ready=False)
        self.assertEqual(service.process.wait(timeout=10), 1)
        self.assertIn("eve.json: Permission denied", service.errors.read_text())


def records_so_far(path, kind):
    """Of a log that is being written."""
    text = path.read_text() if path.exists() else ""
    return records(text[:text.rfind("\n") + 1], kind)


def records_of_status(answer):
    return json.loads(answer[1])["counters"]


if __name__ == "__main__":
    live_sensor.main()

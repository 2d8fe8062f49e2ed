"""`weir gateway` in a test: on the router, with a policy, and what it writes."""
import contextlib
import http.client
import itertools
import json
import pathlib
import signal
import socket
import subprocess
import sys
import time

import live_sensor
from live_sensor import main, wait_for  # noqa: F401  (main knows where the program is)

from lab import addresses, namespaces, talk


def warm(lab, port, families=(4, 6)):
    """Lines that have just come up may lose a first packet, or change the order of SYNs (README.md): each path has carried a connection to the server's port."""
    def connects(path, family):
        with namespaces.inside(lab.client), contextlib.suppress(OSError):
            socket.create_connection((lab.target(1, family), port), timeout=5, source_address=(addresses.client(path, family), 0)).close()
            return True
    for path, family in itertools.product(range(1, lab.paths + 1), families):
        wait_for(lambda path=path, family=family: connects(path, family), f"path {path} by IPv{family}", 60)


def half_way(lab, port, many, size, subflows):
    """Transfers from the client's host, each over so many subflows, of which half has passed; they wait to be told to go on."""
    folder = str(pathlib.Path(talk.__file__).parent)
    program = f"import sys; sys.path.insert(0, {folder!r}); import talk; talk.send({lab.target()!r}, {port}, range({many}), {size}, {subflows}, True)"
    transfers = lab.start(lab.client, sys.executable, "-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = ""
    while said.count("half") < many:
        said += (line := transfers.stdout.readline())
        assert line, transfers.stderr.read()
    return transfers


class OverSocket(http.client.HTTPConnection):
    """To a gateway's control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class Gateway:
    """One run of it in the router's namespace."""

    def __init__(self, lab, folder, policy="", rules="", gateway="", more=""):
        self.lab = lab
        self.folder = pathlib.Path(folder)
        self.log, self.errors = self.folder / "eve.json", self.folder / "errors"
        self.config, self.rules = self.folder / "weir.yaml", self.folder / "local.rules"
        self.rules.write_text(rules)
        self.write(policy, gateway, more)
        self.process = None

    def write(self, policy="", gateway="", more=""):
        state = "" if "state:" in gateway else "state: '', "
        state += "" if "control:" in gateway else "control: {socket: ''}, "
        web = "" if "web:" in more else "web: {listen: 'off'}\n"
        self.config.write_text(f"{web}log: {{eve: {self.log}}}\nsensor: {{inventory: {self.folder}/inventory.json, user: root}}\n"
                               f"gateway: {{{state}{gateway}}}\npolicy:\n{policy or '  default: {action: inspect}'}\n{more}\n")

    def start(self, *options, wait=True):
        with open(self.errors, "w") as errors:
            self.process = self.lab.start(self.lab.router, live_sensor.WEIR, "gateway", "--config", str(self.config),
                                          *(["--rules", str(self.rules)] if self.rules.read_text() else []), *options, stderr=errors)
        if wait:
            self.said("weir: ready")
        return self

    def said(self, line, seconds=20):
        def there():
            assert self.process.poll() is None, self.errors.read_text()
            return any(said == line or said.startswith(line + ";") for said in self.errors.read_text().splitlines())
        wait_for(there, line, seconds)

    def records(self, kind):
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines(keepends=True)
        return [r for r in (json.loads(line) for line in lines if line.endswith("\n")) if r["event_type"] == kind]

    def decisions(self):
        return [one["mptcp_policy"] for one in self.records("mptcp_policy")]

    def end(self, number=signal.SIGTERM):
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=10), time.monotonic() - began

    def last_stats(self):
        return self.records("stats")[-1]["stats"]

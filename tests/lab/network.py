"""A network of namespaces: client, router, server, with one veth pair a path on each side of the router, real kernels' MPTCP on them."""
import contextlib
import os
import subprocess
import sys

MPTCP = 262  # IPPROTO_MPTCP


def missing():
    """Why no network can be made here; nothing if one can."""
    if os.geteuid() != 0:
        return "namespaces need root"
    probe = f"weirprobe{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True).returncode != 0:
        return "no namespace can be made here"
    have = subprocess.run(["ip", "netns", "exec", probe, "sysctl", "-n", "net.mptcp.enabled"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", probe], check=True)
    return None if have.stdout.strip() == "1" else "this kernel has no MPTCP"


class Network:
    """With `paths` paths: client 10.P.1.2, router 10.P.1.1 and 10.P.2.1, server 10.P.2.2, P being the path from 1. Ends with its context."""

    def __init__(self, paths=2):
        self.paths = paths
        self.client, self.router, self.server = (f"weir{os.getpid()}{end}" for end in ("c", "r", "s"))
        self.processes = []

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _make(self):
        for name in (self.client, self.router, self.server):
            self._ip("netns", "add", name)
            self._ip("-n", name, "link", "set", "lo", "up")
        self.run(self.router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for path in range(1, self.paths + 1):
            for side, end in ((1, self.client), (2, self.server)):
                inner, outer = f"p{path}", self.interface(path, side)
                self._ip("link", "add", outer, "netns", self.router, "type", "veth", "peer", "name", inner, "netns", end)
                self._ip("-n", end, "addr", "add", f"10.{path}.{side}.2/24", "dev", inner)
                self._ip("-n", self.router, "addr", "add", f"10.{path}.{side}.1/24", "dev", outer)
                self._ip("-n", end, "link", "set", inner, "up")
                self._ip("-n", self.router, "link", "set", outer, "up")
                self._ip("-n", end, "route", "add", f"10.{path}.{3 - side}.0/24", "via", f"10.{path}.{side}.1")
                self._ip("-n", end, "rule", "add", "from", f"10.{path}.{side}.2", "table", str(path))
                self._ip("-n", end, "route", "add", "default", "via", f"10.{path}.{side}.1", "table", str(path))
        for end in (self.client, self.server):
            self._ip("-n", end, "route", "add", "default", "via", f"10.1.{1 if end == self.client else 2}.1")
            self._ip("-n", end, "mptcp", "limits", "set", "subflow", "8", "add_addr_accepted", "8")
        for path in range(1, self.paths + 1):
            self._ip("-n", self.client, "mptcp", "endpoint", "add", f"10.{path}.1.2", "dev", f"p{path}", "id", str(path), "subflow")

    @staticmethod
    def interface(path, side):
        """The router's: side 1 towards the client, 2 towards the server."""
        return f"{'cs'[side - 1]}{path}"

    @staticmethod
    def _ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

    def run(self, namespace, *command, **options):
        return subprocess.run(["ip", "netns", "exec", namespace, *command], check=True, **options)

    def start(self, namespace, *command, **options):
        process = subprocess.Popen(["ip", "netns", "exec", namespace, *command], **options)
        self.processes.append(process)
        return process

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
        for name in (self.client, self.router, self.server):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

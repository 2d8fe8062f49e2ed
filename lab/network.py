"""A network of namespaces: client, router, server, with one line a path on each side of the router, real kernels' MPTCP on them."""
import collections
import contextlib
import json
import os
import subprocess
import sys

from lab import addresses, description, firewall, namespaces

MPTCP = 262  # IPPROTO_MPTCP
LETTER = {"client": "c", "router": "r", "far": "f", "server": "s", "stranger": "x"}
MOST_SUBFLOWS = 8  # that the kernel's own path manager adds to a connection's first

missing = namespaces.missing


class Network:
    """Purpose: hosts and lines as a description says, from `with` until its end; addresses are those of addresses.py.
    Invariant: what it made, it takes away, whatever fails in between: namespaces by name, processes by their own ids.
    Ownership: its processes, started by start(). Threads: one.

    The description: a number of paths (IPv4 only), a name out of lab/networks, a file, or a Description.
    """

    def __init__(self, wanted=2, owner=None):
        if isinstance(wanted, int):
            wanted = description.of({"path": [{}] * wanted})
        elif isinstance(wanted, str):
            wanted = description.read(wanted)
        self.described = wanted
        self.paths = len(wanted.path)
        self.families = [addresses.FAMILY[name] for name in wanted.families]
        present = ["client", "router", *(["far"] if wanted.routers == 2 else []), "server", *(["stranger"] if wanted.stranger else [])]
        self.hosts = {host: namespaces.name(owner or os.getpid(), LETTER[host]) for host in present}
        self.client, self.router, self.server = (self.hosts[host] for host in ("client", "router", "server"))
        self.far, self.stranger = self.hosts.get("far"), self.hosts.get("stranger")
        self.last = self.far or self.router
        self.processes = []
        self._lines = collections.defaultdict(list)  # what ip has to do: (namespace, family) -> its lines; family 0 comes first

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _make(self):
        for namespace in self.hosts.values():
            self._ip("netns", "add", namespace)
            self._lines[namespace, 0] = ["link set lo up"]
        for router in {self.router, self.last}:
            self.set(router, "net.ipv4.ip_forward", 1)
            self.set(router, "net.ipv6.conf.all.forwarding", 1)
        for path in range(1, self.paths + 1):
            self._line(path, addresses.CLIENT_SIDE, (self.router, f"c{path}", 1), (self.client, f"p{path}", 2))
            self._line(path, addresses.SERVER_SIDE, (self.last, f"s{path}", 1), (self.server, f"p{path}", 2))
            if self.far:
                self._line(path, addresses.MIDDLE, (self.router, f"m{path}", 1), (self.far, f"m{path}", 2))
        if self.stranger:
            self._line(addresses.STRANGER_NET, addresses.CLIENT_SIDE, (self.router, "x1", 1), (self.stranger, "p1", 2))
        for family in self.families:
            self._routes(self.client, addresses.CLIENT_SIDE, family)
            self._routes(self.server, addresses.SERVER_SIDE, family)
            if self.stranger:
                self._lines[self.stranger, family].append(f"route add default via {addresses.address(addresses.STRANGER_NET, addresses.CLIENT_SIDE, 1, family)}")
            if self.far:
                self._between(family)
        for end in (self.client, self.server):
            self._lines[end, 0].append(f"mptcp limits set subflow {MOST_SUBFLOWS} add_addr_accepted {MOST_SUBFLOWS}")
        for path in range(1, self.paths + 1):
            for family in self.families:
                identifier = path if family == 4 else 10 + path
                self._lines[self.client, family].append(f"mptcp endpoint add {addresses.client(path, family)} dev p{path} id {identifier} subflow")
        self._work()
        for path, described in enumerate(self.described.path, 1):
            for namespace, interface in ((self.client, f"p{path}"), (self.router, f"c{path}")) if described.rate_mbit else ():
                self.run(namespace, "tc", "qdisc", "add", "dev", interface, "root", "tbf", "rate", f"{described.rate_mbit}mbit", "burst", "64k", "latency", "50ms")
        if rules := firewall.rules(self.described):
            self.run(self.hosts[self.described.box], "nft", "-f", "-", input=rules, text=True)

    def _line(self, path, side, *ends):
        """A veth pair; an end is a namespace, an interface and the host's number on that net."""
        (a, name_a, _), (b, name_b, _) = ends
        self._lines[None, 0].append(f"link add {name_a} netns {a} type veth peer name {name_b} netns {b}")
        for namespace, interface, host in ends:
            self._lines[namespace, 0].append(f"link set {interface} up")
            for family in self.families:
                # No duplicate address detection: an address would be tentative for a second.
                given, more = addresses.address(path, side, host, family), " nodad" if family == 6 else ""
                self._lines[namespace, family].append(f"addr add {given}/{addresses.PREFIX[family]} dev {interface}{more}")

    def _routes(self, end, side, family):
        """What leaves from a path's address takes that path; the rest takes the first."""
        for path in range(1, self.paths + 1):
            gateway, own = addresses.address(path, side, 1, family), addresses.address(path, side, 2, family)
            self._lines[end, family] += [f"route add {addresses.net(path, 3 - side, family)} via {gateway}",
                                 f"rule add from {own} table {path}",
                                 f"route add default via {gateway} dev p{path} table {path}"]
        self._lines[end, family].append(f"route add default via {addresses.address(1, side, 1, family)}")

    def _between(self, family):
        """Two routers: the first knows the server's nets behind the other, the other everything behind the first."""
        for path in range(1, self.paths + 1):
            near, far = (addresses.address(path, addresses.MIDDLE, host, family) for host in (1, 2))
            self._lines[self.router, family].append(f"route add {addresses.net(path, addresses.SERVER_SIDE, family)} via {far}")
            self._lines[self.far, family].append(f"route add {addresses.net(path, addresses.CLIENT_SIDE, family)} via {near}")
        self._lines[self.far, family].append(f"route add default via {addresses.address(1, addresses.MIDDLE, 1, family)}")

    def _work(self):
        """The lines that were put down, by one ip for each namespace and family: the links first, then what they need to be up, then addresses."""
        for namespace, family in sorted(self._lines, key=lambda key: (key[1], key[0] or "")):
            begin = [*([f"-{family}"] if family else []), *(["-n", namespace] if namespace else [])]
            self._ip(*begin, "-batch", "-", input="\n".join(self._lines[namespace, family]))

    @staticmethod
    def set(namespace, key, value):
        """A sysctl of the namespace."""
        with namespaces.inside(namespace), open("/proc/sys/" + key.replace(".", "/"), "w") as file:
            file.write(str(value))

    @staticmethod
    def interface(path, side):
        """A router's: side 1 towards the client, 2 towards the server (on `far`, if there are two routers), 3 between the routers (on both)."""
        return f"{'csm'[side - 1]}{path}"

    def target(self, path=1, family=4):
        """Where the client reaches the server."""
        if self.described.path[path - 1].nat == "port-forward":
            return addresses.box(path, self.described.box, family)
        return addresses.server(path, family)

    @staticmethod
    def _ip(*arguments, **options):
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True, **options)
        if done.returncode != 0:
            raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")

    def run(self, namespace, *command, **options):
        return subprocess.run(["ip", "netns", "exec", namespace, *command], **{"check": True, **options})

    def start(self, namespace, *command, **options):
        process = subprocess.Popen(["ip", "netns", "exec", namespace, *command], **options)
        self.processes.append(process)
        return process

    def kernel_counters(self, namespace):
        """What the namespace's kernel has counted since it began, as nstat names it: MPTcpExtMPJoinSynRx, TcpRetransSegs, ..."""
        said = self.run(namespace, "nstat", "-asz", "--json", capture_output=True, text=True).stdout
        return json.loads(said)["kernel"]

    def kernel_connections(self, namespace):
        """The namespace's MPTCP connections as ss tells them, one a line, those that listen left out."""
        return self.run(namespace, "ss", "-HMniO", "state", "connected", capture_output=True, text=True).stdout.splitlines()

    def without_a_bound_on_subflows(self, namespace):
        """Its kernel takes any number of subflows from now on: it leaves the choice to a path manager in user space, here one that only listens."""
        self.set(namespace, "net.mptcp.pm_type", 1)
        return self.start(namespace, "ip", "mptcp", "monitor", stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
        for namespace in self.hosts.values():
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)

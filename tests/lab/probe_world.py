"""A small internet for `weir probe`: thousands of addresses behind a router, real kernels and odd hosts at them, boxes that strip and drop."""
import ipaddress
import json
import pathlib
import subprocess
import sys

import network

from lab import addresses, description

HERE = pathlib.Path(__file__).parent

SERVE = """
import selectors, socket, sys
chosen = selectors.DefaultSelector()
for word in sys.argv[1:]:
    protocol, port = word.split(":")
    one = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, int(protocol))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("::", int(port)))
    one.listen(4096)
    one.setblocking(False)
    chosen.register(one, selectors.EVENT_READ, "listener")
print("listening", flush=True)
while True:
    for key, _ in chosen.select():
        try:
            if key.data == "listener":
                connection, _ = key.fileobj.accept()
                connection.setblocking(False)
                chosen.register(connection, selectors.EVENT_READ, "connection")
            elif not key.fileobj.recv(4096):
                raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            if key.data == "connection":
                chosen.unregister(key.fileobj)
                key.fileobj.close()
"""

# The nets behind the router, the port there, and what raw mode must find.
NETS = {
    "speaker": ("10.50.0.0/20", 80, "v1"),
    "plain": ("10.51.0.0/21", 81, "tcp_only"),
    "closed": ("10.52.0.0/22", 82, "closed"),
    "stripped": ("10.53.0.0/22", 80, "tcp_only"),
    "dropped": ("10.54.0.0/24", 80, "inconclusive"),
    "nowhere": ("10.55.0.0/24", 80, "timeout"),
    "speaker6": ("fd50::/119", 80, "v1"),
    "plain6": ("fd51::/120", 81, "tcp_only"),
    "v0": ("10.60.0.0/24", 80, "v0"),
    "mirror-v1": ("10.61.0.0/24", 80, "mirror"),
    "mirror-v0": ("10.62.0.0/24", 80, "mirror"),
    "mirror-key": ("10.63.0.0/25", 80, "mirror"),
    "wrong-ack": ("10.63.0.128/26", 80, "inconclusive"),
}
ODD = ("v0", "mirror-v1", "mirror-v0", "mirror-key", "wrong-ack")


class World(network.Network):
    """The lab's network with a stranger, who plays the odd hosts; all other nets are the server's."""

    def __init__(self, routers=1, paths=1):
        super().__init__(description.of({"families": ["ipv4", "ipv6"], "routers": routers, "stranger": True, "path": [{}] * paths}))

    def _make(self):
        super()._make()
        for name, (net, _, _) in NETS.items():
            family = 6 if ":" in net else 4
            if name in ODD:
                self._ip(f"-{family}", "-n", self.router, "route", "add", net, "via", addresses.client(addresses.STRANGER_NET, family))
                continue
            self._ip(f"-{family}", "-n", self.last, "route", "add", *(["blackhole", net] if name == "nowhere" else [net, "via", addresses.server(1, family)]))
            if self.far:
                self._ip(f"-{family}", "-n", self.router, "route", "add", net, "via", addresses.address(1, addresses.MIDDLE, 2, family))
            if name != "nowhere":
                self._ip(f"-{family}", "-n", self.server, "route", "add", "local", net, "dev", "lo")
        for key in ("net.ipv4.icmp_ratelimit", "net.ipv6.icmp.ratelimit"):
            for router in {self.router, self.last}:
                self.set(router, key, 0)
        self.set(self.server, "net.ipv4.tcp_max_syn_backlog", 65536)
        self.set(self.server, "net.core.somaxconn", 65536)
        self.set(self.server, "net.ipv4.tcp_syncookies", 0)

    def serve(self):
        """The server: MPTCP at port 80, plain TCP at 81; the odd hosts."""
        server = self.start(self.server, sys.executable, "-c", SERVE, "262:80", "6:81", stdout=subprocess.PIPE, text=True)
        odd = self.start(self.stranger, sys.executable, str(HERE / "odd_hosts.py"), "p1", *(f"{kind}={NETS[kind][0]}" for kind in ODD),
                         stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == odd.stdout.readline() == "listening\n"

    def rules(self, text):
        """nftables of the router's, in a table of the test's own."""
        self.run(self.router, "nft", "-f", "-", input=f"table inet boxes {{\n  chain forward {{\n    type filter hook forward priority 0;\n{text}\n  }}\n}}\n", text=True)

    def boxes(self, loss_percent=0):
        rules = [f"ip daddr {NETS['stripped'][0]} reset tcp option mptcp", f"ip daddr {NETS['dropped'][0]} tcp option mptcp exists drop"]
        if loss_percent:
            rules.append(f"numgen random mod 100 < {loss_percent} drop")
        self.rules("\n".join(rules))


def targets(*names):
    """As `weir probe` takes them."""
    out = []
    for name in names or NETS:
        net, port, _ = NETS[name]
        out.append(f"[{net}]:{port}" if ":" in net else f"{net}:{port}")
    return out


def count(*names):
    return sum(ipaddress.ip_network(NETS[name][0]).num_addresses for name in names or NETS)


def name_of(address):
    address = ipaddress.ip_address(address)
    return next(name for name, (net, _, _) in NETS.items() if address in ipaddress.ip_network(net))


def read(path):
    with open(path) as file:
        return [json.loads(line) for line in file]

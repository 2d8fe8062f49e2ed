"""The endpoint as a host: its links, who is connected, and the loop that all of it runs in."""
import os
import random
import select
import time

from lab.octets import options as o
from lab.octets.packets import ACK, RST, SYN, Segment
from lab.octets.received import Capable, Join
from lab.raw.connection import Connection
from lab.raw.link import Link, own_address

PATIENCE_SECONDS = 20
TICK_SECONDS = 0.02


class Host:
    """Purpose: see above. Invariant: everything happens inside pump(), in one thread. Ownership: links and connections, until close()."""

    def __init__(self, seed=None):
        self.rng = random.Random(seed)
        self.links, self.connections, self.subflows, self.listening = {}, [], {}, {}
        self.accepted = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for link in self.links.values():
            link.close()

    def link(self, interface, family=4, address=None):
        """The link on an interface, and an address of ours there."""
        key = (os.stat("/proc/thread-self/ns/net").st_ino, interface)  # a stranger's p1 is another
        if key not in self.links:
            self.links[key] = Link(interface)
        link, address = self.links[key], address or own_address(interface, family)
        if address is None:
            raise ValueError(f"{interface} has no IPv{family} address whose net could be used")
        link.own(address)
        return link, address

    def port(self):
        return self.rng.randrange(49152, 65536)

    def know(self, sub):
        self.subflows[sub.local, sub.remote] = sub

    def listen(self, port, version, checksum=False):
        self.listening[port] = (version, checksum)

    def pump(self, until, what, seconds=PATIENCE_SECONDS):
        """Runs until the condition holds. When the time is over: an error that says `what` did not happen; without `what`, no error."""
        deadline = time.monotonic() + seconds
        while not until():
            now = time.monotonic()
            if now > deadline:
                if what is None:
                    return False
                raise TimeoutError(f"not within {seconds} s: {what}")
            ready, _, _ = select.select([link.socket for link in self.links.values()], [], [], TICK_SECONDS)
            for link in self.links.values():
                if link.socket in ready:
                    for segment in link.receive():
                        self._take(link, segment)
            now = time.monotonic()
            for connection in self.connections:
                connection.tick(now)
        return True

    def _take(self, link, segment):
        sub = self.subflows.get(((segment.dst, segment.dport), (segment.src, segment.sport)))
        if sub:
            sub.take(segment)
        elif segment.flags & SYN and not segment.flags & ACK and segment.dport in self.listening:
            self._accept(link, segment)
        elif not segment.flags & RST:
            self._refuse(link, segment)

    def _accept(self, link, segment):
        version, checksum = self.listening[segment.dport]
        capable, join = segment.option(Capable), segment.option(Join)
        if capable and capable.version == version:
            connection = Connection(self, version, checksum, server=True)
            self.accepted.append(connection)
            connection.accept(link, segment, capable)
        elif join and (wanted := [one for one in self.accepted if one.token == join.token and one.peer_key]):
            wanted[0].accept(link, segment, join)
        else:
            self._refuse(link, segment)

    def _refuse(self, link, segment):
        seq = segment.ack if segment.flags & ACK else 0
        size = len(segment.payload) + bool(segment.flags & SYN)
        link.send(Segment(segment.dst, segment.dport, segment.src, segment.sport, seq, segment.seq + size, RST | ACK, 0, o.mp_tcprst(1) if segment.option(Join) else b""))

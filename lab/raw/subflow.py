"""One TCP connection of the endpoint: sequence numbers, acknowledgements, retransmission. What it carries is the Connection's business."""
import time
from dataclasses import dataclass

from lab.octets import options as o
from lab.octets.packets import ACK, FIN, PSH, RST, SYN, Segment, pad4
from lab.octets.received import Dss, Other

FIRST_RETRY_SECONDS = 0.3
MOST_TRIES = 8
WINDOW, SHIFT, MSS = 1024, 7, 1400


@dataclass
class Sent:
    """What takes sequence numbers and is not acknowledged yet; `mp` makes its option anew, with the DATA_ACK of the day."""
    seq: int
    size: int
    flags: int
    payload: bytes
    mp: object
    when: float
    tries: int = 1


def ahead(number, base):
    """number - base, as the signed distance that it means."""
    return ((number - base + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


class Subflow:
    """Purpose: see above. Invariant: sequence numbers here are relative to the ISNs, so that SYN is 0 and the first octet 1, on both sides.
    Ownership: the Connection has it; the Host finds it by its addresses. Threads: none of its own."""

    def __init__(self, connection, link, local, remote, addr_id=0, backup=False):
        self.connection, self.link, self.local, self.remote = connection, link, local, remote
        self.addr_id, self.backup, self.rng = addr_id, backup, connection.host.rng
        self.isn, self.nonce = self.rng.randrange(1 << 32), self.rng.randbytes(4)
        self.irs, self.peer_nonce, self.peer_shift = None, b"", 0
        self.nxt, self.una, self.rcv = 0, 0, 0
        self.unacked, self.mappings = [], []
        self.state = "closed"        # syn_sent, syn_received, joining (third ACK sent, not confirmed), established, reset, failed
        self.window = 65535
        self.hole = False            # octets were left out on purpose: what follows them never arrives
        self.fin_sent = self.fin_received = False
        self.third_when, self.spoil_hmac = 0.0, False  # of a JOIN's third ACK

    # -- out
    def transmit(self, flags, seq, payload=b"", mp=b"", head=b""):
        ack = (self.irs + self.rcv) & 0xFFFFFFFF if self.irs is not None else 0
        window = 64240 if flags & SYN else WINDOW
        self.link.send(Segment(*self.local, *self.remote, self.isn + seq, ack, flags, window, pad4(head + mp), payload))

    def syn(self, mp, flags=SYN):
        self.queue(1, flags, b"", lambda: mp, head=True)

    def queue(self, size, flags, payload, mp, head=False, lost=False):
        """Sends what takes sequence numbers, and again until it is acknowledged. `lost`: it only takes them."""
        sent = Sent(self.nxt, size, flags, payload, mp, time.monotonic())
        self.nxt += size
        if lost:
            self.hole = True
            return sent
        self.unacked.append(sent)
        self._again(sent)
        return sent

    def _again(self, sent):
        self.transmit(sent.flags, sent.seq, sent.payload, sent.mp(), o.mss(MSS) + o.wscale(SHIFT) if sent.flags & SYN else b"")

    def ack(self, mp=None):
        self.transmit(ACK, self.nxt, mp=self.connection.acknowledgement() if mp is None else mp)

    def fin(self):
        if not self.fin_sent and self.state == "established":
            self.fin_sent = True
            self.queue(1, FIN | ACK, b"", self.connection.acknowledgement)

    def rst(self):
        self.transmit(RST | ACK, self.nxt)
        self.state = "reset"

    def data(self, payload, mp, **how):
        return self.queue(len(payload), ACK | PSH, payload, mp, **how)

    def tick(self, now):
        if self.state in ("reset", "failed", "closed"):
            return
        for sent in self.unacked[:1]:
            if now - sent.when > FIRST_RETRY_SECONDS * min(8, 1 << (sent.tries - 1)):
                if sent.tries >= MOST_TRIES:
                    self.state = "failed"
                    return
                sent.when, sent.tries = now, sent.tries + 1
                self._again(sent)

    # -- in
    def take(self, segment):
        if segment.flags & RST:
            self.state = "reset"
            return
        if segment.flags & SYN:
            self.connection.answered(self, segment)
            return
        if segment.flags & ACK:
            self._acknowledged(segment)
        if any(isinstance(one, Other) and one.subtype == 7 and one.octets[4:12] == self.connection.key for one in segment.mptcp):
            self.connection.fastclose()
            return
        self.connection.options(self, segment)
        if self.state not in ("established", "joining"):
            return
        for one in segment.mptcp:
            if isinstance(one, Dss) and one.dsn is not None and one.length:
                self.mappings.append(one)
        self._payload(segment)

    def _acknowledged(self, segment):
        edge = ahead(segment.ack, self.isn + self.una) + self.una
        if self.una < edge <= self.nxt:
            self.una = edge
            self.unacked = [sent for sent in self.unacked if sent.seq + sent.size > edge]
        self.window = segment.win << (0 if segment.flags & SYN else self.peer_shift)

    def _payload(self, segment):
        size = len(segment.payload)
        fin = bool(segment.flags & FIN)
        if not size and not fin:
            return
        first = ahead(segment.seq, (self.irs + self.rcv) & 0xFFFFFFFF) + self.rcv
        if first <= self.rcv < first + size:
            fresh = segment.payload[self.rcv - first:]
            start, self.rcv = self.rcv, first + size
            self._deliver(start, fresh)
        if fin and first + size == self.rcv:
            self.rcv += 1
            self.fin_received = True
        self.ack()

    def _deliver(self, start, octets):
        """Octets in order on the subflow, to their places in the stream. Mappings that are over are forgotten."""
        for one in self.mappings:
            low, high = max(start, one.ssn), min(start + len(octets), one.ssn + one.length)
            if low < high:
                self.connection.deliver(one.dsn + low - one.ssn, one.dsn_bits, octets[low - start:high - start])
        self.mappings = [one for one in self.mappings if one.ssn + one.length > self.rcv]

    @property
    def idle(self):
        return not self.unacked

    def describe(self):
        return {"local": list(self.local), "remote": list(self.remote), "addr_id": self.addr_id, "state": self.state, "bytes_sent": max(0, self.nxt - 1 - self.fin_sent),
                "bytes_received": max(0, self.rcv - 1 - self.fin_received)}

"""One MPTCP connection of the endpoint, either version, either side: keys, handshakes, the stream both ways."""
import hmac
import time
from dataclasses import dataclass

from lab.octets import options as o
from lab.octets.packets import ACK, SYN
from lab.octets.received import Capable, Dss, Join
from lab.raw.subflow import Subflow

AGAIN_SECONDS = 0.6  # without a DATA_ACK for so long, though the subflows are acknowledged: sent again
FIN_AGAIN_SECONDS = 0.3
SIZE = 1400


class Refused(Exception):
    """The peer did not agree to MPTCP, or its answer proves nothing."""


@dataclass
class Piece:
    subflow: Subflow
    offset: int
    data: bytes


class Connection:
    """Purpose: see above. Invariant: offsets count the stream's octets from 0; the peer's octets are in `stream` as far as they are unbroken.
    Ownership: its subflows. Threads: none; the Host's loop calls it."""

    def __init__(self, host, version=1, checksum=False, server=False, key=None):
        self.host, self.version, self.server = host, version, server
        self.flags = 0x81 if checksum else 0x01
        self.key, self.peer_key = key or host.rng.randbytes(8), None
        self.token, self.idsn = o.token_of(version, self.key), o.idsn_of(version, self.key)
        self.subflows, self.pieces = [], []
        self.end = 0                       # of what was sent: the highest offset
        self.data_acked, self.progress = 0, time.monotonic()
        self.window = 0
        self.fin_at, self.fin_when = None, 0.0
        self.stream, self.parts, self.peer_fin = bytearray(), [], None
        self.fastclosed = False            # the peer, or someone with our key, has ended it
        host.connections.append(self)

    # -- what others ask
    @property
    def checksum(self):
        return bool(self.flags & 0x80)

    @property
    def identity(self):
        tokens = [self.token.hex(), self.peer_token.hex() if self.peer_key else "?"]
        return "-".join(reversed(tokens) if self.server else tokens)

    @property
    def peer_token(self):
        return o.token_of(self.version, self.peer_key)

    @property
    def peer_idsn(self):
        return o.idsn_of(self.version, self.peer_key)

    @property
    def received_fin(self):
        return self.peer_fin is not None and len(self.stream) >= self.peer_fin

    @property
    def all_acknowledged(self):
        return self.data_acked >= self.end + (self.fin_at is not None)

    def alive(self):
        return [one for one in self.subflows if one.state == "established"]

    def fastclose(self):
        """RFC 8684 3.5: MP_FASTCLOSE with our key came: every subflow is reset, the connection is over."""
        self.fastclosed = True
        for one in self.subflows:
            if one.state not in ("reset", "failed", "closed"):
                one.rst()

    # -- handshakes
    def open(self, link, local, remote):
        sub = self._subflow(link, local, remote)
        sub.state = "syn_sent"
        sub.syn(o.mp_capable(self.version, self.flags, *(() if self.version else (self.key,))))
        self.host.pump(lambda: sub.state not in ("syn_sent",), f"an answer from {remote}")
        if sub.state != "established":
            raise Refused(f"{sub.local} to {remote}: {sub.state}")
        return sub

    def join(self, link, local, remote, addr_id=0, backup=False, token=None, spoil_hmac=False, wait=True):
        """Another subflow. `token` and `spoil_hmac`: as one who does not know the keys would."""
        sub = self._subflow(link, local, remote, addr_id, backup)
        sub.state, sub.spoil_hmac = "syn_sent", spoil_hmac
        sub.syn(o.join_syn(token or self.peer_token, sub.nonce, addr_id, backup))
        if wait:
            self.host.pump(lambda: sub.state not in ("syn_sent", "joining"), f"the JOIN from {local} to be taken")
        return sub

    def _subflow(self, link, local, remote, addr_id=0, backup=False):
        sub = Subflow(self, link, local, remote, addr_id, backup)
        self.subflows.append(sub)
        self.host.know(sub)
        return sub

    def accept(self, link, segment, option):
        """Server: a SYN with MP_CAPABLE, or with MP_JOIN for this connection."""
        sub = self._subflow(link, (segment.dst, segment.dport), (segment.src, segment.sport))
        sub.irs, sub.rcv, sub.peer_shift, sub.state = segment.seq, 1, segment.shift or 0, "syn_received"
        if isinstance(option, Capable):
            self.flags |= option.flags & 0x80
            if self.version == 0:
                self.peer_key = option.keys[0]
            sub.syn(o.mp_capable(self.version, self.flags, self.key), SYN | ACK)
        else:
            sub.peer_nonce, sub.addr_id = option.nonce, option.addr_id
            code = o.mac(self.version, self.key + self.peer_key, sub.nonce + sub.peer_nonce)
            sub.syn(o.join_synack(code[:8], sub.nonce), SYN | ACK)

    def answered(self, sub, segment):
        """Client: the SYN/ACK, also when it comes again because the third ACK was lost. Server: the SYN again; its SYN/ACK is on its way."""
        if not segment.flags & ACK or sub.state == "syn_received":
            return
        sub.irs, sub.rcv, sub.peer_shift = segment.seq, max(sub.rcv, 1), segment.shift or 0
        sub._acknowledged(segment)
        if capable := segment.option(Capable):
            self.peer_key = capable.keys[0]
            self.flags |= capable.flags & 0x80
            sub.state = "established"
            sub.ack(o.mp_capable(self.version, self.flags, self.key, self.peer_key))
            sub.ack()  # with a DATA_ACK: from now on the server takes the connection for established, and JOINs
        elif (join := segment.option(Join)) and sub is not self.subflows[0]:
            sub.peer_nonce = join.nonce
            right = o.mac(self.version, self.peer_key + self.key, sub.peer_nonce + sub.nonce)[:8]
            if not hmac.compare_digest(right, join.code):
                sub.rst()
                sub.state = "failed"
                return
            sub.state = "joining"
            self._third(sub)
        else:
            sub.rst()

    def _third(self, sub):
        code = o.mac(self.version, self.key + self.peer_key, sub.nonce + sub.peer_nonce)[:20]
        sub.ack(o.join_ack(bytes(x ^ 0xFF for x in code) if sub.spoil_hmac else code))
        sub.third_when = time.monotonic()

    def options(self, sub, segment):
        """Of a segment without SYN."""
        if sub.state == "syn_received":
            self._third_came(sub, segment)
        elif sub.state == "joining":
            sub.state = "established"  # RFC 8684 3.2: the fourth ACK
        if self.peer_key is None:
            return
        for one in segment.mptcp:
            if isinstance(one, Capable) and one.length and self.server:
                sub.mappings.append(Dss(dsn=(self.peer_idsn + 1) & o.M64, ssn=1, length=one.length))
            if isinstance(one, Dss):
                self._dss(sub, one)

    def _third_came(self, sub, segment):
        capable, join = segment.option(Capable), segment.option(Join)
        if sub is self.subflows[0] and capable and len(capable.keys) == 2:
            self.peer_key = capable.keys[0]
            sub.state = "established"
            sub.ack()
        elif join and sub is not self.subflows[0]:
            right = o.mac(self.version, self.peer_key + self.key, sub.peer_nonce + sub.nonce)[:20]
            if hmac.compare_digest(right, join.code):
                sub.state = "established"
                sub.ack()
            else:
                sub.rst()
                sub.state = "failed"

    # -- the stream, in
    def _dss(self, sub, one):
        if one.ack is not None:
            acked = near(one.ack, one.ack_bits, self.idsn + 1 + self.data_acked) - self.idsn - 1
            acked = (acked + (1 << 63)) % (1 << 64) - (1 << 63)
            if self.data_acked < acked <= self.end + (self.fin_at is not None):
                self.data_acked, self.progress = acked, time.monotonic()
            self.window = sub.window
        if one.fin and one.dsn is not None:
            # A DATA_FIN is the last octet of its mapping (RFC 8684 3.3.3).
            self.peer_fin = (near(one.dsn, one.dsn_bits, self.peer_idsn + 1 + len(self.stream)) - self.peer_idsn - 1 + one.length - 1) & o.M64
            if one.length == 1:
                sub.ack()

    def deliver(self, dsn, bits, octets):
        offset = (near(dsn, bits, self.peer_idsn + 1 + len(self.stream)) - self.peer_idsn - 1) & o.M64
        if self.peer_fin is not None:
            octets = octets[:max(0, self.peer_fin - offset)]
        self.parts.append((offset, octets))
        self.parts.sort(key=lambda part: part[0])
        while self.parts and self.parts[0][0] <= len(self.stream):
            first, data = self.parts.pop(0)
            self.stream += data[len(self.stream) - first:]

    def acknowledgement(self):
        if self.peer_key is None:
            return b""
        return o.dss(ack=self.peer_idsn + 1 + len(self.stream) + self.received_fin)

    # -- the stream, out
    def mapping(self, offset, ssn, data, spoil_checksum=False):
        dsn = self.idsn + 1 + offset
        csum = (o.dss_checksum(dsn, ssn, len(data), data) ^ (0x5A5A if spoil_checksum else 0)) if self.checksum else None
        return o.dss(ack=self.peer_idsn + 1 + len(self.stream) + self.received_fin, dsn=dsn, ssn=ssn, length=len(data), csum=csum)

    def send(self, sub, offset, data, lost=False, spoil_checksum=False, hold=False):
        """Octets of the stream on a subflow, as segments, each with its own mapping. `hold`: they get their places now; what is returned sends them."""
        held = []
        for at in range(0, len(data), SIZE):
            piece, where = data[at:at + SIZE], offset + at
            self.room(where + len(piece), sub)
            make = (lambda piece=piece, where=where, ssn=sub.nxt: self.mapping(where, ssn, piece, spoil_checksum))
            if hold:
                place, sub.nxt = sub.nxt, sub.nxt + len(piece)
                held.append(lambda place=place, piece=piece, make=make: self._place(sub, place, piece, make))
            else:
                sub.data(piece, make, lost=lost)
            if not lost:
                self.pieces.append(Piece(sub, where, piece))
        self.end = max(self.end, offset + len(data))
        return held

    @staticmethod
    def _place(sub, place, piece, make):
        after = sub.nxt
        sub.nxt = place
        sub.data(piece, make)
        sub.nxt = after
        sub.unacked.sort(key=lambda sent: sent.seq)

    def copy(self, sub, offset, data):
        """The segment that carried this last, once more as it was: a duplicate on its subflow."""
        for sent in reversed(sub.unacked):
            if sent.payload == data:
                sub._again(sent)
                return

    def room(self, end, sub):
        """Waits until the peer's windows have room for the stream up to `end`, and the subflow for a segment."""
        self.host.pump(lambda: end <= self.data_acked + max(self.window, 16384) and sub.nxt - sub.una < max(sub.window, 16384) or sub.state in ("reset", "failed"), "room in the peer's window")

    def fin(self):
        """DATA_FIN behind what was sent; it is repeated until it is acknowledged."""
        self.fin_at = self.end
        self._fin_again(time.monotonic())

    def _fin_again(self, now):
        self.fin_when = now
        for sub in [one for one in self.alive() if not one.fin_sent][:1]:
            dsn = self.idsn + 1 + self.fin_at
            csum = o.dss_checksum(dsn, 0, 1, b"") if self.checksum else None
            sub.ack(o.dss(ack=self.peer_idsn + 1 + len(self.stream) + self.received_fin, dsn=dsn, ssn=0, length=1, csum=csum, fin=True))

    def tick(self, now):
        for sub in self.subflows:
            sub.tick(now)
            if sub.state == "joining" and now - sub.third_when > 0.3:
                self._third(sub)
        if self.fin_at is not None and not self.all_acknowledged and now - self.fin_when > FIN_AGAIN_SECONDS:
            self._fin_again(now)
        if self.data_acked < self.end and now - self.progress > AGAIN_SECONDS and all(one.idle or one.state in ("reset", "failed") for one in self.subflows):
            self._reinject(now)

    def _reinject(self, now):
        """The peer took it on the subflow but not into the stream (no room), or the subflow is gone: once more, on one that works."""
        self.progress = now
        usable = [one for one in self.alive() if not one.hole and not one.fin_sent]
        for piece in self.pieces:
            if usable and piece.offset <= self.data_acked < piece.offset + len(piece.data):
                sub = piece.subflow if piece.subflow in usable else usable[0]
                sub.data(piece.data, lambda ssn=sub.nxt: self.mapping(piece.offset, ssn, piece.data))
                return

    def finish(self, seconds=20):
        """DATA_FIN both ways, then FIN on every subflow; those with holes, and what does not end by itself, by RST."""
        if self.fin_at is None:
            self.fin()
        self.host.pump(lambda: self.all_acknowledged and self.received_fin or not self.alive(), "DATA_FIN and its acknowledgement both ways", seconds)
        self.close()

    def close(self, seconds=1):
        for sub in self.subflows:
            if sub.hole and sub.state == "established":
                sub.rst()
            sub.fin()
        over = lambda: all(one.state != "established" or (one.idle and one.fin_received) for one in self.subflows)  # noqa: E731
        self.host.pump(over, None, seconds)
        for sub in self.subflows:
            if sub.state == "established":
                if sub.idle and sub.fin_received:
                    sub.state = "closed"
                else:
                    sub.rst()

    def describe(self):
        return {"id": self.identity, "version": self.version, "checksum": self.checksum, "bytes_sent": self.end, "data_acknowledged": min(self.data_acked, self.end),
                "bytes_received": len(self.stream), "peer_finished": self.received_fin, "subflows": [one.describe() for one in self.subflows]}


def near(number, bits, expected):
    """A sequence number of 32 bits stands for the one next to what is expected."""
    if bits == 64:
        return number
    half = 1 << 31
    return expected + ((number - expected + half) & 0xFFFFFFFF) - half

"""An MPTCP connection between two well-behaved hosts: keys, ISNs, DSNs, timestamps, windows, ACKs and DATA_ACKs are kept right, so that a
plain use of it looks like Linux's; a scenario bends single segments. Sides are "c" (client) and "s" (server). On a subflow sequence numbers
are relative to the side's ISN (the SYN is 0, the first octet 1); in the stream the first octet is offset 0 (DSN = IDSN + 1)."""
from lab.octets import options as o
from lab.octets.packets import FLAG, Segment, community_id, pad4
from scene import digest_of

OTHER = {"c": "s", "s": "c"}
WAY = {"c": "toserver", "s": "toclient"}


class Got:
    """What has arrived: `edge` is where the unbroken part ends."""

    def __init__(self, edge=0):
        self.edge, self.parts = edge, []

    def add(self, first, last):
        self.parts.append((first, last))
        for a, b in sorted(self.parts):
            if a <= self.edge < b:
                self.edge = b
        self.parts = [p for p in self.parts if p[1] > self.edge]


def union(ranges):
    total, edge = 0, None
    for a, b in sorted(ranges):
        a = a if edge is None else max(a, edge)
        total += max(0, b - a)
        edge = b if edge is None else max(edge, b)
    return total


class End:
    """One host at connection level."""

    def __init__(self, version, key):
        self.key, self.token, self.idsn = key, o.token_of(version, key), o.idsn_of(version, key)
        self.got = Got()                # of the other's stream
        self.got_fin = False

    def dsn(self, offset):
        return (self.idsn + 1 + offset) & o.M64


class Half:
    """One host's side of a subflow."""

    def __init__(self, rng, ip, port, win):
        self.ip, self.port, self.win = ip, port, win
        self.isn = rng.randrange(1 << 32)
        self.ts_base = rng.randrange(1 << 31)
        self.ts_recent = 0
        self.nxt = 0
        self.got = Got()                # of the other's sequence numbers
        self.waiting = []               # (first, last, offset): mapped, not yet in order
        self.seen = []                  # payload ranges that this side sent, as captured


class Sub:
    def __init__(self, conn, opener, client, server, addr_id=0, backup=False, win=1024):
        rng = conn.s.rng
        self.conn, self.opener, self.addr_id, self.backup = conn, opener, addr_id, backup
        self.half = {"c": Half(rng, *client, win), "s": Half(rng, *server, win)}
        self.state, self.auth, self.ts, self.syn_data = "attempted", "verified", True, {"c": 0, "s": 0}
        self.shift, self.mss, self.wire = 7, conn.mss, {}
        self.points = None
        self.number = len(conn.subs)
        conn.subs.append(self)
        if conn.tune:
            conn.tune(self)

    def seg(self, side, flags="A", payload=b"", mp=b"", *, seq=None, ack=None, win=None, tsval=None, tsecr=None, ts=None, head=b"",
            gap=0.0003, captured=True, **wire):
        """One segment, as things stand; whatever is given instead is not remembered."""
        me, you, s = self.half[side], self.half[OTHER[side]], self.conn.s
        opts = head
        now_ts = me.ts_base + int((s.now + gap - s.start) * 1000)
        if self.ts if ts is None else ts:
            opts += (b"" if "S" in flags else b"\x01\x01") + o.timestamps(now_ts if tsval is None else tsval, me.ts_recent if tsecr is None else tsecr)
            if tsval is None and captured is not None:
                you.ts_recent = now_ts
        if "S" in flags and self.shift is not None:
            opts += o.wscale(self.shift)
        bits = sum(FLAG[f] for f in flags)
        if win is None:
            win = min(64240, me.win << (self.shift or 0)) if "S" in flags else me.win
        made = Segment(me.ip, me.port, you.ip, you.port, me.isn + (me.nxt if seq is None else seq),
                       (you.isn + (me.got.edge if ack is None else ack)) if "A" in flags or ack is not None else 0,
                       bits, win, pad4(opts + mp), payload, **{**self.wire, **wire})
        if captured:
            s.emit(made, gap)
        else:
            s.tick(gap)
        return made

    def syn(self, side, mp=b"", flags="S", payload=b"", extra=b"", **kw):
        head = o.mss(self.mss) + o.sack_permitted() + extra
        made = self.seg(side, flags, payload, mp, seq=0, head=head, **kw)
        self.half[side].nxt = 1 + len(payload)
        self.half[OTHER[side]].got.add(0, 1 + len(payload))
        self.syn_data[side] = len(payload)
        return made

    def fin(self, side, **kw):
        me = self.half[side]
        made = self.seg(side, "FA", mp=self.conn.dack(side), **kw)
        self.half[OTHER[side]].got.add(me.nxt, me.nxt + 1)
        me.nxt += 1
        return made

    def rst(self, side, mp=b"", flags="RA", end=True, **kw):
        made = self.seg(side, flags, mp=mp, **kw)
        if end:
            self.state = "reset"
        return made

    def finish(self, first="c"):
        """FIN both ways."""
        self.fin(first)
        self.fin(OTHER[first])
        self.seg(first, mp=self.conn.dack(first))
        self.state = "closed"

    def describe(self):
        way = self.opener, OTHER[self.opener]
        a, b = self.half[way[0]], self.half[way[1]]
        # The contract does not say whether a server-opened subflow is logged opener first or client first: either will do.
        both = (lambda x, y: x) if self.opener == "c" else (lambda x, y: [x, y])
        return {"id": self.number, "src_ip": both(a.ip, b.ip), "src_port": both(a.port, b.port), "dest_ip": both(b.ip, a.ip),
                "dest_port": both(b.port, a.port), "opener": {"c": "client", "s": "server"}[self.opener], "addr_id": self.addr_id, "backup": self.backup, "auth": self.auth,
                "state": self.state, "bytes_toserver": union(self.half["c"].seen) + self.syn_data["c"],
                "bytes_toclient": union(self.half["s"].seen) + self.syn_data["s"],
                **({"capture_points": self.points} if self.points else {})}


class Conn:
    def __init__(self, s, version=1, ipv6=False, checksum=False, client=None, server=None, key_c=None, key_s=None, mss=None, win=1024, tune=None):
        self.s, self.version, self.ipv6, self.checksum, self.tune = s, version, ipv6, checksum, tune
        self.mss = mss or (1440 if ipv6 else 1460)
        self.size = min(1400, self.mss - 60)
        self.win = win
        self.end = {"c": End(version, key_c or s.rng.randbytes(8)), "s": End(version, key_s or s.rng.randbytes(8))}
        self.client = client or ("2001:db8:1::10" if ipv6 else "198.51.100.10", s.rng.randrange(32768, 60000))
        self.server = server or ("2001:db8:2::80" if ipv6 else "203.0.113.80", s.rng.randrange(8000, 9000))
        self.subs, self.stream, self.finished = [], {"c": bytearray(), "s": bytearray()}, {"c": False, "s": False}
        self.dsn8, self.ack8, self.at_used = {"c": True, "s": True}, {"c": True, "s": True}, False
        self.flags = 0x81 if checksum else 0x01
        self.state, self.want, self.hidden, self.signals = "open", {}, False, True
        s.conns.append(self)

    # -- handshakes
    @property
    def ident(self):
        return self.end["c"].token.hex() + "-" + self.end["s"].token.hex()

    def first(self):
        return Sub(self, "c", self.client, self.server, win=self.win)

    def open(self, third=True, fourth=True, **kw):
        sub, (c, s), v = self.first(), (self.end["c"].key, self.end["s"].key), self.version
        sub.syn("c", o.mp_capable(v, self.flags, *(() if v else (c,))), **kw)
        sub.syn("s", o.mp_capable(v, self.flags, s), "SA", **kw)
        if third:
            sub.seg("c", mp=o.mp_capable(v, self.flags, c, s), **kw)
            sub.state = "established"
        if third and fourth:
            sub.seg("s", mp=self.dack("s"), **kw)
        return self

    def where(self, opener, src, dst):
        n = len(self.subs)
        if opener == "c":
            a = src or (f"2001:db8:3::{10 + n:x}" if self.ipv6 else f"192.0.2.{10 + n}")
            return (a if isinstance(a, tuple) else (a, self.s.rng.randrange(32768, 60000))), dst or self.server
        b = src or ("2001:db8:4::80" if self.ipv6 else "203.0.113.81")
        return dst or (self.client[0], self.s.rng.randrange(32768, 60000)), (b if isinstance(b, tuple) else (b, self.server[1] + 1))

    def hmacs(self, opener, na, nb):
        a, b = self.end[opener].key, self.end[OTHER[opener]].key
        return o.mac(self.version, b + a, nb + na)[:8], o.mac(self.version, a + b, na + nb)[:20]

    def join(self, opener="c", src=None, dst=None, addr_id=None, peer_id=0, backup=False, synack="ok", third="ok", fourth=True, nonce=None, token=None, **kw):
        """A JOIN. `synack`: ok, wrong (HMAC), rst, none (no answer), plain (no MP_JOIN); `third`: ok, wrong, none."""
        other = OTHER[opener]
        client, server = self.where(opener, src, dst)
        sub = Sub(self, opener, client, server, len(self.subs) if addr_id is None else addr_id, backup, win=self.win)
        na, nb = nonce or self.s.rng.randbytes(4), self.s.rng.randbytes(4)
        sub.nonce = na
        good8, good20 = self.hmacs(opener, na, nb)
        flip = lambda code: bytes(x ^ 0xA5 for x in code)
        sub.syn(opener, o.join_syn(token or self.end[other].token, na, sub.addr_id, backup), **kw)
        if synack == "none":
            return sub
        if synack == "rst":
            sub.seg(other, "RA", seq=0, ack=1, win=0, ts=False, mp=o.mp_tcprst(3) if self.version else b"", **kw)
            return sub
        if synack == "plain":
            sub.syn(other, b"", "SA", **kw)
            return sub
        sub.syn(other, o.join_synack(flip(good8) if synack == "wrong" else good8, nb, peer_id, backup), "SA", **kw)
        if synack == "wrong":
            sub.state = sub.auth = "failed"
        if third == "none":
            return sub
        sub.seg(opener, mp=o.join_ack(flip(good20) if third == "wrong" else good20), **kw)
        if "wrong" in (synack, third):
            sub.state = sub.auth = "failed"
            return sub
        sub.state = "established"
        if fourth:
            sub.seg(other, mp=self.dack(other), **kw)
        return sub

    # -- data
    def sub(self, which):
        return which if isinstance(which, Sub) else self.subs[which]

    def data_ack(self, side):
        me = self.end[side]
        return self.end[OTHER[side]].dsn(me.got.edge + int(me.got_fin))

    def dack(self, side):
        return o.dss(ack=self.data_ack(side), ack8=self.ack8[side]) if self.signals else b""

    def mapping(self, side, offset, ssn, length, data=None, csum=None, with_ack=True, fin=False):
        """A DSS with a mapping. `csum` (with checksums): None for the right one, or a number to add to it."""
        dsn = self.end[side].dsn(offset)
        value = None
        if self.checksum:
            value = (o.dss_checksum(dsn, ssn, length, data if data is not None else b"") + (csum or 0)) & 0xFFFF
        return o.dss(ack=self.data_ack(side) if with_ack else None, ack8=self.ack8[side], dsn=dsn, dsn8=self.dsn8[side], ssn=ssn, length=length,
                     csum=value, fin=fin)

    def capable_data(self, side, data):
        """MP_CAPABLE with data-level length (and checksum): v1's first data."""
        csum = o.dss_checksum(self.end[side].dsn(0), 1, len(data), data) if self.checksum else None
        return o.mp_capable(1, self.flags, self.end["c"].key, self.end["s"].key, length=len(data), csum=csum)

    def deliver(self, sub, side, seq, length, offset):
        """The receiver's books, when it takes these octets."""
        you = sub.half[OTHER[side]]
        you.got.add(seq, seq + length)
        if offset is not None:
            you.waiting.append((seq, seq + length, offset))
        for piece in [w for w in you.waiting if w[1] <= you.got.edge]:
            you.waiting.remove(piece)
            got, last = self.end[OTHER[side]].got, piece[2] + piece[1] - piece[0]
            if piece[2] > got.edge and last > got.edge + (you.win << (sub.shift or 0)):
                continue  # ahead, and beyond the window: dropped (Linux: mptcp_data_queue_ofo)
            got.add(piece[2], last)

    def send(self, side, data, sub=0, *, at=None, seq=None, size=None, mapped=True, span=None, repeat=False, ssn=None, csum=None, ack=True,
             captured=True, delivered=True, first=False, mp=None, each=None, **kw):
        """Octets of the stream on a subflow. `data` may be a number (random octets). `at`: offset in the stream (else: what comes next);
        `seq`: place on the subflow (else: what comes next); `span`: one mapping in the first segment covers `span` octets (True: all);
        `repeat`: with `span`, every segment carries the same mapping; `mapped` False: no mapping; `each(i)`: more arguments for segment i."""
        sub = self.sub(sub)
        data = self.s.data(data) if isinstance(data, int) else data
        me = sub.half[side]
        if at is None:
            at = len(self.stream[side])
            self.stream[side] += data
        else:
            self.at_used = True
        start = me.nxt if seq is None else seq
        size = size or self.size
        whole = len(data) if span is True else span
        shift = sub.syn_data[side]
        for i, begin in enumerate(range(0, len(data), size)):
            piece = data[begin:begin + size]
            where = start + begin
            if mp is not None:
                option = mp
            elif not self.signals:
                option = b""
            elif not mapped or (span and i and not repeat):
                option = self.dack(side)
            elif first and not i:
                option = self.capable_data(side, piece)
            elif span:
                option = self.mapping(side, at, (start - shift if ssn is None else ssn), whole, data[:whole], csum)
            else:
                option = self.mapping(side, at + begin, (where - shift if ssn is None else ssn + begin), len(piece), piece, csum)
            last = begin + size >= len(data)
            more = dict(kw, **(each(i) if each else {}))
            flags = more.pop("flags", "PA" if last else "A")
            shown = more.pop("captured", captured)
            sub.seg(side, flags, piece, option, seq=where, captured=shown, **more)
            if delivered:
                self.deliver(sub, side, where, len(piece), at + begin if mapped or mp is not None else None)
                if shown:
                    me.seen.append((where, where + len(piece)))
        me.nxt = max(me.nxt, start + len(data)) if delivered else me.nxt
        if ack and delivered:
            self.ack(OTHER[side], sub)
        return at

    def ack(self, side, sub=0, **kw):
        return self.sub(sub).seg(side, mp=self.dack(side), **kw)

    def data_fin(self, side, sub=0, ack=True, **kw):
        sub, end = self.sub(sub), len(self.stream[side])
        sub.seg(side, mp=self.mapping(side, end, 0, 1, fin=True), **kw)
        self.finished[side] = True
        self.end[OTHER[side]].got_fin = True
        if ack:
            self.ack(OTHER[side], sub)

    def close(self, subs=None, by=0):
        """DATA_FIN both ways on subflow `by`, then FIN both ways on every established one."""
        self.data_fin("c", by)
        self.data_fin("s", by)
        for sub in self.subs if subs is None else [self.sub(x) for x in subs]:
            if sub.state == "established":
                sub.finish()
        self.state = "closed"
        return self

    def exchange(self, toserver=3000, toclient=5000, subs=(0,)):
        """Some data both ways, in turn over the subflows."""
        for i, which in enumerate(subs):
            part = lambda n: n // len(subs) + (n % len(subs) if i == 0 else 0)
            if part(toserver):
                self.send("c", part(toserver), which)
            if part(toclient):
                self.send("s", part(toclient), which)
        return self

    def fastclose(self, side, sub=0, flags="RA", key=None, **kw):
        """MP_FASTCLOSE from `side`, with the receiver's key unless another is given."""
        return self.sub(sub).seg(side, flags, mp=o.mp_fastclose(key or self.end[OTHER[side]].key), **kw)

    # -- expectations
    def secrets(self):
        return [e.key.hex() for e in self.end.values()] if not self.hidden else []

    def expectation(self):
        if self.hidden:
            return None
        took = [f for f in self.subs if f.state not in ("attempted", "failed")]
        record = {"id": self.ident, "version": self.version, "state": self.state, "checksum": self.checksum, "subflows": len(took),
                  "toserver": digest_of(bytes(self.stream["c"])), "toclient": digest_of(bytes(self.stream["s"])),
                  "gap_bytes_toserver": 0, "gap_bytes_toclient": 0, "visibility": 1.0,
                  "duplicate_bytes": None if self.at_used else 0, "subflow_list": [f.describe() for f in self.subs]}
        first = self.subs[0].half if self.subs else None
        if first:
            record["community_id"] = community_id(first["c"].ip, first["c"].port, first["s"].ip, first["s"].port)
        for key, value in self.want.items():
            if key == "subflow_changes":
                for n, change in value.items():
                    record["subflow_list"][n].update(change)
            else:
                record[key] = value
        if "x-*" in record["id"]:
            for f in record.get("subflow_list") or []:
                f["auth"] = ["verified", "unverified"]      # no keys: nothing to verify; the texts do not say which word stands there
        return {k: v for k, v in record.items() if v is not None}

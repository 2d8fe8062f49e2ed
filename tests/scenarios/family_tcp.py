"""What counts as delivered, rules 1 and 2: which segments a receiver takes, and whose octets win where they overlap on a subflow."""
from peers import Conn
from scene import digest_of, scenario, variants

F = "tcp"


def running(s, version=1, joins=1, **kw):
    c = Conn(s, version, **kw).open()
    for _ in range(joins):
        c.join()
    c.exchange(2000, 3000, tuple(range(len(c.subs))))
    return c


def ended(c, by=0):
    live = [f.number for f in c.subs if f.state == "established"]
    c.exchange(2000, 3000, tuple(live))
    c.close(by=by)


def decoy(c, side, sub, count, ahead=0, **kw):
    """A segment with other octets in the place where the next ones (`ahead` octets later) will be; the receiver throws it away."""
    f = c.sub(sub)
    return c.send(side, c.s.data(count), f, at=len(c.stream[side]) + ahead, seq=f.half[side].nxt + ahead, delivered=False, ack=False, **kw)


def loose_duplicates(c, *allowed):
    c.want["duplicate_bytes"] = [0, *allowed]


# -- checksums
@variants(F, auto="auto", verify="verify")
def bad_checksum(s, mode):
    """A segment with other octets and a wrong TCP checksum, before the real one: its receiver ignores it, so do we (auto: the source has sent right ones)."""
    c = running(s)
    decoy(c, "c", 0, 700, tcp_sum="bad")
    decoy(c, "s", 1, 700, tcp_sum="bad")
    c.send("c", 700)
    c.send("s", 700, 1)
    ended(c)
    loose_duplicates(c)
    s.expect(args=["--checksums", mode])


@scenario(F)
def bad_checksum_ignored_setting(s):
    """--checksums ignore: the wrong sum does not matter, the first copy counts, the second contradicts it."""
    c = running(s)
    evil = s.data(700)
    at = c.send("c", evil, ack=False, tcp_sum="bad")
    c.send("c", s.data(700), at=at, seq=c.subs[0].half["c"].nxt - 700)
    ended(c)
    c.want["duplicate_bytes"] = None
    s.expect(args=["--checksums", "ignore"])
    s.raises("segment_overlap_conflict", may=("dsn_overlap_conflict",))


@scenario(F)
def source_never_right(s):
    """A source whose checksums are all wrong is captured before its offload: everything counts (auto)."""
    c = Conn(s)
    c.tune = lambda sub: sub.wire.update(tcp_sum="bad")
    c.open()
    c.join()
    c.exchange(9000, 9000, (0, 1))
    c.close()


@scenario(F)
def source_never_right_one_side(s):
    """The client's checksums are all wrong (captured on the client), the server's are right: everything counts."""
    c = running(s)
    ended(c)
    out = [(t, g) for t, g in s.packets]
    for _, g in out:
        if g.dst == c.server[0]:
            g.tcp_sum = "bad"
    s.ambiguity("sources are told apart by address")


@scenario(F)
def source_never_right_verify(s):
    """--checksums verify with a source that never has a right one: nothing of it is used, so there is no connection."""
    c = Conn(s)
    c.tune = lambda sub: sub.wire.update(tcp_sum="bad")
    c.open()
    c.exchange(5000, 5000)
    c.close()
    c.hidden = True
    s.expect(args=["--checksums", "verify"])


@scenario(F)
def pseudo_header_sums(s):
    """The sum that checksum offload leaves (pseudo-header only) beside right ones, in turn: all count (auto)."""
    c = Conn(s).open()
    c.join()
    for i in range(8):
        c.send("c", 800, i % 2, tcp_sum="pseudo" if i % 2 else "good")
        c.send("s", 800, i % 2, tcp_sum="pseudo" if i % 3 else "good")
    c.close()


@scenario(F)
def pseudo_header_sums_v6(s):
    """Pseudo-header sums over IPv6, all segments."""
    c = Conn(s, ipv6=True)
    c.tune = lambda sub: sub.wire.update(tcp_sum="pseudo")
    c.open()
    c.join()
    c.exchange(9000, 9000, (0, 1))
    c.close()


@scenario(F)
def pseudo_header_sum_verify(s):
    """--checksums verify: the pseudo-header sum is not right; such a segment is not used."""
    c = running(s)
    decoy(c, "c", 0, 300, tcp_sum="pseudo")
    c.send("c", 300)
    ended(c)
    loose_duplicates(c)
    s.expect(args=["--checksums", "verify"])


@scenario(F)
def merged_above_mss(s):
    """Segments longer than the receiver's MSS with wrong checksums (merged before capture) beside right ones: they count (auto)."""
    c = running(s)
    for sub in (0, 1):
        c.send("c", 9000, sub, size=4500, tcp_sum="bad")
        c.send("s", 20000, sub, size=20000, tcp_sum="bad")
    ended(c)


@scenario(F)
def bad_sum_at_mss(s):
    """A segment that just fits the receiver's MSS, options and all, with a wrong checksum, where the source has sent right ones: not used."""
    c = running(s)
    for f in c.subs:
        f.ts = False
    decoy(c, "c", 0, 1430, size=1430, tcp_sum="bad")
    c.send("c", 1400)
    ended(c)
    loose_duplicates(c)
    for f in c.subs:
        f.ts = True
    s.ambiguity("whether the MSS is compared with the payload or with payload and options: 1,430 + 28 octets fit on either reading")


@variants(F, data="data", rst="rst")
def bad_ip_checksum(s, what):
    """A wrong IPv4 header checksum: the host drops the packet before TCP sees it."""
    c = running(s)
    if what == "data":
        decoy(c, "c", 0, 700, ip_sum="bad")
        c.send("c", 700)
    else:
        c.subs[0].rst("s", flags="R", end=False, ip_sum="bad")
        c.send("c", 700)
    ended(c)
    loose_duplicates(c)


@scenario(F)
def bad_checksum_rst_and_fin(s):
    """RST and FIN at the exact place, with wrong TCP checksums: neither ends the subflow."""
    c = running(s)
    c.subs[0].rst("c", end=False, tcp_sum="bad")
    c.subs[1].seg("s", "FA", tcp_sum="bad")
    ended(c)


@scenario(F)
def bad_checksum_dss_and_synack(s):
    """A forged ACK with a wrong checksum carries MP_FASTCLOSE with the right key: not taken; wrong-sum JOIN neither."""
    c = running(s)
    c.fastclose("s", 0, flags="A", tcp_sum="bad")
    ended(c)


@scenario(F)
def bad_checksum_lost_for_good(s):
    """A segment is damaged on the wire and never sent again before the capture ends: the stream stops there."""
    c = running(s, joins=0)
    before = bytes(c.stream["c"])
    c.send("c", 900, delivered=False, ack=False, tcp_sum="bad")
    c.subs[0].half["c"].nxt += 900
    c.send("c", 900, ack=False)
    c.want.update(toserver=digest_of(before), visibility=None, gap_bytes_toserver=0, duplicate_bytes=0, subflow_list=None)


# -- windows
@variants(F, toserver="c", toclient="s")
def beyond_right_edge(s, side):
    """Other octets far beyond the window (128 KiB), where real ones stand later: not used, not kept."""
    c = running(s)
    decoy(c, side, 0, 1000, ahead=150_000)
    for _ in range(40):
        c.send(side, 4200, 0)
    ended(c)
    loose_duplicates(c)
    s.exp["may_anomalies"] = ["dsn_out_of_window"]


@scenario(F)
def beyond_a_small_window(s):
    """A receiver with a window of 8 KiB: other octets 9 KiB ahead are outside and not used; up to the edge they are."""
    c = Conn(s, win=64).open()
    c.exchange(2000, 2000)
    decoy(c, "c", 0, 1000, ahead=9 * 1024)
    for _ in range(5):
        c.send("c", 4000)
    c.send("c", 8192, size=1024)
    c.close()
    loose_duplicates(c)
    s.exp["may_anomalies"] = ["dsn_out_of_window"]


@scenario(F)
def left_of_the_window(s):
    """Old octets again with other content after they were acknowledged: the stream keeps the first; nothing has to be reported."""
    c = running(s)
    c.send("c", s.data(500), 0, at=0, seq=1, ack=False)
    c.send("s", s.data(500), 1, at=0, seq=1, ack=False)
    ended(c)
    c.want["duplicate_bytes"] = None
    s.exp["may_anomalies"] = ["segment_overlap_conflict", "dsn_overlap_conflict", "mapping_conflict", "dsn_out_of_window"]
    s.ambiguity("the copies are acknowledged: a report is neither asked for nor forbidden")


@scenario(F)
def old_and_new_in_one(s):
    """A retransmission that starts before the left edge and goes on with new octets: the new part counts, the old part is the same."""
    c = running(s)
    a, b = s.data(600), s.data(800)
    at = c.send("c", a)
    c.stream["c"] += b
    c.send("c", a + b, at=at, seq=c.subs[0].half["c"].nxt - 600)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def paws(s):
    """Other octets with an old timestamp in the place of the next ones: PAWS throws them away."""
    c = running(s)
    s.tick(2.0)
    c.exchange(500, 500, (0, 1))
    half = c.subs[0].half["c"]
    decoy(c, "c", 0, 700, tsval=half.ts_base - 5000)
    c.send("c", 700)
    half = c.subs[1].half["s"]
    decoy(c, "s", 1, 700, tsval=half.ts_base - 1)
    c.send("s", 700, 1)
    ended(c)
    loose_duplicates(c)


@scenario(F)
def paws_equal_is_fine(s):
    """The same timestamp value on many segments (a coarse clock): all count."""
    c = running(s)
    half = c.subs[0].half["c"]
    now = half.ts_base + int((s.now - s.start) * 1000) + 1
    c.send("c", 9000, tsval=now)
    s.tick(0.1)
    ended(c)


@scenario(F)
def paws_fast_retransmission_order(s):
    """Segments reordered by the network with their own, slightly older timestamps: Linux takes them while TS.Recent has not moved past."""
    c = running(s)
    f, side = c.subs[0], "c"
    a, b = s.data(1000), s.data(1000)
    first = f.half["c"].ts_base + int((s.now - s.start) * 1000) + 1
    start, at = f.half["c"].nxt, len(c.stream["c"])
    c.stream["c"] += a + b
    c.send(side, b, 0, at=at + 1000, seq=start + 1000, ack=False, tsval=first)
    c.send(side, a, 0, at=at, seq=start, tsval=first)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def no_ack_flag(s):
    """A data segment without the ACK flag: thrown away."""
    c = running(s)
    decoy(c, "c", 0, 700, flags="P")
    c.send("c", 700)
    ended(c)
    loose_duplicates(c)


@variants(F, toserver="c", toclient="s")
def ack_of_the_unsent(s, side):
    """A data segment that acknowledges what its receiver never sent: thrown away."""
    c = running(s)
    f = c.subs[0]
    f.seg(side, "PA", s.data(700), c.mapping(side, len(c.stream[side]), f.half[side].nxt, 700), ack=f.half[side].got.edge + 50_000)
    c.send(side, 700)
    ended(c)


# -- RST, FIN, SYN
@variants(F, from_client="c", from_server="s")
def rst_in_window_not_exact(s, side):
    """RST inside the window, but not at rcv_nxt: a challenge ACK at most; the subflow goes on (RFC 5961)."""
    c = running(s)
    f = c.subs[1]
    f.rst(side, flags="R", end=False, seq=f.half[side].nxt + 1000)
    f.seg("s" if side == "c" else "c", mp=c.dack("s" if side == "c" else "c"))
    ended(c)


@scenario(F)
def rst_out_of_window(s):
    """RST left and right of the window: ignored."""
    c = running(s)
    f = c.subs[1]
    f.rst("c", flags="R", end=False, seq=f.half["c"].nxt - 500)
    f.rst("c", flags="R", end=False, seq=f.half["c"].nxt + 2_000_000)
    f.rst("s", flags="RA", end=False, seq=f.half["s"].nxt + 1_500_000_000)
    ended(c)


@variants(F, from_client="c", from_server="s")
def rst_exact(s, side):
    """RST at exactly rcv_nxt ends the subflow; what comes on it later counts in nothing; the other subflow goes on."""
    c = running(s)
    f = c.subs[1]
    f.rst(side)
    c.send("c", s.data(600), f, at=len(c.stream["c"]), delivered=False, ack=False)
    c.send("s", s.data(600), f, at=len(c.stream["s"]), delivered=False, ack=False)
    ended(c)
    loose_duplicates(c)


@scenario(F)
def rst_exact_on_only_subflow(s):
    """RST at rcv_nxt on the only subflow: state reset; later data counts in nothing."""
    c = running(s, joins=0)
    c.subs[0].rst("s")
    c.send("c", s.data(600), 0, at=len(c.stream["c"]), delivered=False, ack=False)
    c.state = "reset"


@scenario(F)
def rst_on_all_subflows(s):
    """RST on one subflow, then on the last: reset with the last."""
    c = running(s)
    c.subs[0].rst("c")
    c.exchange(500, 500, (1,))
    c.subs[1].rst("s")
    c.state = "reset"


@variants(F, right_client=("c", 5_000_000), right_server=("s", 5_000_000), left_client=("c", -200_000), left_server=("s", -200_000))
def fin_out_of_window(s, how):
    """A forged FIN far outside the window: the subflow goes on, and closes with its own FINs later."""
    c = running(s)
    f = c.subs[1]
    f.seg(how[0], "FA", seq=f.half[how[0]].nxt + how[1])
    ended(c)


@scenario(F)
def fin_before_the_last_data(s):
    """The FIN is seen before the segment in front of it (reordered): all octets count, the subflow closes."""
    c = running(s)
    f = c.subs[1]
    tail = s.data(700)
    at = len(c.stream["c"])
    c.stream["c"] += tail
    me = f.half["c"]
    f.seg("c", "FA", mp=c.dack("c"), seq=me.nxt + 700)
    f.seg("s", mp=c.dack("s"))
    c.send("c", tail, f, at=at)
    f.half["s"].got.add(me.nxt, me.nxt + 1)
    me.nxt += 1
    c.ack("s", f)
    f.fin("s")
    f.seg("c", mp=c.dack("c"))
    f.state = "closed"
    c.exchange(1000, 1000, (0,))
    c.close()
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_behind_fin(s):
    """Data on a subflow behind its own FIN: the receiver has no place for it."""
    c = running(s)
    f = c.subs[1]
    f.fin("c")
    c.ack("s", f)
    c.send("c", s.data(500), f, at=len(c.stream["c"]), delivered=False, ack=False)
    f.fin("s")
    f.seg("c", mp=c.dack("c"))
    f.state = "closed"
    c.exchange(1000, 1000, (0,))
    c.close()
    loose_duplicates(c)


@variants(F, plain=False, capable=True)
def syn_in_established(s, capable):
    """A SYN in the window of an established subflow, with and without MP_CAPABLE, answered by a challenge ACK: nothing changes."""
    from lab.octets import options as o
    c = running(s)
    f = c.subs[0]
    f.seg("c", "S", mp=o.mp_capable(1, 1) if capable else b"", seq=f.half["c"].nxt + 77, head=o.mss(1460) + o.sack_permitted())
    f.seg("s", mp=c.dack("s"))
    ended(c)


# -- overlaps on a subflow
def conflict(s, c):
    s.raises("segment_overlap_conflict", may=("dsn_overlap_conflict", "mapping_conflict"))
    c.want["duplicate_bytes"] = None


@scenario(F)
def first_in_order_wins(s):
    """Octets in order, then the same place again with others, before any ACK: the first copy counts, the second is told."""
    c = running(s)
    at = c.send("c", 800, ack=False)
    c.send("c", s.data(800), at=at, seq=c.subs[0].half["c"].nxt - 800)
    ended(c)
    conflict(s, c)


@scenario(F)
def retransmission_differs_in_one_bit(s):
    """A retransmission before the ACK that differs in one bit of its last octet."""
    c = running(s)
    real = s.data(1000)
    at = c.send("c", real, ack=False)
    c.send("c", real[:-1] + bytes([real[-1] ^ 1]), at=at, seq=c.subs[0].half["c"].nxt - 1000)
    ended(c)
    conflict(s, c)


@scenario(F)
def retransmission_same(s):
    """Retransmissions with the same octets, cut otherwise (whole, halves, across boundaries): no event."""
    c = running(s)
    real = s.data(1200)
    at = c.send("c", real, ack=False, size=400)
    start = c.subs[0].half["c"].nxt - 1200
    c.send("c", real, at=at, seq=start, ack=False, size=1200)
    c.send("c", real[100:900], at=at + 100, seq=start + 100, size=250)
    ended(c)
    c.want["duplicate_bytes"] = 0


def queue(s, kept, new, result, level="tcp", sub=0):
    """Out-of-order copies: `kept` and `new` are (first, last, fill octet) behind a gap of 100; `result`: the octets that win, from 100 on."""
    c = running(s)
    f = c.subs[sub]
    base, start = len(c.stream["c"]), f.half["c"].nxt
    gap = s.data(100)
    c.stream["c"] += gap + result.encode()
    for first, last, fill in kept + new:
        c.send("c", fill.encode() * (last - first), f, at=base + first, seq=start + first, ack=False)
    c.send("c", gap, f, at=base, seq=start)
    ended(c)
    conflict(s, c)


@scenario(F)
def ooo_inside(s):
    """Out of order: a segment wholly inside a kept one is dropped."""
    queue(s, [(100, 400, "A")], [(200, 300, "B")], "A" * 300)


@scenario(F)
def ooo_same_range(s):
    """Out of order: the very same range again is dropped."""
    queue(s, [(100, 400, "A")], [(100, 400, "B")], "A" * 300)


@scenario(F)
def ooo_shorter_from_same_start(s):
    """Out of order: a shorter one from the same start lies inside, and is dropped."""
    queue(s, [(100, 400, "A")], [(100, 300, "B")], "A" * 300)


@scenario(F)
def ooo_same_end(s):
    """Out of order: one that ends where the kept one ends lies inside, and is dropped."""
    queue(s, [(100, 400, "A")], [(250, 400, "B")], "A" * 300)


@scenario(F)
def ooo_longer_from_same_start(s):
    """Out of order: a longer one from the same start replaces the kept one."""
    queue(s, [(100, 300, "A")], [(100, 400, "B")], "B" * 300)


@scenario(F)
def ooo_covering_one(s):
    """Out of order: one that begins before and ends behind the kept one removes it."""
    queue(s, [(200, 300, "A")], [(100, 400, "B")], "B" * 300)


@scenario(F)
def ooo_covering_several(s):
    """Out of order: one that covers several kept ones, apart from each other, removes them all."""
    queue(s, [(150, 200, "A"), (250, 300, "C")], [(100, 400, "B")], "B" * 300)


@scenario(F)
def ooo_left_kept(s):
    """Out of order, overlap in part: the kept one starts further left and gives the shared octets."""
    queue(s, [(100, 300, "A")], [(200, 400, "B")], "A" * 200 + "B" * 100)


@scenario(F)
def ooo_left_new(s):
    """Out of order, overlap in part: the new one starts further left and gives the shared octets."""
    queue(s, [(200, 400, "A")], [(100, 300, "B")], "B" * 200 + "A" * 100)


@scenario(F)
def ooo_then_in_order_covers(s):
    """A gap is filled by a segment in order that reaches into kept octets: what is in order at once counts, the kept ones give only the rest."""
    c = running(s)
    f = c.subs[0]
    base, start = len(c.stream["c"]), f.half["c"].nxt
    c.stream["c"] += b"B" * 300 + b"A" * 100
    c.send("c", b"A" * 200, f, at=base + 200, seq=start + 200, ack=False)
    c.send("c", b"B" * 300, f, at=base, seq=start)
    ended(c)
    conflict(s, c)


@scenario(F)
def ooo_same_content(s):
    """Out-of-order copies that overlap in every way with the same octets: no event."""
    c = running(s)
    f = c.subs[1]
    base, start, real = len(c.stream["c"]), f.half["c"].nxt, s.data(1000)
    c.stream["c"] += real
    for a, b in ((300, 500), (200, 400), (450, 800), (250, 350), (100, 900), (800, 1000), (100, 900)):
        c.send("c", real[a:b], f, at=base + a, seq=start + a, ack=False)
    c.send("c", real[:100], f, at=base, seq=start)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def conflict_toclient(s):
    """The same in the other direction, on a joined subflow: the server's octets, first copy counts."""
    c = running(s)
    at = c.send("s", 800, 1, ack=False)
    c.send("s", s.data(800), 1, at=at, seq=c.subs[1].half["s"].nxt - 800)
    ended(c)
    conflict(s, c)

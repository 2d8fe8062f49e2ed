"""What counts as delivered, rules 3 to 7: mappings, DSS checksums, DSN order across subflows, ends of delivery."""
from lab.octets import options as o
from peers import Conn
from scene import digest_of, scenario, variants
from family_tcp import ended, running

F = "data"
LOOSE = ("segment_overlap_conflict", "dsn_overlap_conflict", "mapping_conflict")


# -- mappings
@variants(F, v0=0, v1=1)
def mapping_covers_later_segments(s, version):
    """One mapping in the first of four segments; the later ones carry none."""
    c = running(s, version)
    c.send("c", 5000, 0, span=True)
    c.send("s", 5000, 1, span=True)
    ended(c)


@scenario(F)
def mapping_repeated_in_every_segment(s):
    """One mapping, repeated in every segment it covers (as segmentation offload does)."""
    c = running(s)
    c.send("c", 5000, 0, span=True, repeat=True)
    c.send("s", 9000, 1, span=True, repeat=True)
    ended(c)


@scenario(F)
def mapping_segment_comes_last(s):
    """The segment with the mapping is lost and comes after those that it covers."""
    c = running(s)
    real, at, start = s.data(4200), len(c.stream["c"]), c.subs[1].half["c"].nxt
    c.stream["c"] += real
    option = c.mapping("c", at, start, 4200, real)
    c.send("c", real[1400:], 1, at=at + 1400, seq=start + 1400, mapped=False, ack=False)
    c.send("c", real[:1400], 1, at=at, seq=start, mp=option, ack=False)
    c.end["s"].got.add(at, at + 4200)
    c.ack("s", 1)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def mapping_announced_ahead(s):
    """A data segment, itself covered by the mapping before, carries the mapping of the segment after it, which has none."""
    c = running(s)
    f, real, at = c.subs[0], s.data(300), len(c.stream["c"])
    start = f.half["c"].nxt
    c.stream["c"] += real
    c.send("c", real[:100], f, at=at, mp=c.mapping("c", at, start, 200, real[:200]), ack=False)
    c.send("c", real[100:200], f, at=at + 100, mp=c.mapping("c", at + 200, start + 200, 100, real[200:]), ack=False)
    c.send("c", real[200:], f, at=at + 200, mapped=False, ack=False)
    c.end["s"].got.add(at, at + 300)
    c.ack("s", f)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def mapping_after_the_data(s):
    """Data without a mapping on a joined subflow, the mapping on a pure ACK behind it: too late, the octets are unmapped when they are consumed."""
    c = running(s)
    f, real, at = c.subs[1], s.data(500), len(c.stream["c"])
    start = f.half["c"].nxt
    c.send("c", real, f, at=at, mapped=False, delivered=False, ack=False)
    f.half["c"].nxt += 500
    f.seg("c", mp=c.mapping("c", at, start, 500, real))
    f.rst("s", mp=o.mp_tcprst(1))
    ended(c)
    c.want["subflow_changes"] = {1: {"bytes_toserver": [1000, 1500]}}
    c.want["duplicate_bytes"] = None
    s.raises("data_unmapped")


@variants(F, v0=0, v1=1)
def unmapped_on_joined_subflow(s, version):
    """Octets on an established subflow that no mapping covers: told, not delivered; their receiver resets the subflow."""
    c = running(s, version)
    f = c.subs[1]
    c.send("c", s.data(400), f, at=0, mapped=False, delivered=False, ack=False)
    f.half["c"].nxt += 400
    f.rst("s")
    ended(c)
    c.want["subflow_changes"] = {1: {"bytes_toserver": [1000, 1400]}}
    c.want["duplicate_bytes"] = None
    s.raises("data_unmapped")


@scenario(F)
def unmapped_tail_of_a_segment(s):
    """A segment is longer than its mapping: the octets behind the mapping's end are unmapped."""
    c = running(s)
    f, real, at = c.subs[1], s.data(500), len(c.stream["c"])
    start = f.half["c"].nxt
    c.stream["c"] += real[:300]
    f.seg("c", "PA", real, c.mapping("c", at, start, 300, real[:300]))
    c.end["s"].got.add(at, at + 300)
    f.half["s"].got.add(start, start + 500)
    f.half["c"].nxt += 500
    c.ack("s", f)
    f.rst("s")
    ended(c)
    c.want["subflow_changes"] = {1: {"bytes_toserver": [1000, 1300, 1500]}}
    s.raises("data_unmapped")


@scenario(F)
def two_mappings_for_one_segment(s):
    """A segment holds the end of one mapping and its own DSS maps the octets of the next segment only: nothing unmapped."""
    c = running(s)
    f, real, at = c.subs[0], s.data(2000), len(c.stream["c"])
    start = f.half["c"].nxt
    c.stream["c"] += real
    c.send("c", real[:700], f, at=at, mp=c.mapping("c", at, start, 1000, real[:1000]), ack=False)
    c.send("c", real[700:1000], f, at=at + 700, mapped=False, ack=False)
    c.send("c", real[1000:], f, at=at + 1000, mp=c.mapping("c", at + 1000, start + 1000, 1000, real[1000:]), ack=False)
    c.end["s"].got.add(at, at + 2000)
    c.ack("s", f)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def mapping_conflict_on_retransmission(s):
    """The same subflow octets again, mapped to another DSN: refused, the first mapping stays."""
    c = running(s)
    real = s.data(500)
    at = c.send("c", real, 1, ack=False)
    start = c.subs[1].half["c"].nxt - 500
    c.send("c", real, 1, at=at + 2000, seq=start, delivered=False, ack=False)
    c.ack("s", 1)
    ended(c)
    s.raises("mapping_conflict", may=("dsn_overlap_conflict",))


@scenario(F)
def mapping_conflict_within_a_mapping(s):
    """A mapping of 2,000 octets; its second segment carries another mapping for its own part: refused, the first stays."""
    c = running(s)
    f, real, at = c.subs[1], s.data(2000), len(c.stream["c"])
    start = f.half["c"].nxt
    c.stream["c"] += real
    c.send("c", real[:1000], f, at=at, mp=c.mapping("c", at, start, 2000, real), ack=False)
    c.send("c", real[1000:], f, at=at + 1000, mp=c.mapping("c", at + 9000, start + 1000, 1000, real[1000:]), ack=False)
    c.end["s"].got.add(at, at + 2000)
    c.ack("s", f)
    ended(c)
    s.raises("mapping_conflict", may=("dsn_overlap_conflict",))


@scenario(F)
def mapping_same_in_parts(s):
    """A retransmission cut otherwise carries a mapping for its part only, to the same DSNs: no conflict."""
    c = running(s)
    f, real, at = c.subs[1], s.data(2000), len(c.stream["c"])
    start = f.half["c"].nxt
    c.stream["c"] += real
    c.send("c", real[:1000], f, at=at, mp=c.mapping("c", at, start, 2000, real), ack=False)
    c.send("c", real[500:1500], f, at=at + 500, mp=c.mapping("c", at + 500, start + 500, 1000, real), seq=start + 500, ack=False)
    c.send("c", real[1500:], f, at=at + 1500, mapped=False, ack=False)
    c.end["s"].got.add(at, at + 2000)
    c.ack("s", f)
    ended(c)
    c.want["duplicate_bytes"] = 0


@variants(F, far=(5_000_000,), near=(200_000,))
def dsn_out_of_window(s, how):
    """A mapping far beyond what window and DATA_ACK allow: told, and its octets are not kept for later."""
    c = running(s)
    f = c.subs[1]
    c.send("c", s.data(600), f, at=len(c.stream["c"]) + how[0], ack=False)
    for _ in range(50):
        c.send("c", 5000, 0)
    ended(c)
    c.want["duplicate_bytes"] = None
    s.raises("dsn_out_of_window")


@scenario(F)
def dsn_far_in_the_past(s):
    """A mapping to a DSN half the number space away."""
    c = running(s)
    c.send("c", s.data(600), 1, at=len(c.stream["c"]) + (1 << 62), ack=False)
    ended(c)
    c.want["duplicate_bytes"] = None
    s.raises("dsn_out_of_window")


@scenario(F)
def dsn_up_to_the_edge(s):
    """Out-of-order data that reaches exactly the right edge of the window (131,072 octets behind the DATA_ACK): legal."""
    c = running(s)
    base = len(c.stream["c"])
    window = 1024 << 7
    data = s.data(window)
    c.stream["c"] += data
    first = 20_000
    c.send("c", data[first:], 1, at=base + first, ack=False)
    c.send("c", data[:first], 0, at=base)
    c.ack("s", 1)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def old_dsn_reinjected(s):
    """Octets acknowledged at connection level come once more on another subflow (late reinjection): legal, and counted as duplicates."""
    c = running(s)
    real = s.data(1000)
    at = c.send("c", real, 0)
    c.send("c", real, 1, at=at)
    ended(c)
    c.want["duplicate_bytes"] = 1000


# -- DSS checksums
@variants(F, v0=0, v1=1)
def checksum_over_several_segments(s, version):
    """A mapping of four segments with one DSS checksum; it verifies."""
    c = running(s, version, checksum=True)
    c.send("c", 5000, 0, span=True)
    c.send("s", 5001, 1, span=True)
    c.send("s", 777, 1, span=True, size=111)
    ended(c)


@scenario(F)
def checksum_incomplete_mapping(s):
    """With DSS checksums nothing of a mapping is delivered before it is complete: the capture ends one segment early."""
    c = running(s, checksum=True, joins=0)
    before = bytes(c.stream["c"])
    c.send("c", 4200, 0, span=True, ack=False, each=lambda i: {"captured": False} if i == 2 else {})
    c.want.update(toserver=digest_of(before), subflow_list=None, visibility=None, gap_bytes_toserver=0)


@scenario(F)
def no_checksum_incomplete_mapping(s):
    """Without checksums the part of an unfinished mapping that came counts at once."""
    c = running(s, joins=0)
    data = s.data(4200)
    before = bytes(c.stream["c"]) + data[:2800]
    c.send("c", data, 0, span=True, ack=False, each=lambda i: {"captured": False} if i == 2 else {})
    c.want.update(toserver=digest_of(before), visibility=None)


@variants(F, v0=0, v1=1)
def checksum_fails_with_others_alive(s, version):
    """A mapping whose checksum fails on one of two subflows: its octets are dropped and sent again on the other."""
    c = running(s, version, checksum=True)
    at = len(c.stream["c"])
    c.send("c", s.data(900), 1, at=at, csum=0x0101, delivered=False, ack=False)
    c.subs[1].rst("s")
    c.send("c", 900, 0)
    ended(c)
    c.want.update(duplicate_bytes=None, subflow_changes={1: {"state": ["reset", "failed"], "bytes_toserver": [1000, 1900]}}, subflows=[1, 2])
    s.raises("dss_checksum_mismatch")


@scenario(F)
def checksum_fails_last_octet_changed(s):
    """A middlebox changed one octet in the third segment of a mapping on one of two subflows: all of the mapping is dropped."""
    c = running(s, checksum=True)
    f, at = c.subs[1], len(c.stream["c"])
    real = s.data(4200)
    bent = real[:4199] + bytes([real[4199] ^ 0x10])
    start = f.half["c"].nxt
    option = c.mapping("c", at, start, 4200, real)
    for i in range(0, 4200, 1400):
        f.seg("c", "A", bent[i:i + 1400], option if i == 0 else c.dack("c"), seq=start + i)
    f.rst("s", mp=b"")
    c.send("c", real, 0)
    ended(c)
    c.want.update(duplicate_bytes=None, subflow_changes={1: {"state": ["reset", "failed"], "bytes_toserver": [1000, 5200]}}, subflows=[1, 2])
    s.raises("dss_checksum_mismatch")


@scenario(F)
def checksum_required_by_one_side(s):
    """Only the server set flag A: checksums are used in both directions."""
    c = Conn(s, checksum=True)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 0x01))
    sub.syn("s", o.mp_capable(1, 0x81, c.end["s"].key), "SA")
    sub.seg("c", mp=o.mp_capable(1, 0x01, c.end["c"].key, c.end["s"].key))
    sub.state = "established"
    c.exchange(2000, 2000)
    c.join()
    c.send("c", s.data(300), 1, at=len(c.stream["c"]), csum=0x0f0f, delivered=False, ack=False)
    c.subs[1].rst("s")
    c.send("c", 300)
    c.close()
    c.want.update(duplicate_bytes=None, subflow_changes={1: {"state": ["reset", "failed"], "bytes_toserver": [0, 300]}}, subflows=[1, 2])
    s.raises("dss_checksum_mismatch")


@scenario(F)
def checksum_field_not_negotiated(s):
    """No side set flag A: mappings without checksum are right."""
    c = running(s)
    assert not c.checksum
    ended(c)


# -- DSN order
def dsn_queue(s, kept, new, result):
    """As on one subflow, but over three: the copies are in order on their subflows, out of order at connection level."""
    c = running(s, joins=2)
    base = len(c.stream["c"])
    gap = s.data(100)
    c.stream["c"] += gap + result.encode()
    for first, last, fill in kept:
        c.send("c", fill.encode() * (last - first), 1, at=base + first, ack=False)
    for first, last, fill in new:
        c.send("c", fill.encode() * (last - first), 2, at=base + first, ack=False)
    c.send("c", gap, 0, at=base)
    c.ack("s", 1)
    c.ack("s", 2)
    ended(c)
    c.want["duplicate_bytes"] = None
    s.raises("dsn_overlap_conflict")


QUEUE = {"inside": ([(100, 400, "A")], [(200, 300, "B")], "A" * 300), "same": ([(100, 400, "A")], [(100, 400, "B")], "A" * 300),
         "longer": ([(100, 300, "A")], [(100, 400, "B")], "B" * 300), "covering_one": ([(200, 300, "A")], [(100, 400, "B")], "B" * 300),
         "covering_several": ([(150, 200, "A"), (250, 300, "C")], [(100, 400, "B")], "B" * 300),
         "left_kept": ([(100, 300, "A")], [(200, 400, "B")], "A" * 200 + "B" * 100),
         "left_new": ([(200, 400, "A")], [(100, 300, "B")], "B" * 200 + "A" * 100), "same_end": ([(100, 400, "A")], [(250, 400, "B")], "A" * 300)}


@variants(F, **QUEUE)
def dsn_ooo(s, how):
    """Conflicting copies out of order at connection level, on two subflows: Linux's queue decides."""
    dsn_queue(s, *how)


@scenario(F)
def dsn_first_in_order_wins(s):
    """DSN octets in order on subflow 0, then others for the same DSNs on subflow 1, before the DATA_ACK: the first counts."""
    c = running(s)
    at = c.send("c", 800, 0, ack=False)
    c.send("c", s.data(800), 1, at=at, ack=False)
    c.ack("s", 0)
    c.ack("s", 1)
    ended(c)
    c.want["duplicate_bytes"] = 800
    s.raises("dsn_overlap_conflict")


@scenario(F)
def dsn_first_in_order_wins_partly(s):
    """The second copy begins in what was delivered (other content) and goes on with new octets, which count."""
    c = running(s)
    at = c.send("s", 800, 0, ack=False)
    tail = s.data(500)
    c.stream["s"] += tail
    c.send("s", s.data(300) + tail, 1, at=at + 500, ack=False)
    c.ack("c", 0)
    c.ack("c", 1)
    ended(c)
    c.want["duplicate_bytes"] = 300
    s.raises("dsn_overlap_conflict")


@scenario(F)
def dsn_conflict_after_data_ack(s):
    """Other content for DSNs that were acknowledged: the stream keeps the first; a report is not owed."""
    c = running(s)
    c.send("c", s.data(500), 1, at=100)
    ended(c)
    c.want["duplicate_bytes"] = 500
    s.exp["may_anomalies"] = ["dsn_overlap_conflict"]


@scenario(F)
def remapped_on_same_subflow(s):
    """The same DSNs again on the same subflow with new subflow sequence numbers, same octets: counted as duplicates, no event."""
    c = running(s, joins=0)
    real = s.data(700)
    at = c.send("c", real, 0, ack=False)
    c.send("c", real, 0, at=at)
    ended(c)
    c.want["duplicate_bytes"] = 700


@scenario(F)
def reinjected_in_parts(s):
    """Reinjection in other pieces than the first time, over three subflows, same octets."""
    c = running(s, joins=2)
    real = s.data(3000)
    at = c.send("s", real, 0, ack=False)
    c.send("s", real[200:1700], 1, at=at + 200, ack=False)
    c.send("s", real[1500:2500], 2, at=at + 1500)
    c.ack("c", 0)
    c.ack("c", 1)
    ended(c)
    c.want["duplicate_bytes"] = 2500


@scenario(F)
def interleaved_dsn_order(s):
    """Four subflows, all data out of order at connection level in reverse pieces, delivered when the first comes."""
    c = running(s, joins=3)
    base, real = len(c.stream["c"]), s.data(8000)
    c.stream["c"] += real
    for i in reversed(range(8)):
        c.send("c", real[i * 1000:i * 1000 + 1000], i % 4, at=base + i * 1000, ack=i % 3 == 0)
    for f in range(4):
        c.ack("s", f)
    ended(c)
    c.want["duplicate_bytes"] = 0


# -- ends of delivery
@scenario(F)
def data_behind_data_fin(s):
    """Octets mapped behind the DATA_FIN: the stream ended there."""
    c = running(s)
    c.data_fin("c", 0)
    c.send("c", s.data(300), 1, at=len(c.stream["c"]) + 1, ack=False)
    c.send("s", 500, 1)
    c.data_fin("s", 0)
    for f in c.subs:
        f.finish()
    c.state = "closed"
    c.want.update(duplicate_bytes=None)
    s.exp["may_anomalies"] = ["dsn_out_of_window"]
    s.ambiguity("whether octets behind a DATA_FIN are a mapping outside the window: event allowed, not asked for; they never count")


@scenario(F)
def data_fin_beyond_a_gap(s):
    """DATA_FIN is seen before the last octets in front of it: they count, then it is closed."""
    c = running(s)
    real, at = s.data(900), len(c.stream["c"])
    c.stream["c"] += real
    f = c.subs[0]
    f.seg("c", mp=c.mapping("c", at + 900, 0, 1, fin=True))
    c.ack("s", 0)
    c.send("c", real, 1, at=at, ack=False)
    c.end["s"].got_fin = True
    c.ack("s", 1)
    c.data_fin("s", 1)
    for f in c.subs:
        f.finish()
    c.state = "closed"
    c.want["duplicate_bytes"] = 0


@scenario(F)
def only_one_data_fin(s):
    """DATA_FIN one way only, then RST on both subflows: not closed, but reset."""
    c = running(s)
    c.data_fin("c")
    c.subs[0].rst("s")
    c.subs[1].rst("s")
    c.state = "reset"


@scenario(F)
def tcp_fins_without_data_fin(s):
    """All subflows end by FIN, no DATA_FIN was seen: the connection stays open."""
    c = running(s)
    for f in c.subs:
        f.finish()
    c.state = "open"
    s.ambiguity("`closed` asks for DATA_FIN both ways, `reset` for FASTCLOSE or RST: what is left is open")


@scenario(F)
def after_rst_of_first_subflow_join_carries_on(s):
    """The first subflow is reset; a new one joins; data goes on: break before make."""
    c = running(s, joins=0)
    c.subs[0].rst("c")
    s.tick(0.5)
    c.join()
    c.exchange(2000, 4000, (1,))
    c.close(by=1)
    c.want["state"] = ["closed"]
    s.ambiguity("RST of the last subflow is `reset` in the contract, but a later JOIN of the same connection shows that it lived on (RFC 8684 allows it): closed")


@scenario(F)
def fastclose_late_data_same_subflow(s):
    """MP_FASTCLOSE with the right key from the server on an ACK: data both ways after it counts in nothing."""
    c = running(s)
    c.fastclose("s", 1, flags="A")
    c.send("s", s.data(700), 1, at=len(c.stream["s"]), delivered=False, ack=False)
    c.send("c", s.data(700), 0, at=len(c.stream["c"]), delivered=False, ack=False)
    c.subs[0].rst("c", end=False)
    c.subs[1].rst("c", end=False)
    c.state = "reset"
    c.want.update(subflow_list=None, visibility=None)


@scenario(F)
def join_data_before_third_ack_arrives(s):
    """Reordered: the first data of a joined subflow comes just before its third ACK; once the handshake is complete the data counts."""
    c = running(s)
    f = c.join(fourth=False)
    third = s.packets.pop()
    c.send("c", 600, f, ack=False)
    moved = s.packets.pop()
    s.packets += [(third[0], moved[1]), (moved[0], third[1])]
    c.ack("s", f)
    ended(c)
    s.ambiguity("Linux would drop the data before the third ACK and take its retransmission; the capture shows it acknowledged")

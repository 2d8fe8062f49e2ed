"""Harder cases: forged signals on subflows that do not belong, tokens in two roles, the finer rules of RFC 5961, odd but legal forms."""
import gzip
from dataclasses import replace

import files
import links
from lab.octets import options as o
from peers import Conn
from scene import digest_of, scenario, variants
from family_tcp import decoy, ended, loose_duplicates, running
from family_track import keys_unseen, stream_from

F = "deep"


def intruder(c, third="wrong"):
    return c.join(src="192.0.2.66", third=third)


@scenario(F)
def forged_data_fin_on_failed_join(s):
    """A failed subflow carries DATA_FIN for both directions: the connection is not closed by it."""
    c = running(s)
    bad = intruder(c)
    for side in "cs":
        bad.seg(side, mp=c.mapping(side, len(c.stream[side]), 0, 1, fin=True))
    c.exchange(2000, 2000, (0, 1))
    s.raises("join_hmac_mismatch")


@scenario(F)
def forged_data_ack_on_failed_join(s):
    """A failed subflow acknowledges octets that nobody sent: no gap is counted, nothing is said of visibility."""
    c = running(s)
    bad = intruder(c)
    for _ in range(3):
        bad.seg("s", mp=o.dss(ack=c.end["c"].dsn(len(c.stream["c"]) + 60_000)))
        bad.seg("c", mp=o.dss(ack=c.end["s"].dsn(len(c.stream["s"]) + 60_000)))
    ended(c)
    s.raises("join_hmac_mismatch")


@scenario(F)
def forged_infinite_mapping_on_failed_join(s):
    """An infinite mapping on a failed subflow: no fallback."""
    c = running(s)
    bad = intruder(c)
    c.send("c", s.data(200), bad, at=len(c.stream["c"]), mp=c.mapping("c", len(c.stream["c"]), 1, 0), delivered=False, ack=False)
    ended(c)
    c.want["subflow_changes"] = {2: {"bytes_toserver": [0, 200]}}
    s.raises("join_hmac_mismatch")


@scenario(F)
def forged_infinite_mapping_with_bad_checksum(s):
    """An infinite mapping in a segment with a wrong TCP checksum: no fallback."""
    c = running(s, joins=0)
    decoy(c, "c", 0, 300, mp=c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0), tcp_sum="bad")
    ended(c)
    loose_duplicates(c)


@scenario(F)
def forged_data_ack_bad_checksum(s):
    """A forged DATA_ACK far ahead in a pure ACK with a wrong checksum: no gap is counted."""
    c = running(s)
    c.subs[0].seg("s", mp=o.dss(ack=c.end["c"].dsn(len(c.stream["c"]) + 90_000)), tcp_sum="bad")
    ended(c)


@scenario(F)
def failed_join_then_right_one_on_same_tuple(s):
    """A JOIN fails (RST), then one with right HMACs comes on the same 4-tuple: the second one's data counts."""
    c = running(s)
    bad = c.join(src=("192.0.2.66", 45001), third="wrong", addr_id=5)
    bad.seg("s", "RA", win=0)
    s.tick(2)
    c.join(src=("192.0.2.66", 45001), addr_id=5)
    c.exchange(2000, 2000, (3,))
    ended(c)
    s.raises("join_hmac_mismatch")


@scenario(F)
def key_in_two_roles(s):
    """One key is a client's in one connection and a server's in another, both live: one token, two roles; the HMAC tells."""
    key = s.rng.randbytes(8)
    a = Conn(s, key_s=key, server=("203.0.113.80", 8080)).open()
    b = Conn(s, key_c=key, client=("203.0.113.80", 40123), server=("203.0.113.90", 443)).open()
    a.exchange(1000, 1000)
    b.exchange(1000, 1000)
    b.join(opener="s", src="203.0.113.91", dst=("203.0.113.80", 8080), addr_id=1)
    a.join(addr_id=1)
    a.exchange(4000, 4000, (0, 1))
    b.exchange(4000, 4000, (0, 1))
    a.close()
    b.close()
    s.raises("opened_by_server")


@scenario(F)
def server_on_the_higher_port(s):
    """The server listens on a port above the client's: the SYN tells the direction, not the port."""
    c = Conn(s, client=("198.51.100.10", 1024), server=("203.0.113.80", 60000)).open()
    c.join()
    c.exchange(3000, 5000, (0, 1))
    c.close()


@scenario(F)
def joined_over_ipv6(s):
    """An IPv4 connection with a subflow over IPv6."""
    c = running(s)
    c.join(src="2001:db8:3::10", dst=("2001:db8:2::80", c.server[1]))
    c.exchange(3000, 5000, (0, 1, 2))
    c.close()


@scenario(F)
def longest_mapping(s):
    """One mapping of 65,535 octets over 47 segments, both ways, with checksums."""
    c = running(s, checksum=True)
    c.send("c", 65535, 0, span=True)
    c.send("s", 65535, 1, span=True)
    ended(c)


@scenario(F)
def one_octet_mappings(s):
    """Mappings of one octet, with checksums, on two subflows, 60 of them."""
    c = running(s, checksum=True)
    for i in range(60):
        c.send("c", 1, i % 2)
    ended(c)


# -- the finer rules
@scenario(F)
def fastclose_rst_not_exact(s):
    """MP_FASTCLOSE with the right key on a RST inside the window, but not at rcv_nxt: not taken."""
    c = running(s)
    c.fastclose("c", 0, flags="R", seq=c.subs[0].half["c"].nxt + 500)
    ended(c)


@scenario(F)
def fastclose_ack_in_window(s):
    """MP_FASTCLOSE with the right key on an ACK inside the window, ahead of rcv_nxt: taken."""
    c = running(s)
    c.fastclose("c", 0, flags="A", seq=c.subs[0].half["c"].nxt + 500)
    c.send("s", s.data(500), 1, at=len(c.stream["s"]), delivered=False, ack=False)
    c.state = "reset"
    c.want.update(subflow_list=None, visibility=None)


@scenario(F)
def fastclose_out_of_window(s):
    """MP_FASTCLOSE with the right key on an ACK far out of the window: not taken."""
    c = running(s)
    c.fastclose("c", 0, flags="A", seq=c.subs[0].half["c"].nxt + 4_000_000)
    ended(c)


@scenario(F)
def rst_with_old_timestamp(s):
    """RST at rcv_nxt with a timestamp that fails PAWS: a reset needs no PAWS (RFC 7323 5.2), the subflow ends."""
    c = running(s)
    s.tick(1)
    f = c.subs[1]
    f.rst("s", tsval=f.half["s"].ts_base - 100)
    c.send("c", s.data(400), f, at=len(c.stream["c"]), delivered=False, ack=False)
    c.exchange(1000, 1000, (0,))
    c.close()
    loose_duplicates(c)


@scenario(F)
def rst_without_timestamp(s):
    """RST at rcv_nxt without options, as many hosts send it: it ends the subflow."""
    c = running(s)
    c.subs[1].rst("s", flags="R", ts=False)
    c.exchange(1000, 1000, (0,))
    c.close()


@scenario(F)
def ack_far_too_old(s):
    """A data segment whose ACK lies further back than any window the client ever announced (RFC 5961 5.2): thrown away."""
    c = Conn(s, win=64).open()
    c.exchange(3000, 1000)
    for _ in range(10):
        c.send("s", 7000)
    decoy(c, "c", 0, 400, each=lambda i: {"ack": 1001})
    c.send("c", 400)
    c.close()
    loose_duplicates(c)
    s.ambiguity("the text names ACK missing and ACK of what was never sent; Linux drops ACKs that are too old as well; windows here 8 KiB, the ACK 70,000 behind")
    s.exp["may_anomalies"] = ["segment_overlap_conflict", "dsn_overlap_conflict"]
    real = bytes(c.stream["c"])
    evil = next(g.payload for _, g in s.packets if len(g.payload) == 400)
    c.want["toserver"] = {"bytes": len(real), "sha256": [digest_of(real)["sha256"], digest_of(real[:3000] + evil)["sha256"]]}


@scenario(F)
def no_timestamp_in_one_segment(s):
    """Timestamps were negotiated, one segment comes without: Linux takes it (only a timestamp that is there can be old)."""
    c = running(s)
    c.send("c", 500, ts=False)
    ended(c)
    s.ambiguity("RFC 7323 lets a receiver drop it; Linux does not; the ACK shows that it was taken")


@scenario(F)
def out_of_order_then_rst(s):
    """Octets behind a gap, then an acceptable RST: what was out of order is never delivered."""
    c = running(s)
    f = c.subs[1]
    keep = len(c.stream["c"])
    c.send("c", s.data(300), f, at=keep + 300, seq=f.half["c"].nxt + 300, delivered=False, ack=False)
    f.rst("c", seq=f.half["c"].nxt)
    c.exchange(1000, 1000, (0,))
    c.close()
    loose_duplicates(c)
    c.want["subflow_changes"] = {1: {"bytes_toserver": [1000, 1300]}}


@scenario(F)
def rst_fills_no_gap(s):
    """RST behind lost octets (exact at the sender, not at rcv_nxt): the receiver does not take it; the lost octets come again."""
    c = running(s)
    f = c.subs[1]
    real, at = s.data(400), len(c.stream["c"])
    f.rst("c", flags="R", end=False, seq=f.half["c"].nxt + 400)
    c.stream["c"] += real
    c.send("c", real, f, at=at)
    ended(c)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def window_in_syn_is_not_scaled(s):
    """Before the first scaled window only the SYN/ACK's 16 bits count, unscaled: other octets at 70,000 are outside."""
    c = Conn(s).open(fourth=False)
    decoy(c, "c", 0, 1000, ahead=70_000)
    c.ack("s")
    for _ in range(20):
        c.send("c", 5000)
    c.send("s", 1000)
    c.close()
    loose_duplicates(c)
    s.exp["may_anomalies"] = ["dsn_out_of_window"]


@scenario(F)
def conflicting_dsn_over_three_subflows(s):
    """Three subflows carry three values for the same DSNs, all out of order, unacknowledged: told; one of the first two counts, never a mixture within a piece."""
    c = running(s, joins=2)
    base = len(c.stream["c"])
    gap = s.data(100)
    copies = [s.data(300) for _ in range(3)]
    for i, copy in enumerate(copies):
        c.send("c", copy, i, at=base + 100, ack=False)
    c.stream["c"] += gap + copies[0]
    c.send("c", gap, 0, at=base)
    for i in (1, 2):
        c.ack("s", i)
    ended(c)
    c.want["duplicate_bytes"] = None
    s.raises("dsn_overlap_conflict")


@scenario(F)
def midstream_with_short_dsns(s):
    """Seen from the middle with 4-octet DSNs and DATA_ACKs only, which pass 2^32."""
    c = Conn(s).open()
    c.end["c"].idsn, c.end["s"].idsn = 0x77_FFFF_E000, 0x99_FFFF_F000
    c.dsn8 = c.ack8 = {"c": False, "s": False}
    s.packets.clear()
    for _ in range(8):
        c.send("c", 2500)
        c.send("s", 4000)
    keys_unseen(c, subflows=1)


@scenario(F)
def midstream_acks_first(s):
    """The capture begins with an ACK in the middle of a mapping: what has no mapping yet is not in the stream; mapped octets are."""
    c = Conn(s).open()
    c.send("c", 2000)
    c.exchange(1000, 1000)
    mark = len(s.packets)
    at = len(c.stream["c"])
    c.send("c", 4200, span=True)
    c.send("c", 1000)
    c.send("s", 5000)
    c.close()
    del s.packets[:mark + 1]
    keys_unseen(c, subflows=1)
    c.want.update(gap_bytes_toserver=None, visibility=None)
    stream_from(c, at + 4200, 1000)
    s.raises(may=("data_unmapped", "visibility_low"))
    s.ambiguity("octets whose mapping was before the capture's beginning cannot be placed by DSN: the stream begins with the first mapped octet")


# -- capture points again
@scenario(F)
def equal_times_first_on_command_line(s):
    """Two points with equal timestamps on either side of a NAT: the addresses logged are those of the file named first."""
    c = Conn(s, client=("10.0.5.2", 40000)).open()
    c.exchange(3000, 3000)
    c.close()
    table = {("10.0.5.2", 40000): ("203.0.113.9", 20001)}
    back = lambda g: replace(g, src=table.get((g.src, g.sport), (g.src, 0))[0], sport=table.get((g.src, g.sport), (0, g.sport))[1],
                             dst=table.get((g.dst, g.dport), (g.dst, 0))[0], dport=table.get((g.dst, g.dport), (0, g.dport))[1])
    s.write("z-first.pcap")
    s.write("a-second.pcap", change=back)
    c.want.update(duplicate_bytes=0, subflow_changes={0: {"seen_as": ["203.0.113.9"]}})


@scenario(F)
def point_names(s):
    """A capture point's name is the file's without .pcap* and compression suffixes: dots in it stay."""
    c = running(s)
    ended(c)
    first = c.subs[0].half["c"].ip
    s.put("wan.1.pcapng", files.pcapng([("eth0", 1, False)], [(t, links.ether(g.ip()), 0) for t, g in s.packets if first in (g.src, g.dst)]))
    s.put("lan.pcap.old.pcap.gz", gzip.compress(files.pcap([(t, links.ether(g.ip())) for t, g in s.packets if first not in (g.src, g.dst)]), mtime=0))
    c.subs[0].points = ["wan.1"]
    c.want["subflow_changes"] = {1: {}}
    c.subs[1].points = ["lan.pcap.old"]
    s.ambiguity("only the last .pcap suffix is taken off")


@scenario(F)
def three_points(s):
    """Client, router and server see the same packets; the router's file begins late, the client's ends early."""
    c = running(s)
    c.exchange(20000, 20000, (0, 1))
    ended(c)
    n = len(s.packets)
    s.write("client.pcap", packets=s.packets[:n * 2 // 3])
    s.write("router.pcap", packets=[(t + 0.00004, g) for t, g in s.packets[n // 3:]])
    s.write("server.pcap", packets=[(t + 0.00008, g) for t, g in s.packets])
    c.want["duplicate_bytes"] = 0


@scenario(F)
def lost_between_two_points(s):
    """A segment passes the first point, is lost before the second, and is sent again with the same octets: once."""
    c = running(s)
    real, at = s.data(1000), len(c.stream["c"])
    c.send("c", real, 1, at=at, delivered=False, ack=False)
    lost = s.packets[-1][1]
    c.send("c", real, 1, at=at)
    c.stream["c"] += real
    ended(c)
    s.write("left.pcap")
    s.write("right.pcap", packets=[(t + 0.00005, g) for t, g in s.packets], change=lambda g: None if g is lost else g)
    c.want["duplicate_bytes"] = 0


@variants(F, ahead=20.0, behind=-20.0)
def skew_beyond_the_wait(s, skew):
    """Clocks 20 s apart, beyond the 10 s that JOINs and keys wait: no crash, the first subflow's octets are right."""
    c = running(s)
    for _ in range(5):
        s.tick(10)
        c.exchange(1000, 1000, (0,))
    first = c.subs[0].half["c"].ip
    s.write("path1.pcap", change=lambda g: g if first in (g.src, g.dst) else None)
    s.write("path2.pcap", change=lambda g: g if first not in (g.src, g.dst) else None, skew=skew)
    c.hidden = True
    s.expect(connections_exact=False)
    s.raises(may=("visibility_low", "joins_before_keys", "join_unknown_token"))
    s.ambiguity("beyond the wait the JOIN may be an orphan: only that the program ends well is checked")

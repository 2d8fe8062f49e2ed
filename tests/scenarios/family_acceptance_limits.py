"""The catalogue's events at their exact limits; mappings, DATA_FIN, fallback and signals in their corners."""
import gzip
import hashlib
import random
import ssl
import struct
from dataclasses import replace

import files
import links
from lab.octets import options as o
from lab.octets.packets import community_id, fragments4, fragments6, ip_packet, with_extension_headers6
from peers import Conn, Sub
from scene import digest_of, scenario, variants
from family_fallback import no_keys, plain
from family_points import on
from family_tcp import conflict, decoy, ended, loose_duplicates, running
from family_track import keys_unseen, stream_from

from family_acceptance import P, P_RULE, YES, NO, cut, put_rules, rule, table

F = "acceptance"


# -- events at their limits
def only_first(c, *names):
    c.want["subflow_list"] = None


def half_open_joins(s, c, count, apart=0.05, host=0):
    for i in range(count):
        c.join(src=(f"192.0.2.{1 + i % 200}", 20000 + host * 500 + i), addr_id=1 + i % 200, third="none")
        s.tick(apart)
    c.want["subflow_list"] = None


@variants(F, at_once=(0.0, 65, True), limit=(0.0, 64, False), within=(0.150, 65, True), beyond=(0.1575, 65, False), v0=(0.1, 65, True))
def join_flood_window(s, how):
    """65 half-open JOINs of one connection raise join_flood when they come within 10 s, not when the last comes later; 64 never."""
    apart, count, raised = how
    c = running(s, 0 if apart == 0.1 else 1)
    half_open_joins(s, c, count, apart)
    s.tick(20)
    ended(c)
    if raised:
        s.raises("join_flood")


@variants(F, limit=(64, 64, 64, 64), above=(64, 64, 64, 64, 1))
def join_flood_host_exact(s, counts):
    """256 half-open JOINs towards one host within 10 s, over connections of 64 at most: the limit; 257 are above it."""
    conns = [running(s, server=("203.0.113.80", 8000 + n)) for n in range(len(counts))]
    for n, (c, count) in enumerate(zip(conns, counts)):
        half_open_joins(s, c, count, 0.01, n)
    for c in conns:
        ended(c)
    if len(counts) > 4:
        s.raises("join_flood")
        s.expect(repeats_allowed=True)


@variants(F, within=(29.9, True), beyond=(30.1, False))
def unknown_token_window(s, how):
    """Three refused JOINs with an unknown token: within 60 s they are told, over more they are not."""
    from family_joins import stranger
    c = running(s)
    token = s.rng.randbytes(4)
    for _ in range(3):
        stranger(s, c, token, synack=False, rst=True)
        s.tick(how[0])
    s.tick(20)
    ended(c)
    if how[1]:
        s.raises("join_unknown_token")


@variants(F, within=(59.5, True), beyond=(60.5, False))
def add_addr_window(s, how):
    """Eight distinct addresses at once, the ninth 59.5 or 60.5 s later: more than 8 within 60 s, or not."""
    c = running(s)
    for i in range(9):
        c.subs[0].seg("s", mp=o.add_addr_v1(c.end["s"].key, c.end["c"].key, 10 + i, f"203.0.113.{100 + i}"))
        if i == 7:
            s.tick(how[0])
    ended(c)
    if how[1]:
        s.raises("add_addr_flood")


@scenario(F)
def add_addr_two_hosts_count_together(s):
    """Nine distinct addresses in one connection, five from the server, four from the client, with echoes, which are no offers."""
    c = running(s)
    for i in range(9):
        me, you = ("s", "c") if i < 5 else ("c", "s")
        address = f"203.0.113.{100 + i}"
        c.subs[0].seg(me, mp=o.add_addr_v1(c.end[me].key, c.end[you].key, 10 + i, address))
        c.subs[0].seg(you, mp=o.add_addr_v1(b"", b"", 10 + i, address, echo=True))
    ended(c)
    s.raises("add_addr_flood")


@scenario(F)
def add_addr_ports_are_not_addresses(s):
    """Four addresses, each with three ports and twice: four distinct addresses, or twelve ends."""
    c = running(s)
    for i in range(4):
        for port in (None, 443, 8443):
            c.subs[0].seg("s", mp=o.add_addr_v1(c.end["s"].key, c.end["c"].key, 10 + i, f"203.0.113.{100 + i}", port))
    ended(c)


def unseen_share(s, unseen, total, toclient=0):
    c = Conn(s).open()
    c.join()
    c.send("c", 1000, 0)
    c.send("c", unseen, 1, size=1000)
    c.send("c", total - toclient - 1000 - unseen, 0)
    if toclient:
        c.send("s", toclient, 0)
    c.close()
    hidden = c.subs[1].half["c"].ip
    s.write(change=lambda g: None if hidden in (g.src, g.dst) else g)
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:1000])), gap_bytes_toserver=unseen, visibility=(total - unseen) / total, subflows=1, subflow_list=[c.subs[0].describe()])


@variants(F, exactly=(4000, 40000, False), below=(4001, 40000, True), both_ways=(4000, 40000, False), minimum=(4000, 16384, True), under_minimum=(4000, 16383, False))
def visibility_limit(s, how):
    """Exactly 0.9 seen is no visibility_low, one octet less is; 16,384 octets acknowledged count, 16,383 do not; both directions together."""
    unseen, total, raised = how
    unseen_share(s, unseen, total, 20000 if total == 40000 and unseen == 4000 else 6000)
    if raised:
        s.raises("visibility_low")


@variants(F, limit=(256, 20, True), one_less=(255, 20, False), average=(256, 64, False), just_under=(256, 63, True))
def fragmentation_limit(s, how):
    """256 alternating pieces of under 64 octets on average: 255 are too few, 64 octets too many."""
    count, size, raised = how
    c = Conn(s).open()
    c.join()
    for i in range(count):
        c.send("c", 64 if size == 63 and i else size, i % 2)
    c.close()
    if raised:
        s.raises("fragmented_across_subflows")


@scenario(F)
def fragmentation_both_ways_apart(s):
    """200 small alternating pieces each way: no direction's row is long enough."""
    c = Conn(s).open()
    c.join()
    for i in range(200):
        c.send("c", 20, i % 2)
        c.send("s", 20, i % 2)
    c.close()


@scenario(F)
def subflow_excess_by_both(s):
    """Sixteen subflows, then one more opened by the server: 17 at once."""
    c = Conn(s).open()
    for _ in range(15):
        c.join()
    c.join("s")
    c.exchange(17000, 17000, tuple(range(17)))
    c.close()
    s.raises("subflow_excess", "opened_by_server")


@scenario(F)
def attempted_subflows_are_no_excess(s):
    """16 subflows, and five more JOINs that are refused: never more than 16 at once."""
    c = Conn(s).open()
    for _ in range(15):
        c.join()
    for _ in range(5):
        c.join(synack="rst")
    c.exchange(16000, 16000, tuple(range(16)))
    c.close()
    c.want["subflow_list"] = None


@variants(F, v1_same_tuple=(1, "same"), v0_other=(0, "other"), v1_other=(1, "other"))
def join_replay_later(s, how):
    """Token and nonce again: on the same 4-tuple (a repeated SYN) it is nothing, from another port it is a replay, also after the subflow's end."""
    version, where = how
    c = running(s, version)
    sub = c.subs[1]
    sub.finish()
    s.tick(3)
    if where == "same":
        first = next(g for _, g in s.packets if g.sport == sub.half["c"].port and g.flags == 2)
        s.emit(first)
        sub.seg("s", "RA", seq=0, ack=1, win=0, ts=False)
    else:
        again = c.join(src=(sub.half["c"].ip, sub.half["c"].port + 1 if sub.half["c"].port < 60000 else 30000), addr_id=1, nonce=sub.nonce, synack="rst")
        s.raises("join_replay")
    ended(c)
    c.want["subflow_list_exact"] = False
    c.want["subflow_list"] = [f.describe() for f in c.subs[:2]]


# -- mappings
@variants(F, v0=(0, False), v1=(1, False), v0_checksum=(0, True), v1_checksum=(1, True))
def largest_mappings_interleaved(s, how):
    """Mappings of 65,535 octets on three subflows at once, segments in turn, both ways."""
    c = Conn(s, how[0], checksum=how[1], win=4096).open()
    c.join()
    c.join()
    jobs = []
    for side in "cs":
        for n in range(3):
            data = s.data(65535)
            at = len(c.stream[side])
            c.stream[side] += data
            jobs.append((side, n, at, data, c.subs[n].half[side].nxt))
    for i in range(0, 65535, 1400):
        for side, n, at, data, start in jobs:
            f = c.subs[n]
            piece = data[i:i + 1400]
            mp = c.mapping(side, at, start, 65535, data) if i == 0 else c.dack(side)
            f.seg(side, payload=piece, mp=mp, seq=start + i)
            c.deliver(f, side, start + i, len(piece), at + i)
            f.half[side].seen.append((start + i, start + i + len(piece)))
            f.half[side].nxt = start + i + len(piece)
        for n in range(3):
            for side in "cs":
                c.ack(side, n)
    c.close()
    c.want["duplicate_bytes"] = 0


@variants(F, v0=0, v1=1)
def sequence_wraps_within_a_mapping(s, version):
    """The TCP sequence numbers of all subflows wrap within one mapping, checksums on."""
    c = Conn(s, version, checksum=True, tune=lambda sub: [setattr(sub.half[x], "isn", (1 << 32) - 7000) for x in "cs"])
    c.open()
    c.join()
    for side in "cs":
        c.send(side, 5000, 0)
        c.send(side, 5000, 1, span=True)
        c.send(side, 20000, 0, span=True)
        c.send(side, 20000, 1, span=True, repeat=True)
    c.close()


@variants(F, fin_alone="alone", fin_with_data="data", checksum="checksum")
def data_fin_with_short_dsn(s, how):
    """DATA_FIN with 4-octet DSNs and DATA_ACKs, alone or with data, with checksums."""
    c = Conn(s, checksum=how == "checksum").open()
    c.dsn8 = c.ack8 = {"c": False, "s": False}
    c.join()
    c.exchange(3000, 6000, (0, 1))
    if how == "data":
        for side in "cs":
            last = s.data(100)
            at, f = len(c.stream[side]), c.subs[1]
            c.stream[side] += last
            c.send(side, last, f, at=at, mp=c.mapping(side, at, f.half[side].nxt, 101, fin=True), ack=False)
            c.finished[side] = c.end["s" if side == "c" else "c"].got_fin = True
            c.ack("s" if side == "c" else "c", f)
        for f in c.subs:
            f.finish()
        c.state = "closed"
        c.want["duplicate_bytes"] = 0
    else:
        c.close(by=1)


@scenario(F)
def data_fin_with_data_and_checksum(s):
    """DATA_FIN on the last mapping with DSS checksums: the length in the checksum counts the DATA_FIN, the data does not have it."""
    c = Conn(s, checksum=True).open()
    c.exchange(3000, 3000)
    for side in "cs":
        last, at, f = s.data(333), len(c.stream[side]), c.subs[0]
        c.stream[side] += last
        c.send(side, last, f, at=at, mp=c.mapping(side, at, f.half[side].nxt, 334, last, fin=True), ack=False)
        c.finished[side] = c.end["s" if side == "c" else "c"].got_fin = True
        c.ack("s" if side == "c" else "c", f)
    c.subs[0].finish()
    c.state = "closed"
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_fin_repeated_and_on_all(s):
    """DATA_FINs sent again, on every subflow, on the TCP FIN itself, and before the last data arrives (reordered): closed, in no byte count."""
    c = running(s)
    end = len(c.stream["c"])
    last = s.data(500)
    c.stream["c"] += last
    fin = lambda side, at, f: f.seg(side, mp=c.mapping(side, at, 0, 1, fin=True))
    fin("c", end + 500, c.subs[1])
    fin("c", end + 500, c.subs[1])
    c.send("c", last, 0, at=end)
    c.end["s"].got_fin = True
    c.ack("s", 0)
    c.ack("s", 1)
    for f in c.subs:
        fin("s", len(c.stream["s"]), f)
    c.end["c"].got_fin = True
    for f in c.subs:
        c.ack("c", f)
        f.seg("c", "FA", mp=c.mapping("c", end + 500, 0, 1, fin=True))
        f.half["s"].got.add(f.half["c"].nxt, f.half["c"].nxt + 1)
        f.half["c"].nxt += 1
        f.fin("s")
        f.seg("c", mp=c.dack("c"))
        f.state = "closed"
    c.state = "closed"
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_fin_and_gap_behind(s):
    """DATA_FIN acknowledged, but the last octets before it were never captured: gap counted without the DATA_FIN's own number."""
    c = running(s, joins=0)
    before = len(c.stream["c"])
    c.send("c", 700, captured=False)
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:before])), gap_bytes_toserver=700, visibility=(total - 700) / total, subflow_list=None)


@scenario(F)
def short_data_acks_wrap(s):
    """4-octet DATA_ACKs and 8-octet DSNs: the low half of the IDSN is near its end, gaps are still counted right."""
    low = lambda i: (i & 0xFFFFFFFF) > 0xFFFFFFFF - 40000
    c = Conn(s, key_c=o.search_key(1, s.rng, low), key_s=o.search_key(1, s.rng, low)).open()
    c.ack8 = {"c": False, "s": False}
    c.join()
    for i in range(10):
        c.send("c", 6000, i % 2)
        c.send("s", 6000, i % 2)
    cut_at = len(c.stream["s"])
    c.send("s", 800, 1, captured=False)
    c.exchange(2000, 9000, (0, 1))
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:cut_at])), gap_bytes_toclient=800, visibility=(total - 800) / total, subflow_list=None)


# -- fallback
@variants(F, toclient="s", toserver="c")
def infinite_mapping_alone(s, side):
    """An infinite mapping from either side after data both ways; the other side goes on without options."""
    c = running(s, joins=0)
    c.send(side, 900, mp=c.mapping(side, len(c.stream[side]), c.subs[0].half[side].nxt, 0))
    c.signals = False
    other = "c" if side == "s" else "s"
    c.send(other, 1200, mp=b"")
    c.send(side, 4000, mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    c.want["fallback_reason"] = "infinite_mapping"


@scenario(F)
def infinite_mapping_with_checksum_zero(s):
    """Checksums negotiated; the infinite mapping carries checksum 0, as RFC 8684 3.3 has it: fallback, no mismatch."""
    c = running(s, joins=0, checksum=True)
    at, f = len(c.stream["c"]), c.subs[0]
    mp = o.dss(ack=c.data_ack("c"), dsn=c.end["c"].dsn(at), ssn=f.half["c"].nxt, length=0, csum=0)
    c.send("c", 900, mp=mp)
    c.signals = False
    c.send("s", 1200, mp=b"")
    c.send("c", 4000, mp=b"")
    f.finish()
    c.state = "fallback"
    c.want["fallback_reason"] = "infinite_mapping"


@scenario(F)
def fallback_then_pattern_of_retransmissions(s):
    """After no_dss the plain stream has lost segments, overlaps and retransmissions: plain TCP rules on the one subflow."""
    c = Conn(s).open(third=False)
    f = c.subs[0]
    c.signals = False
    f.seg("c")
    f.state = "established"
    real = s.data(6000)
    c.stream["c"] += real
    for a, b in ((0, 1000), (2000, 3000), (1500, 2500), (3000, 4000), (1000, 2000), (0, 1000), (5000, 6000), (4000, 5500)):
        c.send("c", real[a:b], at=a, seq=1 + a, mp=b"")
    c.send("s", 3000, mp=b"")
    f.finish()
    c.state = "fallback"
    c.want.update(fallback_reason="no_option_in_ack", duplicate_bytes=0, id="x-*", checksum=None)


@scenario(F)
def tcp_fast_open_with_cookie_v1_refused(s):
    """TFO: data in the SYN of a client that offers MPTCP; the server takes the data and answers without MP_CAPABLE: refused, the data in the SYN counts."""
    c = Conn(s)
    f = c.first()
    data = s.data(300)
    f.syn("c", o.mp_capable(1, 1), payload=data, extra=o.fast_open(b"12345678"))
    f.syn("s", b"", "SA")
    c.signals = False
    f.seg("c")
    f.state = "established"
    c.stream["c"] += data
    plain(c)
    c.state = "refused"
    no_keys(c)
    c.want["subflow_changes"] = {0: {"bytes_toserver": [3500, 3800]}}
    s.ambiguity("whether the SYN's data is in the subflow's bytes_toserver: either")


# -- signals
@variants(F, v0=0, v1=1)
def fastclose_after_data_fins(s, version):
    """MP_FASTCLOSE with the right key after DATA_FIN both ways: closed stays."""
    c = running(s, version)
    c.data_fin("c")
    c.data_fin("s")
    c.fastclose("c", 0)
    c.subs[1].rst("s", mp=b"")
    c.subs[0].state = "reset"
    c.state = "closed"
    c.want["subflow_changes"] = {0: {"state": ["reset", "established", "closed"]}, 1: {"state": ["reset", "established", "closed"]}}


@scenario(F)
def fastclose_both_sides(s):
    """MP_FASTCLOSE on an ACK from the server, answered by RSTs on all subflows; data on its way behind it counts no more."""
    c = running(s)
    c.fastclose("s", 1, flags="A")
    c.send("s", s.data(300), 0, at=len(c.stream["s"]), delivered=False, ack=False)
    c.send("c", s.data(300), 0, at=len(c.stream["c"]), delivered=False, ack=False)
    for f in c.subs:
        f.rst("c", flags="R", ts=False)
    c.state = "reset"
    c.want.update(duplicate_bytes=0, subflow_list=None, visibility=None)


@scenario(F)
def rst_of_last_subflow_after_one_data_fin(s):
    """One DATA_FIN only, then RST on both subflows: reset."""
    c = running(s)
    c.data_fin("c")
    c.send("s", 500)
    for f in c.subs:
        f.rst("s")
    c.state = "reset"


@variants(F, v0=0, v1=1)
def prio_forms(s, version):
    """MP_PRIO of 3 octets in both versions sets and clears backup; in v0 with the own subflow's ID as well; backup in the record is the JOIN's or what became of it."""
    c = running(s, version)
    for low in (1, 0):
        c.subs[1].seg("c", mp=o.mp_prio(bool(low)))
    if version == 0:
        c.subs[1].seg("c", mp=o.mp_prio(True, c.subs[1].addr_id) + c.dack("c"))
        c.subs[1].seg("c", mp=o.mp_prio(False, c.subs[1].addr_id))
    ended(c)


@scenario(F)
def remove_addr_then_reuse(s):
    """An ID is removed, then used again by a new JOIN and removed again: known both times; then removed once more: it is gone, and was used all the same."""
    c = running(s)
    sub = c.subs[0]
    sub.seg("c", mp=o.remove_addr(1))
    c.subs[1].rst("c")
    c.join(addr_id=1, src="192.0.2.99")
    sub.seg("c", mp=o.remove_addr(1))
    c.exchange(1000, 1000, (0, 2))
    c.close()


@scenario(F)
def remove_addr_ids_of_each_side(s):
    """The server removes ID 1, which only the client used: never used or offered by the server."""
    c = running(s)
    c.subs[0].seg("s", mp=o.remove_addr(1))
    ended(c)
    s.raises("remove_addr_unknown_id")


@variants(F, shortened="short", missing="none")
def add_addr_v1_hmac_truncated(s, how):
    """A v1 ADD_ADDR (E=0) whose HMAC is cut (12 octets in all), or missing (8): no length of v1's: malformed."""
    c = running(s)
    whole = o.add_addr_v1(c.end["s"].key, c.end["c"].key, 5, "203.0.113.90")
    body = whole[2:-8] + (whole[-8:-4] if how == "short" else b"")
    c.subs[0].seg("s", mp=bytes([30, 2 + len(body)]) + body)
    ended(c)
    s.raises("option_malformed")


@scenario(F)
def add_addr_reflected_echo(s):
    """The echo of an ADD_ADDR names an address and port that were never offered: an echo is not authenticated and offers nothing."""
    c = running(s)
    c.subs[0].seg("c", mp=o.add_addr_v1(b"", b"", 9, "10.1.2.3", 9999, echo=True))
    ended(c)
    s.raises(may=("add_addr_private",))


@scenario(F)
def malformed_option_does_not_stop(s):
    """A data segment whose first option 30 is malformed and whose second is a good DSS, over and over: told once, all data counts."""
    c = running(s)
    for i in range(5):
        at, f = len(c.stream["c"]), c.subs[i % 2]
        data = s.data(200)
        c.stream["c"] += data
        c.send("c", data, f, at=at, mp=o.mp_fail(0)[:2].replace(b"\x0c", b"\x04") + b"\x60\x00" + o.dss(dsn=c.end["c"].dsn(at), ssn=f.half["c"].nxt, length=200))
    ended(c)
    c.want["duplicate_bytes"] = 0
    s.raises("option_malformed")

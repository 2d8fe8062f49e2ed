"""Many subflows, shuffled segments, records."""
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


# -- harder orders
@variants(F, v0=0, v1=1)
def forty_subflows_come_and_go(s, version):
    """Forty subflows in all over the connection's life, opened by both sides, ended by FIN, RST and not at all, data and reinjections on all of them."""
    c = Conn(s, version).open()
    live = [0]
    for n in range(1, 40):
        c.join("s" if n % 4 == 0 else "c", src=(f"203.0.113.{100 + n}", 9000 + n) if n % 4 == 0 else (f"192.0.2.{n}", 30000 + n), addr_id=n, backup=n % 5 == 0)
        live.append(n)
        for side in "cs":
            data, at = s.data(700), len(c.stream[side])
            c.send(side, data, n)
            c.send(side, data[100:300], live[0] if live[0] != n else n, at=at + 100)
        if len(live) > 10:
            gone = live.pop(0)
            if gone % 3 == 0:
                c.subs[gone].rst("s" if gone % 2 else "c")
            else:
                c.subs[gone].finish()
    c.close([n for n in live], by=live[-1])
    c.want["duplicate_bytes"] = 39 * 2 * 200
    s.raises("opened_by_server")


@variants(F, v0=(0, False), v1=(1, False), v0_sum=(0, True), v1_sum=(1, True))
def shuffled_within_a_window(s, how):
    """Segments of three subflows shuffled within 40, each mapping in several segments that all repeat it, some sent twice, both ways."""
    c = Conn(s, how[0], checksum=how[1], win=2048).open()
    c.join()
    c.join()
    for _ in range(4):
        jobs = []
        for side in "cs":
            for n in (0, 1, 2, 0, 1):
                data = s.data(4200)
                at, f = len(c.stream[side]), c.subs[n]
                c.stream[side] += data
                start = f.half[side].nxt
                f.half[side].nxt += 4200
                for i in range(0, 4200, 700):
                    jobs.append((side, f, at, data, start, i))
        jobs += s.rng.sample(jobs, 6)
        s.rng.shuffle(jobs)
        # Linux's window moves on; a shuffle of 60 pieces of 700 stays inside it.
        for side, f, at, data, start, i in jobs:
            f.seg(side, "A", data[i:i + 700], c.mapping(side, at, start, 4200, data), seq=start + i)
            c.deliver(f, side, start + i, 700, at + i)
            f.half[side].seen.append((start + i, start + i + 700))
        for n in range(3):
            for side in "cs":
                c.ack(side, n)
    c.close()
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_before_the_synack_is_seen(s):
    """Reordered at the capture: the client's third ACK and first data stand before the server's SYN/ACK, on both subflows."""
    c = Conn(s).open(fourth=False)
    c.send("c", 900, first=False)
    p = s.packets
    p[1:4] = [(p[1][0], p[2][1]), (p[2][0], p[3][1]), (p[3][0], p[1][1])]
    mark = len(p)
    c.join(fourth=False)
    c.send("c", 900, 1)
    p[mark + 1:mark + 4] = [(p[mark + 1][0], p[mark + 2][1]), (p[mark + 2][0], p[mark + 3][1]), (p[mark + 3][0], p[mark + 1][1])]
    c.send("s", 3000, 1)
    c.send("c", 2000, 0)
    c.close()
    s.ambiguity("a packet in front of the one it answers: by its sequence numbers it is acceptable all the same")


@scenario(F)
def simultaneous_joins_with_same_nonce_space(s):
    """Ten JOINs of three connections in flight at once, SYN/ACKs in another order than the SYNs, third ACKs with data behind them."""
    conns = [Conn(s).open() for _ in range(3)]
    before = len(s.packets)
    for c in conns:
        for _ in range(3):
            c.join(fourth=False)
    shakes = s.packets[before:]
    groups = [shakes[i:i + 3] for i in range(0, len(shakes), 3)]
    times = [t for t, _ in shakes]
    order = [g[0][1] for g in groups] + [g[1][1] for g in reversed(groups)] + [g[2][1] for g in groups]
    s.packets[before:] = list(zip(times, order))
    for c in conns:
        for i in range(12):
            c.send("c", 700, i % 4)
            c.send("s", 900, (i + 1) % 4)
    for c in conns:
        c.close()


@variants(F, v0=0, v1=1)
def reinjection_of_unacknowledged_after_rst(s, version):
    """A subflow dies by RST with octets in flight behind a hole; they come again on another subflow in other pieces; then the DSNs go on."""
    c = running(s, version)
    f = c.subs[1]
    data, at = s.data(4000), len(c.stream["c"])
    c.stream["c"] += data
    start = f.half["c"].nxt
    c.send("c", data[1000:2000], f, at=at + 1000, seq=start + 1000, delivered=False, ack=False)
    c.send("c", data[3000:], f, at=at + 3000, seq=start + 3000, delivered=False, ack=False)
    f.rst("s")
    c.send("c", data, 0, at=at, size=900)
    c.exchange(2000, 2000, (0,))
    c.close()
    c.want.update(duplicate_bytes=[0, 2000], subflow_changes={1: {"bytes_toserver": [1000, 3000]}})


@scenario(F)
def gap_then_other_subflow_fills(s):
    """A hole on a subflow is never filled there (its path died), the octets behind it are mapped and seen; the hole comes on another: all is there."""
    c = running(s)
    f = c.subs[1]
    data, at = s.data(3000), len(c.stream["c"])
    c.stream["c"] += data
    start = f.half["c"].nxt
    c.send("c", data[:1000], f, at=at, captured=False, delivered=False, ack=False)
    c.send("c", data[1000:], f, at=at + 1000, seq=start + 1000, delivered=False, ack=False)
    s.tick(0.3)
    c.send("c", data, 0, at=at)
    c.exchange(2000, 3000, (0,))
    c.close([0])
    c.want.update(duplicate_bytes=[0, 2000], subflow_changes={1: {"bytes_toserver": [1000, 3000]}})
    s.ambiguity("whether octets out of order on a dead subflow are carried more than once by the peers: they were")


# -- state and records
@scenario(F)
def stats_and_flow_records(s):
    """--all-tcp: every plain connection a flow record, every MPTCP one an mptcp record, stats once at the end with the packets and octets of the file."""
    frames = 0
    conns = []
    for n in range(3):
        c = Conn(s, 0).first().conn
        f = c.subs[0]
        f.syn("c")
        f.syn("s", b"", "SA")
        c.signals = False
        f.seg("c")
        c.send("c", 1000 + n, mp=b"")
        c.send("s", 2000, mp=b"")
        f.finish() if n else f.rst("c")
        c.hidden = True
        conns.append(c)
    d = running(s)
    ended(d)
    octets = sum(14 + len(g.ip()) for _, g in s.packets)
    s.stats(decode__packets=len(s.packets), decode__bytes=octets, mptcp__connections=1, mptcp__subflows=2, mptcp__unanswered=0)
    s.expect(args=["--all-tcp"], record_counts={"flow": 3, "mptcp": 1, "stats": 1},
             records=[{"event_type": "flow", "src_port": c.client[1], "dest_port": c.server[1], "proto": "TCP", "src_ip": c.client[0], "community_id": community_id(*c.client, *c.server)} for c in conns])


@variants(F, v4=False, v6=True)
def community_id_of_the_first_subflow(s, six):
    """community_id version 1, seed 0, of the first subflow in whichever order the addresses stand; on every record of the connection."""
    low, high = ("2001:db8::1", "2001:db8::2") if six else ("192.0.2.1", "192.0.2.2")
    want = []
    for a, b, p, q in ((low, high, 40000, 80), (high, low, 40001, 80), (low, low.replace("1", "1"), 50000, 81)):
        if a == b:
            continue
        c = Conn(s, ipv6=six, client=(a, p), server=(b, q)).open()
        c.join()
        c.send("c", P, 1)
        c.close()
        want.append({"event_type": "alert", "community_id": community_id(a, p, b, q), "src_ip": a, "src_port": p, "dest_port": q})
        want.append({"event_type": "mptcp", "community_id": community_id(a, p, b, q), "src_ip": a})
    put_rules(s, P_RULE, alerts=(1,), counts={1: 2})
    s.expect(records=want)


@scenario(F)
def anomaly_record(s):
    """An anomaly's record: type mptcp, event, detail an object, the connection's ends and id, no key in it."""
    c = running(s)
    c.subs[1].seg("s", mp=o.mp_fastclose(s.rng.randbytes(8)))
    ended(c)
    s.raises("fastclose_key_mismatch")
    s.expect(records=[{"event_type": "anomaly", "anomaly.type": "mptcp", "anomaly.event": "fastclose_key_mismatch", "src_ip": c.client[0], "src_port": c.client[1], "dest_ip": c.server[0],
                       "dest_port": c.server[1], "proto": "TCP", "mptcp.id": c.ident, "community_id": community_id(*c.client, *c.server)}])


@variants(F, v0=0, v1=1)
def two_connections_one_token(s, version):
    """Tokens that collide: two live connections of one server with the same server key, JOINs from both, one of them with the other's client key: the HMAC tells."""
    key = s.rng.randbytes(8)
    a = Conn(s, version, key_s=key, client=("198.51.100.1", 40001)).open()
    b = Conn(s, version, key_s=key, client=("198.51.100.2", 40002)).open()
    for n in range(3):
        b.join(src=("192.0.2.2", 41000 + n), addr_id=1 + n)
        a.join(src=("192.0.2.2", 42000 + n), addr_id=1 + n)
    for c in (a, b):
        c.exchange(8000, 9000, (0, 1, 2, 3))
    bad = a.join(src=("192.0.2.66", 40666), third="wrong", addr_id=9)
    a.send("c", s.data(100), bad, at=len(a.stream["c"]), delivered=False, ack=False)
    for c in (a, b):
        c.close([0, 1, 2, 3])
    a.want["subflow_list_exact"] = b.want["subflow_list_exact"] = False
    a.want["subflow_list"] = [f.describe() for f in a.subs[:4]]
    s.raises("join_hmac_mismatch")


@scenario(F)
def export_streams_with_gap_keeps_what_is_before(s):
    """Two directions, a gap in one after reinjected and reordered octets: the file stops there, the other direction is whole."""
    c = running(s)
    data, at = s.data(3000), len(c.stream["s"])
    c.stream["s"] += data
    c.send("s", data[2000:], 1, at=at + 2000, ack=False)
    c.send("s", data[:1200], 0, at=at)
    c.send("s", data[1000:1500], 1, at=at + 1000)
    lost = c.send("s", data[1500:2000], 0, at=at + 1500, captured=False)
    c.exchange(5000, 5000, (0, 1))
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:at + 1500])), gap_bytes_toclient=500, visibility=(total - 500) / total, duplicate_bytes=200, subflow_list=None)
    assert lost == at + 1500


@variants(F, probe=True, attack=False)
def window_probe_whose_ack_is_seen_late(s, probe):
    """Linux probes a closed window with the last number acknowledged and the next octet of the stream; the DATA_ACK went over another path, seen late: benign. Another octet there is a conflict."""
    c = running(s)
    c.send("c", 700, 0, ack=False)
    at, f = len(c.stream["c"]), c.subs[0]
    following = s.data(600)
    octet = following[:1] if probe else bytes([following[0] ^ 0x55])
    if octet == c.stream["c"][-1:]:
        following = bytes([following[0] ^ 0x33]) + following[1:]
        octet = following[:1]
    c.send("c", octet, 0, at=at - 1, ack=False)
    c.send("c", following, 0)
    ended(c)
    c.want["duplicate_bytes"] = [0, 1]
    if not probe:
        s.raises("dsn_overlap_conflict")

"""Which subflow of which connection: midstream starts, keys that come late or never, 4-tuples used again, orphans, TCP Fast Open."""
from lab.octets import options as o
from peers import Conn, Sub
from scene import scenario, variants
from family_tcp import ended, running

F = "track"


def keys_unseen(c, *, subflows=None, version=None):
    c.want.update(id="x-*", version=version or [None, 0, 1], checksum=[None, False, True], midstream=True, subflow_list=None, community_id=None)
    if subflows is not None:
        c.want["subflows"] = subflows


def stream_from(c, c_at=0, s_at=0):
    """The stream begins at these offsets: what came before was not captured."""
    from scene import digest_of
    c.want["toserver"] = digest_of(bytes(c.stream["c"][c_at:]))
    c.want["toclient"] = digest_of(bytes(c.stream["s"][s_at:]))


# -- capture began later
@variants(F, v0=(0, False), v1=(1, False), v6=(1, True))
def midstream_one_subflow(s, how):
    """The capture begins after the handshake of a connection with one subflow: an x- id, midstream, the first octet in order is offset 0."""
    c = Conn(s, how[0], ipv6=how[1]).open()
    c.exchange(1000, 1000)
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for _ in range(4):
        c.send("c", 900)
        c.send("s", 2000)
    c.close()
    keys_unseen(c, subflows=1)
    stream_from(c, *marks)


@scenario(F)
def midstream_two_subflows_linked(s):
    """The capture begins after both handshakes: two subflows whose data interleave in one DSN space are linked, unverified."""
    c = Conn(s).open()
    c.join()
    c.exchange(4000, 4000, (0, 1))
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for i in range(20):
        c.send("c", 700, i % 2)
        c.send("s", 1300, (i + 1) % 2)
    c.close()
    keys_unseen(c, subflows=2)
    stream_from(c, *marks)
    s.raises("joins_before_keys")


@scenario(F)
def midstream_data_one_way_linked(s):
    """As before, but only the server sends: the client's side shows in DATA_ACKs alone."""
    c = Conn(s).open()
    c.join()
    c.exchange(100, 4000, (0, 1))
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for i in range(30):
        c.send("s", 1300, i % 2)
    keys_unseen(c, subflows=2)
    stream_from(c, *marks)
    s.raises("joins_before_keys")


@scenario(F)
def midstream_two_connections_apart(s):
    """Two connections of the same two hosts, both seen from the middle, DSN spaces far apart: two x- connections, nothing linked."""
    conns = [Conn(s).open(), Conn(s).open()]
    for c in conns:
        c.exchange(1000, 1000)
    s.packets.clear()
    for c in conns:
        c.marks = len(c.stream["c"]), len(c.stream["s"])
    for _ in range(6):
        for c in conns:
            c.send("c", 900)
            c.send("s", 1500)
    for c in conns:
        c.close()
        keys_unseen(c, subflows=1)
        stream_from(c, *c.marks)


@scenario(F)
def midstream_dsn_wraps_64_bits(s):
    """Seen from the middle, the DSN passes 2^64 in both directions (any DSN may, when the keys are unknown)."""
    c = Conn(s).open()
    c.end["c"].idsn = (1 << 64) - 9001
    c.end["s"].idsn = (1 << 64) - 3000
    s.packets.clear()
    for _ in range(8):
        c.send("c", 2500)
        c.send("s", 4000)
    c.close()
    keys_unseen(c, subflows=1)


@scenario(F)
def third_ack_only(s):
    """The capture begins with the third ACK, which holds both keys: the id is known, everything counts from the first octet."""
    c = Conn(s).open()
    del s.packets[:2]
    c.exchange(3000, 3000)
    c.join()
    c.exchange(1000, 1000, (0, 1))
    c.close()
    c.want.update(midstream=[False, True, None], subflow_changes={0: {"src_ip": [c.client[0], c.server[0]]}})
    c.want["subflow_list"] = None
    c.want["community_id"] = None
    del c.want["subflow_changes"]
    s.ambiguity("`midstream` may be told or not: the handshake was missed, the stream was not")


@scenario(F)
def synack_lost_from_capture(s):
    """The SYN/ACK is missing from the capture; v1's third ACK brings both keys."""
    c = Conn(s).open()
    del s.packets[1]
    c.exchange(3000, 3000)
    c.close()


@scenario(F)
def join_synack_lost_from_capture(s):
    """A JOIN's SYN/ACK is missing: the nonce of the other side is unknown, so the third ACK cannot be verified; data flows both ways."""
    c = running(s, joins=0)
    mark = len(s.packets)
    c.join()
    del s.packets[mark + 1]
    ended(c)
    c.want["subflow_changes"] = {1: {"auth": ["unverified", "verified"]}}
    c.want["subflow_list"] = None
    del c.want["subflow_changes"]
    c.hidden = True
    s.expect(connections_exact=False)
    s.ambiguity("HMACs verify `where the keys are known`, but the nonce is not: whether such a subflow takes part is open; only events are checked")


@scenario(F)
def direction_without_syn_lower_port(s):
    """Without a SYN the lower port is taken for the server."""
    c = Conn(s, client=("198.51.100.10", 50123), server=("203.0.113.80", 443)).open()
    c.exchange(1000, 1000)
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    c.send("s", 3000)
    c.send("c", 900)
    keys_unseen(c, subflows=1)
    c.want["subflow_list"] = [{"id": 0, "src_ip": "198.51.100.10", "src_port": 50123, "dest_ip": "203.0.113.80", "dest_port": 443}]
    stream_from(c, *marks)


# -- orphans
@scenario(F)
def orphan_join_with_data(s):
    """A JOIN of an unknown connection, completed, with data both ways: an x- connection; its octets are rebuilt."""
    c = Conn(s).open()
    c.exchange(2000, 2000)
    s.packets.clear()
    f = c.join()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for _ in range(3):
        c.send("c", 900, f)
        c.send("s", 1500, f)
    c.subs = [f]
    c.data_fin("c", f)
    c.data_fin("s", f)
    f.finish()
    c.state = "closed"
    keys_unseen(c, subflows=1)
    c.want["midstream"] = [True, False, None]
    stream_from(c, *marks)
    s.raises(may=("join_unknown_token",))
    s.ambiguity("join_unknown_token fits too (no connection seen has the token, the SYN/ACK confirms it): allowed")


@scenario(F)
def orphan_join_without_data(s):
    """A completed JOIN of an unknown connection without data: no record, only counted."""
    c = Conn(s).open()
    s.packets.clear()
    f = c.join()
    f.finish()
    c.hidden = True
    s.stats(mptcp__joins_orphaned=1)
    s.raises(may=("join_unknown_token",))


@scenario(F)
def two_orphan_joins_of_one_connection(s):
    """Two JOINs with the same unknown token, data interleaved in one DSN space: one x- connection with two unverified subflows."""
    c = Conn(s).open()
    c.exchange(1000, 1000)
    s.packets.clear()
    a, b = c.join(), c.join()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for i in range(12):
        c.send("c", 900, (a, b)[i % 2])
        c.send("s", 1500, (b, a)[i % 2])
    keys_unseen(c, subflows=2)
    c.want["midstream"] = [True, False, None]
    stream_from(c, *marks)
    s.raises(may=("join_unknown_token", "joins_before_keys"))
    s.ambiguity("linked by token as much as by DSN continuity: joins_before_keys allowed, not asked for")


# -- 4-tuples again
@scenario(F)
def tuple_used_again_after_close(s):
    """The same addresses and ports carry a second connection after the first one closed: two records."""
    client, server = ("198.51.100.10", 45000), ("203.0.113.80", 8080)
    for _ in range(2):
        c = Conn(s, client=client, server=server).open()
        c.exchange(3000, 4000)
        c.close()
        s.tick(3)


@scenario(F)
def tuple_used_again_after_rst(s):
    """The same 4-tuple again, at once, after RST of the first connection's only subflow."""
    client, server = ("198.51.100.10", 45000), ("203.0.113.80", 8080)
    c = Conn(s, client=client, server=server).open()
    c.exchange(3000, 4000)
    c.subs[0].rst("c")
    c.state = "reset"
    d = Conn(s, client=client, server=server).open()
    d.exchange(1000, 2000)
    d.close()


@scenario(F)
def tuple_used_again_while_open(s):
    """The client lost its state and connects again from the same 4-tuple with a new ISN; the server answers SYN/ACK: a new connection, the old one stays open."""
    client, server = ("198.51.100.10", 45000), ("203.0.113.80", 8080)
    c = Conn(s, client=client, server=server).open()
    c.exchange(3000, 4000)
    c.want["subflow_list"] = None
    c.want["state"] = ["open", "reset"]
    s.tick(120)
    d = Conn(s, client=client, server=server).open()
    d.exchange(1000, 2000)
    d.close()


@scenario(F)
def tuple_used_again_by_join(s):
    """A closed subflow's 4-tuple is used again by a JOIN of the same connection, with another nonce."""
    c = running(s)
    old = c.subs[1]
    old.finish()
    place = (old.half["c"].ip, old.half["c"].port)
    s.tick(2)
    c.join(src=place, addr_id=1)
    ended(c)


@scenario(F)
def tuple_plain_then_mptcp(s):
    """A plain TCP connection, closed, then MPTCP on the same 4-tuple."""
    client, server = ("198.51.100.10", 45000), ("203.0.113.80", 8080)
    p = Conn(s, client=client, server=server)
    p.hidden = True
    sub = p.first()
    sub.syn("c")
    sub.syn("s", b"", "SA")
    p.signals = False
    sub.seg("c")
    p.send("c", 800, mp=b"")
    sub.finish()
    s.tick(1)
    c = Conn(s, client=client, server=server).open()
    c.exchange(1000, 2000)
    c.close()


@scenario(F)
def syn_retransmitted_then_answered(s):
    """The first SYN is sent three times before it is answered: one connection, nothing unanswered."""
    c = Conn(s)
    sub = c.first()
    for wait in (1, 2, 0):
        sub.syn("c", o.mp_capable(1, 1))
        s.tick(wait)
    sub.syn("s", o.mp_capable(1, 1, c.end["s"].key), "SA")
    sub.seg("c", mp=o.mp_capable(1, 1, c.end["c"].key, c.end["s"].key))
    sub.state = "established"
    c.exchange(1000, 1000)
    c.close()
    s.stats(mptcp__unanswered=0)


@scenario(F)
def simultaneous_connections(s):
    """Forty connections at the same time over two subflows each, interleaved packet by packet."""
    conns = [Conn(s, i % 2, client=(f"198.51.100.{20 + i}", 41000 + i)).open() for i in range(40)]
    for c in conns:
        c.join(src=f"192.0.2.{20 + conns.index(c)}")
    for i in range(6):
        for c in conns:
            c.send("c", 300 + i, i % 2)
            c.send("s", 700 + i, (i + 1) % 2)
    for c in conns:
        c.close()
    s.stats(mptcp__connections=40, mptcp__subflows=[80, 40])
    s.ambiguity("whether mptcp.subflows counts the first subflows too is not said: 80, or the 40 joined ones")


# -- TCP Fast Open
@variants(F, v1=(1, False), v1_reply=(1, True))
def fast_open(s, how):
    """Data in the SYN (TFO): delivered first, counted neither in SSN nor in DSN (RFC 8684 appendix B); with and without more from the server at once."""
    c = Conn(s)
    sub = c.first()
    early = s.data(200)
    sub.syn("c", o.mp_capable(1, 1), payload=early, extra=o.fast_open(s.rng.randbytes(8)) + b"\x01\x01")
    sub.syn("s", o.mp_capable(1, 1, c.end["s"].key), "SA")
    if how[1]:
        c.stream["s"] += b""
    sub.seg("c", mp=o.mp_capable(1, 1, c.end["c"].key, c.end["s"].key))
    sub.state = "established"
    first = s.data(900)
    c.send("c", first, at=0)
    c.send("s", 1500)
    c.send("c", s.data(400), at=900)
    tail = s.packets[-2][1].payload
    c.stream["c"] += first + tail
    c.close()
    from scene import digest_of
    whole = early + first + tail
    c.want.update(toserver=digest_of(whole), duplicate_bytes=0, subflow_changes={0: {"bytes_toserver": [1300, 1500]}})
    s.ambiguity("whether the SYN's data is in the subflow's bytes_toserver: either")


@scenario(F)
def fast_open_data_not_taken(s):
    """The server does not take the SYN's data (acknowledges the SYN only); the client sends it again, mapped."""
    c = Conn(s)
    sub = c.first()
    early = s.data(200)
    sub.syn("c", o.mp_capable(1, 1), payload=early, extra=o.fast_open(b"") + b"\x01\x01")
    sub.half["s"].got.edge, sub.half["c"].nxt, sub.syn_data["c"] = 1, 1, 0
    sub.syn("s", o.mp_capable(1, 1, c.end["s"].key), "SA")
    sub.seg("c", mp=o.mp_capable(1, 1, c.end["c"].key, c.end["s"].key))
    sub.state = "established"
    c.send("c", early)
    c.exchange(900, 1500)
    c.close()
    c.want["duplicate_bytes"] = 0


@scenario(F)
def checksum_flag_in_record(s):
    """Two connections, one with DSS checksums, one without: the records tell them apart."""
    for flag in (True, False):
        c = Conn(s, checksum=flag).open()
        c.exchange(1000, 1000)
        c.close()


@scenario(F)
def third_ack_retransmitted_with_data(s):
    """v1: third ACK, then first data with MP_CAPABLE retransmitted after a loss: same keys, one connection."""
    c = Conn(s).open(fourth=False)
    real = s.data(800)
    at = c.send("c", real, first=True, ack=False)
    s.tick(0.2)
    c.send("c", real, at=at, seq=1, first=True)
    c.exchange(1000, 1000)
    c.close()
    c.want["duplicate_bytes"] = 0


@scenario(F)
def midstream_join_with_keys_unknown_and_new_connection(s):
    """One connection from its middle and, beside it, a whole one between the same hosts: each its own record."""
    c = Conn(s).open()
    c.exchange(1000, 1000)
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    d = Conn(s).open()
    d.join()
    for i in range(5):
        c.send("c", 600)
        d.send("c", 700, i % 2)
        d.send("s", 900, i % 2)
        c.send("s", 800)
    d.close()
    keys_unseen(c, subflows=1)
    stream_from(c, *marks)

"""The catalogue's events about MP_JOIN: each raised once, and near misses that must stay silent."""
from lab.octets import options as o
from peers import Conn
from scene import scenario, variants

F = "join"


def running(s, version=1, joins=1, **kw):
    c = Conn(s, version, **kw).open()
    for _ in range(joins):
        c.join()
    c.exchange(2000, 3000, tuple(range(len(c.subs))))
    return c


def ended(c, subs=None):
    live = [f.number for f in c.subs if f.state == "established"]
    c.exchange(2000, 3000, tuple(live))
    c.close(subs)


def stranger(s, c, token, synack=True, rst=False, ip="192.0.2.66"):
    """A JOIN attempt outside the books of `c`: SYN with `token`, and what the server says."""
    ghost = Conn(s, c.version, server=c.server, client=(ip, s.rng.randrange(32768, 60000)))
    ghost.hidden = True
    sub = ghost.first()
    sub.syn("c", o.join_syn(token, s.rng.randbytes(4), 3))
    if synack:
        sub.syn("s", o.join_synack(s.rng.randbytes(8), s.rng.randbytes(4)), "SA")
    if rst:
        sub.seg("s", "RA", seq=0, ack=1, win=0, ts=False)
    return sub


@variants(F, v0=0, v1=1)
def unknown_token_confirmed(s, version):
    """A JOIN with a token that no connection seen has, and the receiver answers it with MP_JOIN: it knows the token."""
    c = running(s, version)
    sub = stranger(s, c, s.rng.randbytes(4))
    sub.seg("c", mp=o.join_ack(s.rng.randbytes(20)))
    s.tick(11)
    ended(c)
    s.raises("join_unknown_token")
    s.stats(mptcp__joins_orphaned=1)


@scenario(F)
def unknown_token_three_tries(s):
    """Three JOINs with different unknown tokens from one source within a minute, each refused with RST: guessing."""
    c = running(s)
    for _ in range(3):
        stranger(s, c, s.rng.randbytes(4), synack=False, rst=True)
        s.tick(5)
    s.tick(11)
    ended(c)
    s.raises("join_unknown_token")
    s.ambiguity("what groups the tries (source, target): all are one source to one host here; whether refused orphans count in mptcp.joins_orphaned is left open")


@scenario(F)
def unknown_token_two_tries_only(s):
    """Two JOINs with unknown tokens, refused with RST: below the three tries."""
    c = running(s)
    for _ in range(2):
        stranger(s, c, s.rng.randbytes(4), synack=False, rst=True)
        s.tick(5)
    s.tick(11)
    ended(c)


@scenario(F)
def unknown_token_tries_far_apart(s):
    """Three JOINs with unknown tokens, refused, 40 s between them: never three within 60 s."""
    c = running(s)
    for _ in range(3):
        stranger(s, c, s.rng.randbytes(4), synack=False, rst=True)
        s.tick(40)
    ended(c)


@variants(F, v0_synack=(0, "synack"), v1_synack=(1, "synack"), v0_ack=(0, "ack"), v1_ack=(1, "ack"))
def hmac_mismatch(s, how):
    """A wrong HMAC in the SYN/ACK or the third ACK of a JOIN: the subflow failed, its data never enters the stream."""
    c = running(s, how[0])
    bad = c.join(src="192.0.2.66", synack="wrong" if how[1] == "synack" else "ok", third="wrong" if how[1] == "ack" else "ok")
    c.send("c", s.data(700), bad, at=len(c.stream["c"]), delivered=False, ack=False)
    c.send("s", s.data(600), bad, at=len(c.stream["s"]), delivered=False, ack=False)
    ended(c)
    c.want["subflow_changes"] = {2: {"state": "failed", "auth": "failed", "bytes_toserver": [0, 700], "bytes_toclient": [0, 600]}}
    s.raises("join_hmac_mismatch")


@scenario(F)
def hmac_of_another_connection(s):
    """The HMACs of a JOIN are right for another live connection's keys, not for the one its token names."""
    a, b = running(s), running(s)
    other = a.hmacs
    a.hmacs = b.hmacs
    bad = a.join(src="192.0.2.66")
    a.hmacs = other
    bad.state = bad.auth = "failed"
    a.send("c", s.data(500), bad, at=len(a.stream["c"]), delivered=False, ack=False)
    ended(a)
    ended(b)
    a.want["subflow_changes"] = {2: {"state": "failed", "auth": "failed", "bytes_toserver": [0, 500]}}
    s.expect(anomaly_on={"join_hmac_mismatch": a.ident})
    s.raises("join_hmac_mismatch")


@variants(F, v0=0, v1=1)
def data_before_completion(s, version):
    """The opener sends mapped data after the JOIN's SYN/ACK but never the third ACK: the handshake is not complete, the data does not count."""
    c = running(s, version)
    bad = c.join(third="none")
    c.send("c", s.data(400), bad, at=len(c.stream["c"]), delivered=False, ack=False)
    bad.seg("s", "RA", seq=1, win=0)
    ended(c)
    c.want["subflow_changes"] = {2: {"auth": ["verified", "unverified"], "state": "attempted", "bytes_toserver": [0, 400]}}


@variants(F, rst=("rst",), unanswered=("none",))
def refused(s, how):
    """A JOIN answered by RST, or by nobody: an attempted subflow, no event."""
    c = running(s)
    c.join(synack=how[0])
    ended(c)
    c.want["subflow_changes"] = {2: {"auth": ["verified", "unverified"], "state": "attempted"}}


@scenario(F)
def answered_without_option(s):
    """One capture point: a JOIN on a live connection is answered by a SYN/ACK without MP_JOIN: option_stripped, inferred."""
    c = running(s)
    bad = c.join(synack="plain", third="none")
    bad.seg("c", "R", ts=False, win=0)
    ended(c)
    c.want["subflow_changes"] = {2: {"auth": ["verified", "unverified"], "state": ["attempted", "failed", "reset"]}}
    s.raises("option_stripped")
    s.expect(anomaly_details={"option_stripped": {"inferred": True}})


def many_half_open(s, conns, each, pause=0.0, answered=True):
    for c in conns:
        for i in range(each):
            c.join(src=(f"192.0.2.{1 + i % 200}", 20000 + i), addr_id=1 + i % 200, synack="ok" if answered else "none", third="none")
            s.tick(pause)
        c.want["subflow_list"] = None


@variants(F, v0=0, v1=1)
def flood_of_one_connection(s, version):
    """65 half-open JOINs of one connection within 10 s."""
    c = running(s, version)
    many_half_open(s, [c], 65, pause=0.05)
    ended(c)
    s.raises("join_flood")


@scenario(F)
def flood_below_limit(s):
    """64 half-open JOINs of one connection within 10 s: not above the limit."""
    c = running(s)
    many_half_open(s, [c], 64, pause=0.05)
    ended(c)


@scenario(F)
def flood_too_slow(s):
    """100 half-open JOINs of one connection, one every 0.25 s: never more than 64 within 10 s."""
    c = running(s)
    many_half_open(s, [c], 100, pause=0.25)
    ended(c)


@scenario(F)
def flood_towards_one_host(s):
    """257 half-open JOINs towards one host, over five connections: none has more than 64, the host has more than 256."""
    conns = [running(s) for _ in range(5)]
    many_half_open(s, conns, 52, pause=0.005)
    for c in conns:
        ended(c)
    s.raises("join_flood")
    s.expect(repeats_allowed=True)


@scenario(F)
def flood_towards_one_host_below(s):
    """250 half-open JOINs towards one host within 10 s, over five connections: not above 256."""
    conns = [running(s) for _ in range(5)]
    many_half_open(s, conns, 50, pause=0.005)
    for c in conns:
        ended(c)


@scenario(F)
def seventy_completed_then_closed(s):
    """70 JOINs of one connection within 10 s, each completed, then closed before the next: never half-open, never many at once."""
    c = running(s)
    for i in range(70):
        sub = c.join(src=(f"192.0.2.{10 + i}", 30000 + i), addr_id=2 + i)
        sub.finish()
    ended(c)
    c.want["subflow_list"] = None


@variants(F, v0=0, v1=1)
def replay(s, version):
    """Token and nonce of a JOIN again from another 4-tuple, at the same capture point."""
    c = running(s, version)
    again = c.join(src="192.0.2.77", nonce=c.subs[1].nonce, third="none")
    again.seg("s", "RA", seq=1, win=0)
    ended(c)
    c.want["subflow_list_exact"] = False
    c.want["subflow_list"] = [f.describe() for f in c.subs[:2]]
    c.want["subflows"] = 2
    s.raises("join_replay")


@scenario(F)
def replay_near_miss_retransmitted(s):
    """The JOIN's SYN and SYN/ACK sent twice on the same 4-tuple: a retransmission, not a replay."""
    c = running(s)
    sub = c.join(third="none", src=("192.0.2.55", 44444))
    syn = s.packets[-2][1]
    synack = s.packets[-1][1]
    s.tick(1.0)
    s.emit(syn)
    s.emit(synack)
    mine = c.end["c"].key + c.end["s"].key
    nb = synack.options[-4:]
    sub.seg("c", mp=o.join_ack(o.mac(1, mine, sub.nonce + nb)[:20]))
    sub.state = "established"
    sub.seg("s", mp=c.dack("s"))
    ended(c)


@scenario(F)
def replay_near_miss_other_connection(s):
    """Two connections use the same nonce in their JOINs: the tokens differ."""
    nonce = s.rng.randbytes(4)
    a, b = Conn(s).open(), Conn(s).open()
    a.join(nonce=nonce)
    b.join(nonce=nonce)
    for c in (a, b):
        c.exchange(1000, 2000, (0, 1))
        c.close()


@variants(F, v0=0, v1=1)
def opened_by_server(s, version):
    """The server opens a subflow towards the client (token of the client, keys in the server's order)."""
    c = running(s, version)
    sub = c.join(opener="s", addr_id=4)
    c.exchange(3000, 3000, (2,))
    ended(c)
    s.raises("opened_by_server")
    assert sub.describe()["opener"] == "server"


@scenario(F)
def opened_by_client_to_announced_address(s):
    """The client opens a subflow to a second address of the server, after ADD_ADDR: not opened by the server."""
    c = running(s)
    c.subs[0].seg("s", mp=o.add_addr_v1(c.end["s"].key, c.end["c"].key, 5, "203.0.113.99"))
    c.subs[0].seg("c", mp=o.add_addr_v1(b"", b"", 5, "203.0.113.99", echo=True))
    c.join(dst=("203.0.113.99", c.server[1]), addr_id=1, peer_id=5)
    ended(c)


@scenario(F)
def server_hmac_wrong(s):
    """A server-opened JOIN whose third ACK is wrong: failed, and its data does not count."""
    c = running(s)
    bad = c.join(opener="s", third="wrong", addr_id=6)
    c.send("s", s.data(800), bad, at=len(c.stream["s"]), delivered=False, ack=False)
    ended(c)
    c.want["subflow_changes"] = {2: {"bytes_toclient": [0, 800]}}
    s.raises("join_hmac_mismatch", may=("opened_by_server",))


@scenario(F)
def subflow_excess(s):
    """17 subflows at once."""
    c = Conn(s).open()
    for _ in range(16):
        c.join()
    c.exchange(17000, 17000, tuple(range(17)))
    c.close()
    s.raises("subflow_excess")


@scenario(F)
def subflow_excess_not_at_sixteen(s):
    """16 subflows at once: the limit, not above it."""
    c = Conn(s).open()
    for _ in range(15):
        c.join()
    c.exchange(16000, 16000, tuple(range(16)))
    c.close()


@scenario(F)
def subflow_excess_not_when_one_goes(s):
    """24 subflows in all, but never more than 16 at once: some end by FIN, some by RST, before others come."""
    c = Conn(s).open()
    for _ in range(15):
        c.join()
    c.exchange(8000, 8000, tuple(range(16)))
    for i in range(1, 9):
        if i % 2:
            c.subs[i].finish()
        else:
            c.subs[i].rst("c")
        c.join()
    ended(c)


@scenario(F)
def backup_and_ids(s):
    """Backup flag and address ids of JOINs are told as they were on the wire."""
    c = Conn(s).open()
    c.join(addr_id=7, backup=True)
    c.join(addr_id=200)
    c.exchange(3000, 3000, (0, 2))
    c.close()


@scenario(F)
def same_server_key_in_two_connections(s):
    """Two live connections share the server's token (same server key): only the HMAC tells whose JOIN it is."""
    key = s.rng.randbytes(8)
    a, b = Conn(s, key_s=key).open(), Conn(s, key_s=key).open()
    a.exchange(1000, 1000)
    b.exchange(1500, 1500)
    b.join()
    a.join()
    a.join()
    b.join()
    for c in (a, b):
        c.exchange(4000, 6000, (0, 1, 2))
    for c in (b, a):
        c.close()
    s.ambiguity("a host that gives the same key twice breaks RFC 8684; the text asks that the HMAC decides")


@scenario(F)
def same_client_key_server_opened(s):
    """Two live connections share the client's token; the servers open subflows: the HMAC tells which."""
    key = s.rng.randbytes(8)
    a, b = Conn(s, key_c=key).open(), Conn(s, key_c=key, server=("203.0.113.90", 8080)).open()
    b.exchange(500, 1500)
    b.join(opener="s", src="203.0.113.91", addr_id=1)
    a.join(opener="s", src="203.0.113.92", addr_id=1)
    a.exchange(3000, 9000, (0, 1))
    b.exchange(3000, 9000, (0, 1))
    a.close()
    b.close()
    s.raises("opened_by_server")


@scenario(F)
def same_token_wrong_hmac_for_both(s):
    """A shared token and an HMAC that fits neither connection: failed wherever it is put, in no stream."""
    key = s.rng.randbytes(8)
    a, b = Conn(s, key_s=key).open(), Conn(s, key_s=key).open()
    a.exchange(1000, 1000)
    b.exchange(1500, 1500)
    bad = a.join(third="wrong", synack="wrong", src="192.0.2.66")
    a.send("c", s.data(500), bad, at=len(a.stream["c"]), delivered=False, ack=False)
    a.send("c", s.data(500), bad, at=len(b.stream["c"]), delivered=False, ack=False)
    for c in (a, b):
        c.exchange(2000, 2000)
        c.close([0])
        c.want["subflow_list_exact"] = False
    a.want["subflow_list"] = [a.subs[0].describe()]
    s.raises("join_hmac_mismatch")

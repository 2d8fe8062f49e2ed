"""Connections that were offered MPTCP and do not have it, or leave it: refused, fallback in all its forms, unanswered."""
from lab.octets import options as o
from peers import Conn
from scene import scenario, variants
from family_tcp import ended, running

F = "fallback"


def plain(c, *, toserver=3000, toclient=5000, close=True, sub=0):
    """From here on without options."""
    c.signals = False
    c.send("c", toserver, sub, mp=b"")
    c.send("s", toclient, sub, mp=b"")
    c.send("c", 500, sub, mp=b"")
    if close:
        c.sub(sub).finish()


def no_keys(c, version=1):
    c.want.update(id="x-*", version=version, checksum=None)


@variants(F, v0=(0, False), v1=(1, False), v1_ipv6=(1, True))
def refused(s, how):
    """MP_CAPABLE offered, the SYN/ACK has none: refused; the plain octets are rebuilt."""
    c = Conn(s, how[0], ipv6=how[1])
    sub = c.first()
    sub.syn("c", o.mp_capable(how[0], 1, *(() if how[0] else (c.end["c"].key,))))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    plain(c)
    c.state = "refused"
    no_keys(c, how[0])


@scenario(F)
def refused_then_reset(s):
    """A refused connection that ends by RST: refused stays the state; data behind the RST does not count."""
    c = Conn(s)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    plain(c, close=False)
    sub.rst("s")
    c.send("c", s.data(400), 0, at=len(c.stream["c"]), mp=b"", delivered=False, ack=False)
    c.state = "refused"
    no_keys(c)
    c.want.update(duplicate_bytes=0)


@scenario(F)
def refused_with_lost_segments(s):
    """A refused connection, out of order and retransmitted: plain TCP rules."""
    c = Conn(s)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    real = s.data(3000)
    c.stream["c"] += real
    c.send("c", real[1000:2000], at=1000, seq=1001, mp=b"", ack=True)
    c.send("c", real[2000:], at=2000, seq=2001, mp=b"", ack=True)
    c.send("c", real[:1000], at=0, seq=1, mp=b"", ack=True)
    c.send("c", real[:1000], at=0, seq=1, mp=b"", ack=True)
    sub.finish()
    c.state = "refused"
    no_keys(c)
    c.want.update(duplicate_bytes=0)


@scenario(F)
def refused_after_syn_retries(s):
    """The client repeats its SYN without MP_CAPABLE after two tries (Linux does), and the server answers that: refused, or none of ours."""
    c = Conn(s)
    c.hidden = True
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    s.tick(1.0)
    sub.syn("c", o.mp_capable(1, 1))
    s.tick(2.0)
    sub.syn("c")
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    plain(c)
    s.expect(connections_exact=False)
    s.ambiguity("offered, then withdrawn: a refused record or only a count; events are checked, nothing else")


@variants(F, v0=0, v1=1)
def no_option_in_ack(s, version):
    """MPTCP agreed in SYN and SYN/ACK, the third ACK carries no option (stripped or given up): fallback, plain octets."""
    c = Conn(s, version)
    c.open(third=False)
    c.signals = False
    c.subs[0].seg("c")
    c.subs[0].state = "established"
    plain(c)
    c.state = "fallback"
    c.want.update(fallback_reason=["no_option_in_ack"], checksum=None)
    if version:
        no_keys(c)                      # v1: the client's key would have come in the third ACK


@variants(F, v0_client=(0, "c"), v1_client=(1, "c"), v0_server=(0, "s"), v1_server=(1, "s"))
def no_dss(s, how):
    """The handshake agreed, the first data (of the client; of the server) carries no DSS: fallback."""
    c = Conn(s, how[0]).open(fourth=False)
    c.signals = False
    if how[1] == "s":
        c.send("s", 800, mp=b"")
    plain(c)
    c.state = "fallback"
    c.want.update(fallback_reason="no_dss")


@scenario(F)
def no_dss_in_reply_only(s):
    """The client's data has a DSS, the server's first data has none: the way back was stripped; fallback, all octets count."""
    c = Conn(s).open(fourth=False)
    c.send("c", 700, ack=False)
    c.signals = False
    c.send("s", 800, mp=b"")
    c.send("c", 900, mp=b"")
    c.send("s", 800, mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    c.want.update(fallback_reason="no_dss")


@variants(F, v0=0, v1=1)
def infinite_mapping(s, version):
    """An infinite mapping (length 0) in mid-connection on the only subflow: fallback; the plain octets go on where the mapped ones end."""
    c = running(s, version, joins=0)
    first = s.data(600)
    option = c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0)
    c.send("c", first, mp=option)
    c.signals = False
    c.send("s", 900, mp=b"")
    plain(c)
    c.state = "fallback"
    c.want.update(fallback_reason="infinite_mapping")


@scenario(F)
def infinite_mapping_after_other_subflow_died(s):
    """Two subflows; one is reset, the other goes on with an infinite mapping: fallback on the remaining one."""
    c = running(s)
    c.subs[1].rst("c")
    c.exchange(1000, 1000)
    data = s.data(500)
    c.send("c", data, mp=c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0))
    plain(c)
    c.state = "fallback"
    c.want.update(fallback_reason="infinite_mapping")


@scenario(F)
def fallback_ends_by_rst(s):
    """A connection that fell back ends by RST: fallback stays the state."""
    c = running(s, joins=0)
    c.send("c", s.data(500), mp=c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0))
    plain(c, close=False)
    c.subs[0].rst("c")
    c.state = "fallback"
    c.want.update(fallback_reason="infinite_mapping")


@scenario(F)
def fallback_out_of_order(s):
    """After the infinite mapping plain segments come out of order and twice."""
    c = running(s, joins=0)
    c.send("c", s.data(500), mp=c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0))
    c.signals = False
    real, at, start = s.data(3000), len(c.stream["c"]), c.subs[0].half["c"].nxt
    c.stream["c"] += real
    for i in (1, 2, 0, 1):
        c.send("c", real[i * 1000:i * 1000 + 1000], at=at + i * 1000, seq=start + i * 1000, mp=b"")
    c.send("s", 500, mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    c.want.update(fallback_reason="infinite_mapping", duplicate_bytes=0)


@scenario(F)
def unmapped_first_subflow_only_one_segment(s):
    """On the only subflow, established and used, one segment without mapping: fallback or unmapped, but never lost silently."""
    c = running(s, joins=0)
    c.hidden = True
    c.send("c", 500, mp=b"")
    c.exchange(500, 500)
    s.expect(connections_exact=False)
    s.raises(may=("data_unmapped",))
    s.ambiguity("RFC 8684 3.7: without checksums a sole subflow may fall back or close; only that nothing breaks is checked")


@variants(F, v0=0, v1=1)
def checksum_fails_on_only_subflow(s, version):
    """A checksum that fails on the only subflow: MP_FAIL both ways as the RFC has it, infinite mapping, the octets are delivered."""
    c = Conn(s, version, checksum=True).open()
    c.exchange(1000, 1000)
    at = c.send("c", 800, csum=0x2468, ack=False)
    sub = c.subs[0]
    sub.seg("s", mp=o.mp_fail(c.end["c"].dsn(at)) + c.dack("s"))
    sub.seg("c", mp=c.dack("c"))
    option = o.dss(ack=c.data_ack("c"), dsn=c.end["c"].dsn(at), ssn=at + 1, length=0, csum=0)
    c.send("c", 600, mp=option)
    plain(c)
    c.state = "fallback"
    c.want.update(fallback_reason=["mp_fail", "infinite_mapping"])
    s.raises("dss_checksum_mismatch", "mp_fail")


@scenario(F)
def unanswered(s):
    """Two MP_CAPABLE SYNs that nobody answers (each sent three times) and one answered by RST: no record; counted."""
    for i in range(2):
        c = Conn(s)
        c.hidden = True
        sub = c.first()
        for wait in (1, 2, 4):
            sub.syn("c", o.mp_capable(1, 1))
            s.tick(wait)
    c = Conn(s, 0)
    c.hidden = True
    sub = c.first()
    sub.syn("c", o.mp_capable(0, 1, c.end["c"].key))
    sub.seg("s", "RA", seq=0, ack=1, win=0, ts=False)
    s.stats(mptcp__unanswered=3, mptcp__connections=0)


@scenario(F)
def unanswered_beside_a_good_one(s):
    """An unanswered SYN beside a connection: one record, one count."""
    c = Conn(s)
    c.hidden = True
    c.first().syn("c", o.mp_capable(1, 1))
    d = running(s)
    ended(d)
    s.stats(mptcp__unanswered=1, mptcp__connections=1)


@scenario(F)
def checksum_refused_middlebox(s):
    """The SYN/ACK's MP_CAPABLE is overwritten with NOPs on the way: refused, as the client sees it; the server sends DSS for a while."""
    c = Conn(s)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", b"\x01" * 12, "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    plain(c)
    c.state = "refused"
    no_keys(c)


@scenario(F)
def plain_tcp_is_no_record(s):
    """Plain TCP connections make no mptcp record."""
    c = Conn(s)
    c.hidden = True
    sub = c.first()
    sub.syn("c")
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    plain(c)
    s.stats(mptcp__connections=0)


@scenario(F)
def join_as_first_syn_refused_then_capable(s):
    """After a fallback a JOIN to the same token comes late: its host refuses it; the stream stays the plain one."""
    c = running(s, joins=0)
    c.send("c", s.data(500), mp=c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0))
    plain(c, close=False)
    c.join(synack="rst")
    c.send("c", 400, mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    c.want.update(fallback_reason="infinite_mapping", subflow_list_exact=False)
    c.want["subflow_list"] = [c.subs[0].describe()]
    c.want["subflows"] = 1

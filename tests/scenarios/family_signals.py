"""The catalogue's events about addresses, priorities, aborts, versions, options: each raised once, and near misses that must stay silent."""
from lab.octets import options as o
from peers import Conn, Sub
from scene import scenario, variants
from family_joins import ended, running

F = "signal"


def keys(c, side):
    return c.end[side].key, c.end["s" if side == "c" else "c"].key


def offer(c, side, addr_id, address, port=None, sub=0, echo=True, **kw):
    """ADD_ADDR from `side`, right for the version, and its echo (v1)."""
    if c.version:
        c.subs[sub].seg(side, mp=o.add_addr_v1(*keys(c, side), addr_id, address, port, **kw))
        if echo:
            c.subs[sub].seg("s" if side == "c" else "c", mp=o.add_addr_v1(b"", b"", addr_id, address, port, echo=True))
    else:
        c.subs[sub].seg(side, mp=o.add_addr_v0(addr_id, address, port))


# -- ADD_ADDR
@variants(F, plain=("192.0.2.200", None), port=("192.0.2.200", 8443), ipv6=("2001:db8:9::1", None))
def add_addr_wrong_hmac(s, how):
    """v1 ADD_ADDR whose HMAC is not the one that the keys give."""
    c = running(s)
    c.subs[0].seg("s", mp=o.add_addr_v1(*keys(c, "s"), 3, how[0], how[1], wrong_hmac=True))
    ended(c)
    s.raises("add_addr_hmac_mismatch")


@scenario(F)
def add_addr_hmac_of_wrong_direction(s):
    """ADD_ADDR authenticated with the keys in the receiver's order: a reflected HMAC is not the sender's."""
    c = running(s)
    c.subs[0].seg("s", mp=o.add_addr_v1(c.end["c"].key, c.end["s"].key, 3, "192.0.2.200"))
    ended(c)
    s.raises("add_addr_hmac_mismatch")


@scenario(F)
def add_addr_hmac_without_port(s):
    """The option has a port, the HMAC was made with port 0: a mismatch."""
    c = running(s)
    good = o.add_addr_v1(*keys(c, "s"), 3, "192.0.2.200")
    c.subs[0].seg("s", mp=o.option30(3, 0, good[3:8] + b"\x1f\x90" + good[8:]))
    ended(c)
    s.raises("add_addr_hmac_mismatch")


@scenario(F)
def add_addr_all_forms_right(s):
    """v1 ADD_ADDR in all eight lengths: with right HMAC and as echo, IPv4 and IPv6, with and without port; from either side."""
    c = running(s, ipv6=False)
    c.subs[0].ts = False                # IPv6 with a port has no room beside timestamps
    offer(c, "s", 3, "192.0.2.200")
    offer(c, "s", 4, "192.0.2.201", 8443)
    offer(c, "c", 5, "2001:db8:9::1")
    offer(c, "c", 6, "2001:db8:9::2", 8443)
    c.subs[0].ts = True
    ended(c)


@scenario(F)
def add_addr_echo_is_not_authenticated(s):
    """An echo (E=1) carries no HMAC: nothing to verify, nothing to raise."""
    c = running(s)
    c.subs[1].seg("c", mp=o.add_addr_v1(b"", b"", 9, "192.0.2.210", echo=True))
    ended(c)


@variants(F, client="c", server="s")
def v0_add_addr_new(s, side):
    """v0 ADD_ADDR (no authentication) for an address that no subflow of that host uses."""
    c = running(s, 0)
    offer(c, side, 9, "192.0.2.222")
    ended(c)
    s.raises("add_addr_unauthenticated")


@scenario(F)
def v0_add_addr_in_use(s):
    """v0 ADD_ADDR for an address that a subflow of that host already uses."""
    c = running(s, 0)
    offer(c, "c", 1, c.subs[1].half["c"].ip)
    offer(c, "s", 0, c.server[0])
    ended(c)


@scenario(F)
def v0_add_addr_of_the_other_host(s):
    """v0 ADD_ADDR: the server announces an address that only the client uses; no subflow of the server does."""
    c = running(s, 0)
    offer(c, "s", 5, c.subs[1].half["c"].ip)
    ended(c)
    s.raises("add_addr_unauthenticated")


@variants(F, rfc1918="192.168.7.7", ten="10.1.2.3", seventeen="172.31.255.1", link="169.254.3.4", loopback="127.0.0.1", ula="fd12::7", link6="fe80::7", loopback6="::1")
def private_address(s, address):
    """An address the receiver cannot reach by its scope, told to a peer at a global address."""
    c = running(s)
    offer(c, "s", 3, address)
    ended(c)
    s.raises("add_addr_private")


@scenario(F)
def private_address_v0(s):
    """The same in v0, where nothing is authenticated either."""
    c = running(s, 0)
    offer(c, "s", 3, "10.9.9.9")
    ended(c)
    s.raises("add_addr_private", "add_addr_unauthenticated")


@variants(F, documentation="192.0.2.99", benchmark="198.18.5.5", just_outside="172.32.0.1", not_ten="11.0.0.1", doc6="2001:db8:77::1", global6="2606:4700::1")
def global_address(s, address):
    """Global, documentation and benchmark addresses offered: none is private."""
    c = running(s)
    offer(c, "s", 3, address)
    ended(c)


@scenario(F)
def private_to_private(s):
    """A private address told to a peer at a private address: within one site, nothing to say."""
    c = Conn(s, client=("10.0.5.2", 40000), server=("10.0.7.80", 8080)).open()
    c.join(src="10.0.6.2")
    offer(c, "s", 3, "10.0.8.80")
    offer(c, "s", 4, "192.168.8.80")
    ended(c)


@scenario(F)
def add_addr_flood_in_one_connection(s):
    """Nine distinct addresses offered in one connection within a minute."""
    c = running(s)
    for i in range(9):
        offer(c, "s", 10 + i, f"192.0.2.{100 + i}")
    ended(c)
    s.raises("add_addr_flood")


@scenario(F)
def add_addr_flood_not_at_eight(s):
    """Eight distinct addresses, each offered four times: distinct ones count, and eight is the limit."""
    c = running(s)
    for _ in range(4):
        for i in range(8):
            offer(c, "s", 10 + i, f"192.0.2.{100 + i}")
    ended(c)


@scenario(F)
def add_addr_flood_too_slow(s):
    """Twelve distinct addresses, one every 8 s: never more than eight within 60 s."""
    c = running(s)
    for i in range(12):
        offer(c, "s", 10 + i, f"192.0.2.{100 + i}")
        s.tick(8)
    ended(c)


def one_address_to_many(s, count):
    for i in range(count):
        c = Conn(s, client=(f"198.51.100.{1 + i % 250}", 40000 + i)).open(fourth=False)
        offer(c, "s", 3, "203.0.113.250", echo=False)
        c.state = "open"
        s.tick(0.01)


@scenario(F)
def add_addr_flood_over_connections(s):
    """One address offered in 257 connections within a minute (traffic driven at a victim)."""
    one_address_to_many(s, 257)
    s.raises("add_addr_flood")


@scenario(F)
def add_addr_flood_over_connections_not_at_limit(s):
    """One address offered in 256 connections within a minute: the limit, not above it."""
    one_address_to_many(s, 256)


# -- REMOVE_ADDR, MP_PRIO
@variants(F, v0=0, v1=1)
def remove_unknown_id(s, version):
    """REMOVE_ADDR of an address ID that was never used or offered."""
    c = running(s, version)
    c.subs[0].seg("c", mp=o.remove_addr(77) + c.dack("c"))
    ended(c)
    s.raises("remove_addr_unknown_id")


@scenario(F)
def remove_unknown_among_known(s):
    """REMOVE_ADDR of three IDs, the last of them unknown: every ID of the list is looked at."""
    c = running(s, joins=2)
    c.subs[0].seg("c", mp=o.remove_addr(1, 2, 99) + c.dack("c"))
    for i in (1, 2):
        c.subs[i].rst("c")
    ended(c)
    s.raises("remove_addr_unknown_id")


@scenario(F)
def remove_known_ids(s):
    """REMOVE_ADDR of IDs that were used by a JOIN, offered by ADD_ADDR, or are the first subflow's (0)."""
    c = running(s)
    offer(c, "s", 8, "203.0.113.99")
    c.subs[0].seg("s", mp=o.remove_addr(8) + c.dack("s"))
    c.subs[0].seg("c", mp=o.remove_addr(1) + c.dack("c"))
    c.subs[1].rst("c")
    c.join(addr_id=2)
    c.subs[2].seg("c", mp=o.remove_addr(0) + c.dack("c"))
    c.subs[0].rst("c")
    c.exchange(1000, 1000, (2,))
    c.close(by=2)


@variants(F, changed=1)
def prio_foreign(s, _):
    """v0 MP_PRIO with an address ID other than its subflow's: traffic is moved to a path of another's choosing."""
    c = running(s, 0, joins=2)
    c.subs[1].seg("c", mp=o.mp_prio(True, 2) + c.dack("c"))
    ended(c)
    c.want["subflow_changes"] = {1: {"backup": [True, False]}, 2: {"backup": [True, False]}}
    s.raises("mp_prio_foreign")


@scenario(F)
def prio_own(s):
    """v0 MP_PRIO with its own subflow's address ID, and one without an ID; legal both."""
    c = running(s, 0, joins=2)
    c.subs[1].seg("c", mp=o.mp_prio(True, 1) + c.dack("c"))
    c.subs[2].seg("c", mp=o.mp_prio(True) + c.dack("c"))
    ended(c)
    c.want["subflow_changes"] = {1: {"backup": [True, False]}, 2: {"backup": [True, False]}}
    s.ambiguity("whether `backup` of the record follows MP_PRIO or stays as in the SYN: either allowed")


# -- MP_FASTCLOSE, MP_FAIL
@variants(F, v0_ack=(0, "A"), v1_ack=(1, "A"), v0_rst=(0, "RA"), v1_rst=(1, "RA"))
def fastclose(s, how):
    """MP_FASTCLOSE with the receiver's key, on an ACK or a RST: the connection is reset there; later data counts no more."""
    c = running(s, how[0])
    c.send("s", 1500, 1)
    c.fastclose("c", 0, flags=how[1])
    c.send("c", s.data(500), 1, at=len(c.stream["c"]), delivered=False, ack=False)
    c.send("s", s.data(500), 1, at=len(c.stream["s"]), delivered=False, ack=False)
    c.subs[0].rst("s", flags="R", end=False)
    c.subs[1].rst("s", flags="R", end=False)
    c.state = "reset"
    c.want.update(subflow_changes={n: {"state": ["reset", "established", "closed"], "bytes_toserver": None, "bytes_toclient": None} for n in (0, 1)}, visibility=None)
    for change in c.want["subflow_changes"].values():
        change.update(bytes_toserver=[1000, 1500], bytes_toclient=[1500, 3000, 2000, 3500])
    c.want["subflow_list"] = None
    del c.want["subflow_changes"]


@variants(F, random_key="x", own_key="c")
def fastclose_wrong_key(s, which):
    """MP_FASTCLOSE with a key that is not the receiver's (a random one; the sender's own): the connection goes on."""
    c = running(s)
    c.fastclose("c", 0, flags="A", key=s.rng.randbytes(8) if which == "x" else c.end["c"].key)
    ended(c)
    s.raises("fastclose_key_mismatch")


@scenario(F)
def fastclose_wrong_key_on_forged_rst(s):
    """A forged RST with MP_FASTCLOSE and a wrong key, out of the window: neither the subflow nor the connection ends."""
    c = running(s)
    c.fastclose("c", 0, flags="R", key=s.rng.randbytes(8), seq=c.subs[0].half["c"].nxt + 10_000_000)
    ended(c)
    s.raises("fastclose_key_mismatch")
    s.ambiguity("the segment itself is not acceptable; the event may be raised or not")
    s.exp["anomalies"], s.exp["may_anomalies"] = [], ["fastclose_key_mismatch"]


@variants(F, v0=0, v1=1)
def mp_fail_only_subflow(s, version):
    """MP_FAIL on the only subflow after a checksum that fails, then an infinite mapping: fallback, reason mp_fail."""
    c = Conn(s, version, checksum=True).open()
    c.exchange(1000, 2000)
    c.send("c", 300, csum=0x1357, ack=False)
    sub = c.subs[0]
    sub.seg("s", mp=o.mp_fail(c.end["c"].dsn(1000)) + c.dack("s"))
    c.signals = False
    c.send("c", 700, mp=b"")
    c.send("s", 900, mp=b"")
    sub.finish()
    c.state = "fallback"
    c.want.update(fallback_reason=["mp_fail"], gap_bytes_toserver=None, visibility=None)
    s.raises("mp_fail", "dss_checksum_mismatch")


@scenario(F)
def mp_fail_with_others_alive(s):
    """MP_FAIL and RST on one of two subflows after a failed checksum: that subflow ends, its bytes are dropped, sent again on the other; MPTCP goes on."""
    c = Conn(s, checksum=True).open()
    c.join()
    c.exchange(2000, 2000, (0, 1))
    real = s.data(400)
    at = len(c.stream["c"])
    c.send("c", s.data(400), 1, at=at, csum=0x2222, delivered=False, ack=False)
    c.subs[1].rst("s", mp=o.mp_fail(c.end["c"].dsn(at)))
    c.send("c", real, 0)
    c.exchange(1000, 1000)
    c.close()
    c.want.update(duplicate_bytes=[0, 400], subflow_changes={1: {"state": ["reset", "failed"], "bytes_toserver": [1000, 1400]}}, subflows=[1, 2])
    s.raises("mp_fail", "dss_checksum_mismatch", may=("dsn_overlap_conflict",))
    s.exp["may_anomalies"] = []


@scenario(F)
def mp_fail_forced(s):
    """MP_FAIL on a connection without checksums (someone forces the fallback), plain bytes from there."""
    c = Conn(s).open()
    c.exchange(1000, 2000)
    c.subs[0].seg("s", mp=o.mp_fail(c.end["c"].dsn(1000)) + c.dack("s"))
    c.signals = False
    c.send("c", 700, mp=b"")
    c.send("s", 900, mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    c.want.update(fallback_reason="mp_fail")
    s.raises("mp_fail")


# -- versions
def versions(s, first_v1, offered=1, answered=0):
    server = ("203.0.113.80", 8080)
    if first_v1:
        c = Conn(s, server=server).open()
        c.exchange(500, 500)
        c.close()
    d = Conn(s, offered, server=server)
    sub = d.first()
    sub.syn("c", o.mp_capable(offered, 1, *(() if offered else (d.end["c"].key,))))
    sub.syn("s", o.mp_capable(answered, 1, d.end["s"].key), "SA")
    return d, sub


@scenario(F)
def version_downgrade(s):
    """A host that answered v1 before answers a v1 SYN with v0: version_downgrade; the client falls back."""
    d, sub = versions(s, True)
    plain_from_here(d, sub)
    d.want.update(id="x-*", version=[0, 1], fallback_reason="version", checksum=None)
    s.raises("version_downgrade")


def plain_from_here(d, sub, third=True):
    d.signals = False
    if third:
        sub.seg("c")
    sub.state = "established"
    d.send("c", 1000, mp=b"")
    d.send("s", 2000, mp=b"")
    sub.finish()
    d.state = "fallback"


@scenario(F)
def version_lower_first_time(s):
    """A host that never answered v1 answers a v1 SYN with v0: fallback, reason version, no event."""
    d, sub = versions(s, False)
    plain_from_here(d, sub)
    d.want.update(id="x-*", version=[0, 1], fallback_reason="version", checksum=None)


@scenario(F)
def version_v0_offered(s):
    """A v1 host is offered v0 and answers v0: that is what was asked for."""
    server = ("203.0.113.80", 8080)
    c = Conn(s, server=server).open()
    c.exchange(500, 500)
    c.close()
    d = Conn(s, 0, server=server).open()
    d.exchange(500, 500)
    d.close()


# -- option_malformed
BAD = {"capable_len_5": bytes.fromhex("1e0501010000"[:10]), "capable_v1_len_21": bytes([30, 21, 1, 1]) + bytes(17),
       "join_len_13": bytes([30, 13, 0x10]) + bytes(10), "dss_len_6": bytes([30, 6, 0x20, 0x03, 1, 2]),
       "dss_ack8_short": bytes([30, 8, 0x20, 0x03, 1, 2, 3, 4]), "dss_too_long": bytes([30, 14, 0x20, 0x03]) + bytes(10),
       "add_addr_len_9": bytes([30, 9, 0x30]) + bytes(6), "remove_addr_empty": bytes([30, 3, 0x40]), "fail_len_11": bytes([30, 11, 0x60]) + bytes(8),
       "fastclose_len_10": bytes([30, 10, 0x70]) + bytes(7), "prio_len_5": bytes([30, 5, 0x50, 1, 2]), "tcprst_len_3": bytes([30, 3, 0x80]),
       "subtype_9": bytes([30, 4, 0x90, 0]), "subtype_14": bytes([30, 12, 0xE0]) + bytes(9), "length_2": bytes([30, 2]),
       "truncated": bytes([1, 30, 20, 0x20])}


@variants(F, **BAD)
def malformed(s, option):
    """Kind 30 with a length or subtype that the version does not allow, or cut off by the end of the header, on a pure ACK."""
    c = running(s)
    c.subs[0].seg("c", mp=option)
    ended(c)
    s.raises("option_malformed")


@scenario(F)
def malformed_second_option(s):
    """A good DSS first, a malformed option 30 behind it in the same segment: every option is walked; the data counts."""
    c = running(s)
    data = s.data(50)
    c.subs[1].ts = False
    option = c.mapping("c", len(c.stream["c"]), c.subs[1].half["c"].nxt, 50, data) + bytes([30, 4, 0xB0, 0])
    c.send("c", data, 1, mp=option)
    c.subs[1].ts = True
    ended(c)
    s.raises("option_malformed")


@scenario(F)
def malformed_for_the_version(s):
    """MP_PRIO of 4 octets is right in v0 only, MP_TCPRST is none of v0's: each malformed in the other version."""
    c, d = running(s, 1), running(s, 0)
    c.subs[0].seg("c", mp=o.mp_prio(False, 1))
    d.subs[0].seg("c", mp=o.mp_tcprst(1))
    ended(c)
    ended(d)
    s.raises("option_malformed")
    s.expect(anomaly_counts={"option_malformed": 2})


@scenario(F)
def malformed_without_connection(s):
    """A malformed option on a segment of no known connection is told, too."""
    c = Conn(s)
    c.hidden = True
    sub = c.first()
    sub.seg("c", mp=bytes([30, 7, 0x20, 0x01, 0, 0, 0]), seq=5000, ack=6000)
    s.raises("option_malformed")


@scenario(F)
def unknown_but_not_malformed(s):
    """Subtype 15 (experimental), an unknown TCP option kind, MP_TCPRST on a RST, REMOVE_ADDR of several ids: nothing malformed."""
    c = running(s, joins=2)
    c.subs[0].seg("c", mp=bytes([30, 8, 0xF0, 1, 2, 3, 4, 5]))
    c.subs[0].seg("c", mp=bytes([253, 4, 9, 9]) + c.dack("c"))
    c.subs[0].seg("c", mp=o.remove_addr(1, 2))
    c.subs[1].rst("c", mp=o.mp_tcprst(5, 1))
    c.subs[2].rst("s", mp=o.mp_tcprst(0))
    ended(c)


@scenario(F)
def flag_b_in_syn(s):
    """MP_CAPABLE with flag B set: the option is to be ignored, the connection is plain TCP."""
    c = Conn(s)
    c.hidden = True
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 0x41))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    c.send("c", 500, mp=b"")
    c.send("s", 500, mp=b"")
    sub.finish()
    s.expect(connections_exact=False)
    s.ambiguity("an option to be ignored is no offer: no mptcp record, or a refused one; only crash and events are checked")

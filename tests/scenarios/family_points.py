"""Several capture points: the same packets twice, NAT, skewed clocks, split directions and paths, offload, stripping, interfaces."""
import files
import links
from lab.octets import options as o
from dataclasses import replace
from lab.octets.packets import RST, SYN
from peers import Conn
from scene import scenario, variants
from family_tcp import ended, running

F = "points"


def on(*addresses):
    """Only packets from or to one of these addresses."""
    return lambda g: g if g.src in addresses or g.dst in addresses else None


def later(s, seconds=0.00005):
    """The same packets a moment later, at a second capture point."""
    return [(t + seconds, g) for t, g in s.packets]


def split_by_path(s, c, skew=0.0):
    """The first subflow's packets in path1, the others' in path2, whose clock is wrong by `skew`."""
    first = c.subs[0].half["c"].ip
    s.write("path1.pcap", change=on(first))
    s.write("path2.pcap", change=lambda g: g if first not in (g.src, g.dst) else None, skew=skew)
    for f in c.subs:
        f.points = ["path1"] if f.number == 0 else ["path2"]


SKEWS = {"none": 0.0, "ahead_1s": 1.0, "ahead_3s": 3.0, "behind_1s": -1.0, "behind_3s": -3.0, "ahead_8s": 8.0, "behind_8s": -8.0}


@variants(F, **SKEWS)
def paths_with_skew(s, skew):
    """A path a capture point, the second clock wrong by some seconds: the JOIN comes before the keys, or after the end of the first subflow."""
    c = running(s, joins=2)
    for _ in range(4):
        c.exchange(6000, 9000, (0, 1, 2))
    ended(c)
    split_by_path(s, c, skew)


@variants(F, ahead=5.0, behind=-5.0)
def paths_with_skew_v0_ipv6(s, skew):
    """The same in v0 over IPv6."""
    c = running(s, 0, ipv6=True)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    split_by_path(s, c, skew)


@variants(F, ahead=4.0, behind=-4.0)
def skew_and_wrong_hmac(s, skew):
    """A JOIN with a wrong HMAC on the second path: found out although the clocks differ."""
    c = running(s)
    bad = c.join(third="wrong", src="192.0.2.66")
    c.send("c", s.data(500), bad, at=len(c.stream["c"]), delivered=False, ack=False)
    ended(c)
    split_by_path(s, c, skew)
    c.want["subflow_changes"] = {2: {"bytes_toserver": [0, 500]}}
    s.raises("join_hmac_mismatch")


@scenario(F)
def same_packets_twice(s):
    """The same packets at two points of one path: each counts once; both points are named."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    s.write("left.pcap")
    s.write("right.pcap", packets=later(s))
    for f in c.subs:
        f.points = ["left", "right"]
    c.want["duplicate_bytes"] = 0


@variants(F, ahead_2s=2.0, behind_2s=-2.0, behind_6s=-6.0)
def same_packets_skewed(s, skew):
    """The same packets at two points whose clocks differ by seconds."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    s.write("left.pcap")
    s.write("right.pcap", skew=skew)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def each_point_misses_some(s):
    """Both points see the path, each misses other packets: together they have all."""
    c = running(s)
    c.exchange(30000, 30000, (0, 1))
    ended(c)
    missing = {"left": set(), "right": set()}
    for i, (_, g) in enumerate(s.packets):
        if g.payload and i % 5 == 0:
            missing["left" if i % 2 else "right"].add(id(g))
    for name, gone in missing.items():
        s.write(name + ".pcap", change=lambda g, gone=gone: None if id(g) in gone else g)
    c.want["duplicate_bytes"] = 0


def translate(g, table):
    """The packet behind a NAT: `table` maps (address, port) to (address, port)."""
    src, dst = table.get((g.src, g.sport), (g.src, g.sport)), table.get((g.dst, g.dport), (g.dst, g.dport))
    return replace(g, src=src[0], sport=src[1], dst=dst[0], dport=dst[1], ttl=g.ttl - 1)


@variants(F, none=(1, 0.0005), ahead_2s=(1, 2.0), behind_2s=(1, -2.0), v0=(0, 0.0005), v0_behind=(0, -3.0))
def nat(s, how):
    """A NAT that rewrites the client's addresses and ports between two capture points: one connection, two subflows, octets once."""
    c = Conn(s, how[0], client=("10.0.5.2", 40000), win=1024).open()
    c.join(src=("10.0.6.2", 40001))
    c.exchange(9000, 20000, (0, 1))
    c.close()
    table = {("10.0.5.2", 40000): ("203.0.113.9", 20001), ("10.0.6.2", 40001): ("203.0.113.10", 20002)}
    s.write("inside.pcap")
    s.write("outside.pcap", change=lambda g: translate(g, table), skew=how[1])
    inside = [f.describe() for f in c.subs]
    outside = [dict(d, src_ip=table[(d["src_ip"], d["src_port"])][0], src_port=table[(d["src_ip"], d["src_port"])][1]) for d in inside]
    shown, other = (inside, outside) if how[1] > 0 else (outside, inside)
    for d, e in zip(shown, other):
        d["seen_as"], d["capture_points"] = [e["src_ip"]], ["inside", "outside"]
    c.want.update(subflow_list=shown, community_id=None, duplicate_bytes=0)


@variants(F, none=0.0005, ahead_2s=2.0, behind_2s=-2.0)
def nat_uses_its_port_again(s, skew):
    """A NAT gives the outside port of one connection to the next at once: the outside tuple leads to two connections, one after the other."""
    table = {("10.0.5.2", 40000): ("203.0.113.9", 20001), ("10.0.5.3", 40000): ("203.0.113.9", 20001)}
    for inside in (("10.0.5.2", 40000), ("10.0.5.3", 40000)):
        c = Conn(s, client=inside).open()
        c.exchange(4000, 6000)
        c.close()
        c.want.update(subflow_list=None, community_id=None, duplicate_bytes=0)
        s.tick(0.01)
    s.write("inside.pcap")
    s.write("outside.pcap", change=lambda g: translate(g, table), skew=skew)


@scenario(F)
def nat_of_the_server(s):
    """Destination NAT: the server's address and port are rewritten (a port forward); subflows to two of its addresses."""
    c = Conn(s, server=("203.0.113.9", 8443)).open()
    c.join(dst=("203.0.113.9", 8443))
    c.exchange(5000, 9000, (0, 1))
    c.close()
    table = {("203.0.113.9", 8443): ("10.0.5.80", 443)}
    s.write("outside.pcap")
    s.write("inside.pcap", change=lambda g: translate(g, table), skew=0.0005)
    c.want.update(community_id=None, duplicate_bytes=0)


@scenario(F)
def nat_changes_isn(s):
    """A firewall between the points rewrites addresses and randomises sequence numbers: the same keys, nonces and DSNs; octets once."""
    c = Conn(s, client=("10.0.5.2", 40000)).open()
    c.join(src=("10.0.6.2", 40001))
    c.exchange(9000, 20000, (0, 1))
    c.close()
    table = {("10.0.5.2", 40000): ("203.0.113.9", 20001), ("10.0.6.2", 40001): ("203.0.113.10", 20002)}
    delta = {"10.0.5.2": 0x12345678, "10.0.6.2": 0xF0000000}

    def firewall(g):
        if g.src in delta:
            return replace(translate(g, table), seq=g.seq + delta[g.src])
        return replace(translate(g, table), ack=g.ack + delta[g.dst] if g.flags & 16 else 0)
    s.write("inside.pcap")
    s.write("outside.pcap", change=firewall, skew=0.0005)
    c.want.update(community_id=None, duplicate_bytes=None, subflow_list=None)
    s.ambiguity("the same subflow at two points is known by keys and nonces; duplicate_bytes is left open here")


@scenario(F)
def nat_between_paths_partial(s):
    """Inside sees both subflows, outside only the second (translated): the second counts once."""
    c = Conn(s, client=("10.0.5.2", 40000)).open()
    c.join(src=("10.0.6.2", 40001))
    c.exchange(9000, 20000, (0, 1))
    c.close()
    table = {("10.0.6.2", 40001): ("203.0.113.10", 20002)}
    s.write("inside.pcap")
    s.write("outside.pcap", change=lambda g: translate(g, table) if "10.0.6.2" in (g.src, g.dst) else None, skew=0.0005)
    c.want["duplicate_bytes"] = 0
    c.want["subflow_changes"] = {1: {"seen_as": ["203.0.113.10"], "capture_points": ["inside", "outside"]}, 0: {"capture_points": ["inside"]}}


@variants(F, none=0.0, ahead_2s=2.0, behind_2s=-2.0)
def each_direction_at_its_own_point(s, skew):
    """Asymmetric routing: packets to the server at one point, packets to the client at the other; clocks may differ."""
    c = running(s)
    c.exchange(20000, 20000, (0, 1))
    ended(c)
    server = c.server[0]
    s.write("towards.pcap", change=lambda g: g if g.dst == server else None)
    s.write("back.pcap", change=lambda g: g if g.src == server else None, skew=skew)
    for f in c.subs:
        f.points = ["towards", "back"]
    if skew < 0:
        s.ambiguity("the server's whole half comes before the SYN: within the 10 s that JOINs and keys wait, so it is read as bound to be rebuilt")


@variants(F, toserver=True, toclient=False)
def only_one_direction(s, toserver):
    """Only one direction was captured at all: its octets are rebuilt; nothing of the other is invented."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    server = c.server[0]
    s.write("half.pcap", change=lambda g: g if (g.dst == server) == toserver else None)
    gone = "s" if toserver else "c"
    from scene import digest_of
    keep = c.stream["c" if toserver else "s"]
    way = "toclient" if toserver else "toserver"
    c.want.update({way: digest_of(b""), "gap_bytes_" + way: [0, len(c.stream[gone])], "visibility": [1.0, len(keep) / (len(keep) + len(c.stream[gone]))],
                   "subflow_list": None, "state": ["open", "closed"], "checksum": None, "duplicate_bytes": 0})
    s.raises(may=("visibility_low", "joins_before_keys"))
    s.ambiguity("DATA_ACKs of the direction seen prove the other; the HMACs cannot all be verified")
    c.want.update(subflows=[0, 1, 2])
    c.hidden = not toserver
    s.expect(connections_exact=False)


def segment_again(g, size):
    """A super-packet as offload hardware cuts it: every piece carries the same options."""
    if len(g.payload) <= size:
        return g
    out = []
    for at in range(0, len(g.payload), size):
        last = at + size >= len(g.payload)
        out.append(replace(g, seq=g.seq + at, payload=g.payload[at:at + size], flags=g.flags if last else g.flags & ~9))
    return out


@variants(F, in_order=False, skewed=True)
def offload_at_one_point(s, skewed):
    """Super-packets at one point, segments of MTU size at the other: compared by sequence range, each octet once."""
    c = running(s)
    for i in range(4):
        c.send("c", 20000, i % 2, size=20000)
        c.send("s", 30000, i % 2, size=15000)
    ended(c)
    s.write("host.pcap")
    s.write("wire.pcap", change=lambda g: segment_again(g, 1400), skew=-1.5 if skewed else 0.0002)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def stripped_between_points_syn(s):
    """MP_CAPABLE in the SYN at one point, NOPs in the same SYN at the other: option_stripped; the connection is refused."""
    c = Conn(s)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    c.send("c", 3000, mp=b"")
    c.send("s", 3000, mp=b"")
    sub.finish()
    c.state = "refused"
    c.want.update(id="x-*", checksum=None, duplicate_bytes=0)
    s.write("before.pcap")
    s.write("after.pcap", packets=later(s), change=lambda g: replace(g, options=g.options.replace(o.mp_capable(1, 1), b"\x01" * 4)))
    s.raises("option_stripped")


@scenario(F)
def stripped_between_points_join(s):
    """A JOIN's option is there at one point and gone at the other; the server answers plainly, the client resets."""
    c = running(s)
    bad = c.join(synack="plain", third="none", src="192.0.2.66")
    bad.seg("c", "R", ts=False, win=0)
    ended(c)
    option = o.join_syn(c.end["s"].token, bad.nonce, bad.addr_id)
    s.write("before.pcap")
    s.write("after.pcap", packets=later(s), change=lambda g: replace(g, options=g.options.replace(option, b"\x01" * 12)))
    c.want.update(duplicate_bytes=0, subflow_changes={2: {"state": ["attempted", "failed", "reset"], "auth": ["verified", "unverified"]}})
    s.raises("option_stripped")
    s.expect(anomaly_details={"option_stripped": {"between": ["before", "after"], "option": "MP_JOIN", "direction": "to_server"}})


@scenario(F)
def stripped_between_the_second_and_third_of_four_points(s):
    """MP_CAPABLE at two points, NOPs at the two behind them; the captures are named against their order on the path: the event names the pair in between."""
    c = Conn(s)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    c.send("c", 3000, mp=b"")
    sub.finish()
    c.state = "refused"
    c.want.update(id="x-*", checksum=None, duplicate_bytes=0)
    gone = lambda g: replace(g, options=g.options.replace(o.mp_capable(1, 1), b"\x01" * 4))
    s.write("wan.pcap", packets=later(s, 0.00015), change=gone)
    s.write("edge.pcap", packets=later(s, 0.0001), change=gone)
    s.write("core.pcap", packets=later(s))
    s.write("access.pcap")
    s.raises("option_stripped")
    s.expect(anomaly_details={"option_stripped": {"between": ["core", "edge"], "option": "MP_CAPABLE", "direction": "to_server"}})


@scenario(F)
def stripped_add_addr(s):
    """ADD_ADDR before the middlebox, NOPs behind it; all else passes."""
    c = running(s)
    option = o.add_addr_v1(c.end["s"].key, c.end["c"].key, 4, "203.0.113.99")
    c.subs[0].seg("s", mp=option + c.dack("s"))
    ended(c)
    s.write("before.pcap")
    s.write("after.pcap", packets=later(s), change=lambda g: replace(g, options=g.options.replace(option, b"\x01" * 16)))
    c.want.update(duplicate_bytes=0)
    s.raises("option_stripped")


@scenario(F)
def stripped_dss_at_one_point(s):
    """A middlebox removes the DSS of one data segment; octets mapped at any capture point keep their mapping."""
    c = running(s)
    c.send("c", 900, 0, ack=False)
    marked = s.packets[-1][1]
    c.ack("s", 0)
    ended(c)
    s.write("before.pcap")
    s.write("after.pcap", packets=later(s), change=lambda g: replace(g, options=g.options[:12] + b"\x01" * (len(g.options) - 12)) if g is marked else g)
    c.want.update(duplicate_bytes=0)
    s.raises("option_stripped", may=("data_unmapped",))
    s.exp["may_anomalies"] = []


@scenario(F)
def added_nops_are_not_stripping(s):
    """The order of the options is changed and NOPs moved between two points: every option is still there."""
    c = running(s)
    ended(c)

    def shuffle(g):
        if g.flags & SYN or len(g.options) != 24:
            return g
        return replace(g, options=g.options[12:] + g.options[:12])
    s.write("before.pcap")
    s.write("after.pcap", packets=later(s), change=shuffle)
    c.want.update(duplicate_bytes=0)


@scenario(F)
def changed_payload_between_points(s):
    """A middlebox changes the octets of one segment (right checksum, same length): two values for the same octets."""
    c = running(s)
    c.send("c", 900, 0, ack=False)
    marked = s.packets[-1][1]
    c.ack("s", 0)
    ended(c)
    s.write("before.pcap")
    s.write("after.pcap", packets=later(s), change=lambda g: replace(g, payload=bytes(x ^ 1 for x in g.payload)) if g is marked else g)
    c.want.update(duplicate_bytes=None)
    s.raises("segment_overlap_conflict", may=("dsn_overlap_conflict",))
    s.ambiguity("the first point's copy counts here; what the host got is the later point's")
    one = bytes(c.stream["c"])
    at = one.find(marked.payload)
    two = one[:at] + bytes(x ^ 1 for x in marked.payload) + one[at + 900:]
    from scene import digest_of
    c.want["toserver"] = {"bytes": len(one), "sha256": [digest_of(one)["sha256"], digest_of(two)["sha256"]]}


@scenario(F)
def version_differs_between_points(s):
    """A SYN/ACK that says v1 at the server's side and v0 at the client's: downgraded on the way."""
    c = Conn(s)
    c.hidden = True
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", o.mp_capable(1, 1, c.end["s"].key), "SA")
    marked = s.packets[-1][1]
    c.signals = False
    sub.seg("c")
    c.send("c", 900, mp=b"")
    c.send("s", 900, mp=b"")
    sub.finish()
    s.write("server.pcap")
    s.write("client.pcap", packets=later(s), change=lambda g: replace(g, options=g.options.replace(o.mp_capable(1, 1, c.end["s"].key), o.mp_capable(0, 1, c.end["s"].key)))
            if g is marked else g)
    s.raises("version_downgrade", may=("option_stripped",))
    s.expect(connections_exact=False)


@scenario(F)
def pcapng_two_interfaces(s):
    """One pcapng with two interfaces (microseconds and nanoseconds), a path on each: two capture points named FILE:INTERFACE."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    first = c.subs[0].half["c"].ip
    frames = [(t, links.ether(g.ip()), 0 if first in (g.src, g.dst) else 1) for t, g in s.packets]
    s.put("both.pcapng", files.pcapng([("wan1", files.ETHERNET, False), ("wan2", files.ETHERNET, True)], frames))
    c.subs[0].points, c.subs[1].points = ["both:wan1"], ["both:wan2"]


@scenario(F)
def pcapng_same_packets_on_two_interfaces(s):
    """A pcapng of a router: every packet on the interface it came in and the one it went out."""
    c = running(s)
    ended(c)
    frames = []
    for t, g in s.packets:
        to = g.dst == c.server[0]
        frames.append((t, links.ether(g.ip()), 0 if to else 1))
        frames.append((t + 0.00001, links.ether(replace(g, ttl=g.ttl - 1).ip()), 1 if to else 0))
    s.put("router.pcapng", files.pcapng([("lan0", files.ETHERNET, False), ("wan1", files.ETHERNET, False)], frames))
    for f in c.subs:
        f.points = ["router:lan0", "router:wan1"]
    c.want["duplicate_bytes"] = 0


@scenario(F)
def cooked_v2_two_interfaces(s):
    """Linux cooked v2 with two interfaces, a path on each: two capture points."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    first = c.subs[0].half["c"].ip
    frames = [(t, links.sll2(g.ip(), 2 if first in (g.src, g.dst) else 3)) for t, g in s.packets]
    s.put("any.pcap", files.pcap(frames, link=files.SLL2))


@scenario(F)
def cooked_v2_same_packets_translated(s):
    """Linux cooked v2 on a NAT router (-i any): every packet twice, inside and outside addresses."""
    c = Conn(s, client=("10.0.5.2", 40000)).open()
    c.join(src=("10.0.6.2", 40001))
    c.exchange(9000, 20000, (0, 1))
    c.close()
    table = {("10.0.5.2", 40000): ("203.0.113.9", 20001), ("10.0.6.2", 40001): ("203.0.113.10", 20002)}
    back = {v: k for k, v in table.items()}
    frames = []
    for t, g in s.packets:
        out = translate(g, table)
        pair = [(links.sll2(g.ip(), 2), 0.0), (links.sll2(out.ip(), 3), 0.00002)]
        if (out.dst, out.dport) in back:
            pair = [(links.sll2(out.ip(), 3), 0.0), (links.sll2(g.ip(), 2), 0.00002)]
        frames += [(t + d, octets) for octets, d in pair]
    s.put("any.pcap", files.pcap(frames, link=files.SLL2))
    c.want.update(duplicate_bytes=0)


@scenario(F)
def replay_at_another_point_is_nat(s):
    """Only the JOIN's handshake is seen at the outer point, translated: the same subflow, no replay."""
    c = Conn(s, client=("10.0.5.2", 40000)).open()
    c.join(src=("10.0.6.2", 40001))
    mark = len(s.packets)
    c.exchange(9000, 9000, (0, 1))
    c.close()
    table = {("10.0.6.2", 40001): ("203.0.113.10", 20002)}
    s.write("inside.pcap")
    s.write("outside.pcap", packets=s.packets[4:mark], change=lambda g: translate(g, table), skew=0.0005)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def rst_at_one_point_only(s):
    """A RST that a middlebox swallowed: seen at the first point, not at the second, where the subflow goes on. The first point's RST was acceptable."""
    c = running(s)
    f = c.subs[1]
    f.rst("c", end=False)
    gone = s.packets[-1][1]
    assert gone.flags & RST
    c.exchange(1000, 1000, (0,))
    c.close()
    f.state = "reset"
    s.write("client.pcap")
    s.write("server.pcap", packets=later(s), change=lambda g: None if g is gone else g)
    c.want.update(duplicate_bytes=0, subflow_changes={1: {"state": ["reset", "closed"]}})

"""Tunnels, fragments, snap lengths, capture points and capture files, harder."""
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
from family_points import on, translate
from family_tcp import conflict, decoy, ended, loose_duplicates, running
from family_track import keys_unseen, stream_from

from family_acceptance import P, P_RULE, YES, NO, cut, put_rules, rule, table

F = "acceptance"


# -- around the packet
def encap_outer(a="198.18.0.1", b="198.18.0.2", server="203.0.113.80", server6="2001:db8:2::80"):
    from lab.octets.packets import raw_ip

    def ends(packet):
        source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
        return (b, a) if source in (raw_ip(server), raw_ip(server6)) else (a, b)
    return ends


ENDS = encap_outer()
WRAPS = {
    "vxlan": lambda x: links.ether(links.vxlan(x, *ENDS(x), 77)), "geneve": lambda x: links.ether(links.geneve(x, *ENDS(x), 78, bytes(8))),
    "gtpu": lambda x: links.ether(links.gtpu(x, *ENDS(x), 5 if ENDS(x)[0].endswith("1") else 6, session_container=True)), "pppoe": links.pppoe,
    "qinq": lambda x: links.vlan(x, 100, 200), "qinq_8100_twice": lambda x: links.B + links.A + b"\x81\x00\x00\x64\x81\x00\x00\xc8" + links.vlan(x, 1)[16:],
    "vxlan_in_gre": lambda x: links.ether(links.gre(links.vxlan(x, *ENDS(x), 77), "192.88.99.1", "192.88.99.2")),
    "geneve_ip": lambda x: links.ether(links.udp_packet(*ENDS(x), struct.pack(">BBHI", 0, 0, links.ethertype(x), 78 << 8) + x, 50001, 6081)),
    "qinq_pppoe": lambda x: links.B + links.A + b"\x88\xa8\x00\x64\x81\x00\x00\xc8" + links.pppoe(x)[12:],
    "mpls_both_ways_differ": lambda x: links.mpls(x, 16 if ENDS(x)[0].endswith("1") else 99), "vlan_both_ways_differ": lambda x: links.vlan(x, 16 if ENDS(x)[0].endswith("1") else 99),
    "vlan_priority": lambda x: links.vlan(x, 0x6064), "gre_checksum": lambda x: links.ether(gre_with_checksum(x)), "gre_over_v6_key": lambda x: links.ether(links.gre(x, "2001:db8:f::1", "2001:db8:f::2", 9)),
    "mpls_pseudowire": lambda x: links.B + links.A + b"\x88\x47" + struct.pack(">II", 16 << 12 | 255, 17 << 12 | 1 << 8 | 255) + b"\0\0\0\0" + links.ether(x),
}
del WRAPS["mpls_pseudowire"]    # whether Ethernet inside MPLS belongs to what is asked for is not said


def gre_with_checksum(packet):
    from lab.octets.packets import inet_checksum
    head = struct.pack(">HH", 0x8000, links.ethertype(packet))
    value = inet_checksum(head + bytes(4) + packet)
    return ip_packet(*ENDS(packet), 47, head + struct.pack(">HH", value, 0) + packet)


@variants(F, **{f"{k}_{'v6' if six else 'v4'}": (k, six) for k in WRAPS for six in (False, True)})
def tunnelled_with_server_opened(s, how):
    """v0 in a tunnel or behind tags: subflows opened by either side, both directions."""
    c = running(s, 0, ipv6=how[1])
    c.join("s")
    c.exchange(9000, 12000, (0, 1, 2))
    ended(c)
    server = {f.half["s"].ip for f in c.subs}
    table = WRAPS[how[0]]
    s.raises("opened_by_server")
    s.write(wrap=table)
    assert server


@variants(F, vxlan=lambda n: lambda x: links.ether(links.vxlan(x, *ENDS(x), 10 + n)), gtpu=lambda n: lambda x: links.ether(links.gtpu(x, *encap_outer(f"198.18.{n}.1", f"198.18.{n}.2")(x), 7)),
          gre=lambda n: lambda x: links.ether(links.gre(x, *encap_outer(f"198.18.{n}.1", f"198.18.{n}.2")(x))))
def equal_inner_addresses_with_joins(s, make):
    """Three connections with the same four addresses and ports on all subflows, at once, in three tunnels: joins and data stay apart."""
    conns, owner = [Conn(s, client=("198.51.100.10", 45000), server=("203.0.113.80", 8080)) for _ in range(3)], {}
    for step in range(9):
        for n, c in enumerate(conns):
            begin = len(s.packets)
            if step == 0:
                c.open()
            elif step == 1:
                c.join(src=("192.0.2.10", 46000))
            elif step == 8:
                c.close()
            else:
                c.send("c", 500 + n, step % 2)
                c.send("s", 900 + n, 1 - step % 2)
            for _, g in s.packets[begin:]:
                owner[id(g)] = n
    wraps = [make(n) for n in range(3)]
    s.put("capture.pcap", files.pcap([(t, wraps[owner[id(g)]](g.ip())) for t, g in s.packets]))


@variants(F, v4=False, v6=True)
def fragments_interleaved_and_doubled(s, six):
    """Fragments of packets in flight at once come interleaved, some twice; IPv6 also as atomic fragments and behind other extension headers."""
    c = running(s, ipv6=six)
    for i in range(6):
        c.send("c", 4000, i % 2)
        c.send("s", 4000, 1 - i % 2)
    ended(c)
    frames, rest = [], []
    for n, (t, g) in enumerate(s.packets):
        whole = replace(g, dont_fragment=False).ip()
        if len(whole) > 600:
            pieces = fragments6(whole, 512, n) if six else fragments4(whole, 512)
            if n % 3 == 0:
                pieces.append(pieces[0])
        elif six and n % 2:
            pieces = fragments6(whole, 4096, n)
        else:
            pieces = [whole]
        for piece in pieces[:-1]:
            frames.append((t, links.ether(piece)))
        rest.append((t, pieces[-1]))
        if not g.payload or len(rest) > 2 or True:
            frames += [(t, links.ether(x)) for _, x in rest]
            rest = []
    s.put("capture.pcap", files.pcap(frames))


@scenario(F)
def routing_header_and_fragments_v6(s):
    """IPv6 with hop-by-hop, destination options and an authentication-like long option before TCP, every packet; some fragmented behind a hop-by-hop header."""
    c = running(s, ipv6=True)
    c.send("c", 3000)
    c.send("s", 3000, 1)
    ended(c)
    frames = []
    for n, (t, g) in enumerate(s.packets):
        whole = g.ip()
        if len(g.payload) > 900:
            for x in fragments6(whole, 640, n):
                hop = bytes([44, 0, 1, 4, 0, 0, 0, 0])
                frames.append((t, links.ether(x[:4] + struct.pack(">H", len(x) - 40 + 8) + bytes([0]) + x[7:40] + hop + x[40:])))
        else:
            frames.append((t, links.ether(with_extension_headers6(whole))))
    s.put("capture.pcap", files.pcap(frames))


@variants(F, v4=False, v6=True)
def snap_length_arithmetic(s, six):
    """A snap length that cuts 1,000 octets from each full segment: gap_bytes are those cut and acknowledged, visibility the share that was seen, no event."""
    c = Conn(s, ipv6=six).open()
    c.send("c", 100)
    c.send("s", 200)
    for _ in range(30):
        c.send("s", 1380, size=1380)
    c.send("c", 50)
    c.close()
    big = next(g for _, g in s.packets if len(g.payload) == 1380)
    snap = 14 + len(big.ip()) - 1000
    s.write(snap=snap)
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:200 + 380])), gap_bytes_toclient=30000, visibility=(total - 30000) / total, subflow_list=None)


@scenario(F)
def snap_length_and_a_missing_path(s):
    """One path with a short snap length, the other not captured: gap_bytes hold both."""
    c = Conn(s).open()
    c.join()
    c.send("c", 500, 0)
    c.send("c", 900, 1, size=900)
    c.send("c", 900, 0, size=900)
    c.send("c", 300, 0)
    c.close()
    one = next(g for _, g in s.packets if len(g.payload) == 900 and g.src == c.client[0])
    other = c.subs[1].half["c"].ip
    s.write(snap=14 + len(one.ip()) - 400, change=lambda g: None if other in (g.src, g.dst) else g)
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:500])), gap_bytes_toserver=1300, visibility=1300 / 2600, subflow_list=None, subflows=1)


# -- capture points
@variants(F, none=0.0005, behind=-2.0, ahead=3.0)
def nat_of_both_ends(s, skew):
    """Source and destination are both rewritten between two points (a load balancer with source NAT), over three subflows, one opened by the server."""
    c = Conn(s, client=("10.0.5.2", 40000), server=("203.0.113.9", 8443)).open()
    c.join(src=("10.0.6.2", 40001))
    c.exchange(9000, 20000, (0, 1))
    c.close()
    table = {("10.0.5.2", 40000): ("100.64.0.1", 20001), ("10.0.6.2", 40001): ("100.64.0.1", 20002), ("203.0.113.9", 8443): ("10.9.0.80", 443)}
    s.write("outside.pcap")
    s.write("inside.pcap", change=lambda g: translate(g, table), skew=skew)
    c.want.update(community_id=None, duplicate_bytes=0, subflow_list=None)


@scenario(F)
def nat_swaps_the_ports_of_two(s):
    """Two connections at once through a NAT that gives each the other's source port: keys tell them apart."""
    table = {("10.0.5.2", 40000): ("203.0.113.9", 40001), ("10.0.5.2", 40001): ("203.0.113.9", 40000)}
    conns = [Conn(s, client=("10.0.5.2", 40000 + n), server=("198.51.100.80", 8080)).open() for n in range(2)]
    for _ in range(4):
        for c in conns:
            c.exchange(3000, 5000)
    for c in conns:
        c.close()
        c.want.update(subflow_list=None, community_id=None, duplicate_bytes=0)
    s.write("inside.pcap")
    s.write("outside.pcap", change=lambda g: translate(g, table), skew=0.0004)


@scenario(F)
def nat_to_the_inside_tuple_of_another(s):
    """Behind the NAT a connection has the very 4-tuple that another one has before it."""
    a = Conn(s, client=("198.51.100.7", 40000), server=("203.0.113.80", 8080))
    b = Conn(s, client=("198.51.100.8", 40000), server=("203.0.113.80", 8080))
    table = {("198.51.100.7", 40000): ("198.51.100.8", 40000), ("198.51.100.8", 40000): ("198.51.100.9", 40000)}
    a.open()
    b.open()
    for _ in range(4):
        a.exchange(3000, 5000)
        b.exchange(2500, 4500)
    for c in (a, b):
        c.close()
        c.want.update(subflow_list=None, community_id=None, duplicate_bytes=0)
    s.write("inside.pcap")
    s.write("outside.pcap", change=lambda g: translate(g, table), skew=0.0004)


@variants(F, ahead=9.5, behind=-9.5)
def skew_just_within_the_wait(s, skew):
    """A path a point, the clocks 9.5 s apart, v0 over IPv6 with checksums: within the 10 s that JOINs and keys wait."""
    c = Conn(s, 0, ipv6=True, checksum=True).open()
    c.join()
    c.join()
    for _ in range(5):
        c.exchange(6000, 9000, (0, 1, 2))
    c.close()
    first = c.subs[0].half["c"].ip
    s.write("path1.pcap", change=on(first))
    s.write("path2.pcap", change=lambda g: g if first not in (g.src, g.dst) else None, skew=skew)


@scenario(F)
def stripped_third_ack(s):
    """The third ACK's MP_CAPABLE is there at one point and NOPs at the other: option_stripped; the server never learns the keys, the connection falls back."""
    c = Conn(s)
    f = c.first()
    f.syn("c", o.mp_capable(1, 1))
    f.syn("s", o.mp_capable(1, 1, c.end["s"].key), "SA")
    third = o.mp_capable(1, 1, c.end["c"].key, c.end["s"].key)
    f.seg("c", mp=third)
    f.state = "established"
    c.signals = False
    c.send("s", 1500, mp=b"")
    c.send("c", 500, mp=b"")
    f.finish()
    c.state = "fallback"
    c.want.update(fallback_reason=["no_option_in_ack", "no_dss"], duplicate_bytes=0)
    s.write("before.pcap")
    s.write("after.pcap", change=lambda g: replace(g, options=g.options.replace(third, b"\x01" * 20)), skew=0.0002)
    s.raises("option_stripped")


@scenario(F)
def stripped_remove_addr_and_prio(s):
    """REMOVE_ADDR and MP_PRIO pass one point and are NOPs at the other."""
    c = running(s)
    gone = o.remove_addr(1) + b"\x01" * 0
    c.subs[0].seg("c", mp=gone + c.dack("c"))
    ended(c)
    s.write("before.pcap")
    s.write("after.pcap", change=lambda g: replace(g, options=g.options.replace(gone, b"\x01" * 4)) if gone in g.options else g, skew=0.0002)
    c.want["duplicate_bytes"] = 0
    s.raises("option_stripped")


@scenario(F)
def synack_version_differs_before(s):
    """Three points; at the last one the SYN/ACK says v0, at the others v1."""
    c = running(s)
    ended(c)
    v1, v0 = o.mp_capable(1, 1, c.end["s"].key), o.mp_capable(0, 1, c.end["s"].key)
    s.write("a.pcap", change=lambda g: replace(g, options=g.options.replace(v1, v0)), skew=0.0004)
    s.write("b.pcap", skew=0.0002)
    s.write("c.pcap")
    c.hidden = True
    s.expect(connections_exact=False)
    s.raises("version_downgrade")
    s.ambiguity("what the hosts made of it is left open; the event is what is asked for")


# -- seen from the middle
@variants(F, v0=(0, False), v1=(1, False), v6=(1, True))
def midstream_five_subflows(s, how):
    """Five subflows seen from the middle, two of them opened by the server (its port is the higher one, or not): one x- connection."""
    c = Conn(s, how[0], ipv6=how[1]).open()
    for n in range(4):
        c.join("s" if n > 1 else "c")
    c.exchange(5000, 5000, tuple(range(5)))
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for i in range(60):
        c.send("c", 700, i % 5)
        c.send("s", 1300, (i * 2) % 5)
    c.close()
    keys_unseen(c, subflows=5)
    stream_from(c, *marks)
    s.raises("joins_before_keys", may=("opened_by_server",))
    s.ambiguity("who opened is not to be seen")


@scenario(F)
def midstream_keys_seen_joins_not(s):
    """The first subflow's handshake is there, the JOIN's is not (its capture began later): the data is linked by DSN, or counted as a gap; never invented."""
    c = Conn(s).open()
    c.exchange(3000, 3000)
    mark = len(s.packets)
    c.join()
    del s.packets[mark:mark + 4]
    for i in range(10):
        c.send("c", 900, i % 2)
        c.send("s", 1300, i % 2)
    c.close()
    c.hidden = True
    s.expect(connections_exact=False)
    s.raises(may=("visibility_low", "joins_before_keys"))
    s.ambiguity("rule 5 of what counts as delivered lets only completed JOINs take part; the capture does not show it")


@scenario(F)
def midstream_with_gap(s):
    """Seen from the middle, some segments never captured: gap_bytes from the first octet seen, the stream stops at the first gap."""
    c = Conn(s).open()
    c.send("c", 1000)
    c.send("s", 1000)
    s.packets.clear()
    at = len(c.stream["s"])
    c.send("s", 2000)
    c.send("s", 700, captured=False)
    c.send("s", 5000)
    c.send("c", 500)
    c.close()
    keys_unseen(c, subflows=1)
    stream_from(c, 1000, at)
    c.want.update(toclient=digest_of(bytes(c.stream["s"][at:at + 2000])), gap_bytes_toclient=700, visibility=None)


# -- files
def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(link=1, snap=0, options=b""):
    return block(1, struct.pack("<HHI", link, 0, snap) + (options + option(0, b"") if options else b""))


def enhanced(when, data, number=0, unit=1e6, offset=0, extra=b""):
    ticks = round((when - offset) * unit)
    return block(6, struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data + b"\0" * (-len(data) % 4) + extra)


@variants(F, nano=(bytes([9]), 1e9, 0), binary=(bytes([0x80 | 20]), float(1 << 20), 0), milli=(bytes([3]), 1e3, 0), offset=(bytes([6]), 1e6, 1_600_000_000))
def pcapng_resolutions(s, how):
    """pcapng with an interface of its own time resolution (nanoseconds, 2^-20 s, milliseconds) or offset; the other interface has microseconds."""
    c = running(s)
    for _ in range(3):
        c.exchange(5000, 5000, (0, 1))
        s.tick(0.5)
    ended(c)
    first = c.subs[0].half["c"].ip
    resolution, unit, offset = how
    options = option(2, b"odd") + option(9, resolution) + (option(14, struct.pack("<q", offset)) if offset else b"")
    out = SECTION + interface(options=options) + interface(options=option(2, b"plain"))
    for n, (t, g) in enumerate(s.packets):
        odd = first in (g.src, g.dst)
        out += enhanced(t, links.ether(g.ip()), 0 if odd else 1, unit if odd else 1e6, offset if odd else 0, option(1, b"a comment") + option(2, struct.pack("<I", 1)) + option(0, b"") if n % 3 == 0 else b"")
    s.put("capture.pcapng", out)
    c.subs[0].points, c.subs[1].points = ["capture:odd"], ["capture:plain"]


@scenario(F)
def pcapng_simple_packets(s):
    """pcapng with Simple Packet Blocks only, which have no time: everything is rebuilt in their order."""
    c = running(s)
    c.exchange(5000, 5000, (0, 1))
    ended(c)
    out = SECTION + interface(snap=65535)
    for _, g in s.packets:
        data = links.ether(g.ip())
        out += block(3, struct.pack("<I", len(data)) + data)
    s.put("capture.pcapng", out)


@scenario(F)
def pcapng_old_packet_blocks(s):
    """pcapng with the obsolete Packet Block (type 2)."""
    c = running(s)
    ended(c)
    out = SECTION + interface()
    for t, g in s.packets:
        data, ticks = links.ether(g.ip()), round(t * 1e6)
        out += block(2, struct.pack("<HHIIII", 0, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data)
    s.put("capture.pcapng", out)


@scenario(F)
def pcapng_two_sections(s):
    """Two pcapng files one after the other in one (two sections, the second big-endian, interfaces counted anew)."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    n = len(s.packets) // 2
    frames = [(t, links.ether(g.ip()), 0) for t, g in s.packets]
    s.put("capture.pcapng", files.pcapng([("eth0", 1, False)], frames[:n]) + files.pcapng([("eth0", 1, True)], frames[n:], big=True))


@scenario(F)
def pcapng_mixed_links(s):
    """One pcapng with an Ethernet and a raw IP and a Linux cooked v2 interface, one path each."""
    c = running(s, joins=2)
    c.exchange(9000, 9000, (0, 1, 2))
    ended(c)
    kinds = [(1, links.ether), (101, lambda x: x), (276, links.sll2)]
    who = lambda g: next(n for n, f in enumerate(c.subs) if f.half["c"].ip in (g.src, g.dst))
    out = SECTION + b"".join(interface(link=k, options=option(2, f"if{n}".encode())) for n, (k, _) in enumerate(kinds))
    for t, g in s.packets:
        out += enhanced(t, kinds[who(g)][1](g.ip()), who(g))
    s.put("capture.pcapng", out)


@variants(F, gz_flip="gz", pcap_snap="pcap", zst_cut="zst", pcapng_block="pcapng")
def damaged_files(s, how):
    """A capture damaged in its last third: what is readable is reported, the exit status is 1, stderr says so."""
    a = Conn(s).open()
    a.exchange(3000, 3000)
    a.close()
    n = len(s.packets)
    b = Conn(s).open()
    b.exchange(90000, 90000)
    b.close()
    b.hidden = True
    frames = [(t, links.ether(g.ip())) for t, g in s.packets]
    plain_file = files.pcap(frames)
    if how == "gz":
        packed = bytearray(gzip.compress(plain_file, 1, mtime=0))
        packed[len(packed) * 9 // 10] ^= 0xFF
        s.put("capture.pcap.gz", bytes(packed[:len(packed) * 19 // 20]))
    elif how == "pcap":
        at = 24 + sum(16 + len(d) for _, d in frames[:n + 20])
        s.put("capture.pcap", plain_file[:at] + struct.pack("<IIII", 1, 1, 0xFFFFFFF0, 0xFFFFFFF0) + plain_file[at + 16:])
    elif how == "zst":
        import subprocess
        packed = subprocess.run(["zstd", "-q", "-c"], input=plain_file, capture_output=True, check=True).stdout
        s.put("capture.pcap.zst", packed[:-9])
        s.expect(connections_exact=False)
    else:
        out = SECTION + interface() + b"".join(enhanced(t, d) for t, d in frames)
        at = len(SECTION + interface()) + sum(len(enhanced(t, d)) for t, d in frames[:n + 20])
        s.put("capture.pcapng", out[:at] + struct.pack("<II", 6, 13) + out[at + 8:])
    s.expect(exit=1, connections_exact=False)
    s.raises(may=("visibility_low",))
    if how == "zst":
        a.hidden = True
        s.ambiguity("one block holds it all")

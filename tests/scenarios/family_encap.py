"""Link layers, tags, tunnels, fragments: the innermost TCP counts; a tunnel's identity keeps equal inner addresses apart."""
import files
import links
from lab.octets import packets as p
from peers import Conn
from scene import scenario, variants
from family_tcp import ended, running

F = "encap"
OUT = ("198.18.0.1", "198.18.0.2")
OUT6 = ("2001:db8:ffff::1", "2001:db8:ffff::2")


def outer(packet, pair=OUT):
    """The tunnel's ends in the direction of the inner packet: towards the server from the first to the second."""
    inner = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
    server = p.raw_ip("203.0.113.80") if len(inner) == 4 else p.raw_ip("2001:db8:2::80")
    return (pair[1], pair[0]) if inner == server else pair


TEIDS = {OUT[0]: 0x1001, OUT[1]: 0x2002, OUT6[0]: 0x1001, OUT6[1]: 0x2002}


def tunnel(make, pair=OUT):
    return lambda packet: links.ether(make(packet, *outer(packet, pair)))


FORMS = {
    "vlan": (files.ETHERNET, lambda x: links.vlan(x, 100)),
    "qinq": (files.ETHERNET, lambda x: links.vlan(x, 100, 200)),
    "mpls": (files.ETHERNET, lambda x: links.mpls(x, 16)),
    "mpls_stack": (files.ETHERNET, lambda x: links.mpls(x, 16, 17, 1000000)),
    "vlan_mpls": (files.ETHERNET, lambda x: links.B + links.A + b"\x81\x00\x00\x64\x88\x47" + b"\x00\x01\x01\x3f" + x),
    "pppoe": (files.ETHERNET, links.pppoe),
    "vlan_pppoe": (files.ETHERNET, lambda x: links.B + links.A + b"\x81\x00\x00\x64" + links.pppoe(x)[12:]),
    "ppp": (files.PPP, links.ppp),
    "ppp_short": (files.PPP, lambda x: links.ppp(x)[2:]),
    "ppp_compressed": (files.PPP, lambda x: links.ppp(x)[3:]),
    "raw": (files.RAW, lambda x: x),
    "null": (files.NULL, links.null),
    "null_big": (files.NULL, lambda x: links.null(x, True)),
    "loop": (files.LOOP, lambda x: links.null(x, True)),
    "cooked1": (files.SLL, links.sll),
    "cooked2": (files.SLL2, links.sll2),
    "gre": (files.ETHERNET, tunnel(links.gre)),
    "gre_key_seq": (files.ETHERNET, tunnel(lambda x, a, b: links.gre(x, a, b, 77, 5))),
    "gre_ethernet": (files.ETHERNET, tunnel(links.gre_teb)),
    "gre_over_v6": (files.ETHERNET, tunnel(links.gre, OUT6)),
    "ipip": (files.ETHERNET, tunnel(links.ipip)),
    "ip_in_v6": (files.ETHERNET, tunnel(links.ipip, OUT6)),
    "ipip_twice": (files.ETHERNET, lambda x: links.ether(links.ipip(links.ipip(x, *outer(x)), "198.18.1.1", "198.18.1.2"))),
    "vxlan": (files.ETHERNET, tunnel(lambda x, a, b: links.vxlan(x, a, b, 5000))),
    "vxlan_ports_vary": (files.ETHERNET, tunnel(lambda x, a, b: links.vxlan(x, a, b, 5000, 49152 + p.sum16(x[:20]) % 1000))),
    "vxlan_inner_vlan": (files.ETHERNET, tunnel(lambda x, a, b: p.ip_packet(a, b, 17, links.udp(b"\x08\0\0\0\0\x13\x88\0" + links.vlan(x, 9), 50000, 4789)))),
    "geneve": (files.ETHERNET, tunnel(lambda x, a, b: links.geneve(x, a, b, 42))),
    "geneve_options": (files.ETHERNET, tunnel(lambda x, a, b: links.geneve(x, a, b, 42, b"\x01\x02\x80\x01\x00\x00\x00\x07"))),
    "gtpu": (files.ETHERNET, tunnel(lambda x, a, b: links.gtpu(x, a, b, TEIDS[a]))),
    "gtpu_sequence": (files.ETHERNET, tunnel(lambda x, a, b: links.gtpu(x, a, b, TEIDS[a], sequence=9))),
    "gtpu_extension": (files.ETHERNET, tunnel(lambda x, a, b: links.gtpu(x, a, b, TEIDS[a], session_container=True))),
    "gtpu_over_v6": (files.ETHERNET, tunnel(lambda x, a, b: links.gtpu(x, a, b, TEIDS[a]), OUT6)),
    "vlan_gtpu": (files.ETHERNET, lambda x: links.vlan(links.gtpu(x, *outer(x), TEIDS[outer(x)[0]]), 7)),
    "ether_padding": (files.ETHERNET, lambda x: links.ether(x) + b"\0" * 6),
}


@variants(F, **FORMS)
def form(s, how):
    """A transfer over two subflows inside a link layer or tunnel."""
    c = running(s)
    c.exchange(4000, 9000, (0, 1))
    ended(c)
    s.write(link=how[0], wrap=how[1])


SIX = {k: FORMS[k] for k in ("vlan", "pppoe", "ppp", "raw", "cooked1", "cooked2", "gre", "ipip", "ip_in_v6", "vxlan", "gtpu", "mpls", "null")}


@variants(F, **SIX)
def form_v6(s, how):
    """IPv6 inside a link layer or tunnel."""
    c = running(s, ipv6=True)
    c.exchange(4000, 9000, (0, 1))
    ended(c)
    s.write(link=how[0], wrap=how[1])


def twins(s, wrap_a, wrap_b):
    """Two connections with the same four addresses and ports at the same time, in two tunnels; MSS small enough for both."""
    conns = []
    marks = []
    for _ in range(2):
        c = Conn(s, client=("198.51.100.10", 45000), server=("203.0.113.80", 8080))
        conns.append(c)
    owner = {}
    for step in range(8):
        for n, c in enumerate(conns):
            begin = len(s.packets)
            if step == 0:
                c.open()
            elif step == 7:
                c.close()
            else:
                c.send("c", 500 + n)
                c.send("s", 900 + n)
            for _, g in s.packets[begin:]:
                owner[id(g)] = n
    wraps = (wrap_a, wrap_b)
    frames = [(t, wraps[owner[id(g)]](g.ip())) for t, g in s.packets]
    s.put("capture.pcap", files.pcap(frames))
    return marks


PAIR_B = ("198.18.0.11", "198.18.0.12")
TWINS = {
    "gre_outer": (tunnel(links.gre), tunnel(links.gre, PAIR_B)),
    "gre_keys": (tunnel(lambda x, a, b: links.gre(x, a, b, 1)), tunnel(lambda x, a, b: links.gre(x, a, b, 2))),
    "ipip_outer": (tunnel(links.ipip), tunnel(links.ipip, PAIR_B)),
    "vxlan_vni": (tunnel(lambda x, a, b: links.vxlan(x, a, b, 5000)), tunnel(lambda x, a, b: links.vxlan(x, a, b, 5001))),
    "geneve_vni": (tunnel(lambda x, a, b: links.geneve(x, a, b, 42)), tunnel(lambda x, a, b: links.geneve(x, a, b, 43))),
    "gtpu_outer": (tunnel(lambda x, a, b: links.gtpu(x, a, b, 1 if a == OUT[0] else 2)), tunnel(lambda x, a, b: links.gtpu(x, a, b, 1 if a == PAIR_B[0] else 2), PAIR_B)),
    "tunnel_and_none": (tunnel(links.gre), links.ether),
}


@variants(F, **TWINS)
def equal_inner_addresses(s, how):
    """Two tunnels with equal inner addresses and ports at the same time: two connections."""
    twins(s, *how)


@scenario(F)
def gtpu_two_users_one_pair(s):
    """Two users with equal inner addresses behind one pair of gateways, told apart by TEIDs alone, which differ per direction."""
    def user(up, down):
        return tunnel(lambda x, a, b: links.gtpu(x, a, b, up if a == OUT[0] else down))
    twins(s, user(0x11, 0x21), user(0x12, 0x22))
    for c in s.conns:
        c.hidden = True
    s.expect(connections_exact=False)
    s.raises(may=("segment_overlap_conflict", "dsn_overlap_conflict", "option_malformed", "data_unmapped", "mapping_conflict", "dsn_out_of_window", "visibility_low", "version_downgrade", "join_unknown_token"))
    s.ambiguity("which uplink TEID belongs to which downlink one is not in user traffic; only that the program ends well is checked")


@scenario(F)
def subflows_in_different_wrappings(s):
    """One subflow in a GTP-U tunnel (mobile), the other on Ethernet (Wi-Fi): one connection by its keys."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    gtp = tunnel(lambda x, a, b: links.gtpu(x, a, b, TEIDS[a]))
    mobile = c.subs[1].half["c"].ip
    s.put("capture.pcap", files.pcap([(t, (gtp if mobile in (g.src, g.dst) else links.ether)(g.ip())) for t, g in s.packets]))


@scenario(F)
def same_packets_inside_and_outside_a_tunnel(s):
    """Before and behind a tunnel's entrance: the same subflow at two points, once bare, once in GRE; octets once."""
    c = running(s)
    ended(c)
    s.write("bare.pcap")
    s.write("tunnel.pcap", wrap=tunnel(links.gre), skew=0.0001)
    c.want.update(duplicate_bytes=0)
    s.ambiguity("tunnels keep equal inner addresses apart, but the same keys are the same connection and the same nonces the same subflow")


# -- fragments and header forms
@variants(F, ordered=lambda f: f, reverse=lambda f: f[::-1], last_first=lambda f: f[-1:] + f[:-1])
def fragments_v4(s, order):
    """Every large IPv4 packet in fragments, in order or not; the first holds less than the TCP header with options would like."""
    c = running(s)
    c.exchange(6000, 9000, (0, 1))
    ended(c)
    frames = []
    for t, g in s.packets:
        whole = replace_df(g).ip()
        pieces = order(p.fragments4(whole, 480)) if len(whole) > 600 else [whole]
        frames += [(t + i * 0.00001, links.ether(x)) for i, x in enumerate(pieces)]
    s.put("capture.pcap", files.pcap(frames))


def replace_df(g):
    from dataclasses import replace
    return replace(g, dont_fragment=False)


@scenario(F)
def fragments_tiny_v4(s):
    """Fragments of 24 octets: the TCP options come in the second and third."""
    c = running(s, joins=0)
    c.exchange(300, 300)
    c.close()
    frames = []
    for t, g in s.packets:
        frames += [(t + i * 0.000005, links.ether(x)) for i, x in enumerate(p.fragments4(replace_df(g).ip(), 24))]
    s.put("capture.pcap", files.pcap(frames))


@variants(F, ordered=False, reverse=True)
def fragments_v6(s, backwards):
    """IPv6 fragments."""
    c = running(s, ipv6=True)
    c.exchange(6000, 9000, (0, 1))
    ended(c)
    frames, number = [], 0
    for t, g in s.packets:
        whole = g.ip()
        number += 1
        pieces = p.fragments6(whole, 480, number) if len(whole) > 600 else [whole]
        frames += [(t + i * 0.00001, links.ether(x)) for i, x in enumerate(reversed(pieces) if backwards else pieces)]
    s.put("capture.pcap", files.pcap(frames))


@scenario(F)
def fragment_lost(s):
    """A fragment is missing from the capture: its packet cannot be made whole; it was acknowledged, so there is a gap."""
    c = running(s, joins=0)
    before = bytes(c.stream["c"])
    c.send("c", 900)
    c.send("c", 900)
    c.close()
    frames, hit = [], 0
    for t, g in s.packets:
        whole = replace_df(g).ip()
        pieces = p.fragments4(whole, 480) if len(g.payload) == 900 else [whole]
        if len(g.payload) == 900:
            hit += 1
            if hit == 1:
                pieces = pieces[:1]
        frames += [(t + i * 0.00001, links.ether(x)) for i, x in enumerate(pieces)]
    s.put("capture.pcap", files.pcap(frames))
    from scene import digest_of
    c.want.update(toserver=digest_of(before), gap_bytes_toserver=900, visibility=None, subflow_list=None, state=["closed", "open"])


@scenario(F)
def extension_headers_v6(s):
    """Hop-by-hop and destination options between the IPv6 header and TCP."""
    c = running(s, ipv6=True)
    ended(c)
    s.put("capture.pcap", files.pcap([(t, links.ether(p.with_extension_headers6(g.ip()))) for t, g in s.packets]))


@scenario(F)
def ip_options_v4(s):
    """IPv4 options."""
    c = running(s)
    ended(c)
    s.put("capture.pcap", files.pcap([(t, links.ether(p.with_ip_options4(g.ip()))) for t, g in s.packets]))


@scenario(F)
def fragments_in_a_tunnel(s):
    """GTP-U whose outer packets are fragmented."""
    c = running(s)
    ended(c)
    frames = []
    for t, g in s.packets:
        inner = g.ip()
        a, b = outer(inner)
        whole = links.gtpu(inner, a, b, TEIDS[a])
        whole = whole[:4] + g.ident.to_bytes(2, "big") + b"\0\0" + whole[8:10] + b"\0\0" + whole[12:]
        pieces = p.fragments4(whole, 720) if len(whole) > 900 else [links_sum(whole)]
        frames += [(t + i * 0.00001, links.ether(x)) for i, x in enumerate(pieces)]
    s.put("capture.pcap", files.pcap(frames))


def links_sum(packet):
    return packet[:10] + p.inet_checksum(packet[:20]).to_bytes(2, "big") + packet[12:]

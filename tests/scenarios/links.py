"""What may stand around an IP packet: link layers, tags and tunnels. Every function takes and gives octets."""
import struct

from lab.octets.packets import inet_checksum, ip_packet, raw_ip

A, B = bytes.fromhex("020000000a01"), bytes.fromhex("020000000b02")


def ethertype(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def ether(packet, kind=None):
    return B + A + struct.pack(">H", ethertype(packet) if kind is None else kind) + packet


def vlan(packet, *tags):
    """802.1Q, or QinQ when there are two tags (outer 0x88a8)."""
    kinds = [0x88A8 if i == 0 and len(tags) > 1 else 0x8100 for i in range(len(tags))]
    inner = struct.pack(">H", ethertype(packet)) + packet
    for kind, tag in reversed(list(zip(kinds, tags))):
        inner = struct.pack(">HH", kind, tag) + inner
    return B + A + inner


def mpls(packet, *labels):
    stack = b"".join(struct.pack(">I", label << 12 | (i == len(labels) - 1) << 8 | 63) for i, label in enumerate(labels))
    return ether(stack + packet, 0x8847)


def ppp_protocol(packet):
    return struct.pack(">H", 0x0057 if packet[0] >> 4 == 6 else 0x0021)


def pppoe(packet, session=7):
    body = ppp_protocol(packet) + packet
    return ether(struct.pack(">BBHH", 0x11, 0, session, len(body)) + body, 0x8864)


def ppp(packet):
    return b"\xff\x03" + ppp_protocol(packet) + packet


def null(packet, big=False):
    family = 30 if packet[0] >> 4 == 6 else 2
    return struct.pack(">I" if big else "<I", family) + packet


def sll(packet):
    return struct.pack(">HHH", 0, 1, 6) + A + b"\0\0" + struct.pack(">H", ethertype(packet)) + packet


def sll2(packet, interface=1):
    return struct.pack(">HHIHBB", ethertype(packet), 0, interface, 1, 0, 6) + A + b"\0\0" + packet


def udp(body, sport, dport):
    """Without a checksum, as tunnels over IPv4 mostly are."""
    return struct.pack(">HHHH", sport, dport, 8 + len(body), 0) + body


def udp_packet(src, dst, body, sport, dport):
    """UDP in IP; over IPv6 with its checksum."""
    made = udp(body, sport, dport)
    if ":" in src:
        pseudo = raw_ip(src) + raw_ip(dst) + struct.pack(">II", len(made), 17)
        made = made[:6] + struct.pack(">H", inet_checksum(pseudo + made) or 0xFFFF) + made[8:]
    return ip_packet(src, dst, 17, made)


def gre(packet, src, dst, key=None, seq=None):
    flags = (0x2000 if key is not None else 0) | (0x1000 if seq is not None else 0)
    head = struct.pack(">HH", flags, ethertype(packet))
    head += struct.pack(">I", key) if key is not None else b""
    head += struct.pack(">I", seq) if seq is not None else b""
    return ip_packet(src, dst, 47, head + packet)


def gre_teb(packet, src, dst):
    """GRE that carries Ethernet (0x6558)."""
    return ip_packet(src, dst, 47, struct.pack(">HH", 0, 0x6558) + ether(packet))


def ipip(packet, src, dst):
    return ip_packet(src, dst, 41 if packet[0] >> 4 == 6 else 4, packet)


def vxlan(packet, src, dst, vni, sport=50000):
    return udp_packet(src, dst, struct.pack(">II", 0x08000000, vni << 8) + ether(packet), sport, 4789)


def geneve(packet, src, dst, vni, options=b""):
    head = struct.pack(">BBHI", len(options) // 4, 0, 0x6558, vni << 8) + options
    return udp_packet(src, dst, head + ether(packet), 50001, 6081)


def gtpu(packet, src, dst, teid, sequence=None, session_container=False):
    flags, optional = 0x30, b""
    if sequence is not None or session_container:
        flags |= 0x02 if sequence is not None else 0
        flags |= 0x04 if session_container else 0
        optional = struct.pack(">HBB", sequence or 0, 0, 0x85 if session_container else 0)
        if session_container:
            optional += bytes([1, 0x10, 9, 0])
    body = optional + packet
    return udp_packet(src, dst, struct.pack(">BBHI", flags, 0xFF, len(body), teid) + body, 2152, 2152)

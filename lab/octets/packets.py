"""TCP segments to octets: IPv4 and IPv6 headers with right (or deliberately wrong) checksums."""
import ipaddress
import itertools
import struct
from dataclasses import dataclass, field

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
FLAG = {"F": FIN, "S": SYN, "R": RST, "P": PSH, "A": ACK, "U": URG}
_ident = itertools.count(1)


def restart_idents():
    """IP identifications from 1 again, so that a scenario's octets do not depend on those written before it."""
    global _ident
    _ident = itertools.count(1)


def sum16(data):
    """Ones' complement sum of 16-bit words, folded."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def inet_checksum(data):
    return ~sum16(data) & 0xFFFF


def raw_ip(text):
    return ipaddress.ip_address(text).packed


def pad4(options):
    return options + b"\x01" * (-len(options) % 4)


@dataclass
class Segment:
    """One TCP segment as its sender made it; `tcp_sum`: good, bad, pseudo (what offload leaves) or a number; `ip_sum`: good or bad."""
    src: str
    sport: int
    dst: str
    dport: int
    seq: int
    ack: int
    flags: int
    win: int
    options: bytes = b""
    payload: bytes = b""
    tcp_sum: object = "good"
    ip_sum: str = "good"
    ttl: int = 64
    ident: int = field(default_factory=lambda: next(_ident) & 0xFFFF)
    dont_fragment: bool = True

    def tcp(self):
        assert len(self.options) % 4 == 0 and len(self.options) <= 40, f"{len(self.options)} octets of options"
        offset = 5 + len(self.options) // 4
        head = struct.pack(">HHIIBBHHH", self.sport, self.dport, self.seq & 0xFFFFFFFF, self.ack & 0xFFFFFFFF,
                           offset << 4, self.flags, self.win, 0, 0)
        body = head + self.options + self.payload
        src, dst = raw_ip(self.src), raw_ip(self.dst)
        pseudo = src + dst + (struct.pack(">BBH", 0, 6, len(body)) if len(src) == 4 else struct.pack(">II", len(body), 6))
        good = inet_checksum(pseudo + body)
        if self.tcp_sum == "good":
            value = good
        elif self.tcp_sum == "bad":
            value = good ^ 0x5A5A
        elif self.tcp_sum == "pseudo":
            value = sum16(pseudo)
        else:
            value = self.tcp_sum
        return body[:16] + struct.pack(">H", value) + body[18:]

    def ip(self):
        return ip_packet(self.src, self.dst, 6, self.tcp(), ttl=self.ttl, ident=self.ident,
                         dont_fragment=self.dont_fragment, bad_sum=self.ip_sum != "good")


def ip_packet(src, dst, protocol, body, ttl=64, ident=0, dont_fragment=True, bad_sum=False):
    a, b = raw_ip(src), raw_ip(dst)
    if len(a) == 16:
        return struct.pack(">IHBB", 0x60000000, len(body), protocol, ttl) + a + b + body
    total = 20 + len(body)
    assert total <= 65535
    head = struct.pack(">BBHHHBBH", 0x45, 0, total, ident, 0x4000 if dont_fragment else 0, ttl, protocol, 0) + a + b
    value = inet_checksum(head) ^ (0x1111 if bad_sum else 0)
    return head[:10] + struct.pack(">H", value) + head[12:] + body


def fragments4(packet, size):
    """An IPv4 packet as fragments whose payloads are `size` octets (a multiple of 8)."""
    head, body = packet[:20], packet[20:]
    out = []
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        more = 0x2000 if at + size < len(body) else 0
        h = head[:2] + struct.pack(">H", 20 + len(piece)) + head[4:6] + struct.pack(">H", more | at // 8) + head[8:10] + b"\0\0" + head[12:]
        out.append(h[:10] + struct.pack(">H", inet_checksum(h)) + h[12:] + piece)
    return out


def fragments6(packet, size, ident):
    """An IPv6 packet without extension headers as fragments."""
    head, body, proto = packet[:40], packet[40:], packet[6]
    out = []
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        more = 1 if at + size < len(body) else 0
        extension = struct.pack(">BBHI", proto, 0, at | more, ident)
        h = head[:4] + struct.pack(">H", 8 + len(piece)) + bytes([44]) + head[7:]
        out.append(h + extension + piece)
    return out


def with_extension_headers6(packet):
    """Hop-by-hop options and a destination options header between the IPv6 header and TCP."""
    proto = packet[6]
    hop = bytes([60, 0, 1, 4, 0, 0, 0, 0])
    dest = bytes([proto, 1, 1, 12]) + bytes(12)
    length = struct.unpack(">H", packet[4:6])[0] + len(hop) + len(dest)
    return packet[:4] + struct.pack(">H", length) + bytes([0]) + packet[7:40] + hop + dest + packet[40:]


def with_ip_options4(packet):
    """The same IPv4 packet with four octets of IP options (NOPs and an end)."""
    head = bytes([0x46]) + packet[1:2] + struct.pack(">H", struct.unpack(">H", packet[2:4])[0] + 4) + packet[4:10] + b"\0\0" + packet[12:20]
    head += b"\x01\x01\x01\x00"
    return head[:10] + struct.pack(">H", inet_checksum(head)) + head[12:] + packet[20:]


def community_id(src, sport, dst, dport):
    """Community ID, version 1, seed 0, of a TCP flow."""
    import base64
    import hashlib
    a, b = (raw_ip(src), sport), (raw_ip(dst), dport)
    if b < a:
        a, b = b, a
    data = struct.pack(">H", 0) + a[0] + b[0] + bytes([6, 0]) + struct.pack(">HH", a[1], b[1])
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()

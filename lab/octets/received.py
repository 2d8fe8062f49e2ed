"""Packets as they come in: TCP over IPv4 or IPv6, and the MPTCP options that the endpoint goes by. Nothing else is understood."""
import ipaddress
import struct
from dataclasses import dataclass, field

TCP = 6


@dataclass
class Capable:
    version: int
    flags: int
    keys: list
    length: int | None = None


@dataclass
class Join:
    """`token` in the SYN, `code` in what follows it."""
    addr_id: int
    token: bytes = b""
    nonce: bytes = b""
    code: bytes = b""


@dataclass
class Dss:
    ack: int | None = None
    ack_bits: int = 64
    dsn: int | None = None
    dsn_bits: int = 64
    ssn: int = 0
    length: int = 0
    fin: bool = False


@dataclass
class Other:
    subtype: int
    octets: bytes


@dataclass
class Received:
    src: str
    sport: int
    dst: str
    dport: int
    seq: int
    ack: int
    flags: int
    win: int
    shift: int | None = None
    payload: bytes = b""
    mptcp: list = field(default_factory=list)

    def option(self, kind):
        return next((one for one in self.mptcp if isinstance(one, kind)), None)


def packet(octets):
    """A TCP segment out of an IP packet; None for everything else. Checksums are not looked at: offload leaves them unfinished on such lines."""
    if len(octets) < 20:
        return None
    if octets[0] >> 4 == 4:
        head, total = (octets[0] & 15) * 4, struct.unpack(">H", octets[2:4])[0]
        if octets[9] != TCP or struct.unpack(">H", octets[6:8])[0] & 0x3FFF:
            return None
        src, dst, body = octets[12:16], octets[16:20], octets[head:total or len(octets)]
    elif octets[0] >> 4 == 6 and len(octets) >= 40:
        if octets[6] != TCP:
            return None
        length = struct.unpack(">H", octets[4:6])[0]
        src, dst, body = octets[8:24], octets[24:40], octets[40:40 + length if length else len(octets)]
    else:
        return None
    return segment(str(ipaddress.ip_address(src)), str(ipaddress.ip_address(dst)), body)


def segment(src, dst, body):
    if len(body) < 20:
        return None
    sport, dport, seq, ack, offset, flags, win = struct.unpack(">HHIIBBH", body[:16])
    head = (offset >> 4) * 4
    if not 20 <= head <= len(body):
        return None
    made = Received(src, sport, dst, dport, seq, ack, flags, win, payload=body[head:])
    for kind, option in options(body[20:head]):
        if kind == 3 and len(option) == 3:
            made.shift = option[2]
        elif kind == 30 and len(option) >= 3:
            made.mptcp.append(mptcp(option))
    return made


def options(octets):
    at = 0
    while at < len(octets) and octets[at] != 0:
        if octets[at] == 1:
            at += 1
            continue
        if at + 1 >= len(octets) or octets[at + 1] < 2 or at + octets[at + 1] > len(octets):
            return
        yield octets[at], octets[at:at + octets[at + 1]]
        at += octets[at + 1]


def mptcp(option):
    subtype, low, size = option[2] >> 4, option[2] & 15, len(option)
    if subtype == 0 and size >= 4:
        keys = [option[at:at + 8] for at in (4, 12) if at + 8 <= size]
        return Capable(low, option[3], keys, struct.unpack(">H", option[20:22])[0] if size >= 22 else None)
    if subtype == 1 and size == 12:
        return Join(option[3], token=option[4:8], nonce=option[8:12])
    if subtype == 1 and size == 16:
        return Join(option[3], code=option[4:12], nonce=option[12:16])
    if subtype == 1 and size == 24:
        return Join(0, code=option[4:24])
    if subtype == 2 and size >= 4:
        return dss(option) or Other(subtype, option)
    return Other(subtype, option)


def dss(option):
    flags, at, made = option[3], 4, Dss(fin=bool(option[3] & 0x10))
    try:
        if flags & 0x01:
            width = 8 if flags & 0x02 else 4
            made.ack, made.ack_bits, at = int.from_bytes(cut(option, at, width), "big"), width * 8, at + width
        if flags & 0x04:
            width = 8 if flags & 0x08 else 4
            made.dsn, made.dsn_bits, at = int.from_bytes(cut(option, at, width), "big"), width * 8, at + width
            made.ssn, made.length = struct.unpack(">IH", cut(option, at, 6))
    except ValueError:
        return None
    return made


def cut(octets, at, size):
    if at + size > len(octets):
        raise ValueError("too short")
    return octets[at:at + size]

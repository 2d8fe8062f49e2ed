"""TCP options: the ordinary ones and MPTCP's (kind 30), as RFC 8684 (v1) and RFC 6824 (v0) lay them out."""
import hashlib
import hmac
import struct

from lab.octets.packets import inet_checksum, raw_ip

M64 = (1 << 64) - 1


def mss(value):
    return struct.pack(">BBH", 2, 4, value)


def sack_permitted():
    return b"\x04\x02"


def wscale(shift):
    return b"\x01" + struct.pack(">BBB", 3, 3, shift)


def timestamps(value, echo):
    return struct.pack(">BBII", 8, 10, value & 0xFFFFFFFF, echo & 0xFFFFFFFF)


def fast_open(cookie):
    return bytes([34, 2 + len(cookie)]) + cookie


def option30(subtype, low, rest=b"", length=None):
    return bytes([30, 3 + len(rest) if length is None else length, subtype << 4 | low]) + rest


def digest(version, data):
    return (hashlib.sha256 if version else hashlib.sha1)(data).digest()


def token_of(version, key):
    return digest(version, key)[:4]


def idsn_of(version, key):
    return int.from_bytes(digest(version, key)[-8:], "big")


def mac(version, key, message):
    return hmac.new(key, message, hashlib.sha256 if version else hashlib.sha1).digest()


def mp_capable(version, flags, *keys, length=None, csum=None):
    """Flags: 0x80 checksum, 0x40 B, 0x20 C, 0x01 H. `length`: data-level length of the first data (v1)."""
    rest = bytes([flags]) + b"".join(keys)
    if length is not None:
        rest += struct.pack(">H", length)
        if csum is not None:
            rest += struct.pack(">H", csum)
    return option30(0, version, rest)


def join_syn(token, nonce, addr_id=0, backup=False):
    return option30(1, int(backup), bytes([addr_id]) + token + nonce)


def join_synack(hmac8, nonce, addr_id=0, backup=False):
    return option30(1, int(backup), bytes([addr_id]) + hmac8 + nonce)


def join_ack(hmac20):
    return option30(1, 0, b"\0" + hmac20)


def dss(ack=None, ack8=True, dsn=None, dsn8=True, ssn=0, length=0, csum=None, fin=False):
    flags, rest = 0, b""
    if ack is not None:
        flags |= 0x03 if ack8 else 0x01
        rest += struct.pack(">Q", ack & M64) if ack8 else struct.pack(">I", ack & 0xFFFFFFFF)
    if dsn is not None:
        flags |= 0x0C if dsn8 else 0x04
        rest += struct.pack(">Q", dsn & M64) if dsn8 else struct.pack(">I", dsn & 0xFFFFFFFF)
        rest += struct.pack(">IH", ssn & 0xFFFFFFFF, length)
        if csum is not None:
            rest += struct.pack(">H", csum)
    if fin:
        flags |= 0x10
    return option30(2, 0, bytes([flags]) + rest)


def dss_checksum(dsn, ssn, length, data):
    return inet_checksum(struct.pack(">QIHH", dsn & M64, ssn & 0xFFFFFFFF, length, 0) + data)


def add_addr_v1(sender_key, receiver_key, addr_id, address, port=None, echo=False, wrong_hmac=False):
    body = bytes([addr_id]) + raw_ip(address)
    tail = b"" if port is None else struct.pack(">H", port)
    if echo:
        return option30(3, 1, body + tail)
    code = mac(1, sender_key + receiver_key, body + struct.pack(">H", port or 0))[-8:]
    if wrong_hmac:
        code = bytes(x ^ 0xFF for x in code)
    return option30(3, 0, body + tail + code)


def add_addr_v0(addr_id, address, port=None):
    packed = raw_ip(address)
    tail = b"" if port is None else struct.pack(">H", port)
    return option30(3, 4 if len(packed) == 4 else 6, bytes([addr_id]) + packed + tail)


def remove_addr(*ids):
    return option30(4, 0, bytes(ids))


def mp_prio(backup, addr_id=None):
    return option30(5, int(backup), b"" if addr_id is None else bytes([addr_id]))


def mp_fail(dsn):
    return option30(6, 0, b"\0" + struct.pack(">Q", dsn & M64))


def mp_fastclose(key):
    return option30(7, 0, b"\0" + key)


def mp_tcprst(reason, low=0):
    return option30(8, low, bytes([reason]))


def search_key(version, rng, wanted):
    """A random key whose IDSN satisfies `wanted`."""
    while True:
        key = rng.randbytes(8)
        if wanted(idsn_of(version, key)):
            return key


def vectors():
    """The working sheet's vectors; wrong code here would make every scenario wrong."""
    a, b = bytes.fromhex("0102030405060708"), bytes.fromhex("a1b2c3d4e5f60718")
    na, nb = bytes.fromhex("11223344"), bytes.fromhex("55667788")
    assert token_of(1, a).hex() == "66840dda" and idsn_of(1, a) == 0xF5A101D3D29D6F72
    assert token_of(0, b).hex() == "faaf6fe3" and idsn_of(0, b) == 0xBFB51134CB95240B
    assert mac(1, b + a, nb + na)[:8].hex() == "2d275b444c0d23f1"
    assert mac(1, a + b, na + nb)[:20].hex() == "56b9ee0feceeab4f0da46f2170540e0942b55765"
    assert mac(0, b + a, nb + na)[:8].hex() == "d9a765fc6b745010"
    assert mac(0, a + b, na + nb)[:20].hex() == "adad35e0ab4f356927ec0d0e75908890dc263a05"
    assert add_addr_v1(a, b, 2, "192.0.2.7")[-8:].hex() == "8936a068bc687219"
    assert add_addr_v1(a, b, 2, "192.0.2.7", 443)[-8:].hex() == "e7e387c1cfb8d490"


vectors()

"""A small capture made from nothing: one MPTCP v1 connection with one subflow, closed, whose streams are known."""
import hashlib
import socket
import struct

TO_SERVER, TO_CLIENT = b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 204 No Content\r\n\r\n"
CLIENT, SERVER = ("192.0.2.1", 40000), ("198.51.100.2", 80)
CLIENT_KEY, SERVER_KEY = 0x1122334455667788, 0x99AABBCCDDEEFF00
FIN, SYN, PSH, ACK = 1, 2, 8, 16


def key_hash(key):
    return hashlib.sha256(struct.pack(">Q", key)).digest()


def token(key):
    return key_hash(key)[:4].hex()


def first_dsn(key):
    return (int.from_bytes(key_hash(key)[-8:], "big") + 1) & (1 << 64) - 1


ID = f"{token(CLIENT_KEY)}-{token(SERVER_KEY)}"


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(source, target, seq, ack, flags, options=b"", payload=b""):
    options += b"\1" * (-len(options) % 4)
    tcp = struct.pack(">HHIIBBHHH", source[1], target[1], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(options)) << 2, flags, 65535, 0, 0) + options + payload
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    tcp = tcp[:16] + struct.pack(">H", checksum(addresses + struct.pack(">HH", 6, len(tcp)) + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + addresses
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp


def dss(ack=None, dsn=None, ssn=0, length=0, fin=False):
    flags = (0x10 if fin else 0) | (0x0C if dsn is not None else 0) | (0x03 if ack is not None else 0)
    body = b"" if ack is None else struct.pack(">Q", ack)
    if dsn is not None:
        body += struct.pack(">QIH", dsn, ssn, length)
    return struct.pack(">BBBB", 30, 4 + len(body), 0x20, flags) + body


def frames():
    up, down = first_dsn(CLIENT_KEY), first_dsn(SERVER_KEY)
    a, b, n, m = 1000, 5000, len(TO_SERVER), len(TO_CLIENT)
    capable = lambda keys: struct.pack(">BBBB", 30, 4 + 8 * len(keys), 0x01, 0x01) + b"".join(struct.pack(">Q", k) for k in keys)
    yield frame(CLIENT, SERVER, a, 0, SYN, capable([]))
    yield frame(SERVER, CLIENT, b, a + 1, SYN | ACK, capable([SERVER_KEY]))
    yield frame(CLIENT, SERVER, a + 1, b + 1, ACK, capable([CLIENT_KEY, SERVER_KEY]))
    yield frame(CLIENT, SERVER, a + 1, b + 1, ACK | PSH, dss(down, up, 1, n), TO_SERVER)
    yield frame(SERVER, CLIENT, b + 1, a + 1 + n, ACK, dss(up + n))
    yield frame(SERVER, CLIENT, b + 1, a + 1 + n, ACK | PSH, dss(up + n, down, 1, m), TO_CLIENT)
    yield frame(CLIENT, SERVER, a + 1 + n, b + 1 + m, ACK, dss(down + m))
    yield frame(CLIENT, SERVER, a + 1 + n, b + 1 + m, ACK, dss(down + m, up + n, 0, 1, fin=True))
    yield frame(SERVER, CLIENT, b + 1 + m, a + 1 + n, ACK, dss(up + n + 1))
    yield frame(SERVER, CLIENT, b + 1 + m, a + 1 + n, ACK, dss(up + n + 1, down + m, 0, 1, fin=True))
    yield frame(CLIENT, SERVER, a + 1 + n, b + 1 + m, ACK, dss(down + m + 1))
    yield frame(CLIENT, SERVER, a + 1 + n, b + 1 + m, FIN | ACK)
    yield frame(SERVER, CLIENT, b + 1 + m, a + 2 + n, FIN | ACK)
    yield frame(CLIENT, SERVER, a + 2 + n, b + 2 + m, ACK)


def pcap(packets, link=1):
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for number, packet in enumerate(packets):
        out += struct.pack("<IIII", 1_700_000_000, 1000 * number, len(packet), len(packet)) + packet
    return out


def whole():
    return pcap(list(frames()))

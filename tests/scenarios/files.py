"""Capture files: pcap in its four forms, pcapng with several interfaces."""
import struct

ETHERNET, NULL, PPP, RAW, SLL, SLL2, LOOP = 1, 0, 9, 101, 113, 276, 108


def pcap(frames, link=ETHERNET, snap=262144, nano=False, big=False, magic=None):
    """`frames`: (seconds as float or (s, ns), octets). Octets past `snap` are cut, the original length kept."""
    order = ">" if big else "<"
    out = [struct.pack(order + "IHHiIII", magic or (0xA1B23C4D if nano else 0xA1B2C3D4), 2, 4, 0, 0, snap, link)]
    for when, data in frames:
        ns = round(when * 1e9)
        fraction = ns % 10**9 if nano else ns % 10**9 // 1000
        out.append(struct.pack(order + "IIII", ns // 10**9, fraction, min(len(data), snap), len(data)) + data[:snap])
    return b"".join(out)


def _block(order, kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack(order + "II", kind, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def _option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def pcapng(interfaces, frames, big=False):
    """`interfaces`: (name, link type, nanoseconds); `frames`: (time, octets, interface number)."""
    order = ">" if big else "<"
    out = [_block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    for name, link, nano in interfaces:
        options = _option(order, 2, name.encode()) + _option(order, 9, bytes([9 if nano else 6])) + _option(order, 0, b"")
        out.append(_block(order, 1, struct.pack(order + "HHI", link, 0, 262144) + options))
    for when, data, interface in frames:
        ticks = round(when * 1e9) if interfaces[interface][2] else round(when * 1e9) // 1000
        head = struct.pack(order + "IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out.append(_block(order, 6, head + data + b"\0" * (-len(data) % 4)))
    return b"".join(out)

#!/usr/bin/env python3
"""What a reader sees that takes every TCP connection for itself, as one does that does not know MPTCP.

    single_path.py TEXTS STREAM CAPTURE...

Puts the payload of each TCP connection in CAPTURE... in the order of its sequence numbers (every retransmission considered,
one direction at a time), and looks in each for the texts of TEXTS, one a line; then in STREAM, the rebuilt MPTCP stream.
Reads the sample captures' form only: classic pcap, little-endian, Ethernet, IPv4.
"""
import struct
import sys


def segments(path):
    """(connection, sequence number, payload) of every TCP segment with payload."""
    data = open(path, "rb").read()
    if data[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack_from("<I", data, 20)[0] != 1:
        sys.exit(f"{path}: not a sample capture (classic pcap, little-endian, Ethernet)")
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16 : at + 16 + captured]
        at += 16 + captured
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        ip = frame[14 : 14 + struct.unpack_from(">H", frame, 16)[0]]
        tcp = ip[(ip[0] & 15) * 4 :]
        payload = tcp[(tcp[12] >> 4) * 4 :]
        source, destination, sequence = struct.unpack_from(">HHI", tcp)
        if tcp[13] & 2:  # SYN: where counting begins
            yield (ip[12:16], source, ip[16:20], destination), sequence + 1 & 0xFFFFFFFF, b""
        elif payload:
            yield (ip[12:16], source, ip[16:20], destination), sequence, payload


def one_connection_each(captures):
    first, pieces = {}, {}
    for capture in captures:
        for key, sequence, payload in segments(capture):
            first.setdefault(key, sequence)
            pieces.setdefault(key, []).append((sequence - first[key] & 0xFFFFFFFF, payload))
    for key, of_it in pieces.items():
        stream = bytearray()
        for offset, payload in sorted(of_it, key=lambda piece: piece[0]):
            if offset > len(stream):
                stream += bytes(offset - len(stream))  # never captured
            stream[offset : offset + len(payload)] = payload
        if stream:
            yield key, bytes(stream)


def name(key):
    dotted = [".".join(map(str, address)) for address in (key[0], key[2])]
    return f"{dotted[0]}:{key[1]} -> {dotted[1]}:{key[3]}"


def longest_part(text, streams):
    """The longest beginning of the text that ends a piece of one connection, and what goes on in another."""
    for cut in range(len(text) - 1, 0, -1):
        for i, one in enumerate(streams):
            for j, other in enumerate(streams):
                if i != j and text[:cut] in one and text[cut:] in other:
                    return cut, i, j
    return None


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    texts = open(sys.argv[1], "rb").read().split()
    rebuilt = open(sys.argv[2], "rb").read()
    connections = list(one_connection_each(sys.argv[3:]))
    streams = [stream for _, stream in connections]
    print(f"\n{len(texts)} texts to look for. Each TCP connection taken for itself:")
    for key, stream in connections:
        print(f"  {name(key):<42} {len(stream):>7} octets  {sum(text in stream for text in texts):>3} texts")
    missed = [text for text in texts if not any(text in stream for stream in streams)]
    found = sum(text in rebuilt for text in texts)
    print(f"  {'all of them together':<42} {'':>14}  {len(texts) - len(missed):>3} texts, {len(missed)} in none")
    print(f"\n  {'the stream that Weir rebuilt':<42} {len(rebuilt):>7} octets  {found:>3} texts")
    for text in missed:
        parts = longest_part(text, streams)
        if parts:
            cut, i, j = parts
            print(f"\nFor instance {text.decode()!r}:")
            print(f"  {name(connections[i][0]):<42} carried {text[:cut].decode()!r}")
            print(f"  {name(connections[j][0]):<42} carried {text[cut:].decode()!r}")
            break
    return 0 if found == len(texts) and missed else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Hosts that no kernel makes: a v0 speaker, mirrors and half-speakers, each for a whole net of addresses. odd_hosts.py IN-INTERFACE KIND=NET...

Runs in a namespace that does not forward and has none of those addresses: its kernel keeps quiet. Answers leave by the namespace's routes.
"""
import ipaddress
import pathlib
import socket
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from lab.octets import options  # noqa: E402
from lab.octets.packets import ACK, RST, SYN, Segment, pad4  # noqa: E402

ALL = 0x0003


def options30(space):
    """(whole option) of each kind 30."""
    while space and space[0]:
        if space[0] == 1:
            space = space[1:]
            continue
        if len(space) < 2 or space[1] < 2 or space[1] > len(space):
            return
        if space[0] == 30:
            yield space[:space[1]]
        space = space[space[1]:]


def key_of(address):
    return options.digest(1, address.encode())[:8]


class Hosts:
    def __init__(self, kinds):
        self.kinds = kinds  # [(kind, net)]
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.keys = {}  # (client, port, host, port) -> the client's key

    def kind(self, address):
        return next((kind for kind, net in self.kinds if address in net), None)

    def take(self, packet):
        if packet[0] >> 4 != 4 or packet[9] != 6:
            return
        head = (packet[0] & 15) * 4
        src, dst = (str(ipaddress.ip_address(packet[at:at + 4])) for at in (12, 16))
        kind = self.kind(ipaddress.ip_address(dst))
        if kind is None:
            return
        tcp = packet[head:struct.unpack(">H", packet[2:4])[0]]
        sport, dport, seq, ack, offset, flags = struct.unpack(">HHIIBB", tcp[:14])
        space, payload = tcp[20:(offset >> 4) * 4], tcp[(offset >> 4) * 4:]

        def answer(flags, number, acked, what=b""):
            self.out.sendto(Segment(dst, dport, src, sport, number, acked, flags, 60000, pad4(what)).ip(), (src, 0))

        flow = (src, sport, dst, dport)
        found = list(options30(space))
        if flags & RST:
            self.keys.pop(flow, None)
        elif flags & SYN:
            self.syn(kind, found, dst, flow, lambda what=b"": answer(SYN | ACK, 7000, seq + 1, what), lambda: answer(RST | ACK, 0, seq + 1))
        elif payload and kind == "v0" and flow in self.keys:
            expected = options.idsn_of(0, self.keys[flow]) + 1 + len(payload)
            answer(ACK, 7001, seq + len(payload), options.dss(ack=expected, ack8=False))
        elif payload:
            answer(ACK, 7001, seq + len(payload), options.dss(ack=1234567, ack8=True) if kind == "wrong-ack" else b"")

    def syn(self, kind, found, dst, flow, accept, refuse):
        capable = next((one for one in found if one[2] >> 4 == 0), None)
        join = next((one for one in found if one[2] >> 4 == 1), None)
        if kind == "v0":
            if capable and len(capable) == 12 and capable[2] & 15 == 0:
                self.keys[flow] = capable[4:12]
                return accept(options.mp_capable(0, 1, key_of(dst)))
            return refuse() if join else accept()
        if kind == "mirror-v1":
            return accept(b"".join(found))
        if kind == "mirror-v0":  # sends back what has the length of an answer in v0
            return accept(b"".join(one for one in found if len(one) == 12 and one[2] >> 4 == 0))
        if kind in ("mirror-key", "wrong-ack"):  # makes up a key, and knows no more of it
            if capable and len(capable) == 4:
                return accept(options.mp_capable(1, 1, key_of(dst)))
            return accept(join if join and kind == "mirror-key" else b"")
        raise ValueError(kind)


def main():
    interface, *kinds = sys.argv[1:]
    hosts = Hosts([(kind, ipaddress.ip_network(net)) for kind, net in (one.split("=") for one in kinds)])
    link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
    link.bind((interface, 0x0800))
    print("listening", flush=True)
    while True:
        packet, about = link.recvfrom(1 << 16)
        if about[2] != socket.PACKET_OUTGOING:
            hosts.take(packet)


if __name__ == "__main__":
    main()

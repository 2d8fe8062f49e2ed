"""One interface, as octets: frames out and in, and the addresses on it that are ours and not the kernel's.

The kernel of the namespace does not know the endpoint's addresses, so it answers nothing that is meant for them, with RST or otherwise, and no
rule has to keep it quiet. ARP and neighbour discovery for them are answered here.
"""
import ipaddress
import json
import socket
import struct
import subprocess
import time

from lab.octets import received
from lab.octets.packets import inet_checksum, ip_packet, raw_ip

ETH_IP, ETH_ARP, ETH_IP6, ETH_ALL = 0x0800, 0x0806, 0x86DD, 0x0003
OUTGOING = 4
SOLICITATION, ADVERTISEMENT = 135, 136
OWN_HOST = 101  # the endpoint's number on a net, where none is given
RESOLVE_SECONDS = 5


class Link:
    """Purpose: see above. Invariant: what it owns, it answers for. Ownership: the socket, until close(); it stays in the namespace where it was opened."""

    def __init__(self, interface, owned=()):
        self.interface, self.owned = interface, {str(ipaddress.ip_address(one)) for one in owned}
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((interface, ETH_ALL))
        self.socket.setblocking(False)
        self.mac = self.socket.getsockname()[4]
        self.gateways = gateways(interface)
        self.neighbours = {}

    def close(self):
        self.socket.close()

    def own(self, address):
        self.owned.add(str(ipaddress.ip_address(address)))

    def send(self, segment):
        """Through the gateway of the interface; whatever source address the segment has."""
        family = 6 if ":" in segment.dst else 4
        self._frame(self._neighbour(self.gateways[family], segment.src), ETH_IP6 if family == 6 else ETH_IP, segment.ip())

    def receive(self):
        """TCP segments to our addresses that are there now; neighbours are answered on the way."""
        while True:
            try:
                frame, about = self.socket.recvfrom(1 << 17)
            except BlockingIOError:
                return
            if about[2] == OUTGOING or len(frame) < 14:
                continue
            kind, packet = struct.unpack(">H", frame[12:14])[0], frame[14:]
            if kind == ETH_ARP:
                self._arp(packet)
            elif kind == ETH_IP6 and packet[6:7] == b"\x3a":
                self._discovery(packet)
            elif kind in (ETH_IP, ETH_IP6):
                segment = received.packet(packet)
                if segment and segment.dst in self.owned:
                    yield segment

    def _frame(self, to, kind, packet):
        self.socket.send(to + self.mac + struct.pack(">H", kind) + packet)

    def _neighbour(self, address, source):
        deadline, asked = time.monotonic() + RESOLVE_SECONDS, 0.0
        source = source if source in self.owned else next((one for one in self.owned if (":" in one) == (":" in address)), source)
        while address not in self.neighbours:
            now = time.monotonic()
            if now > deadline:
                raise TimeoutError(f"{address} does not answer on {self.interface}")
            if now - asked > 0.5:
                self._ask(address, source)
                asked = now
            for _ in self.receive():
                pass  # nothing can be meant for us yet that would not come again
            time.sleep(0.001)
        return self.neighbours[address]

    def _ask(self, address, source):
        if ":" not in address:
            self._frame(b"\xff" * 6, ETH_ARP, struct.pack(">HHBBH", 1, ETH_IP, 6, 4, 1) + self.mac + raw_ip(source) + bytes(6) + raw_ip(address))
            return
        group = "ff02::1:ff" + raw_ip(address)[-3:].hex()[:2] + ":" + raw_ip(address)[-2:].hex()
        body = struct.pack(">BBHI", SOLICITATION, 0, 0, 0) + raw_ip(address) + bytes([1, 1]) + self.mac
        self._frame(b"\x33\x33" + raw_ip(group)[-4:], ETH_IP6, icmp6(source, group, body))

    def _arp(self, packet):
        if len(packet) < 28:
            return
        operation, mac, sender, target = struct.unpack(">H", packet[6:8])[0], packet[8:14], packet[14:18], packet[24:28]
        if operation == 2:
            self.neighbours[str(ipaddress.ip_address(sender))] = mac
        elif operation == 1 and str(ipaddress.ip_address(target)) in self.owned:
            self._frame(mac, ETH_ARP, struct.pack(">HHBBH", 1, ETH_IP, 6, 4, 2) + self.mac + target + mac + sender)

    def _discovery(self, packet):
        source, body = packet[8:24], packet[40:]
        if len(body) < 24:
            return
        target, asker = body[8:24], body[26:32]
        if body[0] == ADVERTISEMENT and len(asker) == 6:
            self.neighbours[str(ipaddress.ip_address(target))] = asker
        elif body[0] == SOLICITATION and len(asker) == 6 and str(ipaddress.ip_address(target)) in self.owned:
            answer = struct.pack(">BBHI", ADVERTISEMENT, 0, 0, 0x60000000) + target + bytes([2, 1]) + self.mac
            self._frame(asker, ETH_IP6, icmp6(str(ipaddress.ip_address(target)), str(ipaddress.ip_address(source)), answer))


def icmp6(src, dst, body):
    pseudo = raw_ip(src) + raw_ip(dst) + struct.pack(">II", len(body), 58)
    body = body[:2] + struct.pack(">H", inet_checksum(pseudo + body)) + body[4:]
    return ip_packet(src, dst, 58, body, ttl=255)


def ip_json(*arguments):
    done = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout or "[]")


def gateways(interface):
    """Family -> the router that the interface's net has, whatever table the route is in."""
    found = {}
    for family in (4, 6):
        for route in ip_json(f"-{family}", "route", "show", "table", "all", "default"):
            if route.get("dev") == interface and "gateway" in route:
                found.setdefault(family, route["gateway"])
    return found


def own_address(interface, family):
    """The address that the endpoint takes on an interface's net, if it is not told another."""
    for one in ip_json(f"-{family}", "addr", "show", "dev", interface, "scope", "global"):
        for address in one.get("addr_info", []):
            net = ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}").network
            return str(net.network_address + (OWN_HOST if family == 4 else 0x100 + OWN_HOST))
    return None


def interfaces():
    """p1, p2, ...: the paths of the namespace that this process is in."""
    return sorted(one["ifname"] for one in ip_json("link", "show") if one["ifname"].startswith("p"))

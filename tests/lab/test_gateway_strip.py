#!/usr/bin/env python3
"""What `strip` costs and how whole it is: no retransmission, SYNs that come again, SYNs with data, both versions, JOINs to what was stripped."""
import hashlib
import itertools
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import unittest

import live_sensor
import network
from live_gateway import Gateway, wait_for, warm

from lab import endpoint, namespaces
from lab.octets import options as o
from lab.octets.packets import ACK, RST, SYN, Segment, inet_checksum, pad4
from lab.raw.host import Host

LAB = pathlib.Path(endpoint.__file__).parent
PORT, RAW_PORT = 7000, 7001
FAMILIES = (4, 6)
CONNECTS = 100
CONNECT = f"""
import socket, sys, time
for _ in range({CONNECTS}):
    with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM, 262) as one:
        one.settimeout(30)
        began = time.perf_counter()
        one.connect((sys.argv[1], {PORT}))
        print(time.perf_counter() - began)
"""
FAST_OPEN = f"""
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM, 262) as one:
    one.sendto(b"in the SYN", socket.MSG_FASTOPEN, (sys.argv[1], {PORT}))
    one.shutdown(socket.SHUT_WR)
    print(one.recv(64).decode())
"""
# Linux: both sides, no cookie is asked for or needed, and for every listener.
FAST_OPEN_MODE = 0x1 | 0x2 | 0x4 | 0x200 | 0x400


class Hand(Host):
    """Both ends of what is sent by hand: it answers nothing, and keeps what came, with the octets of the packet."""

    def __init__(self, seed):
        super().__init__(seed)
        self.came = []

    def _take(self, link, segment):
        self.came.append(segment)

    def next(self, what, flags=0):
        """The next segment with these flags to that address and port."""
        def there():
            return [one for one in self.came if (one.dst, one.dport) == what and one.flags & flags == flags]
        self.pump(there, f"a segment to {what}")
        self.came.remove(one := there()[0])
        return one


class Strip(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(PORT), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        warm(self.lab, PORT)
        self.gateway = Gateway(self.lab, folder, policy="  default: {action: strip}")

    def counters(self):
        return {host: self.lab.kernel_counters(host) for host in (self.lab.client, self.lab.server)}

    def since(self, before, host, *names):
        now = self.lab.kernel_counters(host)
        return [now.get(name, 0) - before[host].get(name, 0) for name in names]

    def connect_times(self, family):
        said = self.lab.run(self.lab.client, sys.executable, "-c", CONNECT, self.lab.target(1, family), capture_output=True, text=True).stdout
        return statistics.median(map(float, said.split()))

    def send(self, family):
        sent = self.lab.run(self.lab.client, sys.executable, str(LAB / "talk.py"), "send", self.lab.target(1, family), str(PORT), "1", "100000",
                            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((sent.stdout, sent.stderr), ("done\n", ""))

    def drop_the_first(self, host, *what):
        for family, program in ((4, "iptables"), (6, "ip6tables")):
            self.lab.run(host, program, "-t", "raw", "-A", "PREROUTING", "-p", "tcp", *what, "-m", "statistic", "--mode", "nth", "--every", "1000", "--packet", "0", "-j", "DROP")

    def test_it_costs_no_retransmission(self):
        beside = {family: self.connect_times(family) for family in FAMILIES}
        self.gateway.start()
        before = self.counters()
        for number, family in enumerate(FAMILIES, 1):
            ratio = self.connect_times(family) / beside[family]
            print(f"IPv{family}: connecting takes {ratio:.2f} times as long as without a gateway (median of {CONNECTS})", flush=True)
            self.assertEqual(self.since(before, self.lab.client, "MPTcpExtMPCapableFallbackSYNACK", "MPTcpExtMPJoinSynTx"), [number * CONNECTS, 0])
        for host in (self.lab.client, self.lab.server):
            self.assertEqual(self.since(before, host, "TcpRetransSegs", "TcpExtTCPSynRetrans", "TcpExtTCPTimeouts"), [0, 0, 0])
        self.assertEqual(self.since(before, self.lab.server, "MPTcpExtMPCapableSYNRX"), [0])

    def lost_once(self):
        self.gateway.start()
        before = self.counters()
        for family in FAMILIES:
            self.send(family)
        self.assertEqual(self.since(before, self.lab.client, "MPTcpExtMPCapableSYNTX", "MPTcpExtMPCapableFallbackSYNACK"), [2, 2])
        self.assertEqual(self.since(before, self.lab.server, "MPTcpExtMPCapableSYNRX"), [0])
        again = [self.since(before, host, "TcpExtTCPSynRetrans")[0] for host in (self.lab.client, self.lab.server)]
        self.assertGreaterEqual(sum(again), 2)
        wait_for(lambda: len(self.gateway.decisions()) >= 2, "both records")
        self.assertEqual([one["action"] for one in self.gateway.decisions()], ["strip"] * 2, "a SYN that comes again is the same connection's")

    def test_a_syn_that_comes_again(self):
        self.drop_the_first(self.lab.server, "--syn")
        self.lost_once()

    def test_a_syn_ack_that_comes_again(self):
        self.drop_the_first(self.lab.client, "--tcp-flags", "SYN,ACK", "SYN,ACK")
        self.lost_once()

    def test_a_syn_with_data(self):
        for host in (self.lab.client, self.lab.server):
            self.lab.set(host, "net.ipv4.tcp_fastopen", FAST_OPEN_MODE)
        # A listener takes what is set when it begins to listen.
        port = PORT + 2
        talk = self.lab.start(self.lab.server, sys.executable, str(LAB / "talk.py"), "serve", str(port), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(talk.stdout.readline(), "listening\n")
        self.gateway.start()
        before = self.counters()
        for number, family in enumerate(FAMILIES, 1):
            said = self.lab.run(self.lab.client, sys.executable, "-c", FAST_OPEN.replace(str(PORT), str(port)), self.lab.target(1, family), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(said.stderr + said.stdout.strip(), hashlib.sha256(b"in the SYN").hexdigest())
            self.assertEqual(self.since(before, self.lab.client, "TcpExtTCPFastOpenActive", "TcpExtTCPFastOpenActiveFail", "TcpExtTCPSynRetrans"), [number, 0, 0])
        self.assertEqual(self.since(before, self.lab.server, "MPTcpExtMPCapableSYNRX"), [0])

    def by_hand(self, hand, family, version):
        """A server that agrees to MPTCP, whatever comes; the client's further packets have its options, too."""
        with namespaces.inside(self.lab.client):
            client, here = hand.link("p1", family)
            other, elsewhere = hand.link("p2", family)
        with namespaces.inside(self.lab.server):
            server, there = hand.link("p1", family)
        mine, theirs = (here, hand.port()), (there, RAW_PORT)
        keys = hand.rng.randbytes(8), hand.rng.randbytes(8)
        syn = o.mp_capable(version, 0x01, *(() if version else keys[:1]))
        for _ in range(2):  # the same one again: nothing has answered yet
            client.send(Segment(*mine, *theirs, 1000, 0, SYN, 64240, pad4(o.mss(1400) + o.wscale(7) + syn)))
            self.assertEqual(hand.next(theirs, SYN).mptcp, [], "SYN")
        server.send(Segment(*theirs, *mine, 5000, 1001, SYN | ACK, 64240, pad4(o.mss(1400) + o.wscale(7) + o.mp_capable(version, 0x01, keys[1]))))
        self.assertEqual(hand.next(mine, SYN | ACK).mptcp, [], "SYN/ACK")
        client.send(Segment(*mine, *theirs, 1001, 5001, ACK, 1024, pad4(o.mp_capable(version, 0x01, *keys))))
        self.assertEqual(hand.next(theirs, ACK).mptcp, [], "third ACK")
        client.send(Segment(*mine, *theirs, 1001, 5001, ACK, 1024, pad4(o.dss(ack=1, dsn=2, ssn=1, length=5)), b"plain"))
        data = hand.next(theirs, ACK)
        self.assertEqual((data.mptcp, data.payload), ([], b"plain"))
        another = (elsewhere, hand.port())
        other.send(Segment(*another, *theirs, 7000, 0, SYN, 64240, pad4(o.mss(1400) + o.wscale(7) + o.join_syn(o.token_of(version, keys[1]), hand.rng.randbytes(4), 1))))
        refused = hand.next(another, RST)
        self.assertEqual((refused.ack, [one.octets for one in refused.mptcp]), (7001, [o.mp_tcprst(3)]), "administratively prohibited")
        self.assertEqual([one for one in hand.came if one.dst == there], [], "and no SYN of it there")

    def test_both_versions_by_hand(self):
        self.gateway.start()
        for number, (family, version) in enumerate(itertools.product(FAMILIES, (1, 0))):
            with self.subTest(family=family, version=version), Hand(number) as hand, Frames(self.lab) as frames:
                self.by_hand(hand, family, version)
                self.assertGreaterEqual(frames.check(self), 5)
        wait_for(lambda: len(self.gateway.decisions()) >= 4, "all records")
        self.assertEqual([one["action"] for one in self.gateway.decisions()], ["strip"] * 4)


class Frames:
    """What comes to the server's and the client's first lines, as octets."""

    def __init__(self, lab):
        self.sockets = []
        for host in (lab.client, lab.server):
            with namespaces.inside(host):
                one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                one.bind(("p1", 3))
                one.setblocking(False)
                self.sockets.append(one)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets:
            one.close()

    def check(self, test):
        """Every TCP segment that came has a whole checksum; how many there were."""
        count = 0
        for one in self.sockets:
            while True:
                try:
                    frame, about = one.recvfrom(1 << 16)
                except BlockingIOError:
                    break
                packet = frame[14:]
                if about[2] == socket.PACKET_OUTGOING:
                    continue
                if packet[0] >> 4 == 4 and packet[9] == 6:
                    head = (packet[0] & 15) * 4
                    body = packet[head:struct.unpack(">H", packet[2:4])[0]]
                    pseudo = packet[12:20] + struct.pack(">HH", 6, len(body))
                    test.assertEqual(inet_checksum(packet[:head]), 0, packet.hex())
                elif packet[0] >> 4 == 6 and packet[6] == 6:
                    body = packet[40:40 + struct.unpack(">H", packet[4:6])[0]]
                    pseudo = packet[8:40] + struct.pack(">II", len(body), 6)
                else:
                    continue
                test.assertEqual(inet_checksum(pseudo + body), 0, packet.hex())
                count += 1
        return count


if __name__ == "__main__":
    live_sensor.main()

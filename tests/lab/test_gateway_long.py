#!/usr/bin/env python3
"""One connection that carries more than its sequence numbers can count, inspected all the way."""
import contextlib
import os
import pathlib
import socket
import tempfile
import threading
import unittest

import network
from live_gateway import Gateway, main, warm

from lab import namespaces

PORT = 7000
SIGNATURE = b"an unmistakable sign"
PIECE_BYTES = 1 << 20
PIECES = 4_200  # over two paths more than 2 GiB each, and more than 4 GiB together
SECONDS = 150   # without progress


class Long(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.lab = self.enterContext(network.Network("two-paths"))
        with namespaces.inside(self.lab.server):
            self.listener = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_STREAM, network.MPTCP))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("", PORT))
        self.listener.listen(16)
        warm(self.lab, PORT, (4,))
        self.listener.settimeout(SECONDS)
        for _ in range(self.lab.paths):
            self.listener.accept()[0].close()
        self.gateway = Gateway(self.lab, folder, rules=f'drop tcp any any -> any any (msg:"late"; content:"{SIGNATURE.decode()}"; sid:7;)\n').start()
        self.piece = os.urandom(PIECE_BYTES)
        self.got, self.last, self.differs = 0, b"", False
        self.all_there = threading.Event()

    def receive(self):
        connection, _ = self.listener.accept()
        connection.settimeout(SECONDS)
        buffer = memoryview(bytearray(PIECE_BYTES))
        with connection, contextlib.suppress(OSError):
            while self.got < PIECES * PIECE_BYTES:
                begin = self.got % PIECE_BYTES
                size = connection.recv_into(buffer[begin:])
                if size == 0:
                    return
                self.got += size
                if self.got % PIECE_BYTES == 0:
                    self.differs = self.differs or buffer != self.piece
            self.all_there.set()
            while more := connection.recv(PIECE_BYTES):
                self.last += more

    def test_more_than_4_gib_and_then_a_signature(self):
        receiver = threading.Thread(target=self.receive, daemon=True)
        receiver.start()
        with namespaces.inside(self.lab.client):
            connection = self.enterContext(socket.socket(socket.AF_INET, socket.SOCK_STREAM, network.MPTCP))
        connection.settimeout(SECONDS)
        connection.connect((self.lab.target(1, 4), PORT))
        for number in range(PIECES):
            try:
                connection.sendall(self.piece)
            except TimeoutError:
                self.fail(f"no progress behind {number} MiB; the server has {self.got} octets; {self.gateway.records('anomaly')}")
        self.assertTrue(self.all_there.wait(SECONDS), self.got)
        with contextlib.suppress(OSError):  # once it is matched the connection ends
            connection.sendall(SIGNATURE)
            connection.shutdown(socket.SHUT_WR)
        receiver.join(SECONDS)
        self.assertEqual((self.got, self.differs), (PIECES * PIECE_BYTES, False))
        self.assertLess(len(self.last), len(SIGNATURE))
        self.gateway.end()
        ended, = self.gateway.records("mptcp")
        carried = [one["bytes_toserver"] for one in ended["mptcp"]["subflows"]]
        self.assertEqual(len(carried), 2)
        self.assertGreater(max(carried), 1 << 31, carried)
        self.assertEqual([one["alert"]["signature_id"] for one in self.gateway.records("alert")], [7])
        self.assertEqual(self.gateway.records("anomaly"), [])


if __name__ == "__main__":
    main()

"""Connections that follow each other on the same addresses and ports, as fast as the client's kernel lets them: ports_again.py serve PORT | again ADDRESS PORT SOURCE HOW PORTS TIMES

HOW: ended, by the server, then the client; aborted, by the client, MP_FASTCLOSE or RST. Says how many came to their end, and what became of the others."""
import collections
import errno
import socket
import struct
import sys
import threading
import time

MPTCP, FIRST, OCTETS, PATIENCE = 262, 20_000, 1_000, 8


def serve(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(512)
        print("listening", flush=True)
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def answer(connection):
    with connection:
        try:
            got = connection.recv(OCTETS, socket.MSG_WAITALL)
            connection.sendall(b"answer")
            while got.startswith(b"aborted") and connection.recv(1):
                pass
        except OSError:  # aborted
            pass


def patiently(attempt, error):
    """An address may be taken a little longer by the connection before."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except OSError as failed:
            if failed.errno != error or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def one(server, source, how):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP) as connection:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        patiently(lambda: connection.bind(source), errno.EADDRINUSE)
        patiently(lambda: connection.connect(server), errno.EADDRNOTAVAIL)
        connection.sendall(how.encode().ljust(OCTETS))
        answered = connection.recv(6, socket.MSG_WAITALL)
        if how == "aborted":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif connection.recv(1):
            raise ValueError("more than the answer")
        return answered == b"answer"


def again(address, port, source, how, ports, times):
    told = collections.Counter()

    def follow(number):
        for _ in range(times):
            try:
                told["well" if one((address, port), (source, FIRST + number), how) else "no answer"] += 1
            except OSError as failed:
                told[str(failed)] += 1

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(ports)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*(f"{count} {what}" for what, count in told.items()), sep=", ", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        again(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], *map(int, sys.argv[6:8]))

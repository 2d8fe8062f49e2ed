"""The two ends of a test's connections, over MPTCP: each connection carries a text that is known from its number."""
import fcntl
import hashlib
import os
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

MPTCP = 262


def text(number, size):
    """`size` octets that no other number gives."""
    out = bytearray()
    block = 0
    while len(out) < size:
        out += hashlib.sha256(f"{number}/{block}".encode()).digest()
        block += 1
    return bytes(out[:size])


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(port):
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM, MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", port))
        listener.listen(512)
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection):
    with connection:
        got = hashlib.sha256()
        while piece := connection.recv(65536):
            got.update(piece)
        connection.sendall(got.hexdigest().encode())


def send(address, port, numbers, size, paths=1, pauses=False):
    """A connection for each number, all at once; each goes on after its first octets only when it has so many subflows. `pauses`: half way it says
    "half" and waits for an octet on standard input."""
    def one(number):
        with socket.socket(family(address), socket.SOCK_STREAM, MPTCP) as connection:
            connection.settimeout(60)
            connection.connect((address, port))
            data = text(number, size)
            for at in range(0, size, 4096):
                connection.sendall(data[at:at + 4096])
                if at == 0 and paths > 1:
                    wait_for_subflows(connection, paths)
                if pauses and at == size // 8192 * 4096:
                    print("half\n", end="", flush=True)
                    os.read(0, 1)  # not readline(): of several threads' at once some find nothing
            connection.shutdown(socket.SHUT_WR)
            answered = b""
            while piece := connection.recv(4096):
                answered += piece
            if answered.decode() != hashlib.sha256(data).hexdigest():
                failed.append(f"{number}:{len(answered)}:{answered[:80]!r}")

    failed = []
    threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("failed" if failed else "done", *failed, flush=True)


def cut(address, port, words, paths):
    """Sends text octet by octet, each over another path: all other paths' endpoints are made backup meanwhile."""
    with socket.socket(family(address), socket.SOCK_STREAM, MPTCP) as connection:
        connection.connect((address, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"hello\n")
        wait_for_subflows(connection, paths)
        for at, octet in enumerate(words.encode()):
            for path in range(1, paths + 1):
                flag = "nobackup" if path == at % paths + 1 else "backup"
                subprocess.run(["ip", "mptcp", "endpoint", "change", "id", str(path), flag], check=True)
            connection.sendall(bytes([octet]))
            wait_until_acknowledged(connection)
        print("sent", time.time(), flush=True)
        sys.stdin.read()  # the connection stays until the test has seen what it wants


def wait_until_acknowledged(connection, seconds=20):
    deadline = time.monotonic() + seconds
    while struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0] > 0:
        assert time.monotonic() < deadline, "not acknowledged"
        time.sleep(0.001)


def wait_for_subflows(connection, paths, seconds=30):
    """MPTCP_INFO (SOL_MPTCP, 1) begins with the number of subflows beyond the first."""
    deadline = time.monotonic() + seconds
    while connection.getsockopt(284, 1, 64)[0] < paths - 1:
        assert time.monotonic() < deadline, "the other subflows did not come up"
        time.sleep(0.01)


USAGE = """usage: talk.py serve PORT
       talk.py send ADDRESS PORT CONNECTIONS OCTETS [SUBFLOWS]     # says "done"
       talk.py pause ADDRESS PORT OCTETS                           # says "half" half way, and waits for a line
       talk.py cut ADDRESS PORT TEXT PATHS                         # octet by octet, in turn over the paths"""
ARGUMENTS = {"serve": (1, 1), "send": (4, 5), "pause": (3, 3), "cut": (4, 4)}


def main():
    least, most = ARGUMENTS.get(sys.argv[1] if len(sys.argv) > 1 else "", (1, 0))
    if not least <= len(sys.argv) - 2 <= most:
        asked = {"-h", "--help"} & set(sys.argv[1:])
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else 2)
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    elif sys.argv[1] == "pause":
        send(sys.argv[2], int(sys.argv[3]), range(1), int(sys.argv[4]), pauses=True)
    elif sys.argv[1] == "cut":
        cut(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        send(sys.argv[2], int(sys.argv[3]), range(int(sys.argv[4])), *map(int, sys.argv[5:7]))


if __name__ == "__main__":
    main()

"""The two ends of a test's connections, over MPTCP: each connection carries a text that is known from its number."""
import hashlib
import socket
import sys
import threading

MPTCP = 262


def text(number, size):
    """`size` octets that no other number gives."""
    out = bytearray()
    block = 0
    while len(out) < size:
        out += hashlib.sha256(f"{number}/{block}".encode()).digest()
        block += 1
    return bytes(out[:size])


def serve(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
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


def send(address, port, numbers, size):
    def one(number):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP) as connection:
            connection.settimeout(60)
            connection.connect((address, port))
            data = text(number, size)
            for at in range(0, size, 4096):
                connection.sendall(data[at:at + 4096])
            connection.shutdown(socket.SHUT_WR)
            answered = b""
            while piece := connection.recv(4096):
                answered += piece
            if answered.decode() != hashlib.sha256(data).hexdigest():
                failed.append(number)

    failed = []
    threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("failed" if failed else "done", *failed, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        send(sys.argv[2], int(sys.argv[3]), range(int(sys.argv[4])), int(sys.argv[5]))

"""A proxy on the router in a test: takes connections that were for others (IP_TRANSPARENT), says so, and carries them on as its own."""
import socket
import sys
import threading

MPTCP = 262
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75


def listen(port):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, MPTCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    listener.bind(("::", port))
    listener.listen(16)
    return listener


def carry(source, target):
    while piece := source.recv(65536):
        target.sendall(piece)
    target.shutdown(socket.SHUT_WR)


def serve(client):
    meant = client.getsockname()[:2]
    print("for", meant[0].removeprefix("::ffff:"), meant[1], flush=True)
    with client, socket.create_connection(meant, timeout=20) as server:
        back = threading.Thread(target=carry, args=(server, client), daemon=True)
        back.start()
        carry(client, server)
        back.join()


if __name__ == "__main__":
    here = listen(int(sys.argv[1]))
    print("listening", flush=True)
    while True:
        threading.Thread(target=serve, args=(here.accept()[0],), daemon=True).start()

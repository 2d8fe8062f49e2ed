#!/usr/bin/env python3
"""A server that says of each connection what its application got, octet by octet, and how it ended: one line of JSON each. receiver.py PORT"""
import json
import socket
import sys
import threading
import time

MPTCP = 262


def follow(connection, peer):
    got, how = bytearray(), "eof"
    print(json.dumps({"port": peer[1], "accepted": True}), flush=True)
    try:
        while piece := connection.recv(65536):
            got += piece
            print(json.dumps({"port": peer[1], "so_far": len(got)}), flush=True)
    except OSError as error:
        how = error.strerror
    print(json.dumps({"port": peer[1], "octets": len(got), "end": got[-400:].decode("latin-1"), "how": how, "time": time.time()}), flush=True)
    connection.close()


with socket.socket(socket.AF_INET6, socket.SOCK_STREAM, MPTCP) as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", int(sys.argv[1])))
    listener.listen(512)
    print("listening", flush=True)
    while True:
        threading.Thread(target=follow, args=listener.accept(), daemon=True).start()

#!/usr/bin/env python3
"""Weir's http, tls and fileinfo records against what tshark finds in the normalised capture.   test_applications.py WEIR REPOSITORY"""
import gzip
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile

WEIR, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
sys.path[:0] = [os.path.join(ROOT, "tests", "scenarios"), ROOT]
from lab.octets import packets  # noqa: E402
import scene  # noqa: E402
from peers import Conn  # noqa: E402

BODIES = {"/plain/one.txt": b"one " * 400, "/zipped/two.bin": bytes(range(256)) * 20, "/chunked/three.html": b"<html>three</html>" * 30}


def response(path, body):
    head = b"HTTP/1.1 200 OK\r\nServer: test\r\nContent-Type: application/octet-stream\r\n"
    if path.startswith("/zipped"):
        packed = gzip.compress(body, mtime=0)
        return head + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    if path.startswith("/chunked"):
        chunks = b"".join(b"%x\r\n" % len(body[i:i + 100]) + body[i:i + 100] + b"\r\n" for i in range(0, len(body), 100))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def hello(name):
    """A ClientHello as OpenSSL writes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def in_pieces(conn, side, data, size):
    for i in range(0, len(data), size):
        conn.send(side, data[i:i + size], (i // size) % 3)


def capture(folder):
    s = scene.Scene("applications", "HTTP and TLS over three subflows")
    packets.restart_idents()
    for port, talk in ((80, "http"), (443, "tls")):
        c = Conn(s, server=("198.51.100.5", port)).open()
        c.join()
        c.join()
        if talk == "http":
            for path in BODIES:
                in_pieces(c, "c", b"GET %s?q=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: weir-test\r\n\r\n" % path.encode(), 37)
            for path, body in BODIES.items():
                in_pieces(c, "s", response(path, body), 311)
        else:
            in_pieces(c, "c", hello("secret.example.net"), 50)
        c.close()
    s.write()
    path = os.path.join(folder, "applications.pcap")
    with open(path, "wb") as out:
        out.write(s.out["capture.pcap"])
    return path


def tshark(path, *arguments):
    run = subprocess.run(["tshark", "-n", "-r", path, *arguments], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-300:]
    return run.stdout


def fields(path, display, *names):
    out = tshark(path, "-Y", display, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|", *[w for n in names for w in ("-e", n)])
    rows = []
    for line in out.splitlines():
        columns = [column.split("|") for column in line.split("\t")]
        rows += list(zip(*columns))
    return sorted(rows)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def main():
    if not shutil.which("tshark"):
        print("SKIPPED: tshark is not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        source = capture(folder)
        plain, log, files, objects = (os.path.join(folder, n) for n in ("plain.pcap", "eve.json", "files", "objects"))
        subprocess.run([WEIR, "inspect", "--quiet", "--log", log, "--export-pcap", plain, "--export-files", files, source], check=True, timeout=120)
        records = [json.loads(line) for line in open(log)]
        http = [r["http"] for r in records if r["event_type"] == "http"]
        tls = [r["tls"] for r in records if r["event_type"] == "tls"]
        info = [r["fileinfo"] for r in records if r["event_type"] == "fileinfo"]
        assert not [r for r in records if r["event_type"] == "anomaly"]

        assert sorted((r["http_method"], r["url"], r["hostname"], r["http_user_agent"]) for r in http) == fields(
            plain, "http.request", "http.request.method", "http.request.uri", "http.host", "http.user_agent"), "requests"
        assert sorted((str(r["status"]),) for r in http) == fields(plain, "http.response", "http.response.code"), "answers"
        assert len(http) == len(BODIES)
        assert [(r["sni"],) for r in tls] == fields(plain, "tls.handshake.type==1", "tls.handshake.extensions_server_name"), "server names"
        assert [(r["ja3"]["hash"],) for r in tls] == fields(plain, "tls.handshake.type==1", "tls.handshake.ja3"), "JA3"
        assert tls[0]["client_alpns"] == ["h2", "http/1.1"]

        tshark(plain, "-q", "--export-objects", f"http,{objects}")
        exported = sorted(sha256(open(os.path.join(objects, n), "rb").read()) for n in os.listdir(objects))
        assert sorted(r["sha256"] for r in info) == exported == sorted(map(sha256, BODIES.values())), "files"
        assert sorted(os.listdir(files)) == exported, "exported files"
        assert sorted(os.path.basename(r["filename"]) for r in info) == sorted(os.path.basename(p) for p in BODIES)
        assert all(r["state"] == "CLOSED" and r["stored"] for r in info)
    print(f"{len(http)} requests, {len(tls)} hellos, {len(info)} files agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())

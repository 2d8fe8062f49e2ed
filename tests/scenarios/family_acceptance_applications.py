"""What an acceptor would ask for of HTTP, TLS and DNS over the rebuilt stream."""
import gzip
import hashlib
import random
import ssl
import struct
from dataclasses import replace

import files
import links
from lab.octets import options as o
from lab.octets.packets import community_id, fragments4, fragments6, ip_packet, with_extension_headers6
from peers import Conn, Sub
from scene import digest_of, scenario, variants
from family_fallback import no_keys, plain
from family_points import on
from family_tcp import conflict, decoy, ended, loose_duplicates, running
from family_track import keys_unseen, stream_from

from family_acceptance import P, P_RULE, YES, NO, cut, put_rules, rule, table

F = "acceptance"


# -- applications
GET = b"GET /a/b%2ephp?x=Evil HTTP/1.1\r\nHost: WWW.Example.org:8080\r\nUser-Agent: Weir/1.0 (test)\r\nCookie: sid=42; lang=en\r\nX-Odd:   spaced\r\nReferer: http://ref.example/x\r\n\r\n"
POST = b"POST /form HTTP/1.1\r\nHost: second.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 28\r\n\r\nuser=admin&pass=' OR '1'='1 "
PAGE = b"<html><body>" + b"The quick brown fox. " * 40 + b"secret-marker-one</body></html>"
BLOB = bytes(range(256)) * 12 + b"MZ-not-really" + bytes(900)


def answer(body, status=b"200 OK", packed=False, chunked=None, more=b""):
    head = b"HTTP/1.1 " + status + b"\r\nServer: odd/2\r\n" + more
    if packed:
        body, head = gzip.compress(body, mtime=0), head + b"Content-Encoding: gzip\r\n"
    if chunked:
        body = b"".join(b"%x\r\n" % len(body[i:i + chunked]) + body[i:i + chunked] + b"\r\n" for i in range(0, len(body), chunked)) + b"0\r\n\r\n"
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + body
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


HTTP_RULES = [
    (YES, "http", 'http.method; content:"GET"; bsize:3;'), (YES, "http", 'http.method; content:"POST"; startswith; endswith;'), (NO, "http", 'http.method; content:"PUT";'),
    (YES, "http", 'http.uri; content:"/a/b.php?x=Evil"; bsize:15;'), (YES, "http", 'http.uri; content:"/form"; startswith; endswith;'), (NO, "http", 'http.uri; content:"form"; startswith;'),
    (YES, "http", 'http.host; content:"www.example.org"; bsize:15;'), (YES, "http", 'http.host; content:"second.example"; endswith;'), (NO, "http", 'http.host; content:"third";'),
    (YES, "http", 'http.user_agent; content:"Weir/1.0 (test)"; bsize:15;'), (YES, "http", 'http.cookie; content:"sid=42|3b| lang=en"; bsize:15;'),
    (YES, "http", 'http.header; content:"Host|3a 20|"; content:"Content-Length|3a 20|28";'), (NO, "http", 'http.header; content:"sid=42";'),
    (YES, "http", r'''http.request_body; content:"user=admin"; startswith; content:"' OR '1'='1"; distance:0;'''), (YES, "http", r'''http.request_body; pcre:"/'\s+or\s+'\d'='\d/i";'''),
    (YES, "http", 'http.request_body; bsize:28;'), (NO, "http", 'http.request_body; content:"secret-marker";'),
    (YES, "http", 'flow:to_client; http.stat_code; content:"200"; bsize:3;'), (YES, "http", 'flow:to_client; http.stat_code; content:"404";'), (NO, "http", 'flow:to_client; http.stat_code; content:"500";'),
    (YES, "http", 'flow:to_client,established; http.response_body; content:"secret-marker-one"; content:"</html>"; endswith;'), (YES, "http", 'flow:to_client; file.data; content:"<html><body>The quick"; startswith;'),
    (YES, "http", 'flow:to_client; file.data; content:"MZ-not-really"; offset:3072; depth:13;'), (NO, "http", 'flow:to_client; file.data; content:"MZ-not-really"; offset:3073;'),
    (YES, "http", 'http.method; content:"POST"; http.uri; content:"form"; http.request_body; content:"admin";'), (NO, "http", 'http.method; content:"GET"; http.uri; content:"form";'),
    (YES, "tcp", 'content:"GET /a/b%2ephp";'), (YES, "tcp", 'content:"%2e"; http.uri; content:"/a/b.php";'), (NO, "tls", 'content:"GET";'),
    (NO, "http", 'http.uri; content:!"form"; content:"form";'), (YES, "http", 'http.uri; content:"form"; http.header; content:!"Cookie";'),
]


@variants(F, whole=(1460, 1, 1, False), octets=(1, 3, 0, False), sevens=(7, 5, 1, False), backward=(13, 3, 1, True))
def http_buffers(s, how):
    """Three pipelined requests and their answers (gzip, chunked, both, an error page), cut over subflows: buffers hold what the host's application gets."""
    size, subs, version, back = how
    c = Conn(s, version, server=("203.0.113.80", 8080)).open()
    for _ in range(subs - 1):
        c.join()
    order = "backward" if back else "forward"
    ask = GET + POST + b"GET /missing HTTP/1.1\r\nHost: second.example\r\n\r\n"
    told = answer(PAGE, packed=True, chunked=100, more=b"Content-Type: text/html\r\n") + answer(BLOB, chunked=333) + answer(b"not here", b"404 Not Found")
    cut(c, "c", ask, size, subs, order)
    cut(c, "s", told, size, subs, order)
    c.close()
    c.want["duplicate_bytes"] = 0
    lines = [rule(text, n, head=f"{proto} any any -> any any") for n, (_, proto, text) in enumerate(HTTP_RULES, 1)]
    put_rules(s, *lines, alerts=[n for n, r in enumerate(HTTP_RULES, 1) if r[0]], never=[n for n, r in enumerate(HTTP_RULES, 1) if not r[0]])
    s.raises(may=("fragmented_across_subflows",))
    sha = lambda b: hashlib.sha256(b).hexdigest()
    s.expect(record_counts={"http": 3, "fileinfo": [3, 4]}, records=[
        {"event_type": "http", "http.http_method": "GET", "http.hostname": "WWW.Example.org", "@http.url": ["/a/b%2ephp?x=Evil", "/a/b.php?x=Evil"], "http.http_user_agent": "Weir/1.0 (test)", "http.status": 200, "proto": "TCP",
         "src_ip": c.client[0], "dest_port": 8080, "mptcp.id": c.ident, "http.http_refer": "http://ref.example/x", "http.protocol": "HTTP/1.1", "http.http_content_type": "text/html"},
        {"event_type": "http", "http.http_method": "POST", "http.hostname": "second.example", "http.url": "/form", "http.status": 200},
        {"event_type": "http", "http.http_method": "GET", "http.url": "/missing", "http.status": 404},
        {"event_type": "fileinfo", "fileinfo.sha256": sha(PAGE), "fileinfo.size": len(PAGE)}, {"event_type": "fileinfo", "fileinfo.sha256": sha(BLOB), "fileinfo.size": len(BLOB), "fileinfo.gaps": False},
        {"event_type": "fileinfo", "fileinfo.sha256": sha(b"not here"), "fileinfo.state": "CLOSED"}])
    s.exp["records"][0]["@http.hostname"] = ["WWW.Example.org", "www.example.org"]
    del s.exp["records"][0]["http.hostname"]


@scenario(F)
def split_of_decoded_buffers(s):
    """A decoded buffer's match is split by the raw octets it was decoded from: a chunk header on another subflow is not among them... the content is."""
    c = Conn(s, server=("203.0.113.80", 8080)).open()
    c.join()
    c.join()
    c.send("c", b"GET /one HTTP/1.1\r\nHost: a.exa", 0)
    c.send("c", b"mple\r\n\r\n", 1)
    page = gzip.compress(PAGE, mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(page)
    c.send("s", head, 0)
    c.send("s", page[:40], 1)
    c.send("s", page[40:], 2)
    c.close()
    put_rules(s, rule('http.host; content:"a.example";', 1, head="http any any -> any any"), rule('http.method; content:"GET";', 2, head="http any any -> any any"),
              rule('http.method; content:"GET"; mptcp.split;', 3, head="http any any -> any any"), rule('http.host; content:"a.example"; mptcp.split;', 4, head="http any any -> any any"),
              rule('flow:to_client; file.data; content:"secret-marker-one"; mptcp.split;', 5, head="http any any -> any any"),
              rule('flow:to_client; file.data; content:"secret-marker-one";', 6, head="http any any -> any any"),
              alerts=[{"sid": 1, "split": True, "subflows": [0, 1]}, {"sid": 2, "split": False, "subflows": [0]}, 4, 5, {"sid": 6, "split": True, "subflows": [1, 2]}], never=(3,))


def hello(name, alpn=("h2", "http/1.1"), low=False):
    """A ClientHello as OpenSSL writes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    if low:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(alpn))
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def ja3(record):
    """JA3 of a ClientHello in one record, by the published recipe."""
    h = record[5 + 4:]
    version, at = struct.unpack(">H", h[:2])[0], 34
    at += 1 + h[at]
    n = struct.unpack(">H", h[at:at + 2])[0]
    ciphers = struct.unpack(f">{n // 2}H", h[at + 2:at + 2 + n])
    at += 2 + n
    at += 1 + h[at]
    end, kinds, groups, formats = at + 2 + struct.unpack(">H", h[at:at + 2])[0], [], [], []
    at += 2
    while at < end:
        kind, size = struct.unpack(">HH", h[at:at + 4])
        body = h[at + 4:at + 4 + size]
        kinds.append(kind)
        if kind == 10:
            groups = struct.unpack(f">{len(body) // 2 - 1}H", body[2:])
        if kind == 11:
            formats = list(body[1:])
        at += 4 + size
    grease = lambda v: (v & 0x0F0F) == 0x0A0A and v >> 8 == v & 255
    join = lambda values: "-".join(str(v) for v in values if not grease(v))
    return f"{version},{join(ciphers)},{join(kinds)},{join(groups)},{join(formats)}"


@variants(F, octets=1, threes=3, whole=2000)
def tls_hello_in_pieces(s, size):
    """A ClientHello cut in single octets over three subflows, its second record split in the middle: SNI, ALPN and JA3 as of the whole."""
    c = Conn(s, server=("203.0.113.80", 8443)).open()
    c.join()
    c.join()
    text = hello("secret.Example.net")
    half = len(text) // 2
    records = text[:3] + struct.pack(">H", half - 5) + text[5:half] + text[:3] + struct.pack(">H", len(text) - half) + text[half:]
    cut(c, "c", records if size == 3 else text, size, 3)
    c.close()
    c.want["duplicate_bytes"] = 0
    s.raises(may=("fragmented_across_subflows",))
    print_ = ja3(text)
    md5 = hashlib.md5(print_.encode()).hexdigest()
    put_rules(s, rule('tls.sni; content:"secret.example.net"; nocase;', 1, head="tls any any -> any any"), rule('tls.sni; content:"example.net"; endswith; nocase;', 2, head="tls any any -> any any"),
              rule(f'ja3.hash; content:"{md5}";', 3, head="tls any any -> any any"), rule('tls.sni; content:"other";', 4, head="tls any any -> any any"),
              rule('tls.sni; content:"secret"; nocase; mptcp.split;', 5, head="tls any any -> any any"), rule('content:"|16 03 01|"; depth:3;', 6),
              alerts=[1, 2, 3, 6] + ([5] if size < 5 else []), never=[4] + ([] if size < 5 else [5]))
    s.expect(records=[{"event_type": "tls", "@tls.sni": ["secret.Example.net", "secret.example.net"], "tls.ja3.hash": md5, "tls.ja3.string": print_, "tls.client_alpns": ["h2", "http/1.1"]}])


@scenario(F)
def dns_over_tcp(s):
    """A DNS query and its answer over TCP, length prefix and message on different subflows."""
    c = Conn(s, server=("203.0.113.53", 53)).open()
    c.join()
    name = b"\x03www\x07example\x03org\x00"
    query = struct.pack(">HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", 1, 1)
    reply = struct.pack(">HHHHHH", 0x1234, 0x8180, 1, 1, 0, 0) + name + struct.pack(">HH", 1, 1) + b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 300, 4) + bytes([192, 0, 2, 7])
    for side, text in (("c", query), ("s", reply)):
        cut(c, side, struct.pack(">H", len(text)) + text, 3, 2)
    c.close()
    c.want["duplicate_bytes"] = 0
    s.expect(records=[{"event_type": "dns", "dns.type": "query", "dns.rrname": "www.example.org", "dns.rrtype": "A", "dns.id": 0x1234},
                      {"event_type": "dns", "dns.type": "answer", "dns.rrname": "www.example.org", "dns.rcode": "NOERROR"}])


@scenario(F)
def http_on_an_odd_port_in_v0_refused(s):
    """Protocol detection by content: HTTP on port 9999 of a refused connection, and of plain TCP with --all-tcp."""
    c = Conn(s, 0, server=("203.0.113.80", 9999))
    sub = c.first()
    sub.syn("c", o.mp_capable(0, 1, c.end["c"].key))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    cut(c, "c", POST, 5, mp=b"")
    cut(c, "s", answer(PAGE), 100, mp=b"")
    sub.finish()
    c.state = "refused"
    c.want["duplicate_bytes"] = 0
    no_keys(c, 0)
    d = Conn(s, server=("203.0.113.81", 9998))
    sub = d.first()
    sub.syn("c", b"")
    sub.syn("s", b"", "SA")
    d.signals = False
    sub.seg("c")
    cut(d, "c", POST, 5, mp=b"")
    cut(d, "s", answer(PAGE, packed=True), 100, mp=b"")
    sub.finish()
    d.hidden = True
    put_rules(s, rule('http.uri; content:"/form";', 1, head="http any any -> any any"), rule('flow:to_client; file.data; content:"secret-marker-one"; mptcp.split;', 2, head="http any any -> any any"), alerts=(1,), never=(2,), counts={1: 2})
    s.expect(args=["--all-tcp"], record_counts={"http": 2, "flow": 1, "mptcp": 1},
             records=[{"event_type": "http", "src_ip": d.client[0], "dest_port": 9998, "http.url": "/form", "http.status": 200},
                      {"event_type": "flow", "src_ip": d.client[0], "src_port": d.client[1], "dest_ip": "203.0.113.81", "dest_port": 9998, "proto": "TCP", "app_proto": "http",
                       "flow.pkts_toserver": sum(g.src == d.client[0] and g.sport == d.client[1] for _, g in s.packets), "community_id": community_id(*d.client, *d.server)}])


@scenario(F)
def flowbit_set_and_asked_on_the_same_octets(s):
    """One rule asks for the bit that a later one sets on the same octets: what sets a bit comes first."""
    c = running(s)
    c.send("c", b"." * 30 + P, 1)
    ended(c)
    put_rules(s, rule(f'content:"{P.decode()}"; flowbits:isset,seen;', 1), rule(f'content:"{P.decode()}"; flowbits:set,seen; flowbits:noalert;', 2), alerts=(1,), never=(2,))

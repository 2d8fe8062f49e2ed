"""What an acceptor would ask for: the texts' sentences at their exact limits, and signatures against the whole stream, however it was cut."""
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

F = "acceptance"


# -- signatures: a table of conditions on one known stream
FILLER = bytes(random.Random("filler").choice(b"efgjkqvz") for _ in range(458))
TEXT = (b"HEADER01" b"\x00\x10" b"abcdefghijklmnop" b"\r\n" b"User=Alice;Role=admin;" + bytes(50) + b"MARK" b"\x04\x00" b"wxyz" b"TAIL" b"aXbXcXdX" b"0012"
        b"skip-twelve!" b"HIT!" + FILLER + b"FINIS")
assert len(TEXT) == 605 and TEXT[100:104] == b"MARK" and TEXT[138:142] == b"HIT!"

YES, NO = True, False
CONDITIONS = [
    (YES, 'content:"HEADER01"; depth:8;'), (NO, 'content:"HEADER01"; offset:1;'), (YES, 'content:"abcd"; offset:10; depth:4;'),
    (NO, 'content:"abcd"; offset:11;'), (NO, 'content:"abcd"; offset:9; depth:4;'), (YES, 'content:"abcd"; offset:9; depth:5;'),
    (YES, 'content:"MARK"; offset:100; depth:4;'), (NO, 'content:"MARK"; depth:103;'), (YES, 'content:"MARK"; depth:104;'),
    (YES, 'content:"mark"; nocase;'), (NO, 'content:"mark";'), (YES, 'content:"User="; content:"Role="; distance:6; within:5;'),
    (NO, 'content:"User="; content:"Role="; distance:5; within:5;'), (YES, 'content:"User="; content:"Role="; distance:5; within:6;'),
    (NO, 'content:"User="; content:"Role="; distance:7;'), (NO, 'content:"User="; content:"Role="; within:10;'), (YES, 'content:"User="; content:"Role="; within:11;'),
    (YES, 'content:"Role="; content:"User="; distance:-16; within:5;'), (NO, 'content:"Role="; content:"User="; distance:-15;'),
    (NO, 'content:"Role="; content:"User="; distance:0;'), (YES, 'content:"Role="; content:"User=";'),
    (YES, 'content:"User="; isdataat:400,relative;'), (NO, 'content:"FINIS"; isdataat:1,relative;'), (YES, 'content:"FINIS"; isdataat:!1,relative;'),
    (NO, 'content:"User="; isdataat:!100,relative;'), (YES, 'content:"HEADER"; isdataat:500;'), (NO, 'content:"HEADER"; isdataat:700;'),
    (YES, 'content:"MARK"; byte_test:2,=,4,0,relative,little;'), (NO, 'content:"MARK"; byte_test:2,=,4,0,relative;'),
    (YES, 'content:"HEADER"; byte_test:2,=,16,8;'), (NO, 'content:"HEADER"; byte_test:2,>,16,8;'), (YES, 'content:"HEADER"; byte_test:2,>=,16,8;'),
    (NO, 'content:"HEADER"; byte_test:2,<=,15,8;'), (NO, 'content:"HEADER"; byte_test:2,!=,16,8;'), (YES, 'content:"HEADER"; byte_test:1,&,0x40,0;'),
    (NO, 'content:"HEADER"; byte_test:1,&,0x20,0;'), (YES, 'content:"MARK"; byte_test:4,=,0x04007778,0,relative;'),
    (YES, 'content:"dX"; byte_test:4,=,12,0,relative,string,dec;'), (YES, 'content:"dX"; byte_test:4,=,10,0,relative,string,oct;'),
    (YES, 'content:"dX"; byte_test:4,=,18,0,relative,string,hex;'), (NO, 'content:"dX"; byte_test:4,!=,12,0,relative,string,dec;'),
    (YES, 'content:"HEADER"; byte_jump:2,8; content:"|0d 0a|"; distance:0; within:2;'), (NO, 'content:"HEADER"; byte_jump:2,8; content:"|0d 0a|"; distance:1;'),
    (YES, 'content:"MARK"; byte_jump:2,0,relative,little; content:"TAIL"; distance:0; within:4;'),
    (NO, 'content:"MARK"; byte_jump:2,0,relative,little; content:"wxyz"; distance:0;'),
    (YES, 'content:"dX"; byte_jump:4,0,relative,string,dec; content:"HIT!"; within:4;'), (NO, 'content:"dX"; byte_jump:4,0,relative,string,dec; content:"skip"; within:400;'),
    (YES, r'pcre:"/User=\w+\;Role=\w+\;/";'), (YES, 'pcre:"/user=alice/i";'), (NO, 'pcre:"/user=alice/";'), (YES, 'content:"User="; pcre:"/^Alice/R";'),
    (NO, 'content:"Role="; pcre:"/^Alice/R";'), (YES, r'pcre:"/0\d{2}2/";'), (NO, 'pcre:"/p.{2}User/";'), (YES, 'pcre:"/p.{2}User/s";'), (YES, 'pcre:"/^User/m";'),
    (NO, 'pcre:"/^User/";'), (YES, r'content:"Role="; pcre:"/admin\;\x00{50}MARK/R";'), (YES, 'pcre:"/ H I T ! /x";'), (YES, 'content:"HEADER"; pcre:!"/FOO/";'),
    (NO, 'content:"HEADER"; pcre:!"/FINIS/";'),
    (YES, 'content:"HEADER"; content:!"NOT-HERE";'), (NO, 'content:"HEADER"; content:!"FINIS";'), (YES, 'content:"HEADER01"; content:!"|0d 0a|"; within:10;'),
    (NO, 'content:"HEADER01"; content:!"|0d 0a|"; within:20;'), (YES, 'content:"HEADER01"; content:!"|0d 0a|"; within:19;'),
    (NO, 'content:"MARK"; content:!"wxyz"; distance:2; within:4;'), (YES, 'content:"MARK"; content:!"wxyz"; distance:3; within:10;'),
    (YES, 'content:"MARK"; content:!"HEADER"; offset:1; depth:50;'), (NO, 'content:"MARK"; content:!"HEADER"; offset:0; depth:50;'),
    (YES, 'content:"HEADER"; startswith;'), (NO, 'content:"EADER"; startswith;'), (YES, 'content:"FINIS"; endswith;'), (NO, 'content:"MARK"; endswith;'),
    (YES, 'content:"|00 00 00 00|"; offset:96; depth:4;'), (NO, 'content:"|00 00 00 00|"; offset:97; depth:4;'),
    (YES, 'content:"X"; content:"X"; distance:1; within:1; content:"X"; distance:1; within:1; content:"X"; distance:1; within:1;'),
    (NO, 'content:"X"; content:"X"; distance:1; within:1; content:"X"; distance:1; within:1; content:"X"; distance:1; within:1; content:"X"; distance:1; within:1;'),
    (YES, 'content:"a"; content:"X"; within:1; content:"b"; within:1;'), (YES, 'content:"alice"; nocase; content:"ADMIN"; nocase; distance:0;'),
    (YES, 'content:"User|3D|Alice|3b|";'), (YES, 'flow:established,to_server; content:"MARK";'), (NO, 'flow:to_client; content:"MARK";'),
    (YES, 'flow:from_client,established; content:"MARK"; fast_pattern; content:"HEADER";'), (NO, 'flow:from_server; content:"MARK";'),
    (YES, 'content:"MARK"; offset:90; depth:20; content:"TAIL"; distance:6; within:4; pcre:"/^aXbX/R"; byte_test:4,=,12,4,relative,string,dec;'),
    (NO, 'content:"MARK"; offset:90; depth:20; content:"TAIL"; distance:6; within:4; pcre:"/^aXcX/R";'),
]


def put_rules(s, *lines, alerts=(), never=(), counts=None, name="test.rules"):
    s.put(name, ("\n".join(lines) + "\n").encode(), listed=False)
    s.expect(rules=name, alerts=list(alerts), not_alerts=list(never))
    if counts is not None:
        s.expect(alert_counts={str(k): v for k, v in counts.items()})


def rule(options, sid, action="alert", head="tcp any any -> any any"):
    return f'{action} {head} (msg:"acceptance {sid}"; {options} sid:{sid}; rev:1;)'


def table(s, conditions, swap=False, split=None):
    lines, yes, no = [], [], []
    for sid, (fires, text) in enumerate(conditions, 1):
        if swap:
            text = text.translate(str.maketrans({})).replace("to_server", "TO").replace("to_client", "to_server").replace("TO", "to_client")
            text = text.replace("from_client", "FROM").replace("from_server", "from_client").replace("FROM", "from_server")
        lines.append(rule(text, sid))
        (yes if fires else no).append(sid)
    put_rules(s, *lines, alerts=yes, never=no, counts={sid: 1 for sid in yes})


def cut(c, side, data, size, subs=1, order="forward", block=30, **kw):
    """The octets in pieces of `size`, in turn over the subflows; `order`: forward, or backward within blocks of pieces."""
    at = len(c.stream[side])
    c.stream[side] += data
    pieces = [(i, data[i:i + size]) for i in range(0, len(data), size)]
    for first in range(0, len(pieces), block):
        part = pieces[first:first + block]
        for i, piece in part if order == "forward" else reversed(part):
            c.send(side, piece, (i // size) % subs, at=at + i, ack=order == "forward", **kw)
        if order != "forward":
            for n in range(subs):
                c.ack("s" if side == "c" else "c", n)


HOW = {"whole": (1, 600, 1, "forward", "c"), "octets": (1, 1, 3, "forward", "c"), "backward": (1, 7, 3, "backward", "c"), "v0_toclient": (0, 5, 2, "forward", "s"),
       "pairs_toclient_backward": (1, 2, 4, "backward", "s")}


@variants(F, **HOW)
def conditions(s, how):
    """A table of conditions on one known stream: each holds exactly when it holds for the whole stream, however that was cut."""
    version, size, subs, order, side = how
    c = Conn(s, version).open()
    for _ in range(subs - 1):
        c.join()
    cut(c, side, TEXT, size, subs, order)
    c.close()
    c.want["duplicate_bytes"] = 0
    if size < 64 and subs > 1:
        s.raises(may=("fragmented_across_subflows",))
    table(s, CONDITIONS, swap=side == "s")


@variants(F, refused="refused", infinite="infinite", all_tcp="all_tcp", midstream="midstream", checksum="checksum", reordered="reordered")
def conditions_otherwise(s, how):
    """The same table on a refused connection, over a fallback, on plain TCP, seen from the middle, with DSS checksums, with lost segments sent again."""
    c = Conn(s, checksum=how == "checksum")
    if how in ("refused", "all_tcp"):
        sub = c.first()
        sub.syn("c", o.mp_capable(1, 1) if how == "refused" else b"")
        sub.syn("s", b"", "SA")
        c.signals = False
        sub.seg("c")
        sub.state = "established"
        cut(c, "c", TEXT, 9, mp=b"")
        sub.finish()
        c.state = "refused"
        c.want["duplicate_bytes"] = 0
        if how == "refused":
            no_keys(c)
        else:
            c.hidden = True
            s.expect(args=["--all-tcp"], record_counts={"flow": 1})
    elif how == "infinite":
        c.open()
        cut(c, "c", TEXT[:30], 3)
        c.send("c", TEXT[30:33], mp=c.mapping("c", 30, c.subs[0].half["c"].nxt, 0))
        c.signals = False
        c.send("s", 100, mp=b"")
        cut(c, "c", TEXT[33:], 9, mp=b"")
        c.subs[0].finish()
        c.state = "fallback"
        c.want.update(fallback_reason="infinite_mapping", duplicate_bytes=0)
    elif how == "midstream":
        c.open()
        c.send("c", 500)
        c.send("s", 500)
        s.packets.clear()
        cut(c, "c", TEXT, 9)
        c.send("s", 500)
        c.close()
        keys_unseen(c, subflows=1)
        stream_from(c, 500, 500)
        c.want["duplicate_bytes"] = 0
    elif how == "checksum":
        c.open()
        c.join()
        at = len(c.stream["c"])
        c.stream["c"] += TEXT
        for i in range(0, 605, 100):
            c.send("c", TEXT[i:i + 100], i // 100 % 2, at=at + i, span=True, size=11)
        c.close()
        c.want["duplicate_bytes"] = 0
        s.raises(may=("fragmented_across_subflows",))
    else:
        c.open()
        f = c.subs[0]
        c.stream["c"] += TEXT
        pieces = list(range(0, 605, 50))
        late = [p for p in pieces if p // 50 % 3 == 1]
        for p in [p for p in pieces if p not in late] + late + pieces:
            c.send("c", TEXT[p:p + 50], f, at=p, seq=1 + p)
        c.close()
        c.want["duplicate_bytes"] = 0
    table(s, CONDITIONS)


# -- who carried it, where in the stream
P = b"EVIL-PATTERN-0123456789"
P_RULE = rule('content:"EVIL-PATTERN-0123456789";', 1)


@scenario(F)
def dsn_range_exact(s):
    """The pattern at offsets 1,234 to 1,256: dsn_first and dsn_last say so, whatever lies before it on the subflow."""
    c = running(s)
    c.send("c", 1234 - len(c.stream["c"]) if len(c.stream["c"]) < 1234 else 0, 1) if len(c.stream["c"]) < 1234 else None
    at = len(c.stream["c"])
    c.send("c", s.data(77) + P + s.data(50), 1)
    ended(c)
    put_rules(s, P_RULE, alerts=[{"sid": 1, "split": False, "subflows": [1], "dsn_first": at + 77, "dsn_last": at + 77 + len(P) - 1, "direction": "to_server"}], counts={1: 1})


@scenario(F)
def dsn_range_first_octets(s):
    """The pattern is the first of the stream, to the client, over two subflows."""
    c = Conn(s).open()
    c.join()
    c.send("s", P[:5], 1)
    c.send("s", P[5:], 0)
    c.send("c", 900)
    c.close()
    put_rules(s, P_RULE, alerts=[{"sid": 1, "split": True, "subflows": [0, 1], "dsn_first": 0, "dsn_last": len(P) - 1, "direction": "to_client"}], counts={1: 1})


@scenario(F)
def dsn_range_two_contents(s):
    """Two contents of one rule, far apart, on subflows 0 and 2; what lies between them came over subflow 1 and matched nothing."""
    c = running(s, joins=2)
    at = len(c.stream["c"])
    c.send("c", b"FIRST-PART", 0)
    c.send("c", b"." * 300, 1)
    c.send("c", b"SECOND-PART", 2)
    ended(c)
    put_rules(s, rule('content:"FIRST-PART"; content:"SECOND-PART"; distance:0;', 1), rule('content:"FIRST-PART"; content:"SECOND-PART"; distance:0; mptcp.split;', 2),
              alerts=[{"sid": 1, "split": True, "dsn_first": at, "dsn_last": at + 320}, 2])
    s.ambiguity("whether the subflow of the octets between two contents belongs to the match is left open")


@scenario(F)
def reinjected_before_delivery(s):
    """The pattern's second half comes out of order on subflow 1 and again on subflow 2, the same DSNs; the first copy is the one delivered."""
    c = running(s, joins=2)
    at = len(c.stream["c"])
    c.stream["c"] += P
    c.send("c", P[10:], 1, at=at + 10, ack=False)
    c.send("c", P[10:], 2, at=at + 10, ack=False)
    c.send("c", P[:10], 0, at=at)
    c.ack("s", 1)
    c.ack("s", 2)
    ended(c)
    c.want["duplicate_bytes"] = len(P) - 10
    put_rules(s, P_RULE, alerts=[{"sid": 1, "split": True, "subflows": [0, 1], "dsn_first": at, "dsn_last": at + 22}], counts={1: 1})


@scenario(F)
def reinjected_whole_in_front(s):
    """Octets of the pattern on subflow 1, out of order; then the whole pattern on subflow 0 starts further left and gives all of it."""
    c = running(s, joins=1)
    at = len(c.stream["c"])
    c.stream["c"] += P
    c.send("c", P[10:], 1, at=at + 10, ack=False)
    c.send("c", P, 0, at=at)
    c.ack("s", 1)
    ended(c)
    c.want["duplicate_bytes"] = len(P) - 10
    put_rules(s, P_RULE, rule('content:"EVIL-PATTERN-0123456789"; mptcp.split;', 2), alerts=[{"sid": 1, "split": False, "subflows": [0]}], never=(2,), counts={1: 1})


@variants(F, v0=0, v1=1)
def single_octets_over_32(s, version):
    """The pattern in single octets over 32 subflows, backwards, each octet twice on different subflows."""
    c = Conn(s, version).open()
    for _ in range(31):
        c.join()
    at = len(c.stream["c"])
    c.stream["c"] += P
    for i in reversed(range(1, len(P))):
        c.send("c", P[i:i + 1], i, at=at + i, ack=False)
        c.send("c", P[i:i + 1], (i + 7) % 32, at=at + i, ack=False)
    c.send("c", P[:1], 0, at=at)
    c.close()
    c.want["duplicate_bytes"] = len(P) - 1
    s.raises("subflow_excess")
    put_rules(s, P_RULE, rule('content:"EVIL-PATTERN-0123456780";', 2), alerts=[{"sid": 1, "split": True, "subflows": list(range(len(P))), "dsn_first": 0, "dsn_last": 22}], never=(2,))


@scenario(F)
def near_misses(s):
    """Halves on different subflows that lie side by side in no stream; on one subflow side by side, but apart in the stream."""
    c = running(s)
    c.send("c", P[:11], 0)
    c.send("c", 100, 1)
    c.send("c", P[11:], 0)
    c.send("s", P[:11], 1)
    c.send("c", P[11:], 1)
    ended(c)
    put_rules(s, P_RULE, never=(1,))


@scenario(F)
def keywords_of_mptcp(s):
    """mptcp.version, subflows, opener and split in their forms, at a moment when three subflows are established, the last opened by the server."""
    c = running(s, joins=1)
    c.send("c", b"EARLY-MARK", 0)
    c.join("s")
    c.send("c", b"LATE-", 0)
    c.send("c", b"MARK", 2)
    c.send("c", b"ALONE-MARK", 2)
    c.send("c", b"CLIENT-MARK", 1)
    ended(c)
    late, early, alone = 'content:"LATE-MARK"; ', 'content:"EARLY-MARK"; ', 'content:"ALONE-MARK"; '
    yes = [late + "mptcp.version:1;", late + "mptcp.subflows:>2;", late + "mptcp.subflows:3;", late + "mptcp.subflows:>=3;", late + "mptcp.subflows:<=3;", late + "mptcp.subflows:<4;",
           late + "mptcp.subflows:2-4;", early + "mptcp.subflows:2;", early + "mptcp.subflows:<3;", late + "mptcp.split;", late + "mptcp.opener:server;", alone + "mptcp.opener:server;",
           'content:"CLIENT-MARK"; mptcp.opener:client;', early + "mptcp.opener:client;"]
    no = [late + "mptcp.version:0;", late + "mptcp.subflows:>3;", late + "mptcp.subflows:2;", late + "mptcp.subflows:<3;", late + "mptcp.subflows:>=4;", late + "mptcp.subflows:<=2;",
          late + "mptcp.subflows:4-6;", early + "mptcp.subflows:>2;", early + "mptcp.split;", alone + "mptcp.split;", 'content:"CLIENT-MARK"; mptcp.opener:server;', early + "mptcp.opener:server;"]
    table(s, [(YES, t) for t in yes] + [(NO, t) for t in no])
    s.raises("opened_by_server")


@scenario(F)
def keyword_version_0(s):
    """mptcp.version:0 on a v0 connection, and not on v1's."""
    for v in (0, 1):
        c = Conn(s, v).open()
        c.send("c", b"A-MARK")
        c.close()
    put_rules(s, rule('content:"A-MARK"; mptcp.version:0;', 1), rule('content:"A-MARK"; mptcp.version:1;', 2), rule('content:"A-MARK"; mptcp.version:<2;', 3), alerts=(1, 2, 3), counts={1: 1, 2: 1, 3: 2})


@scenario(F)
def flowbits_over_directions(s):
    """A bit set by what the client said decides what the server's answer means; toggles, unsets and isnotset as well."""
    c = running(s)
    c.send("s", b"ANSWER-0", 1)
    c.send("c", b"ASK", 0)
    c.send("s", b"ANSWER-1", 1)
    c.send("c", b"STOP", 1)
    c.send("s", b"ANSWER-2", 0)
    ended(c)
    put_rules(s, rule('content:"ASK"; flowbits:set,asked; flowbits:noalert;', 1), rule('content:"STOP"; flowbits:unset,asked; noalert;', 2),
              rule('flow:to_client; content:"ANSWER-0"; flowbits:isset,asked;', 3), rule('flow:to_client; content:"ANSWER-1"; flowbits:isset,asked;', 4),
              rule('flow:to_client; content:"ANSWER-2"; flowbits:isset,asked;', 5), rule('flow:to_client; content:"ANSWER-0"; flowbits:isnotset,asked;', 6),
              rule('flow:to_client; content:"ANSWER-1"; flowbits:isnotset,asked;', 7), rule('flow:to_client; content:"ANSWER-2"; flowbits:isnotset,asked;', 8),
              alerts=(4, 6, 8), never=(1, 2, 3, 5, 7))


@scenario(F)
def flowbits_of_one_connection(s):
    """A bit belongs to its connection: another one of the same hosts has not got it."""
    a, b = Conn(s).open(), Conn(s).open()
    a.send("c", b"ASK")
    b.send("s", b"ANSWER")
    a.send("s", 20)
    a.close()
    b.close()
    put_rules(s, rule('content:"ASK"; flowbits:set,asked; flowbits:noalert;', 1), rule('content:"ANSWER"; flowbits:isset,asked;', 2), never=(1, 2))


@scenario(F)
def thresholds_in_one_connection(s):
    """The pattern seven times in one direction: threshold of 3 gives 2, limit of 2 gives 2, both of 3 gives 1, none gives 1, one of 8 none."""
    c = running(s)
    for i in range(7):
        c.send("c", P + b"." * 40, i % 2)
    ended(c)
    t = lambda kind, count, by="by_src": f'content:"{P.decode()}"; threshold:type {kind},track {by},count {count},seconds 60;'
    put_rules(s, rule(t("threshold", 3), 1), rule(t("limit", 2), 2), rule(t("both", 3), 3), rule(f'content:"{P.decode()}";', 4), rule(t("threshold", 8), 5), rule(t("both", 8, "by_dst"), 6),
              rule(t("limit", 9, "by_dst"), 7), alerts=(1, 2, 3, 4, 7), never=(5, 6), counts={1: 2, 2: 2, 3: 1, 4: 1, 7: 7})


@scenario(F)
def thresholds_over_connections(s):
    """Four connections, two sources, two destinations: what is tracked by source and by destination counts over connections."""
    ends = [("198.51.100.1", "203.0.113.1"), ("198.51.100.1", "203.0.113.2"), ("198.51.100.2", "203.0.113.1"), ("198.51.100.1", "203.0.113.1")]
    for n, (a, b) in enumerate(ends):
        c = Conn(s, client=(a, 40000 + n), server=(b, 8000)).open()
        c.send("c", P + b"." * 20)
        c.close()
    t = lambda kind, by, count: f'content:"{P.decode()}"; threshold:type {kind},track {by},count {count},seconds 60;'
    put_rules(s, rule(t("limit", "by_src", 1), 1), rule(t("limit", "by_dst", 1), 2), rule(t("threshold", "by_src", 3), 3), rule(t("threshold", "by_dst", 3), 4),
              rule(t("both", "by_src", 2), 5), rule(t("threshold", "by_src", 4), 6), rule(f'content:"{P.decode()}";', 7), alerts=(1, 2, 3, 4, 5, 7), never=(6,),
              counts={1: 2, 2: 2, 3: 1, 4: 1, 5: 1, 7: 4})


@scenario(F)
def threshold_window_in_packet_time(s):
    """Two matches 61 s apart do not make a threshold of 2 in 60 s; a limit of 1 in 60 s lets the second one through; 59 s apart it is the other way."""
    for n, apart in enumerate((61, 59)):
        client = (f"198.51.100.{40 + n}", 40000)
        for k in range(2):
            c = Conn(s, client=(client[0], 40000 + k)).open()
            c.send("c", P + b"." * 20)
            c.close()
            s.tick(apart - 0.01 if k == 0 else 200)
    t = lambda kind, count: f'content:"{P.decode()}"; threshold:type {kind},track by_src,count {count},seconds 60;'
    put_rules(s, rule(t("threshold", 2), 1), rule(t("limit", 1), 2), alerts=(1, 2), counts={1: 1, 2: 3})


@scenario(F)
def pass_rules(s):
    """A pass rule on addresses silences what follows for its connections, and for no others."""
    a, b = Conn(s, client=("198.51.100.1", 40000)).open(), Conn(s, client=("198.51.100.2", 40000)).open()
    for c in (a, b):
        c.join()
        c.send("c", P + b"." * 20, 1)
        c.close()
    put_rules(s, P_RULE, rule("", 2, "pass", "ip 198.51.100.1 any -> any any"), alerts=(1,), never=(2,), counts={1: 1})


@scenario(F)
def pass_rule_on_content(s):
    """A pass rule whose content comes first: what comes behind it alerts no more."""
    c = running(s)
    c.send("c", b"GOOD-GUY", 1)
    c.send("c", 500, 0)
    c.send("c", P + b"." * 20, 1)
    ended(c)
    put_rules(s, P_RULE, rule('content:"GOOD-GUY";', 2, "pass"), never=(1, 2))


@scenario(F)
def both_directions_and_groups(s):
    """<> matches both ways; port groups with negation and ranges, address groups with variables from the configuration."""
    c = Conn(s, client=("198.51.100.10", 40000), server=("203.0.113.80", 8443)).open()
    c.join(src=("192.0.2.77", 41000))
    c.send("c", P + b"..", 1)
    c.send("s", P + b"..", 0)
    c.close()
    body = f'content:"{P.decode()}";'
    heads = [(2, "tcp any 8443 <> any any"), (1, "tcp any any -> any 8443"), (1, "tcp any 8443 -> any any"), (0, "tcp any any -> any 8444"), (2, "tcp 198.51.100.0/24 any <> 203.0.113.80 [8000:9000,!8080]"),
             (0, "tcp any any -> any [8000:9000,!8443]"), (1, "tcp any any -> $SERVERS $PORTS"), (1, "tcp $CLIENTS any -> any any"), (1, "tcp !$CLIENTS any -> any any"),
             (0, "tcp !$CLIENTS any -> !$CLIENTS any"), (2, "tcp any any -> any !8080"), (2, "tcp any any -> any 8443:"), (0, "tcp any any -> any :8442"), (2, "ip any any -> any any"),
             (1, "tcp [198.51.100.0/24,!198.51.100.11] any -> any any"), (0, "tcp [198.51.100.0/24,!198.51.100.10] any -> any any"), (1, "tcp any 1024: -> any [80,443,8443]")]
    put_rules(s, *[rule(body, n, head=h) for n, (_, h) in enumerate(heads, 1)], alerts=[n for n, (k, _) in enumerate(heads, 1) if k], never=[n for n, (k, _) in enumerate(heads, 1) if not k],
              counts={n: k for n, (k, _) in enumerate(heads, 1) if k})
    s.put("weir.yaml", b"vars: {SERVERS: [203.0.113.0/24], CLIENTS: [198.51.100.0/24, 192.0.2.0/24], PORTS: [8000, 8443]}\n", listed=False)
    s.expect(args=["--config", "{dir}/weir.yaml"])
    s.ambiguity("addresses are the first subflow's")


@scenario(F)
def bad_rules_are_named(s):
    """Rules that cannot be loaded are named on stderr with file and line and keyword; the others run; the exit status is 0."""
    c = running(s)
    c.send("c", P + b"..", 0)
    ended(c)
    put_rules(s, "# a comment", P_RULE, "", rule('content:"X"; lua:script.lua;', 2), 'alert tcp any any -> any any (msg:"no end"; content:"EVIL"; sid:3;', "nonsense",
              rule('content:"EVIL', 4), rule('content:"EVIL"; mptcp.subflows:many;', 5), rule(f'content:"{P.decode()}"; http.unknown_buffer;', 6), "alert tcp any any -> any any \\",
              f'  (msg:"continued"; content:"{P.decode()}"; sid:7; rev:1;)', rule('content:"|4|";', 8), rule('pcre:"/(/";', 9), alerts=(1, 7), never=(2, 3, 4, 5, 6, 8, 9))
    s.expect(stderr="some", stderr_has=["test.rules:4", "lua", "test.rules:5", "test.rules:6", "test.rules:7", "test.rules:8", "mptcp.subflows", "test.rules:9", "http.unknown_buffer",
                                        "test.rules:12", "test.rules:13"])


@scenario(F)
def alert_object(s):
    """Suricata's alert object: action, gid, signature_id, rev, signature, category, severity; the class's priority unless the rule has one."""
    c = running(s)
    c.send("c", P + b"..", 0)
    ended(c)
    body = f'content:"{P.decode()}";'
    put_rules(s, 'alert tcp any any -> any any (msg:"one"; ' + body + ' sid:1; rev:3; gid:5; priority:2;)', 'drop tcp any any -> any any (msg:"two"; ' + body + " sid:2; rev:1;)",
              'alert tcp any any -> any any (msg:"th\\"r\\;ee"; ' + body + " classtype:trojan-activity; sid:3; rev:7; reference:url,example.org/a; metadata:policy none, created 2020;)", alerts=(1, 2, 3))
    first = c.subs[0].half
    base = {"event_type": "alert", "src_ip": c.client[0], "src_port": c.client[1], "dest_ip": c.server[0], "dest_port": c.server[1], "proto": "TCP", "mptcp.id": c.ident, "direction": "to_server",
            "community_id": community_id(*c.client, *c.server)}
    s.expect(records=[dict(base, **{"alert.signature_id": 1, "alert.gid": 5, "alert.rev": 3, "alert.signature": "one", "alert.severity": 2, "alert.action": "allowed"}),
                      dict(base, **{"alert.signature_id": 2, "alert.gid": 1, "alert.rev": 1, "alert.signature": "two", "alert.severity": 3}),
                      dict(base, **{"alert.signature_id": 3, "alert.signature": 'th"r;ee', "alert.rev": 7, "@alert.category": ["A Network Trojan was detected", "A Network Trojan was Detected"], "alert.severity": 1})])


@scenario(F)
def pass_and_alert_on_the_same_octets(s):
    """The pass rule and the alert rule look for the same octets, the alert is named first: pass comes first in Suricata's order of actions."""
    c = running(s)
    c.send("c", b"." * 30 + P[:9], 1)
    c.send("c", P[9:] + b"." * 20, 0)
    ended(c)
    put_rules(s, P_RULE, rule(f'content:"{P.decode()}";', 2, "pass"), never=(1, 2))

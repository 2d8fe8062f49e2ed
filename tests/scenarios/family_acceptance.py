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


# -- events at their limits
def only_first(c, *names):
    c.want["subflow_list"] = None


def half_open_joins(s, c, count, apart=0.05, host=0):
    for i in range(count):
        c.join(src=(f"192.0.2.{1 + i % 200}", 20000 + host * 500 + i), addr_id=1 + i % 200, third="none")
        s.tick(apart)
    c.want["subflow_list"] = None


@variants(F, at_once=(0.0, 65, True), limit=(0.0, 64, False), within=(0.150, 65, True), beyond=(0.1575, 65, False), v0=(0.1, 65, True))
def join_flood_window(s, how):
    """65 half-open JOINs of one connection raise join_flood when they come within 10 s, not when the last comes later; 64 never."""
    apart, count, raised = how
    c = running(s, 0 if apart == 0.1 else 1)
    half_open_joins(s, c, count, apart)
    s.tick(20)
    ended(c)
    if raised:
        s.raises("join_flood")


@variants(F, limit=(64, 64, 64, 64), above=(64, 64, 64, 64, 1))
def join_flood_host_exact(s, counts):
    """256 half-open JOINs towards one host within 10 s, over connections of 64 at most: the limit; 257 are above it."""
    conns = [running(s, server=("203.0.113.80", 8000 + n)) for n in range(len(counts))]
    for n, (c, count) in enumerate(zip(conns, counts)):
        half_open_joins(s, c, count, 0.01, n)
    for c in conns:
        ended(c)
    if len(counts) > 4:
        s.raises("join_flood")
        s.expect(repeats_allowed=True)


@variants(F, within=(29.9, True), beyond=(30.1, False))
def unknown_token_window(s, how):
    """Three refused JOINs with an unknown token: within 60 s they are told, over more they are not."""
    from family_joins import stranger
    c = running(s)
    token = s.rng.randbytes(4)
    for _ in range(3):
        stranger(s, c, token, synack=False, rst=True)
        s.tick(how[0])
    s.tick(20)
    ended(c)
    if how[1]:
        s.raises("join_unknown_token")


@variants(F, within=(59.5, True), beyond=(60.5, False))
def add_addr_window(s, how):
    """Eight distinct addresses at once, the ninth 59.5 or 60.5 s later: more than 8 within 60 s, or not."""
    c = running(s)
    for i in range(9):
        c.subs[0].seg("s", mp=o.add_addr_v1(c.end["s"].key, c.end["c"].key, 10 + i, f"203.0.113.{100 + i}"))
        if i == 7:
            s.tick(how[0])
    ended(c)
    if how[1]:
        s.raises("add_addr_flood")


@scenario(F)
def add_addr_two_hosts_count_together(s):
    """Nine distinct addresses in one connection, five from the server, four from the client, with echoes, which are no offers."""
    c = running(s)
    for i in range(9):
        me, you = ("s", "c") if i < 5 else ("c", "s")
        address = f"203.0.113.{100 + i}"
        c.subs[0].seg(me, mp=o.add_addr_v1(c.end[me].key, c.end[you].key, 10 + i, address))
        c.subs[0].seg(you, mp=o.add_addr_v1(b"", b"", 10 + i, address, echo=True))
    ended(c)
    s.raises("add_addr_flood")


@scenario(F)
def add_addr_ports_are_not_addresses(s):
    """Four addresses, each with three ports and twice: four distinct addresses, or twelve ends."""
    c = running(s)
    for i in range(4):
        for port in (None, 443, 8443):
            c.subs[0].seg("s", mp=o.add_addr_v1(c.end["s"].key, c.end["c"].key, 10 + i, f"203.0.113.{100 + i}", port))
    ended(c)


def unseen_share(s, unseen, total, toclient=0):
    c = Conn(s).open()
    c.join()
    c.send("c", 1000, 0)
    c.send("c", unseen, 1, size=1000)
    c.send("c", total - toclient - 1000 - unseen, 0)
    if toclient:
        c.send("s", toclient, 0)
    c.close()
    hidden = c.subs[1].half["c"].ip
    s.write(change=lambda g: None if hidden in (g.src, g.dst) else g)
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:1000])), gap_bytes_toserver=unseen, visibility=(total - unseen) / total, subflows=1, subflow_list=[c.subs[0].describe()])


@variants(F, exactly=(4000, 40000, False), below=(4001, 40000, True), both_ways=(4000, 40000, False), minimum=(4000, 16384, True), under_minimum=(4000, 16383, False))
def visibility_limit(s, how):
    """Exactly 0.9 seen is no visibility_low, one octet less is; 16,384 octets acknowledged count, 16,383 do not; both directions together."""
    unseen, total, raised = how
    unseen_share(s, unseen, total, 20000 if total == 40000 and unseen == 4000 else 6000)
    if raised:
        s.raises("visibility_low")


@variants(F, limit=(256, 20, True), one_less=(255, 20, False), average=(256, 64, False), just_under=(256, 63, True))
def fragmentation_limit(s, how):
    """256 alternating pieces of under 64 octets on average: 255 are too few, 64 octets too many."""
    count, size, raised = how
    c = Conn(s).open()
    c.join()
    for i in range(count):
        c.send("c", 64 if size == 63 and i else size, i % 2)
    c.close()
    if raised:
        s.raises("fragmented_across_subflows")


@scenario(F)
def fragmentation_both_ways_apart(s):
    """200 small alternating pieces each way: no direction's row is long enough."""
    c = Conn(s).open()
    c.join()
    for i in range(200):
        c.send("c", 20, i % 2)
        c.send("s", 20, i % 2)
    c.close()


@scenario(F)
def subflow_excess_by_both(s):
    """Sixteen subflows, then one more opened by the server: 17 at once."""
    c = Conn(s).open()
    for _ in range(15):
        c.join()
    c.join("s")
    c.exchange(17000, 17000, tuple(range(17)))
    c.close()
    s.raises("subflow_excess", "opened_by_server")


@scenario(F)
def attempted_subflows_are_no_excess(s):
    """16 subflows, and five more JOINs that are refused: never more than 16 at once."""
    c = Conn(s).open()
    for _ in range(15):
        c.join()
    for _ in range(5):
        c.join(synack="rst")
    c.exchange(16000, 16000, tuple(range(16)))
    c.close()
    c.want["subflow_list"] = None


@variants(F, v1_same_tuple=(1, "same"), v0_other=(0, "other"), v1_other=(1, "other"))
def join_replay_later(s, how):
    """Token and nonce again: on the same 4-tuple (a repeated SYN) it is nothing, from another port it is a replay, also after the subflow's end."""
    version, where = how
    c = running(s, version)
    sub = c.subs[1]
    sub.finish()
    s.tick(3)
    if where == "same":
        first = next(g for _, g in s.packets if g.sport == sub.half["c"].port and g.flags == 2)
        s.emit(first)
        sub.seg("s", "RA", seq=0, ack=1, win=0, ts=False)
    else:
        again = c.join(src=(sub.half["c"].ip, sub.half["c"].port + 1 if sub.half["c"].port < 60000 else 30000), addr_id=1, nonce=sub.nonce, synack="rst")
        s.raises("join_replay")
    ended(c)
    c.want["subflow_list_exact"] = False
    c.want["subflow_list"] = [f.describe() for f in c.subs[:2]]


# -- mappings
@variants(F, v0=(0, False), v1=(1, False), v0_checksum=(0, True), v1_checksum=(1, True))
def largest_mappings_interleaved(s, how):
    """Mappings of 65,535 octets on three subflows at once, segments in turn, both ways."""
    c = Conn(s, how[0], checksum=how[1], win=4096).open()
    c.join()
    c.join()
    jobs = []
    for side in "cs":
        for n in range(3):
            data = s.data(65535)
            at = len(c.stream[side])
            c.stream[side] += data
            jobs.append((side, n, at, data, c.subs[n].half[side].nxt))
    for i in range(0, 65535, 1400):
        for side, n, at, data, start in jobs:
            f = c.subs[n]
            piece = data[i:i + 1400]
            mp = c.mapping(side, at, start, 65535, data) if i == 0 else c.dack(side)
            f.seg(side, payload=piece, mp=mp, seq=start + i)
            c.deliver(f, side, start + i, len(piece), at + i)
            f.half[side].seen.append((start + i, start + i + len(piece)))
            f.half[side].nxt = start + i + len(piece)
        for n in range(3):
            for side in "cs":
                c.ack(side, n)
    c.close()
    c.want["duplicate_bytes"] = 0


@variants(F, v0=0, v1=1)
def sequence_wraps_within_a_mapping(s, version):
    """The TCP sequence numbers of all subflows wrap within one mapping, checksums on."""
    c = Conn(s, version, checksum=True, tune=lambda sub: [setattr(sub.half[x], "isn", (1 << 32) - 7000) for x in "cs"])
    c.open()
    c.join()
    for side in "cs":
        c.send(side, 5000, 0)
        c.send(side, 5000, 1, span=True)
        c.send(side, 20000, 0, span=True)
        c.send(side, 20000, 1, span=True, repeat=True)
    c.close()


@variants(F, fin_alone="alone", fin_with_data="data", checksum="checksum")
def data_fin_with_short_dsn(s, how):
    """DATA_FIN with 4-octet DSNs and DATA_ACKs, alone or with data, with checksums."""
    c = Conn(s, checksum=how == "checksum").open()
    c.dsn8 = c.ack8 = {"c": False, "s": False}
    c.join()
    c.exchange(3000, 6000, (0, 1))
    if how == "data":
        for side in "cs":
            last = s.data(100)
            at, f = len(c.stream[side]), c.subs[1]
            c.stream[side] += last
            c.send(side, last, f, at=at, mp=c.mapping(side, at, f.half[side].nxt, 101, fin=True), ack=False)
            c.finished[side] = c.end["s" if side == "c" else "c"].got_fin = True
            c.ack("s" if side == "c" else "c", f)
        for f in c.subs:
            f.finish()
        c.state = "closed"
        c.want["duplicate_bytes"] = 0
    else:
        c.close(by=1)


@scenario(F)
def data_fin_with_data_and_checksum(s):
    """DATA_FIN on the last mapping with DSS checksums: the length in the checksum counts the DATA_FIN, the data does not have it."""
    c = Conn(s, checksum=True).open()
    c.exchange(3000, 3000)
    for side in "cs":
        last, at, f = s.data(333), len(c.stream[side]), c.subs[0]
        c.stream[side] += last
        c.send(side, last, f, at=at, mp=c.mapping(side, at, f.half[side].nxt, 334, last, fin=True), ack=False)
        c.finished[side] = c.end["s" if side == "c" else "c"].got_fin = True
        c.ack("s" if side == "c" else "c", f)
    c.subs[0].finish()
    c.state = "closed"
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_fin_repeated_and_on_all(s):
    """DATA_FINs sent again, on every subflow, on the TCP FIN itself, and before the last data arrives (reordered): closed, in no byte count."""
    c = running(s)
    end = len(c.stream["c"])
    last = s.data(500)
    c.stream["c"] += last
    fin = lambda side, at, f: f.seg(side, mp=c.mapping(side, at, 0, 1, fin=True))
    fin("c", end + 500, c.subs[1])
    fin("c", end + 500, c.subs[1])
    c.send("c", last, 0, at=end)
    c.end["s"].got_fin = True
    c.ack("s", 0)
    c.ack("s", 1)
    for f in c.subs:
        fin("s", len(c.stream["s"]), f)
    c.end["c"].got_fin = True
    for f in c.subs:
        c.ack("c", f)
        f.seg("c", "FA", mp=c.mapping("c", end + 500, 0, 1, fin=True))
        f.half["s"].got.add(f.half["c"].nxt, f.half["c"].nxt + 1)
        f.half["c"].nxt += 1
        f.fin("s")
        f.seg("c", mp=c.dack("c"))
        f.state = "closed"
    c.state = "closed"
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_fin_and_gap_behind(s):
    """DATA_FIN acknowledged, but the last octets before it were never captured: gap counted without the DATA_FIN's own number."""
    c = running(s, joins=0)
    before = len(c.stream["c"])
    c.send("c", 700, captured=False)
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:before])), gap_bytes_toserver=700, visibility=(total - 700) / total, subflow_list=None)


@scenario(F)
def short_data_acks_wrap(s):
    """4-octet DATA_ACKs and 8-octet DSNs: the low half of the IDSN is near its end, gaps are still counted right."""
    low = lambda i: (i & 0xFFFFFFFF) > 0xFFFFFFFF - 40000
    c = Conn(s, key_c=o.search_key(1, s.rng, low), key_s=o.search_key(1, s.rng, low)).open()
    c.ack8 = {"c": False, "s": False}
    c.join()
    for i in range(10):
        c.send("c", 6000, i % 2)
        c.send("s", 6000, i % 2)
    cut_at = len(c.stream["s"])
    c.send("s", 800, 1, captured=False)
    c.exchange(2000, 9000, (0, 1))
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:cut_at])), gap_bytes_toclient=800, visibility=(total - 800) / total, subflow_list=None)


# -- fallback
@variants(F, toclient="s", toserver="c")
def infinite_mapping_alone(s, side):
    """An infinite mapping from either side after data both ways; the other side goes on without options."""
    c = running(s, joins=0)
    c.send(side, 900, mp=c.mapping(side, len(c.stream[side]), c.subs[0].half[side].nxt, 0))
    c.signals = False
    other = "c" if side == "s" else "s"
    c.send(other, 1200, mp=b"")
    c.send(side, 4000, mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    c.want["fallback_reason"] = "infinite_mapping"


@scenario(F)
def infinite_mapping_with_checksum_zero(s):
    """Checksums negotiated; the infinite mapping carries checksum 0, as RFC 8684 3.3 has it: fallback, no mismatch."""
    c = running(s, joins=0, checksum=True)
    at, f = len(c.stream["c"]), c.subs[0]
    mp = o.dss(ack=c.data_ack("c"), dsn=c.end["c"].dsn(at), ssn=f.half["c"].nxt, length=0, csum=0)
    c.send("c", 900, mp=mp)
    c.signals = False
    c.send("s", 1200, mp=b"")
    c.send("c", 4000, mp=b"")
    f.finish()
    c.state = "fallback"
    c.want["fallback_reason"] = "infinite_mapping"


@scenario(F)
def fallback_then_pattern_of_retransmissions(s):
    """After no_dss the plain stream has lost segments, overlaps and retransmissions: plain TCP rules on the one subflow."""
    c = Conn(s).open(third=False)
    f = c.subs[0]
    c.signals = False
    f.seg("c")
    f.state = "established"
    real = s.data(6000)
    c.stream["c"] += real
    for a, b in ((0, 1000), (2000, 3000), (1500, 2500), (3000, 4000), (1000, 2000), (0, 1000), (5000, 6000), (4000, 5500)):
        c.send("c", real[a:b], at=a, seq=1 + a, mp=b"")
    c.send("s", 3000, mp=b"")
    f.finish()
    c.state = "fallback"
    c.want.update(fallback_reason="no_option_in_ack", duplicate_bytes=0, id="x-*", checksum=None)


@scenario(F)
def tcp_fast_open_with_cookie_v1_refused(s):
    """TFO: data in the SYN of a client that offers MPTCP; the server takes the data and answers without MP_CAPABLE: refused, the data in the SYN counts."""
    c = Conn(s)
    f = c.first()
    data = s.data(300)
    f.syn("c", o.mp_capable(1, 1), payload=data, extra=o.fast_open(b"12345678"))
    f.syn("s", b"", "SA")
    c.signals = False
    f.seg("c")
    f.state = "established"
    c.stream["c"] += data
    plain(c)
    c.state = "refused"
    no_keys(c)
    c.want["subflow_changes"] = {0: {"bytes_toserver": [3500, 3800]}}
    s.ambiguity("whether the SYN's data is in the subflow's bytes_toserver: either")


# -- signals
@variants(F, v0=0, v1=1)
def fastclose_after_data_fins(s, version):
    """MP_FASTCLOSE with the right key after DATA_FIN both ways: closed stays."""
    c = running(s, version)
    c.data_fin("c")
    c.data_fin("s")
    c.fastclose("c", 0)
    c.subs[1].rst("s", mp=b"")
    c.subs[0].state = "reset"
    c.state = "closed"
    c.want["subflow_changes"] = {0: {"state": ["reset", "established", "closed"]}, 1: {"state": ["reset", "established", "closed"]}}


@scenario(F)
def fastclose_both_sides(s):
    """MP_FASTCLOSE on an ACK from the server, answered by RSTs on all subflows; data on its way behind it counts no more."""
    c = running(s)
    c.fastclose("s", 1, flags="A")
    c.send("s", s.data(300), 0, at=len(c.stream["s"]), delivered=False, ack=False)
    c.send("c", s.data(300), 0, at=len(c.stream["c"]), delivered=False, ack=False)
    for f in c.subs:
        f.rst("c", flags="R", ts=False)
    c.state = "reset"
    c.want.update(duplicate_bytes=0, subflow_list=None, visibility=None)


@scenario(F)
def rst_of_last_subflow_after_one_data_fin(s):
    """One DATA_FIN only, then RST on both subflows: reset."""
    c = running(s)
    c.data_fin("c")
    c.send("s", 500)
    for f in c.subs:
        f.rst("s")
    c.state = "reset"


@variants(F, v0=0, v1=1)
def prio_forms(s, version):
    """MP_PRIO of 3 octets in both versions sets and clears backup; in v0 with the own subflow's ID as well; backup in the record is the JOIN's or what became of it."""
    c = running(s, version)
    for low in (1, 0):
        c.subs[1].seg("c", mp=o.mp_prio(bool(low)))
    if version == 0:
        c.subs[1].seg("c", mp=o.mp_prio(True, c.subs[1].addr_id) + c.dack("c"))
        c.subs[1].seg("c", mp=o.mp_prio(False, c.subs[1].addr_id))
    ended(c)


@scenario(F)
def remove_addr_then_reuse(s):
    """An ID is removed, then used again by a new JOIN and removed again: known both times; then removed once more: it is gone, and was used all the same."""
    c = running(s)
    sub = c.subs[0]
    sub.seg("c", mp=o.remove_addr(1))
    c.subs[1].rst("c")
    c.join(addr_id=1, src="192.0.2.99")
    sub.seg("c", mp=o.remove_addr(1))
    c.exchange(1000, 1000, (0, 2))
    c.close()


@scenario(F)
def remove_addr_ids_of_each_side(s):
    """The server removes ID 1, which only the client used: never used or offered by the server."""
    c = running(s)
    c.subs[0].seg("s", mp=o.remove_addr(1))
    ended(c)
    s.raises("remove_addr_unknown_id")


@variants(F, shortened="short", missing="none")
def add_addr_v1_hmac_truncated(s, how):
    """A v1 ADD_ADDR (E=0) whose HMAC is cut (12 octets in all), or missing (8): no length of v1's: malformed."""
    c = running(s)
    whole = o.add_addr_v1(c.end["s"].key, c.end["c"].key, 5, "203.0.113.90")
    body = whole[2:-8] + (whole[-8:-4] if how == "short" else b"")
    c.subs[0].seg("s", mp=bytes([30, 2 + len(body)]) + body)
    ended(c)
    s.raises("option_malformed")


@scenario(F)
def add_addr_reflected_echo(s):
    """The echo of an ADD_ADDR names an address and port that were never offered: an echo is not authenticated and offers nothing."""
    c = running(s)
    c.subs[0].seg("c", mp=o.add_addr_v1(b"", b"", 9, "10.1.2.3", 9999, echo=True))
    ended(c)
    s.raises(may=("add_addr_private",))


@scenario(F)
def malformed_option_does_not_stop(s):
    """A data segment whose first option 30 is malformed and whose second is a good DSS, over and over: told once, all data counts."""
    c = running(s)
    for i in range(5):
        at, f = len(c.stream["c"]), c.subs[i % 2]
        data = s.data(200)
        c.stream["c"] += data
        c.send("c", data, f, at=at, mp=o.mp_fail(0)[:2].replace(b"\x0c", b"\x04") + b"\x60\x00" + o.dss(dsn=c.end["c"].dsn(at), ssn=f.half["c"].nxt, length=200))
    ended(c)
    c.want["duplicate_bytes"] = 0
    s.raises("option_malformed")


# -- around the packet
def encap_outer(a="198.18.0.1", b="198.18.0.2", server="203.0.113.80", server6="2001:db8:2::80"):
    from lab.octets.packets import raw_ip

    def ends(packet):
        source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
        return (b, a) if source in (raw_ip(server), raw_ip(server6)) else (a, b)
    return ends


ENDS = encap_outer()
WRAPS = {
    "vxlan": lambda x: links.ether(links.vxlan(x, *ENDS(x), 77)), "geneve": lambda x: links.ether(links.geneve(x, *ENDS(x), 78, bytes(8))),
    "gtpu": lambda x: links.ether(links.gtpu(x, *ENDS(x), 5 if ENDS(x)[0].endswith("1") else 6, session_container=True)), "pppoe": links.pppoe,
    "qinq": lambda x: links.vlan(x, 100, 200), "qinq_8100_twice": lambda x: links.B + links.A + b"\x81\x00\x00\x64\x81\x00\x00\xc8" + links.vlan(x, 1)[16:],
    "vxlan_in_gre": lambda x: links.ether(links.gre(links.vxlan(x, *ENDS(x), 77), "192.88.99.1", "192.88.99.2")),
    "geneve_ip": lambda x: links.ether(links.udp_packet(*ENDS(x), struct.pack(">BBHI", 0, 0, links.ethertype(x), 78 << 8) + x, 50001, 6081)),
    "qinq_pppoe": lambda x: links.B + links.A + b"\x88\xa8\x00\x64\x81\x00\x00\xc8" + links.pppoe(x)[12:],
    "mpls_both_ways_differ": lambda x: links.mpls(x, 16 if ENDS(x)[0].endswith("1") else 99), "vlan_both_ways_differ": lambda x: links.vlan(x, 16 if ENDS(x)[0].endswith("1") else 99),
    "vlan_priority": lambda x: links.vlan(x, 0x6064), "gre_checksum": lambda x: links.ether(gre_with_checksum(x)), "gre_over_v6_key": lambda x: links.ether(links.gre(x, "2001:db8:f::1", "2001:db8:f::2", 9)),
    "mpls_pseudowire": lambda x: links.B + links.A + b"\x88\x47" + struct.pack(">II", 16 << 12 | 255, 17 << 12 | 1 << 8 | 255) + b"\0\0\0\0" + links.ether(x),
}
del WRAPS["mpls_pseudowire"]    # whether Ethernet inside MPLS belongs to what is asked for is not said


def gre_with_checksum(packet):
    from lab.octets.packets import inet_checksum
    head = struct.pack(">HH", 0x8000, links.ethertype(packet))
    value = inet_checksum(head + bytes(4) + packet)
    return ip_packet(*ENDS(packet), 47, head + struct.pack(">HH", value, 0) + packet)


@variants(F, **{f"{k}_{'v6' if six else 'v4'}": (k, six) for k in WRAPS for six in (False, True)})
def tunnelled_with_server_opened(s, how):
    """v0 in a tunnel or behind tags: subflows opened by either side, both directions."""
    c = running(s, 0, ipv6=how[1])
    c.join("s")
    c.exchange(9000, 12000, (0, 1, 2))
    ended(c)
    server = {f.half["s"].ip for f in c.subs}
    table = WRAPS[how[0]]
    s.raises("opened_by_server")
    s.write(wrap=table)
    assert server


@variants(F, vxlan=lambda n: lambda x: links.ether(links.vxlan(x, *ENDS(x), 10 + n)), gtpu=lambda n: lambda x: links.ether(links.gtpu(x, *encap_outer(f"198.18.{n}.1", f"198.18.{n}.2")(x), 7)),
          gre=lambda n: lambda x: links.ether(links.gre(x, *encap_outer(f"198.18.{n}.1", f"198.18.{n}.2")(x))))
def equal_inner_addresses_with_joins(s, make):
    """Three connections with the same four addresses and ports on all subflows, at once, in three tunnels: joins and data stay apart."""
    conns, owner = [Conn(s, client=("198.51.100.10", 45000), server=("203.0.113.80", 8080)) for _ in range(3)], {}
    for step in range(9):
        for n, c in enumerate(conns):
            begin = len(s.packets)
            if step == 0:
                c.open()
            elif step == 1:
                c.join(src=("192.0.2.10", 46000))
            elif step == 8:
                c.close()
            else:
                c.send("c", 500 + n, step % 2)
                c.send("s", 900 + n, 1 - step % 2)
            for _, g in s.packets[begin:]:
                owner[id(g)] = n
    wraps = [make(n) for n in range(3)]
    s.put("capture.pcap", files.pcap([(t, wraps[owner[id(g)]](g.ip())) for t, g in s.packets]))


@variants(F, v4=False, v6=True)
def fragments_interleaved_and_doubled(s, six):
    """Fragments of packets in flight at once come interleaved, some twice; IPv6 also as atomic fragments and behind other extension headers."""
    c = running(s, ipv6=six)
    for i in range(6):
        c.send("c", 4000, i % 2)
        c.send("s", 4000, 1 - i % 2)
    ended(c)
    frames, rest = [], []
    for n, (t, g) in enumerate(s.packets):
        whole = replace(g, dont_fragment=False).ip()
        if len(whole) > 600:
            pieces = fragments6(whole, 512, n) if six else fragments4(whole, 512)
            if n % 3 == 0:
                pieces.append(pieces[0])
        elif six and n % 2:
            pieces = fragments6(whole, 4096, n)
        else:
            pieces = [whole]
        for piece in pieces[:-1]:
            frames.append((t, links.ether(piece)))
        rest.append((t, pieces[-1]))
        if not g.payload or len(rest) > 2 or True:
            frames += [(t, links.ether(x)) for _, x in rest]
            rest = []
    s.put("capture.pcap", files.pcap(frames))


@scenario(F)
def routing_header_and_fragments_v6(s):
    """IPv6 with hop-by-hop, destination options and an authentication-like long option before TCP, every packet; some fragmented behind a hop-by-hop header."""
    c = running(s, ipv6=True)
    c.send("c", 3000)
    c.send("s", 3000, 1)
    ended(c)
    frames = []
    for n, (t, g) in enumerate(s.packets):
        whole = g.ip()
        if len(g.payload) > 900:
            for x in fragments6(whole, 640, n):
                hop = bytes([44, 0, 1, 4, 0, 0, 0, 0])
                frames.append((t, links.ether(x[:4] + struct.pack(">H", len(x) - 40 + 8) + bytes([0]) + x[7:40] + hop + x[40:])))
        else:
            frames.append((t, links.ether(with_extension_headers6(whole))))
    s.put("capture.pcap", files.pcap(frames))


@variants(F, v4=False, v6=True)
def snap_length_arithmetic(s, six):
    """A snap length that cuts 1,000 octets from each full segment: gap_bytes are those cut and acknowledged, visibility the share that was seen, no event."""
    c = Conn(s, ipv6=six).open()
    c.send("c", 100)
    c.send("s", 200)
    for _ in range(30):
        c.send("s", 1380, size=1380)
    c.send("c", 50)
    c.close()
    big = next(g for _, g in s.packets if len(g.payload) == 1380)
    snap = 14 + len(big.ip()) - 1000
    s.write(snap=snap)
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:200 + 380])), gap_bytes_toclient=30000, visibility=(total - 30000) / total, subflow_list=None)


@scenario(F)
def snap_length_and_a_missing_path(s):
    """One path with a short snap length, the other not captured: gap_bytes hold both."""
    c = Conn(s).open()
    c.join()
    c.send("c", 500, 0)
    c.send("c", 900, 1, size=900)
    c.send("c", 900, 0, size=900)
    c.send("c", 300, 0)
    c.close()
    one = next(g for _, g in s.packets if len(g.payload) == 900 and g.src == c.client[0])
    other = c.subs[1].half["c"].ip
    s.write(snap=14 + len(one.ip()) - 400, change=lambda g: None if other in (g.src, g.dst) else g)
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:500])), gap_bytes_toserver=1300, visibility=1300 / 2600, subflow_list=None, subflows=1)


# -- capture points
@variants(F, none=0.0005, behind=-2.0, ahead=3.0)
def nat_of_both_ends(s, skew):
    """Source and destination are both rewritten between two points (a load balancer with source NAT), over three subflows, one opened by the server."""
    c = Conn(s, client=("10.0.5.2", 40000), server=("203.0.113.9", 8443)).open()
    c.join(src=("10.0.6.2", 40001))
    c.exchange(9000, 20000, (0, 1))
    c.close()
    table = {("10.0.5.2", 40000): ("100.64.0.1", 20001), ("10.0.6.2", 40001): ("100.64.0.1", 20002), ("203.0.113.9", 8443): ("10.9.0.80", 443)}

    def both(g):
        a, b = table.get((g.src, g.sport), (g.src, g.sport)), table.get((g.dst, g.dport), (g.dst, g.dport))
        return replace(g, src=a[0], sport=a[1], dst=b[0], dport=b[1], ttl=g.ttl - 1)
    s.write("outside.pcap")
    s.write("inside.pcap", change=both, skew=skew)
    c.want.update(community_id=None, duplicate_bytes=0, subflow_list=None)


@scenario(F)
def nat_swaps_the_ports_of_two(s):
    """Two connections at once through a NAT that gives each the other's source port: keys tell them apart."""
    table = {("10.0.5.2", 40000): ("203.0.113.9", 40001), ("10.0.5.2", 40001): ("203.0.113.9", 40000)}
    conns = [Conn(s, client=("10.0.5.2", 40000 + n), server=("198.51.100.80", 8080)).open() for n in range(2)]
    for _ in range(4):
        for c in conns:
            c.exchange(3000, 5000)
    for c in conns:
        c.close()
        c.want.update(subflow_list=None, community_id=None, duplicate_bytes=0)

    def nat(g):
        a, b = table.get((g.src, g.sport), (g.src, g.sport)), table.get((g.dst, g.dport), (g.dst, g.dport))
        return replace(g, src=a[0], sport=a[1], dst=b[0], dport=b[1])
    s.write("inside.pcap")
    s.write("outside.pcap", change=nat, skew=0.0004)


@scenario(F)
def nat_to_the_inside_tuple_of_another(s):
    """Behind the NAT a connection has the very 4-tuple that another one has before it."""
    a = Conn(s, client=("198.51.100.7", 40000), server=("203.0.113.80", 8080))
    b = Conn(s, client=("198.51.100.8", 40000), server=("203.0.113.80", 8080))
    table = {("198.51.100.7", 40000): ("198.51.100.8", 40000), ("198.51.100.8", 40000): ("198.51.100.9", 40000)}
    a.open()
    b.open()
    for _ in range(4):
        a.exchange(3000, 5000)
        b.exchange(2500, 4500)
    for c in (a, b):
        c.close()
        c.want.update(subflow_list=None, community_id=None, duplicate_bytes=0)

    def nat(g):
        x, y = table.get((g.src, g.sport), (g.src, g.sport)), table.get((g.dst, g.dport), (g.dst, g.dport))
        return replace(g, src=x[0], sport=x[1], dst=y[0], dport=y[1])
    s.write("inside.pcap")
    s.write("outside.pcap", change=nat, skew=0.0004)


@variants(F, ahead=9.5, behind=-9.5)
def skew_just_within_the_wait(s, skew):
    """A path a point, the clocks 9.5 s apart, v0 over IPv6 with checksums: within the 10 s that JOINs and keys wait."""
    c = Conn(s, 0, ipv6=True, checksum=True).open()
    c.join()
    c.join()
    for _ in range(5):
        c.exchange(6000, 9000, (0, 1, 2))
    c.close()
    first = c.subs[0].half["c"].ip
    s.write("path1.pcap", change=on(first))
    s.write("path2.pcap", change=lambda g: g if first not in (g.src, g.dst) else None, skew=skew)


@scenario(F)
def stripped_third_ack(s):
    """The third ACK's MP_CAPABLE is there at one point and NOPs at the other: option_stripped; the server never learns the keys, the connection falls back."""
    c = Conn(s)
    f = c.first()
    f.syn("c", o.mp_capable(1, 1))
    f.syn("s", o.mp_capable(1, 1, c.end["s"].key), "SA")
    third = o.mp_capable(1, 1, c.end["c"].key, c.end["s"].key)
    f.seg("c", mp=third)
    f.state = "established"
    c.signals = False
    c.send("s", 1500, mp=b"")
    c.send("c", 500, mp=b"")
    f.finish()
    c.state = "fallback"
    c.want.update(fallback_reason=["no_option_in_ack", "no_dss"], duplicate_bytes=0)
    s.write("before.pcap")
    s.write("after.pcap", change=lambda g: replace(g, options=g.options.replace(third, b"\x01" * 20)), skew=0.0002)
    s.raises("option_stripped")


@scenario(F)
def stripped_remove_addr_and_prio(s):
    """REMOVE_ADDR and MP_PRIO pass one point and are NOPs at the other."""
    c = running(s)
    gone = o.remove_addr(1) + b"\x01" * 0
    c.subs[0].seg("c", mp=gone + c.dack("c"))
    ended(c)
    s.write("before.pcap")
    s.write("after.pcap", change=lambda g: replace(g, options=g.options.replace(gone, b"\x01" * 4)) if gone in g.options else g, skew=0.0002)
    c.want["duplicate_bytes"] = 0
    s.raises("option_stripped")


@scenario(F)
def synack_version_differs_before(s):
    """Three points; at the last one the SYN/ACK says v0, at the others v1."""
    c = running(s)
    ended(c)
    v1, v0 = o.mp_capable(1, 1, c.end["s"].key), o.mp_capable(0, 1, c.end["s"].key)
    s.write("a.pcap", change=lambda g: replace(g, options=g.options.replace(v1, v0)), skew=0.0004)
    s.write("b.pcap", skew=0.0002)
    s.write("c.pcap")
    c.hidden = True
    s.expect(connections_exact=False)
    s.raises("version_downgrade")
    s.ambiguity("what the hosts made of it is left open; the event is what is asked for")


# -- seen from the middle
@variants(F, v0=(0, False), v1=(1, False), v6=(1, True))
def midstream_five_subflows(s, how):
    """Five subflows seen from the middle, two of them opened by the server (its port is the higher one, or not): one x- connection."""
    c = Conn(s, how[0], ipv6=how[1]).open()
    for n in range(4):
        c.join("s" if n > 1 else "c")
    c.exchange(5000, 5000, tuple(range(5)))
    s.packets.clear()
    marks = len(c.stream["c"]), len(c.stream["s"])
    for i in range(60):
        c.send("c", 700, i % 5)
        c.send("s", 1300, (i * 2) % 5)
    c.close()
    keys_unseen(c, subflows=5)
    stream_from(c, *marks)
    s.raises("joins_before_keys", may=("opened_by_server",))
    s.ambiguity("who opened is not to be seen")


@scenario(F)
def midstream_keys_seen_joins_not(s):
    """The first subflow's handshake is there, the JOIN's is not (its capture began later): the data is linked by DSN, or counted as a gap; never invented."""
    c = Conn(s).open()
    c.exchange(3000, 3000)
    mark = len(s.packets)
    c.join()
    del s.packets[mark:mark + 4]
    for i in range(10):
        c.send("c", 900, i % 2)
        c.send("s", 1300, i % 2)
    c.close()
    c.hidden = True
    s.expect(connections_exact=False)
    s.raises(may=("visibility_low", "joins_before_keys"))
    s.ambiguity("rule 5 of what counts as delivered lets only completed JOINs take part; the capture does not show it")


@scenario(F)
def midstream_with_gap(s):
    """Seen from the middle, some segments never captured: gap_bytes from the first octet seen, the stream stops at the first gap."""
    c = Conn(s).open()
    c.send("c", 1000)
    c.send("s", 1000)
    s.packets.clear()
    at = len(c.stream["s"])
    c.send("s", 2000)
    c.send("s", 700, captured=False)
    c.send("s", 5000)
    c.send("c", 500)
    c.close()
    keys_unseen(c, subflows=1)
    stream_from(c, 1000, at)
    c.want.update(toclient=digest_of(bytes(c.stream["s"][at:at + 2000])), gap_bytes_toclient=700, visibility=None)


# -- files
def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(link=1, snap=0, options=b""):
    return block(1, struct.pack("<HHI", link, 0, snap) + (options + option(0, b"") if options else b""))


def enhanced(when, data, number=0, unit=1e6, offset=0, extra=b""):
    ticks = round((when - offset) * unit)
    return block(6, struct.pack("<IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data + b"\0" * (-len(data) % 4) + extra)


@variants(F, nano=(bytes([9]), 1e9, 0), binary=(bytes([0x80 | 20]), float(1 << 20), 0), milli=(bytes([3]), 1e3, 0), offset=(bytes([6]), 1e6, 1_600_000_000))
def pcapng_resolutions(s, how):
    """pcapng with an interface of its own time resolution (nanoseconds, 2^-20 s, milliseconds) or offset; the other interface has microseconds."""
    c = running(s)
    for _ in range(3):
        c.exchange(5000, 5000, (0, 1))
        s.tick(0.5)
    ended(c)
    first = c.subs[0].half["c"].ip
    resolution, unit, offset = how
    options = option(2, b"odd") + option(9, resolution) + (option(14, struct.pack("<q", offset)) if offset else b"")
    out = SECTION + interface(options=options) + interface(options=option(2, b"plain"))
    for n, (t, g) in enumerate(s.packets):
        odd = first in (g.src, g.dst)
        out += enhanced(t, links.ether(g.ip()), 0 if odd else 1, unit if odd else 1e6, offset if odd else 0, option(1, b"a comment") + option(2, struct.pack("<I", 1)) + option(0, b"") if n % 3 == 0 else b"")
    s.put("capture.pcapng", out)
    c.subs[0].points, c.subs[1].points = ["capture:odd"], ["capture:plain"]


@scenario(F)
def pcapng_simple_packets(s):
    """pcapng with Simple Packet Blocks only, which have no time: everything is rebuilt in their order."""
    c = running(s)
    c.exchange(5000, 5000, (0, 1))
    ended(c)
    out = SECTION + interface(snap=65535)
    for _, g in s.packets:
        data = links.ether(g.ip())
        out += block(3, struct.pack("<I", len(data)) + data)
    s.put("capture.pcapng", out)


@scenario(F)
def pcapng_old_packet_blocks(s):
    """pcapng with the obsolete Packet Block (type 2)."""
    c = running(s)
    ended(c)
    out = SECTION + interface()
    for t, g in s.packets:
        data, ticks = links.ether(g.ip()), round(t * 1e6)
        out += block(2, struct.pack("<HHIIII", 0, 0xFFFF, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data)
    s.put("capture.pcapng", out)


@scenario(F)
def pcapng_two_sections(s):
    """Two pcapng files one after the other in one (two sections, the second big-endian, interfaces counted anew)."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    n = len(s.packets) // 2
    frames = [(t, links.ether(g.ip()), 0) for t, g in s.packets]
    s.put("capture.pcapng", files.pcapng([("eth0", 1, False)], frames[:n]) + files.pcapng([("eth0", 1, True)], frames[n:], big=True))


@scenario(F)
def pcapng_mixed_links(s):
    """One pcapng with an Ethernet and a raw IP and a Linux cooked v2 interface, one path each."""
    c = running(s, joins=2)
    c.exchange(9000, 9000, (0, 1, 2))
    ended(c)
    kinds = [(1, links.ether), (101, lambda x: x), (276, links.sll2)]
    who = lambda g: next(n for n, f in enumerate(c.subs) if f.half["c"].ip in (g.src, g.dst))
    out = SECTION + b"".join(interface(link=k, options=option(2, f"if{n}".encode())) for n, (k, _) in enumerate(kinds))
    for t, g in s.packets:
        out += enhanced(t, kinds[who(g)][1](g.ip()), who(g))
    s.put("capture.pcapng", out)


@variants(F, gz_flip="gz", pcap_snap="pcap", zst_cut="zst", pcapng_block="pcapng")
def damaged_files(s, how):
    """A capture damaged in its last third: what is readable is reported, the exit status is 1, stderr says so."""
    a = Conn(s).open()
    a.exchange(3000, 3000)
    a.close()
    n = len(s.packets)
    b = Conn(s).open()
    b.exchange(90000, 90000)
    b.close()
    b.hidden = True
    frames = [(t, links.ether(g.ip())) for t, g in s.packets]
    plain_file = files.pcap(frames)
    if how == "gz":
        packed = bytearray(gzip.compress(plain_file, 1, mtime=0))
        packed[len(packed) * 9 // 10] ^= 0xFF
        s.put("capture.pcap.gz", bytes(packed[:len(packed) * 19 // 20]))
    elif how == "pcap":
        at = 24 + sum(16 + len(d) for _, d in frames[:n + 20])
        s.put("capture.pcap", plain_file[:at] + struct.pack("<IIII", 1, 1, 0xFFFFFFF0, 0xFFFFFFF0) + plain_file[at + 16:])
    elif how == "zst":
        import subprocess
        packed = subprocess.run(["zstd", "-q", "-c"], input=plain_file, capture_output=True, check=True).stdout
        s.put("capture.pcap.zst", packed[:-9])
        s.expect(connections_exact=False)
    else:
        out = SECTION + interface() + b"".join(enhanced(t, d) for t, d in frames)
        at = len(SECTION + interface()) + sum(len(enhanced(t, d)) for t, d in frames[:n + 20])
        s.put("capture.pcapng", out[:at] + struct.pack("<II", 6, 13) + out[at + 8:])
    s.expect(exit=1, connections_exact=False)
    s.raises(may=("visibility_low",))
    if how == "zst":
        a.hidden = True
        s.ambiguity("one block holds it all")


# -- harder orders
@variants(F, v0=0, v1=1)
def forty_subflows_come_and_go(s, version):
    """Forty subflows in all over the connection's life, opened by both sides, ended by FIN, RST and not at all, data and reinjections on all of them."""
    c = Conn(s, version).open()
    live = [0]
    for n in range(1, 40):
        c.join("s" if n % 4 == 0 else "c", src=(f"203.0.113.{100 + n}", 9000 + n) if n % 4 == 0 else (f"192.0.2.{n}", 30000 + n), addr_id=n, backup=n % 5 == 0)
        live.append(n)
        for side in "cs":
            data, at = s.data(700), len(c.stream[side])
            c.send(side, data, n)
            c.send(side, data[100:300], live[0] if live[0] != n else n, at=at + 100)
        if len(live) > 10:
            gone = live.pop(0)
            if gone % 3 == 0:
                c.subs[gone].rst("s" if gone % 2 else "c")
            else:
                c.subs[gone].finish()
    c.close([n for n in live], by=live[-1])
    c.want["duplicate_bytes"] = 39 * 2 * 200
    s.raises("opened_by_server")


@variants(F, v0=(0, False), v1=(1, False), v0_sum=(0, True), v1_sum=(1, True))
def shuffled_within_a_window(s, how):
    """Segments of three subflows shuffled within 40, each mapping in several segments that all repeat it, some sent twice, both ways."""
    c = Conn(s, how[0], checksum=how[1], win=2048).open()
    c.join()
    c.join()
    for _ in range(4):
        jobs = []
        for side in "cs":
            for n in (0, 1, 2, 0, 1):
                data = s.data(4200)
                at, f = len(c.stream[side]), c.subs[n]
                c.stream[side] += data
                start = f.half[side].nxt
                f.half[side].nxt += 4200
                for i in range(0, 4200, 700):
                    jobs.append((side, f, at, data, start, i))
        jobs += s.rng.sample(jobs, 6)
        s.rng.shuffle(jobs)
        # Linux's window moves on; a shuffle of 60 pieces of 700 stays inside it.
        for side, f, at, data, start, i in jobs:
            f.seg(side, "A", data[i:i + 700], c.mapping(side, at, start, 4200, data), seq=start + i)
            c.deliver(f, side, start + i, 700, at + i)
            f.half[side].seen.append((start + i, start + i + 700))
        for n in range(3):
            for side in "cs":
                c.ack(side, n)
    c.close()
    c.want["duplicate_bytes"] = 0


@scenario(F)
def data_before_the_synack_is_seen(s):
    """Reordered at the capture: the client's third ACK and first data stand before the server's SYN/ACK, on both subflows."""
    c = Conn(s).open(fourth=False)
    c.send("c", 900, first=False)
    p = s.packets
    p[1:4] = [(p[1][0], p[2][1]), (p[2][0], p[3][1]), (p[3][0], p[1][1])]
    mark = len(p)
    c.join(fourth=False)
    c.send("c", 900, 1)
    p[mark + 1:mark + 4] = [(p[mark + 1][0], p[mark + 2][1]), (p[mark + 2][0], p[mark + 3][1]), (p[mark + 3][0], p[mark + 1][1])]
    c.send("s", 3000, 1)
    c.send("c", 2000, 0)
    c.close()
    s.ambiguity("a packet in front of the one it answers: by its sequence numbers it is acceptable all the same")


@scenario(F)
def simultaneous_joins_with_same_nonce_space(s):
    """Ten JOINs of three connections in flight at once, SYN/ACKs in another order than the SYNs, third ACKs with data behind them."""
    conns = [Conn(s).open() for _ in range(3)]
    before = len(s.packets)
    for c in conns:
        for _ in range(3):
            c.join(fourth=False)
    shakes = s.packets[before:]
    groups = [shakes[i:i + 3] for i in range(0, len(shakes), 3)]
    times = [t for t, _ in shakes]
    order = [g[0][1] for g in groups] + [g[1][1] for g in reversed(groups)] + [g[2][1] for g in groups]
    s.packets[before:] = list(zip(times, order))
    for c in conns:
        for i in range(12):
            c.send("c", 700, i % 4)
            c.send("s", 900, (i + 1) % 4)
    for c in conns:
        c.close()


@variants(F, v0=0, v1=1)
def reinjection_of_unacknowledged_after_rst(s, version):
    """A subflow dies by RST with octets in flight behind a hole; they come again on another subflow in other pieces; then the DSNs go on."""
    c = running(s, version)
    f = c.subs[1]
    data, at = s.data(4000), len(c.stream["c"])
    c.stream["c"] += data
    start = f.half["c"].nxt
    c.send("c", data[1000:2000], f, at=at + 1000, seq=start + 1000, delivered=False, ack=False)
    c.send("c", data[3000:], f, at=at + 3000, seq=start + 3000, delivered=False, ack=False)
    f.rst("s")
    c.send("c", data, 0, at=at, size=900)
    c.exchange(2000, 2000, (0,))
    c.close()
    c.want.update(duplicate_bytes=[0, 2000], subflow_changes={1: {"bytes_toserver": [1000, 3000]}})


@scenario(F)
def gap_then_other_subflow_fills(s):
    """A hole on a subflow is never filled there (its path died), the octets behind it are mapped and seen; the hole comes on another: all is there."""
    c = running(s)
    f = c.subs[1]
    data, at = s.data(3000), len(c.stream["c"])
    c.stream["c"] += data
    start = f.half["c"].nxt
    c.send("c", data[:1000], f, at=at, captured=False, delivered=False, ack=False)
    c.send("c", data[1000:], f, at=at + 1000, seq=start + 1000, delivered=False, ack=False)
    s.tick(0.3)
    c.send("c", data, 0, at=at)
    c.exchange(2000, 3000, (0,))
    c.close([0])
    c.want.update(duplicate_bytes=[0, 2000], subflow_changes={1: {"bytes_toserver": [1000, 3000]}})
    s.ambiguity("whether octets out of order on a dead subflow are carried more than once by the peers: they were")


# -- state and records
@scenario(F)
def stats_and_flow_records(s):
    """--all-tcp: every plain connection a flow record, every MPTCP one an mptcp record, stats once at the end with the packets and octets of the file."""
    frames = 0
    conns = []
    for n in range(3):
        c = Conn(s, 0).first().conn
        f = c.subs[0]
        f.syn("c")
        f.syn("s", b"", "SA")
        c.signals = False
        f.seg("c")
        c.send("c", 1000 + n, mp=b"")
        c.send("s", 2000, mp=b"")
        f.finish() if n else f.rst("c")
        c.hidden = True
        conns.append(c)
    d = running(s)
    ended(d)
    octets = sum(14 + len(g.ip()) for _, g in s.packets)
    s.stats(decode__packets=len(s.packets), decode__bytes=octets, mptcp__connections=1, mptcp__subflows=2, mptcp__unanswered=0)
    s.expect(args=["--all-tcp"], record_counts={"flow": 3, "mptcp": 1, "stats": 1},
             records=[{"event_type": "flow", "src_port": c.client[1], "dest_port": c.server[1], "proto": "TCP", "src_ip": c.client[0], "community_id": community_id(*c.client, *c.server)} for c in conns])


@variants(F, v4=False, v6=True)
def community_id_of_the_first_subflow(s, six):
    """community_id version 1, seed 0, of the first subflow in whichever order the addresses stand; on every record of the connection."""
    low, high = ("2001:db8::1", "2001:db8::2") if six else ("192.0.2.1", "192.0.2.2")
    want = []
    for a, b, p, q in ((low, high, 40000, 80), (high, low, 40001, 80), (low, low.replace("1", "1"), 50000, 81)):
        if a == b:
            continue
        c = Conn(s, ipv6=six, client=(a, p), server=(b, q)).open()
        c.join()
        c.send("c", P, 1)
        c.close()
        want.append({"event_type": "alert", "community_id": community_id(a, p, b, q), "src_ip": a, "src_port": p, "dest_port": q})
        want.append({"event_type": "mptcp", "community_id": community_id(a, p, b, q), "src_ip": a})
    put_rules(s, P_RULE, alerts=(1,), counts={1: 2})
    s.expect(records=want)


@scenario(F)
def anomaly_record(s):
    """An anomaly's record: type mptcp, event, detail an object, the connection's ends and id, no key in it."""
    c = running(s)
    c.subs[1].seg("s", mp=o.mp_fastclose(s.rng.randbytes(8)))
    ended(c)
    s.raises("fastclose_key_mismatch")
    s.expect(records=[{"event_type": "anomaly", "anomaly.type": "mptcp", "anomaly.event": "fastclose_key_mismatch", "src_ip": c.client[0], "src_port": c.client[1], "dest_ip": c.server[0],
                       "dest_port": c.server[1], "proto": "TCP", "mptcp.id": c.ident, "community_id": community_id(*c.client, *c.server)}])


@variants(F, v0=0, v1=1)
def two_connections_one_token(s, version):
    """Tokens that collide: two live connections of one server with the same server key, JOINs from both, one of them with the other's client key: the HMAC tells."""
    key = s.rng.randbytes(8)
    a = Conn(s, version, key_s=key, client=("198.51.100.1", 40001)).open()
    b = Conn(s, version, key_s=key, client=("198.51.100.2", 40002)).open()
    for n in range(3):
        b.join(src=("192.0.2.2", 41000 + n), addr_id=1 + n)
        a.join(src=("192.0.2.2", 42000 + n), addr_id=1 + n)
    for c in (a, b):
        c.exchange(8000, 9000, (0, 1, 2, 3))
    bad = a.join(src=("192.0.2.66", 40666), third="wrong", addr_id=9)
    a.send("c", s.data(100), bad, at=len(a.stream["c"]), delivered=False, ack=False)
    for c in (a, b):
        c.close([0, 1, 2, 3])
    a.want["subflow_list_exact"] = b.want["subflow_list_exact"] = False
    a.want["subflow_list"] = [f.describe() for f in a.subs[:4]]
    s.raises("join_hmac_mismatch")


@scenario(F)
def export_streams_with_gap_keeps_what_is_before(s):
    """Two directions, a gap in one after reinjected and reordered octets: the file stops there, the other direction is whole."""
    c = running(s)
    data, at = s.data(3000), len(c.stream["s"])
    c.stream["s"] += data
    c.send("s", data[2000:], 1, at=at + 2000, ack=False)
    c.send("s", data[:1200], 0, at=at)
    c.send("s", data[1000:1500], 1, at=at + 1000)
    lost = c.send("s", data[1500:2000], 0, at=at + 1500, captured=False)
    c.exchange(5000, 5000, (0, 1))
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:at + 1500])), gap_bytes_toclient=500, visibility=(total - 500) / total, duplicate_bytes=200, subflow_list=None)
    assert lost == at + 1500


@variants(F, probe=True, attack=False)
def window_probe_whose_ack_is_seen_late(s, probe):
    """Linux probes a closed window with the last number acknowledged and the next octet of the stream; the DATA_ACK went over another path, seen late: benign. Another octet there is a conflict."""
    c = running(s)
    c.send("c", 700, 0, ack=False)
    at, f = len(c.stream["c"]), c.subs[0]
    following = s.data(600)
    octet = following[:1] if probe else bytes([following[0] ^ 0x55])
    if octet == c.stream["c"][-1:]:
        following = bytes([following[0] ^ 0x33]) + following[1:]
        octet = following[:1]
    c.send("c", octet, 0, at=at - 1, ack=False)
    c.send("c", following, 0)
    ended(c)
    c.want["duplicate_bytes"] = [0, 1]
    if not probe:
        s.raises("dsn_overlap_conflict")

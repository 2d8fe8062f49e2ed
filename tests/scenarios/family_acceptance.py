"""What an acceptor would ask for: the texts' sentences at their exact limits, and signatures against the whole stream, however it was cut."""
import base64
import gzip
import hashlib
import json
import random
import ssl
import struct
from dataclasses import replace

import files
import links
import options as o
from packets import community_id, fragments4, fragments6, ip_packet, with_extension_headers6
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

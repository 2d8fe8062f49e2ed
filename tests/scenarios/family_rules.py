"""Signatures and what counts as delivered: a pattern alerts exactly when the host got it, and says over which subflows."""
from peers import Conn
from scene import scenario, variants
from family_tcp import conflict, decoy, ended, loose_duplicates, running

F = "rules"
PATTERN = b"EVIL-PATTERN-0123456789"
RULE = ('alert tcp any any -> any any (msg:"pattern"; content:"EVIL-PATTERN-0123456789"; sid:1; rev:1;)\n'
        'alert tcp any any -> any any (msg:"pattern over two"; content:"EVIL-PATTERN-0123456789"; mptcp.split; sid:2; rev:1;)\n')


def rules(s, alerts=(), never=(), text=RULE):
    s.put("test.rules", text.encode(), listed=False)
    s.expect(rules="test.rules", alerts=list(alerts), not_alerts=list(never))


def with_pattern(s, count, at=100):
    data = s.data(count)
    return data[:at] + PATTERN + data[at + len(PATTERN):]


@scenario(F)
def in_a_bad_checksum(s):
    """The pattern in a segment with a wrong checksum, harmless octets in the real one."""
    c = running(s)
    c.send("c", with_pattern(s, 700), at=len(c.stream["c"]), tcp_sum="bad", delivered=False, ack=False)
    c.send("c", 700)
    ended(c)
    loose_duplicates(c)
    rules(s, never=(1, 2))


@scenario(F)
def hidden_behind_a_decoy(s):
    """Harmless octets in a segment that fails PAWS, the pattern in the real one."""
    c = running(s)
    s.tick(2)
    decoy(c, "c", 0, 700, tsval=c.subs[0].half["c"].ts_base - 9)
    c.send("c", with_pattern(s, 700))
    ended(c)
    loose_duplicates(c)
    rules(s, alerts=({"sid": 1, "split": False, "subflows": [0]},), never=(2,))


@variants(F, left=True, right=False)
def decided_by_overlap(s, left):
    """The pattern arises only from the octets that win in Linux's queue (left), or only from those that lose (right)."""
    c = running(s)
    f = c.subs[0]
    base, start = len(c.stream["c"]), f.half["c"].nxt
    half = len(PATTERN) // 2
    kept = b"." * 50 + PATTERN[:half] if left else b"." * 50 + b"x" * half
    new = b"y" * half + PATTERN[half:] + b"." * 20 if left else PATTERN + b"." * 20
    gap = s.data(100)
    c.send("c", kept, f, at=base + 100, seq=start + 100, ack=False)
    c.send("c", new, f, at=base + 150, seq=start + 150, ack=False)
    won = kept + new[half:]
    c.stream["c"] += gap + won
    c.send("c", gap, f, at=base, seq=start)
    ended(c)
    conflict(s, c)
    if left:
        rules(s, alerts=(1,), never=(2,))
    else:
        rules(s, never=(1, 2))


@variants(F, **{f"cut_{n}": n for n in (1, 11, 22)})
def split_over_two(s, cut):
    """The pattern cut over two subflows; the second half arrives first."""
    c = running(s)
    data = with_pattern(s, 600)
    at = len(c.stream["c"])
    c.stream["c"] += data
    c.send("c", data[100 + cut:], 1, at=at + 100 + cut, ack=False)
    c.send("c", data[:100 + cut], 0, at=at)
    c.ack("s", 1)
    ended(c)
    c.want["duplicate_bytes"] = 0
    rules(s, alerts=({"sid": 1, "split": True, "subflows": [0, 1]}, {"sid": 2, "split": True}))


@scenario(F)
def reinjected_copy_does_not_make_it_split(s):
    """The whole pattern on one subflow, half of it again on another, later: only copies that were delivered count."""
    c = running(s)
    data = with_pattern(s, 600)
    at = c.send("c", data, 0, ack=False)
    c.send("c", data[110:300], 1, at=at + 110)
    c.ack("s", 0)
    ended(c)
    c.want["duplicate_bytes"] = 190
    rules(s, alerts=({"sid": 1, "split": False, "subflows": [0]},), never=(2,))


@scenario(F)
def after_fallback(s):
    """The pattern across the border between the mapped octets and the plain ones after an infinite mapping."""
    c = running(s, joins=0)
    c.send("c", PATTERN[:9])
    c.send("c", PATTERN[9:15], mp=c.mapping("c", len(c.stream["c"]), c.subs[0].half["c"].nxt, 0))
    c.signals = False
    c.send("s", 100, mp=b"")
    c.send("c", PATTERN[15:] + s.data(100), mp=b"")
    c.subs[0].finish()
    c.state = "fallback"
    rules(s, alerts=(1,), never=(2,))


@scenario(F)
def in_a_refused_connection(s):
    """The pattern over two segments of a refused connection."""
    from lab.octets import options as o
    c = Conn(s)
    sub = c.first()
    sub.syn("c", o.mp_capable(1, 1))
    sub.syn("s", b"", "SA")
    c.signals = False
    sub.seg("c")
    sub.state = "established"
    c.send("s", PATTERN[:5], mp=b"")
    c.send("s", PATTERN[5:], mp=b"")
    sub.finish()
    c.state = "refused"
    c.want.update(id="x-*", checksum=None)
    rules(s, alerts=(1,), never=(2,))


@scenario(F)
def on_a_failed_subflow(s):
    """The pattern whole on a subflow whose HMAC was wrong."""
    c = running(s)
    bad = c.join(src="192.0.2.66", third="wrong")
    c.send("c", with_pattern(s, 300), bad, at=len(c.stream["c"]), delivered=False, ack=False)
    ended(c)
    c.want["subflow_changes"] = {2: {"bytes_toserver": [0, 300]}}
    s.raises("join_hmac_mismatch")
    rules(s, never=(1, 2))


@scenario(F)
def dss_checksum_dropped(s):
    """The pattern in a mapping whose DSS checksum fails on one of two subflows."""
    c = running(s, checksum=True)
    c.send("c", with_pattern(s, 300), 1, at=len(c.stream["c"]), csum=0x55, delivered=False, ack=False)
    c.subs[1].rst("s")
    c.send("c", 300)
    ended(c)
    c.want.update(duplicate_bytes=None, subflow_list=None, subflows=[1, 2])
    s.raises("dss_checksum_mismatch")
    rules(s, never=(1, 2))


@scenario(F)
def negated_range_needs_all_its_octets(s):
    """A negated content with a range is decided when the range is complete; offsets count from the stream's first octet."""
    c = Conn(s).open()
    c.join()
    data = b"a" * 50 + PATTERN + b"b" * 400
    at = 0
    c.stream["c"] += data
    c.send("c", data[60:], 1, at=60, ack=False)
    c.send("c", data[:60], 0, at=at)
    c.ack("s", 1)
    c.close()
    c.want["duplicate_bytes"] = 0
    rules(s, alerts=(1, 2, 3), never=(4, 5), text=RULE +
          'alert tcp any any -> any any (msg:"at 50"; content:"EVIL-PATTERN"; offset:50; depth:12; sid:3; rev:1;)\n'
          'alert tcp any any -> any any (msg:"not there"; content:!"EVIL-PATTERN"; offset:40; depth:100; content:"aaaa"; sid:4; rev:1;)\n'
          'alert tcp any any -> any any (msg:"too early"; content:"EVIL-PATTERN"; depth:61; sid:5; rev:1;)\n')


@scenario(F)
def once_per_direction(s):
    """The pattern three times to the server and twice to the client: one alert for each direction."""
    c = running(s)
    for i in range(3):
        c.send("c", with_pattern(s, 300), i % 2)
    for i in range(2):
        c.send("s", with_pattern(s, 300), i % 2)
    ended(c)
    rules(s, alerts=(1,), never=(2,))
    s.expect(alert_counts={"1": 2})


@scenario(F)
def seen_at_two_points(s):
    """The pattern seen at two capture points: one alert, not two."""
    c = running(s)
    c.send("c", with_pattern(s, 900), 1)
    ended(c)
    s.write("left.pcap")
    s.write("right.pcap", skew=0.00005)
    c.want["duplicate_bytes"] = 0
    rules(s, alerts=({"sid": 1, "split": False, "subflows": [1]},), never=(2,))
    s.expect(alert_counts={"1": 1})


@scenario(F)
def behind_a_gap(s):
    """The pattern stands behind octets that were never captured: what is behind the gap is not in the stream's beginning."""
    c = running(s, joins=0)
    before = bytes(c.stream["c"])
    c.send("c", 500, captured=False)
    c.send("c", with_pattern(s, 300))
    c.close()
    from scene import digest_of
    c.want.update(toserver=digest_of(before), gap_bytes_toserver=500, visibility=None, subflow_list=None)
    rules(s)
    s.ambiguity("whether inspection goes on behind a gap is not said: alert allowed either way")

"""Gaps and visibility: what was never captured, what was cut, what came twice; and the technique of fragmentation over subflows."""
from peers import Conn
from scene import digest_of, scenario, variants
from family_tcp import ended, running

F = "gaps"


def one_path(s, c, unseen):
    """Only the packets of the subflows not in `unseen` are captured."""
    hidden = {c.subs[n].half["c"].ip for n in unseen}
    s.write(change=lambda g: None if hidden & {g.src, g.dst} else g)


@variants(F, v0=0, v1=1)
def path_not_captured(s, version):
    """Two paths, one of them not watched: octets up to the first gap in the stream, the rest in gap_bytes; visibility_low."""
    c = Conn(s, version).open()
    c.send("c", 4000, 0)
    c.send("s", 6000, 0)
    c.join()
    seen = {"c": 4000, "s": 6000}
    first = {"c": bytes(c.stream["c"]), "s": bytes(c.stream["s"])}
    for i in range(10):
        for side in "cs":
            c.send(side, 2000, 1 - i % 2)
            if i % 2:
                seen[side] += 2000
    c.close([0])
    c.subs[1].finish()
    one_path(s, c, [1])
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toserver=digest_of(first["c"]), toclient=digest_of(first["s"]), gap_bytes_toserver=len(c.stream["c"]) - seen["c"],
                  gap_bytes_toclient=len(c.stream["s"]) - seen["s"], visibility=(seen["c"] + seen["s"]) / total, subflows=1,
                  subflow_list=[c.subs[0].describe()])
    s.raises("visibility_low")


def share_unseen(s, unseen, total):
    """`unseen` of `total` octets to the client on a path that is not watched, in the middle."""
    c = Conn(s).open()
    c.join()
    c.send("s", 1000, 0)
    c.send("s", unseen, 1)
    c.send("s", total - 1000 - unseen, 0)
    c.close()
    one_path(s, c, [1])
    c.want.update(toclient=digest_of(bytes(c.stream["s"][:1000])), gap_bytes_toclient=unseen, visibility=(total - unseen) / total, subflows=1,
                  subflow_list=[c.subs[0].describe()])
    return c


@scenario(F)
def visibility_just_below(s):
    """12 % of 40,000 octets on a path that is not watched: visibility_low."""
    share_unseen(s, 4800, 40000)
    s.raises("visibility_low")


@scenario(F)
def visibility_just_above(s):
    """8 % of 40,000 octets unseen: above the limit, no event."""
    share_unseen(s, 3200, 40000)


@scenario(F)
def visibility_too_little(s):
    """Half of 16,000 octets unseen: below the 16 KiB from which it counts."""
    share_unseen(s, 8000, 16000)


@scenario(F)
def visibility_over_the_minimum(s):
    """Half of 17,000 octets unseen: above 16 KiB acknowledged."""
    share_unseen(s, 8500, 17000)
    s.raises("visibility_low")


@scenario(F)
def packets_missing_from_capture(s):
    """Single packets were not captured but acknowledged (a busy tcpdump): gaps are counted, the stream stops at the first."""
    c = running(s)
    before = bytes(c.stream["c"])
    for i in range(12):
        if i in (0, 5, 6):
            c.send("c", 1000, 0, captured=False)
        else:
            c.send("c", 1000, 0)
    c.exchange(20000, 20000, (0, 1))
    c.close()
    total = len(c.stream["c"]) + len(c.stream["s"])
    c.want.update(toserver=digest_of(before), gap_bytes_toserver=3000, visibility=(total - 3000) / total, subflow_list=None)


@scenario(F)
def gap_at_the_start(s):
    """The first data segment is missing but acknowledged: nothing of that direction is in order from the start."""
    c = Conn(s).open()
    c.send("c", 700, captured=False)
    c.send("c", 5000)
    c.send("s", 30000)
    c.close()
    c.want.update(toserver=digest_of(b""), gap_bytes_toserver=700, visibility=(35700 - 700) / 35700, subflow_list=None)


@scenario(F)
def missing_but_not_acknowledged(s):
    """Data behind a hole that was never acknowledged when the capture ends: not in the stream, and no gap proven."""
    c = running(s)
    before = bytes(c.stream["c"])
    c.send("c", 800, 0, captured=False, delivered=False, ack=False)
    c.subs[0].half["c"].nxt += 800
    c.send("c", 800, 0, ack=False)
    c.want.update(toserver=digest_of(before), gap_bytes_toserver=0, visibility=None, subflow_list=None)


@scenario(F)
def captured_copy_was_lost_behind(s):
    """Seen, lost behind the capture point, seen again with the same octets: once in the stream, no duplicate of the peers' DSNs."""
    c = running(s)
    real = s.data(1400)
    at = c.send("c", real, 0, delivered=False, ack=False)
    c.send("c", real, 0, at=at)
    ended(c)
    c.want["duplicate_bytes"] = 0


@variants(F, headers=94 + 34, most=1000)
def snap_length(s, snap):
    """A snap length that cuts the payloads: gaps where octets are missing, no visibility_low, whatever their share."""
    c = running(s, joins=0)
    for _ in range(20):
        c.send("c", 1400)
        c.send("s", 1400)
    c.close()
    s.write(snap=snap)
    gap, lead = {"c": 0, "s": 0}, {"c": None, "s": None}
    edge = {"c": 0, "s": 0}
    for _, g in s.packets:
        if not g.payload:
            continue
        side = "c" if g.src == c.client[0] else "s"
        room = max(0, snap - (len(g.ip()) + 14 - len(g.payload)))
        cut = max(0, len(g.payload) - room)
        if cut and lead[side] is None:
            lead[side] = edge[side] + len(g.payload) - cut
        edge[side] += len(g.payload)
        gap[side] += cut
    for side, way in (("c", "toserver"), ("s", "toclient")):
        c.want[way] = digest_of(bytes(c.stream[side][:lead[side] if lead[side] is not None else edge[side]]))
        c.want["gap_bytes_" + way] = gap[side]
    c.want.update(visibility=None, subflow_list=None)


@scenario(F)
def snap_length_cuts_later_copy_only(s):
    """Two points, one with a short snap length: the other has all octets, there is no gap."""
    c = running(s)
    ended(c)
    s.write("short.pcap", snap=128)
    s.write("full.pcap", skew=0.00005)
    c.want["duplicate_bytes"] = 0


@scenario(F)
def checksums_of_cut_packets(s):
    """The sum of a cut packet cannot be verified; the source's other sums are right; what is there of it counts up to the cut."""
    c = running(s, joins=0)
    c.send("c", 1400)
    c.close()
    s.write(snap=600)
    c.want.update(toserver=digest_of(bytes(c.stream["c"][:cut_place(c, 600, "c")])), toclient=digest_of(bytes(c.stream["s"][:cut_place(c, 600, "s")])))
    c.want.update(gap_bytes_toserver=None, gap_bytes_toclient=None, visibility=None, subflow_list=None)


def cut_place(c, snap, side):
    """The offset in the stream of the first octet that the snap length cut away."""
    edge = 0
    for _, g in c.s.packets:
        if g.payload and (g.src == c.client[0]) == (side == "c"):
            room = max(0, snap - (len(g.ip()) + 14 - len(g.payload)))
            if len(g.payload) > room:
                return edge + room
            edge += len(g.payload)
    return edge


# -- duplicates
@scenario(F)
def duplicates_counted(s):
    """duplicate_bytes: reinjection on another subflow and re-mapping on the same one count, TCP retransmission does not."""
    c = running(s)
    real = s.data(2000)
    at = c.send("c", real, 0, ack=False)
    start = c.subs[0].half["c"].nxt - 2000
    c.send("c", real, 0, at=at, seq=start, ack=False)           # retransmission
    c.send("c", real[:1000], 1, at=at, ack=False)               # reinjection
    c.send("c", real[500:1500], 0, at=at + 500)                 # mapped anew on the same subflow
    c.ack("s", 1)
    ended(c)
    c.want["duplicate_bytes"] = 2000
    s.exp["may_anomalies"] = []


@scenario(F)
def reinjection_then_original(s):
    """A slow path delivers its copy after the reinjected one on the fast path was acknowledged."""
    c = running(s)
    real = s.data(4000)
    at = len(c.stream["s"])
    c.stream["s"] += real
    c.send("s", real, 1, at=at)
    s.tick(0.4)
    c.send("s", real, 0, at=at)
    ended(c)
    c.want["duplicate_bytes"] = 4000


@scenario(F)
def path_dies_and_data_goes_on(s):
    """One subflow stops answering (its packets are seen, never acknowledged); its data comes again on the other one."""
    c = running(s)
    real = s.data(6000)
    at = len(c.stream["c"])
    c.send("c", real, 1, at=at, delivered=False, ack=False)
    s.tick(1.0)
    c.send("c", real, 0, at=at)
    c.stream["c"] += real
    c.exchange(2000, 2000, (0,))
    c.close([0])
    c.want.update(duplicate_bytes=6000, subflow_changes={1: {"bytes_toserver": [1000, 7000]}})


# -- fragmentation over subflows
def pieces(s, count, size, subs=2, mss=None, same=False):
    c = Conn(s, mss=mss)
    c.size = 1400 if mss is None else c.size
    c.open()
    for _ in range(subs - 1):
        c.join()
    for i in range(count):
        c.send("c", size, 0 if same else i % subs, size=size)
    c.close()
    return c


@variants(F, two=2, five=5)
def fragmented(s, subs):
    """300 pieces of 20 octets in a row that alternate between the subflows."""
    pieces(s, 300, 20, subs)
    s.raises("fragmented_across_subflows")


@scenario(F)
def fragmented_of_63(s):
    """260 pieces of 63 octets: under 64 on average."""
    pieces(s, 260, 63)
    s.raises("fragmented_across_subflows")


@scenario(F)
def fragmented_too_few(s):
    """240 pieces of 20 octets: fewer than 256 in a row."""
    pieces(s, 240, 20)


@scenario(F)
def fragmented_not_so_small(s):
    """400 pieces of 70 octets: not under 64."""
    pieces(s, 400, 70)


@scenario(F)
def small_pieces_on_one_subflow(s):
    """400 pieces of 20 octets on one of two subflows (someone types): nothing alternates."""
    pieces(s, 400, 20, same=True)


@scenario(F)
def small_pieces_because_of_mss(s):
    """400 pieces of 20 octets where the receiver's MSS has no room for more beside the options."""
    c = Conn(s, mss=60)
    c.size = 20
    c.open()
    c.join()
    for i in range(400):
        c.send("c", 20, i % 2, size=20)
    c.close()
    s.raises(may=("fragmented_across_subflows",))
    s.ambiguity("`while larger segments fit`: MSS 60 less 40 octets of options leaves 20; whether options are taken off the MSS is left open")


@scenario(F)
def small_pieces_fill_the_mss(s):
    """400 pieces of 50 octets where the receiver's MSS is 50: nothing larger fits, on either reading."""
    c = Conn(s, mss=50).open()
    c.join()
    for i in range(400):
        c.send("c", 50, i % 2, size=50)
    c.close()


@scenario(F)
def fragmented_interrupted(s):
    """Rows of 200 small alternating pieces, between them bulk on one subflow: never 256 in a row."""
    c = Conn(s).open()
    c.join()
    for _ in range(3):
        for i in range(200):
            c.send("c", 20, i % 2, size=20)
        c.send("c", 28000, 0)
    c.close()
    s.ambiguity("a row ends with full-size segments that do not alternate")


@scenario(F)
def bulk_alternating(s):
    """300 full-size segments that alternate between subflows: that is what MPTCP is for."""
    pieces(s, 300, 1400)


@scenario(F)
def fragmented_to_client(s):
    """300 pieces of 10 octets to the client over three subflows."""
    c = Conn(s).open()
    c.join()
    c.join()
    for i in range(300):
        c.send("s", 10, i % 3, size=10)
    c.close()
    s.raises("fragmented_across_subflows")


@scenario(F)
def long_idle(s):
    """A connection idle for an hour between two exchanges: still one connection, one stream."""
    c = running(s)
    s.tick(3600)
    ended(c)


@scenario(F)
def keepalives_and_window_probes(s):
    """TCP keep-alives (one octet before rcv_nxt, and none) and zero-window probes: no octet counts twice, nothing is conflicting."""
    c = running(s, joins=0)
    f = c.subs[0]
    s.tick(60)
    f.seg("c", mp=c.dack("c"), seq=f.half["c"].nxt - 1)
    c.ack("s")
    f.seg("c", payload=bytes(c.stream["c"][-1:]), mp=c.dack("c"), seq=f.half["c"].nxt - 1)
    c.ack("s")
    ended(c)
    s.ambiguity("the garbage octet of old keep-alives is here the real one")


@scenario(F)
def zero_window(s):
    """The receiver closes its window, then opens it again: nothing inside it is thrown away."""
    c = running(s, joins=0)
    c.send("c", 5000, ack=False)
    c.ack("s", 0, win=0)
    s.tick(1.0)
    c.ack("s", 0)
    ended(c)

"""Files: forms of captures, broken ones, exit status and what is said on stderr."""
import gzip
import shutil
import subprocess

import files
import links
from scene import scenario, variants
from family_tcp import ended, running

F = "file"


def frames_of(s):
    return [(t, links.ether(g.ip())) for t, g in s.packets]


def some(s):
    c = running(s)
    ended(c)
    return c


@scenario(F)
def empty(s):
    """A capture of 0 octets: exit 1, and stderr says so."""
    s.put("empty.pcap", b"")
    s.expect(exit=1, stderr="some")


@variants(F, pcap=files.pcap([]), pcapng=files.pcapng([("eth0", 1, False)], []))
def header_only(s, octets):
    """A capture with a header and no packets is fine: exit 0."""
    s.put("header.pcap", octets)
    s.expect(exit=0, stderr="empty")
    s.stats(decode__packets=0)


@variants(F, in_packet=-7, in_record_header=None)
def cut_off(s, where):
    """A capture cut off in a packet, or in a record's header: exit 1, everything readable is reported."""
    c = some(s)
    whole = files.pcap(frames_of(s))
    last = len(s.packets[-1][1].ip()) + 14
    s.put("cut.pcap", whole[:where] if where else whole[:len(whole) - last - 9])
    s.expect(exit=1, stderr="some")
    c.subs[1].state = ["closed", "established"]
    c.want["subflows"] = 2


@scenario(F)
def cut_off_pcapng(s):
    """A pcapng cut off within a block."""
    c = some(s)
    whole = files.pcapng([("eth0", 1, False)], [(t, x, 0) for t, x in frames_of(s)])
    s.put("cut.pcapng", whole[:-11])
    s.expect(exit=1, stderr="some")
    c.subs[1].state = ["closed", "established"]
    c.want["subflows"] = 2


@variants(F, text=b"This is no capture at all, but a text.\n" * 10, zeros=bytes(4096), short=b"\xd4\xc3\xb2", half_header=files.pcap([])[:20])
def no_capture(s, octets):
    """A file that is no capture: exit 1, said on stderr."""
    s.put("wrong.pcap", octets)
    s.expect(exit=1, stderr="some")


@scenario(F)
def one_bad_among_good(s):
    """A file that is no capture beside a good one: exit 1, the good one is reported in full."""
    some(s)
    s.put("bad.pcap", b"nonsense" * 100)
    s.write("good.pcap")
    s.expect(exit=1, stderr="some")


@scenario(F)
def one_missing_among_good(s):
    """A file that does not exist beside a good one: exit 1, the good one is reported."""
    some(s)
    s.write("good.pcap")
    s.exp["captures"].append("missing.pcap")
    s.expect(exit=1, stderr="some")
    s.ambiguity("a capture that does not exist is read as `the work could not be done wholly` (1), not as wrong usage (2)")


@scenario(F)
def rules_file_missing(s):
    """A rules file that does not exist: exit 2."""
    some(s)
    s.conns[0].hidden = True
    s.expect(exit=2, stderr="some", args=["--rules", "{dir}/missing.rules"], connections_exact=False)


@variants(F, flag=["--no-such-flag"], mode=["--checksums", "sometimes"])
def wrong_usage(s, args):
    """Wrong usage: exit 2."""
    some(s)
    s.conns[0].hidden = True
    s.expect(exit=2, stderr=None, args=args, connections_exact=False)


FORMS = {"nanoseconds": dict(nano=True), "big_endian": dict(big=True), "big_endian_nanoseconds": dict(big=True, nano=True), "snap_zero": dict(snap=262144)}


@variants(F, **FORMS)
def form(s, how):
    """A pcap in another form."""
    some(s)
    s.put("capture.pcap", files.pcap(frames_of(s), **how))


@variants(F, little=False, big=True)
def pcapng(s, big):
    """A pcapng of one interface, little or big endian."""
    some(s)
    s.put("capture.pcapng", files.pcapng([("eth0", 1, False)], [(t, x, 0) for t, x in frames_of(s)], big=big))


@scenario(F)
def pcapng_with_unknown_blocks(s):
    """A pcapng with blocks of other kinds (name resolution, statistics, custom) between the packets, and two sections."""
    import struct
    some(s)
    packets = [(t, x, 0) for t, x in frames_of(s)]
    half = len(packets) // 2
    other = b"".join(struct.pack("<II", kind, 12 + 8) + bytes(8) + struct.pack("<I", 20) for kind in (4, 0x0BAD, 0x40000BAD))
    s.put("capture.pcapng", files.pcapng([("eth0", 1, False)], packets[:half]) + other + files.pcapng([("eth0", 1, True)], packets[half:], big=True))


@scenario(F)
def gz(s):
    """A capture compressed with gzip."""
    c = some(s)
    s.put("capture.pcap.gz", gzip.compress(files.pcap(frames_of(s)), mtime=0))
    for f in c.subs:
        f.points = ["capture"]


@scenario(F)
def gz_two_members(s):
    """gzip of two members one behind the other (as `cat a.gz b.gz` makes)."""
    some(s)
    whole = files.pcap(frames_of(s))
    s.put("capture.pcap.gz", gzip.compress(whole[:3000], mtime=0) + gzip.compress(whole[3000:], mtime=0))


@scenario(F)
def gz_cut_off(s):
    """A gzip file cut off: exit 1, what could be read is reported."""
    c = some(s)
    c.hidden = True
    whole = gzip.compress(files.pcap(frames_of(s)), mtime=0)
    s.put("capture.pcap.gz", whole[:len(whole) * 2 // 3])
    s.expect(exit=1, stderr="some", connections_exact=False)
    s.raises(may=("visibility_low",))


if shutil.which("zstd"):
    @scenario(F)
    def zst(s):
        """A capture compressed with zstd."""
        c = some(s)
        s.put("capture.pcap.zst", subprocess.run(["zstd", "-q", "-c"], input=files.pcap(frames_of(s)), capture_output=True, check=True).stdout)
        for f in c.subs:
            f.points = ["capture"]

    @scenario(F)
    def zst_pcapng(s):
        """A pcapng compressed with zstd."""
        some(s)
        whole = files.pcapng([("eth0", 1, False)], [(t, x, 0) for t, x in frames_of(s)])
        s.put("capture.pcapng.zst", subprocess.run(["zstd", "-q", "-c"], input=whole, capture_output=True, check=True).stdout)


@variants(F, plain=False, compressed=True)
def standard_input(s, compressed):
    """A capture from standard input."""
    some(s)
    whole = files.pcap(frames_of(s))
    s.put("feed.pcap", gzip.compress(whole, mtime=0) if compressed else whole, listed=False)
    s.expect(captures=["-"], stdin="feed.pcap")


@scenario(F)
def misnamed(s):
    """The name says nothing: a gzip file called .pcap, a pcapng called .pcap."""
    c = some(s)
    first = c.subs[0].half["c"].ip
    one = [(t, links.ether(g.ip())) for t, g in s.packets if first in (g.src, g.dst)]
    two = [(t, links.ether(g.ip()), 0) for t, g in s.packets if first not in (g.src, g.dst)]
    s.put("one.pcap", gzip.compress(files.pcap(one), mtime=0))
    s.put("two.pcap", files.pcapng([("eth0", 1, False)], two))


@scenario(F)
def rotated(s):
    """A rotated capture: the second file goes on where the first ends."""
    c = some(s)
    half = len(s.packets) // 2
    s.write("cap0.pcap", packets=s.packets[:half])
    s.write("cap1.pcap", packets=s.packets[half:])
    for f in c.subs:
        f.points = None


@scenario(F)
def same_file_twice(s):
    """The same file named twice: two points that saw the same; octets once."""
    c = some(s)
    s.write()
    s.exp["captures"].append("capture.pcap")
    c.want["duplicate_bytes"] = 0


@scenario(F)
def noise(s):
    """ARP, UDP, ICMP, truncated headers, random octets between the packets of a transfer: nothing is disturbed."""
    some(s)
    from lab.octets.packets import ip_packet
    junk = [links.ether(b"\0" * 28, 0x0806), links.ether(ip_packet("192.0.2.1", "192.0.2.2", 17, links.udp(b"x" * 30, 53, 53))),
            links.ether(ip_packet("192.0.2.1", "192.0.2.2", 1, b"\x08\0" + bytes(20))), links.ether(b"\x45"), b"", b"\xff" * 9,
            links.ether(ip_packet("192.0.2.1", "192.0.2.2", 6, b"\0" * 7)), links.ether(s.rng.randbytes(200), 0x0800), links.ether(s.rng.randbytes(200), 0x86DD)]
    frames = []
    for i, (t, x) in enumerate(frames_of(s)):
        frames += [(t, x), (t + 0.00001, junk[i % len(junk)])]
    s.put("capture.pcap", files.pcap(frames))
    s.raises(may=("option_malformed",))
    s.exp["may_anomalies"] = []


@scenario(F)
def not_in_time_order(s):
    """Packets of one file a few microseconds out of time order (several CPUs wrote it)."""
    c = running(s)
    c.exchange(9000, 9000, (0, 1))
    ended(c)
    frames = frames_of(s)
    for i in range(12, len(frames) - 12, 7):
        frames[i], frames[i + 1] = frames[i + 1], frames[i]
    s.put("capture.pcap", files.pcap(frames))


@scenario(F)
def bad_record_length(s):
    """A record header that claims 2 GiB in mid-file: exit 1, what came before is reported."""
    c = some(s)
    c.hidden = True
    whole = bytearray(files.pcap(frames_of(s)))
    at = 24
    for _ in range(10):
        at += 16 + int.from_bytes(whole[at + 8:at + 12], "little")
    whole[at + 8:at + 12] = (0x7FFFFFFF).to_bytes(4, "little")
    s.put("capture.pcap", bytes(whole))
    s.expect(exit=1, stderr="some", connections_exact=False)
    s.raises(may=("visibility_low",))

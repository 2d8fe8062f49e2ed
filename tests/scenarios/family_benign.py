"""Ordinary transfers: none raises an event of type mptcp."""
from lab.octets import options as o
from peers import Conn
from scene import scenario, variants

F = "benign"


@variants(F, v0_ipv4=(0, False), v1_ipv4=(1, False), v0_ipv6=(0, True), v1_ipv6=(1, True))
def transfer(s, how):
    """Three subflows, both directions, orderly close."""
    c = Conn(s, how[0], ipv6=how[1]).open()
    c.join()
    c.join()
    for _ in range(6):
        for sub in (0, 1, 2):
            c.send("c", s.rng.randrange(100, 5000), sub)
            c.send("s", s.rng.randrange(100, 9000), sub)
    c.close()


@variants(F, v0=0, v1=1)
def dss_checksums(s, version):
    """DSS checksums negotiated, mappings over several segments, DATA_FIN with its checksum."""
    c = Conn(s, version, checksum=True).open()
    c.join()
    c.send("c", 4200, 0, span=True)
    c.send("c", 700, 1)
    c.send("s", 9000, 1, span=True)
    c.send("s", 1, 0)
    c.close()


@scenario(F)
def first_data_with_capable(s):
    """v1's first data carries MP_CAPABLE with the data-level length (22 octets)."""
    c = Conn(s).open(fourth=False)
    c.send("c", 300, first=True)
    c.exchange()
    c.close()


@scenario(F)
def first_data_with_capable_and_checksum(s):
    """v1's first data carries MP_CAPABLE with data-level length and checksum (24 octets)."""
    c = Conn(s, checksum=True).open(fourth=False)
    c.send("c", 300, first=True)
    c.exchange()
    c.close()


@scenario(F)
def keys_only_in_first_data(s):
    """The third ACK was lost before the capture: the client's key comes with the first data's MP_CAPABLE alone."""
    c = Conn(s).open(third=False)
    c.subs[0].state = "established"
    c.send("c", 500, first=True)
    c.exchange()
    c.close()


@scenario(F)
def idsn_high_bit(s):
    """Both IDSNs at or above 2^63: nothing may compare them as signed numbers."""
    high = lambda i: i >> 60 == 0xF
    c = Conn(s, key_c=o.search_key(1, s.rng, high), key_s=o.search_key(1, s.rng, high)).open()
    c.join()
    c.exchange(9000, 20000, (0, 1))
    c.close()


@scenario(F)
def no_timestamps_no_scaling(s):
    """Peers without TCP timestamps and without window scaling."""
    def bare(sub):
        sub.ts, sub.shift = False, None
    c = Conn(s, win=65535, tune=bare).open()
    c.join()
    c.exchange(8000, 20000, (0, 1))
    c.close()


@scenario(F)
def timestamps_wrap(s):
    """The timestamp clocks of all hosts pass 2^32 during the transfer: PAWS must not throw anything away."""
    def late(sub):
        for half in sub.half.values():
            half.ts_base = (1 << 32) - 700
    c = Conn(s, tune=late).open()
    c.join()
    for _ in range(8):
        c.exchange(2000, 2000, (0, 1))
        s.tick(0.2)
    c.close()


@scenario(F)
def half_closed(s):
    """The client sends DATA_FIN first; the server goes on for a while, then closes."""
    c = Conn(s).open()
    c.join()
    c.send("c", 2000, 0)
    c.data_fin("c", 0)
    for i in range(4):
        c.send("s", 3000, i % 2)
    c.data_fin("s", 1)
    c.subs[0].finish()
    c.subs[1].finish("s")
    c.state = "closed"


@scenario(F)
def data_fin_with_data(s):
    """DATA_FIN rides on the last mapping: its length counts one more than the octets."""
    c = Conn(s).open()
    c.send("c", 1000)
    tail = s.data(200)
    sub, me = c.subs[0], c.subs[0].half["c"]
    at = len(c.stream["c"])
    sub.seg("c", "PA", tail, c.mapping("c", at, me.nxt, 201, fin=True))
    c.stream["c"] += tail
    c.deliver(sub, "c", me.nxt, 200, at)
    me.seen.append((me.nxt, me.nxt + 200))
    me.nxt += 200
    c.end["s"].got_fin = True
    c.ack("s")
    c.data_fin("s")
    sub.finish()
    c.state = "closed"


@scenario(F)
def rst_after_data_fins(s):
    """DATA_FIN both ways, then RSTs on both subflows: closed, whatever RSTs follow."""
    c = Conn(s).open()
    c.join()
    c.exchange(2000, 4000, (0, 1))
    c.data_fin("c")
    c.data_fin("s")
    c.subs[0].rst("c")
    c.subs[1].rst("s")
    c.state = "closed"
    c.want["subflow_changes"] = {0: {"state": ["reset", "closed"]}, 1: {"state": ["reset", "closed"]}}


@scenario(F)
def left_open(s):
    """The capture ends while both subflows are established: state open."""
    c = Conn(s).open()
    c.join()
    c.exchange(3000, 3000, (0, 1))


@scenario(F)
def prio_remove_tcprst(s):
    """Legal signals: MP_PRIO, REMOVE_ADDR of an id in use, a subflow ended by RST with MP_TCPRST; the rest goes on."""
    c = Conn(s).open()
    c.join(addr_id=1)
    c.join(addr_id=2, backup=True)
    c.exchange(2000, 2000, (0, 1))
    c.subs[2].seg("c", mp=o.mp_prio(False))
    c.send("c", 500, 2)
    c.subs[0].seg("c", mp=o.remove_addr(1) + c.dack("c"))
    c.subs[1].rst("c", mp=o.mp_tcprst(0))
    c.exchange(2000, 2000, (0, 2))
    c.close()
    c.want["subflow_changes"] = {2: {"backup": [True, False]}}


@scenario(F)
def ack_sizes_mixed(s):
    """DATA_ACKs and DSNs of 4 and 8 octets in turn, both directions."""
    c = Conn(s).open()
    c.join()
    for i in range(12):
        c.dsn8["c"], c.ack8["s"] = bool(i & 1), bool(i & 2)
        c.dsn8["s"], c.ack8["c"] = bool(i & 2), bool(i & 1)
        c.send("c", 900, i % 2)
        c.send("s", 1500, (i + 1) % 2)
    c.close()


@variants(F, v0=0, v1=1)
def dsn_wraps_32_bits(s, version):
    """The low 32 bits of the DSN wrap in mid-transfer, with 4-octet DSNs and DATA_ACKs: the upper half must be carried."""
    near = lambda i: (i & 0xFFFFFFFF) > 0xFFFFFFFF - 40000
    c = Conn(s, version, key_c=o.search_key(version, s.rng, near), key_s=o.search_key(version, s.rng, near))
    c.dsn8 = {"c": False, "s": False}
    c.ack8 = {"c": False, "s": False}
    c.open()
    c.join()
    for i in range(20):
        c.send("c", 4000, i % 2)
        c.send("s", 4000, (i + 1) % 2)
    c.dsn8 = {"c": True, "s": True}
    c.send("c", 2000, 0)
    c.send("s", 2000, 1)
    c.close()


@scenario(F)
def sequence_numbers_wrap(s):
    """ISNs just below 2^32 on both subflows, both sides: TCP sequence numbers wrap early, once in the SYN itself."""
    def high(sub):
        sub.half["c"].isn, sub.half["s"].isn = 0xFFFFFFFF, 0xFFFFFF00
    c = Conn(s, tune=high).open()
    c.join()
    c.exchange(3000, 3000, (0, 1))
    c.close()


@scenario(F)
def retransmissions_and_reordering(s):
    """Loss before and behind the capture point, reordering within a subflow, the same octets sent again: one copy counts."""
    c = Conn(s).open()
    c.join()
    a = s.data(1400)
    at = c.send("c", a, 0, captured=False, delivered=False, ack=False)
    c.subs[0].half["c"].nxt += 1400
    c.send("c", 2800, 0, ack=False)
    c.send("c", 900, 1)
    c.send("c", a, 0, at=at, seq=1)
    c.send("c", a, 0, at=at, seq=1)
    c.send("s", 5000, 1)
    c.close()
    c.want["duplicate_bytes"] = 0

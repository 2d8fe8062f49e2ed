"""What someone sends who does not know the keys, or should not: options on a running connection, from its own host or from a stranger's line."""
from lab.octets import options as o
from lab.octets.packets import ACK, SYN, Segment, pad4

WRONG = b"\xde\xad\xbe\xef" * 2
UNKNOWN_ID, NEVER_OFFERED = 77, 78

KINDS = ("join_unknown_token", "join_wrong_hmac", "add_addr_wrong_hmac", "remove_addr_unknown_id", "mp_prio", "mp_fail", "fastclose_wrong_key")


def option(connection, sub, kind):
    """Those that are one option on a segment of the connection."""
    if kind == "add_addr_wrong_hmac":
        if connection.version == 0:
            return o.add_addr_v0(UNKNOWN_ID, "203.0.113.66")
        return o.add_addr_v1(connection.key, connection.peer_key, UNKNOWN_ID, "203.0.113.66", wrong_hmac=True)
    if kind == "remove_addr_unknown_id":
        return o.remove_addr(NEVER_OFFERED)
    if kind == "mp_prio":
        return o.mp_prio(True, sub.addr_id ^ 1 if connection.version == 0 else None)  # v0: of another subflow
    if kind == "mp_fail":
        return o.mp_fail(connection.idsn + 1 + connection.end)
    return o.mp_fastclose(WRONG)


def perform(connection, sub, kind, stranger=None):
    """`stranger`: (link, address) of another host. A JOIN comes from there by its own address; options come with the subflow's addresses, spoofed."""
    link, address = stranger or (sub.link, sub.local[0])
    if kind == "join_unknown_token":
        syn = o.join_syn(WRONG[:4], sub.rng.randbytes(4), UNKNOWN_ID)
        link.send(Segment(address, connection.host.port(), *sub.remote, sub.rng.randrange(1 << 32), 0, SYN, 64240, o.mss(1400) + o.wscale(7) + syn))
    elif kind == "join_wrong_hmac":
        attempt = connection.join(link, (address, connection.host.port()), sub.remote, addr_id=UNKNOWN_ID, spoil_hmac=True, wait=False)
        connection.host.pump(lambda: attempt.state not in ("syn_sent", "joining"), None, 3)
        connection.subflows.remove(attempt)
    else:
        link.send(Segment(*sub.local, *sub.remote, sub.isn + sub.nxt, (sub.irs + sub.rcv) & 0xFFFFFFFF, ACK, 1024, pad4(option(connection, sub, kind))))

"""Who has which address. P is the path, from 1; the net between two hosts is 10.P.S.0/24 or fd00:P:S::/64.

S is 1 between client and router, 2 between the last router and the server, 3 between two routers. The host nearer to the client is .1 there,
but for the client's net: its router is .1 and itself .2, as the server's router is .1 and the server .2.
"""
CLIENT_SIDE, SERVER_SIDE, MIDDLE = 1, 2, 3
STRANGER_NET = 99
PREFIX = {4: 24, 6: 64}
FAMILY = {"ipv4": 4, "ipv6": 6}


def net(path, side, family=4):
    return f"10.{path}.{side}.0/24" if family == 4 else f"fd00:{path}:{side}::/64"


def address(path, side, host, family=4):
    return f"10.{path}.{side}.{host}" if family == 4 else f"fd00:{path}:{side}::{host}"


def client(path=1, family=4):
    return address(path, CLIENT_SIDE, 2, family)


def server(path=1, family=4):
    return address(path, SERVER_SIDE, 2, family)


def outside(path, family=4):
    """The client's, where the box translates one to one."""
    return f"203.0.113.{path}" if family == 4 else f"2001:db8:113::{path}"


def box(path, which, family=4):
    """The box's address on its side towards the client: what the client knows the server by where ports are forwarded."""
    return address(path, CLIENT_SIDE, 1, family) if which == "router" else address(path, MIDDLE, 2, family)

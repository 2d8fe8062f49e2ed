#!/usr/bin/env python3
"""An MPTCP host on raw sockets, inside a network of the lab: puts chosen octets on chosen subflows, which kernels will not do on demand.

  ip netns exec CLIENT lab/endpoint.py client --connect 10.1.2.2:7000 --subflows 3 --split unmistakable
  ip netns exec CLIENT lab/endpoint.py client --connect 10.1.2.101:7000 --version 0 --plan plan.json
  ip netns exec SERVER lab/endpoint.py server --listen 7000 --version 0 --connections 1

The client prints one line of JSON about what happened; the server "listening" and then one such line for each connection, which it answers
with the SHA-256 of what it got. lab/README.md says what a plan is.
"""
import argparse
import contextlib
import hashlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import namespaces  # noqa: E402
from lab.raw import plan  # noqa: E402
from lab.raw.connection import Connection  # noqa: E402
from lab.raw.host import Host  # noqa: E402
from lab.raw.link import interfaces  # noqa: E402


def client(host, remote, subflows=2, version=1, checksum=False, ports=(), links=None, backup=()):
    """A connection with so many subflows, in turn over the namespace's paths p1, p2, ... (or `links`: interface names or (interface, address))."""
    family = 6 if ":" in remote[0] else 4
    paths = [(one, None) if isinstance(one, str) else one for one in links or interfaces()]
    connection = Connection(host, version, checksum)
    for number in range(subflows):
        interface, address = paths[number % len(paths)]
        link, address = host.link(interface, family, address)
        local = (address, ports[number] if number < len(ports) else host.port())
        if number == 0:
            connection.open(link, local, remote)
        else:
            connection.join(link, local, remote, addr_id=number % len(paths), backup=number in backup)
    return connection


def serve(host, port, version, checksum, links, connections, out=sys.stdout):
    for interface, address in links:
        family = 6 if address and ":" in address else 4
        host.link(interface, family, address)
        if address is None:
            with contextlib.suppress(ValueError):
                host.link(interface, 6)
    host.listen(port, version, checksum)
    print("listening", flush=True, file=out)
    told = set()
    while connections is None or len(told) < connections:
        host.pump(lambda: any(one.received_fin and one not in told for one in host.accepted), None, 1)
        for one in [one for one in host.accepted if one.received_fin and one not in told]:
            told.add(one)
            answer(host, one)
            print(json.dumps({**one.describe(), "sha256": hashlib.sha256(one.stream).hexdigest()}), flush=True, file=out)


def answer(host, connection):
    digest = hashlib.sha256(connection.stream).hexdigest().encode()
    with contextlib.suppress(TimeoutError):
        connection.send(connection.alive()[0], 0, digest)
        connection.finish()


def run_client(options):
    address, _, port = options.connect.rpartition(":")
    remote = (address.strip("[]"), int(port))
    links = [(one.partition("@")[2], one.partition("@")[0]) if "@" in one else (one, None) for one in options.link] or None
    with Host(options.seed) as host:
        connection = client(host, remote, options.subflows, options.version, options.checksum, options.port, links)
        if options.plan:
            steps = plan.parse(json.loads(pathlib.Path(options.plan).read_text()))
        else:
            steps = plan.split(options.split.encode(), options.subflows, options.piece, order=options.order, seed=options.seed or 0,
                               duplicate=options.duplicate, wait=options.wait)
        if options.before:
            steps = [plan.Step(text=options.before), *steps]
            if not options.plan:
                for step in steps[1:]:
                    step.offset += len(options.before)
        stranger = None
        if options.stranger:
            with namespaces.inside(options.stranger):
                stranger = host.link("p1", 6 if ":" in remote[0] else 4)
        last = plan.perform(connection, steps, stranger)
        if options.hold:
            host.pump(lambda: connection.data_acked >= connection.end, "the acknowledgement of all octets")
            print(json.dumps({"last_sent": last, **connection.describe()}), flush=True)
            host.pump(lambda: False, None, options.hold)
        connection.finish()
        print(json.dumps({"last_sent": last, **connection.describe(), "received": connection.stream.decode("latin-1")[:4096], "ended": time.time()}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("client")
    one.add_argument("--connect", required=True, metavar="ADDRESS:PORT")
    one.add_argument("--subflows", type=int, default=2)
    one.add_argument("--link", action="append", default=[], metavar="INTERFACE|ADDRESS@INTERFACE", help="the paths, in turn (all of p1, p2, ...)")
    one.add_argument("--port", action="append", type=int, default=[], help="our ports, in the order of the subflows (by chance)")
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("--plan", metavar="FILE", help="a list of steps, as JSON")
    what.add_argument("--split", metavar="TEXT", help="TEXT in pieces, in turn over the subflows")
    one.add_argument("--piece", type=int, default=1, help="octets of a piece (1)")
    one.add_argument("--order", choices=("forward", "backward", "shuffled"), default="forward")
    one.add_argument("--duplicate", type=int, default=0, help="every segment so many times more")
    one.add_argument("--wait", action="store_true", help="each piece is acknowledged before the next is sent")
    one.add_argument("--before", metavar="TEXT", help="whole, on the first subflow, before everything else")
    one.add_argument("--hold", type=float, default=0, metavar="SECONDS", help="says what happened, and stays open for so long")
    one.add_argument("--stranger", metavar="NAMESPACE", help="where forged packets come from (else: from here)")
    two = verbs.add_parser("server")
    two.add_argument("--listen", type=int, required=True, metavar="PORT")
    two.add_argument("--link", action="append", default=[], metavar="INTERFACE|ADDRESS@INTERFACE")
    two.add_argument("--connections", type=int, help="ends after so many")
    for verb in (one, two):
        verb.add_argument("--version", type=int, choices=(0, 1), default=1)
        verb.add_argument("--checksum", action="store_true", help="DSS checksums")
        verb.add_argument("--seed", type=int, help="for what is by chance")
    options = parser.parse_args()
    if options.verb == "client":
        run_client(options)
        return 0
    links = [(one.partition("@")[2], one.partition("@")[0]) if "@" in one else (one, None) for one in options.link or interfaces()]
    with Host(options.seed) as host:
        serve(host, options.listen, options.version, options.checksum, links, options.connections)
    return 0


if __name__ == "__main__":
    sys.exit(main())

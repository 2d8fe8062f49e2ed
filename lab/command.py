"""What lab/up, lab/down and lab/run have together."""
import json
import pathlib

from lab import namespaces

# One file a network that lab/up began, named by its keeper, the process whose number its namespaces carry.
RUNNING = pathlib.Path("/run/weir-lab")


def environment(network):
    """The names of a network, for a command that runs in it."""
    names = {f"LAB_{host.upper()}": namespace for host, namespace in network.hosts.items()}
    names["LAB_PATHS"] = str(network.paths)
    for family in network.families:
        names[f"LAB_TARGET{family}"] = network.target(1, family)
    return names


def introduce(network):
    """How to enter each host, for people."""
    lines = [f"{host:<9} ip netns exec {namespace} COMMAND" for host, namespace in network.hosts.items()]
    targets = " and ".join(network.target(1, family) for family in network.families)
    if "far" in network.hosts:
        interfaces = "the router's interfaces are c1.. towards it, m1.. towards far; far's are m1.. towards the router, s1.. towards the server"
    else:
        interfaces = "the router's interfaces are c1.. towards it, s1.. towards the server"
    return "\n".join([network.described.description, *lines, f"the client reaches the server at {targets}; {interfaces}"])


def remember(network, keeper, name):
    RUNNING.mkdir(exist_ok=True)
    (RUNNING / str(keeper)).write_text(json.dumps({"network": name, "hosts": network.hosts}))


def remembered():
    """Keeper -> what lab/up wrote down."""
    if not RUNNING.is_dir():
        return {}
    return {int(file.name): json.loads(file.read_text()) for file in sorted(RUNNING.iterdir()) if file.name.isdigit()}


def forget(keeper):
    (RUNNING / str(keeper)).unlink(missing_ok=True)


def must_work():
    if reason := namespaces.missing():
        raise SystemExit(f"lab: {reason}")

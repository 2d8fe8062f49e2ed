"""The box's rules, as text for nft: translation of addresses, and options taken away. A path is known by the client's net."""
from lab import addresses

SUBTYPE = {"join": 1, "add_addr": 3}


def rules(network):
    """Everything for all families; nothing if the box only forwards."""
    return "".join(translation(network, name) for name in network.families) + stripping(network)


def translation(network, family_name):
    family = addresses.FAMILY[family_name]
    ip = {4: "ip", 6: "ip6"}[family]
    before, after = [], []
    for number, path in enumerate(network.path, 1):
        inside, client = addresses.net(number, addresses.CLIENT_SIDE, family), addresses.client(number, family)
        outwards = f"{ip} saddr {inside} {ip} daddr != {inside}"
        if path.nat == "masquerade":
            after.append(f"{outwards} masquerade")
        elif path.nat == "one-to-one":
            after.append(f"{ip} saddr {client} snat to {addresses.outside(number, family)}")
            before.append(f"{ip} daddr {addresses.outside(number, family)} dnat to {client}")
        elif path.nat == "port-forward":
            before.append(f"{ip} daddr {addresses.box(number, network.box, family)} meta l4proto tcp dnat to {addresses.server(number, family)}")
    if not before and not after:
        return ""
    return table(ip, "translation", {"before": ("nat", "prerouting", -100, before), "after": ("nat", "postrouting", 100, after)})


def stripping(network):
    """`reset` overwrites the option with NOPs and leaves the rest of the segment as it was."""
    lines = []
    for number, path in enumerate(network.path, 1):
        if path.strip is None:
            continue
        what = {"all": "", "syn": "tcp flags & syn == syn "}.get(path.strip, f"tcp option mptcp subtype {SUBTYPE.get(path.strip, 0)} ")
        for name in network.families:
            ip, inside = {"ipv4": "ip", "ipv6": "ip6"}[name], addresses.net(number, addresses.CLIENT_SIDE, addresses.FAMILY[name])
            lines += [f"{ip} {end} {inside} {what}reset tcp option mptcp" for end in ("saddr", "daddr")]
    return table("inet", "stripping", {"forward": ("filter", "forward", -150, lines)}) if lines else ""


def table(family, name, chains):
    out = f"table {family} {name} {{\n"
    for chain, (kind, hook, priority, lines) in chains.items():
        out += f"  chain {chain} {{\n    type {kind} hook {hook} priority {priority};\n" + "".join(f"    {line}\n" for line in lines) + "  }\n"
    return out + "}\n"

"""What signatures cost: generated rules of realistic shape on the two captures, beside reading the file; how long loading takes."""

import os
import random
import time

MB = 1_000_000
GOAL_ONE_RULE_PLAIN, GOAL_TEN_THOUSAND_MPTCP = 0.6, 0.3
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/."
OTHER_PORTS = ["80", "443", "25", "[110,143]", "21", "[1433,3306]", "445", "[8080,8000]", "5060"]


def write_rules(path, count, for_all_ports):
    """One content each; of some a second one behind it, near it, or an expression. Nothing in the captures matches."""
    chance = random.Random(count)

    def word(n):
        return "".join(chance.choice(LETTERS) for _ in range(n))

    with path.open("w") as out:
        for i in range(count):
            options = f'content:"{word(chance.randint(5, 24))}"; '
            if i % 3 == 0:
                options += f'content:"{word(6)}"; distance:0; '
            if i % 7 == 0:
                options += f'content:"{word(5)}"; within:40; '
            if i % 11 == 0:
                options += 'pcre:"/' + word(4).replace("/", "x").replace(".", "y") + '[0-9]{2,5}=/i"; '
            port = "any" if i < for_all_ports else OTHER_PORTS[i % len(OTHER_PORTS)]
            out.write(f'alert tcp any any -> any {port} (msg:"generated {i}"; {options}sid:{i + 1};)\n')
    return path


def run(bench):
    cache = bench.folder / "cache"
    os.environ["WEIR_CACHE"] = str(cache)
    sets = {n: write_rules(bench.folder / f"{n}.rules", n, min(n, 1_000)) for n in (1, 10, 1_000, 10_000)}
    print("\nLoading 10,000 rules, 1,000 of them for any port")
    for name in ("cold", "from the cache"):
        began = time.monotonic()
        one = bench.run_once([bench.weir, "rules", "check", sets[10_000]])
        print(f"  {name:15} {one.cpu:6.2f} CPU s, {time.monotonic() - began:6.2f} s")
    results = {}
    for title, workload, options in (("MPTCP, 4 subflows interleaved", "mptcp4", ()), ("plain TCP, --all-tcp", "plain", ("--all-tcp",))):
        path, _, size = bench.capture("rules.pcap", workload, bench.size)
        commands = {"tcpdump": ["tcpdump", "-r", path, "-w", "/dev/null"], "no rules": bench.inspect(path, *options)}
        for count, file in sets.items():
            commands[f"{count:,} rules"] = bench.inspect(path, *options, "--rules", file)
        best = bench.best_of(commands)
        path.unlink()
        print(f"\nSignatures on {title}: {size / MB:,.0f} MB, loading included")
        for name, one in best.items():
            ratio = best["tcpdump"].cpu / one.cpu
            goal = GOAL_ONE_RULE_PLAIN if (workload, name) == ("plain", "1 rules") else GOAL_TEN_THOUSAND_MPTCP if (workload, name) == ("mptcp4", "10,000 rules") else None
            verdict = "" if goal is None else f"   goal at least {goal:g}: {'met' if ratio >= goal else 'MISSED'}"
            print(f"  {name:13}{size / MB / one.cpu:8,.0f} MB/CPU s   {ratio:5.2f} of tcpdump{verdict}")
            results[f"{workload} {name}"] = ratio
    bench.results["rules"] = results


def make_ready(bench):
    """10,000 rules in a cache of their own: compiling them takes more memory at its peak than few connections do."""
    os.environ["WEIR_CACHE"] = str(bench.folder / "cache")
    path = write_rules(bench.folder / "10000.rules", 10_000, 1_000)
    bench.run_once([bench.weir, "rules", "check", path])
    return path

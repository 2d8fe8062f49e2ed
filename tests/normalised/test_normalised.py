#!/usr/bin/env python3
"""What tshark makes of normalised captures.   test_normalised.py WEIR REPOSITORY

For every scenario with captures of real kernels in the repository: `weir inspect --export-pcap --export-streams`, then
for each connection without gaps tshark's "follow" gives the bytes of the exported streams, and its analysis finds
nothing: no malformed packet, no lost segment, no retransmission, no duplicate ACK, no full window, nothing out of order.
Prints a line per failing connection and a closing count.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

FINDINGS = ["_ws.malformed", "tcp.analysis.flags", "tcp.analysis.lost_segment", "tcp.analysis.ack_lost_segment", "tcp.analysis.retransmission", "tcp.analysis.fast_retransmission",
            "tcp.analysis.spurious_retransmission", "tcp.analysis.out_of_order", "tcp.analysis.duplicate_ack", "tcp.analysis.window_full", "tcp.analysis.zero_window", "tcp.analysis.keep_alive",
            "tcp.analysis.reused_ports", "tcp.checksum.status==0", "ip.checksum.status==0", "tcp.option_kind==30"]


def tshark(path, *arguments):
    run = subprocess.run(["tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *arguments], capture_output=True, text=True, timeout=600)
    if run.returncode:
        raise RuntimeError(run.stderr.strip()[-300:])
    return run.stdout


def follow(path, numbers):
    """Of each of tshark's conversations the bytes of both directions, client to server first."""
    return followed(tshark(path, "-q", *follow_options(numbers))) if numbers else {}


def follow_options(numbers):
    return [word for number in numbers for word in ("-z", f"follow,tcp,raw,{number}")]


def followed(printed):
    """The same out of what tshark prints with follow_options()."""
    found, ways = {}, None
    for line in printed.splitlines():
        text = line.strip()
        if text.startswith("Filter: tcp.stream eq "):
            ways = found[int(text.split()[-1])] = ["", ""]
        elif text and all(c in "0123456789abcdef" for c in text):
            ways[1 if line.startswith("\t") else 0] += text
    return {number: [bytes.fromhex(way) for way in both] for number, both in found.items()}


def findings(path, *options):
    """Of each conversation what tshark's analysis flags, and in which frames."""
    found = {}
    fields = [name.split("==")[0] for name in FINDINGS]
    wanted = [name.partition("==")[2] for name in FINDINGS]  # "": whatever it is
    shown = tshark(path, *options, "-Y", " || ".join(FINDINGS), "-T", "fields", "-e", "tcp.stream", "-e", "frame.number", *[word for name in fields for word in ("-e", name)])
    for line in shown.splitlines():
        number, frame, *values = line.split("\t")
        names = [name for name, value, want in zip(fields, values, wanted) if value and (not want or want in value.split(","))]
        found.setdefault(int(number or -1), []).append(f"frame {frame}: {' '.join(names)}")
    return found


def scenarios(root):
    found = set()
    for base in (os.path.join(root, "samples"), os.path.join(root, "tests"), os.path.join(root, "..", "shared", "captures")):
        for folder, _, files in sorted(os.walk(base)):
            if os.path.join("tests", "scenarios") in folder:
                continue  # hostile on purpose: retransmissions that differ, payload that looks like other protocols
            if "expected.json" not in files or os.path.basename(folder) in found:
                continue
            found.add(os.path.basename(folder))
            expected = json.load(open(os.path.join(folder, "expected.json")))
            captures = [os.path.join(folder, name) for name in expected["captures"]]
            if all(map(os.path.exists, captures)):
                yield folder, captures, expected


def streams_by_ports(path):
    """tshark's number of every conversation, by the ends its SYN names."""
    numbers = {}
    for line in tshark(path, "-Y", "tcp.flags.syn==1 && tcp.flags.ack==0", "-T", "fields", "-e", "tcp.stream", "-e", "ip.src", "-e", "ipv6.src", "-e", "tcp.srcport", "-e", "ip.dst",
                       "-e", "ipv6.dst", "-e", "tcp.dstport").splitlines():
        number, source4, source6, source_port, target4, target6, target_port = line.split("\t")
        numbers.setdefault((source4 or source6, int(source_port), target4 or target6, int(target_port)), []).append(int(number))
    return numbers


def check(weir, captures, arguments, folder):
    plain, streams, log = (os.path.join(folder, name) for name in ("plain.pcap", "streams", "eve.json"))
    run = subprocess.run([weir, "inspect", "--quiet", "--log", log, "--export-pcap", plain, "--export-streams", streams, *arguments, *captures], capture_output=True, text=True, timeout=600)
    if run.returncode not in (0, 1):
        return 0, [f"exit {run.returncode}: {run.stderr[-300:]}"]
    bad, checked = [], 0
    times = [float(t) for t in tshark(plain, "-T", "fields", "-e", "frame.time_epoch").split()]
    if times != sorted(times):
        bad.append("not in time order")
    numbers = streams_by_ports(plain)
    whole = {}  # connections without gaps, by tshark's number
    for line in open(log):
        record = json.loads(line)
        if record["event_type"] != "mptcp":
            continue
        m = record["mptcp"]
        found = numbers.get((record["src_ip"], record["src_port"], record["dest_ip"], record["dest_port"]), [])
        if not found and m["bytes_toserver"] + m["bytes_toclient"]:
            bad.append(f"{m['id']}: no flow in the normalised capture")
        if len(found) == 1 and not m["gap_bytes_toserver"] and not m["gap_bytes_toclient"]:
            whole[found[0]] = m["id"]
    followed, found = follow(plain, whole), findings(plain)
    for number, name in whole.items():
        exported = []
        for way in ("toserver", "toclient"):
            with open(os.path.join(streams, f"{name}.{way}"), "rb") as file:
                exported.append(file.read())
        got = followed.get(number, [b"", b""])
        if got != exported:
            bad.append(f"{name}: tshark follows {len(got[0])} and {len(got[1])} bytes, exported are {len(exported[0])} and {len(exported[1])}, or their content differs")
        if number in found:
            bad.append(f"{name}: {'; '.join(found[number][:4])}")
    return len(whole), bad


def main():
    weir, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    if not shutil.which("tshark"):
        print("SKIPPED: tshark is not installed (apt-get install tshark)")
        return 0
    connections = failed = folders = 0
    for scenario, captures, expected in scenarios(root):
        folders += 1
        with tempfile.TemporaryDirectory() as folder:
            checked, bad = check(weir, captures, expected.get("args", []), folder)
        connections += checked
        failed += bool(bad)
        for text in bad:
            print(f"FAIL {os.path.basename(scenario)}: {text}")
    if not folders:
        print("SKIPPED: no captures in this checkout")
        return 0
    print(f"{connections} connections of {folders} scenarios compared, {failed} scenarios failed")
    return 1 if failed or not connections else 0


if __name__ == "__main__":
    sys.exit(main())

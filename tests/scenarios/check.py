#!/usr/bin/env python3
"""Runs `weir inspect` on every scenario below the given folders and compares with expected.json.

    check.py --weir build/weir [--only TEXT] [--jobs N] [--no-rules] [--verbose] [FOLDER...]

Beyond the plain keys (captures, args, exit, connections, anomalies, may_anomalies, not_anomalies) an expected.json may hold:
  connections[]: any value may be a list of allowed ones; `sha256` too; subflow_list: fields of single subflows; seen_as: addresses that the
                 record must name as other views; midstream; absent: keys that must not be there
  anomaly_details: {event: {key: value}}   anomaly_on: {event: connection id}   anomaly_counts: {event: how many records}
  stats: {counter: value}   stderr: "some" (not empty) | "empty"   stdin: file   secrets: hex strings that must not be in the log
  alerts: [sid | {sid, split, subflows, dsn_first, dsn_last, direction}], all of one record   not_alerts: [sid]   alert_counts: {sid: how many}
  records: [{"event_type": TYPE, "a.b": value, ...}]: one record has them all; "@a.b": [values that are allowed]   record_counts: {event_type: how many}   stderr_has: [texts]
One line per failing scenario, then `N passed, N failed`; exit status 1 if any failed."""
import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}([+-]\d\d:?\d\d|Z)$")
PER_CONNECTION_KEYS = ("version", "state", "fallback_reason", "checksum", "gap_bytes_toserver", "gap_bytes_toclient", "duplicate_bytes", "midstream")
ID = re.compile(r"^([0-9a-f]{8}-[0-9a-f]{8}|x-[0-9a-f]{16})$")


def allowed(got, want):
    return got in want if isinstance(want, list) else got == want


def as_number_lists(value):
    return value if isinstance(value, list) else [value]


def stream(folder, ident, way):
    path = os.path.join(folder, f"{ident}.{way}")
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as f:
        return f.read()


def run_one(weir, folder, timeout, rules):
    with open(os.path.join(folder, "expected.json")) as f:
        exp = json.load(f)
    if not rules:
        exp.update(rules=None, alerts=[], not_alerts=[], alert_counts={})
    bad = []
    with tempfile.TemporaryDirectory() as tmp:
        eve, streams = os.path.join(tmp, "eve.json"), os.path.join(tmp, "streams")
        cmd = [weir, "inspect", "--quiet", "--log", eve, "--export-streams", streams]
        if exp.get("rules"):
            cmd += ["--rules", os.path.join(folder, exp["rules"])]
        cmd += [a.replace("{tmp}", tmp).replace("{dir}", folder) for a in exp.get("args", [])]
        cmd += [c if c == "-" else os.path.join(folder, c) for c in exp["captures"]]
        feed = open(os.path.join(folder, exp["stdin"]), "rb") if exp.get("stdin") else subprocess.DEVNULL
        try:
            run = subprocess.run(cmd, stdin=feed, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            return [f"no answer in {timeout} s"]
        finally:
            if feed is not subprocess.DEVNULL:
                feed.close()
        complaint = run.stderr.decode("utf-8", "replace").strip()
        if not allowed(run.returncode, exp.get("exit", 0)):
            bad.append(f"exit {run.returncode}, not {exp.get('exit', 0)}: {complaint[-160:]}")
        wants_words = exp.get("stderr", "some" if exp.get("exit", 0) in (1, 2) else None)
        if wants_words == "some" and not complaint.startswith("weir: "):
            bad.append(f"stderr does not say `weir: WHAT: WHY` but {complaint[:80]!r}")
        for words in exp.get("stderr_has", []):
            if words not in complaint:
                bad.append(f"stderr does not say {words!r}: {complaint[:200]!r}")
        if wants_words == "empty" and complaint:
            bad.append(f"stderr is not empty: {complaint[:120]!r}")
        if run.stdout.strip():
            bad.append(f"--quiet, but standard output holds {run.stdout[:80]!r}")
        records, text = [], ""
        if os.path.exists(eve):
            with open(eve, encoding="utf-8") as f:
                text = f.read()
            for n, line in enumerate(text.splitlines(), 1):
                try:
                    record = json.loads(line)
                    if not TIMESTAMP.match(record["timestamp"]):
                        bad.append(f"eve line {n}: timestamp {record['timestamp']!r}")
                    record["event_type"]
                    records.append(record)
                except (ValueError, KeyError, TypeError) as e:
                    bad.append(f"eve line {n} is no record ({e}): {line[:80]!r}")
                    break
        for secret in exp.get("secrets", []):
            if secret in text.lower() or f"{int(secret, 16)}" in text:
                bad.append("a key is in the log")
        names = [r["mptcp"].get("id") for r in records if r.get("event_type") == "mptcp"]
        check_connections(exp, [r for r in records if r["event_type"] == "mptcp"], streams, bad)
        check_anomalies(exp, [r for r in records if r["event_type"] == "anomaly"], names, bad)
        check_alerts(exp, [r for r in records if r["event_type"] == "alert"], bad)
        check_records(exp, records, bad)
        check_stats(exp, [r for r in records if r["event_type"] == "stats"], bad)
    return bad


def matches(want, record, streams):
    return all(allowed(hashlib.sha256(stream(streams, record["mptcp"]["id"], way)).hexdigest(), want[way]["sha256"])
               for way in ("toserver", "toclient") if want.get(way, {}).get("sha256"))


def first_match(want, record):
    """An x- connection of the same first subflow addresses, when its streams do not tell."""
    listed = want.get("subflow_list") or [{}]
    return all(record.get(k) == listed[0].get(k) for k in ("src_ip", "src_port", "dest_ip", "dest_port"))


def check_connections(exp, records, streams, bad):
    wanted, spare = exp.get("connections", []), list(records)
    if exp.get("connections_exact", True) and len(records) != len(wanted):
        bad.append(f"{len(records)} connections logged, not {len(wanted)}: {[r['mptcp'].get('id') for r in records]}")
    for r in records:
        if not ID.match(str(r["mptcp"].get("id"))):
            bad.append(f"no id: {r['mptcp'].get('id')!r}")
    for want in wanted:
        ident = want.get("id") or "x-*"
        ids = as_number_lists(ident)
        pool = [r for r in spare if r["mptcp"].get("id") in ids or ("x-*" in ids and str(r["mptcp"].get("id")).startswith("x-"))]
        found = next((r for r in pool if matches(want, r, streams)), None) or next((r for r in pool if first_match(want, r)), None) or (pool[0] if pool else None)
        if found is None:
            bad.append(f"connection {ident} not logged")
            continue
        spare.remove(found)
        check_one(want, found, streams, bad)


def check_one(want, record, streams, bad):
    m = record["mptcp"]
    name = m["id"]
    for key in PER_CONNECTION_KEYS:
        if key in want:
            got = m.get(key, False if key == "midstream" else None)
            if not allowed(got, want[key]):
                bad.append(f"{name}: {key} is {got!r}, not {want[key]!r}")
    for key in want.get("absent", []):
        if key in m:
            bad.append(f"{name}: has {key}")
    if "community_id" in want and not allowed(record.get("community_id"), want["community_id"]):
        bad.append(f"{name}: community_id {record.get('community_id')}, not {want['community_id']}")
    if record.get("proto") != "TCP":
        bad.append(f"{name}: proto is {record.get('proto')!r}")
    if "visibility" in want:
        got, choices = m.get("visibility", -1), as_number_lists(want["visibility"])
        if got is None or all(abs(got - v) > 0.01 for v in choices):
            bad.append(f"{name}: visibility {got}, not {want['visibility']}")
    listed = m.get("subflows", [])
    if "subflows" in want:
        took = [f for f in listed if f.get("state") not in ("attempted", "failed")]
        if not any(n in (len(took),) for n in as_number_lists(want["subflows"])):
            bad.append(f"{name}: {len(took)} subflows took part, not {want['subflows']}")
    for way in ("toserver", "toclient"):
        if way not in want:
            continue
        data = stream(streams, name, way)
        if "bytes" in want[way] and not allowed(m.get("bytes_" + way), want[way]["bytes"]):
            bad.append(f"{name}: bytes_{way} is {m.get('bytes_' + way)}, not {want[way]['bytes']}")
        if "sha256" in want[way] and not allowed(hashlib.sha256(data).hexdigest(), want[way]["sha256"]):
            bad.append(f"{name}: {way} stream ({len(data)} octets) is not what counts as delivered ({want[way].get('bytes')} octets)")
    check_subflows(want, record, listed, bad)


def check_subflows(want, record, listed, bad):
    name, details = record["mptcp"]["id"], want.get("subflow_list", [])
    if details and want.get("subflow_list_exact", True) and len(listed) != len(details):
        bad.append(f"{name}: {len(listed)} subflows listed, not {len(details)}")
    for w in details:
        f = next((f for f in listed if f.get("id") == w["id"]), None)
        if f is None:
            bad.append(f"{name}: no subflow {w['id']}")
            continue
        for key, value in w.items():
            if key == "capture_points":
                if sorted(f.get(key, [])) != sorted(value):
                    bad.append(f"{name}/{w['id']}: capture points {f.get(key)}, not {value}")
            elif key != "seen_as" and not allowed(f.get(key), value):
                bad.append(f"{name}/{w['id']}: {key} is {f.get(key)!r}, not {value!r}")
        for address in w.get("seen_as", []):
            if address not in json.dumps(f.get("seen_as", "")):
                bad.append(f"{name}/{w['id']}: seen_as does not name {address}: {f.get('seen_as')!r}")
    if details and listed:
        for key in ("src_ip", "src_port", "dest_ip", "dest_port"):
            if key in details[0] and not allowed(record.get(key), details[0][key]):
                bad.append(f"{name}: {key} of the record is {record.get(key)!r}, not {details[0][key]!r}")


def check_anomalies(exp, records, names, bad):
    mine = [r for r in records if r["anomaly"].get("type") == "mptcp"]
    events = {}
    for r in mine:
        events.setdefault(r["anomaly"].get("event"), []).append(r)
        if not isinstance(r["anomaly"].get("detail", {}), dict):
            bad.append(f"anomaly {r['anomaly'].get('event')}: detail is no object")
    fine = set(exp.get("anomalies", [])) | set(exp.get("may_anomalies", []))
    for event in exp.get("anomalies", []):
        if event not in events:
            bad.append(f"anomaly {event} not raised")
    for event in exp.get("not_anomalies", []):
        wrong = set(events) - fine if event == "*" else set(events) & {event}
        if wrong:
            bad.append(f"anomalies that must not be raised: {sorted(wrong)}")
    for event, found in events.items():
        per = {}
        for r in found:
            per.setdefault(r.get("mptcp", {}).get("id"), []).append(r)
        for ident, rs in per.items():
            if ident and len(rs) > 1 and not exp.get("repeats_allowed"):
                bad.append(f"anomaly {event} raised {len(rs)} times for {ident}")
    for event, detail in exp.get("anomaly_details", {}).items():
        if event in events and not any(all(r["anomaly"].get("detail", {}).get(k) == v for k, v in detail.items()) for r in events[event]):
            bad.append(f"anomaly {event}: no detail {detail} in {[r['anomaly'].get('detail') for r in events[event]]}")
    for event, ident in exp.get("anomaly_on", {}).items():
        if event in events and not any(r.get("mptcp", {}).get("id") == ident for r in events[event]):
            bad.append(f"anomaly {event} is not on {ident}")
    for event, count in exp.get("anomaly_counts", {}).items():
        if not allowed(len(events.get(event, [])), count):
            bad.append(f"anomaly {event} raised {len(events.get(event, []))} times, not {count}")


def check_alerts(exp, records, bad):
    fired = {}
    for r in records:
        fired.setdefault(r["alert"].get("signature_id"), []).append(r)
    for want in exp.get("alerts", []):
        want = want if isinstance(want, dict) else {"sid": want}
        hits = fired.get(want["sid"], [])
        if not hits:
            bad.append(f"alert {want['sid']} missed")
        keys = [k for k in ("split", "subflows", "dsn_first", "dsn_last", "direction") if k in want]
        seen = [{k: h.get("direction") if k == "direction" else h.get("mptcp", {}).get(k) for k in keys} for h in hits]
        if hits and not any(all(one[k] == want[k] for k in keys) for one in seen):
            bad.append(f"alert {want['sid']}: {seen}, not {({k: want[k] for k in keys})}")
    for sid in exp.get("not_alerts", []):
        if sid in fired:
            bad.append(f"alert {sid} must not fire")
    for sid, count in exp.get("alert_counts", {}).items():
        if len(fired.get(int(sid), [])) != count:
            bad.append(f"alert {sid} fired {len(fired.get(int(sid), []))} times, not {count}")


def at_path(record, path):
    for part in path.split("."):
        if not isinstance(record, dict) or part not in record:
            return None
        record = record[part]
    return record


def check_records(exp, records, bad):
    for want in exp.get("records", []):
        pool = [r for r in records if r["event_type"] == want["event_type"]]
        fits = lambda r: all(at_path(r, k[1:]) in v if k[0] == "@" else at_path(r, k) == v for k, v in want.items())
        if not any(map(fits, pool)):
            bad.append(f"no record {want} among {len(pool)}: {[{k: at_path(r, k.lstrip('@')) for k in want} for r in pool[:3]]}")
    for kind, count in exp.get("record_counts", {}).items():
        found = sum(r["event_type"] == kind for r in records)
        if not allowed(found, count):
            bad.append(f"{found} records of {kind}, not {count}")


def counter(stats, name):
    """`mptcp.unanswered`, whether written flat or nested."""
    if name in stats:
        return stats[name]
    for part in name.split("."):
        if not isinstance(stats, dict) or part not in stats:
            return None
        stats = stats[part]
    return stats


def check_stats(exp, records, bad):
    if not exp.get("stats"):
        return
    if not records:
        bad.append("no stats record")
        return
    last = records[-1].get("stats", {})
    for name, value in exp["stats"].items():
        if not allowed(counter(last, name), value):
            bad.append(f"stats {name} is {counter(last, name)!r}, not {value!r}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--weir", default="build/weir")
    ap.add_argument("--timeout", type=float, default=60)
    ap.add_argument("--only", default="")
    ap.add_argument("--jobs", type=int, default=1)
    ap.add_argument("--no-rules", dest="rules", action="store_false", help="without signatures: alerts are not asked for")
    ap.add_argument("--verbose", action="store_true", help="everything that is wrong, not the first four")
    ap.add_argument("dirs", nargs="*", default=[os.path.join(os.path.dirname(os.path.abspath(__file__)), "out")])
    args = ap.parse_args()
    if not os.access(args.weir, os.X_OK):
        print(f"no program {args.weir}: build it first")
        return 1
    weir = os.path.abspath(args.weir)
    folders = []
    for root in args.dirs:
        for folder, dirs, names in os.walk(root):
            dirs.sort()
            if "expected.json" in names and args.only in folder:
                folders.append(folder)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for folder, bad in zip(folders, pool.map(lambda f: run_one(weir, f, args.timeout, args.rules), folders)):
            if bad:
                failed += 1
                shown = bad if args.verbose else bad[:4]
                print(f"FAIL {os.path.basename(folder)}: " + "; ".join(shown) + (f"; and {len(bad) - len(shown)} more" if len(bad) > len(shown) else ""))
    print(f"{len(folders) - failed} passed, {failed} failed")
    return 1 if failed or not folders else 0


if __name__ == "__main__":
    sys.exit(main())

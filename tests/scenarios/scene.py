"""A scenario: a clock, the packets in the order of their sending, the files they go to and what is expected of them."""
import hashlib
import json
import os
import random

import files
import links

ALL = {}


def scenario(family):
    """Registers a function `f(s)`; its name is the scenario's, its docstring the one-sentence description."""
    def register(f):
        name = f"{family}_{f.__name__}"
        assert name not in ALL, name
        ALL[name] = f
        return f
    return register


def variants(family, **table):
    """Registers `f(s, value)` once for each keyword, its name appended."""
    def register(f):
        for suffix, value in table.items():
            def run(s, value=value):
                f(s, value)
            run.__doc__ = f"{f.__doc__.strip()} [{suffix}]"
            name = f"{family}_{f.__name__}_{suffix}"
            assert name not in ALL, name
            ALL[name] = run
        return f
    return register


def digest_of(data):
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


class Scene:
    def __init__(self, name, description):
        self.name = name
        self.rng = random.Random("weir scenario " + name)
        self.start = 1_700_000_000.0 + self.rng.randrange(10**6)
        self.now = self.start
        self.packets = []               # (time, Segment)
        self.conns = []
        self.exp = {"description": description, "captures": [], "args": [], "rules": None, "connections": [], "alerts": [],
                    "not_alerts": [], "anomalies": [], "not_anomalies": ["*"]}
        self.out = {}                   # file name -> octets

    # -- what happens
    def tick(self, seconds=0.0003):
        self.now += seconds

    def emit(self, segment, gap=0.0003):
        self.now += gap
        self.packets.append((self.now, segment))
        return segment

    def data(self, size):
        return self.rng.randbytes(size)

    # -- what is written
    def write(self, name="capture.pcap", packets=None, link=files.ETHERNET, wrap=links.ether, skew=0.0, change=None, **form):
        """Writes packets (all, unless given) as one capture; `change(segment)` gives a segment, several, or None."""
        frames = []
        for when, seg in self.packets if packets is None else packets:
            made = change(seg) if change else seg
            if made is None:
                continue
            for one in made if isinstance(made, list) else [made]:
                frames.append((when + skew, one if isinstance(one, bytes) else wrap(one.ip())))
        self.put(name, files.pcap(frames, link=link, **form))

    def put(self, name, octets, listed=True):
        self.out[name] = octets
        if listed:
            self.exp["captures"].append(name)

    # -- what is expected
    def expect(self, **more):
        self.exp.update(more)

    def raises(self, *events, may=()):
        self.exp["anomalies"] = sorted(set(self.exp["anomalies"]) | set(events))
        if may:
            self.exp["may_anomalies"] = sorted(set(self.exp.get("may_anomalies", [])) | set(may))

    def ambiguity(self, text):
        self.exp["ambiguity"] = text

    def stats(self, **counters):
        self.exp.setdefault("stats", {}).update({k.replace("__", "."): v for k, v in counters.items()})

    def finish(self, root):
        if not self.exp["captures"]:
            self.write()
        folder = os.path.join(root, self.name)
        os.makedirs(folder, exist_ok=True)
        for conn in self.conns:
            record = conn.expectation()
            if record:
                self.exp["connections"].append(record)
        secrets = sorted({key for conn in self.conns for key in conn.secrets()})
        if secrets:
            self.exp["secrets"] = secrets
        for name, octets in self.out.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(octets)
        with open(os.path.join(folder, "expected.json"), "w") as f:
            json.dump(self.exp, f, indent=1)
            f.write("\n")

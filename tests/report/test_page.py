#!/usr/bin/env python3
"""Opens report pages in headless Chromium and looks at what the browser made of them."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

# Run after the page's own script: the outcome goes into the title of the DOM that is dumped.
PROBE = """<script>
const drawn = (c) => { const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; for (let i = 3; i < d.length; i += 4) if (d[i]) return true; return false; };
const before = document.querySelectorAll(".row").length;
const search = document.getElementById("search");
const result = {
  ready: document.documentElement.dataset.ready, rows: before, heading: document.querySelector("h2") ? document.querySelector("h2").textContent : "",
  plots: [...document.querySelectorAll("canvas")].map((c) => [c.dataset.plot, drawn(c)]), findings: document.querySelectorAll(".finding").length,
  marks: [57840, 57850].map((n) => size(n, 10)).concat([1003500, 1004000].map((t) => seconds(t, 500)), size(160000, 20000), size(57840)),
  injected: document.querySelectorAll("b.injected").length, errors: window.pageErrors, wide: document.documentElement.scrollWidth - innerWidth,
};
const before_theme = document.documentElement.dataset.theme;
document.getElementById("theme").click();
result.toggled = document.documentElement.dataset.theme !== before_theme;
document.title = "RESULT" + JSON.stringify(result) + "END";
</script></body>"""


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def look(page, folder, width=1400, deadline=60):
    """What PROBE says of a page, and the seconds that it took."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    text = text.replace("<body>", "<body><script>window.pageErrors=[];addEventListener('error',(e)=>pageErrors.push(e.message));</script>", 1)
    assert text.rstrip().endswith("</html>")
    text = text.replace("</body>", PROBE.replace("\\", "\\\\"), 1)
    probed = os.path.join(folder, "probed.html")
    with open(probed, "w", encoding="utf-8") as file:
        file.write(text)
    profile = tempfile.mkdtemp(dir=folder)
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage".split()
    began = time.monotonic()
    run = subprocess.run([chromium(), *flags, f"--user-data-dir={profile}", f"--window-size={width},1200", "--dump-dom", "file://" + probed],
                         capture_output=True, text=True, timeout=deadline)
    took = time.monotonic() - began
    found = re.search(r"<title>RESULT(.*?)END</title>", run.stdout, re.S)
    assert found, "the page's script did not come to its end: " + run.stderr[-400:]
    return json.loads(found.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")), took


def page_of(weir, folder, captures, *options):
    page = os.path.join(folder, "page.html")
    run = subprocess.run([weir, "inspect", "--quiet", "--report", page, *options, *captures], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    with open(page, encoding="utf-8") as file:
        assert not re.search(r"(src|href)=|https?://(?!www\.w3\.org)", file.read()), "the page asks for something outside of itself"
    return page


def sample(weir, samples, folder):
    here = os.path.join(samples, "split-signature")
    captures = [os.path.join(here, name) for name in ("path1-client.pcap", "path2-client.pcap")]
    page = page_of(weir, folder, captures, "--rules", os.path.join(here, "split.rules"))
    for width in (1400, 500):
        seen, _ = look(page, folder, width)
        assert seen["errors"] == [], seen
        assert seen["heading"] == "10.1.1.104:31939 → 10.1.2.92:8000", seen
        assert seen["rows"] == 1 and seen["findings"] == 10 and seen["toggled"], seen
        assert seen["marks"] == ["57.84 kB", "57.85 kB", "1.0035 s", "1.0040 s", "160 kB", "58 kB"], f"marks of a zoomed axis: {seen['marks']}"
        assert seen["wide"] <= 0, f"wider than a window of {width}: {seen}"
        kinds = [kind for kind, drawn in seen["plots"] if drawn]
        for kind in ("dsn", "ribbon", "throughput", "timeline"):
            assert kind in kinds, (kind, seen)


def twenty_thousand(weir, samples, folder):
    """The page's own data, repeated: 20,000 lines, with names that would do harm if they were not text."""
    here = os.path.join(samples, "split-signature")
    page = page_of(weir, folder, [os.path.join(here, "path1-client.pcap")])
    with open(page, encoding="utf-8") as file:
        text = file.read()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    data = json.loads(found.group(1))
    one = {k: v for k, v in data["list"][0].items() if k not in ("points", "runs", "options", "findings", "applications", "leftOut")}
    data["list"] = [dict(one, id=f"{i:08x}-00000000", client=f"<b class=injected>{i}</b>", alerts=i % 7 == 0) for i in range(20_000)]
    data["head"].update(connections=20_000, listed=20_000)
    text = text.replace(found.group(1), json.dumps(data).replace("<", "\\u003c"))
    with open(page, "w", encoding="utf-8") as file:
        file.write(text)
    seen, took = look(page, folder, deadline=60)
    assert seen["ready"] == "20000" and seen["errors"] == [] and seen["injected"] == 0, seen
    assert 0 < seen["rows"] < 100, "rows out of view are made, too"
    print(f"20,000 connections: ready, the browser's start included, after {took:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--samples", required=True)
    args = parser.parse_args()
    if not chromium():
        print("SKIPPED: there is no chromium")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        sample(args.weir, args.samples, folder)
        twenty_thousand(args.weir, args.samples, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"use strict";
// Text of the captures goes into the page by textContent only.
const data = JSON.parse(document.getElementById("data").textContent);
const list = data.list;
const $ = (id) => document.getElementById(id);
const el = (name, cls, text) => {
  const e = document.createElement(name);
  if (cls) e.className = cls;
  if (text !== undefined) e.textContent = text;
  return e;
};
// Okabe and Ito's colours, which the colour-blind tell apart, lightened for the dark.
const LIGHT = ["#0072b2", "#e07b00", "#009e73", "#cc5f9e", "#56a5d8", "#b8860b", "#7a4fbf", "#6b7280"];
const DARK = ["#4aa8e8", "#f5a742", "#2fc79b", "#e88fc0", "#8cc8f2", "#e0c04a", "#b195f0", "#a3adbd"];
const dark = () => document.documentElement.dataset.theme === "dark";
const colour = (id) => (id === -1 ? css("--gap") : id === -2 ? css("--soft") : (dark() ? DARK : LIGHT)[id % 8]);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const count = (n) => n.toLocaleString("en");
// With a step: as many digits as tell two marks apart.
const digits = (unit, step, otherwise) => (step ? Math.min(9, Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9))) : otherwise);
const size = (n, step) => {
  if (n < 1000) return n.toFixed(digits(1, step, 0)) + " B";
  const units = ["kB", "MB", "GB", "TB"];
  let i = -1;
  do { n /= 1000; ++i; } while (n >= 999.5 && i < 3);
  return n.toFixed(digits(1000 ** (i + 1), step, n < 10 ? 1 : 0)) + " " + units[i];
};
const seconds = (us, step) => {
  if (us < 1000) return us.toFixed(digits(1, step, 0)) + " µs";
  if (us < 1e6) return (us / 1000).toFixed(digits(1000, step, us < 1e4 ? 1 : 0)) + " ms";
  return (us / 1e6).toFixed(digits(1e6, step, us < 1e7 ? 2 : 1)) + " s";
};
const when = (us) => new Date(us / 1000).toISOString().replace("T", " ").replace("Z", " UTC");
const WAYS = ["to the server", "to the client"];

const tip = $("tip");
const showTip = (event, text) => {
  if (!text) { tip.hidden = true; return; }
  tip.textContent = text;
  tip.hidden = false;
  const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const y = event.clientY + 16 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16;
  tip.style.left = Math.max(4, x) + "px";
  tip.style.top = y + "px";
};

// ---- totals
const totals = [["connections", count(data.head.connections)], ["subflows", count(data.head.subflows)], ["rebuilt", size(data.head.bytes)],
  ["alerts", count(data.head.alerts)], ["anomalies", count(data.head.anomalies)], ["from", data.head.captures.join(", ")]];
for (const [name, value] of totals) {
  const span = el("span", name === "alerts" && data.head.alerts ? "alarm" : "");
  span.append(el("b", "", value), " " + name);
  if (name === "from") span.replaceChildren("from ", el("b", "", value));
  $("totals").append(span);
}

// ---- list: only the rows in view exist
const ROW = 62;
let shown = [], chosen = -1;
const haystack = list.map((c) => [c.id, c.client, c.server, c.state, c.version, ...c.subflows.map((f) => f.client + " " + f.server)].join(" ").toLowerCase());
const KEYS = {
  interest: (c) => c.alerts * 1e6 + c.anomalies * 1e4 + (1 - c.seen) * 1e3 + c.subflows.length,
  t0: (c) => -c.t0, bytes: (c) => c.bytes[0] + c.bytes[1], subflows: (c) => c.subflows.length,
};
const FILTERS = { "": () => true, alerts: (c) => c.alerts > 0, anomalies: (c) => c.anomalies > 0, unseen: (c) => c.seen < 1, mptcp: (c) => c.version !== "TCP" };

function choose() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = FILTERS[$("filter").value], key = KEYS[$("order").value];
  shown = [];
  for (let i = 0; i < list.length; ++i) if (fits(list[i]) && words.every((w) => haystack[i].includes(w))) shown.push(i);
  shown.sort((a, b) => key(list[b]) - key(list[a]) || a - b);
  let text = count(shown.length) + " of " + count(data.head.connections) + " connections";
  if (data.head.listed < data.head.connections) text += "; the page lists " + count(data.head.listed) + ", the log has all";
  $("count").textContent = text;
  $("spacer").style.height = shown.length * ROW + "px";
  $("list").scrollTop = 0;
  rows();
}

function row(at) {
  const index = shown[at], c = list[index];
  const r = el("div", "row");
  r.style.top = at * ROW + "px";
  r.id = "row" + at;
  r.setAttribute("role", "option");
  r.setAttribute("aria-selected", index === chosen);
  const top = el("div", "top");
  top.append(el("span", "ends", c.client + " → " + c.server));
  const badges = el("span");
  if (c.alerts) badges.append(el("span", "badge alarm", c.alerts + (c.alerts === 1 ? " alert" : " alerts")));
  else if (c.anomalies) badges.append(el("span", "badge warn", c.anomalies + (c.anomalies === 1 ? " anomaly" : " anomalies")));
  top.append(badges);
  const low = el("div", "low");
  low.append(el("span", "", c.version), el("span", "", c.state));
  if (c.subflows.length) low.append(el("span", "", c.subflows.length + (c.subflows.length === 1 ? " subflow" : " subflows")));
  low.append(el("span", "", "↑ " + size(c.bytes[0])), el("span", "", "↓ " + size(c.bytes[1])));
  if (c.seen < 1) low.append(el("span", "", Math.floor(c.seen * 100) + " % seen"));
  r.append(top, low);
  r.addEventListener("click", () => open(index));
  return r;
}

function rows() {
  const box = $("list"), spacer = $("spacer");
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 4), last = Math.min(shown.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 4);
  const made = [];
  for (let i = first; i < last; ++i) made.push(row(i));
  spacer.replaceChildren(...made);
}
$("list").addEventListener("scroll", rows);
$("list").addEventListener("keydown", (e) => {
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[e.key];
  if (!step || !shown.length) return;
  e.preventDefault();
  const at = Math.min(shown.length - 1, Math.max(0, shown.indexOf(chosen) + step));
  const box = $("list");
  if (at * ROW < box.scrollTop) box.scrollTop = at * ROW;
  if ((at + 1) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (at + 1) * ROW - box.clientHeight;
  open(shown[at]);
});
for (const id of ["filter", "order"]) $(id).addEventListener("change", choose);
let typing = 0;
$("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(choose, 120); });

// ---- drawing
function canvas(parent, height, draw, at) {
  const c = el("canvas");
  c.style.height = height + "px";
  parent.append(c);
  const paint = () => {
    const w = c.clientWidth, ratio = devicePixelRatio || 1;
    c.width = Math.max(1, Math.round(w * ratio));
    c.height = Math.round(height * ratio);
    const g = c.getContext("2d");
    g.scale(ratio, ratio);
    g.clearRect(0, 0, w, height);
    g.font = "11px system-ui, sans-serif";
    draw(g, w, height);
  };
  c.paint = paint;
  if (at) {
    c.addEventListener("mousemove", (e) => { const b = c.getBoundingClientRect(); showTip(e, at(e.clientX - b.left, e.clientY - b.top, b.width)); });
    c.addEventListener("mouseleave", () => showTip(null, ""));
  }
  painters.push(paint);
  return c;
}
let painters = [];
const nice = (span, steps) => {
  const raw = span / steps, base = 10 ** Math.floor(Math.log10(raw || 1)), m = raw / base;
  return (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10) * base;
};
function axes(g, box, x0, x1, y0, y1, xText, yText) {
  g.strokeStyle = css("--grid");
  g.fillStyle = css("--soft");
  g.lineWidth = 1;
  g.textBaseline = "middle";
  g.textAlign = "right";
  const ys = nice(y1 - y0, 5);
  for (let y = Math.ceil(y0 / ys) * ys; y <= y1; y += ys) {
    const py = box.y(y);
    g.beginPath(); g.moveTo(box.l, py); g.lineTo(box.r, py); g.stroke();
    g.fillText(yText(y, ys), box.l - 6, py);
  }
  g.textBaseline = "top";
  g.textAlign = "center";
  const xs = nice(x1 - x0, Math.max(2, (box.r - box.l) / 110));
  for (let x = Math.ceil(x0 / xs) * xs; x <= x1; x += xs) g.fillText(xText(x, xs), Math.min(box.r - 14, Math.max(box.l + 10, box.x(x))), box.b + 5);
}
const spread = (points, fn) => { for (let i = 0; i < points.length; i += 6) fn(points[i], points[i + 1], points[i + 2], points[i + 3], points[i + 4], points[i + 5]); };

// Data sequence number over time, as mptcptrace draws it.
function plot(parent, c, d, full) {
  const points = c.points[d];
  const view = { ...full[d] };
  const alerts = c.findings.filter((f) => f.kind === "alert" && f.dir === d);
  const box = (w, h) => {
    const b = { l: 54, r: w - 8, t: 8, b: h - 22 };
    b.x = (t) => b.l + ((t - view.x0) / (view.x1 - view.x0)) * (b.r - b.l);
    b.y = (o) => b.b - ((o - view.y0) / (view.y1 - view.y0)) * (b.b - b.t);
    return b;
  };
  const height = 260;
  const cv = canvas(parent, height, (g, w, h) => {
    const b = box(w, h);
    axes(g, b, view.x0, view.x1, view.y0, view.y1, seconds, size);
    g.save();
    g.beginPath(); g.rect(b.l, b.t, b.r - b.l, b.b - b.t); g.clip();
    for (const f of alerts) {
      g.fillStyle = css("--alarm");
      g.globalAlpha = 0.18;
      const y = b.y(f.last + 1);
      g.fillRect(b.l, y - 1, b.r - b.l, Math.max(2, b.y(f.first) - y + 1));
      g.globalAlpha = 1;
    }
    spread(points, (t0, t1, first, end, subflow, again) => {
      const xa = b.x(t0), xb = b.x(t1), ya = b.y(first), yb = b.y(end);
      g.strokeStyle = colour(subflow);
      g.lineWidth = 2;
      g.beginPath(); g.moveTo(xa, ya); g.lineTo(Math.max(xb, xa + 0.01), Math.min(yb, ya - 1.5)); g.stroke();
      if (again) {
        g.strokeStyle = css("--again");
        g.lineWidth = 1.2;
        g.beginPath(); g.arc(xa, ya, 3.5, 0, 7); g.stroke();
      }
    });
    let from = 0;
    for (let i = 0; i < c.runs[d].length; i += 2) {
      if (c.runs[d][i + 1] === -1) {
        g.fillStyle = css("--gap");
        g.globalAlpha = 0.35;
        const y = b.y(c.runs[d][i]);
        g.fillRect(b.l, y, b.r - b.l, Math.max(1.5, b.y(from) - y));
        g.globalAlpha = 1;
      }
      from = c.runs[d][i];
    }
    g.restore();
    g.strokeStyle = css("--line");
    g.strokeRect(b.l, b.t, b.r - b.l, b.b - b.t);
  }, (x, y, w) => {
    const b = box(w, height);
    let best = null, distance = 14;
    spread(points, (t0, t1, first, end, subflow, again) => {
      const px = b.x((t0 + t1) / 2), py = b.y((first + end) / 2), reach = Math.hypot(Math.max(0, Math.abs(px - x) - (b.x(t1) - b.x(t0)) / 2), Math.max(0, Math.abs(py - y) - (b.y(first) - b.y(end)) / 2));
      if (reach < distance) { distance = reach; best = "subflow " + subflow + (again ? ", sent again" : "") + "\nbytes " + count(first) + " to " + count(end - 1) + "\nat " + seconds(t0); }
    });
    return best;
  });
  cv.dataset.plot = "dsn";
  cv.tabIndex = 0;
  cv.setAttribute("role", "img");
  cv.setAttribute("aria-label", "Data sequence number over time, " + WAYS[d]);
  const zoom = (factor, fx, fy) => {
    for (const [lo, hi, f] of [["x0", "x1", fx], ["y0", "y1", fy]]) {
      const middle = view[lo] + (view[hi] - view[lo]) * f, span = Math.min((view[hi] - view[lo]) * factor, full[d][hi] - full[d][lo]);
      view[lo] = Math.max(full[d][lo], Math.min(middle - span * f, full[d][hi] - span));
      view[hi] = view[lo] + span;
    }
    cv.paint();
  };
  const move = (dx, dy) => {
    for (const [lo, hi, by] of [["x0", "x1", dx], ["y0", "y1", dy]]) {
      const span = view[hi] - view[lo];
      view[lo] = Math.max(full[d][lo], Math.min(view[lo] + span * by, full[d][hi] - span));
      view[hi] = view[lo] + span;
    }
    cv.paint();
  };
  cv.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.shiftKey && document.activeElement !== cv) return;
    e.preventDefault();
    const b = box(cv.clientWidth, height), r = cv.getBoundingClientRect();
    zoom(e.deltaY > 0 ? 1.25 : 0.8, (e.clientX - r.left - b.l) / (b.r - b.l), (b.b - (e.clientY - r.top)) / (b.b - b.t));
  }, { passive: false });
  cv.addEventListener("keydown", (e) => {
    const act = { "+": () => zoom(0.7, 0.5, 0.5), "-": () => zoom(1.4, 0.5, 0.5), ArrowLeft: () => move(-0.15, 0), ArrowRight: () => move(0.15, 0), ArrowUp: () => move(0, 0.15), ArrowDown: () => move(0, -0.15), "0": () => { Object.assign(view, full[d]); cv.paint(); } }[e.key];
    if (act) { e.preventDefault(); act(); }
  });
  let grip = null;
  cv.addEventListener("pointerdown", (e) => { grip = [e.clientX, e.clientY]; cv.focus(); cv.setPointerCapture(e.pointerId); });
  cv.addEventListener("pointerup", () => { grip = null; });
  cv.addEventListener("pointermove", (e) => {
    if (!grip) return;
    move((grip[0] - e.clientX) / cv.clientWidth, (e.clientY - grip[1]) / height);
    grip = [e.clientX, e.clientY];
  });
  cv.addEventListener("dblclick", () => { Object.assign(view, full[d]); cv.paint(); });
}

// Which subflow carried which part of the stream, alerts marked above it.
function ribbon(parent, c, d) {
  const runs = c.runs[d], end = runs.length ? runs[runs.length - 2] : 0;
  if (!end) return;
  parent.append(el("p", "hint", WAYS[d] + ", " + size(end)));
  const alerts = c.findings.filter((f) => f.kind === "alert" && f.dir === d);
  const cv = canvas(parent, 44, (g, w, h) => {
    let from = 0;
    for (let i = 0; i < runs.length; i += 2) {
      const x = (from / end) * w, r = (runs[i] / end) * w;
      g.fillStyle = colour(runs[i + 1]);
      g.fillRect(x, 14, Math.max(r - x, 0.6), h - 14);
      from = runs[i];
    }
    for (const f of alerts) {
      const x = ((f.first + f.last) / 2 / end) * w, left = (f.first / end) * w, right = ((f.last + 1) / end) * w;
      g.fillStyle = css("--alarm");
      g.beginPath(); g.moveTo(x - 5, 1); g.lineTo(x + 5, 1); g.lineTo(x, 11); g.fill();
      g.fillRect(left, 11, Math.max(2, right - left), 2);
    }
  }, (x, y, w) => {
    const offset = (x / w) * end;
    const hit = alerts.find((f) => y < 14 && Math.abs(((f.first + f.last) / 2 / end) * w - x) < 7);
    if (hit) return hit.sid + " " + hit.name + "\nbytes " + count(hit.first) + " to " + count(hit.last) + "\nover subflows " + hit.subflows.join(", ");
    let from = 0;
    for (let i = 0; i < runs.length; i += 2) {
      if (offset < runs[i]) return (runs[i + 1] === -1 ? "not seen" : runs[i + 1] === -2 ? "several subflows" : "subflow " + runs[i + 1]) + "\nbytes " + count(from) + " to " + count(runs[i] - 1);
      from = runs[i];
    }
    return "";
  });
  cv.dataset.plot = "ribbon";
  cv.setAttribute("role", "img");
  cv.setAttribute("aria-label", "Which subflow carried which part of the stream, " + WAYS[d]);
}

function throughput(parent, c, full) {
  const BINS = 60, span = Math.max(1, full[0].x1);
  const sums = new Map();
  for (const points of c.points) {
    spread(points, (t0, t1, first, end, subflow) => {
      if (!sums.has(subflow)) sums.set(subflow, new Float64Array(BINS));
      const a = Math.min(BINS - 1, Math.floor((t0 / span) * BINS)), b = Math.min(BINS - 1, Math.floor((t1 / span) * BINS));
      for (let i = a; i <= b; ++i) sums.get(subflow)[i] += (end - first) / (b - a + 1);
    });
  }
  const per = span / BINS / 1e6;
  let most = 1;
  for (const s of sums.values()) for (const v of s) most = Math.max(most, v / per);
  const cv = canvas(parent, 160, (g, w, h) => {
    const b = { l: 64, r: w - 8, t: 8, b: h - 22 };
    b.x = (t) => b.l + (t / span) * (b.r - b.l);
    b.y = (v) => b.b - (v / most) * (b.b - b.t);
    axes(g, b, 0, span, 0, most, seconds, (v, step) => size(v, step) + "/s");
    for (const [id, s] of [...sums].sort((x, y) => x[0] - y[0])) {
      g.strokeStyle = colour(id);
      g.lineWidth = 1.8;
      g.beginPath();
      for (let i = 0; i < BINS; ++i) g.lineTo(b.x(((i + 0.5) / BINS) * span), b.y(s[i] / per));
      g.stroke();
    }
  });
  cv.dataset.plot = "throughput";
  cv.setAttribute("role", "img");
  cv.setAttribute("aria-label", "Throughput of each subflow over time");
}

function timeline(parent, c, full) {
  const lanes = c.subflows.length ? c.subflows.map((f) => f.id) : [0], span = Math.max(1, full[0].x1), LANE = 30;
  const place = (o, w) => [84 + (o.t / span) * (w - 96), 14 + Math.max(0, lanes.indexOf(o.subflow)) * LANE];
  const cv = canvas(parent, lanes.length * LANE + 22, (g, w, h) => {
    g.textBaseline = "middle";
    lanes.forEach((id, i) => {
      const y = 14 + i * LANE;
      g.textAlign = "left";
      g.fillStyle = css("--soft");
      g.fillText("subflow " + id, 2, y);
      g.strokeStyle = colour(id);
      g.lineWidth = 2;
      g.beginPath(); g.moveTo(84, y); g.lineTo(w - 12, y); g.stroke();
    });
    const taken = [];
    for (const o of c.options) {
      const [x, y] = place(o, w);
      g.fillStyle = css("--card");
      g.strokeStyle = colour(o.subflow);
      g.lineWidth = 2;
      g.beginPath();
      if (/RST|FAIL|FASTCLOSE/.test(o.name)) g.rect(x - 4, y - 4, 8, 8); else g.arc(x, y, 4.5, 0, 7);
      g.fill(); g.stroke();
      const wide = g.measureText(o.name).width, left = Math.min(x - wide / 2, w - wide - 2);
      if (taken.some((t) => t.y === y && left < t.r + 6 && left + wide > t.l - 6)) continue;
      taken.push({ y, l: left, r: left + wide });
      g.fillStyle = css("--soft");
      g.textAlign = "left";
      g.fillText(o.name, left, y + 13);
    }
    g.textAlign = "center";
    g.textBaseline = "bottom";
    g.fillStyle = css("--soft");
    for (const f of [0, 0.5, 1]) g.fillText(seconds(f * span), Math.min(w - 20, 84 + f * (w - 96)), h);
  }, (x, y, w) => {
    const near = c.options.filter((o) => { const [ox, oy] = place(o, w); return Math.hypot(ox - x, oy - y) < 8; }).slice(0, 6);
    return near.map((o) => o.name + (o.detail ? " " + o.detail : "") + ", from the " + (o.dir ? "server" : "client") + " at " + seconds(o.t)).join("\n");
  });
  cv.dataset.plot = "timeline";
  cv.setAttribute("role", "img");
  cv.setAttribute("aria-label", "Options over time");
}

// ---- one connection
const card = (title) => { const s = el("section", "card"); if (title) s.append(el("h3", "", title)); $("detail").append(s); return s; };
function sentence(f) {
  if (f.kind !== "alert") return [f.text, Object.entries(f.detail).map(([k, v]) => k + ": " + v).join(", ")].filter(Boolean).join(" ");
  const over = f.split ? "cut over subflows " + f.subflows.join(", ") + ": no single path carried it whole" : f.subflows.length ? "all on subflow " + f.subflows[0] : "";
  return (f.category ? f.category + ". " : "") + "Bytes " + count(f.first) + " to " + count(f.last) + " of the stream " + WAYS[f.dir] + (over ? ", " + over : "") + ".";
}
function table(parent, heads, lines) {
  const box = el("div", "scroll"), t = el("table"), h = el("tr");
  for (const [text, n] of heads) h.append(el("th", n ? "n" : "", text));
  t.append(h);
  for (const line of lines) {
    const r = el("tr");
    line.forEach((text, i) => r.append(typeof text === "string" ? el("td", heads[i][1] ? "n" : heads[i][2] ? "wide" : "", text) : text));
    t.append(r);
  }
  box.append(t);
  parent.append(box);
}
function open(index) {
  chosen = index;
  rows();
  const c = list[index];
  painters = [];
  $("detail").replaceChildren();
  $("detail").scrollTop = 0;
  const head = card();
  head.append(el("h2", "", c.client + " → " + c.server));
  const facts = el("div", "facts");
  for (const [name, value] of [["connection", c.id], ["version", c.version], ["state", c.state], ["began", when(c.t0)], ["lasted", seconds(c.t1 - c.t0)], ["to the server", size(c.bytes[0])],
    ["to the client", size(c.bytes[1])], ["not seen", size(c.gaps[0] + c.gaps[1])], ["sent twice", size(c.duplicates)], ["visibility", (Math.floor(c.seen * 1e4) / 100) + " %"]]) {
    const f = el("span", "", name);
    f.prepend(el("b", "", value));
    facts.append(f);
  }
  head.append(facts);
  if (!c.points) {
    card().append(el("p", "", c.alerts || c.anomalies ? "There are findings; the log has them. " : "", ), el("p", "", "Plots are kept for the " + count(data.head.detailed) + " most interesting connections; this is none of them."));
  } else {
    if (c.findings.length) {
      const all = card(c.findings.length === 1 ? "Finding" : count(c.findings.length) + " findings"), s = el("div", "findings");
      all.append(s);
      s.tabIndex = 0;
      for (const f of c.findings) {
        const box = el("div", "finding " + f.kind);
        box.append(el("b", "", f.kind === "alert" ? f.sid + " " + f.name : f.name.replaceAll("_", " ")), el("p", "", sentence(f)));
        s.append(box);
      }
    }
    const span = Math.max(1000, c.t1 - c.t0);
    const full = c.points.map((points, d) => {
      let top = 1;
      spread(points, (t0, t1, first, end) => { top = Math.max(top, end); });
      const runs = c.runs[d];
      if (runs.length) top = Math.max(top, runs[runs.length - 2]);
      return { x0: 0, x1: span * 1.02, y0: 0, y1: top * 1.03 };
    });
    const s = card("Data sequence number over time");
    const legend = el("div", "legend");
    for (const f of c.subflows.length ? c.subflows : [{ id: 0, client: c.client, server: c.server }]) {
      const item = el("span"), dot = el("i");
      dot.style.background = colour(f.id);
      item.append(dot, "subflow " + f.id + " (" + f.client + " → " + f.server + ")");
      legend.append(item);
    }
    for (const [name, text] of [["--again", "○ sent again"], ["--gap", "not seen, or matched by an alert"]]) {
      const item = el("span", "", text);
      if (name === "--gap") { const dot = el("i"); dot.style.background = css("--alarm"); dot.style.opacity = 0.4; item.prepend(dot); }
      legend.append(item);
    }
    s.append(legend);
    const plots = el("div", "plots");
    s.append(plots);
    for (const d of [0, 1]) {
      if (!c.points[d].length) continue;
      const p = el("div");
      p.append(el("p", "hint", WAYS[d]));
      plots.append(p);
      plot(p, c, d, full);
    }
    if (!plots.children.length) plots.append(el("p", "hint", "No data."));
    s.append(el("p", "hint", "Click a plot, then turn the wheel or press + and − to zoom; drag or use the arrows to move; double click or 0 for all."));
    const r = card("Who carried which part of the stream");
    for (const d of [0, 1]) ribbon(r, c, d);
    throughput(card("Throughput of each subflow"), c, full);
    timeline(card("Options and ends"), c, full);
    if (c.applications.length) table(card("Applications"), [["", false], ["", false, true], ["", false, true]], c.applications.map((a) => [a.kind, a.text, a.more]));
    if (c.leftOut) card().append(el("p", "hint", count(c.leftOut) + " more findings, options or records are in the log only."));
  }
  if (c.subflows.length) {
    table(card("Subflows"), [["id"], ["client"], ["server"], ["opened by"], ["authentic"], ["state"], ["to the server", true], ["to the client", true], ["seen at", false, true]],
      c.subflows.map((f) => {
        const id = el("td"), dot = el("i");
        dot.style.cssText = "display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px;vertical-align:-1px;background:" + colour(f.id);
        id.append(dot, f.id + (f.backup ? " (backup)" : ""));
        return [id, f.client, f.server, f.opener, f.auth, f.state, size(f.bytes[0]), size(f.bytes[1]), f.points.join(", ")];
      }));
  }
  for (const paint of painters) paint();
}

// ---- theme, size
const repaint = () => { if (chosen >= 0) open(chosen); };
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
$("theme").addEventListener("click", () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; repaint(); });
let resizing = 0;
addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => { rows(); for (const paint of painters) paint(); }, 80); });

choose();
if (shown.length) open(shown[0]);
else $("detail").append(el("p", "", "No connection in the input."));
document.documentElement.dataset.ready = String(list.length);

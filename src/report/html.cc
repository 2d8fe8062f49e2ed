#include "report/html.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "report/explain.h"
#include "report/json.h"
#include "report/names.h"
#include "report/page.h"
#include "report/write_all.h"

namespace weir::report {
namespace {

using engine::Direction;

std::string ends_text(const IpAddress& address, std::uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", to_string(address), port) : fmt::format("[{}]:{}", to_string(address), port);
}

/// Inside a script element only "</" and "<!--" end or change it.
std::string for_script(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

std::int64_t microseconds(TimeNs time, TimeNs from) { return (time - from) / 1'000; }

}  // namespace

std::expected<std::unique_ptr<HtmlReport>, Problem> HtmlReport::open(const std::string& path, PointNames points) {
  std::string temporary = path + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(system_problem(path, errno));
  ::fchmod(descriptor, 0640);
  return std::unique_ptr<HtmlReport>(new HtmlReport(path, std::move(temporary), descriptor, std::move(points)));
}

HtmlReport::~HtmlReport() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

HtmlReport::Live* HtmlReport::live(std::uint64_t number) {
  if (const auto found = live_.find(number); found != live_.end()) return found->second.get();
  if (live_.size() >= kLive) return nullptr;
  return (live_[number] = std::make_unique<Live>()).get();
}

/// Halves the number of points: neighbours of one subflow become one.
void HtmlReport::thin(std::vector<Point>& points) {
  std::ranges::stable_sort(points, {}, [](const Point& p) { return std::pair(p.subflow, p.from_ns); });
  std::vector<Point> fewer;
  for (std::size_t i = 0; i < points.size(); ++i) {
    Point p = points[i];
    if (i + 1 < points.size() && points[i + 1].subflow == p.subflow && points[i + 1].again == p.again) {
      const Point& q = points[++i];
      p.to_ns = std::max(p.to_ns, q.to_ns);
      p.first = std::min(p.first, q.first);
      p.end = std::max(p.end, q.end);
    }
    fewer.push_back(p);
  }
  points = std::move(fewer);
  std::ranges::stable_sort(points, {}, &Point::from_ns);
}

void HtmlReport::add_run(std::vector<Run>& runs, std::uint64_t end, std::int64_t subflow) {
  if (!runs.empty() && (runs.back().subflow == subflow || (runs.back().subflow == -2 && runs.size() > kRuns))) {
    runs.back().end = end;
    return;
  }
  runs.push_back({end, subflow});
  if (runs.size() <= kRuns * 2) return;
  std::vector<Run> fewer;
  for (std::size_t i = 0; i < runs.size(); i += 2) {
    if (i + 1 == runs.size()) {
      fewer.push_back(runs[i]);
    } else {
      const std::int64_t both = runs[i].subflow == runs[i + 1].subflow ? runs[i].subflow : runs[i].subflow == -1 || runs[i + 1].subflow == -1 ? -1 : -2;
      fewer.push_back({runs[i + 1].end, both});
    }
  }
  runs = std::move(fewer);
}

void HtmlReport::on_mapped(const engine::ConnectionInfo& info, const engine::MappedArrival& a) {
  Live* const l = live(info.number);
  if (l == nullptr) return;
  auto& points = l->points[index(a.direction)];
  if (!points.empty()) {
    Point& last = points.back();
    const bool follows = last.subflow == a.subflow && last.again == a.seen_before && last.end == a.offset && a.time_ns - last.from_ns < 2'000'000;
    if (follows) {
      last.end = a.offset + a.bytes;
      last.to_ns = a.time_ns;
      return;
    }
  }
  points.push_back({a.time_ns, a.time_ns, a.offset, a.offset + a.bytes, a.subflow, a.seen_before});
  if (points.size() > kPoints * 2) thin(points);
}

void HtmlReport::on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) {
  if (Live* const l = live(info.number)) add_run(l->runs[index(chunk.direction)], chunk.offset + chunk.bytes.size(), chunk.subflow);
}

void HtmlReport::on_gap(const engine::ConnectionInfo& info, Direction d, std::uint64_t offset, std::uint64_t bytes, TimeNs) {
  if (Live* const l = live(info.number)) add_run(l->runs[index(d)], offset + bytes, -1);
}

void HtmlReport::on_option(const engine::ConnectionInfo& info, const engine::OptionSeen& option) {
  Live* const l = live(info.number);
  if (l == nullptr) return;
  const bool repeated = std::ranges::any_of(l->options, [&](const engine::OptionSeen& o) {
    return o.name == option.name && o.subflow == option.subflow && o.direction == option.direction && o.detail == option.detail &&
           (o.name == "DATA_FIN" || o.name == "FIN" || o.name == "RST" || o.name == "MP_JOIN");
  });
  if (repeated) return;
  if (l->options.size() >= kEvents) {
    ++l->options_left_out;
  } else {
    l->options.push_back(option);
  }
}

void HtmlReport::on_alert(const engine::AlertRecord& r) {
  ++alerts_;
  Live* const l = live(r.connection.number);
  if (l == nullptr) return;
  ++l->alerts;
  if (l->findings.size() >= kFindings) {
    ++l->findings_left_out;
    return;
  }
  JsonWriter json(l->findings.emplace_back());
  json.begin_object()
      .field("kind", "alert")
      .field("t", r.time_ns / 1'000)
      .field("sid", r.signature_id)
      .field("name", r.signature)
      .field("category", r.category);
  json.field("severity", r.severity).field("dir", index(r.direction)).field("first", r.dsn_first).field("last", r.dsn_last).field("split", r.split);
  json.key("subflows").begin_array();
  for (const std::uint32_t id : r.subflows) json.value(id);
  json.end_array().end_object();
}

void HtmlReport::on_anomaly(const engine::AnomalyRecord& r) {
  ++anomalies_;
  if (!r.connection) return;
  Live* const l = live(r.connection->number);
  if (l == nullptr) return;
  ++l->anomalies;
  if (l->findings.size() >= kFindings) {
    ++l->findings_left_out;
    return;
  }
  JsonWriter json(l->findings.emplace_back());
  json.begin_object()
      .field("kind", "anomaly")
      .field("t", r.time_ns / 1'000)
      .field("name", r.event)
      .field("text", explain_event(r.event))
      .key("detail")
      .begin_object();
  for (const auto& [name, value] : r.detail) {
    json.key(name);
    std::visit([&](const auto& known) { json.value(known); }, value);
  }
  json.end_object().end_object();
}

void HtmlReport::on_application(const engine::ApplicationRecord& record) {
  Live* const l = live(record.connection.number);
  if (l == nullptr) return;
  if (l->applications.size() >= kApplications) {
    ++l->applications_left_out;
    return;
  }
  JsonWriter json(l->applications.emplace_back());
  const auto text = [&](std::string_view kind, const std::string& what, const std::string& more) {
    json.begin_object().field("kind", kind).field("text", what).field("more", more).end_object();
  };
  if (const auto* http = std::get_if<inspect::apps::HttpRecord>(&record.what)) {
    text("http", fmt::format("{} {}{}", http->method, http->hostname, http->url),
         http->status ? fmt::format("{}, {} bytes", *http->status, http->response_bytes) : "no response seen");
  } else if (const auto* tls = std::get_if<inspect::apps::TlsRecord>(&record.what)) {
    text("tls", tls->sni.empty() ? tls->subject : tls->sni, fmt::format("{} {}", tls->version, tls->ja4));
  } else if (const auto* file = std::get_if<inspect::apps::FileRecord>(&record.what)) {
    text("file", file->name,
         fmt::format("{} bytes{}{}", file->bytes, file->complete ? "" : ", not whole", file->sha256.empty() ? "" : ", SHA-256 " + file->sha256));
  } else if (const auto* dns = std::get_if<inspect::apps::DnsRecord>(&record.what)) {
    text("dns", dns->name + " " + dns->type, dns->response ? dns->rcode : "query");
  }
}

std::string HtmlReport::detail_of(const Live& l, TimeNs first_ns) const {
  std::string out;
  JsonWriter json(out);
  json.key("points").begin_array();
  for (const auto& points : l.points) {
    json.begin_array();
    for (const Point& p : points) {
      json.value(microseconds(p.from_ns, first_ns)).value(microseconds(p.to_ns, first_ns)).value(p.first).value(p.end).value(p.subflow).value(p.again ? 1 : 0);
    }
    json.end_array();
  }
  json.end_array().key("runs").begin_array();
  for (const auto& runs : l.runs) {
    json.begin_array();
    for (const Run& run : runs) json.value(run.end).value(run.subflow);
    json.end_array();
  }
  json.end_array().key("options").begin_array();
  for (const engine::OptionSeen& o : l.options) {
    json.begin_object()
        .field("t", microseconds(o.time_ns, first_ns))
        .field("dir", index(o.direction))
        .field("subflow", o.subflow)
        .field("name", o.name)
        .field("detail", o.detail)
        .end_object();
  }
  json.end_array().key("findings").begin_array();
  for (const std::string& finding : l.findings) json.raw(finding);
  json.end_array().key("applications").begin_array();
  for (const std::string& application : l.applications) json.raw(application);
  json.end_array();
  json.field("leftOut", l.findings_left_out + l.options_left_out + l.applications_left_out);
  return out;
}

void HtmlReport::finish(std::uint64_t number, std::string line, double interest, TimeNs first_ns, const std::string& subflows) {
  ++connections_;
  const auto found = live_.find(number);
  std::unique_ptr<Live> l = found != live_.end() ? std::move(found->second) : nullptr;
  if (found != live_.end()) live_.erase(found);
  if (lines_.size() >= kConnections && (!l || l->alerts == 0)) return;
  if (l) {
    line += fmt::format(",\"alerts\":{},\"anomalies\":{}", l->alerts, l->anomalies);
    interest += l->alerts != 0 ? 1e6 + static_cast<double>(l->alerts) : 0.0;
    interest += l->anomalies != 0 ? 1e5 : 0.0;
  } else {
    line += ",\"alerts\":0,\"anomalies\":0";
    ++not_followed_;
  }
  line += ",\"subflows\":" + subflows;
  lines_.push_back({std::move(line), l ? detail_of(*l, first_ns) : "", interest});
  if (!l) return;
  detailed_.emplace_back(interest, lines_.size() - 1);
  std::ranges::push_heap(detailed_, std::greater{});
  if (detailed_.size() > kDetailed) {
    std::ranges::pop_heap(detailed_, std::greater{});
    lines_[detailed_.back().second].detail = {};
    detailed_.pop_back();
  }
}

namespace {

std::string line_start(const engine::ConnectionInfo& info, TimeNs last_ns, std::string_view version, std::string_view state, const std::uint64_t (&bytes)[2],
                       const std::uint64_t (&gaps)[2], double visibility) {
  std::string out;
  JsonWriter json(out);
  json.field("id", info.id).field("version", version).field("state", state).field("client", ends_text(info.endpoints.src, info.endpoints.src_port));
  json.field("server", ends_text(info.endpoints.dst, info.endpoints.dst_port)).field("t0", info.first_ns / 1'000).field("t1", last_ns / 1'000);
  json.key("bytes").begin_array().value(bytes[0]).value(bytes[1]).end_array();
  json.key("gaps").begin_array().value(gaps[0]).value(gaps[1]).end_array();
  json.key("seen").raw(fmt::format("{:.4f}", std::isfinite(visibility) ? visibility : 1.0));
  return out;
}

}  // namespace

void HtmlReport::on_connection(const engine::ConnectionRecord& r) {
  subflows_ += r.subflows.size();
  bytes_ += r.bytes[0] + r.bytes[1];
  if (first_ns_ == 0 || r.info.first_ns < first_ns_) first_ns_ = r.info.first_ns;
  last_ns_ = std::max(last_ns_, r.last_ns);
  std::string line = line_start(r.info, r.last_ns, r.version ? fmt::format("v{}", *r.version) : "MPTCP", name_of(r.state), r.bytes, r.gap_bytes, r.visibility);
  line += fmt::format(",\"duplicates\":{}", r.duplicate_bytes);
  std::string subflows;
  JsonWriter json(subflows);
  json.begin_array();
  for (const auto& f : r.subflows) {
    json.begin_object()
        .field("id", f.id)
        .field("client", ends_text(f.endpoints.src, f.endpoints.src_port))
        .field("server", ends_text(f.endpoints.dst, f.endpoints.dst_port));
    json.field("opener", f.opened_by_server ? "server" : "client").field("backup", f.backup).field("auth", name_of(f.auth)).field("state", name_of(f.state));
    json.key("bytes").begin_array().value(f.bytes[0]).value(f.bytes[1]).end_array().key("points").begin_array();
    for (const PointId point : f.points) json.value(points_(point));
    json.end_array().end_object();
  }
  json.end_array();
  const double interest =
      static_cast<double>(r.subflows.size()) * 100 + std::log2(1.0 + static_cast<double>(r.bytes[0] + r.bytes[1])) + (1 - r.visibility) * 1'000;
  finish(r.info.number, std::move(line), interest, r.info.first_ns, subflows);
}

void HtmlReport::on_flow(const engine::FlowRecord& r) {
  bytes_ += r.bytes[0] + r.bytes[1];
  if (first_ns_ == 0 || r.info.first_ns < first_ns_) first_ns_ = r.info.first_ns;
  last_ns_ = std::max(last_ns_, r.last_ns);
  const auto gaps = r.gap_bytes[0] + r.gap_bytes[1];
  const auto all = r.bytes[0] + r.bytes[1] + gaps;
  const double seen = all == 0 ? 1.0 : 1 - static_cast<double>(gaps) / static_cast<double>(all);
  std::string line = line_start(r.info, r.last_ns, "TCP", name_of(r.state), r.bytes, r.gap_bytes, seen);
  line += ",\"duplicates\":0";
  finish(r.info.number, std::move(line), std::log2(1.0 + static_cast<double>(r.bytes[0] + r.bytes[1])), r.info.first_ns, "[]");
}

std::optional<Problem> HtmlReport::close(const std::vector<std::string>& captures) {
  std::string head;
  JsonWriter json(head);
  json.begin_object().key("captures").begin_array();
  for (const std::string& capture : captures) json.value(capture);
  json.end_array()
      .field("connections", connections_)
      .field("subflows", subflows_)
      .field("bytes", bytes_)
      .field("alerts", alerts_)
      .field("anomalies", anomalies_);
  json.field("t0", first_ns_ / 1'000).field("t1", last_ns_ / 1'000).field("listed", lines_.size()).field("detailed", detailed_.size()).end_object();
  bool written = write_all(descriptor_, page_head()) &&
                 write_all(descriptor_, "<script type=\"application/json\" id=\"data\">{\"head\":" + for_script(head) + ",\"list\":[\n");
  for (std::size_t i = 0; written && i < lines_.size(); ++i) {
    const Line& line = lines_[i];
    written = write_all(descriptor_, for_script((i == 0 ? "{" : ",\n{") + line.json + (line.detail.empty() ? "" : "," + line.detail) + "}"));
  }
  written = written && write_all(descriptor_, "\n]}</script>\n") && write_all(descriptor_, page_tail());
  const int error = errno;
  const bool closed = ::close(descriptor_) == 0;
  descriptor_ = -1;
  if (written && closed && ::rename(temporary_.c_str(), path_.c_str()) == 0) return std::nullopt;
  Problem problem = system_problem(path_, written ? errno : error);
  ::unlink(temporary_.c_str());
  return problem;
}

}  // namespace weir::report

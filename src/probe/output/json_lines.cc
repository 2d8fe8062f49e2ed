#include "probe/output/json_lines.h"

#include <fmt/format.h>

#include "report/json.h"
#include "report/time_text.h"

namespace weir::probe::output {
namespace {

using report::JsonWriter;

constexpr double kNsPerMs = 1e6;

void append_evidence(JsonWriter& json, const Record& record) {
  const Evidence& e = record.finding.evidence;
  json.key("evidence").begin_object();
  const auto outcome = [&](std::string_view name, Outcome what) {
    if (what != Outcome::kNotAsked) json.field(name, name_of(what));
  };
  outcome("syn_v1", e.syn_v1);
  if (e.data_v1 != DataOutcome::kNotSent) json.field("data_ack_v1", name_of(e.data_v1));
  outcome("syn_v0", e.syn_v0);
  if (e.data_v0 != DataOutcome::kNotSent) json.field("data_ack_v0", name_of(e.data_v0));
  outcome("join", e.join);
  outcome("syn_plain", e.syn_plain);
  if (e.checksum) json.field("checksum", true);
  if (e.no_join_here) json.field("no_join_here", true);
  if (e.icmp_type != 0) json.field("icmp", fmt::format("{}/{}", e.icmp_type, e.icmp_code));
  if (e.no_route) json.field("why", "no_route");
  if (e.not_sent) json.field("why", "not_sent");
  if (const connect::Details* c = record.connected) {
    json.field("connected", c->connected);
    if (c->connected) {
      json.field("fallback", c->fallback).field("remote_key", c->remote_key).field("subflows", c->subflows);
      json.field("addresses_accepted", c->addresses_accepted);
    }
    if (c->retransmits != 0) json.field("syn_retransmits", c->retransmits);
    if (!c->why.empty()) json.field("why", c->why);
    if (c->error != 0) json.field("errno", c->error);
  }
  json.end_object();
}

void append_trace(JsonWriter& json, const trace::Report& report) {
  json.key("trace")
      .begin_object()
      .field("loss", name_of(report.loss))
      .field("target", name_of(report.capable_end))
      .field("control", name_of(report.control_end));
  if (report.join_reset) json.field("join", "reset");
  const auto end = [&](std::string_view name, std::uint8_t ttl) {
    json.key(name).begin_object();
    if (ttl == 0) {
      json.field("at", name == "before" ? "here" : "target");
    } else {
      json.field("ttl", ttl);
      for (const trace::Hop& hop : report.hops) {
        if (hop.ttl != ttl) continue;
        const auto& address = hop.router ? hop.router : hop.control;
        if (address) json.field("address", to_string(*address));
      }
    }
    json.end_object();
  };
  if (report.loss == trace::Loss::kRemoved || report.loss == trace::Loss::kChanged || report.loss == trace::Loss::kDropped) {
    end("before", report.before);
    end("behind", report.behind);
  }
  const bool plain = report.capable_end == trace::End::kPlain && report.loss != trace::Loss::kRemoved && report.loss != trace::Loss::kChanged;
  if (plain && report.intact_to != 0) end("intact_to", report.intact_to);
  if (report.loss == trace::Loss::kReturnPath) {
    json.field("note", "return path, not locatable");
  } else if (plain && report.loss == trace::Loss::kUnknown) {
    // A SYN/ACK without MPTCP echoes nothing of what came in.
    json.field("note", report.intact_to != 0 ? "the target does not speak MPTCP, or it is lost behind the hop intact_to: it cannot be told which"
                                             : "the target does not speak MPTCP, or it is lost on the way: no router quotes enough to tell");
  }
  json.key("hops").begin_array();
  for (const trace::Hop& hop : report.hops) {
    json.begin_object().field("ttl", hop.ttl).field("mptcp", name_of(hop.quoted));
    if (hop.router) json.field("address", to_string(*hop.router));
    if (hop.control) json.field("control", to_string(*hop.control));
    json.end_object();
  }
  json.end_array().end_object();
}

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

}  // namespace

void append_json_line(std::string& out, const Record& record) {
  const Finding& f = record.finding;
  std::string time;
  report::append_timestamp(time, record.time_ns);
  JsonWriter json(out);
  json.begin_object().field("timestamp", time).field("event_type", "probe").field("ip", to_string(f.target.address)).field("port", f.target.port);
  if (!record.names.empty()) {
    json.key("names").begin_array();
    for (const Name& name : record.names) {
      json.begin_object().field("name", name.name);
      if (!name.category.empty()) json.field("category", name.category);
      if (name.https_record) json.field("https_record", true);
      json.end_object();
    }
    json.end_array();
  }
  if (!record.categories.empty()) {
    json.key("categories").begin_array();
    for (const std::string& category : record.categories) json.value(category);
    json.end_array();
  }
  json.field("mode", name_of(record.mode)).field("verdict", name_of(f.verdict));
  if (record.before) json.field("verdict_before", name_of(*record.before));
  append_evidence(json, record);
  if (f.rtt_ns > 0) json.key("rtt_ms").raw(fmt::format("{:.3f}", static_cast<double>(f.rtt_ns) / kNsPerMs));
  if (record.mode == Mode::kRaw) json.field("packets", f.packets);  // how many the kernel sent it does not tell
  if (record.trace != nullptr) append_trace(json, *record.trace);
  json.end_object();
  out += '\n';
}

std::string csv_header() {
  return "timestamp,ip,port,names,mode,verdict,syn_v1,data_ack_v1,syn_v0,data_ack_v0,join,syn_plain,rtt_ms,packets,loss,categories\n";
}

void append_csv_line(std::string& out, const Record& record) {
  const Finding& f = record.finding;
  const Evidence& e = f.evidence;
  std::string names, categories;
  for (const Name& name : record.names) names += (names.empty() ? "" : " ") + name.name;
  for (const std::string& category : record.categories) categories += (categories.empty() ? "" : " ") + category;
  report::append_timestamp(out, record.time_ns);
  out += fmt::format(",{},{},{},{},{},{},{},{},{},{},{},{:.3f},{},{},{}\n", to_string(f.target.address), f.target.port, csv_text(names), name_of(record.mode),
                     name_of(f.verdict), name_of(e.syn_v1), name_of(e.data_v1), name_of(e.syn_v0), name_of(e.data_v0), name_of(e.join), name_of(e.syn_plain),
                     static_cast<double>(f.rtt_ns) / kNsPerMs, record.mode == Mode::kRaw ? fmt::format("{}", f.packets) : "",
                     record.trace != nullptr ? name_of(record.trace->loss) : "", csv_text(categories));
}

}  // namespace weir::probe::output

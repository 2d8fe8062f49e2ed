#include "report/eve.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <vector>

#include "report/inventory_text.h"
#include "report/names.h"
#include "report/time_text.h"

namespace weir::report {
namespace {

using engine::ConnectionState;
using engine::Direction;

void timestamp(JsonWriter& json, std::string_view name, TimeNs time) {
  std::string text;
  append_timestamp(text, time);
  json.field(name, text);
}

void both_ways(JsonWriter& json, std::string_view to_server, std::string_view to_client, const std::uint64_t (&counts)[2]) {
  json.field(to_server, counts[index(Direction::kToServer)]);
  json.field(to_client, counts[index(Direction::kToClient)]);
}

/// Six digits, cut off and not rounded: 1 means that every byte was seen.
void visibility(JsonWriter& json, double share) {
  static constexpr double kSteps = 1e6;
  const double cut = std::floor(std::clamp(std::isnan(share) ? 1.0 : share, 0.0, 1.0) * kSteps) / kSteps;
  json.key("visibility").raw(fmt::format("{}", cut));
}

void detail(JsonWriter& json, const inspect::Detail& values) {
  for (const auto& [name, value] : values) {
    json.key(name);
    std::visit([&](const auto& known) { json.value(known); }, value);
  }
}

void names(JsonWriter& json, const std::vector<engine::ServerName>& known) {
  if (known.empty()) return;
  json.key("names").begin_array();
  for (const auto& each : known) json.begin_object().field("name", each.name).field("source", name_of(each.source)).end_object();
  json.end_array();
}

/// As Suricata has it: each key with a list of its values.
void metadata(JsonWriter& json, const std::vector<std::pair<std::string, std::string>>& pairs) {
  if (pairs.empty()) return;
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : pairs) {
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  }
  json.key("metadata").begin_object();
  for (const std::string_view key : keys) {
    json.text_key(key).begin_array();
    for (const auto& [name, value] : pairs) {
      if (name == key) json.value(value);
    }
    json.end_array();
  }
  json.end_object();
}

std::string with_dots(std::string_view part) {
  std::string text(part);
  std::ranges::replace(text, kDotWithin, '.');
  return text;
}

void not_inspected(JsonWriter& json, const std::vector<std::string>& limits) {
  if (limits.empty()) return;
  json.key("not_inspected").begin_array();
  for (const std::string& limit : limits) json.value(limit);
  json.end_array();
}

}  // namespace

JsonWriter EveWriter::begin(TimeNs time, std::string_view event_type) {
  JsonWriter json(out_.text());
  json.begin_object();
  timestamp(json, "timestamp", time);
  json.field("event_type", event_type);
  return json;
}

void EveWriter::end(JsonWriter& json) {
  json.end_object();
  out_.text() += '\n';
  out_.line_done();
}

void EveWriter::endpoints(JsonWriter& json, const engine::Endpoints& flow) {
  json.field("src_ip", to_string(flow.src)).field("src_port", flow.src_port);
  json.field("dest_ip", to_string(flow.dst)).field("dest_port", flow.dst_port);
}

void EveWriter::tcp_flow(JsonWriter& json, const engine::Endpoints& flow) {
  endpoints(json, flow);
  json.field("proto", "TCP").field("community_id", community_id_.of(flow));
}

void EveWriter::subflow(JsonWriter& json, const engine::SubflowRecord& record) {
  json.begin_object().field("id", record.id);
  endpoints(json, record.endpoints);
  json.field("opener", record.opened_by_server ? "server" : "client");
  json.field("addr_id", record.address_id).field("backup", record.backup).field("auth", name_of(record.auth));
  both_ways(json, "bytes_toserver", "bytes_toclient", record.bytes);
  json.field("state", name_of(record.state));
  json.key("capture_points").begin_array();
  for (const PointId point : record.points) json.value(points_(point));
  json.end_array();
  if (!record.seen_as.empty()) {
    json.key("seen_as").begin_array();
    for (const auto& other : record.seen_as) {
      json.begin_object();
      endpoints(json, other);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
}

void EveWriter::on_connection(const engine::ConnectionRecord& record) {
  JsonWriter json = begin(record.last_ns, "mptcp");
  tcp_flow(json, record.info.endpoints);
  json.key("mptcp").begin_object().field("id", record.info.id).key("version");
  if (record.version) {
    json.value(*record.version);
  } else {
    json.null();
  }
  json.field("state", name_of(record.state));
  if (record.fallback_reason != engine::FallbackReason::kNone) json.field("fallback_reason", name_of(record.fallback_reason));
  json.field("checksum", record.checksum);
  both_ways(json, "bytes_toserver", "bytes_toclient", record.bytes);
  both_ways(json, "gap_bytes_toserver", "gap_bytes_toclient", record.gap_bytes);
  visibility(json, record.visibility);
  json.field("duplicate_bytes", record.duplicate_bytes);
  json.key("subflows").begin_array();
  for (const auto& each : record.subflows) subflow(json, each);
  json.end_array();
  if (record.midstream) json.field("midstream", true);
  names(json, record.names);
  not_inspected(json, record.not_inspected);
  json.end_object();
  end(json);
}

void EveWriter::on_flow(const engine::FlowRecord& record) {
  using namespace std::chrono;
  JsonWriter json = begin(record.last_ns, "flow");
  tcp_flow(json, record.info.endpoints);
  const bool ended = record.state == ConnectionState::kClosed || record.state == ConnectionState::kReset;
  const std::string_view state = ended ? "closed" : "established";
  if (!record.app_proto.empty()) json.field("app_proto", record.app_proto);
  json.key("flow").begin_object();
  both_ways(json, "pkts_toserver", "pkts_toclient", record.packets);
  both_ways(json, "bytes_toserver", "bytes_toclient", record.bytes);
  timestamp(json, "start", record.info.first_ns);
  timestamp(json, "end", record.last_ns);
  json.field("age", duration_cast<seconds>(nanoseconds(record.last_ns - record.info.first_ns)).count());
  json.field("state", state).field("reason", input_ended_ ? "shutdown" : "timeout").field("alerted", record.alerted).end_object();
  // Suricata's words for the end and for holes of a TCP session.
  json.key("tcp").begin_object().field("state", state);
  if (record.state == ConnectionState::kReset) json.field("rst", true);
  if (record.gap_bytes[index(Direction::kToServer)]) json.field("ts_gap", true);
  if (record.gap_bytes[index(Direction::kToClient)]) json.field("tc_gap", true);
  json.end_object();
  // The id names the files of exported streams.
  json.key("mptcp").begin_object().field("id", record.info.id);
  if (record.midstream) json.field("midstream", true);
  names(json, record.names);
  not_inspected(json, record.not_inspected);
  json.end_object();
  end(json);
}

void EveWriter::on_anomaly(const engine::AnomalyRecord& record) {
  JsonWriter json = begin(record.time_ns, "anomaly");
  if (record.connection) {
    tcp_flow(json, record.connection->endpoints);
    if (!record.connection->id.empty()) json.key("mptcp").begin_object().field("id", record.connection->id).end_object();
  } else if (record.endpoints && (record.endpoints->src_port || record.endpoints->dst_port)) {
    tcp_flow(json, *record.endpoints);
  } else if (record.endpoints) {  // no ports: the packet broke off before them, or is a fragment
    json.field("src_ip", to_string(record.endpoints->src)).field("dest_ip", to_string(record.endpoints->dst));
  }
  json.key("anomaly").begin_object().field("type", name_of(record.type)).field("event", record.event);
  if (record.action) json.field("action", name_of(*record.action));
  json.key("detail").begin_object();
  detail(json, record.detail);
  if (record.between) json.key("between").begin_array().value(points_(record.between->first)).value(points_(record.between->second)).end_array();
  json.end_object().end_object();
  end(json);
}

void EveWriter::on_alert(const engine::AlertRecord& record) {
  JsonWriter json = begin(record.time_ns, "alert");
  tcp_flow(json, record.connection.endpoints);
  json.key("alert").begin_object().field("action", name_of(record.action));
  json.field("gid", record.gid).field("signature_id", record.signature_id).field("rev", record.rev).field("signature", record.signature);
  json.field("category", record.category).field("severity", record.severity);
  metadata(json, record.metadata);
  json.end_object();
  json.field("direction", record.direction == Direction::kToServer ? "to_server" : "to_client");
  if (!record.app_proto.empty()) json.field("app_proto", record.app_proto);
  json.key("mptcp").begin_object().field("id", record.connection.id).key("subflows").begin_array();
  for (const std::uint32_t subflow : record.subflows) json.value(subflow);
  json.end_array().field("split", record.split).field("dsn_first", record.dsn_first).field("dsn_last", record.dsn_last);
  visibility(json, record.visibility);
  names(json, record.names);
  json.end_object();
  end(json);
}

void EveWriter::write_inventory(const engine::ConnectionInfo& info, TimeNs time, const inspect::InventoryNews& news) {
  JsonWriter json = begin(time, "inventory");
  tcp_flow(json, info.endpoints);
  json.key("mptcp").begin_object().field("id", info.id).end_object();
  json.key("inventory").begin_object().field("new", name_of(news.what));
  if (news.what != inspect::InventoryNews::What::kAddress) {
    json.key("version");
    if (news.version) {
      json.value(*news.version);
    } else {
      json.null();
    }
  }
  if (news.address) {
    json.key("new_address");
    inventory_address(json, *news.address);
  }
  inventory_fields(json, news.entry);
  json.end_object();
  end(json);
}

void EveWriter::write_policy(const PolicyRecord& record) {
  JsonWriter json = begin(record.time_ns, "mptcp_policy");
  if (record.endpoints.src_port != 0) tcp_flow(json, record.endpoints);
  if (!record.id.empty()) json.key("mptcp").begin_object().field("id", record.id).end_object();
  json.key("mptcp_policy").begin_object().field("action", record.action).field("rule", record.rule).field("reason", record.reason).end_object();
  end(json);
}

void EveWriter::write_stats(TimeNs now, std::int64_t uptime_s, std::span<const NamedCounter> counters) {
  std::vector<NamedCounter> sorted(counters.begin(), counters.end());
  std::ranges::sort(sorted);
  JsonWriter json = begin(now, "stats");
  json.key("stats").begin_object().field("uptime", uptime_s);
  std::vector<std::string_view> open;  // objects within `stats`, the outermost first
  for (const auto& [name, value] : sorted) {
    std::vector<std::string_view> parts;
    for (std::string_view rest = name; !rest.empty();) {
      const auto dot = rest.find('.');
      parts.push_back(rest.substr(0, dot));
      rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
    }
    const std::span groups(parts.begin(), parts.end() - 1);
    const auto same = static_cast<std::size_t>(std::ranges::mismatch(open, groups).in1 - open.begin());
    for (; open.size() > same; open.pop_back()) json.end_object();
    for (const std::string_view group : groups.subspan(same)) {
      open.push_back(group);
      json.text_key(with_dots(group)).begin_object();
    }
    json.field(parts.back(), value);
  }
  for (; !open.empty(); open.pop_back()) json.end_object();
  json.end_object();
  end(json);
}

}  // namespace weir::report

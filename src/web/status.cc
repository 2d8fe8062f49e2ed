#include "web/status.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>

#include "report/json.h"

namespace weir::web {
namespace {

/// Of the counters those that can fall.
constexpr auto kGauges = std::to_array<std::string_view>({"memory.bytes", "tracked.connections", "capture.workers", "log.queued_bytes", "rules.loaded",
                                                          "rules.refused", "gateway.connections", "gateway.closing", "gateway.queue.waiting",
                                                          "gateway.nat.mappings", "gateway.workers", "gateway.directory.tokens", "gateway.directory.flows"});

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// "mptcp.connections" is weir_mptcp_connections_total; what is no letter, digit or underscore is an underscore.
std::string metric_name(std::string_view name, bool gauge) {
  std::string text = "weir_" + std::string(name);
  std::ranges::replace_if(text, [](char c) { return !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'); }, '_');
  return gauge ? text : text + "_total";
}

MetricFamily family(std::string name, std::string help, MetricType type) {
  return {.name = std::move(name), .help = std::move(help), .type = type, .metric = {}};
}

void add(MetricFamily& to, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(labels);
  (to.type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) = value;
}

void problems(report::JsonWriter& json, const Status& status) {
  json.key("problems").begin_array();
  for (const std::string& problem : status.problems) json.value(problem);
  json.end_array();
}

}  // namespace

std::string metrics_text(const Status& status, std::string_view version) {
  std::vector<MetricFamily> all;
  MetricFamily& build = all.emplace_back(family("weir_build_info", "The version that runs.", MetricType::Gauge));
  add(build, 1, {{.name = "version", .value = std::string(version)}});
  add(all.emplace_back(family("weir_uptime_seconds", "Since the program was ready.", MetricType::Gauge)), static_cast<double>(status.uptime_s));
  add(all.emplace_back(family("weir_healthy", "1: /healthz says ok.", MetricType::Gauge)), status.problems.empty() && !status.draining ? 1 : 0);
  add(all.emplace_back(family("weir_draining", "1: nothing new is taken in; it ends when nothing is left.", MetricType::Gauge)), status.draining ? 1 : 0);

  auto packets = family("weir_capture_packets_total", "That passed the interface, those dropped included.", MetricType::Counter);
  auto dropped = family("weir_capture_dropped_total", "Packets that the kernel dropped because Weir was too slow.", MetricType::Counter);
  auto full = family("weir_capture_ring_full_events_total", "Times that the ring between kernel and Weir was full.", MetricType::Counter);
  auto watched = family("weir_capture_interface_watched", "0: the interface is away.", MetricType::Gauge);
  for (const Status::Interface& interface : status.interfaces) {
    const std::vector<ClientMetric::Label> label{{.name = "interface", .value = interface.name}};
    add(watched, interface.watched ? 1 : 0, label);
    if (!interface.counted) continue;
    add(packets, static_cast<double>(interface.packets), label);
    add(dropped, static_cast<double>(interface.dropped), label);
    add(full, static_cast<double>(interface.ring_full), label);
  }
  for (MetricFamily* each : {&packets, &dropped, &full, &watched}) all.push_back(std::move(*each));

  for (const auto& [name, value] : status.counters) {
    const bool gauge = std::ranges::find(kGauges, name) != kGauges.end();
    add(all.emplace_back(family(metric_name(name, gauge), "stats." + name + " of the log.", gauge ? MetricType::Gauge : MetricType::Counter)),
        static_cast<double>(value));
  }
  return prometheus::TextSerializer().Serialize(all);
}

std::string status_json(const Status& status, std::string_view version) {
  std::string text;
  report::JsonWriter json(text);
  json.begin_object().field("version", version).field("uptime", status.uptime_s).field("draining", status.draining);
  problems(json, status);
  json.key("interfaces").begin_array();
  for (const Status::Interface& interface : status.interfaces) {
    json.begin_object().field("name", interface.name).field("watched", interface.watched);
    if (interface.counted) json.field("packets", interface.packets).field("dropped", interface.dropped).field("ring_full", interface.ring_full);
    json.end_object();
  }
  json.end_array().key("counters").begin_object();
  for (const auto& [name, value] : status.counters) json.text_key(name).value(value);
  json.end_object().end_object();
  return text + "\n";
}

std::string problems_json(const Status& status) {
  std::string text;
  report::JsonWriter json(text);
  json.begin_object().field("status", status.problems.empty() ? "draining" : "failing");
  problems(json, status);
  json.end_object();
  return text + "\n";
}

}  // namespace weir::web

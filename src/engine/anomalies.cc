// Events: once a connection, or once a source where there is no connection.
#include <utility>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// Of one packet, not of what came before it, or never came.
bool is_of_one_packet(inspect::Event event) {
  using inspect::Event;
  return event != Event::visibility_low && event != Event::joins_before_keys && event != Event::option_stripped && event != Event::fragmented_across_subflows;
}

}  // namespace

bool Engine::State::raise(Connection& c, inspect::Event event, TimeNs now, inspect::Detail detail, std::optional<std::pair<PointId, PointId>> between) {
  const std::uint32_t bit = 1U << static_cast<unsigned>(event);
  if ((c.raised & bit) != 0 || c.quiet) return false;
  c.raised |= bit;
  ++counters.anomalies;
  AnomalyRecord record;
  record.time_ns = now;
  record.type = AnomalyType::kMptcp;
  record.event = inspect::event_name(event);
  record.detail = std::move(detail);
  record.between = between;
  record.of_packet = under_way && is_of_one_packet(event);
  if (!has_final_id(c)) {
    record.of_packet = false;
    if (!c.pending) c.pending = std::make_unique<std::vector<AnomalyRecord>>();
    c.pending->push_back(std::move(record));
    return true;
  }
  record.connection = info(c);
  observer.on_anomaly(record);
  return true;
}

/// Tells what waited for the id; `identified`: there will be a record of that connection.
void Engine::State::tell_pending(Connection& c, bool identified) {
  if (!c.pending) return;
  const auto pending = std::move(c.pending);
  for (AnomalyRecord& record : *pending) {
    if (identified) {
      record.connection = info(c);
    } else {
      record.endpoints = info(c).endpoints;
    }
    observer.on_anomaly(record);
  }
}

void Engine::State::raise_unknown(const Segment& s, inspect::Event event, inspect::Detail detail) {
  if (told_sources.size() >= static_cast<std::size_t>(limits.watch_entries)) {
    told_sources.clear();
    ++counters.evicted_watch;
  }
  const std::uint64_t source = s.hash ^ (static_cast<std::uint64_t>(event) + 1) * 0x9e3779b97f4a7c15ULL;
  if (!told_sources.insert(source).second) return;
  ++counters.anomalies;
  AnomalyRecord record;
  record.time_ns = s.time_ns;
  record.type = AnomalyType::kMptcp;
  record.event = inspect::event_name(event);
  record.endpoints = endpoints_of(s, true);
  record.of_packet = under_way;
  record.detail = std::move(detail);
  observer.on_anomaly(record);
}

void Engine::State::raise_tcp(Connection& c, const char* event, TimeNs now, std::uint32_t bit) {
  if ((c.raised & (1U << bit)) != 0 || c.quiet) return;
  c.raised |= 1U << bit;
  ++counters.anomalies;
  AnomalyRecord record;
  record.time_ns = now;
  record.type = AnomalyType::kTcp;
  record.event = event;
  record.of_packet = under_way;
  record.connection = info(c);
  observer.on_anomaly(record);
}

}  // namespace weir::engine

#include "engine_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "engine/engine.h"

namespace weir::simulate {
namespace {

/// Collects what the engine tells, and notes where it breaks the order that Observer promises.
class Collector : public engine::Observer {
 public:
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override {
    auto& stream = streams[engine::index(chunk.direction)];
    if (info.id.empty()) problems.emplace_back("data of a connection without a name");
    if (chunk.offset != stream.size()) problems.push_back(fmt::format("data at offset {}, after {}", chunk.offset, stream.size()));
    stream.insert(stream.end(), chunk.bytes.begin(), chunk.bytes.end());
  }
  void on_gap(const engine::ConnectionInfo&, engine::Direction direction, std::uint64_t offset, std::uint64_t bytes, TimeNs) override {
    problems.push_back(fmt::format("a gap of {} at {}, direction {}", bytes, offset, engine::index(direction)));
  }
  void on_ack(const engine::ConnectionInfo&, engine::Direction direction, std::uint64_t offset, TimeNs) override {
    if (offset > streams[engine::index(direction)].size())
      problems.push_back(fmt::format("acknowledged {} of {} given", offset, streams[engine::index(direction)].size()));
  }
  void on_fin(const engine::ConnectionInfo&, engine::Direction direction, TimeNs) override { ++fins[engine::index(direction)]; }
  void on_connection(const engine::ConnectionRecord& record) override { connections.push_back(record); }
  void on_flow(const engine::FlowRecord&) override { problems.emplace_back("a plain flow was told"); }
  void on_anomaly(const engine::AnomalyRecord& anomaly) override { anomalies.push_back(anomaly); }

  std::array<std::vector<std::byte>, 2> streams;
  std::array<int, 2> fins{};
  std::vector<engine::ConnectionRecord> connections;
  std::vector<engine::AnomalyRecord> anomalies;
  std::vector<std::string> problems;
};

/// Half of the seeds let the engine refer to packets in memory; for the others each batch's memory is spoilt after use.
void feed(const Simulated& simulated, engine::Engine& engine) {
  const std::size_t batch = simulated.scenario.engine_batch;
  std::vector<RawPacket> packets;
  std::vector<engine::Fate> fates;
  std::vector<std::vector<std::byte>> lent;
  const std::span all(simulated.packets);
  for (std::size_t at = 0; at < all.size(); at += batch) {
    packets.clear();
    lent.clear();
    const auto part = all.subspan(at, std::min(batch, all.size() - at));
    lent.reserve(part.size());
    for (const CapturedPacket& captured : part) {
      std::span<const std::byte> bytes(captured.bytes);
      if (!simulated.scenario.engine_may_keep) bytes = lent.emplace_back(captured.bytes);
      packets.push_back({.bytes = bytes,
                         .original_bytes = static_cast<std::uint32_t>(bytes.size()),
                         .time_ns = captured.time_ns,
                         .link = captured.link,
                         .point = captured.point,
                         .stays = simulated.scenario.engine_may_keep});
    }
    if (batch == 1) {
      engine.step(packets.front());
    } else {
      fates.resize(packets.size());
      engine.step(packets, fates);
    }
    for (auto& bytes : lent) std::fill(bytes.begin(), bytes.end(), std::byte{0xa5});
  }
  engine.finish();
}

bool expected_event(const Simulated& simulated, const engine::AnomalyRecord& anomaly) {
  return anomaly.type != engine::AnomalyType::kMptcp || (anomaly.event == "opened_by_server" && simulated.truth.opened_by_server);
}

/// What the engine threw away, for whoever has to find out why something is missing.
std::string thrown_away(const engine::Counters& counters) {
  std::string text = "counters:";
  for (const engine::CounterInfo& info : engine::kCounterTable) {
    const bool tells = info.name.starts_with("ignored.") || info.name.starts_with("dropped.") || info.name.starts_with("evicted.");
    if (tells && counters.*info.field > 0) text += fmt::format(" {} {}", info.name, counters.*info.field);
  }
  return text;
}

std::vector<std::string> judge(const Simulated& simulated, const Collector& seen);

}  // namespace

std::vector<std::string> check_engine(const Simulated& simulated) {
  Collector seen;
  engine::Settings settings;
  settings.several_points = simulated.scenario.points.size() > 1;
  engine::Engine engine(settings, seen);
  feed(simulated, engine);
  std::vector<std::string> wrong = judge(simulated, seen);
  if (!wrong.empty()) wrong.insert(wrong.begin(), thrown_away(engine.counters()));
  return wrong;
}

namespace {

std::vector<std::string> judge(const Simulated& simulated, const Collector& seen) {
  std::vector<std::string> wrong = seen.problems;
  const Truth& truth = simulated.truth;
  for (const auto& anomaly : seen.anomalies) {
    if (!expected_event(simulated, anomaly)) wrong.push_back("event " + anomaly.event);
  }
  for (const std::size_t d : {0U, 1U}) {
    const auto& told = seen.streams[d];
    const auto& right = truth.streams[d];
    if (told != right) {
      const auto differ = std::mismatch(told.begin(), told.end(), right.begin(), right.end());
      wrong.push_back(fmt::format("direction {}: {} bytes instead of {}, first difference at {}", d, told.size(), right.size(), differ.first - told.begin()));
    }
    if (seen.fins[d] != 1) wrong.push_back(fmt::format("direction {}: the end of the stream was told {} times", d, seen.fins[d]));
  }
  if (seen.connections.size() != 1) {
    wrong.push_back(fmt::format("{} connections instead of one", seen.connections.size()));
    return wrong;
  }
  const engine::ConnectionRecord& record = seen.connections.front();
  const auto expect = [&wrong](bool right, std::string text) {
    if (!right) wrong.push_back(std::move(text));
  };
  expect(record.info.id == truth.id, fmt::format("id {} instead of {}", record.info.id, truth.id));
  expect(record.version == simulated.scenario.version, "another version");
  expect(record.state == engine::ConnectionState::kClosed, fmt::format("state {} instead of closed", static_cast<int>(record.state)));
  expect(record.checksum == simulated.scenario.uses_checksum(), "checksums in use or not: told wrongly");
  expect(record.visibility == 1.0, fmt::format("visibility {}", record.visibility));
  const auto established = std::count_if(record.subflows.begin(), record.subflows.end(), [](const engine::SubflowRecord& s) {
    return s.state != engine::SubflowState::kAttempted && s.state != engine::SubflowState::kFailed;
  });
  expect(static_cast<std::size_t>(established) == truth.subflows, fmt::format("{} subflows instead of {}", established, truth.subflows));
  for (const engine::SubflowRecord& subflow : record.subflows) {
    expect(subflow.auth == engine::Auth::kVerified, fmt::format("subflow {} is not verified", subflow.id));
  }
  for (const std::size_t d : {0U, 1U}) {
    expect(record.bytes[d] == truth.streams[d].size(), fmt::format("direction {}: record says {} bytes", d, record.bytes[d]));
    expect(record.gap_bytes[d] == 0, fmt::format("direction {}: record says {} bytes of gaps", d, record.gap_bytes[d]));
  }
  return wrong;
}

}  // namespace
}  // namespace weir::simulate

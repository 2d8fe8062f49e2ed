// Several workers on simulated connections whose subflows come to different ones: together they tell what is true.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "inspect/rules/parse.h"
#include "report/fanout.h"
#include "sensor/workers.h"
#include "simulation.h"
#include "track/flow_table.h"
#include "wire/decode.h"

namespace weir::sensor {
namespace {

using simulate::Simulated;

/// Purpose: several sources that give packets in about the order of their times, as rings do: none runs ahead of the slowest, nor of
/// what was taken off the others. Threads: each source has its worker.
class Stage {
 public:
  static constexpr TimeNs kAhead = 10'000'000;    ///< as long as a ring may hold a packet back
  static constexpr std::uint64_t kUnderWay = 16;  ///< given, and not yet taken by an engine

  Stage(const Simulated& simulated, std::size_t sources, std::uint64_t seed) : packets_(sources), next_(sources) {
    wire::Decoded decoded;
    for (const auto& captured : simulated.packets) {
      const RawPacket packet{.bytes = captured.bytes,
                             .original_bytes = static_cast<std::uint32_t>(captured.bytes.size()),
                             .time_ns = captured.time_ns,
                             .link = captured.link,
                             .point = captured.point};
      wire::decode(packet, decoded);
      bool from_low = false;
      const auto key = track::make_flow_key(decoded.src, decoded.tcp.src_port, decoded.dst, decoded.tcp.dst_port, 0, from_low);
      packets_[track::hash_flow_key(key, seed) % sources].push_back(packet);
    }
    for (auto& times : next_) times = std::numeric_limits<TimeNs>::min();
    for (std::size_t i = 0; i < sources; ++i) publish(i, 0);
  }

  std::size_t give(std::size_t source, std::size_t& at, std::span<RawPacket> out) {
    const auto& mine = packets_[source];
    if (at == mine.size() || !may_go(mine[at].time_ns)) return 0;
    out[0] = mine[at++];
    publish(source, at);
    given_.fetch_add(1);
    return 1;
  }
  void taken(std::size_t packets) { taken_.fetch_add(packets); }
  bool over() const {
    return std::ranges::all_of(next_, [](const auto& time) { return time.load() == std::numeric_limits<TimeNs>::max(); });
  }

 private:
  void publish(std::size_t source, std::size_t at) {
    next_[source] = at < packets_[source].size() ? packets_[source][at].time_ns : std::numeric_limits<TimeNs>::max();
  }
  bool may_go(TimeNs time) {
    TimeNs slowest = std::numeric_limits<TimeNs>::max();
    for (const auto& next : next_) slowest = std::min(slowest, next.load());
    if (time > slowest + kAhead) return false;
    const std::uint64_t taken = taken_.load();
    if (given_.load() < taken + kUnderWay) return true;
    // Packets may wait with a dispatcher: then others must go on.
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    std::int64_t since = stuck_since_.load();
    if (stuck_at_.exchange(taken) != taken || since == 0) {
      stuck_since_ = now;
      return false;
    }
    return now - since > 3'000'000;
  }

  std::vector<std::vector<RawPacket>> packets_;
  std::vector<std::atomic<TimeNs>> next_;
  std::atomic<std::uint64_t> given_ = 0, taken_ = 0, stuck_at_ = ~0ULL;
  std::atomic<std::int64_t> stuck_since_ = 0;
};

class StageSource : public capture::PacketSource {
 public:
  StageSource(Stage& stage, std::size_t number) : stage_(stage), number_(number) {}
  int descriptor() const override { return -1; }
  std::size_t next_batch(std::span<RawPacket> packets, PointId) override { return stage_.give(number_, at_, packets); }
  capture::LiveCounters counters() override { return {}; }
  int take_error() override { return 0; }

 private:
  Stage& stage_;
  std::size_t number_;
  std::size_t at_ = 0;
};

/// What all shards told.
struct Told {
  std::mutex mutex;
  std::map<std::uint64_t, std::array<std::vector<std::byte>, 2>> streams;
  std::vector<engine::ConnectionRecord> connections;
  std::vector<engine::AlertRecord> alerts;
};

class TestReports : public Reports, private engine::Observer {
 public:
  TestReports(Told& told, Stage& stage) : told_(told), stage_(stage) { fanout_.add(*this, true); }
  engine::Observer& observer() override { return fanout_; }
  void tell_too(engine::Observer& other) override { fanout_.add(other, false); }
  void feed(engine::Engine& engine, std::span<const RawPacket> packets) override {
    engine.step(packets, std::span(fates_).first(packets.size()));
    stage_.taken(packets.size());
  }
  void flush() override {}
  void input_ended() override {}
  bool close() override { return true; }
  std::vector<std::pair<std::string_view, std::uint64_t>> counters() const override { return {}; }

 private:
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override {
    const std::scoped_lock lock(told_.mutex);
    auto& stream = told_.streams[info.number][index(chunk.direction)];
    if (chunk.offset == stream.size()) stream.insert(stream.end(), chunk.bytes.begin(), chunk.bytes.end());
  }
  void on_connection(const engine::ConnectionRecord& record) override {
    const std::scoped_lock lock(told_.mutex);
    told_.connections.push_back(record);
  }
  void on_alert(const engine::AlertRecord& record) override {
    const std::scoped_lock lock(told_.mutex);
    told_.alerts.push_back(record);
  }

  Told& told_;
  Stage& stage_;
  report::Fanout fanout_;
  std::array<engine::Fate, capture::kBatch> fates_{};
};

std::shared_ptr<const inspect::match::RuleSet> rules() {
  auto parsed = inspect::rules::parse("alert tcp any any -> any any (msg:\"any\"; pcre:\"/[\\x00-\\x7f][\\x80-\\xff]/\"; sid:1;)\n", "test", {});
  EXPECT_TRUE(parsed.refusals.empty());
  std::vector<inspect::match::Refused> refused;
  return inspect::match::RuleSet::make(std::move(parsed.rules), Limits{}, nullptr, refused);
}

WorkerSettings settings_for(const Simulated& simulated) {
  WorkerSettings settings;
  settings.engine.several_points = simulated.scenario.points.size() > 1;
  settings.engine.hash_seed = 77;
  settings.clock = [] { return TimeNs{0}; };
  settings.drain_ns = 20'000'000'000;
  return settings;
}

/// The clocks of the points agree as those of one machine's interfaces do.
bool live(const Simulated& simulated) {
  return std::ranges::all_of(simulated.scenario.points, [](const auto& point) { return point.skew_ns > -1'000'000 && point.skew_ns < 1'000'000; });
}

class Shards : public testing::TestWithParam<std::size_t> {};

TEST_P(Shards, TellWhatIsTrue) {
  const std::size_t workers = GetParam();
  constexpr std::size_t kConnections = 24;
  std::size_t done = 0, divided = 0;
  std::uint64_t queued = 0;
  const auto rule_set = rules();
  for (std::uint64_t seed = 1; done < kConnections; ++seed) {
    const Simulated simulated = simulate::simulate(seed);
    if (!live(simulated)) continue;
    ++done;
    SCOPED_TRACE(describe(simulated.scenario));
    Stage stage(simulated, workers, seed);
    Told told;
    std::vector<std::unique_ptr<Reports>> reports;
    for (std::size_t i = 0; i < workers; ++i) reports.push_back(std::make_unique<TestReports>(told, stage));
    auto settings = settings_for(simulated);
    settings.inspection.rules = rule_set;
    Workers group(settings, std::move(reports));
    for (std::size_t i = 0; i < workers; ++i) group.at(i).add(0, 0, std::make_unique<StageSource>(stage, i));
    group.start();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!stage.over() && std::chrono::steady_clock::now() < until) {
      group.ask_all([&](Worker& worker, std::size_t) { (void)worker.counters(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(group.stop());
    ASSERT_TRUE(stage.over());
    ASSERT_EQ(told.connections.size(), 1U);
    const auto& record = told.connections.front();
    EXPECT_EQ(record.info.id, simulated.truth.id);
    for (const auto& f : record.subflows) EXPECT_EQ(f.auth, engine::Auth::kVerified);
    EXPECT_TRUE(told.streams[record.info.number] == simulated.truth.streams);
    EXPECT_TRUE(simulated.truth.streams[0].size() < 256 || !told.alerts.empty());
    divided += simulated.truth.subflows > 1;
    std::uint64_t drops = 0;
    for (std::size_t i = 0; i < workers; ++i) {
      for (const auto& [name, value] : group.at(i).counters().named) {
        if (name == "capture.shard_drops") drops += value;
        if (name == "capture.shard_packets") queued += value;
      }
    }
    EXPECT_EQ(drops, 0U);
  }
  EXPECT_GT(divided, 0U);
  EXPECT_EQ(queued > 0, workers > 1) << "subflows came to other workers than their connections";
}

INSTANTIATE_TEST_SUITE_P(Workers, Shards, testing::Values(1, 2, 3));

/// Rules are replaced, counters read, and sources taken away and given back while packets come.
TEST(ShardsAsked, WhileTheyWork) {
  const auto one = rules(), other = rules();
  Simulated simulated = simulate::simulate(3);
  Stage stage(simulated, 2, 1);
  Told told;
  std::vector<std::unique_ptr<Reports>> reports;
  for (std::size_t i = 0; i < 2; ++i) reports.push_back(std::make_unique<TestReports>(told, stage));
  Workers group(settings_for(simulated), std::move(reports));
  for (std::size_t i = 0; i < 2; ++i) group.at(i).add(7, 0, std::make_unique<StageSource>(stage, i));
  group.start();
  for (int i = 0; i < 100; ++i) {
    group.ask_all([&](Worker& worker, std::size_t) {
      worker.use(i % 2 == 0 ? one : other);
      auto source = worker.remove(7);
      ASSERT_NE(source, nullptr);
      worker.add(7, 0, std::move(source));
      (void)worker.source_counters(7);
      (void)worker.counters();
    });
    group.renew(engine::OwnerSpace::kOpener);
  }
  EXPECT_TRUE(group.stop());
}

}  // namespace
}  // namespace weir::sensor

#include "simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "host.h"
#include "secrets.h"

namespace weir::simulate {
namespace {

constexpr TimeNs kLongest = 120 * kSecond;  ///< of virtual time
constexpr std::uint64_t kMostEvents = 2'000'000;
constexpr int kAttempts = 4;

std::optional<std::vector<CapturedPacket>> run(const Scenario& scenario, Box* box = nullptr, TimeNs longest = kLongest) {
  EventQueue events;
  Random random(scenario.seed ^ 0x5eedULL << 32U);
  Network network(events, random, scenario.paths, scenario.points);
  World world{.events = events, .network = network, .random = random, .scenario = scenario, .joins_left = scenario.joins.size(), .on_all_joined = {}};
  Host client(world, Side::kClient), server(world, Side::kServer);
  network.connect(Side::kClient, [&](const Segment& s, std::size_t path) {
    client.receive(s, path);
    if (box != nullptr) box->on_received(Side::kClient, client.received());
  });
  network.connect(Side::kServer, [&](const Segment& s, std::size_t path) {
    server.receive(s, path);
    if (box != nullptr) box->on_received(Side::kServer, server.received());
  });
  if (box != nullptr) network.set_gate([&](const Segment& s, std::size_t path, Side towards) { return box->pass(s, path, towards, events.now()); });
  world.on_all_joined = [&] {
    client.on_all_joined();
    server.on_all_joined();
  };
  client.connect();
  std::uint64_t count = 0;
  while (!client.finished() || !server.finished()) {
    if (events.now() > longest || ++count > kMostEvents || (box != nullptr && box->done())) return std::nullopt;
    if (!events.run_next()) throw std::logic_error("simulator: nothing more happens, and the transfer is not over");
  }
  // What is under way still arrives, and so do the answers to it.
  const TimeNs end = events.now() + kSecond;
  while (events.now() < end && events.run_next()) {
  }
  if (client.received() != scenario.hosts[1].stream || server.received() != scenario.hosts[0].stream)
    throw std::logic_error("simulator: a host received something else than was sent");
  return std::move(network.captured());
}

}  // namespace

bool simulate_through(const Scenario& scenario, Box& box, TimeNs longest) { return run(scenario, &box, longest).has_value(); }

Simulated simulate(std::uint64_t seed) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Simulated out;
    out.scenario = draw_scenario(seed, attempt);
    auto packets = run(out.scenario);
    if (!packets) continue;
    std::stable_sort(packets->begin(), packets->end(),
                     [](const CapturedPacket& a, const CapturedPacket& b) { return a.time_ns != b.time_ns ? a.time_ns < b.time_ns : a.point < b.point; });
    out.packets = std::move(*packets);
    const auto token = [&](Side side) { return derive(out.scenario.version, out.scenario.hosts[index(side)].key).token; };
    out.truth.id = fmt::format("{:08x}-{:08x}", token(Side::kClient), token(Side::kServer));
    out.truth.streams = {out.scenario.hosts[0].stream, out.scenario.hosts[1].stream};
    out.truth.subflows = out.scenario.joins.size() + 1;
    out.truth.opened_by_server = std::any_of(out.scenario.joins.begin(), out.scenario.joins.end(), [](const JoinPlan& j) { return j.opener == Side::kServer; });
    return out;
  }
  throw std::logic_error(fmt::format("simulator: seed {} never ends", seed));
}

}  // namespace weir::simulate

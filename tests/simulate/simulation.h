// Runs a scenario from the first SYN to the last FIN: what the capture points saw, and what is true.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "scenario.h"
#include "segment.h"

namespace weir::simulate {

struct Truth {
  std::string id;                                 ///< mptcp.id, CONTRACT.md
  std::array<std::vector<std::byte>, 2> streams;  ///< by the side that sent them
  std::size_t subflows = 1;                       ///< established
  bool opened_by_server = false;
};

struct Simulated {
  Scenario scenario;
  std::vector<CapturedPacket> packets;  ///< of all points, by the times that their clocks gave
  Truth truth;
};

/// The scenario of the seed; if the network is so bad that the transfer does not end in time, a better one. Throws
/// std::logic_error where the simulated hosts contradict themselves: a fault of the simulator.
Simulated simulate(std::uint64_t seed);

/// A box that all paths lead through, and what the hosts on both sides of it get.
class Box {
 public:
  virtual ~Box() = default;
  /// What passes in place of `segment`.
  virtual std::vector<Segment> pass(const Segment& segment, std::size_t path, Side towards, TimeNs now) = 0;
  /// The application of `side` has `received` now.
  virtual void on_received(Side side, std::span<const std::byte> received) = 0;
  /// Whether it has seen enough: nothing more is expected to happen.
  virtual bool done() const { return false; }
};

/// Runs the scenario through the box. False: the transfer did not end in time, or the box was done with it before.
bool simulate_through(const Scenario& scenario, Box& box, TimeNs longest);

}  // namespace weir::simulate

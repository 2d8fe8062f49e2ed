// Runs a scenario from the first SYN to the last FIN: what the capture points saw, and what is true.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "scenario.h"

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

}  // namespace weir::simulate

// The engine inline between the simulated hosts, and whoever sends other copies of what passes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulation.h"

namespace weir::simulate {

struct InlineCase {
  std::string signature;  ///< empty: none
  Side direction = Side::kServer;
  std::size_t signature_end = 0;  ///< offset behind its last byte, in the stream towards `direction`
  double hostile = 0;             ///< how often a passing segment is followed by a copy that says otherwise
};

struct InlineResult {
  bool ended = false;  ///< the transfer came to its end
  std::array<std::vector<std::byte>, 2> scanned;
  std::array<std::size_t, 2> received{};
  std::map<std::string, std::uint64_t> refused;  ///< of what the hosts sent
  std::uint64_t hostile = 0, hostile_passed = 0;
  std::uint64_t blocked_alerts = 0;
  std::vector<std::string> wrong;
};

/// The scenario of the seed, changed so that no host does what inline mode refuses by design, through the engine.
InlineResult simulate_inline(std::uint64_t seed, bool with_signature, double hostile);

}  // namespace weir::simulate

// gateway.state: running connections in a file, so that the next process goes on with them. It holds keys of MPTCP: for its owner's eyes alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "report/problem.h"

namespace weir::gateway {

struct SavedShard {
  std::vector<std::byte> engine, core;  ///< Engine::save(), Core::save()
};

struct SavedState {
  std::vector<SavedShard> shards;
  std::vector<std::byte> nat;  ///< AddressNat::save(); empty: there is no NAT
};

std::vector<std::byte> write_state(const SavedState& state);
/// The error says why, for people.
std::expected<SavedState, std::string> parse_state(Bytes octets);

/// None: there is no such file.
std::expected<std::optional<SavedState>, report::Problem> read_state_file(const std::string& path);
/// In place of the old one, as a whole; mode 0600 from its first octet on.
std::optional<report::Problem> write_state_file(const std::string& path, Bytes octets);

}  // namespace weir::gateway

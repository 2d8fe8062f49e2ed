// Where an interrupted run was: all that its going on needs, as a text. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probe/targets/permutation.h"

namespace weir::probe::targets {

struct RunState {
  std::uint64_t fingerprint = 0;          ///< of the targets: others are another run
  std::uint64_t seed = 0;                 ///< of the order
  std::uint64_t position = 0;             ///< in the order: what stands before was begun
  std::vector<std::uint64_t> unfinished;  ///< begun, without a verdict
  /// How long the results were then. What is behind it comes again: the run was ended in between.
  std::optional<std::uint64_t> output_bytes{}, csv_bytes{};
  friend bool operator==(const RunState&, const RunState&) = default;
};

std::string to_text(const RunState& state);
/// What is wrong, otherwise.
std::expected<RunState, std::string> parse_run_state(std::string_view text);

/// Purpose: the numbers of targets in their order: what an interrupted run left open first. Invariant: none twice, none missed, over
/// any number of interruptions. A value.
class Order {
 public:
  Order(std::uint64_t size, const RunState& from) : permutation_(size, from.seed), state_(from) {}

  std::optional<std::uint64_t> next() {
    if (!state_.unfinished.empty()) {
      const std::uint64_t number = state_.unfinished.back();
      state_.unfinished.pop_back();
      return number;
    }
    if (state_.position >= permutation_.size()) return std::nullopt;
    return permutation_.at(state_.position++);
  }
  /// Numbers that next() will still give.
  std::uint64_t left() const { return state_.unfinished.size() + (permutation_.size() - state_.position); }
  /// With `open`: those that next() gave and that have no verdict.
  RunState state(std::vector<std::uint64_t> open) const {
    RunState now = state_;
    now.unfinished.insert(now.unfinished.end(), open.begin(), open.end());
    return now;
  }

 private:
  Permutation permutation_;
  RunState state_;
};

}  // namespace weir::probe::targets

// Transformations of buffers: what rules put between a sticky buffer and its conditions.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inspect/match/regex.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::match {

/// Purpose: a rule's transformations, made ready. Immutable but for what Regex needs.
class Transformer {
 public:
  /// The transformations, or why there are none; the reason begins with the keyword.
  static std::expected<Transformer, std::string> make(const std::vector<rules::Transform>& transforms, std::uint32_t match_limit);
  bool empty() const { return steps_.empty(); }
  /// `bytes` after all of them; `room` holds what is not `bytes` itself.
  std::span<const std::byte> apply(std::span<const std::byte> bytes, std::vector<std::byte>& room) const;

 private:
  struct Step {
    rules::Transform transform;
    std::optional<Regex> regex;
  };
  std::vector<Step> steps_;
};

}  // namespace weir::inspect::match

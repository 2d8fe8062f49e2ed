// What a classtype says of a rule: the category of its alerts, and their severity.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::inspect::rules {

struct Classification {
  std::string_view name, category;
  std::uint32_t priority;
};

/// Of the names that Suricata's and Snort's rule sets use.
std::optional<Classification> classification(std::string_view name);

}  // namespace weir::inspect::rules

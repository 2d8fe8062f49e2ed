// What iptables tells of Weir's rules that are in the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::gateway {

/// Of one table, from the text of `iptables -S`.
struct ListedRules {
  std::vector<std::string> jumps;                               ///< from others' chains to Weir's, without "-A "; one may be there twice
  std::string rules;                                            ///< all of Weir's, a line each, with the jumps: who changes one changes this text
  std::vector<std::pair<std::uint16_t, std::uint16_t>> queues;  ///< that they lead to: the first and the last one

  bool has_jump(std::string_view jump) const;
};

/// Others' rules are passed over, whatever they say.
ListedRules read_listed(std::string_view text);

}  // namespace weir::gateway

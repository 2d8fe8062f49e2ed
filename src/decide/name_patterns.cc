#include "decide/name_patterns.h"

#include "decide/host_name.h"

namespace weir::decide {

NamePatterns::NamePatterns(const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    const bool below = pattern.starts_with("*.");
    Kind& kind = patterns_[below ? pattern.substr(2) : pattern];
    (below ? kind.below : kind.itself) = true;
  }
}

bool NamePatterns::contains(std::string_view host) const {
  if (patterns_.empty() || host.size() > kMostHostNameBytes) return false;
  const auto known = patterns_.find(host);
  if (known != patterns_.end() && known->second.itself) return true;
  for (auto dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.')) {
    host.remove_prefix(dot + 1);
    const auto above = patterns_.find(host);
    if (above != patterns_.end() && above->second.below) return true;
  }
  return false;
}

}  // namespace weir::decide

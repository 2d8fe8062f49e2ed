// Names and wildcards of a rule: one hash of each suffix of the asked name, however many there are.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::decide {

/// Purpose: whether a host name in lower case is one of "www.example" or lies below one of "*.cdn.example".
class NamePatterns {
 public:
  NamePatterns() = default;
  explicit NamePatterns(const std::vector<std::string>& patterns);
  bool empty() const { return patterns_.empty(); }
  bool contains(std::string_view host) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
  };
  struct Kind {
    bool itself = false, below = false;
  };
  boost::unordered_flat_map<std::string, Kind, Hash, std::equal_to<>> patterns_;
};

}  // namespace weir::decide

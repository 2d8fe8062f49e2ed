// Why a rule is refused, while it is parsed.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace weir::inspect::rules {

struct Fault {
  std::string why;
};
template <typename T>
using Parsed = std::expected<T, Fault>;
inline std::unexpected<Fault> fault(std::string why) { return std::unexpected(Fault{std::move(why)}); }

}  // namespace weir::inspect::rules

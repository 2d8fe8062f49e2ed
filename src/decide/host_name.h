// Host names as policy compares them: lower case, without a dot at the end.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::decide {

inline constexpr std::size_t kMostHostNameBytes = 253;  // RFC 1035 §2.3.4, as text

/// Nothing: the text has octets that no host name has (RFC 1123 §2.1, and "_" as services have it), an empty label, or is too long.
std::optional<std::string> host_name_of(std::string_view text);

}  // namespace weir::decide

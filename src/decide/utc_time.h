// Seconds since 1970 as text in UTC, for files that people read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::decide {

/// "2026-11-28T07:00:00Z" (RFC 3339 §5.6); what lies outside of the years 1970 to 9999 becomes the nearest within.
std::string utc_text(std::int64_t seconds);
/// Of such a text, and of no other.
std::optional<std::int64_t> parse_utc(std::string_view text);

}  // namespace weir::decide

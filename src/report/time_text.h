// Packet times as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/raw_packet.h"

namespace weir::report {

/// Appends "2026-11-24T02:16:00.000000+0000": ISO 8601 with microseconds and UTC offset, as Suricata writes it.
void append_timestamp(std::string& out, TimeNs time);

/// The time of such a text, and of no other.
std::optional<TimeNs> parse_timestamp(std::string_view text);

}  // namespace weir::report

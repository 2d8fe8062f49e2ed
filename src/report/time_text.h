// Packet times as text.
#pragma once

#include <string>

#include "base/raw_packet.h"

namespace weir::report {

/// Appends "2026-11-24T02:16:00.000000+0000": ISO 8601 with microseconds and UTC offset, as Suricata writes it.
void append_timestamp(std::string& out, TimeNs time);

}  // namespace weir::report

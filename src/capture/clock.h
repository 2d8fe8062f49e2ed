// The clocks of whatever does input and output: one for what has to go on whatever is done to the time of day, one that packets are stamped with.
#pragma once

#include <chrono>

#include "base/raw_packet.h"

namespace weir::capture {

/// Nanoseconds; only their differences mean something.
inline TimeNs steady_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
/// Since 1970 UTC.
inline TimeNs wall_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace weir::capture

// The clock of what has to go on whatever is done to the time of day.
#pragma once

#include <chrono>

#include "base/raw_packet.h"

namespace weir::sensor {

/// Nanoseconds; only their differences mean something.
inline TimeNs steady_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace weir::sensor

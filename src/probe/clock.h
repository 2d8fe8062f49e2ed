// The clocks of the prober's input and output: one for what has to go on, one for what is written down.
#pragma once

#include <chrono>

#include "base/raw_packet.h"

namespace weir::probe {

/// Nanoseconds; only their differences mean something.
inline TimeNs steady_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
/// Since 1970 UTC.
inline TimeNs wall_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace weir::probe

// Writes captured packets as pcap files with nanoseconds, one for each capture point.
#pragma once

#include <filesystem>

#include "simulation.h"

namespace weir::simulate {

/// `point-N.pcap` in the folder, which is made. Throws std::runtime_error.
void write_captures(const Simulated& simulated, const std::filesystem::path& folder);

}  // namespace weir::simulate

// Gives a simulated capture to the engine, and compares what it tells with the truth.
#pragma once

#include <string>
#include <vector>

#include "simulation.h"

namespace weir::simulate {

/// What is wrong, one line each; empty if the engine is right.
std::vector<std::string> check_engine(const Simulated& simulated);

}  // namespace weir::simulate

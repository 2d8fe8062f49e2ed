// What of a changed configuration a running sensor cannot take over.
#pragma once

#include <string>
#include <vector>

#include "cli/config_file.h"

namespace weir::cli {

/// The sensor's keys whose values differ, but for those that a reload applies (rules, vars).
std::vector<std::string> keys_for_a_restart(const Config& before, const Config& now);

}  // namespace weir::cli

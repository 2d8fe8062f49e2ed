// What of a changed configuration a running program cannot take over.
#pragma once

#include <string>
#include <vector>

#include "cli/config_file.h"

namespace weir::cli {

/// The sensor's keys whose values differ, but for those that a reload applies (rules, vars).
std::vector<std::string> keys_for_a_restart(const Config& before, const Config& now);

/// The gateway's, but for those that its reload applies: rules, vars, policy, categories, feeds, nat, gateway.interfaces, inside, fail.dead, drain_seconds, and
/// proxy where it was, or is, not in use.
std::vector<std::string> gateway_keys_for_a_restart(const Config& before, const Config& now);

}  // namespace weir::cli

// Which keys a configuration may have: the table of all, and a walk that finds others.
#pragma once

#include <yaml-cpp/yaml.h>

#include "cli/config_values.h"

namespace weir::cli {

/// Every key that is not known, is given twice or takes no list becomes an error, with the key that it may have been meant for.
void check_keys(const YAML::Node& root, ConfigValues& values);

}  // namespace weir::cli

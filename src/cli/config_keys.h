// Which keys a configuration may have: the table of all, and a walk that finds others.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "cli/config_values.h"

namespace weir::cli {

/// Every key that is not known, is given twice or takes no list becomes an error, with the key that it may have been meant for. The keys at the top in which
/// there is one; for one that is not known the one that it may have been meant for.
std::set<std::string> check_keys(const YAML::Node& root, ConfigValues& values);

/// Where each key stands, as in "gateway.queues"; those within lists are their list's.
using KeyLines = std::map<std::string, int, std::less<>>;
KeyLines lines_of_keys(const YAML::Node& root);
/// Of the key, or of the nearest one around it that is there; 0: of none.
int line_of_key(const KeyLines& lines, std::string_view key);

}  // namespace weir::cli

// The configuration's `policy`, `categories` and `feeds`.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "cli/config_values.h"
#include "decide/rule.h"
#include "inspect/rules/parse.h"

namespace weir::cli {

/// A file or folder with a name that rules use.
struct NamedPath {
  std::string name, path;
  int line = 0;
};

struct PolicyConfig {
  std::vector<decide::Rule> rules;
  decide::Rule otherwise;  ///< policy.default
  std::vector<NamedPath> categories, feeds;
};

/// Takes these keys out of the whole document.
void read_policy(const YAML::Node& root, const inspect::rules::Variables& variables, ConfigValues& values, PolicyConfig& into);

}  // namespace weir::cli

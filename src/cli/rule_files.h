// Rules from files, made ready to run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "inspect/match/rule_set.h"
#include "inspect/rules/parse.h"
#include "report/problem.h"

namespace weir::cli {

struct LoadedRules {
  std::shared_ptr<inspect::match::RuleSet> set;
  std::vector<inspect::rules::Refusal> refusals;  ///< in the order of files and lines
  std::vector<report::Problem> unusable;          ///< named places of which nothing can run, and files that are none of rules; one without any lines is fine
  std::size_t files = 0;
  std::size_t loaded = 0;
};

/// Why none can be read there, if so: no such file, or nothing in the folder.
std::optional<std::string> missing_rules(const std::string& path);

/// Paths: a file, a folder (its *.rules), or a pattern with * and ?. Says each refused rule: "weir: FILE:LINE:COLUMN: 'KEYWORD': WHY".
/// Nothing, and it is said why: one of them cannot be read.
std::optional<LoadedRules> check_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables, const Limits& limits);
/// The same, to run them: neither may anything be unusable.
std::optional<LoadedRules> load_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables, const Limits& limits);

}  // namespace weir::cli

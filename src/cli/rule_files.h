// Rules from files, made ready to run.
#pragma once

#include <expected>
#include <memory>
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
  std::size_t files = 0;
  std::size_t loaded = 0;
};

/// Paths: a file, a folder (its *.rules), or a pattern with * and ?. Problem: one that cannot be read; nothing is loaded then.
std::expected<LoadedRules, report::Problem> load_rules(const std::vector<std::string>& paths, const inspect::rules::Variables& variables, const Limits& limits);

/// Says each refused rule: "weir: FILE:LINE:COLUMN: 'KEYWORD': WHY"; the column and the keyword only where the fault has them.
void say_refusals(const LoadedRules& rules);

}  // namespace weir::cli

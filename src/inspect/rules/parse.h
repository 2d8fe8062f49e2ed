// Suricata's rule language: text in, rules and refusals out.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

/// Address and port variables by name (without $). A value is a group in the rule language: "[10.0.0.0/8,!10.1.0.0/16]".
using Variables = std::map<std::string, std::string, std::less<>>;

/// What rule sets expect to be there: HOME_NET, EXTERNAL_NET, HTTP_PORTS, ... with Suricata's defaults.
Variables default_variables();

/// A rule that is not loaded.
struct Refusal {
  std::string file;
  int line = 0;
  int column = 0;       ///< of what is refused, from 1
  std::string keyword;  ///< "" if the fault is in the rule's header or form
  std::string why;
  bool no_rule = false;  ///< the line does not begin as a rule does
};

struct RuleFile {
  std::vector<Rule> rules;
  std::vector<Refusal> refusals;
};

/// Every rule of a file. A line that is empty or begins with '#' is none; a backslash at its end joins it to the next.
/// Of two rules with the same gid and sid the one of the higher rev stays.
RuleFile parse(std::string_view text, const std::string& file, const Variables& variables);

/// Leaves one of each gid and sid: the highest rev, of equal ones the first; the others become refusals.
void drop_duplicates(std::vector<Rule>& rules, std::vector<Refusal>& refusals);

}  // namespace weir::inspect::rules

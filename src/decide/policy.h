// Policy: the facts of a connection's first SYN in, a decision out.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decide/conditions.h"
#include "decide/decision.h"
#include "decide/facts.h"
#include "decide/rule.h"

namespace weir::decide {

/// How one rule answered. The last one of an Explanation matched.
struct RuleAnswer {
  std::string rule;
  int line = 0;  ///< of the configuration; 0: it is not written there
  std::optional<Condition> missed;
  std::string why;  ///< what the connection is, and what the rule asks for
};

struct Explanation {
  FlowDirection direction = FlowDirection::kInternal;
  std::vector<std::string> categories;
  std::vector<RuleAnswer> answers;  ///< in order, up to the one that decides
  std::shared_ptr<const Decision> decision;
};

/// Purpose: the rules in order, of which the first that matches decides. Invariant: it does not change; a reload makes another one, and what was
/// decided stays with its connections. Threads: any number may ask at once. A decision costs no allocation.
class Policy {
 public:
  explicit Policy(PolicySettings settings, Lookups lookups = {});
  ~Policy();
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;

  /// Never null.
  std::shared_ptr<const Decision> decide(const Facts& facts) const;
  /// The same, and how it came about.
  Explanation explain(const Facts& facts) const;
  FlowDirection direction_of(const IpAddress& client, const IpAddress& server) const;
  /// Whether any rule asks for events: then a connection may be decided on anew when it raises one.
  bool asks_for_anomalies() const { return asks_for_anomalies_; }

 private:
  struct Compiled;
  const Compiled& matching(Question& question) const;

  Lookups lookups_;
  std::vector<Compiled> rules_;  ///< the last one matches everything
  std::optional<AddressSet> inside_;
  bool asks_for_anomalies_ = false;
};

}  // namespace weir::decide

// Policy: the facts of a connection's first SYN in, a decision out.
#pragma once

#include <memory>
#include <vector>

#include "decide/decision.h"
#include "decide/facts.h"
#include "decide/rule.h"

namespace weir::decide {

/// Purpose: the rules in order, of which the first that matches decides. Invariant: it does not change; a reload makes another one, and what was
/// decided stays with its connections. Threads: any number may ask at once. A decision costs no allocation.
class Policy {
 public:
  explicit Policy(PolicySettings settings);
  ~Policy();
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;

  /// Never null.
  std::shared_ptr<const Decision> decide(const Facts& facts) const;
  FlowDirection direction_of(const IpAddress& client, const IpAddress& server) const;

 private:
  struct Compiled;
  std::vector<Compiled> rules_;  ///< the last one matches everything
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace weir::decide

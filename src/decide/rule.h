// The configuration's `policy` as values: checked, not yet compiled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decide/decision.h"
#include "decide/facts.h"
#include "inspect/rules/rule.h"

namespace weir::decide {

/// Words of a list; one that was written with '!' in front is an exception. No members: all but the exceptions.
struct Words {
  std::vector<std::string> in, out;
  bool any() const { return in.empty() && out.empty(); }
};

/// [first, last) in minutes of the day; last below or equal to first: over midnight, and what lies behind it belongs to the day before.
struct DayTime {
  std::uint16_t first = 0, last = 1'440;
};

/// All conditions that are given must hold.
struct Match {
  inspect::rules::AddressGroup client{}, server{};
  inspect::rules::PortGroup port{};  ///< the server's
  Words interface_in{}, interface_out{};
  std::uint8_t directions = 0;  ///< a bit for each FlowDirection; none: all
  std::uint8_t weekdays = 0;    ///< bit 0: Monday; none: all
  std::vector<DayTime> times{};
  Words names{};  ///< "*.cdn.example": every name below it, not itself
  Words categories{};
  Words feeds{};                                                          ///< "NAME" or "NAME:VERDICT"
  std::uint8_t versions = 0;                                              ///< bit 0: v0, bit 1: v1; none: all
  EventSet anomalies = 0;                                                 ///< any of them; none: all
  Known client_known = Known::kUnasked, service_known = Known::kUnasked;  ///< unasked: all
};

struct Rule {
  std::string name;
  int line = 0;  ///< of the configuration
  Match match;
  Action action = Action::kInspect;
  JoinLimits limits;
};

struct PolicySettings {
  inspect::rules::AddressGroup inside;
  bool has_inside = false;  ///< else everything is inside: directions are internal
  std::vector<Rule> rules;  ///< the first that matches decides
  Rule otherwise;           ///< policy.default
};

}  // namespace weir::decide

// How a rule is matched: what the multi-pattern matcher looks for, and what is tried where it finds something.
//
// The conditions on the stream fall into chains: what is relative belongs to the condition before it. Chains are independent of one another.
// A chain falls into segments where a content may lie any distance behind the one before (`distance` without `within`): the earliest match
// of a segment serves what follows best, so a segment's result is one offset, and no bytes need be kept between segments.
// A segment has one trigger that the multi-pattern matcher finds; around it the segment's steps are tried on the bytes themselves.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inspect/match/evaluate.h"
#include "inspect/match/transform.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::match {

/// One expression for the multi-pattern matcher.
struct Pattern {
  std::string expression;
  unsigned flags = 0;
  std::optional<std::uint64_t> max_offset;  ///< the match ends here at the latest
  auto operator<=>(const Pattern&) const = default;
};

struct Segment {
  enum class Trigger : std::uint8_t {
    kLiteral,  ///< steps[trigger_step], a content
    kRegex,    ///< steps[0], a pcre that the multi-pattern matcher takes whole
    kDoubt,    ///< steps[0], a pcre of which it takes an approximation
    kStart,    ///< the stream's first byte: everything is counted from there
  };
  std::vector<Step> steps;
  Trigger trigger = Trigger::kStart;
  std::size_t trigger_step = 0;
  std::uint64_t lookback_bytes = 0;  ///< from the segment's first byte to the trigger's first byte, at most
  std::uint64_t overlap_bytes = 0;   ///< the segment may begin so far behind the trigger's first byte (negative distances), at most
  std::uint64_t before_bytes = 0;    ///< the steps look at so many bytes before the segment's first byte (negative distances), at most
  bool continues = false;            ///< of the chain of the segment before
  std::int64_t distance = 0;         ///< from the end of that one, at least
  bool simple = false;               ///< the trigger says it all
  bool from_start = false;           ///< a step that a variable ties to the others counts from the stream's first byte
  Pattern pattern;
};

/// A content or pcre that must not come between offset and depth, or not at all.
struct Absence {
  Pattern pattern;
  std::uint64_t size = 0;        ///< of the content; 0: a pcre
  std::uint64_t lowest = 0;      ///< where it may not begin, at the earliest
  std::uint64_t decided_at = 0;  ///< once the stream has reached this offset it has not come; ~0: at the end
};

/// Conditions on one buffer of a transaction, transformed; of a buffer that there are several of, on one of them.
struct PartSteps {
  rules::Subject subject;
  Transformer transformer;
  std::vector<Step> steps;
  bool may_be_absent = false;  ///< absent: holds of a transaction without the buffer
};
/// Conditions on parts of one transaction.
struct Parts {
  std::vector<PartSteps> each;
  Stage stage = Stage::kStream;                            ///< when all of them are there
  std::optional<std::pair<rules::Subject, Pattern>> fast;  ///< must be found, or the rest is not tried; none: always tried
};

struct Plan {
  rules::Rule rule;
  std::vector<Segment> segments;
  std::vector<Absence> absences;
  Parts parts;
  bool every_match = false;  ///< which match it is matters (mptcp.split, mptcp.opener), or how many there are (threshold, flowint)

  bool has_stream() const { return !segments.empty() || !absences.empty(); }
  bool has_parts() const { return !parts.each.empty(); }
  /// What it does is done for each match, not once a connection and direction.
  bool repeats() const;
  /// Before its trigger's end, a segment may reach back this far.
  std::uint64_t history_bytes() const;
};

/// The plan, or why there is none.
std::expected<Plan, std::string> make_plan(rules::Rule rule, const EvaluationLimits& limits, std::uint32_t regex_match_limit);

}  // namespace weir::inspect::match

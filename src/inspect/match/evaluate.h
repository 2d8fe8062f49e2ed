// The conditions of a rule, tried on bytes: contents with their positions, expressions, numbers read from the bytes.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "inspect/match/regex.h"
#include "inspect/match/window.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::match {

/// A condition, made ready. `regex` is set where the condition is a pcre, `decoded` where it is base64_decode.
struct Step {
  rules::Condition condition;
  std::optional<Regex> regex;
  std::vector<Step> decoded = {};
};
/// The step, or why there is none; the reason begins with the keyword.
std::expected<Step, std::string> make_step(const rules::Condition& condition, std::uint32_t match_limit);

/// Where the first step's match may begin, and where relative positions count from before there is a match.
struct Anchor {
  std::uint64_t lowest = 0, highest = ~0ULL;  ///< of the first content's first byte, both included
  std::uint64_t position = 0;
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

enum class Outcome : std::uint8_t {
  kNo,    ///< and it will not, whatever follows
  kMore,  ///< bytes from Evaluation::wanted on may decide
  kYes,   ///< a match was taken
};

struct Evaluation {
  Outcome outcome = Outcome::kNo;
  std::uint64_t wanted = 0;  ///< kMore: nothing changes before the stream has reached this offset
  bool limited = false;      ///< given up at a limit: not all ways were tried
};

/// What one evaluation may cost.
struct EvaluationLimits {
  std::uint32_t steps = 10'000;
  std::uint64_t ahead_bytes = 64 << 10;  ///< how far behind the anchor what has no range of its own may lie
};

/// Tries every way in which the steps hold one after the other, and hands each to `take` until that returns true.
/// A way is a choice of one occurrence for each content and pcre, as backtracking finds them, from left to right.
Evaluation evaluate(std::span<const Step> steps, const Window& window, const Anchor& anchor, const EvaluationLimits& limits,
                    const std::function<bool(const Match&)>& take);

/// First occurrence of `what` in `in` at or after `from`; npos if there is none.
std::size_t find(std::span<const std::byte> in, std::span<const std::byte> what, bool nocase, std::size_t from);

}  // namespace weir::inspect::match

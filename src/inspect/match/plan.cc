#include "inspect/match/plan.h"

#include <fmt/format.h>
#include <hs/hs.h>

#include <algorithm>
#include <iterator>

namespace weir::inspect::match {
namespace {

using rules::Content;
using rules::Pcre;

constexpr std::uint64_t kUnbounded = ~0ULL;

std::string literal_expression(const Content& c) {
  std::string out;
  for (const std::byte b : c.bytes) fmt::format_to(std::back_inserter(out), "\\x{:02x}", std::to_integer<unsigned>(b));
  return out;
}

/// The pattern of a content. What `offset` asks for is checked on the match: after a gap the matcher counts anew.
Pattern pattern_of(const Content& c, bool every_match) {
  Pattern p;
  p.expression = literal_expression(c);
  p.flags = HS_FLAG_DOTALL | (c.nocase ? HS_FLAG_CASELESS : 0U);
  if (!c.relative && c.starts) {
    p.max_offset = c.bytes.size();
  } else if (!c.relative && c.depth) {
    p.max_offset = static_cast<std::uint64_t>(std::max<std::int64_t>(0, c.offset.value_or(0))) + static_cast<std::uint64_t>(*c.depth);
  }
  const bool first_is_enough = !every_match && !c.relative && !c.offset && !c.ends;
  if (first_is_enough) p.flags |= HS_FLAG_SINGLEMATCH;
  return p;
}

unsigned hs_flags(const Pcre& p) { return (p.caseless ? HS_FLAG_CASELESS : 0U) | (p.multiline ? HS_FLAG_MULTILINE : 0U) | (p.dotall ? HS_FLAG_DOTALL : 0U); }

bool takes(const std::string& expression, unsigned flags) {
  hs_expr_info_t* info = nullptr;
  hs_compile_error_t* error = nullptr;
  const bool taken = hs_expression_info(expression.c_str(), flags, &info, &error) == HS_SUCCESS;
  const bool never_empty = taken && info->min_width > 0;
  free(info);  // NOLINT(cppcoreguidelines-no-malloc): Hyperscan took it from malloc
  if (error != nullptr) hs_free_compile_error(error);
  return taken && never_empty;
}

/// The pcre as a pattern; `doubt`: only an approximation, to be confirmed.
std::optional<Pattern> pattern_of(const Pcre& p, bool every_match, bool& doubt) {
  Pattern out;
  out.expression = p.anchored ? "\\A(?:" + p.expression + ")" : p.expression;
  if (p.extended) out.expression = "(?x)" + out.expression + "\n";
  out.flags = hs_flags(p);
  doubt = p.dollar_endonly;
  if (!doubt && takes(out.expression, out.flags)) {
    if (!every_match) out.flags |= HS_FLAG_SINGLEMATCH;
    return out;
  }
  doubt = true;
  out.flags |= HS_FLAG_PREFILTER;
  if (takes(out.expression, out.flags)) return out;
  return std::nullopt;
}

bool is_relative(const rules::Condition& c) {
  return std::visit(
      [](const auto& what) {
        if constexpr (requires { what.relative; }) return what.relative;
        if constexpr (requires { what.read; }) return what.read.relative;
        return false;
      },
      c.what);
}

const Content* content_of(const Step& s) { return std::get_if<Content>(&s.condition.what); }
const Pcre* pcre_of(const Step& s) { return std::get_if<Pcre>(&s.condition.what); }

/// Whether a condition sets or uses a variable.
bool has_variable(const rules::Condition& c) {
  constexpr auto kNone = rules::kNoVariable;
  return std::visit(
      [](const auto& what) {
        bool any = false;
        if constexpr (requires { what.offset_variable; })
          any |= what.offset_variable != kNone || what.depth_variable != kNone || what.distance_variable != kNone || what.within_variable != kNone;
        if constexpr (requires { what.read; }) any |= what.read.bytes_variable != kNone || what.read.offset_variable != kNone;
        if constexpr (requires { what.value_variable; }) any |= what.value_variable != kNone;
        if constexpr (requires { what.bytes_variable; }) any |= what.bytes_variable != kNone;
        if constexpr (requires { what.result; }) any = true;
        if constexpr (requires { what.decoded; }) any |= std::ranges::any_of(what.decoded, has_variable);
        return any;
      },
      c.what);
}

bool moves_by_reading(const Step& s) {
  const auto& what = s.condition.what;
  return std::holds_alternative<rules::ByteJump>(what) || std::holds_alternative<rules::ByteExtract>(what) || std::holds_alternative<rules::ByteMath>(what);
}

/// How far behind the position before it a step may leave the position, at most.
std::uint64_t advance_of(const Step& s) {
  if (const Content* c = content_of(s)) {
    if (c->negated) return 0;
    if (!c->relative || !c->within) return kUnbounded;
    if (c->within_variable != rules::kNoVariable || c->distance_variable != rules::kNoVariable) return kUnbounded;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, c->distance.value_or(0) + *c->within));
  }
  if (const Pcre* p = pcre_of(s)) return p->negated ? 0 : kUnbounded;
  return moves_by_reading(s) ? kUnbounded : 0;
}

/// How far before its first byte the steps of a segment may look.
std::uint64_t before_of(const Segment& segment) {
  std::int64_t least = 0;  // the position, counted from the segment's first byte, at least
  std::int64_t lowest = 0;
  for (std::size_t i = 0; i < segment.steps.size(); ++i) {
    const auto& what = segment.steps[i].condition.what;
    if (const auto* c = std::get_if<Content>(&what)) {
      const std::int64_t start = i == 0 ? 0 : least + c->distance.value_or(0);
      lowest = std::min(lowest, start);
      if (!c->negated) least = start + static_cast<std::int64_t>(c->bytes.size());
    } else if (const auto* t = std::get_if<rules::ByteTest>(&what)) {
      lowest = std::min(lowest, least + t->read.offset);
    } else if (const auto* j = std::get_if<rules::ByteJump>(&what)) {
      lowest = std::min(lowest, least + j->read.offset);
      least += j->read.offset + j->post_offset;
    } else if (const auto* e = std::get_if<rules::ByteExtract>(&what)) {
      lowest = std::min(lowest, least + e->read.offset);
      least += e->read.offset;
    } else if (const auto* m = std::get_if<rules::ByteMath>(&what)) {
      lowest = std::min(lowest, least + m->read.offset);
      least += m->read.offset;
    }
  }
  return static_cast<std::uint64_t>(-lowest);
}

/// Chooses the content that the multi-pattern matcher looks for: the rule's own choice, else the longest that is near enough to the first step.
void choose_trigger(Segment& segment, const EvaluationLimits& limits, bool every_match) {
  std::uint64_t reach = 0;  // from the segment's first byte to the position before the step, at most
  std::int64_t least = 0;   // the same, at least
  const Content* best = nullptr;
  for (std::size_t i = 0; i < segment.steps.size(); ++i) {
    const Step& step = segment.steps[i];
    const Content* c = content_of(step);
    if (c != nullptr && !c->negated && !c->bytes.empty()) {
      const std::uint64_t size = c->bytes.size();
      std::uint64_t back = 0;
      const std::int64_t nearest = i == 0 ? 0 : least + c->distance.value_or(0);
      if (i > 0) {
        const std::uint64_t advance = advance_of(step);
        if (advance == kUnbounded) break;
        back = reach + advance >= size ? reach + advance - size : 0;
      }
      if (back > limits.ahead_bytes) break;
      if (best == nullptr || c->fast_pattern || (!best->fast_pattern && size > best->bytes.size())) {
        best = c;
        segment.trigger = Segment::Trigger::kLiteral;
        segment.trigger_step = i;
        segment.lookback_bytes = back;
        segment.overlap_bytes = nearest < 0 ? static_cast<std::uint64_t>(-nearest) : 0;
        if (c->fast_pattern) break;
      }
      reach = i == 0 ? size : reach + advance_of(step);
      least = nearest + static_cast<std::int64_t>(size);
    } else if (i == 0 && !(c != nullptr && c->negated)) {
      break;  // what is read at a fixed place: counted from the start
    } else if (advance_of(step) == kUnbounded) {
      break;
    }
  }
  segment.before_bytes = before_of(segment);
  if (best == nullptr) return;
  segment.simple = segment.steps.size() == 1 && !best->ends;
  segment.pattern = pattern_of(*best, every_match || !segment.simple);
  if (segment.trigger_step != 0) segment.pattern.max_offset.reset();
}

/// Adds a condition on the stream. Empty: done; else why not. `tied`: a variable was read, so that what follows is tried together with it.
std::string add_to_stream(Plan& plan, Step step, bool& tied) {
  const bool relative = is_relative(step.condition);
  const bool variable = has_variable(step.condition);
  const Content* c = content_of(step);
  const Pcre* p = pcre_of(step);
  if (std::holds_alternative<rules::BufferSize>(step.condition.what)) return "bsize: a stream has no size";
  if (!relative && !variable && ((c != nullptr && c->negated && !c->ends) || (p != nullptr && p->negated))) {
    Absence absence{.pattern = {}, .size = 0, .lowest = 0, .decided_at = ~0ULL};
    if (c != nullptr) {
      absence.pattern = pattern_of(*c, false);
      absence.size = c->bytes.size();
      absence.lowest = c->offset ? static_cast<std::uint64_t>(std::max<std::int64_t>(0, *c->offset)) : 0;
      if (absence.pattern.max_offset) absence.decided_at = *absence.pattern.max_offset;
    } else {
      bool doubt = false;
      auto pattern = pattern_of(*p, false, doubt);
      if (!pattern || doubt) return "pcre: its absence from a stream cannot be told";
      absence.pattern = std::move(*pattern);
    }
    plan.absences.push_back(std::move(absence));
    return {};
  }
  if (tied) {
    Segment& last = plan.segments.back();
    last.from_start |= !relative;
    last.steps.push_back(std::move(step));
    return {};
  }
  tied = variable;
  const bool anywhere_behind = c != nullptr && !c->negated && relative && !c->within && c->distance.value_or(0) >= 0;
  if (!relative || plan.segments.empty() || anywhere_behind) {
    Segment segment;
    segment.continues = relative && !plan.segments.empty();
    segment.distance = c != nullptr ? c->distance.value_or(0) : 0;
    segment.steps.push_back(std::move(step));
    plan.segments.push_back(std::move(segment));
  } else {
    plan.segments.back().steps.push_back(std::move(step));
  }
  return {};
}

/// The trigger of each segment. Empty: done; else why not.
std::string arm(Plan& plan, const EvaluationLimits& limits) {
  for (Segment& segment : plan.segments) {
    if (segment.from_start) {
      if (segment.continues) return "byte_extract: what is counted from the beginning cannot use a number that was read behind a content that may lie anywhere";
      continue;
    }
    if (const Pcre* p = pcre_of(segment.steps[0]); p != nullptr && !p->relative) {
      bool doubt = false;
      auto pattern = pattern_of(*p, plan.every_match, doubt);
      if (!pattern) return "pcre: it can be empty, or cannot be looked for in a stream";
      segment.pattern = std::move(*pattern);
      segment.trigger = doubt ? Segment::Trigger::kDoubt : Segment::Trigger::kRegex;
      segment.simple = segment.steps.size() == 1 && !doubt;
      if (!segment.simple) segment.pattern.flags &= ~static_cast<unsigned>(HS_FLAG_SINGLEMATCH);
      if (doubt) segment.lookback_bytes = limits.ahead_bytes;
      continue;
    }
    choose_trigger(segment, limits, plan.every_match || segment.continues);
    if (segment.trigger == Segment::Trigger::kStart && segment.continues) return "a content that may lie anywhere behind another must be of at least one octet";
  }
  return {};
}

void choose_fast(Plan& plan) {
  const Content* best = nullptr;
  for (const PartSteps& part : plan.parts.each) {
    if (part.may_be_absent) continue;
    for (const Step& step : part.steps) {
      const Content* c = content_of(step);
      if (c == nullptr || c->negated || c->bytes.empty()) continue;
      if (best != nullptr && (best->fast_pattern || (!c->fast_pattern && c->bytes.size() <= best->bytes.size()))) continue;
      best = c;
      plan.parts.fast = {part.subject, Pattern{literal_expression(*c), HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | (c->nocase ? HS_FLAG_CASELESS : 0U), {}}};
    }
  }
}

}  // namespace

bool Plan::repeats() const {
  const auto marks_for_a_time = [](const rules::XBits& bits) { return bits.operation <= rules::XBits::Operation::kToggle; };
  return rule.threshold || rule.sets_again || std::ranges::any_of(rule.flowints, &rules::FlowInt::changes) || std::ranges::any_of(rule.xbits, marks_for_a_time);
}

std::uint64_t Plan::history_bytes() const {
  std::uint64_t most = 0;
  for (const Segment& s : segments) {
    if (s.trigger == Segment::Trigger::kStart || (s.simple && s.trigger == Segment::Trigger::kLiteral)) continue;
    std::uint64_t size = 0;
    if (s.trigger == Segment::Trigger::kLiteral) size = std::get<Content>(s.steps[s.trigger_step].condition.what).bytes.size();
    if (!s.simple) most = std::max(most, s.lookback_bytes + size + s.before_bytes);
  }
  return most;
}

std::expected<Plan, std::string> make_plan(rules::Rule rule, const EvaluationLimits& limits, std::uint32_t regex_match_limit) {
  Plan plan;
  // What holds at one match may not at another: which subflows carried it, what was set before, how many there are.
  const auto asks = [](const auto& bits) {
    using Operation = decltype(bits.operation);
    return bits.operation == Operation::kIsSet || bits.operation == Operation::kIsNotSet;
  };
  plan.every_match = rule.mptcp.any() || rule.threshold || rule.payload_size || !rule.flowints.empty() || !rule.xbits.empty() || !rule.stream_sizes.empty() ||
                     rule.sets_again || std::ranges::any_of(rule.flowbits, asks);
  bool tied = false;
  for (const rules::Condition& condition : rule.conditions) {
    auto step = make_step(condition, regex_match_limit);
    if (!step) return std::unexpected(step.error());
    if (is_stream(condition.subject.buffer)) {
      if (std::string why = add_to_stream(plan, std::move(*step), tied); !why.empty()) return std::unexpected(std::move(why));
      continue;
    }
    auto known = std::ranges::find(plan.parts.each, condition.subject, &PartSteps::subject);
    if (known == plan.parts.each.end()) {
      auto transformer = Transformer::make(condition.subject.transforms, regex_match_limit);
      if (!transformer) return std::unexpected(transformer.error());
      plan.parts.each.push_back({condition.subject, std::move(*transformer), {}, false});
      known = std::prev(plan.parts.each.end());
    }
    known->may_be_absent |= std::holds_alternative<rules::Absent>(condition.what);
    known->steps.push_back(std::move(*step));
    plan.parts.stage = std::max(plan.parts.stage, info_of(condition.subject.buffer).stage);
  }
  if (std::string why = arm(plan, limits); !why.empty()) return std::unexpected(std::move(why));
  choose_fast(plan);
  plan.rule = std::move(rule);
  return plan;
}

}  // namespace weir::inspect::match

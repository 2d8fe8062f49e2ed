#include "inspect/match/evaluate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

namespace weir::inspect::match {
namespace {

using rules::Absent;
using rules::Arithmetic;
using rules::Base64;
using rules::BufferSize;
using rules::ByteExtract;
using rules::ByteJump;
using rules::ByteMath;
using rules::ByteRead;
using rules::ByteTest;
using rules::Compare;
using rules::Content;
using rules::IsDataAt;
using rules::NumberIn;
using rules::Pcre;
using rules::Variable;

constexpr std::uint64_t kFar = 1ULL << 62U;
constexpr std::uint64_t kFarthestVariable = 1ULL << 40U;  // as a position: beyond every stream, and sums of them stay in 64 bits

constexpr std::uint8_t lower(std::uint8_t c) { return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 32) : c; }

bool equal(const std::byte* at, std::span<const std::byte> what, bool nocase) {
  if (!nocase) return std::memcmp(at, what.data(), what.size()) == 0;
  return std::equal(what.begin(), what.end(), at,
                    [](std::byte a, std::byte b) { return lower(std::to_integer<std::uint8_t>(a)) == lower(std::to_integer<std::uint8_t>(b)); });
}

/// `offset` + `by`, not below nothing and not beyond what is far.
std::uint64_t moved(std::uint64_t offset, std::int64_t by) {
  if (by < 0) {
    const std::uint64_t back = -static_cast<std::uint64_t>(by);
    return back > offset ? 0 : offset - back;
  }
  return std::min(offset + static_cast<std::uint64_t>(by), kFar);
}

std::uint64_t binary(std::span<const std::byte> bytes, rules::Endian endian) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte b = endian == rules::Endian::kBig ? bytes[i] : bytes[bytes.size() - 1 - i];
    value = value << 8U | std::to_integer<std::uint64_t>(b);
  }
  return value;
}

int digit_of(std::byte b) {
  const auto c = static_cast<char>(std::to_integer<unsigned char>(b));
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

/// Digits as strtoull reads them: blanks first, up to what is no digit. No digit: nothing.
std::optional<std::uint64_t> digits(std::span<const std::byte> bytes, unsigned base) {
  std::size_t i = 0;
  while (i < bytes.size() && (bytes[i] == std::byte{' '} || bytes[i] == std::byte{'\t'})) ++i;
  if (base == 16 && i + 1 < bytes.size() && bytes[i] == std::byte{'0'} && (bytes[i + 1] == std::byte{'x'} || bytes[i + 1] == std::byte{'X'})) i += 2;
  std::uint64_t value = 0;
  bool any = false;
  for (; i < bytes.size() && digit_of(bytes[i]) < static_cast<int>(base); ++i) {
    value = value * base + static_cast<std::uint64_t>(digit_of(bytes[i]));
    any = true;
  }
  return any ? std::optional(value) : std::nullopt;
}

bool compare(std::uint64_t read, Compare how, std::uint64_t with) {
  switch (how) {
    case Compare::kEqual:
      return read == with;
    case Compare::kNotEqual:
      return read != with;
    case Compare::kLess:
      return read < with;
    case Compare::kGreater:
      return read > with;
    case Compare::kLessEqual:
      return read <= with;
    case Compare::kGreaterEqual:
      return read >= with;
    case Compare::kAnd:
      return (read & with) != 0;
    case Compare::kOr:
      return (read ^ with) != 0;  // Suricata's ^
  }
  return false;
}

std::optional<std::uint64_t> calculated(std::uint64_t left, Arithmetic operation, std::uint64_t right) {
  switch (operation) {
    case Arithmetic::kAdd:
      return left + right;
    case Arithmetic::kSubtract:
      return left - right;
    case Arithmetic::kMultiply:
      return left * right;
    case Arithmetic::kDivide:
      return right == 0 ? std::nullopt : std::optional(left / right);
    case Arithmetic::kShiftLeft:
      return right < 64 ? left << right : 0;
    case Arithmetic::kShiftRight:
      return right < 64 ? left >> right : 0;
  }
  return std::nullopt;
}

std::uint64_t masked(std::uint64_t value, std::uint64_t mask) { return mask == 0 ? value : (value & mask) >> static_cast<unsigned>(std::countr_zero(mask)); }

/// RFC 4648 §4: the value of each octet, or -1.
constexpr std::array<std::int8_t, 256> kBase64 = [] {
  std::array<std::int8_t, 256> out{};
  out.fill(-1);
  std::int8_t value = 0;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) out[c] = value++;
  for (unsigned char c = 'a'; c <= 'z'; ++c) out[c] = value++;
  for (unsigned char c = '0'; c <= '9'; ++c) out[c] = value++;
  out['+'] = value++;
  out['/'] = value;
  return out;
}();

/// How many octets from the beginning on are base64.
std::size_t base64_size(std::span<const std::byte> bytes) {
  const auto end = std::ranges::find_if(bytes, [](std::byte b) { return kBase64[std::to_integer<std::size_t>(b)] < 0; });
  return static_cast<std::size_t>(end - bytes.begin());
}

/// All of `bytes` are base64. What does not fill an octet at the end is left out.
std::vector<std::byte> base64_decoded(std::span<const std::byte> bytes) {
  std::vector<std::byte> out;
  out.reserve(bytes.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned have = 0;
  for (const std::byte b : bytes) {
    bits = bits << 6U | static_cast<std::uint32_t>(kBase64[std::to_integer<std::size_t>(b)]);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out.push_back(static_cast<std::byte>(bits >> have & 0xffU));
    }
  }
  return out;
}

/// What byte_extract and byte_math have read, on the way that is being tried.
using Values = std::array<std::uint64_t, rules::kMostVariables>;

/// Purpose: one evaluation: a depth-first search over the ways in which the steps can hold.
class Search {
 public:
  Search(std::span<const Step> steps, const Window& window, const Anchor& anchor, const EvaluationLimits& limits, const std::function<bool(const Match&)>& take,
         Values& values)
      : steps_(steps), window_(window), anchor_(anchor), limits_(limits), take_(take), values_(values) {}

  Evaluation run() {
    const bool taken = from(0, anchor_.position, Match{.first = kFar, .end = 0, .position = anchor_.position});
    Evaluation result;
    result.limited = limited_;
    result.outcome = taken ? Outcome::kYes : wanted_ != kFar && !limited_ ? Outcome::kMore : Outcome::kNo;
    result.wanted = wanted_;
    return result;
  }

 private:
  /// The search goes no further here until the stream has reached `offset`.
  bool want(std::uint64_t offset) {
    wanted_ = std::min(wanted_, std::max(offset, window_.end() + 1));
    return false;
  }
  std::uint64_t value_of(Variable v, std::uint64_t without) const { return v == rules::kNoVariable ? without : values_[static_cast<std::size_t>(v)]; }
  std::int64_t position_of(Variable v, std::int64_t without) const {
    return v == rules::kNoVariable ? without : static_cast<std::int64_t>(std::min(values_[static_cast<std::size_t>(v)], kFarthestVariable));
  }
  /// Goes on with the variable set; another way finds it as it was.
  bool with(Variable v, std::uint64_t value, std::size_t i, std::uint64_t position, const Match& so_far) {
    auto& at = values_[static_cast<std::size_t>(v)];
    const std::uint64_t before = std::exchange(at, value);
    if (from(i, position, so_far)) return true;
    at = before;
    return false;
  }
  std::uint64_t farthest() const { return std::min(kFar, std::max(anchor_.position, anchor_.lowest) + limits_.ahead_bytes); }

  bool from(std::size_t i, std::uint64_t position, const Match& so_far) {
    if (++spent_ > limits_.steps) {
      limited_ = true;
      return false;
    }
    if (i == steps_.size()) {
      Match match = so_far;
      match.position = position;
      if (match.first == kFar) match.first = match.end = position;
      return take_(match);
    }
    return std::visit([&](const auto& what) { return step(i, what, position, so_far); }, steps_[i].condition.what);
  }

  bool step(std::size_t i, const Content& c, std::uint64_t position, const Match& so_far) {
    const std::uint64_t size = c.bytes.size();
    const std::int64_t offset = position_of(c.offset_variable, c.offset.value_or(0));
    const std::int64_t distance = position_of(c.distance_variable, c.distance.value_or(0));
    std::uint64_t lowest = 0;
    std::uint64_t limit = kFar;  // the match ends here at the latest
    if (c.relative) {
      lowest = moved(position, distance);
      if (c.within) limit = moved(position, distance + position_of(c.within_variable, *c.within));
    } else if (!window_.ended && !c.depth && !c.starts) {
      limit = farthest();
    }
    if (c.starts) limit = std::min(limit, size);
    if (c.offset) lowest = std::max(lowest, moved(0, offset));
    if (c.depth) limit = std::min(limit, moved(moved(0, offset), position_of(c.depth_variable, *c.depth)));
    const bool open = !c.within || c.within_variable != rules::kNoVariable || c.distance_variable != rules::kNoVariable;
    const bool far_off = c.offset_variable != rules::kNoVariable || c.depth_variable != rules::kNoVariable;
    if (!c.relative && far_off && !window_.ended) limit = std::min(limit, farthest());
    if (c.relative && open && !window_.ended) limit = std::min(limit, moved(position, static_cast<std::int64_t>(limits_.ahead_bytes)));
    if (i == 0 && !c.negated) {
      lowest = std::max(lowest, anchor_.lowest);
      if (anchor_.highest < kFar) limit = std::min(limit, anchor_.highest + size);
    }
    if (c.ends) {
      if (!window_.ended) return want(window_.end() + 1);
      if (window_.end() < size) return c.negated && from(i + 1, position, so_far);
      lowest = std::max(lowest, window_.end() - size);
    }
    if (limit < lowest + size) return c.negated && from(i + 1, position, so_far);

    const std::uint64_t reach = std::min(limit, window_.end());
    const auto bytes = reach > window_.base ? window_.bytes.first(static_cast<std::size_t>(reach - window_.base)) : std::span<const std::byte>();
    std::size_t at = lowest > window_.base ? static_cast<std::size_t>(std::min(lowest - window_.base, std::uint64_t{bytes.size()})) : 0;
    for (; (at = find(bytes, c.bytes, c.nocase, at)) != std::string_view::npos; ++at) {
      if (c.negated) return false;
      const std::uint64_t first = window_.base + at;
      const Match match{std::min(so_far.first, first), std::max(so_far.end, first + size), 0};
      if (from(i + 1, first + size, match)) return true;
      if (limited_) return false;
    }
    if (reach < limit && !window_.ended) return want(std::max(window_.end() + 1, lowest + size));
    return c.negated && from(i + 1, position, so_far);
  }

  bool step(std::size_t i, const Pcre& p, std::uint64_t position, const Match& so_far) {
    std::uint64_t start = p.relative ? position : i == 0 ? std::max(anchor_.lowest, window_.base) : window_.base;
    if (start < window_.base) start = window_.base;
    // What /^/ and look-behind see before the start is part of the subject only where the pcre is not relative.
    const std::uint64_t origin = p.relative ? start : window_.base;
    if (origin > window_.end()) return !window_.ended && want(origin);
    const std::uint64_t reach = window_.ended ? window_.end() : std::min(window_.end(), moved(start, static_cast<std::int64_t>(limits_.ahead_bytes)));
    const bool ended = window_.ended || reach < window_.end() || reach - start >= limits_.ahead_bytes;
    const auto subject = window_.bytes.subspan(static_cast<std::size_t>(origin - window_.base), static_cast<std::size_t>(reach - origin));
    for (std::size_t at = static_cast<std::size_t>(start - origin); at <= subject.size();) {
      const RegexResult found = steps_[i].regex->search(subject, at, ended);
      if (found.kind == RegexResult::Kind::kLimit) {
        limited_ = true;
        return false;
      }
      if (found.kind == RegexResult::Kind::kMore) return want(window_.end() + 1);
      if (found.kind == RegexResult::Kind::kNo) return p.negated && from(i + 1, position, so_far);
      if (p.negated) return false;
      const Match match{std::min(so_far.first, origin + found.first), std::max(so_far.end, origin + found.end), 0};
      if (from(i + 1, origin + found.end, match)) return true;
      if (limited_ || p.anchored || ++spent_ > limits_.steps) return false;
      at = std::max(found.first + 1, at + 1);
    }
    return false;
  }

  /// The number, or nothing; `after` is set to the offset behind it. `more`: it has not come yet.
  std::optional<std::uint64_t> read(const ByteRead& r, std::uint64_t position, std::uint64_t& after, bool& more) {
    const std::uint64_t at = moved(r.relative ? position : 0, position_of(r.offset_variable, r.offset));
    const std::uint64_t count = value_of(r.bytes_variable, r.bytes);
    if (count == 0 || count > (r.string_base == 0 ? 8U : 23U)) return std::nullopt;
    const std::uint64_t end = at + count;
    if (at < window_.base) return std::nullopt;
    if (end > window_.end()) {
      if (!window_.ended && end <= farthest() + count) {
        more = true;
        want(end);
      }
      return std::nullopt;
    }
    const auto bytes = window_.bytes.subspan(static_cast<std::size_t>(at - window_.base), static_cast<std::size_t>(count));
    after = end;
    return r.string_base == 0 ? std::optional(binary(bytes, r.endian)) : digits(bytes, r.string_base);
  }

  bool step(std::size_t i, const ByteTest& t, std::uint64_t position, const Match& so_far) {
    std::uint64_t after = 0;
    bool more = false;
    const auto value = read(t.read, position, after, more);
    if (!value || compare(masked(*value, t.read.bitmask), t.compare, value_of(t.value_variable, t.value)) == t.negated) return false;
    return from(i + 1, position, so_far);
  }

  bool step(std::size_t i, const ByteJump& j, std::uint64_t position, const Match& so_far) {
    std::uint64_t after = 0;
    bool more = false;
    const auto value = read(j.read, position, after, more);
    if (!value) return false;
    std::uint64_t by = masked(*value, j.read.bitmask) * j.multiplier;
    if (j.align && by % 4 != 0) by += 4 - by % 4;
    if (by > kFar) return false;
    if (j.from_end && !window_.ended) return want(window_.end() + 1);
    const std::uint64_t origin = j.from_beginning ? 0 : j.from_end ? window_.end() : after;
    const std::uint64_t target = moved(moved(origin, static_cast<std::int64_t>(by)), j.post_offset);
    if (target > window_.end()) return !window_.ended && target <= farthest() && want(target);
    return from(i + 1, target, so_far);
  }

  bool step(std::size_t i, const ByteExtract& e, std::uint64_t position, const Match& so_far) {
    std::uint64_t after = 0;
    bool more = false;
    const auto read_value = read(e.read, position, after, more);
    if (!read_value) return false;
    std::uint64_t value = masked(*read_value, e.read.bitmask) * e.multiplier;
    if (e.align != 0 && value % e.align != 0) value += e.align - value % e.align;
    return with(e.result, value, i + 1, after, so_far);
  }

  bool step(std::size_t i, const ByteMath& m, std::uint64_t position, const Match& so_far) {
    std::uint64_t after = 0;
    bool more = false;
    const auto read_value = read(m.read, position, after, more);
    if (!read_value) return false;
    const auto value = calculated(*read_value, m.operation, value_of(m.value_variable, m.value));
    return value && with(m.result, masked(*value, m.read.bitmask), i + 1, after, so_far);
  }

  bool step(std::size_t i, const Base64& b, std::uint64_t position, const Match& so_far) {
    constexpr std::size_t kMost = 65'535;
    const std::uint64_t at = moved(b.relative ? position : 0, static_cast<std::int64_t>(b.offset));
    if (at < window_.base) return false;
    if (at >= window_.end()) return !window_.ended && at <= farthest() && want(at + 1);
    const std::size_t most = b.bytes != 0 ? static_cast<std::size_t>(b.bytes) : kMost;
    const auto rest = window_.bytes.subspan(static_cast<std::size_t>(at - window_.base));
    const std::size_t used = base64_size(rest.first(std::min(rest.size(), most)));
    if (used == rest.size() && used < most && !window_.ended) return want(window_.end() + 1);
    const auto decoded = base64_decoded(rest.first(used));
    if (decoded.empty()) return false;
    const Match match{std::min(so_far.first, at), std::max(so_far.end, at + used), 0};
    const Window inner{decoded, 0, true};
    const Anchor beginning;
    const std::function<bool(const Match&)> go_on = [&](const Match&) { return from(i + 1, position, match); };
    Search search(steps_[i].decoded, inner, beginning, limits_, go_on, values_);
    search.spent_ = spent_;
    const bool taken = search.run().outcome == Outcome::kYes;
    spent_ = std::max(spent_, search.spent_);
    limited_ |= search.limited_;
    return taken;
  }

  bool step(std::size_t i, const NumberIn& n, std::uint64_t position, const Match& so_far) {
    const std::uint64_t value = binary(window_.bytes, rules::Endian::kBig);
    const bool any = std::ranges::any_of(n.any_of, [&](const rules::NumberTest& test) { return test.holds(value); });
    return any != n.negated && from(i + 1, position, so_far);
  }

  /// The buffer is there.
  bool step(std::size_t i, const Absent& a, std::uint64_t position, const Match& so_far) { return a.or_else && from(i + 1, position, so_far); }

  bool step(std::size_t i, const IsDataAt& d, std::uint64_t position, const Match& so_far) {
    const std::uint64_t count = std::min(d.bytes, kFar) + static_cast<std::uint64_t>(position_of(d.bytes_variable, 0));
    const std::uint64_t needed = moved(d.relative ? position : 0, static_cast<std::int64_t>(count));
    if (d.bytes_variable != rules::kNoVariable && !window_.ended && needed > farthest()) return d.negated && from(i + 1, position, so_far);
    const bool there = needed <= window_.end();
    if (!there && !window_.ended) return want(needed);
    return there != d.negated && from(i + 1, position, so_far);
  }

  bool step(std::size_t i, const BufferSize& s, std::uint64_t position, const Match& so_far) {
    if (!window_.ended) return want(window_.end() + 1);
    return s.size.holds(window_.end()) && from(i + 1, position, so_far);
  }

  std::span<const Step> steps_;
  const Window& window_;
  const Anchor& anchor_;
  const EvaluationLimits& limits_;
  const std::function<bool(const Match&)>& take_;
  Values& values_;
  std::uint64_t wanted_ = kFar;
  std::uint32_t spent_ = 0;
  bool limited_ = false;
};

}  // namespace

std::size_t find(std::span<const std::byte> in, std::span<const std::byte> what, bool nocase, std::size_t from) {
  if (what.empty()) return from <= in.size() ? from : std::string_view::npos;
  if (in.size() < what.size() || from > in.size() - what.size()) return std::string_view::npos;
  if (!nocase) {
    const void* const found = memmem(in.data() + from, in.size() - from, what.data(), what.size());
    return found == nullptr ? std::string_view::npos : static_cast<std::size_t>(static_cast<const std::byte*>(found) - in.data());
  }
  const auto head = std::to_integer<std::uint8_t>(what[0]);
  for (std::size_t at = from; at + what.size() <= in.size(); ++at) {
    if (lower(std::to_integer<std::uint8_t>(in[at])) == lower(head) && equal(in.data() + at, what, true)) return at;
  }
  return std::string_view::npos;
}

Evaluation evaluate(std::span<const Step> steps, const Window& window, const Anchor& anchor, const EvaluationLimits& limits,
                    const std::function<bool(const Match&)>& take) {
  Values values{};
  return Search(steps, window, anchor, limits, take, values).run();
}

std::expected<Step, std::string> make_step(const rules::Condition& condition, std::uint32_t match_limit) {
  Step step{condition, std::nullopt};
  if (const auto* p = std::get_if<Pcre>(&condition.what)) {
    auto regex = Regex::compile(*p, match_limit);
    if (!regex) return std::unexpected("pcre: " + regex.error());
    step.regex = std::move(*regex);
  }
  if (const auto* b = std::get_if<Base64>(&condition.what)) {
    for (const rules::Condition& inner : b->decoded) {
      auto made = make_step(inner, match_limit);
      if (!made) return made;
      step.decoded.push_back(std::move(*made));
    }
  }
  return step;
}

}  // namespace weir::inspect::match

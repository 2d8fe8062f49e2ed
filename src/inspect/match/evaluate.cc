#include "inspect/match/evaluate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace weir::inspect::match {
namespace {

using rules::BufferSize;
using rules::ByteJump;
using rules::ByteRead;
using rules::ByteTest;
using rules::Compare;
using rules::Content;
using rules::IsDataAt;
using rules::Pcre;

constexpr std::uint64_t kFar = 1ULL << 62U;

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

/// Purpose: one evaluation: a depth-first search over the ways in which the steps can hold.
class Search {
 public:
  Search(std::span<const Step> steps, const Window& window, const Anchor& anchor, const EvaluationLimits& limits, const std::function<bool(const Match&)>& take)
      : steps_(steps), window_(window), anchor_(anchor), limits_(limits), take_(take) {}

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
    std::uint64_t lowest = 0;
    std::uint64_t limit = kFar;  // the match ends here at the latest
    if (c.relative) {
      lowest = moved(position, c.distance.value_or(0));
      if (c.within) limit = moved(position, c.distance.value_or(0) + *c.within);
    } else if (!window_.ended && !c.depth && !c.starts) {
      limit = farthest();
    }
    if (c.starts) limit = std::min(limit, size);
    if (c.offset) lowest = std::max(lowest, moved(0, *c.offset));
    if (c.depth) limit = std::min(limit, moved(moved(0, c.offset.value_or(0)), *c.depth));
    if (c.relative && !c.within && !window_.ended) limit = std::min(limit, moved(position, static_cast<std::int64_t>(limits_.ahead_bytes)));
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
    const std::uint64_t at = moved(r.relative ? position : 0, r.offset);
    const std::uint64_t end = at + r.bytes;
    if (at < window_.base) return std::nullopt;
    if (end > window_.end()) {
      if (!window_.ended && end <= farthest() + r.bytes) {
        more = true;
        want(end);
      }
      return std::nullopt;
    }
    const auto bytes = window_.bytes.subspan(static_cast<std::size_t>(at - window_.base), r.bytes);
    after = end;
    auto value = r.string_base == 0 ? std::optional(binary(bytes, r.endian)) : digits(bytes, r.string_base);
    if (value && r.bitmask != 0) value = (*value & r.bitmask) >> static_cast<unsigned>(std::countr_zero(r.bitmask));
    return value;
  }

  bool step(std::size_t i, const ByteTest& t, std::uint64_t position, const Match& so_far) {
    std::uint64_t after = 0;
    bool more = false;
    const auto value = read(t.read, position, after, more);
    if (!value || compare(*value, t.compare, t.value) == t.negated) return false;
    return from(i + 1, position, so_far);
  }

  bool step(std::size_t i, const ByteJump& j, std::uint64_t position, const Match& so_far) {
    std::uint64_t after = 0;
    bool more = false;
    const auto value = read(j.read, position, after, more);
    if (!value) return false;
    std::uint64_t by = *value * j.multiplier;
    if (j.align && by % 4 != 0) by += 4 - by % 4;
    if (by > kFar) return false;
    if (j.from_end && !window_.ended) return want(window_.end() + 1);
    const std::uint64_t origin = j.from_beginning ? 0 : j.from_end ? window_.end() : after;
    const std::uint64_t target = moved(moved(origin, static_cast<std::int64_t>(by)), j.post_offset);
    if (target > window_.end()) return !window_.ended && target <= farthest() && want(target);
    return from(i + 1, target, so_far);
  }

  bool step(std::size_t i, const IsDataAt& d, std::uint64_t position, const Match& so_far) {
    const std::uint64_t needed = moved(d.relative ? position : 0, static_cast<std::int64_t>(std::min(d.bytes, kFar)));
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
  return Search(steps, window, anchor, limits, take).run();
}

}  // namespace weir::inspect::match

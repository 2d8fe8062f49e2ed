// Numbers as rules write them.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "inspect/rules/fault.h"
#include "inspect/rules/rule.h"

namespace weir::inspect::rules {

inline std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Decimal, or hexadecimal with 0x; the whole text.
template <typename T>
std::optional<T> number(std::string_view text) {
  text = trimmed(text);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Suricata's forms: N, <N, >N, <=N, >=N, N-M, N<>M, !N.
inline Parsed<NumberTest> number_test(std::string_view text) {
  text = trimmed(text);
  NumberTest out;
  const auto single = [&](std::string_view digits) { return number<std::uint64_t>(digits); };
  const auto bad = [&] { return fault("'" + std::string(text) + "' is none of N, <N, >N, <=N, >=N, N-M, N<>M"); };
  if (text.starts_with("<=") || text.starts_with(">=")) {
    const auto n = single(text.substr(2));
    if (!n) return bad();
    (text[0] == '<' ? out.highest : out.lowest) = *n;
    return out;
  }
  if (text.starts_with('<') || text.starts_with('>')) {
    const auto n = single(text.substr(1));
    if (!n || (text[0] == '<' ? *n == 0 : *n == ~0ULL)) return bad();
    (text[0] == '<' ? out.highest : out.lowest) = text[0] == '<' ? *n - 1 : *n + 1;
    return out;
  }
  if (text.starts_with('!')) {
    out.negated = true;
    text.remove_prefix(1);
  }
  if (const auto between = text.find("<>"); between != std::string_view::npos) {
    const auto low = single(text.substr(0, between));
    const auto high = single(text.substr(between + 2));
    if (!low || !high || *high < 2 || *low + 1 > *high - 1) return bad();
    out.lowest = *low + 1;
    out.highest = *high - 1;
    return out;
  }
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    const auto low = single(text.substr(0, dash));
    const auto high = single(text.substr(dash + 1));
    if (!low || !high || *low > *high) return bad();
    out.lowest = *low;
    out.highest = *high;
    return out;
  }
  const auto n = single(text);
  if (!n) return bad();
  out.lowest = out.highest = *n;
  return out;
}

}  // namespace weir::inspect::rules

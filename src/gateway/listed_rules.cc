#include "gateway/listed_rules.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace weir::gateway {
namespace {

constexpr std::string_view kRule = "-A ", kOurs = "WEIR-";

/// The chain that the rule's last words lead to.
bool leads_to_ours(std::string_view rule) {
  const auto last = rule.rfind(' ');
  if (last == std::string_view::npos || !rule.substr(last + 1).starts_with(kOurs)) return false;
  const std::string_view before = rule.substr(0, last);
  return before.ends_with(" -j") || before.ends_with(" -g");
}

std::optional<std::uint16_t> number_at(std::string_view text) {
  std::uint16_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc{} ? std::optional(number) : std::nullopt;
}

void take_queues(std::string_view rule, ListedRules& into) {
  for (const std::string_view option : {" --queue-num ", " --queue-balance "}) {
    const auto at = rule.find(option);
    if (at == std::string_view::npos) continue;
    const std::string_view value = rule.substr(at + option.size(), rule.find(' ', at + option.size()) - at - option.size());
    const auto first = number_at(value);
    const auto colon = value.find(':');
    const auto last = colon == std::string_view::npos ? first : number_at(value.substr(colon + 1));
    if (first && last) into.queues.emplace_back(*first, *last);
  }
}

}  // namespace

bool ListedRules::has_jump(std::string_view jump) const { return std::ranges::find(jumps, jump) != jumps.end(); }

ListedRules read_listed(std::string_view text) {
  ListedRules listed;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(kRule)) continue;
    const std::string_view rule = line.substr(kRule.size());
    const bool inside = rule.starts_with(kOurs);
    if (!inside && !leads_to_ours(rule)) continue;
    if (!inside) listed.jumps.emplace_back(rule);
    if (inside) take_queues(rule, listed);
    listed.rules.append(rule).push_back('\n');
  }
  return listed;
}

}  // namespace weir::gateway

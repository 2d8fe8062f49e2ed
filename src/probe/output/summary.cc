#include "probe/output/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <numeric>
#include <set>

#include "report/table.h"

namespace weir::probe::output {
namespace {

std::uint64_t sum(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

double share(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

Earlier read_earlier(std::string_view json_lines) {
  Earlier earlier;
  while (!json_lines.empty()) {
    const std::size_t end = std::min(json_lines.find('\n'), json_lines.size());
    boost::system::error_code error;
    const auto value = boost::json::parse(boost::json::string_view(json_lines.data(), end), error);
    json_lines.remove_prefix(std::min(end + 1, json_lines.size()));
    const auto* const object = error ? nullptr : value.if_object();
    if (object == nullptr) continue;
    const auto *const ip = object->if_contains("ip"), *const port = object->if_contains("port"), *const verdict = object->if_contains("verdict");
    if (ip == nullptr || port == nullptr || verdict == nullptr || !ip->is_string() || !port->is_int64() || !verdict->is_string()) continue;
    const auto address = parse_ip_address(std::string_view(ip->get_string().data(), ip->get_string().size()));
    Verdict found{};
    if (!address || !parse_verdict(std::string_view(verdict->get_string().data(), verdict->get_string().size()), found)) continue;
    earlier[{.address = *address, .port = static_cast<std::uint16_t>(port->get_int64())}] = found;
  }
  return earlier;
}

void Summary::take(const Record& record) {
  const auto verdict = static_cast<std::size_t>(record.finding.verdict);
  ++verdicts_[verdict];
  std::set<std::string_view> seen;
  for (const Name& name : record.names)
    if (!name.category.empty() && seen.insert(name.category).second) ++categories_[name.category][verdict];
  if (!compares_) return;
  const auto before = earlier_.find(record.finding.target);
  if (before == earlier_.end()) {
    ++fresh_;
  } else if (before->second != record.finding.verdict) {
    ++changed_;
    if (changes_.size() < kMostChanges)
      changes_.push_back({.target = record.finding.target,
                          .name = record.names.empty() ? std::string() : record.names.front().name,
                          .before = before->second,
                          .now = record.finding.verdict});
  }
}

std::uint64_t Summary::total() const { return sum(verdicts_); }

std::string Summary::text(const report::TextStyle& style) const {
  report::Table table({{"verdict"}, {"targets", true}, {"share", true}, {""}});
  for (std::size_t i = 0; i < kVerdicts; ++i)
    if (verdicts_[i] != 0)
      table.row({std::string(name_of(static_cast<Verdict>(i))), report::grouped(verdicts_[i]), fmt::format("{:.1f} %", share(verdicts_[i], total())), ""});
  std::string text = table.text(style);
  text += fmt::format("{} targets", report::grouped(total()));
  if (compares_) text += fmt::format(", {} changed since the earlier run, {} new", report::grouped(changed_), report::grouped(fresh_));
  return text + "\n";
}

}  // namespace weir::probe::output

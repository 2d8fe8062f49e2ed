#include "probe/output/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <numeric>

#include "report/table.h"

namespace weir::probe::output {
namespace {

std::uint64_t sum(const Counts& counts) { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

using boost::json::object;

/// The text under the key; none: there is none.
std::optional<std::string_view> text_of(const object& in, std::string_view key) {
  const auto* const value = in.if_contains(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string().data(), value->get_string().size());
}

const boost::json::array* array_of(const object& in, std::string_view key) {
  const auto* const value = in.if_contains(key);
  return value != nullptr ? value->if_array() : nullptr;
}

double share(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

}  // namespace

std::expected<Earlier, std::size_t> read_earlier(std::string_view json_lines) {
  Earlier earlier;
  for (std::size_t number = 1; !json_lines.empty(); ++number) {
    const std::size_t end = std::min(json_lines.find('\n'), json_lines.size());
    const bool cut = end == json_lines.size() && !earlier.empty();
    if (const auto read = read_line(json_lines.substr(0, end))) {
      earlier[read->finding.target] = read->finding.verdict;
    } else if (!cut) {
      return std::unexpected(number);
    }
    json_lines.remove_prefix(std::min(end + 1, json_lines.size()));
  }
  return earlier;
}

std::optional<ReadLine> read_line(std::string_view line) {
  boost::system::error_code error;
  const auto value = boost::json::parse(boost::json::string_view(line.data(), line.size()), error);
  const object* const in = error ? nullptr : value.if_object();
  if (in == nullptr) return std::nullopt;
  const auto ip = text_of(*in, "ip"), verdict = text_of(*in, "verdict");
  const auto* const port = in->if_contains("port");
  if (!ip || !verdict || port == nullptr || !port->is_int64()) return std::nullopt;
  const auto address = parse_ip_address(*ip);
  ReadLine read;
  if (!address || !parse_verdict(*verdict, read.finding.verdict)) return std::nullopt;
  read.finding.target = {.address = *address, .port = static_cast<std::uint16_t>(port->get_int64())};
  if (const auto* const names = array_of(*in, "names"))
    for (const auto& one : *names)
      if (const object* const name = one.if_object())
        if (const auto text = text_of(*name, "name")) read.names.push_back({.name = std::string(*text), .category = {}, .https_record = false});
  if (const auto* const categories = array_of(*in, "categories"))
    for (const auto& one : *categories)
      if (one.is_string()) read.categories.emplace_back(one.get_string().data(), one.get_string().size());
  Verdict before{};
  if (const auto text = text_of(*in, "verdict_before"); text && parse_verdict(*text, before)) read.before = before;
  return read;
}

std::optional<Verdict> Summary::before(const Target& target) const {
  const auto found = earlier_.find(target);
  return found == earlier_.end() ? std::nullopt : std::optional(found->second);
}

void Summary::take(const Record& record) {
  const auto verdict = static_cast<std::size_t>(record.finding.verdict);
  ++verdicts_[verdict];
  for (const std::string& category : record.categories) ++categories_[category][verdict];
  if (!compares_) return;
  if (!record.before) {
    ++fresh_;
    return;
  }
  ++known_;
  if (*record.before != record.finding.verdict) {
    ++changed_;
    if (changes_.size() < kMostChanges)
      changes_.push_back({.target = record.finding.target,
                          .name = record.names.empty() ? std::string() : record.names.front().name,
                          .before = *record.before,
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
  if (compares()) text += fmt::format(", {} changed since the earlier run, {} new", report::grouped(changed_), report::grouped(fresh_));
  return text + "\n";
}

}  // namespace weir::probe::output

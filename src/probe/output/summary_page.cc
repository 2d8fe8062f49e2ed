#include <fmt/format.h>

#include "probe/output/summary.h"
#include "report/table.h"
#include "report/time_text.h"

namespace weir::probe::output {
namespace {

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who speaks MPTCP</title>
<style>
:root{color-scheme:light dark;--line:#8886;--v1:#1f8a4c;--v0:#6aa84f;--mirror:#b06ad6;--tcp_only:#5b7bb5;--closed:#8a8f98;--timeout:#b9bdc4;--inconclusive:#c98a1b;--stripped:#c42b1c}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right}.bar{display:flex;height:1.2rem;border-radius:.3rem;overflow:hidden}.bar i{display:block}
.key i{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;margin-right:.3rem}.soft{opacity:.7}
</style></head><body>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string bar(const Counts& counts) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) total += count;
  std::string out = "<div class=bar>";
  for (std::size_t i = 0; i < kVerdicts && total > 0; ++i) {
    if (counts[i] == 0) continue;
    const auto name = name_of(static_cast<Verdict>(i));
    out += fmt::format("<i style=\"width:{:.3f}%;background:var(--{})\" title=\"{} {}\"></i>",
                       100.0 * static_cast<double>(counts[i]) / static_cast<double>(total), name, name, counts[i]);
  }
  return out + "</div>";
}

}  // namespace

std::string Summary::html(TimeNs time_ns) const {
  std::string out(kHead);
  std::string time;
  report::append_timestamp(time, time_ns);
  out += fmt::format("<h1>Who speaks MPTCP</h1><p class=soft>{} targets, {}</p>{}\n<table><tr><th>verdict<th class=n>targets<th class=n>share\n",
                     report::grouped(total()), time, bar(verdicts_));
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    const auto name = name_of(static_cast<Verdict>(i));
    const double part = total() == 0 ? 0 : 100.0 * static_cast<double>(verdicts_[i]) / static_cast<double>(total());
    out += fmt::format("<tr><td class=key><i style=\"background:var(--{})\"></i>{}<td class=n>{}<td class=n>{:.1f} %\n", name, name,
                       report::grouped(verdicts_[i]), part);
  }
  out += "</table>\n";
  if (!categories_.empty()) {
    out += "<h2>By category</h2><table><tr><th>category<th class=n>targets<th>shares\n";
    for (const auto& [category, counts] : categories_) {
      std::uint64_t all = 0;
      for (const std::uint64_t count : counts) all += count;
      out += fmt::format("<tr><td>{}<td class=n>{}<td>{}\n", escaped(category), report::grouped(all), bar(counts));
    }
    out += "</table>\n";
  }
  if (compares()) {
    out += fmt::format("<h2>Since the earlier run</h2><p>{} changed, {} new.</p>", report::grouped(changed_), report::grouped(fresh_));
    if (!changes_.empty()) out += "<table><tr><th>target<th>name<th>before<th>now\n";
    for (const Change& change : changes_)
      out += fmt::format("<tr><td>{} port {}<td>{}<td>{}<td>{}\n", to_string(change.target.address), change.target.port, escaped(change.name),
                         name_of(change.before), name_of(change.now));
    if (!changes_.empty()) out += "</table>\n";
    if (changed_ > changes_.size()) out += fmt::format("<p class=soft>{} more are not shown.</p>\n", report::grouped(changed_ - changes_.size()));
  }
  return out + "</body></html>\n";
}

}  // namespace weir::probe::output

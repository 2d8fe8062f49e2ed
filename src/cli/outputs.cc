#include "cli/outputs.h"

#include <algorithm>
#include <utility>

#include "cli/say.h"

namespace weir::cli {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

}  // namespace

void Totals::add(std::string_view name, std::uint64_t value) {
  const auto known = std::ranges::find(named, name, &report::NamedCounter::first);
  if (known == named.end()) {
    named.emplace_back(name, value);
  } else {
    known->second += value;
  }
}

void Totals::add(std::span<const report::NamedCounter> more) {
  for (const auto& [name, value] : more) add(name, value);
}

void Totals::add(const engine::Counters& more) {
  for (const auto& info : engine::kCounterTable) engine.*info.field += more.*info.field;
}

bool Outputs::open() {
  if (!options_.log) return true;
  auto log = report::LineOutput::open(*options_.log, options_.log_mode);
  if (!log) return say(log.error()), false;
  log_.emplace(*std::move(log));
  stats_.emplace(*log_, points_);
  return true;
}

std::vector<report::NamedCounter> Outputs::counters(const Totals& totals) const {
  std::vector<report::NamedCounter> all;
  for (const auto& info : engine::kCounterTable) all.emplace_back(info.name, totals.engine.*info.field);
  all.insert(all.end(), totals.named.begin(), totals.named.end());
  if (rules_loaded_ + rules_refused_ > 0) {
    all.emplace_back("rules.loaded", rules_loaded_);
    all.emplace_back("rules.refused", rules_refused_);
  }
  return all;
}

void Outputs::stats(const Totals& totals, TimeNs first, TimeNs now) {
  if (!stats_) return;
  stats_->write_stats(now, (now - first) / kSecond, counters(totals));
  stats_->flush();
}

void Outputs::reopen() {
  if (!log_) return;
  if (const auto problem = log_->reopen()) say(*problem);
}

bool Outputs::close(const Totals& totals, TimeNs first, TimeNs last) {
  if (!log_) return true;
  stats(totals, first, last);
  if (const auto problem = log_->close()) return say(*problem), false;
  return true;
}

}  // namespace weir::cli

#include "cli/outputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/say.h"
#include "report/table.h"

namespace weir::cli {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;
/// For what waits for the log when a service ends, which has 5 s for all that is to be done then.
constexpr std::chrono::milliseconds kLastLines{2'000};
constexpr std::chrono::milliseconds kLastInventory{1'500};      ///< of a service, after that
constexpr std::chrono::milliseconds kInventoryOffline{60'000};  ///< nobody waits for its end

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

report::LineSink* Outputs::log() {
  if (service_log_) return service_log_.get();
  return log_ ? &*log_ : nullptr;
}

bool Outputs::open() {
  names_.emplace(static_cast<std::size_t>(options_.limits.names_entries));
  if (options_.service_log || options_.log || options_.inventory) inventory_.emplace(options_);
  if (options_.service_log) {
    auto log = report::LogWriter::open(*options_.service_log, [](auto what, auto why, auto hint) { say(what, why, hint); });
    if (!log) return say(log.error()), false;
    service_log_ = *std::move(log);
    stats_.emplace(*service_log_, points_);
    return true;
  }
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
  if (rules_.loaded + rules_.refused > 0) {
    all.emplace_back("rules.loaded", rules_.loaded);
    all.emplace_back("rules.refused", rules_.refused);
  }
  const auto names = names_->counters();
  all.insert(all.end(), names.begin(), names.end());
  if (inventory_) {
    const auto inventory = inventory_->counters();
    all.insert(all.end(), inventory.begin(), inventory.end());
  }
  if (service_log_) {
    const report::LogCounters log = service_log_->counters();
    all.emplace_back("log.lines_written", log.lines_written);
    all.emplace_back("log.lines_lost", log.lines_lost);
    all.emplace_back("log.bytes_written", log.bytes_written);
    all.emplace_back("log.errors", log.errors);
    all.emplace_back("log.rotations", log.rotations);
    all.emplace_back("log.queued_bytes", log.queued_bytes);
  }
  return all;
}

void Outputs::start() {
  if (service_log_) service_log_->start();
}

void Outputs::stats(const Totals& totals, TimeNs first, TimeNs now) {
  if (!stats_) return;
  stats_->write_stats(now, (now - first) / kSecond, counters(totals));
  stats_->flush();
}

std::optional<std::shared_ptr<const inspect::match::RuleSet>> Outputs::read_rules() {
  if (options_.rules.empty()) {
    rules_ = {};
    return nullptr;
  }
  const auto loaded = load_rules(options_.rules, options_.variables, options_.limits);
  if (!loaded) return std::nullopt;
  rules_.loaded = loaded->loaded;
  rules_.refused = loaded->refusals.size();
  return loaded->set;
}

std::string Outputs::rules_text() const {
  if (options_.rules.empty()) return {};
  std::string text = fmt::format("{} rule{}", report::grouped(rules_.loaded), rules_.loaded == 1 ? "" : "s");
  if (rules_.refused > 0) text += fmt::format(", {} refused", report::grouped(rules_.refused));
  return text;
}

void Outputs::keep() {
  if (inventory_) inventory_->keep();
}

void Outputs::reopen() {
  if (service_log_) service_log_->reopen();
}

bool Outputs::close(const Totals& totals, TimeNs first, TimeNs last) {
  if (inventory_) inventory_->keep();  // while the log's last lines are written
  stats(totals, first, last);
  const bool logged = !service_log_ || service_log_->close(kLastLines) == 0;
  const bool kept = (!inventory_ || inventory_->finish(service_log_ ? kLastInventory : kInventoryOffline)) && logged;
  if (!log_) return kept;
  if (const auto problem = log_->close()) return say(*problem), false;
  return kept;
}

}  // namespace weir::cli

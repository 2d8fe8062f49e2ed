// What a run writes that all its shards share: the log, the counters; opened before and closed after the work.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/inspect_options.h"
#include "cli/kept_inventory.h"
#include "cli/rule_files.h"
#include "engine/counters.h"
#include "report/eve.h"
#include "report/line_output.h"
#include "report/log_writer.h"
#include "report/naming.h"

namespace weir::cli {

/// Counters of the engine and of all else, added up over shards.
struct Totals {
  engine::Counters engine;
  std::vector<report::NamedCounter> named;  ///< names live as long as the program, or as whoever added them

  void add(std::string_view name, std::uint64_t value);
  void add(std::span<const report::NamedCounter> more);
  void add(const engine::Counters& more);
};

/// Purpose: the log that all shards write to, and what is counted for the whole run. Ownership: owns the log; outlives every ShardOutputs.
/// Threads: log() may be used by all at once; all else belongs to the one that opened it.
class Outputs {
 public:
  Outputs(const InspectOptions& options, report::PointNames points) : options_(options), points_(std::move(points)) {}

  /// False: something cannot be written; it is said.
  bool open();
  const InspectOptions& options() const { return options_; }
  const report::PointNames& points() const { return points_; }
  /// None without --log.
  report::LineSink* log();
  /// A service's log begins to be written: after privileges were dropped.
  void start();
  /// Of a service's log; none elsewhere.
  report::LogWriter* service_log() { return service_log_.get(); }

  /// What all shards know together. After open().
  report::SharedNames& names() { return *names_; }
  /// None where no one would see it.
  KeptInventory* inventory() { return inventory_ ? &*inventory_ : nullptr; }
  /// A minute has passed: what is to outlive the program is written.
  void keep();

  /// A `stats` record of the counters so far.
  void stats(const Totals& totals, TimeNs first, TimeNs now);
  /// The log was moved away.
  void reopen();
  /// After the last shard: the last record, the summary, and closing; false: something could not be written; it is said.
  bool close(const Totals& totals, TimeNs first, TimeNs last);
  /// The rules that the options name, ready to be used, and counted as loaded; null: they name none. None: they cannot be read, which is said.
  std::optional<std::shared_ptr<const inspect::match::RuleSet>> read_rules();
  /// "1,234 rules, 3 refused": of those that run; empty where none are named.
  std::string rules_text() const;
  struct RuleCounts {
    std::uint64_t loaded = 0, refused = 0;
  };
  RuleCounts rule_counts() const { return rules_; }
  /// Others stay, after all.
  void use(RuleCounts counts) { rules_ = counts; }
  /// Counters of the run as a whole, added to those of the shards: "rules.loaded" and the like.
  std::vector<report::NamedCounter> counters(const Totals& totals) const;

 private:
  /// Shards hand over whole lines one after the other.
  class Log : public report::LineSink {
   public:
    explicit Log(report::LineOutput output) : output_(std::move(output)) {}
    void submit(std::string&& lines, std::uint64_t count) override {
      const std::scoped_lock lock(mutex_);
      output_.submit(std::move(lines), count);
    }
    std::optional<report::Problem> close() { return output_.close(); }
    std::uint64_t lines_lost() {
      const std::scoped_lock lock(mutex_);
      return output_.lines_lost();
    }

   private:
    std::mutex mutex_;
    report::LineOutput output_;
  };

  const InspectOptions& options_;
  report::PointNames points_;
  std::optional<Log> log_;
  std::unique_ptr<report::LogWriter> service_log_;
  std::optional<report::SharedNames> names_;
  std::optional<KeptInventory> inventory_;
  std::optional<report::EveWriter> stats_;  ///< writes nothing but `stats`
  RuleCounts rules_;
};

}  // namespace weir::cli

// What a run found, all together: shares by verdict and by category, and what has changed since an earlier run. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "probe/output/record.h"
#include "report/terminal.h"

namespace weir::probe::output {

using Counts = std::array<std::uint64_t, kVerdicts>;

struct Change {
  Target target;
  std::string name;
  Verdict before = Verdict::kInconclusive, now = Verdict::kInconclusive;
};

/// Verdicts of an earlier run.
using Earlier = std::map<Target, Verdict>;
/// Out of its JSON lines, or the number of the first line that is none. One at the end that a kill has cut in two is passed over.
std::expected<Earlier, std::size_t> read_earlier(std::string_view json_lines);

/// A record as its JSON line tells it again, as far as a summary and nftables sets take it.
struct ReadLine {
  Finding finding;
  std::vector<Name> names;
  std::vector<std::string> categories;
  std::optional<Verdict> before;
};
/// None: it is no record.
std::optional<ReadLine> read_line(std::string_view line);

/// Purpose: counts records. Limits: kMostChanges changes are kept; all are counted. A value.
class Summary {
 public:
  static constexpr std::size_t kMostChanges = 1'000;

  Summary() = default;
  /// `asked_for`: it is told even if no target was in it.
  explicit Summary(Earlier earlier, bool asked_for = true) : earlier_(std::move(earlier)), compares_(true), asked_for_(asked_for) {}

  void take(const Record& record);
  /// The verdict of the earlier run: what Record::before is for.
  std::optional<Verdict> before(const Target& target) const;

  std::uint64_t total() const;
  const Counts& verdicts() const { return verdicts_; }
  const std::map<std::string, Counts>& categories() const { return categories_; }
  bool compares() const { return compares_ && (asked_for_ || known_ > 0); }
  const std::vector<Change>& changes() const { return changes_; }
  std::uint64_t changed() const { return changed_; }
  std::uint64_t fresh() const { return fresh_; }  ///< not in the earlier run

  /// For a terminal.
  std::string text(const report::TextStyle& style) const;
  /// One page that works offline, without scripts.
  std::string html(TimeNs time_ns) const;

 private:
  Counts verdicts_{};
  std::map<std::string, Counts> categories_;
  Earlier earlier_;
  bool compares_ = false, asked_for_ = false;
  std::uint64_t known_ = 0;  ///< of the earlier run
  std::vector<Change> changes_;
  std::uint64_t changed_ = 0, fresh_ = 0;
};

}  // namespace weir::probe::output

// Where a run's records go: JSON lines, CSV, nftables sets, the feed, a summary; and how far it is, on a terminal.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/raw_packet.h"
#include "cli/probe_options.h"
#include "decide/feed.h"
#include "probe/output/record.h"
#include "probe/output/summary.h"
#include "probe/targets/run_state.h"
#include "report/line_output.h"

namespace weir::cli {

/// Purpose: see above. Invariant: after flush() all lines taken are written. Ownership: its files. One owner, one thread.
/// Limits: the feed's kMostFeedEntries; what is beyond is told.
class ProbeOutputs : public probe::output::Sink {
 public:
  /// Reads what is to be merged or compared before a packet is sent: a damaged feed is not written over. The exit status where it cannot be.
  /// `appends`: to what an earlier round has written. `from`: the run goes on from there: what was written behind it is taken away, as its
  /// targets come again, and what stands before it is a part of this run.
  static std::expected<std::unique_ptr<ProbeOutputs>, int> open(const ProbeOptions& options, bool appends, const probe::targets::RunState* from);

  void take(const probe::output::Record& found) override;
  /// How long the results are that have been written.
  void measure(probe::targets::RunState& state) const;
  /// Lines so far; false: they could not be written, which close() tells.
  bool flush();
  /// All so far is in its files, and `state` says how long they are; false: it could not be written.
  bool keep(probe::targets::RunState& state);
  /// Files that are made of the whole run. `complete`: it was not interrupted. The exit status.
  int close(bool complete);
  const probe::output::Summary& summary() const { return summary_; }

 private:
  struct Lines {
    report::LineOutput output;
    std::string text;
    std::uint64_t count = 0;
    void flush();
  };
  explicit ProbeOutputs(const ProbeOptions& options) : options_(options) {}
  int open_lines(const std::string& place, bool goes_on, std::optional<Lines>& into);
  int open_earlier();
  /// The results of the run's first part, out of its own JSON lines.
  int take_first_part(const probe::targets::RunState& from);
  int write_feed();

  const ProbeOptions& options_;
  std::optional<Lines> json_, csv_;
  std::optional<decide::Feed> earlier_;  ///< the feed as it was
  std::vector<decide::FeedEntry> entries_;
  std::vector<decide::FeedEntry> speakers_;  ///< of the run's first part: for nftables sets alone
  std::uint64_t entries_left_out_ = 0;
  probe::output::Summary summary_;
};

/// Purpose: a line on standard error: rate, answers, time left. Nothing where that is no terminal. One owner, one thread.
class ProbeProgress {
 public:
  ProbeProgress(bool wanted, std::uint64_t total);
  ~ProbeProgress() { clear(); }
  ProbeProgress(const ProbeProgress&) = delete;
  ProbeProgress& operator=(const ProbeProgress&) = delete;

  void update(std::uint64_t done, std::uint64_t speakers);
  void clear();

 private:
  bool active_, shown_ = false;
  std::uint64_t total_;
  TimeNs began_ns_, next_ns_;
};

}  // namespace weir::cli

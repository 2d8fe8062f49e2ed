// Everything that a run of `weir inspect` writes, opened before and closed after the work.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "capture/limits.h"
#include "capture/points.h"
#include "cli/inspect_options.h"
#include "engine/counters.h"
#include "engine/engine.h"
#include "report/eve.h"
#include "report/fanout.h"
#include "report/files.h"
#include "report/html.h"
#include "report/line_output.h"
#include "report/normalise.h"
#include "report/pcap_frames.h"
#include "report/streams.h"
#include "report/summary.h"

namespace weir::cli {

/// Purpose: the reports that the options ask for. Ownership: owns them; the table of points must outlive it.
class Outputs {
 public:
  Outputs(const InspectOptions& options, const capture::PointTable& points) : options_(options), points_(points) {}

  /// False: something cannot be written; it is said.
  bool open(LinkType link, bool several_points);
  report::Fanout& observer() { return fanout_; }
  /// At most capture::kBatch packets through the engine, and those that are left unchanged into the normalised capture.
  void feed(engine::Engine& engine, std::span<const RawPacket> packets);

  /// A second has passed: lines go out.
  void flush();
  /// A `stats` record of the counters so far.
  void stats(const engine::Counters& counters, std::span<const report::NamedCounter> inspection, TimeNs first, TimeNs now);
  /// The log was moved away.
  void reopen();
  /// The engine is about to end what is left.
  void input_ended();
  /// Last lines, the summary, and closing; false: something could not be written; it is said.
  bool close(const engine::Counters& counters, std::span<const report::NamedCounter> inspection, TimeNs first, TimeNs last);
  void rules_loaded(std::uint64_t loaded, std::uint64_t refused) {
    rules_loaded_ = loaded;
    rules_refused_ = refused;
  }
  /// Someone writes down what applications said, or files.
  bool wants_applications() const { return eve_.has_value() || options_.export_files.has_value() || options_.report.has_value(); }
  bool wants_plots() const { return options_.report.has_value(); }

 private:
  std::vector<report::NamedCounter> all_counters(const engine::Counters& counters, std::span<const report::NamedCounter> inspection) const;

  const InspectOptions& options_;
  const capture::PointTable& points_;
  report::Fanout fanout_;
  std::optional<report::LineOutput> log_;
  std::optional<report::EveWriter> eve_;
  std::unique_ptr<report::StreamExport> streams_;
  std::unique_ptr<report::FileExport> files_;
  std::unique_ptr<report::HtmlReport> html_;
  std::optional<report::PcapFrames> frames_;
  std::optional<report::Normaliser> normaliser_;
  std::optional<report::Summary> summary_;
  std::array<engine::Fate, capture::kBatch> fates_{};
  std::uint64_t rules_loaded_ = 0, rules_refused_ = 0;
};

}  // namespace weir::cli

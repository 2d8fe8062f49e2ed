// What one shard writes: lines for the shared log, streams, files; and, where there is but one shard, what needs all packets in order.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "capture/limits.h"
#include "cli/outputs.h"
#include "engine/engine.h"
#include "report/eve.h"
#include "report/fanout.h"
#include "report/files.h"
#include "report/html.h"
#include "report/inventory_log.h"
#include "report/live_normaliser.h"
#include "report/naming.h"
#include "report/normalise.h"
#include "report/pcap_frames.h"
#include "report/streams.h"
#include "report/summary.h"
#include "sensor/worker.h"

namespace weir::cli {

/// Purpose: the reports that the options ask for, of one shard. Ownership: owns them; `shared` outlives it. One owner, one thread.
/// Invariant: --report, --export-pcap and the summary are there with one shard only (needs_one_shard).
class ShardOutputs : public sensor::Reports {
 public:
  explicit ShardOutputs(Outputs& shared) : shared_(shared) {}

  /// Whether these options ask for what one shard alone can write.
  static bool needs_one_shard(const InspectOptions& options) { return options.export_pcap || options.report || options.summary(); }
  /// Whether what is of no connection is written, too.
  static bool needs_every_packet(const InspectOptions& options) { return options.export_pcap.has_value(); }

  /// `shards`: how many there are; descriptors are divided among them. False: something cannot be written; it is said.
  bool open(LinkType link, bool several_points, std::size_t shards = 1);
  engine::Observer& observer() override { return *naming_; }
  void tell_too(engine::Observer& other) override { fanout_.add(other, false); }
  bool wants_streams() const { return fanout_.wants_streams(); }
  /// --normalise-to; before the first packet.
  void normalise(std::unique_ptr<report::LiveNormaliser> live);
  /// At most capture::kBatch packets through the engine, and those that are left unchanged into the normalised ones.
  void feed(engine::Engine& engine, std::span<const RawPacket> packets) override;

  /// Time goes on without packets. True: it is to be told again soon.
  bool advance(TimeNs now) override;
  /// Lines go out that have waited for more.
  void flush() override;
  /// A decision of the gateway.
  void policy(const report::PolicyRecord& record);
  /// The engine is about to end what is left.
  void input_ended() override;
  /// Last lines, and closing; false: something could not be written; it is said.
  bool close() override;
  std::vector<report::NamedCounter> counters() const override;
  /// For people, after close(); false: standard output takes it not; it is said.
  bool print_summary(std::span<const report::NamedCounter> counters) const;

  /// Someone writes down what applications said, or files.
  bool wants_applications() const { return eve_.has_value() || files_ != nullptr || html_ != nullptr; }
  bool wants_plots() const { return html_ != nullptr; }

 private:
  Outputs& shared_;
  report::Fanout fanout_;
  std::optional<report::Naming> naming_;
  std::optional<report::InventoryLog> inventory_;
  std::optional<report::EveWriter> eve_;
  std::unique_ptr<report::StreamExport> streams_;
  std::unique_ptr<report::FileExport> files_;
  std::unique_ptr<report::HtmlReport> html_;
  std::optional<report::PcapFrames> frames_;
  std::optional<report::Normaliser> normaliser_;
  std::unique_ptr<report::LiveNormaliser> live_;
  std::optional<report::Summary> summary_;
  std::array<engine::Fate, capture::kBatch> fates_{};
};

}  // namespace weir::cli

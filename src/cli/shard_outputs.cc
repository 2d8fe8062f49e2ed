#include "cli/shard_outputs.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "cli/say.h"
#include "report/terminal.h"
#include "report/write_all.h"

namespace weir::cli {
namespace {

void say_once(const capture::Error& error) { say(error.file, error.what, error.hint); }

/// Of a process's descriptors, each shard's part; with few a shard opens and closes more often.
std::size_t share(std::size_t whole, std::size_t shards) { return std::max<std::size_t>(whole / shards, 8); }

}  // namespace

bool ShardOutputs::open(LinkType link, bool several_points, std::size_t shards) {
  const InspectOptions& options = shared_.options();
  if (report::LineSink* const log = shared_.log()) {
    eve_.emplace(*log, shared_.points());
    fanout_.add(*eve_, false);
  }
  naming_.emplace(shared_.names(), fanout_, static_cast<std::size_t>(options.limits.max_connections));
  if (KeptInventory* const kept = shared_.inventory()) {
    inventory_.emplace(kept->inventory(), eve_ ? &*eve_ : nullptr);
    fanout_.add(*inventory_, false);
  }
  if (options.export_streams) {
    auto streams = report::StreamExport::open(*options.export_streams, share(report::StreamExport::kMaxOpen, shards));
    if (!streams) return say(streams.error()), false;
    streams_ = std::move(*streams);
    fanout_.add(*streams_, true);
  }
  if (options.export_files) {
    auto files = report::FileExport::open(*options.export_files, share(report::FileExport::kOpen, shards));
    if (!files) return say(files.error()), false;
    files_ = std::move(*files);
    fanout_.add(*files_, true);
    if (eve_) eve_->files_stored();
  }
  if (options.report) {
    auto html = report::HtmlReport::open(*options.report, shared_.points());
    if (!html) return say(html.error()), false;
    html_ = std::move(*html);
    fanout_.add(*html_, true);
  }
  if (options.export_pcap) {
    auto writer = capture::PcapWriter::create(*options.export_pcap, static_cast<std::uint32_t>(link));
    if (!writer) return say_once(writer.error()), false;
    frames_.emplace(std::move(*writer));
    normaliser_.emplace(report::Normaliser::Settings{link, report::kFileSegmentBytes, several_points}, *frames_);
    fanout_.add(*normaliser_, true);
  }
  if (options.summary()) {
    summary_.emplace(shared_.points());
    fanout_.add(*summary_, false);
  }
  return true;
}

void ShardOutputs::feed(engine::Engine& engine, std::span<const RawPacket> packets) {
  if (!normaliser_ && !live_) return engine.step(packets, std::span(fates_).first(packets.size()));
  for (const RawPacket& packet : packets) {
    if (normaliser_) normaliser_->before(packet);
    if (live_) live_->before(packet);
    const engine::Fate fate = engine.step(packet);
    if (normaliser_) normaliser_->after(packet, fate);
    if (live_) live_->after(packet, fate);
  }
  if (live_) live_->flush();
}

void ShardOutputs::normalise(std::unique_ptr<report::LiveNormaliser> live) {
  live_ = std::move(live);
  fanout_.add(live_->observer(), true);
}

bool ShardOutputs::advance(TimeNs now) {
  if (!live_) return false;
  live_->advance(now);
  return live_->waits();
}

void ShardOutputs::policy(const report::PolicyRecord& record) {
  if (eve_) eve_->write_policy(record);
}

void ShardOutputs::flush() {
  if (eve_) eve_->flush();
}

void ShardOutputs::input_ended() {
  if (eve_) eve_->input_ended();
}

std::vector<report::NamedCounter> ShardOutputs::counters() const {
  std::vector<report::NamedCounter> all;
  all.emplace_back("names.left_out", naming_->left_out());
  if (streams_) all.emplace_back("export.streams_failed", streams_->failed());
  if (files_) all.emplace_back("export.files_failed", files_->failed());
  if (normaliser_) {
    const auto written = normaliser_->counters();
    all.emplace_back("export.pcap_flow_packets", written.packets);
    all.emplace_back("export.pcap_other_packets", written.passed);
    all.emplace_back("export.pcap_seen_at_two_points", written.left_out_twice);
    all.emplace_back("export.pcap_not_ip_left_out", written.left_out_not_ip);
    all.emplace_back("export.pcap_fragments_undecided", written.fragments_undecided);
  }
  if (live_) {
    const auto sent = live_->counters();
    all.insert(all.end(), sent.begin(), sent.end());
  }
  return all;
}

bool ShardOutputs::close() {
  bool whole = true;
  if (normaliser_) {
    normaliser_->finish();
    if (const auto closed = frames_->close(); !closed) say_once(closed.error()), whole = false;
  }
  if (live_) live_->finish();
  if (streams_) {
    if (const auto problem = streams_->close()) say(*problem), whole = false;
  }
  if (files_) {
    if (const auto problem = files_->close()) say(*problem), whole = false;
  }
  if (html_) {
    if (const auto problem = html_->close(shared_.options().captures)) say(*problem), whole = false;
  }
  flush();
  return whole;
}

bool ShardOutputs::print_summary(std::span<const report::NamedCounter> counters) const {
  return !summary_ || show(summary_->text(counters, report::TextStyle::of(STDOUT_FILENO))) == kDone;
}

}  // namespace weir::cli

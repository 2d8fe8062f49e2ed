#include "cli/outputs.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "cli/say.h"
#include "report/terminal.h"

namespace weir::cli {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

void say_once(const capture::Error& error) { say(error.file, error.what, error.hint); }

/// All of `text` to standard output.
bool print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
    if (done > 0) {
      text.remove_prefix(static_cast<std::size_t>(done));
    } else if (done < 0 && errno != EINTR) {
      say(report::system_problem("standard output", errno));
      return false;
    }
  }
  return true;
}

}  // namespace

bool Outputs::open(LinkType link, bool several_points) {
  const report::PointNames names = [this](PointId point) { return points_.name(point); };
  if (options_.log) {
    auto log = report::LineOutput::open(*options_.log, options_.log_mode);
    if (!log) return say(log.error()), false;
    log_.emplace(std::move(*log));
    eve_.emplace(*log_, names);
    fanout_.add(*eve_, false);
  }
  if (options_.export_streams) {
    auto streams = report::StreamExport::open(*options_.export_streams);
    if (!streams) return say(streams.error()), false;
    streams_ = std::move(*streams);
    fanout_.add(*streams_, true);
  }
  if (options_.export_files) {
    auto files = report::FileExport::open(*options_.export_files);
    if (!files) return say(files.error()), false;
    files_ = std::move(*files);
    fanout_.add(*files_, true);
    if (eve_) eve_->files_stored();
  }
  if (options_.report) {
    auto html = report::HtmlReport::open(*options_.report, names);
    if (!html) return say(html.error()), false;
    html_ = std::move(*html);
    fanout_.add(*html_, true);
  }
  if (options_.export_pcap) {
    auto writer = capture::PcapWriter::create(*options_.export_pcap, static_cast<std::uint32_t>(link));
    if (!writer) return say_once(writer.error()), false;
    frames_.emplace(std::move(*writer));
    normaliser_.emplace(report::Normaliser::Settings{link, report::kFileSegmentBytes, several_points}, *frames_);
    fanout_.add(*normaliser_, true);
  }
  if (options_.summary()) {
    summary_.emplace(names);
    fanout_.add(*summary_, false);
  }
  return true;
}

void Outputs::feed(engine::Engine& engine, std::span<const RawPacket> packets) {
  if (!normaliser_) return engine.step(packets, std::span(fates_).first(packets.size()));
  for (const RawPacket& packet : packets) {
    normaliser_->before(packet);
    normaliser_->after(packet, engine.step(packet));
  }
}

void Outputs::flush() {
  if (log_) log_->flush();
}

void Outputs::stats(const engine::Counters& counters, std::span<const report::NamedCounter> inspection, TimeNs first, TimeNs now) {
  if (eve_) eve_->write_stats(now, (now - first) / kSecond, all_counters(counters, inspection));
}

void Outputs::reopen() {
  if (!log_) return;
  if (const auto problem = log_->reopen(report::LineOutput::Mode::kAppend)) say(*problem);
}

void Outputs::input_ended() {
  if (eve_) eve_->input_ended();
}

std::vector<report::NamedCounter> Outputs::all_counters(const engine::Counters& counters, std::span<const report::NamedCounter> inspection) const {
  std::vector<report::NamedCounter> all;
  for (const auto& info : engine::kCounterTable) all.emplace_back(info.name, counters.*info.field);
  all.insert(all.end(), inspection.begin(), inspection.end());
  if (rules_loaded_ + rules_refused_ > 0) {
    all.emplace_back("rules.loaded", rules_loaded_);
    all.emplace_back("rules.refused", rules_refused_);
  }
  if (points_.shared_packets()) all.emplace_back("capture.points_shared", points_.shared_packets());
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
  return all;
}

bool Outputs::close(const engine::Counters& counters, std::span<const report::NamedCounter> inspection, TimeNs first, TimeNs last) {
  bool whole = true;
  if (normaliser_) {
    normaliser_->finish();
    if (const auto closed = frames_->close(); !closed) say_once(closed.error()), whole = false;
  }
  if (streams_) {
    if (const auto problem = streams_->close()) say(*problem), whole = false;
  }
  if (files_) {
    if (const auto problem = files_->close()) say(*problem), whole = false;
  }
  if (html_) {
    if (const auto problem = html_->close(options_.captures)) say(*problem), whole = false;
  }
  const auto all = all_counters(counters, inspection);
  if (eve_) {
    eve_->write_stats(last, (last - first) / kSecond, all);
    if (const auto problem = log_->close()) say(*problem), whole = false;
  }
  if (summary_ && !print(summary_->text(all, report::TextStyle::of(STDOUT_FILENO)))) whole = false;
  return whole;
}

}  // namespace weir::cli

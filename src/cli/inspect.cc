// `weir inspect`: captures in, through the engine, into the reports.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "capture/capture_file.h"
#include "capture/limits.h"
#include "capture/merged_captures.h"
#include "cli/inspect_options.h"
#include "cli/outputs.h"
#include "cli/process.h"
#include "cli/rule_files.h"
#include "cli/say.h"
#include "cli/shard_outputs.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/inspection.h"
#include "report/link_header.h"
#include "report/progress.h"

namespace weir::cli {
namespace {

/// The link type of a normalised capture: that of the inputs, if they agree. What comes later of another type is converted.
LinkType common_link(const std::vector<std::string>& captures, std::span<const RawPacket> first_packets) {
  std::optional<LinkType> common;
  bool agree = true;
  const auto add = [&](const RawPacket& packet) {
    if (packet.link == LinkType::kUnsupported) return;
    const LinkType link = report::written_as(packet.link);
    agree = agree && common.value_or(link) == link;
    common = link;
  };
  for (const RawPacket& packet : first_packets) add(packet);
  // Of the other captures a look at the first packet; what comes through a pipe can be read only once.
  for (const std::string& path : captures) {
    std::error_code error;
    if (captures.size() == 1 || !std::filesystem::is_regular_file(path, error)) continue;
    capture::PointTable points;
    RawPacket packet;
    if (auto file = capture::CaptureFile::open(path, points); file && file->next(packet) == capture::Status::kPacket) add(packet);
  }
  return agree ? common.value_or(LinkType::kEthernet) : LinkType::kEthernet;
}

/// Purpose: the main loop of one run.
class Run {
 public:
  explicit Run(const InspectOptions& options)
      : options_(options), input_(options.captures), shared_(options, [this](PointId point) { return input_.points().name(point); }), outputs_(shared_) {}

  int work() {
    const auto rules = shared_.read_rules();
    if (!rules) return kBadUsage;
    const auto& rule_set = *rules;
    // The first packets tell the link type and whether a file holds several points: before them nothing can be set up.
    std::size_t count = input_.next_batch(packets_);
    const auto first_packets = std::span(packets_).first(count);
    const bool cooked = std::ranges::any_of(first_packets, [](const RawPacket& packet) { return packet.link == LinkType::kLinuxSll2; });
    const bool several_points = options_.captures.size() > 1 || input_.points().size() > 1 || cooked;
    const LinkType link = options_.export_pcap ? common_link(options_.captures, first_packets) : LinkType::kEthernet;
    if (!shared_.open() || !outputs_.open(link, several_points)) return kNotDone;

    engine::Settings settings;
    settings.limits = options_.limits;
    settings.checksums = options_.checksums;
    settings.all_tcp = options_.all_tcp;
    settings.several_points = several_points;
    settings.hash_seed = random_seed();
    engine::InspectionSettings inspecting;
    inspecting.limits = options_.limits;
    inspecting.rules = rule_set;
    inspecting.applications = outputs_.wants_applications() || (rule_set && rule_set->needs_applications());
    engine::Inspection inspection(inspecting, outputs_.observer());
    const bool looks_inside = rule_set || inspecting.applications;
    settings.stream_events = looks_inside || outputs_.wants_streams();
    settings.plot_events = outputs_.wants_plots();
    engine::Engine engine(settings, looks_inside ? static_cast<engine::Observer&>(inspection) : outputs_.observer());
    if (count > 0) first_ = last_ = packets_[0].time_ns;
    report::Progress progress(input_.progress().total);
    for (; count > 0 && !stop_wanted(); count = input_.next_batch(packets_)) {
      take(engine, std::span(packets_).first(count));
      progress.update(input_.progress().read);
    }
    outputs_.input_ended();
    engine.finish();
    progress.clear();

    const bool written = close(engine.counters(), inspection.counters());
    const bool read = tell_input();
    return written && read ? kDone : kNotDone;
  }

 private:
  bool close(const engine::Counters& counters, std::span<const report::NamedCounter> inspection) {
    bool written = outputs_.close();
    Totals totals;
    totals.add(counters);
    totals.add(inspection);
    if (const auto shared = input_.points().shared_packets()) totals.add("capture.points_shared", shared);
    totals.add(outputs_.counters());
    written = shared_.close(totals, first_, last_) && written;
    return outputs_.print_summary(shared_.counters(totals)) && written;
  }

  void take(engine::Engine& engine, std::span<const RawPacket> packets) {
    outputs_.feed(engine, packets);
    // Of a merged batch the last packet is the latest, but where a capture's own times go back.
    last_ = std::max(last_, packets.back().time_ns);
  }

  /// What could not be read; false: something could not.
  bool tell_input() const {
    bool whole = true;
    if (stop_wanted()) {
      say("interrupted", "what was read until then is reported");
      return false;
    }
    for (const capture::Error& error : input_.errors()) {
      say(error.file, error.what + (error.offset ? " at octet " + std::to_string(error.offset) : ""), error.hint);
      whole = false;
    }
    for (const std::string& warning : input_.warnings()) {
      const auto colon = warning.rfind(": ");
      say(warning.substr(0, colon), colon == std::string::npos ? "" : warning.substr(colon + 2));
      whole = false;
    }
    return whole;
  }

  const InspectOptions& options_;
  capture::MergedCaptures input_;
  Outputs shared_;
  ShardOutputs outputs_;
  std::array<RawPacket, capture::kBatch> packets_;
  TimeNs first_ = 0, last_ = 0;
};

}  // namespace

int inspect(std::span<const char* const> arguments) {
  const auto options = parse_inspect(arguments);
  if (!options) return options.error();
  return Run(*options).work();
}

}  // namespace weir::cli

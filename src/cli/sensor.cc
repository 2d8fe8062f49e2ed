// `weir sensor`: interfaces in, through the engine, into the reports, until a signal ends it.
#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "capture/limits.h"
#include "capture/live_ring.h"
#include "capture/points.h"
#include "cli/command_line.h"
#include "cli/normalised_output.h"
#include "cli/outputs.h"
#include "cli/process.h"
#include "cli/rule_files.h"
#include "cli/say.h"
#include "cli/sensor_options.h"
#include "cli/service.h"
#include "cli/shard_outputs.h"
#include "cli/verbs.h"
#include "engine/engine.h"
#include "engine/inspection.h"

namespace weir::cli {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;
constexpr int kTickMs = 50;
constexpr int kHeldTickMs = 20;          ///< while frames are held back for what may complete a datagram
constexpr TimeNs kFlush = kSecond / 10;  ///< an alert is on its way to the log within this time
constexpr TimeNs kStats = 10 * kSecond;  ///< between two records of counters
constexpr TimeNs kSettle = 500'000'000;  ///< how far behind the clock time is taken to be without packets: longer than a ring holds one back

TimeNs now() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// Purpose: the main loop of one run.
class Sensor {
 public:
  explicit Sensor(SensorOptions options)
      : options_(std::move(options)), shared_(options_.inspect, [this](PointId point) { return points_.name(point); }), outputs_(shared_) {}

  int work() {
    if (!service_.begin(options_.service)) return kNotDone;
    if (!options_.inspect.rules.empty()) {
      if (const auto loaded = read_rules(); loaded) {
        rules_ = *loaded;
      } else {
        return kBadUsage;
      }
    }
    for (const std::string& name : options_.inspect.captures) {
      auto ring = capture::LiveRing::open(name, {});
      if (!ring) {
        say(ring.error().file, ring.error().what, ring.error().hint);
        return kNotDone;
      }
      inputs_.push_back({.name = name, .ring = std::move(*ring), .point = points_.whole(points_.add_file(name)), .before = {}});
    }
    const bool several_points = inputs_.size() > 1;
    if (!shared_.open() || !outputs_.open(LinkType::kEthernet, several_points) || !open_normalised(several_points)) return kNotDone;

    engine::InspectionSettings inspecting;
    inspecting.limits = options_.inspect.limits;
    inspecting.rules = rules_;
    engine::Inspection inspection(inspecting, outputs_.observer());
    engine::Settings settings;
    settings.limits = options_.inspect.limits;
    settings.checksums = options_.inspect.checksums;
    settings.all_tcp = options_.inspect.all_tcp;
    settings.several_points = several_points;
    settings.hash_seed = random_seed();
    engine::Engine engine(settings, inspection);
    catch_service_signals();
    shared_.start();
    began_ = now();
    service_.alive(status(engine, inspection, began_));
    service_.ready();
    watch(engine, inspection);
    service_.ending();
    drain(engine);
    outputs_.input_ended();
    engine.finish();
    const bool written = outputs_.close();
    return shared_.close(totals(engine, inspection), began_, now()) && written ? kDone : kNotDone;
  }

 private:
  struct Input {
    std::string name;
    std::unique_ptr<capture::LiveRing> ring;  ///< none while the interface is away
    PointId point = 0;
    capture::LiveCounters before;  ///< of rings on it that are closed
  };

  bool open_normalised(bool several_points) {
    if (options_.normalise.interface.empty()) return true;
    normalised_ = NormalisedOutput::open(options_.normalise, options_.inspect.captures);
    if (!normalised_) return false;
    auto live = normalised_->normaliser(several_points, options_.inspect.checksums == engine::ChecksumPolicy::kIgnore);
    if (!live) return false;
    outputs_.normalise(std::move(live));
    return true;
  }

  std::optional<std::shared_ptr<const inspect::match::RuleSet>> read_rules() {
    const auto loaded = load_rules(options_.inspect.rules, options_.inspect.variables, options_.inspect.limits);
    if (!loaded) return std::nullopt;
    shared_.rules_loaded(loaded->loaded, loaded->refusals.size());
    return loaded->set;
  }

  void watch(engine::Engine& engine, engine::Inspection& inspection) {
    TimeNs flushed = now(), looked = flushed, told = flushed;
    while (!stop_wanted()) {
      const bool idle = !take_ready(engine);
      if (idle) wait();
      const TimeNs time = now();
      if (idle) engine.advance(time - kSettle);  // else packets that wait in a ring would come from a time that is over
      if (idle) outputs_wait_ = outputs_.advance(time);
      if (time - told >= kStats) {
        shared_.stats(totals(engine, inspection), began_, time);
        told = time;
      }
      if (time - flushed >= kFlush) {
        outputs_.flush();
        flushed = time;
      }
      if (time - looked >= kSecond) {
        look_after_interfaces();
        if (normalised_) normalised_->look_after();
        service_.alive(status(engine, inspection, time));
        looked = time;
      }
      if (reopen_wanted()) shared_.reopen();
      if (reload_wanted()) reload(inspection);
    }
  }

  void wait() {
    waiting_.clear();
    for (const Input& input : inputs_) {
      if (input.ring) waiting_.push_back({input.ring->descriptor(), POLLIN, 0});
    }
    ::poll(waiting_.data(), waiting_.size(), outputs_wait_ ? kHeldTickMs : kTickMs);
    // An error is told once; while it stands, poll() does not wait.
    for (Input& input : inputs_) {
      if (!input.ring) continue;
      if (const int error = input.ring->take_error(); error != 0) say(input.name, std::strerror(error), "watched again when it is back");
    }
  }

  /// Interfaces come and go: one that is there again, or another of the same name, is watched as the same capture point.
  void look_after_interfaces() {
    for (Input& input : inputs_) {
      if (input.ring && input.ring->gone()) {
        input.before = total(input);
        input.ring.reset();
        say(input.name, "the interface is gone", "watched again when one of that name is there");
      }
      if (input.ring || ::if_nametoindex(input.name.c_str()) == 0) continue;
      if (auto ring = capture::LiveRing::open(input.name, {})) {
        input.ring = *std::move(ring);
        fmt::print(stderr, "weir: {}: watched again\n", input.name);
      }
    }
  }

  static capture::LiveCounters total(Input& input) {
    capture::LiveCounters sum = input.before;
    if (!input.ring) return sum;
    return sum += input.ring->counters();
  }

  /// One batch of each ring; false: none had any. Rings are blocks of some milliseconds: the engine puts points in order by itself.
  bool take_ready(engine::Engine& engine) {
    bool any = false;
    for (Input& input : inputs_) {
      const std::size_t count = input.ring ? input.ring->next_batch(packets_, input.point) : 0;
      if (count == 0) continue;
      any = true;
      outputs_.feed(engine, std::span(packets_).first(count));
    }
    return any;
  }

  /// What the rings hold when the end is asked for; bounded, since traffic may never stop.
  void drain(engine::Engine& engine) {
    const TimeNs until = now() + kSecond;
    while (now() < until && take_ready(engine)) {
    }
  }

  /// A configuration or rule file that cannot be read leaves what runs as it is.
  void reload(engine::Inspection& inspection) {
    if (!options_.config.empty()) {
      const auto config = read_config(options_.config);
      if (!config) return;
      options_.inspect.variables = config->variables;
      options_.inspect.rules = options_.rules_given.empty() ? config->rules : options_.rules_given;
    }
    if (options_.inspect.rules.empty()) {
      inspection.use(nullptr);
    } else if (const auto loaded = read_rules()) {
      inspection.use(*loaded);
    } else {
      return;
    }
    fmt::print(stderr, "weir: reloaded\n");
  }

  Totals totals(engine::Engine& engine, const engine::Inspection& inspection) {
    capture::LiveCounters sum;
    for (Input& input : inputs_) sum += total(input);
    Totals all;
    all.add(engine.counters());
    all.add(inspection.counters());
    all.add(outputs_.counters());
    all.add("capture.kernel_drops", sum.dropped);
    all.add("capture.kernel_packets", sum.packets);
    all.add("capture.ring_full", sum.freezes);
    return all;
  }

  web::Status status(engine::Engine& engine, const engine::Inspection& inspection, TimeNs time) {
    web::Status status;
    status.uptime_s = (time - began_) / kSecond;
    for (const auto& [name, value] : shared_.counters(totals(engine, inspection))) status.counters.emplace_back(name, value);
    for (Input& input : inputs_) {
      const capture::LiveCounters sum = total(input);
      status.interfaces.push_back(
          {.name = input.name, .watched = input.ring != nullptr, .packets = sum.packets, .dropped = sum.dropped, .ring_full = sum.freezes});
      if (!input.ring) status.problems.push_back(input.name + ": the interface is gone");
    }
    if (report::LogWriter* const log = shared_.service_log()) {
      for (std::string& trouble : log->troubles()) status.problems.push_back(std::move(trouble));
    }
    return status;
  }

  SensorOptions options_;
  Service service_;
  capture::PointTable points_;
  Outputs shared_;
  std::unique_ptr<NormalisedOutput> normalised_;
  bool outputs_wait_ = false;  ///< something is held back until time goes on
  ShardOutputs outputs_;
  std::shared_ptr<const inspect::match::RuleSet> rules_;
  TimeNs began_ = 0;
  std::vector<Input> inputs_;
  std::vector<pollfd> waiting_;
  std::array<RawPacket, capture::kBatch> packets_;
};

}  // namespace

int sensor(std::span<const char* const> arguments) {
  auto options = parse_sensor(arguments);
  if (!options) return options.error();
  return Sensor(std::move(*options)).work();
}

}  // namespace weir::cli

// `weir sensor`: interfaces in, through workers' engines, into the reports, until a signal ends it.
#include <fmt/format.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capture/clock.h"
#include "capture/live_ring.h"
#include "capture/points.h"
#include "cli/command_line.h"
#include "cli/config_changes.h"
#include "cli/default_log.h"
#include "cli/normalised_output.h"
#include "cli/outputs.h"
#include "cli/process.h"
#include "cli/rule_files.h"
#include "cli/say.h"
#include "cli/sensor_options.h"
#include "cli/service.h"
#include "cli/shard_outputs.h"
#include "cli/verbs.h"
#include "sensor/workers.h"

namespace weir::cli {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;
constexpr int kTickMs = 50;
constexpr TimeNs kRingsDiffer = 25'000'000;         ///< of one time, the packets of all rings are there this much later: blocks wait 10 ms to be full
constexpr TimeNs kJoinHold = kSecond / 5;           ///< for keys or other subflows: one clock, and what a worker holds for a shard comes on top
constexpr TimeNs kStats = 10 * kSecond;             ///< between two records of counters
constexpr TimeNs kOpenersRenewed = 60 * kSecond;    ///< a handshake has passed all capture points by then
constexpr TimeNs kFlowsRenewed = 86'400 * kSecond;  ///< at least: a subflow may be silent while its connection is not
constexpr TimeNs kKeep = 60 * kSecond;              ///< between two writings of the inventory

/// CPUs that this process may use.
std::size_t cpus() {
  cpu_set_t set{};
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<std::size_t>(std::max(1, CPU_COUNT(&set))) : 1;
}

/// An interface that is down shows nothing, though it is there.
bool is_up(const std::string& name) {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return false;
  std::memcpy(request.ifr_name, name.data(), name.size());
  const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return true;  // not to be found out
  const bool up = ::ioctl(descriptor, SIOCGIFFLAGS, &request) != 0 || (static_cast<unsigned>(request.ifr_flags) & IFF_UP) != 0;
  ::close(descriptor);
  return up;
}

/// Purpose: one run: what workers do not do themselves. Threads: the workers' have packets and engines; all here is the main thread's.
class Sensor {
 public:
  explicit Sensor(SensorOptions options) : options_(std::move(options)), shared_(options_.inspect, [this](PointId point) { return names_[point]; }) {}

  int work() {
    if (!service_.begin(options_.service)) return kNotDone;
    auto rules = shared_.read_rules();
    if (!rules) return kBadUsage;
    choose_workers();
    std::vector<Rings> rings;
    capture::PointTable points;
    for (const std::string& name : options_.inspect.captures) {
      auto opened = capture::LiveRing::open(name, ring_settings());
      if (!opened) {
        say(opened.error().file, opened.error().what, opened.error().hint);
        return kNotDone;
      }
      inputs_.push_back({.name = name, .point = points.whole(points.add_file(name)), .number = opened->front()->number(), .up = is_up(name), .before = {}});
      rings.push_back(*std::move(opened));
    }
    names_ = points.names();
    log_by_default(options_.inspect, options_.log);
    if (!open_normalised() || !shared_.open()) return kNotDone;
    std::vector<std::unique_ptr<sensor::Reports>> reports;
    for (std::size_t i = 0; i < worker_count_; ++i) {
      auto outputs = std::make_unique<ShardOutputs>(shared_);
      if (!outputs->open(LinkType::kEthernet, inputs_.size() > 1, worker_count_)) return kNotDone;
      if (normalised_ && !add_normaliser(*outputs)) return kNotDone;
      reports.push_back(std::move(outputs));
    }
    workers_.emplace(worker_settings(*std::move(rules)), std::move(reports));
    for (std::size_t i = 0; i < inputs_.size(); ++i) give(i, std::move(rings[i]));
    catch_service_signals();
    shared_.start();
    began_ = capture::wall_ns();
    workers_->start();
    service_.alive(status(began_));
    service_.ready(shared_.rules_text());
    watch();
    service_.ending();
    const bool written = workers_->stop();
    return shared_.close(totals(), began_, capture::wall_ns()) && written ? kDone : kNotDone;
  }

 private:
  using Rings = std::vector<std::unique_ptr<capture::LiveRing>>;
  struct Input {
    std::string name;
    PointId point = 0;
    unsigned number = 0;  ///< the kernel's, of the interface watched; 0 while it is away
    bool up = true;
    capture::LiveCounters before;  ///< of rings on it that are closed
    /// Names of its counters, which the log nests by their dots.
    std::string of(std::string_view what) const {
      std::string whole = name;
      std::ranges::replace(whole, '.', report::kDotWithin);
      return fmt::format("capture.interfaces.{}.{}", whole, what);
    }
  };

  void choose_workers() {
    worker_count_ = options_.workers > 0 ? options_.workers : std::min(cpus(), sensor::kUsualWorkers);
    if (worker_count_ == 1) return;
    if (ShardOutputs::needs_one_shard(options_.inspect)) {
      say(options_.inspect.export_pcap ? "--export-pcap" : "--report", "needs all packets in their order: one worker takes them");
    } else if (normalises_others()) {
      say("--normalise-to", "other packets go there as well: one worker takes them", "--normalise-other none leaves the work to all");
    } else {
      return;
    }
    worker_count_ = 1;
  }

  /// Packets of no MPTCP connection go to the normalised interface, too.
  bool normalises_others() const {
    return !options_.normalise.interface.empty() && options_.normalise.others.value_or(report::OtherPackets::kAll) != report::OtherPackets::kNone;
  }

  capture::LiveSettings ring_settings() const {
    return {.rings = worker_count_,
            .ring_bytes = options_.ring_bytes,
            .filter = !ShardOutputs::needs_every_packet(options_.inspect) && !normalises_others(),
            .hardware_times = options_.hardware_times};
  }

  sensor::WorkerSettings worker_settings(std::shared_ptr<const inspect::match::RuleSet> rules) const {
    sensor::WorkerSettings settings;
    settings.inspection.limits = sensor::Workers::share_of(options_.inspect.limits, worker_count_);
    settings.inspection.rules = std::move(rules);
    settings.engine.limits = settings.inspection.limits;
    settings.engine.checksums = options_.inspect.checksums;
    settings.engine.all_tcp = options_.inspect.all_tcp;
    settings.engine.several_points = inputs_.size() > 1;
    settings.engine.hash_seed = random_seed();
    settings.engine.run = random_seed();
    settings.engine.hold_ns = kJoinHold;
    settings.clock = capture::wall_ns;
    if (worker_count_ > 1 || inputs_.size() > 1) settings.hold_ns = kRingsDiffer;
    // Names do not change while workers run.
    settings.on_error = [this](std::size_t source, int error) { say(inputs_[source].name, std::strerror(error), "watched again when it is back"); };
    return settings;
  }

  bool open_normalised() {
    if (options_.normalise.interface.empty()) return true;
    normalised_ = NormalisedOutput::open(options_.normalise, options_.inspect.captures);
    return normalised_ != nullptr;
  }

  bool add_normaliser(ShardOutputs& outputs) const {
    auto live = normalised_->normaliser(inputs_.size() > 1, options_.inspect.checksums == engine::ChecksumPolicy::kIgnore);
    if (!live) return false;
    outputs.normalise(std::move(live));
    return true;
  }

  void watch() {
    TimeNs looked = capture::steady_ns(), told = looked, kept = looked, flows_renewed = looked, openers_renewed = looked;
    // Not the packets' clock: that may be set while this runs.
    const auto due = [](TimeNs& last, TimeNs every) {
      if (capture::steady_ns() - last < every) return false;
      last = capture::steady_ns();
      return true;
    };
    while (!stop_wanted()) {
      ::poll(nullptr, 0, kTickMs);  // a signal ends it
      const TimeNs time = capture::wall_ns();
      if (due(told, kStats)) shared_.stats(totals(), began_, time);
      if (due(kept, kKeep)) shared_.keep();
      if (due(looked, kSecond)) {
        look_after_interfaces();
        if (normalised_) normalised_->look_after();
        service_.alive(status(time));
      }
      if (due(flows_renewed, std::max(options_.inspect.limits.idle_seconds * kSecond, kFlowsRenewed))) workers_->renew(engine::OwnerSpace::kFlow);
      if (due(openers_renewed, kOpenersRenewed)) workers_->renew(engine::OwnerSpace::kOpener);
      if (reopen_wanted()) shared_.reopen();
      if (reload_wanted()) reload();
    }
  }

  /// A ring for each worker.
  void give(std::size_t input, Rings rings) {
    workers_->ask_all([&](sensor::Worker& worker, std::size_t i) { worker.add(input, inputs_[input].point, std::move(rings[i])); });
  }

  /// Interfaces come and go: one that is there again, or another of the same name, is watched as the same capture point.
  void look_after_interfaces() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      Input& input = inputs_[i];
      const unsigned number = ::if_nametoindex(input.name.c_str());
      if (input.number != 0 && number != input.number) {
        std::vector<std::unique_ptr<capture::PacketSource>> rings(workers_->size());
        workers_->ask_all([&](sensor::Worker& worker, std::size_t w) { rings[w] = worker.remove(i); });
        for (const auto& ring : rings) input.before += ring->counters();
        input.number = 0;
        say(input.name, "the interface is gone", "watched again when one of that name is there");
      }
      if (input.number != 0) {
        // The workers say when it goes down: their sockets are told.
        const bool up = is_up(input.name);
        if (up && !input.up) tell(fmt::format("{}: watched again", input.name));
        input.up = up;
      }
      if (input.number != 0 || number == 0) continue;
      if (auto rings = capture::LiveRing::open(input.name, ring_settings())) {
        input.number = rings->front()->number();
        give(i, *std::move(rings));
        input.up = is_up(input.name);
        if (input.up) tell(fmt::format("{}: watched again", input.name));
      }
    }
  }

  /// A configuration or rule file that cannot be read leaves what runs as it is. Workers go on while rules are made ready.
  void reload() {
    std::vector<std::string> restart;
    const auto stays = [] { say("reload", "failed: what was loaded before stays"); };
    if (!options_.config.empty()) {
      auto config = read_config(options_.config);
      if (!config) return stays();
      if (options_.loaded) restart = keys_for_a_restart(*options_.loaded, *config);
      options_.inspect.variables = config->variables;
      options_.inspect.rules = options_.rules_given.empty() ? config->rules : options_.rules_given;
    }
    auto rules = shared_.read_rules();
    if (!rules) return stays();
    workers_->ask_all([&](sensor::Worker& worker, std::size_t) { worker.use(*rules); });
    std::string line = "reloaded";
    if (const std::string text = shared_.rules_text(); !text.empty()) line += "; " + text;
    if (!restart.empty()) line += fmt::format("; {} {} a restart", fmt::join(restart, ", "), restart.size() == 1 ? "needs" : "need");
    tell(line);
  }

  Totals totals() {
    std::vector<sensor::WorkerCounters> of_workers(workers_->size());
    std::vector<std::vector<capture::LiveCounters>> of_rings(workers_->size(), std::vector<capture::LiveCounters>(inputs_.size()));
    workers_->ask_all([&](sensor::Worker& worker, std::size_t w) {
      of_workers[w] = worker.counters();
      for (std::size_t i = 0; i < inputs_.size(); ++i) of_rings[w][i] = worker.source_counters(i);
    });
    Totals all;
    for (const auto& worker : of_workers) {
      all.add(worker.engine);
      all.add(worker.named);
    }
    capture::LiveCounters sum;
    counter_names_.clear();
    last_seen_.clear();
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      capture::LiveCounters input = inputs_[i].before;
      for (const auto& rings : of_rings) input += rings[i];
      const auto add = [&](std::string_view what, std::uint64_t value) {
        counter_names_.push_back(std::make_unique<std::string>(inputs_[i].of(what)));
        all.add(*counter_names_.back(), value);
      };
      add("packets", input.packets);
      add("bytes", input.bytes);
      add("dropped", input.dropped);
      add("freezes", input.freezes);
      add("clock_off", input.clock_off);
      sum += input;
      last_seen_.push_back(input);
    }
    all.add("capture.kernel_drops", sum.dropped);
    all.add("capture.kernel_packets", sum.packets);
    all.add("capture.ring_full", sum.freezes);
    all.add("capture.workers", workers_->size());
    all.add("capture.owners_evicted", workers_->owners_evicted());
    return all;
  }

  web::Status status(TimeNs time) {
    web::Status status;
    status.uptime_s = (time - began_) / kSecond;
    for (const auto& [name, value] : shared_.counters(totals())) {
      if (!name.starts_with("capture.interfaces.")) status.counters.emplace_back(name, value);
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const Input& input = inputs_[i];
      const capture::LiveCounters& sum = last_seen_[i];
      status.interfaces.push_back(
          {.name = input.name, .watched = input.number != 0 && input.up, .packets = sum.packets, .dropped = sum.dropped, .ring_full = sum.freezes});
      if (input.number == 0) {
        status.problems.push_back(input.name + ": the interface is gone");
      } else if (!input.up) {
        status.problems.push_back(input.name + ": the interface is down");
      }
    }
    if (report::LogWriter* const log = shared_.service_log()) {
      for (std::string& trouble : log->troubles()) status.problems.push_back(std::move(trouble));
    }
    return status;
  }

  SensorOptions options_;
  Service service_;
  std::vector<std::string> names_;  ///< of capture points; as they are from before the workers start
  Outputs shared_;
  std::unique_ptr<NormalisedOutput> normalised_;
  std::size_t worker_count_ = 1;
  TimeNs began_ = 0;
  std::vector<Input> inputs_;
  std::vector<capture::LiveCounters> last_seen_;  ///< of each input, by totals()
  std::vector<std::unique_ptr<std::string>> counter_names_;
  std::optional<sensor::Workers> workers_;
};

}  // namespace

int sensor(std::span<const char* const> arguments) {
  auto options = parse_sensor(arguments);
  if (!options) return options.error();
  return Sensor(std::move(*options)).work();
}

}  // namespace weir::cli

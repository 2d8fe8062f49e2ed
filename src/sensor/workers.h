// All workers of a live sensor, and what is asked of them together.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "sensor/shared_owners.h"
#include "sensor/worker.h"

namespace weir::sensor {

/// Workers at most. 32 rings an interface and 1,024 queues; a shard's number has an octet.
inline constexpr std::size_t kMostWorkers = 32;
/// Where their number is left to the program: one a CPU, up to these. More CPUs than that are the traffic's, not the sensor's.
inline constexpr std::size_t kUsualWorkers = 16;

/// Purpose: starts, asks and ends the threads. Ownership: owns workers and directory. Threads: all members are its owner's alone.
class Workers {
 public:
  /// Shards' limits are `settings.engine.limits`, as they are: whoever has a limit for all of them divides it before (share_of).
  Workers(const WorkerSettings& settings, std::vector<std::unique_ptr<Reports>> reports, const OwnerLimits& owners = {});
  ~Workers() { stop(); }

  std::size_t size() const { return workers_.size(); }
  /// Before start(), and after stop().
  Worker& at(std::size_t number) { return *workers_[number]; }
  void start();
  /// Each worker does it between two batches; returns when all have. Done at once where none runs.
  void ask_all(const std::function<void(Worker&, std::size_t number)>& what);
  /// Drains, writes what is left, ends. false: not everything could be written.
  bool stop();
  /// Once a while: what is not used any more leaves the directory.
  void renew(engine::OwnerSpace space) { owners_.renew(space); }
  std::uint64_t owners_evicted() { return owners_.evicted(); }

  /// What one of `workers` shards may have of limits that are meant for all together.
  static Limits share_of(Limits limits, std::size_t workers);

 private:
  SharedOwners owners_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace weir::sensor

// One worker of the live sensor: a thread with its rings, its dispatcher, and its shard.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "capture/limits.h"
#include "capture/packet_source.h"
#include "engine/dispatch.h"
#include "engine/engine.h"
#include "engine/inspection.h"
#include "sensor/packet_queue.h"
#include "sensor/shared_owners.h"

struct pollfd;

namespace weir::sensor {

/// Where a shard's results go. Used by its worker's thread alone.
class Reports {
 public:
  virtual ~Reports() = default;
  virtual engine::Observer& observer() = 0;
  /// Another observer of the same, told of records only.
  virtual void tell_too(engine::Observer& other) = 0;
  virtual void feed(engine::Engine& engine, std::span<const RawPacket> packets) = 0;
  /// Time goes on without packets. True: it is to be told again soon.
  virtual bool advance(TimeNs /*now*/) { return false; }
  virtual void flush() = 0;
  virtual void input_ended() = 0;
  /// false: not everything could be written; it is said.
  virtual bool close() = 0;
  virtual std::vector<std::pair<std::string_view, std::uint64_t>> counters() const = 0;
};

struct WorkerSettings {
  engine::Settings engine;
  engine::InspectionSettings inspection;
  engine::ShardId number = 0;
  std::size_t workers = 1;
  std::size_t queue_bytes = 4 << 20;                            ///< between each two workers; what does not fit is dropped, and counted
  TimeNs hold_ns = 0;                                           ///< how long another source may still give an earlier packet; 0: in the order they come
  TimeNs drain_ns = 1'000'000'000;                              ///< for what the rings hold when the end is asked for
  std::function<TimeNs()> clock;                                ///< in the packets' time
  std::function<void(std::size_t source, int error)> on_error;  ///< of a source, while nothing comes; called by its thread
};

/// What is counted of a worker.
struct WorkerCounters {
  engine::Counters engine;
  std::vector<std::pair<std::string_view, std::uint64_t>> named;
};

/// Purpose: takes packets off its sources, gives those of other shards to their workers, and all others, and what it is given, to its
/// engine. Ownership: sources, engine, reports. Threads: run() is the worker's; what stands under "any thread" may be called by all.
/// Invariant: with one worker a packet goes straight from the ring to the engine.
class Worker : private engine::Dispatcher::Sink {
 public:
  Worker(const WorkerSettings& settings, std::unique_ptr<Reports> reports, SharedOwners* owners);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// All workers, this one too, in the order of their numbers; before run().
  void connect(std::vector<Worker*> all) { all_ = std::move(all); }
  /// Until stop(): then drains, waits for the others to have drained, ends the engine and closes the reports.
  void run();

  // Any thread.
  void stop();
  /// Runs `what` between two batches.
  void ask(std::function<void(Worker&)> what);
  void wake();

  // By run()'s thread, that is inside ask(), or while it does not run.
  void add(std::size_t source, PointId point, std::unique_ptr<capture::PacketSource> packets);
  std::unique_ptr<capture::PacketSource> remove(std::size_t source);
  capture::LiveCounters source_counters(std::size_t source);
  void use(std::shared_ptr<const inspect::match::RuleSet> rules) { inspection_.use(std::move(rules)); }
  WorkerCounters counters();
  /// After run(): everything was written.
  bool written() const { return written_; }

 private:
  struct Source {
    std::size_t number = 0;
    PointId point = 0;
    std::unique_ptr<capture::PacketSource> packets;
    std::array<RawPacket, capture::kBatch> batch = {};  ///< valid until the next is asked for
    std::size_t at = 0, count = 0;                      ///< of it: the next to be taken, and how many there are

    bool empty() const { return at == count; }
    /// Asks for more if all has been taken.
    void fill() {
      if (!empty()) return;
      at = 0;
      count = packets->next_batch(batch, point);
    }
    std::span<const RawPacket> take_rest() {
      const auto rest = std::span(batch).first(count).subspan(at);
      at = count;
      return rest;
    }
  };
  static constexpr TimeNs kAll = std::numeric_limits<TimeNs>::max();
  /// Tokens go out of the directory with their connections.
  class Forgetter;

  bool take_sources(TimeNs until);
  Source* earliest(TimeNs until);
  void take(std::span<const RawPacket> batch);
  TimeNs settled(TimeNs now) const { return settings_.hold_ns == 0 ? kAll : now - settings_.hold_ns; }
  bool take_queues();
  bool queues_empty() const;
  void run_asked();
  void wait();
  void drain();
  void pass(const RawPacket& packet, engine::ShardId shard) override;
  void settle() override;

  WorkerSettings settings_;
  std::unique_ptr<Reports> reports_;
  std::unique_ptr<Forgetter> forgetter_;
  engine::Inspection inspection_;
  engine::Engine engine_;
  std::optional<engine::Dispatcher> dispatcher_;
  std::vector<std::unique_ptr<Source>> sources_;
  bool waiting_ = false;                              ///< packets of one source wait for what others may still give
  std::vector<std::unique_ptr<PacketQueue>> queues_;  ///< from each worker; none from itself
  std::vector<Worker*> all_;
  std::array<RawPacket, capture::kBatch> packets_;  ///< on their way, from all sources in the order of their times
  std::array<RawPacket, capture::kBatch> own_;      ///< of packets_, those of this shard
  std::size_t own_count_ = 0;
  std::vector<bool> pushed_;  ///< to whom, since they were woken
  std::uint64_t queue_drops_ = 0, queued_ = 0;
  std::vector<pollfd> polled_;
  int event_ = -1;
  bool written_ = true;
  bool reports_wait_ = false;  ///< what reports hold back goes out as time goes on

  alignas(64) std::atomic<bool> stop_ = false;
  std::atomic<bool> sleeping_ = false;
  std::atomic<bool> asked_any_ = false;
  std::atomic<bool> drained_ = false;
  std::mutex asked_mutex_;
  std::vector<std::function<void(Worker&)>> asked_;
};

}  // namespace weir::sensor

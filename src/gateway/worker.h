// One shard of the gateway: a thread with its queues, its engine and what that is asked for.
#pragma once

#include <atomic>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "capture/nf_queue.h"
#include "engine/engine.h"
#include "engine/inspection.h"
#include "gateway/connection_marks.h"
#include "gateway/core.h"
#include "gateway/own_packets.h"
#include "gateway/raw_sender.h"

namespace weir::gateway {

/// Where a shard's results go. Used by its worker's thread alone.
class Reports {
 public:
  virtual ~Reports() = default;
  virtual engine::Observer& observer() = 0;
  virtual void on_policy(const report::PolicyRecord& record) = 0;
  virtual void flush() = 0;
  virtual void input_ended() = 0;
  /// false: not everything could be written; it is said.
  virtual bool close() = 0;
  virtual std::vector<std::pair<std::string_view, std::uint64_t>> counters() const = 0;
};

/// A shard's: one that fails as is configured, one that never fails open.
using WorkerQueues = boost::container::static_vector<std::unique_ptr<capture::NfQueue>, 2>;

struct WorkerSettings {
  engine::Settings engine;
  engine::InspectionSettings inspection;
  CoreSettings core;
  std::function<TimeNs()> clock;
};

struct WorkerCounters {
  engine::Counters engine;
  std::vector<std::pair<std::string_view, std::uint64_t>> named;
  capture::NfQueueCounters queue;  ///< of both queues together
};

/// Purpose: takes packets out of its queues, has the core decide, and tells the kernel. Ownership: all that it is given. Threads: run() is the worker's own;
/// ask(), start() and stop() are for the thread that made it.
class Worker : private CoreSink {
 public:
  Worker(const WorkerSettings& settings, std::shared_ptr<const decide::Policy> policy, Surroundings surroundings, std::unique_ptr<Reports> reports,
         WorkerQueues queues, std::unique_ptr<RawSender> sender);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  /// What waits is decided, records are written. false: not everything could be.
  bool stop();
  /// Runs `what` between two batches, and returns when that is done; at once where no thread runs.
  void ask(const std::function<void(Worker&)>& what);

  // Inside ask(), or while no thread runs.
  engine::Engine& engine() { return engine_; }
  Core& core() { return core_; }
  void use(std::shared_ptr<const inspect::match::RuleSet> rules) { inspection_.use(std::move(rules)); }
  WorkerCounters counters();
  /// Takes no packet any more: what is saved from now on is all that passed.
  void rest() { resting_ = true; }

 private:
  void run();
  bool take(capture::NfQueue& queue, TimeNs now);
  std::string_view interface_name(std::uint32_t number);
  void run_asked();
  void send_own(TimeNs now);
  void wait();
  void wake() const;
  void on_policy(const report::PolicyRecord& record) override { reports_->on_policy(record); }
  void send(std::span<const std::byte> packet, bool followed) override { own_.add(packet, followed); }
  void mark(const Endpoints& subflow, std::uint32_t value) override { own_.mark(subflow, value); }
  void mark_half_open(const Endpoints& subflow, std::uint32_t value) override { own_.mark(subflow, value, true); }
  std::optional<Endpoints> as_sent(const Endpoints& subflow) override { return own_.as_sent(subflow); }

  WorkerSettings settings_;
  std::unique_ptr<Reports> reports_;
  WorkerQueues queues_;
  std::unique_ptr<RawSender> sender_;
  engine::Inspection inspection_;
  Core core_;
  engine::Engine engine_;
  std::map<std::uint32_t, std::string> interface_names_;  ///< a node each: names are handed out
  TimeNs names_since_ = 0;
  ConnectionMarks marks_;
  OwnPackets own_;
  int event_ = -1;
  bool written_ = true;
  bool resting_ = false;
  std::thread thread_;
  std::atomic<bool> stop_ = false, asked_any_ = false;
  std::mutex asked_mutex_;
  std::vector<std::function<void(Worker&)>> asked_;
};

}  // namespace weir::gateway

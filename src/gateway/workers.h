// All shards of a gateway, and what is asked of them together.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/directory.h"
#include "gateway/shared_joins.h"
#include "gateway/worker.h"

namespace weir::gateway {

/// Purpose: starts, asks and ends the workers, and owns what they share: the directory and the limits of clients. With one there is no directory: nothing is
/// looked up. Threads: all members are its owner's alone.
class Workers {
 public:
  /// `shards` of them are to be added; `most_limited`: connections and clients with limits.
  Workers(unsigned shards, std::size_t most_limited);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { stop(); }

  /// Before start(). Numbers of shards are put into `settings` here.
  void add(WorkerSettings settings, std::shared_ptr<const decide::Policy> policy, Surroundings surroundings, std::unique_ptr<Reports> reports,
           WorkerQueues queues, std::unique_ptr<RawSender> sender);
  std::size_t size() const { return workers_.size(); }
  void start();
  /// Each does it between two batches, one after the other; returns when all have. At once where none runs.
  void ask_all(const std::function<void(Worker&)>& what);
  /// Drains, writes what is left, ends. false: not everything could be written.
  bool stop();
  /// Of what they share.
  std::vector<std::pair<std::string_view, std::uint64_t>> counters();

 private:
  unsigned shards_;
  std::unique_ptr<Directory> directory_;
  std::shared_ptr<SharedJoins> joins_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace weir::gateway

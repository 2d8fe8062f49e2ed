// Requests of those who listen, on their way to the gateway's own thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

#include "gateway/control.h"

namespace weir::gateway {

/// Purpose: takes commands from any thread and has the owner's thread carry them out, in order. Invariant: each gets one reply; one that has waited for longer
/// than kPatience is told so and not carried out, whoever asked having gone; after close() all are. Limits: kMost wait; further ones are refused and counted.
/// Threads: put() any; run() the owner's, on which replies to what waited are called, too. Ownership: it outlives those who put.
class RequestQueue {
 public:
  static constexpr std::size_t kMost = 16;
  static constexpr std::chrono::seconds kPatience{30};  ///< the owner may be reading rules
  using Clock = std::chrono::steady_clock;
  using Reply = std::function<void(Answer)>;

  /// `now`: for tests.
  explicit RequestQueue(std::function<Clock::time_point()> now = Clock::now) : now_(std::move(now)) {}

  void put(const Command& command, Reply reply);
  /// What waits now; what comes meanwhile is for the next time.
  void run(const std::function<Answer(const Command&)>& what);
  /// The owner goes on no more: what waits, and all that comes, is refused.
  void close();
  std::uint64_t refused() const;

 private:
  struct Waiting {
    Command command;
    Reply reply;
    Clock::time_point until;
  };

  std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;
  std::deque<Waiting> waiting_;
  bool closed_ = false;
  std::uint64_t refused_ = 0;
};

}  // namespace weir::gateway

// Verdicts on their way to the kernel by a thread of their own: it passes packets on within the call that takes their verdicts, as far as to
// the receiver, so that the next ones would wait for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace weir::capture {

/// Purpose: octets go out in the order in which they were given. Invariant: whoever gives them may give more at once, up to kMostWaiting.
/// Ownership: the thread, which begins with the first octets (where none can be had, they are sent at once); what waits at the end is sent. Threads: one gives;
/// `send` runs on the other.
class VerdictSender {
 public:
  /// Buffers that wait; who gives another one waits until one has gone, so that no more than these is ever held up behind the kernel.
  static constexpr std::size_t kMostWaiting = 4;

  /// How many of the verdicts in them were not taken.
  using Send = std::function<std::size_t(std::span<const std::byte>)>;

  explicit VerdictSender(Send send) : send_(std::move(send)) {}
  VerdictSender(const VerdictSender&) = delete;
  VerdictSender& operator=(const VerdictSender&) = delete;
  ~VerdictSender();

  /// The octets are gone from `verdicts`, which keeps or gets memory for the next ones.
  void give(std::vector<std::byte>& verdicts);
  /// Sends them here and now: for when all that was given is sent.
  void send(std::vector<std::byte>& verdicts);
  /// Waits until all that was given is sent.
  void settle();
  bool settled() const;
  /// Verdicts that were not taken.
  std::uint64_t errors() const;

 private:
  bool begin();
  void run();

  Send send_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<std::byte>> waiting_;  ///< the first one is being sent
  std::vector<std::vector<std::byte>> sent_;    ///< memory to be used again
  std::uint64_t errors_ = 0;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace weir::capture

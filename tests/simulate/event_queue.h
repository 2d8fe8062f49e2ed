// The virtual clock: what happens next, and when. Nothing in the simulation knows another time.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "base/raw_packet.h"

namespace weir::simulate {

inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;

/// Purpose: runs actions in order of their times; those of equal times in the order in which they were asked for, so that a
/// seed always gives the same run. One owner, one thread.
class EventQueue {
 public:
  TimeNs now() const { return now_; }
  void after(TimeNs delay, std::function<void()> action) { events_.push({now_ + delay, order_++, std::move(action)}); }
  /// Runs the next action. False if there is none.
  bool run_next() {
    if (events_.empty()) return false;
    auto action = std::move(const_cast<Event&>(events_.top()).action);  // top() is const, but is popped at once
    now_ = events_.top().time;
    events_.pop();
    action();
    return true;
  }

 private:
  struct Event {
    TimeNs time;
    std::uint64_t order;
    std::function<void()> action;
    friend bool operator<(const Event& a, const Event& b) { return a.time != b.time ? a.time > b.time : a.order > b.order; }
  };
  std::priority_queue<Event> events_;
  TimeNs now_ = 0;
  std::uint64_t order_ = 0;
};

/// A deadline that may be moved or taken back, with one event under way at most for each time that matters.
class Timer {
 public:
  Timer(EventQueue& events, std::function<void()> action) : events_(events), action_(std::move(action)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void set(TimeNs delay) {
    deadline_ = events_.now() + delay;
    if (!pending_ || deadline_ < pending_for_) wait();
  }
  void stop() { deadline_ = kNever; }
  bool running() const { return deadline_ != kNever; }

 private:
  static constexpr TimeNs kNever = -1;

  void wait() {
    pending_ = true;
    pending_for_ = deadline_;
    const std::uint64_t mine = ++generation_;
    events_.after(deadline_ - events_.now(), [this, mine] {
      if (mine != generation_) return;
      pending_ = false;
      if (deadline_ == kNever) return;
      if (deadline_ > events_.now()) {
        wait();
        return;
      }
      deadline_ = kNever;
      action_();
    });
  }

  EventQueue& events_;
  std::function<void()> action_;
  TimeNs deadline_ = kNever, pending_for_ = 0;
  bool pending_ = false;
  std::uint64_t generation_ = 0;
};

}  // namespace weir::simulate

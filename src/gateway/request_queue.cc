#include "gateway/request_queue.h"

#include <utility>

namespace weir::gateway {

void RequestQueue::put(const Command& command, Reply reply) {
  {
    const std::scoped_lock lock(mutex_);
    if (!closed_ && waiting_.size() < kMost) {
      waiting_.push_back({.command = command, .reply = std::move(reply), .until = now_() + kPatience});
      return;
    }
    ++refused_;
  }
  reply(refusal(503, "too many requests wait already, or the gateway ends"));
}

void RequestQueue::close() {
  std::deque<Waiting> all;
  {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    all.swap(waiting_);
    refused_ += all.size();
  }
  for (const Waiting& one : all) one.reply(refusal(503, "the gateway ends"));
}

void RequestQueue::run(const std::function<Answer(const Command&)>& what) {
  std::deque<Waiting> all;
  {
    const std::scoped_lock lock(mutex_);
    all.swap(waiting_);
  }
  for (const Waiting& one : all) one.reply(now_() <= one.until ? what(one.command) : refusal(503, "it waited for too long, and was not done"));
}

std::uint64_t RequestQueue::refused() const {
  const std::scoped_lock lock(mutex_);
  return refused_;
}

}  // namespace weir::gateway

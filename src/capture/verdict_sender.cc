#include "capture/verdict_sender.h"

#include <system_error>
#include <utility>

#include "capture/signals_blocked.h"

namespace weir::capture {

VerdictSender::~VerdictSender() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void VerdictSender::give(std::vector<std::byte>& verdicts) {
  if (!thread_.joinable() && !begin()) {
    send(verdicts);
    return;
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < kMostWaiting; });
    waiting_.push_back(std::exchange(verdicts, {}));
    if (!sent_.empty()) {
      verdicts = std::move(sent_.back());
      sent_.pop_back();
      verdicts.clear();
    }
  }
  changed_.notify_all();
}

void VerdictSender::send(std::vector<std::byte>& verdicts) {
  const std::size_t lost = send_(verdicts);
  verdicts.clear();
  const std::scoped_lock lock(mutex_);
  errors_ += lost;
}

void VerdictSender::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.empty(); });
}

bool VerdictSender::settled() const {
  const std::scoped_lock lock(mutex_);
  return waiting_.empty();
}

std::uint64_t VerdictSender::errors() const {
  const std::scoped_lock lock(mutex_);
  return errors_;
}

bool VerdictSender::begin() {
  const SignalsBlocked owners;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {  // no thread to be had
  }
  return thread_.joinable();
}

void VerdictSender::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::span<const std::byte> next = waiting_.front();
    lock.unlock();
    const std::size_t lost = send_(next);
    lock.lock();
    errors_ += lost;
    sent_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    changed_.notify_all();
  }
}

}  // namespace weir::capture

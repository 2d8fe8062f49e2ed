#include "report/log_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "capture/signals_blocked.h"

namespace weir::report {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kDiskRetry{1'000};        ///< a full disk, a file that cannot be opened
constexpr milliseconds kFirstConnectRetry{100};  ///< a collector that is not there, doubled from try to try
constexpr milliseconds kLastConnectRetry{2'000};
constexpr milliseconds kRotateRetry{60'000};  ///< the file that is open goes on meanwhile
constexpr milliseconds kLook{50};             ///< while a reader has no room: how soon other wishes are seen
constexpr milliseconds kHanging{500};         ///< beyond its time at the end: a thread that hangs in a write is left

bool full_disk(int error) { return error == ENOSPC || error == EDQUOT; }

std::uint64_t lines_in(std::string_view text) { return static_cast<std::uint64_t>(std::ranges::count(text, '\n')); }

}  // namespace

/// Purpose: one place, its queue and its thread. The queue, counters and wishes are under the mutex; the place is the thread's.
class LogWriter::Outlet {
 public:
  Outlet(const std::string& name, const LogSettings& settings, Say say) : place_(name, settings.rotation), bound_(settings.queue_bytes), say_(std::move(say)) {}

  /// Before the thread is there.
  std::optional<Problem> open() {
    const int error = place_.open();
    awaits_reader_ = place_.awaits_reader();
    if (error == 0) return std::nullopt;
    if (!full_disk(error) && !awaits_reader_) return system_problem(place_.name(), error);
    failed(error);
    tell();
    return std::nullopt;
  }

  static void start(const std::shared_ptr<Outlet>& outlet) {
    const capture::SignalsBlocked main_loops;
    outlet->thread_ = std::thread([outlet] { outlet->run(); });
  }

  void take(const std::shared_ptr<const std::string>& lines, std::uint64_t count) {
    {
      const std::scoped_lock lock(mutex_);
      if (ended_ || counters_.queued_bytes + lines->size() > bound_) {
        counters_.lines_lost += count;
        losing_ = true;
      } else {
        queue_.push_back(lines);
        counters_.queued_bytes += lines->size();
      }
    }
    wake_.notify_one();
  }

  void reopen() {
    {
      const std::scoped_lock lock(mutex_);
      reopen_ = true;
    }
    wake_.notify_one();
  }

  LogCounters counters() const {
    const std::scoped_lock lock(mutex_);
    return counters_;
  }

  std::optional<std::string> trouble() const {
    const std::scoped_lock lock(mutex_);
    if (!trouble_.empty()) return place_.name() + ": " + trouble_;
    if (losing_) return place_.name() + ": lines are lost";
    return std::nullopt;
  }

  void ask_to_end(Clock::time_point until) {
    {
      const std::scoped_lock lock(mutex_);
      end_by_ = until;
    }
    wake_.notify_one();
  }

  std::uint64_t wait_for_end(Clock::time_point until) {
    std::unique_lock lock(mutex_);
    if (!thread_.joinable()) {
      give_up();
    } else if (!end_.wait_until(lock, until + kHanging, [this] { return finished_; })) {
      give_up();
      lock.unlock();
      thread_.detach();
    } else {
      lock.unlock();
      thread_.join();
    }
    if (unwritten_ > 0) say_(place_.name(), fmt::format("{} lines could not be written before the end", unwritten_), "counted in log.lines_lost");
    return unwritten_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!over()) {
      if (losing_ && !told_losing_) {
        told_losing_ = true;
        messages_.emplace_back("lines are lost: more wait for it than limits.log_queue_bytes", "counted in log.lines_lost");
      }
      if (!messages_.empty()) {
        lock.unlock();
        tell();
        lock.lock();
        continue;
      }
      if (reopen_ && at_line_start()) {
        reopen_file(lock);
        continue;
      }
      if (Clock::now() < retry_at_) {
        wake_.wait_until(lock, end_by_ ? std::min(retry_at_, *end_by_) : retry_at_);
        continue;
      }
      if (!place_.is_open()) {
        lock.unlock();
        const int error = place_.open();
        lock.lock();
        if (error != 0) failed(error);
        if (error == 0) opened();
        continue;
      }
      if (queue_.empty()) {
        wake_.wait(lock);
        continue;
      }
      write_some(lock);
    }
    give_up();
    lock.unlock();
    tell();
    place_.close();
    lock.lock();
    finished_ = true;
    end_.notify_all();
  }

  bool over() const { return end_by_ && (queue_.empty() || Clock::now() >= *end_by_); }

  /// What was not written is lost; a line that has begun to leave is one of them.
  void give_up() {
    if (ended_) return;
    std::size_t skip = at_;
    for (const auto& lines : queue_) unwritten_ += lines_in(std::string_view(*lines).substr(std::exchange(skip, 0)));
    counters_.lines_lost += unwritten_;
    counters_.queued_bytes = 0;
    ended_ = true;
  }

  /// One write from the front of the queue. The lock is free meanwhile; only this thread takes lines out.
  void write_some(std::unique_lock<std::mutex>& lock) {
    const std::shared_ptr<const std::string> front = queue_.front();
    lock.unlock();
    const std::string_view rest = portion(*front);
    LogPlace::Written written;
    if (!rest.empty()) written = place_.write(rest);
    std::size_t taken_back = 0;
    if (written.error == EAGAIN) {
      pollfd room{place_.descriptor(), POLLOUT, 0};
      ::poll(&room, 1, static_cast<int>(kLook.count()));
    } else if (written.error != 0) {
      // No line stays torn.
      if (const std::size_t torn = at_ - line_before(*front, at_); torn > 0 && place_.take_back(torn)) taken_back = torn;
      if (!full_disk(written.error)) place_.close();
    }
    lock.lock();
    if (ended_) return;  // given up while this thread hung in the write
    counters_.rotations += std::exchange(rotated_, 0);
    counters_.errors += std::exchange(rotate_errors_, 0);
    counters_.lines_written += lines_in(rest.substr(0, written.bytes));
    counters_.bytes_written += written.bytes;
    at_ += written.bytes;
    if (written.error != 0 && written.error != EAGAIN) {
      counters_.bytes_written -= taken_back;
      at_ -= taken_back;
      if (!at_line_start()) {
        at_ = front->find('\n', at_) + 1;
        ++counters_.lines_lost;
      }
      failed(written.error);
    }
    pass_front();
  }

  void pass_front() {
    if (at_ < queue_.front()->size()) return;
    counters_.queued_bytes -= queue_.front()->size();
    queue_.pop_front();
    at_ = 0;
    if (queue_.empty()) recovered();
  }

  /// As many whole lines as the file takes before it is put aside, at least one.
  std::string_view portion(std::string_view front) {
    const std::string_view rest = front.substr(at_);
    if (at_ > 0 && front[at_ - 1] != '\n') return rest;
    const std::size_t room = place_.room();
    if (rest.size() <= room) return rest;
    const std::size_t fits = rest.substr(0, room).rfind('\n');
    if (fits != std::string_view::npos) return rest.substr(0, fits + 1);
    if (place_.has_content() && Clock::now() >= rotate_at_) {
      if (const int error = place_.rotate(); error == 0) {
        ++rotated_;
        return {};  // looked at anew
      } else {
        ++rotate_errors_;
        rotate_at_ = Clock::now() + kRotateRetry;
        say_(place_.name(), "cannot be put aside: " + std::generic_category().message(error), "it goes on growing; tried again each minute");
      }
    }
    return place_.has_content() ? rest : rest.substr(0, rest.find('\n') + 1);
  }

  /// Where the line begins that `at` lies within.
  static std::size_t line_before(std::string_view lines, std::size_t at) { return at == 0 ? 0 : lines.rfind('\n', at - 1) + 1; }
  bool at_line_start() const { return at_ == 0 || (*queue_.front())[at_ - 1] == '\n'; }

  void failed(int error) {
    ++counters_.errors;
    backoff_ = full_disk(error) || !awaits_reader_ ? kDiskRetry : std::clamp(backoff_ * 2, kFirstConnectRetry, kLastConnectRetry);
    retry_at_ = Clock::now() + backoff_;
    const bool known = !trouble_.empty();
    trouble_ = std::generic_category().message(error);
    if (!known) messages_.emplace_back(trouble_, "tried again until it works; lines wait meanwhile, up to limits.log_queue_bytes");
  }

  void opened() {
    backoff_ = {};
    if (queue_.empty()) recovered();
  }

  /// Nothing waits any more.
  void recovered() {
    backoff_ = {};
    if (trouble_.empty() && !told_losing_) {
      losing_ = false;
      return;
    }
    trouble_.clear();
    losing_ = told_losing_ = false;
    messages_.emplace_back("is written again", fmt::format("{} lines were lost", counters_.lines_lost - lost_before_));
    lost_before_ = counters_.lines_lost;
  }

  /// Without the lock: whoever reads what is said may be slow.
  void tell() {
    for (const auto& [why, hint] : std::exchange(messages_, {})) say_(place_.name(), why, hint);
  }

  void reopen_file(std::unique_lock<std::mutex>& lock) {
    reopen_ = false;
    retry_at_ = {};
    lock.unlock();
    const int error = place_.reopen();
    lock.lock();
    if (error == 0) {
      if (queue_.empty() && place_.is_open()) recovered();
      return;
    }
    ++counters_.errors;
    messages_.emplace_back("cannot be opened again: " + std::generic_category().message(error), "the file that is open goes on");
  }

  LogPlace place_;
  const std::size_t bound_;
  const Say say_;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, end_;
  std::deque<std::shared_ptr<const std::string>> queue_;
  std::size_t at_ = 0;  ///< in its front: written up to here
  LogCounters counters_;
  std::optional<Clock::time_point> end_by_;
  bool reopen_ = false;
  bool ended_ = false;                         ///< nothing is taken or counted any more
  bool finished_ = false;                      ///< the thread is done
  bool losing_ = false, told_losing_ = false;  ///< since nothing waited last
  std::string trouble_;                        ///< why nothing can be written; empty: it can
  std::uint64_t lost_before_ = 0;              ///< lines_lost when it was told last that all is well
  std::uint64_t unwritten_ = 0;                ///< at the end
  Clock::time_point retry_at_{}, rotate_at_{};
  milliseconds backoff_{};
  bool awaits_reader_ = false;
  std::vector<std::pair<std::string, std::string>> messages_;  ///< why, hint: of the thread, which says them without the lock
  std::uint64_t rotated_ = 0, rotate_errors_ = 0;              ///< not yet counted
};

std::expected<std::unique_ptr<LogWriter>, Problem> LogWriter::open(const LogSettings& settings, const Say& say) {
  std::unique_ptr<LogWriter> writer(new LogWriter);
  for (const std::string& name : settings.places) {
    const auto& outlet = writer->outlets_.emplace_back(std::make_shared<Outlet>(name, settings, say));
    if (auto problem = outlet->open()) return std::unexpected(*std::move(problem));
  }
  return writer;
}

LogWriter::~LogWriter() { close(milliseconds(0)); }

void LogWriter::start() {
  for (const auto& outlet : outlets_) Outlet::start(outlet);
}

void LogWriter::submit(std::string&& lines, std::uint64_t count) {
  const auto shared = std::make_shared<const std::string>(std::move(lines));
  for (const auto& outlet : outlets_) outlet->take(shared, count);
}

void LogWriter::reopen() {
  for (const auto& outlet : outlets_) outlet->reopen();
}

LogCounters LogWriter::counters() const {
  LogCounters sum;
  for (const auto& outlet : outlets_) {
    const LogCounters one = outlet->counters();
    sum.lines_written += one.lines_written;
    sum.bytes_written += one.bytes_written;
    sum.lines_lost += one.lines_lost;
    sum.errors += one.errors;
    sum.rotations += one.rotations;
    sum.queued_bytes += one.queued_bytes;
  }
  return sum;
}

std::vector<std::string> LogWriter::troubles() const {
  std::vector<std::string> all;
  for (const auto& outlet : outlets_) {
    if (auto trouble = outlet->trouble()) all.push_back(*std::move(trouble));
  }
  return all;
}

std::uint64_t LogWriter::close(milliseconds time) {
  const auto until = Clock::now() + time;
  std::uint64_t lost = 0;
  for (const auto& outlet : outlets_) outlet->ask_to_end(until);
  for (const auto& outlet : outlets_) lost += outlet->wait_for_end(until);
  outlets_.clear();
  return lost;
}

}  // namespace weir::report

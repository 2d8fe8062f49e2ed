// How far the work is, on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace weir::report {

/// The bar's text for a width, without any control characters; total 0: not known (standard input).
std::string progress_line(std::uint64_t done, std::uint64_t total, double seconds, std::size_t width);

/// Purpose: a bar on standard error for work that takes longer than a second; nothing at all where that is no terminal.
/// One owner, one thread. This is a clock's only place in reports: it never touches what is reported.
class Progress {
 public:
  explicit Progress(std::uint64_t total_bytes);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap: draws ten times a second at most.
  void update(std::uint64_t done_bytes) {
    if (active_) draw(done_bytes);
  }
  /// Takes the bar away, for other output.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(std::uint64_t done_bytes);

  std::uint64_t total_;
  bool active_;
  bool shown_ = false;
  Clock::time_point began_, next_;
};

}  // namespace weir::report

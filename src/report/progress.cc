#include "report/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "report/terminal.h"

namespace weir::report {
namespace {

using namespace std::chrono_literals;
constexpr auto kFirst = 1s;
constexpr auto kEvery = 100ms;

std::string size_text(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < std::size(kUnits)) bytes /= 1000, ++unit;
  return fmt::format("{:.{}f} {}", bytes, unit == 0 || bytes >= 99.95 ? 0 : 1, kUnits[unit]);
}

std::string time_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 359'999.0) + 0.5);
  return whole < 3600 ? fmt::format("{}:{:02}", whole / 60, whole % 60) : fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t total, double seconds, std::size_t width) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = size_text(static_cast<double>(done));
  if (total > 0) text += " of " + size_text(static_cast<double>(total));
  text += fmt::format(", {}/s", size_text(rate));
  if (total == 0) return text.substr(0, width);
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  if (rate > 0) text += fmt::format(", {} left", time_text(static_cast<double>(total - std::min(done, total)) / rate));
  static constexpr std::size_t kWidest = 40, kNarrowest = 8, kAround = 9;  // "[", "] 100%  "
  if (width >= text.size() + kAround + kNarrowest) {
    const std::size_t bar = std::min(kWidest, width - text.size() - kAround);
    const auto full = static_cast<std::size_t>(share * static_cast<double>(bar));
    text = fmt::format("[{}{}] {:>3.0f}%  {}", std::string(full, '#'), std::string(bar - full, '.'), share * 100, text);
  }
  return text.substr(0, width);
}

Progress::Progress(std::uint64_t total_bytes) : total_(total_bytes), active_(::isatty(STDERR_FILENO) == 1), began_(Clock::now()), next_(began_ + kFirst) {}

void Progress::draw(std::uint64_t done_bytes) {
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kEvery;
  shown_ = true;
  const std::size_t width = TextStyle::of(STDERR_FILENO).width;
  const std::string line = progress_line(done_bytes, total_, std::chrono::duration<double>(now - began_).count(), width > 1 ? width - 1 : 1);
  std::fputs(fmt::format("\r{}\033[K", line).c_str(), stderr);
  std::fflush(stderr);
}

void Progress::clear() {
  if (!shown_) return;
  shown_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace weir::report

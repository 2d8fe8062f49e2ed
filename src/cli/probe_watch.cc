#include "cli/probe_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "capture/clock.h"
#include "cli/say.h"

namespace weir::cli {
namespace {

constexpr int kAskMs = 100;
constexpr std::size_t kPiece = 1U << 20;

}  // namespace

LearningLogs::LearningLogs(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) logs_.push_back({.path = path});
}

std::vector<std::string> LearningLogs::names() {
  for (Log& log : logs_) read(log);
  return {learnt_.names().begin(), learnt_.names().end()};
}

void LearningLogs::read(Log& log) {
  const int descriptor = ::open(log.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    say(log.path, std::strerror(errno));
    return;
  }
  struct stat about{};
  if (::fstat(descriptor, &about) == 0 && (about.st_ino != log.inode || static_cast<std::uint64_t>(about.st_size) < log.offset)) {
    log.inode = about.st_ino;
    log.offset = 0;
  }
  std::string rest;
  for (std::size_t total = 0; total < kMostBytes;) {
    const std::size_t before = rest.size();
    rest.resize(before + kPiece);
    const ssize_t size = ::pread(descriptor, rest.data() + before, kPiece, static_cast<off_t>(log.offset + before));
    rest.resize(before + (size > 0 ? static_cast<std::size_t>(size) : 0));
    if (size <= 0) break;
    total += static_cast<std::size_t>(size);
    const std::size_t taken = learnt_.take(rest);
    rest.erase(0, taken);
    log.offset += taken;
  }
  ::close(descriptor);
}

void wait_until(std::int64_t steady_ns, const std::function<bool()>& stop) {
  while (!stop() && capture::steady_ns() < steady_ns) ::poll(nullptr, 0, kAskMs);
}

}  // namespace weir::cli

#include "report/log_place.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace weir::report {
namespace {

constexpr std::string_view kUnix = "unix:";
/// What a pipe that poll() calls writable takes without waiting (POSIX: PIPE_BUF).
constexpr std::size_t kPipePiece = 4096;

/// The last octet of a file that can be read is something else than the end of a line.
bool ends_within_line(const std::string& path, std::int64_t size) {
  if (size == 0) return false;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  char last = '\n';
  const bool within = ::pread(descriptor, &last, 1, size - 1) == 1 && last != '\n';
  ::close(descriptor);
  return within;
}

int open_file(const std::string& path) {
  // O_NONBLOCK: a FIFO without a reader is an error (ENXIO), not a wait.
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
  return descriptor < 0 ? -errno : descriptor;
}

}  // namespace

bool LogPlace::awaits_reader() const {
  struct stat found{};
  return name_.starts_with(kUnix) || (name_ != "-" && ::stat(name_.c_str(), &found) == 0 && S_ISFIFO(found.st_mode));
}

int LogPlace::open() {
  close();
  if (name_ == "-") {
    adopt(STDOUT_FILENO);
    return 0;
  }
  if (name_.starts_with(kUnix)) return connect_socket();
  const int descriptor = open_file(name_);
  if (descriptor < 0) return -descriptor;
  adopt(descriptor);
  return 0;
}

void LogPlace::adopt(int descriptor) {
  struct stat found{};
  ::fstat(descriptor, &found);
  descriptor_ = descriptor;
  kind_ = S_ISREG(found.st_mode) ? Kind::kFile : S_ISSOCK(found.st_mode) ? Kind::kSocket : Kind::kPollable;
  size_ = kind_ == Kind::kFile ? found.st_size : 0;
  newline_owed_ = kind_ == Kind::kFile && name_ != "-" && ends_within_line(name_, size_);
}

int LogPlace::connect_socket() {
  const std::string path = name_.substr(kUnix.size());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty()) return EINVAL;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return errno;
  // A Unix socket is connected at once, or not (EAGAIN: too many wait there already).
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(descriptor);
    return error;
  }
  adopt(descriptor);
  return 0;
}

void LogPlace::close() {
  if (descriptor_ >= 0 && name_ != "-") ::close(descriptor_);
  descriptor_ = -1;
}

LogPlace::Written LogPlace::write(std::string_view text) {
  ssize_t done = 0;
  if (newline_owed_) {
    if (::write(descriptor_, "\n", 1) != 1) return {.bytes = 0, .error = errno};
    newline_owed_ = false;
    ++size_;
  }
  do {
    if (kind_ == Kind::kSocket) {
      done = ::send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (kind_ == Kind::kPollable) {
      // Standard output may be shared with others, who did not ask for O_NONBLOCK.
      pollfd ready{descriptor_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) <= 0) return {.bytes = 0, .error = EAGAIN};
      done = ::write(descriptor_, text.data(), std::min(text.size(), kPipePiece));
    } else {
      done = ::write(descriptor_, text.data(), text.size());
    }
  } while (done < 0 && errno == EINTR);
  if (done < 0) return {.bytes = 0, .error = errno == EWOULDBLOCK ? EAGAIN : errno};
  if (done == 0 && !text.empty()) return {.bytes = 0, .error = EIO};
  if (kind_ == Kind::kFile) size_ += done;
  return {.bytes = static_cast<std::size_t>(done), .error = 0};
}

bool LogPlace::take_back(std::size_t bytes) {
  if (kind_ != Kind::kFile || descriptor_ < 0) return false;
  // Only if no one else has written behind it.
  const auto count = static_cast<off_t>(bytes);
  struct stat found{};
  const off_t end = ::lseek(descriptor_, 0, SEEK_CUR);
  if (end >= count && ::fstat(descriptor_, &found) == 0 && found.st_size == end && ::ftruncate(descriptor_, end - count) == 0) {
    ::lseek(descriptor_, 0, SEEK_END);
    size_ -= count;
    return true;
  }
  newline_owed_ = true;
  return false;
}

std::size_t LogPlace::room() const {
  if (rotation_.bytes <= 0 || kind_ != Kind::kFile || name_ == "-") return std::numeric_limits<std::size_t>::max();
  return static_cast<std::size_t>(std::max<std::int64_t>(rotation_.bytes - size_, 0));
}

bool LogPlace::still_at_its_path() const {
  struct stat mine{}, there{};
  return ::fstat(descriptor_, &mine) == 0 && ::stat(name_.c_str(), &there) == 0 && mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int LogPlace::rotate() {
  // Where the last attempt moved the file and then could not begin another, those put aside stay where they are.
  if (still_at_its_path()) {
    for (std::int64_t number = rotation_.keep; number > 0; --number) {
      const std::string from = number > 1 ? name_ + "." + std::to_string(number - 1) : name_;
      if (::rename(from.c_str(), (name_ + "." + std::to_string(number)).c_str()) != 0 && errno != ENOENT) return errno;
    }
  }
  return reopen();
}

int LogPlace::reopen() {
  if (!is_file() || name_ == "-" || !is_open()) return 0;
  const int descriptor = open_file(name_);
  if (descriptor < 0) return -descriptor;
  ::close(descriptor_);
  adopt(descriptor);
  return 0;
}

}  // namespace weir::report

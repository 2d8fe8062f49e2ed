#include "probe/output/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "report/write_all.h"

namespace weir::probe::output {

std::optional<report::Problem> write_whole(const std::string& path, std::string_view text) {
  std::string fresh = path + ".XXXXXX";
  const int descriptor = ::mkostemp(fresh.data(), O_CLOEXEC);
  if (descriptor < 0) return report::system_problem(path, errno);
  ::fchmod(descriptor, 0644);
  int error = report::write_all(descriptor, text) && ::fsync(descriptor) == 0 ? 0 : errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(fresh.c_str(), path.c_str()) == 0) return std::nullopt;
  if (error == 0) error = errno;
  ::unlink(fresh.c_str());
  return report::system_problem(path, error);
}

std::optional<report::Problem> cannot_write_whole(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) == 0 && !S_ISREG(about.st_mode))
    return S_ISDIR(about.st_mode) ? report::system_problem(path, EISDIR) : report::Problem{path, "is no regular file: it would be replaced by one"};
  std::string fresh = path + ".XXXXXX";
  const int descriptor = ::mkostemp(fresh.data(), O_CLOEXEC);
  if (descriptor < 0) return report::system_problem(path, errno);
  ::close(descriptor);
  ::unlink(fresh.c_str());
  return std::nullopt;
}

std::expected<std::optional<std::string>, report::Problem> read_whole(const std::string& path, std::size_t most_bytes) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return std::optional<std::string>();
  if (descriptor < 0) return std::unexpected(report::system_problem(path, errno));
  std::string text;
  std::array<char, 1 << 16> piece{};
  for (;;) {
    const ssize_t size = ::read(descriptor, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    const int error = size < 0 ? errno : 0;
    if (size > 0) text.append(piece.data(), static_cast<std::size_t>(size));
    if (size > 0 && text.size() <= most_bytes) continue;
    ::close(descriptor);
    if (error != 0) return std::unexpected(report::system_problem(path, error));
    if (text.size() > most_bytes) return std::unexpected(report::Problem{path, "is too long"});
    return text;
  }
}

}  // namespace weir::probe::output

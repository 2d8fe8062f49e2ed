#include "cli/file_stamp.h"

#include <sys/stat.h>

namespace weir::cli {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t ns(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }

}  // namespace

FileStamp stamp_of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {.device = status.st_dev, .inode = status.st_ino, .modified_ns = ns(status.st_mtim), .changed_ns = ns(status.st_ctim), .bytes = status.st_size};
}

bool is_settled(const FileStamp& stamp, std::int64_t now_ns) { return stamp.changed_ns + kSecond < now_ns; }

}  // namespace weir::cli

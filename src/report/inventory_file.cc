#include "report/inventory_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "report/inventory_text.h"
#include "report/write_all.h"

namespace weir::report {
namespace {

/// Above what the largest inventory takes (limits.inventory_entries, each below 4 KiB).
constexpr std::size_t kMostBytes = std::size_t{1} << 30U;

/// Closes what it holds.
struct Descriptor {
  int value = -1;
  explicit Descriptor(int descriptor) : value(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

std::expected<std::optional<std::vector<inspect::InventoryEntry>>, InventoryFileError> read_inventory(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.value < 0 && errno == ENOENT) return std::nullopt;
  if (file.value < 0) return std::unexpected(InventoryFileError{system_problem(path, errno)});
  struct stat about{};
  if (::fstat(file.value, &about) != 0) return std::unexpected(InventoryFileError{system_problem(path, errno)});
  if (!S_ISREG(about.st_mode)) return std::unexpected(InventoryFileError{{path, "is no ordinary file"}});
  std::string text;
  char piece[65'536];
  for (;;) {
    const ssize_t got = ::read(file.value, piece, sizeof piece);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(InventoryFileError{system_problem(path, errno)});
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) return std::unexpected(InventoryFileError{{path, "is too large for an inventory"}, true});
  }
  auto entries = inventory_from_json(text);
  if (!entries) return std::unexpected(InventoryFileError{{path, "is no inventory: " + entries.error()}, true});
  return *std::move(entries);
}

std::optional<Problem> put_aside(const std::string& path) {
  if (std::rename(path.c_str(), (path + ".damaged").c_str()) != 0) return system_problem(path + ".damaged", errno);
  return std::nullopt;
}

std::optional<Problem> write_inventory(const std::string& path, std::span<const inspect::InventoryEntry> entries) {
  const std::string fresh = path + ".new";
  {
    const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (file.value < 0) return system_problem(fresh, errno);
    if (!write_all(file.value, inventory_json(entries)) || ::fsync(file.value) != 0) {
      Problem problem = system_problem(fresh, errno);
      ::unlink(fresh.c_str());
      return problem;
    }
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    Problem problem = system_problem(path, errno);
    ::unlink(fresh.c_str());
    return problem;
  }
  // The new name, too, must outlive a power cut. A folder that cannot be synced is no reason to complain.
  const auto slash = path.rfind('/');
  const Descriptor folder(::open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.value >= 0) ::fsync(folder.value);
  return std::nullopt;
}

}  // namespace weir::report

#include "cli/database_cache.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "report/write_all.h"

namespace weir::cli {
namespace {

constexpr std::string_view kMagic = "WEIRHS1\n";
constexpr std::size_t kDigestBytes = 32;
constexpr off_t kMaxBytes = off_t{2} << 30;

std::array<unsigned char, kDigestBytes> digest_of(std::span<const char> bytes) {
  std::array<unsigned char, kDigestBytes> digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

std::string folder() {
  if (const char* const own = std::getenv("WEIR_CACHE")) return own;
  if (const char* const cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') return std::string(cache) + "/weir";
  if (::geteuid() == 0) return "/var/cache/weir";
  if (const char* const home = std::getenv("HOME"); home != nullptr && *home == '/') return std::string(home) + "/.cache/weir";
  return {};
}

}  // namespace

DiskCache::DiskCache() : folder_(folder()) {}

std::vector<char> DiskCache::load(const std::string& key) {
  const int descriptor = ::open((folder_ + "/" + key).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return {};
  std::vector<char> bytes;
  struct stat status{};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() && status.st_size < kMaxBytes) {
    bytes.resize(static_cast<std::size_t>(status.st_size));
    std::size_t have = 0;
    while (have < bytes.size()) {
      const ssize_t got = ::read(descriptor, bytes.data() + have, bytes.size() - have);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    if (have != bytes.size()) bytes.clear();
  }
  ::close(descriptor);
  const std::size_t head = kMagic.size() + kDigestBytes;
  if (bytes.size() <= head || !std::string_view(bytes.data(), bytes.size()).starts_with(kMagic)) return {};
  const auto digest = digest_of(std::span(bytes).subspan(head));
  if (std::memcmp(digest.data(), bytes.data() + kMagic.size(), kDigestBytes) != 0) return {};
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(head));
  return bytes;
}

// A cache that cannot be written costs time only: nothing is said of it.
void DiskCache::store(const std::string& key, std::span<const char> bytes) {
  std::error_code code;
  std::filesystem::create_directories(folder_, code);
  std::string name = folder_ + "/" + key + ".XXXXXX";
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) return;
  const auto digest = digest_of(bytes);
  const bool written = report::write_all(descriptor, kMagic) && report::write_all(descriptor, {reinterpret_cast<const char*>(digest.data()), digest.size()}) &&
                       report::write_all(descriptor, {bytes.data(), bytes.size()});
  const bool closed = ::close(descriptor) == 0;
  if (!written || !closed || ::rename(name.c_str(), (folder_ + "/" + key).c_str()) != 0) ::unlink(name.c_str());
}

}  // namespace weir::cli

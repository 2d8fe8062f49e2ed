#include "gateway/state_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "gateway/octets.h"

namespace weir::gateway {
namespace {

constexpr std::uint64_t kMagic = 0x5765697247775331;  // "WeirGwS1": the last octet is the version of the form
constexpr std::uint32_t kMostShards = 64;
constexpr off_t kMostBytes = off_t{1} << 30;  ///< of the file
constexpr std::size_t kSum = sizeof(std::uint64_t);

/// FNV-1a: against a file that was torn or has rotted. Whoever can write it can do worse than forge a sum.
std::uint64_t sum_of(Bytes octets) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const std::byte b : octets) sum = (sum ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3ULL;
  return sum;
}

std::vector<std::byte> read_block(ByteReader& in) {
  const Bytes block = in.take(in.u64());
  return {block.begin(), block.end()};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

int write_all(int file, Bytes octets) {
  while (!octets.empty()) {
    const ssize_t written = ::write(file, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    octets = octets.subspan(static_cast<std::size_t>(written));
  }
  return 0;
}

/// All else works without it, so what will not is said.
report::Problem not_written(const std::string& path, int error) {
  report::Problem problem = report::system_problem(path, error);
  problem.why += "; without it running connections do not outlive a restart (its folder must be there, and writable)";
  return problem;
}

}  // namespace

std::vector<std::byte> write_state(const SavedState& state) {
  Octets out;
  out.number(kMagic);
  out.number(static_cast<std::uint32_t>(state.shards.size()));
  for (const SavedShard& shard : state.shards) {
    out.block(shard.engine);
    out.block(shard.core);
  }
  out.block(state.nat);
  out.number(sum_of(out.written()));
  return out.take();
}

std::expected<SavedState, std::string> parse_state(Bytes octets) {
  ByteReader start(octets);
  if (start.u64() != kMagic) return std::unexpected("was not written by this version");
  if (octets.size() < 2 * kSum) return std::unexpected("is not whole");
  const Bytes body = octets.first(octets.size() - kSum);
  if (ByteReader(octets.last(kSum)).u64() != sum_of(body)) return std::unexpected("is damaged");
  ByteReader in(body.subspan(sizeof kMagic));
  SavedState state;
  const std::uint32_t shards = in.u32();
  if (shards > kMostShards) return std::unexpected("contradicts itself");
  for (std::uint32_t i = 0; i < shards && in.ok(); ++i) {
    SavedShard shard;
    shard.engine = read_block(in);
    shard.core = read_block(in);
    state.shards.push_back(std::move(shard));
  }
  state.nat = read_block(in);
  if (!in.ok() || in.remaining() != 0) return std::unexpected("contradicts itself");
  return state;
}

std::expected<std::optional<SavedState>, report::Problem> read_state_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.number() < 0) {
    if (errno == ENOENT) return std::nullopt;
    return std::unexpected(report::system_problem(path, errno));
  }
  struct stat about{};
  if (::fstat(file.number(), &about) != 0) return std::unexpected(report::system_problem(path, errno));
  if (!S_ISREG(about.st_mode) || about.st_size > kMostBytes) return std::unexpected(report::Problem{path, "is no state of the gateway"});
  std::vector<std::byte> octets(static_cast<std::size_t>(about.st_size));
  for (std::size_t at = 0; at < octets.size();) {
    const ssize_t got = ::read(file.number(), octets.data() + at, octets.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(report::system_problem(path, errno));
    if (got == 0) octets.resize(at);
    at += static_cast<std::size_t>(got);
  }
  auto state = parse_state(octets);
  if (!state) return std::unexpected(report::Problem{path, state.error()});
  return *std::move(state);
}

std::optional<report::Problem> write_state_file(const std::string& path, Bytes octets) {
  const std::string fresh = path + ".new";
  // One that is left over may have another mode.
  ::unlink(fresh.c_str());
  int error = 0;
  {
    const Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (file.number() < 0) return not_written(path, errno);
    error = write_all(file.number(), octets);
  }
  if (error == 0 && std::rename(fresh.c_str(), path.c_str()) == 0) return std::nullopt;
  if (error == 0) error = errno;
  ::unlink(fresh.c_str());
  return not_written(path, error);
}

}  // namespace weir::gateway

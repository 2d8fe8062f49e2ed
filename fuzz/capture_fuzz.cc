// Capture files: any octets, read mapped and read as a stream, give the same packets and the same verdict.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "capture/limits.h"
#include "capture/merged_captures.h"

namespace {

using namespace weir;

struct Told {
  std::vector<std::string> bytes;
  std::vector<TimeNs> times;
  std::vector<PointId> points;
  bool damaged = false;
  friend bool operator==(const Told&, const Told&) = default;
};

void require(bool holds) {
  if (!holds) std::abort();
}

Told read(const std::string& path) {
  capture::MergedCaptures input({path});
  std::array<RawPacket, capture::kBatch> packets;
  Told told;
  while (const std::size_t count = input.next_batch(packets)) {
    for (const RawPacket& packet : std::span(packets).first(count)) {
      require(packet.bytes.size() <= capture::kMaxCaptured && packet.original_bytes >= packet.bytes.size());
      require(packet.time_ns >= 0 && packet.point < input.points().size());
      told.bytes.emplace_back(reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size());
      told.times.push_back(packet.time_ns);
      told.points.push_back(packet.point);
    }
  }
  require(input.next_batch(packets) == 0);
  require(input.points().names().size() == input.points().size());
  const auto errors = input.errors();
  require(errors.size() <= 1);
  told.damaged = !errors.empty();
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int file = ::memfd_create("capture", 0);
  require(file >= 0 && ::write(file, data, size) == static_cast<ssize_t>(size));
  const Told mapped = read("/proc/self/fd/" + std::to_string(file));
  ::dup2(file, STDIN_FILENO);
  ::lseek(STDIN_FILENO, 0, SEEK_SET);
  const Told streamed = read("-");
  ::close(file);
  ::close(STDIN_FILENO);
  require(mapped == streamed);
  return 0;
}

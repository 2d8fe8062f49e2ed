// The whole line: packets into the engine, what it tells out. The first octet chooses the settings; then packets follow, each with
// one octet (capture point, whether the bytes stay, a step of time) and two octets of length. Packets begin at the IP header.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <source_location>
#include <span>
#include <vector>

#include "engine/engine.h"

namespace {

using namespace weir;
using namespace weir::engine;

/// Aborts, and says at which line what Observer promises did not hold.
void require(bool holds, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "engine_fuzz.cc:%u: not as Observer promises\n", static_cast<unsigned>(where.line()));
  std::abort();
}

/// What Observer promises, for each connection.
class Checker : public Observer {
 public:
  void on_handshake(const ConnectionInfo& info, Handshake, TimeNs) override { require(info.number != 0 && !ended(info)); }
  void on_data(const ConnectionInfo& info, const StreamChunk& chunk) override {
    Stream& stream = of(info, chunk.direction);
    require(chunk.offset == stream.next && !chunk.bytes.empty() && !stream.fin && !info.id.empty());
    for (const std::byte b : chunk.bytes) sum_ += std::to_integer<unsigned>(b);  // every byte is there to be read
    stream.next += chunk.bytes.size();
  }
  void on_gap(const ConnectionInfo& info, Direction d, std::uint64_t offset, std::uint64_t bytes, TimeNs) override {
    Stream& stream = of(info, d);
    require(offset == stream.next && bytes != 0 && !stream.fin);
    stream.next += bytes;
  }
  void on_ack(const ConnectionInfo& info, Direction d, std::uint64_t offset, TimeNs) override { require(offset <= of(info, d).next); }
  void on_fin(const ConnectionInfo& info, Direction d, TimeNs) override {
    require(!of(info, d).fin);
    of(info, d).fin = true;
  }
  void on_connection(const ConnectionRecord& record) override {
    require(record.visibility >= 0 && record.visibility <= 1);
    require(!record.subflows.empty());
    require(!record.info.id.empty());
    for (std::size_t i = 0; i < 2; ++i) require(record.bytes[i] <= of(record.info, static_cast<Direction>(i)).next);
    end(record.info);
  }
  void on_flow(const FlowRecord& record) override { end(record.info); }
  void on_anomaly(const AnomalyRecord& record) override { require(!record.event.empty()); }

 private:
  struct Stream {
    std::uint64_t next = 0;
    bool fin = false;
  };
  struct Known {
    Stream streams[2];
    bool ended = false;
  };
  Stream& of(const ConnectionInfo& info, Direction d) {
    require(!ended(info));
    return known_[info.number].streams[index(d)];
  }
  bool ended(const ConnectionInfo& info) { return known_[info.number].ended; }
  void end(const ConnectionInfo& info) {
    require(!ended(info));
    known_[info.number].ended = true;
  }
  std::map<std::uint64_t, Known> known_;
  unsigned sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  Checker checker;
  Settings settings;
  settings.checksums = static_cast<ChecksumPolicy>(data[0] % 3);
  settings.all_tcp = (data[0] & 4U) != 0;
  settings.several_points = (data[0] & 8U) != 0;
  if ((data[0] & 16U) != 0) {  // limits so small that they are reached
    settings.limits.max_connections = 16;
    settings.limits.reorder_bytes = 4'096;
    settings.limits.reorder_pieces = 8;
    settings.limits.copies_bytes = 2'048;
    settings.limits.mappings = 8;
    settings.limits.max_subflows = 3;
    settings.limits.watch_entries = 64;
  }
  Engine engine(settings, checker);
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  TimeNs now = 1'700'000'000'000'000'000;
  std::vector<std::byte> lent;  // overwritten by the next packet, as a reused buffer is
  while (rest.size() > 3) {
    const unsigned how = rest[0];
    const std::size_t length = std::min<std::size_t>(rest[1] << 8U | rest[2], rest.size() - 3);
    const auto bytes = std::as_bytes(rest.subspan(3, length));
    rest = rest.subspan(3 + length);
    constexpr TimeNs kSteps[] = {1'000, 1'000'000, 300'000'000, 11'000'000'000};
    now += kSteps[how >> 6U];
    RawPacket packet;
    packet.stays = (how & 4U) != 0;
    if (packet.stays) {
      packet.bytes = bytes;
    } else {
      lent.assign(bytes.begin(), bytes.end());
      packet.bytes = lent;
    }
    packet.original_bytes = static_cast<std::uint32_t>(bytes.size() + ((how & 8U) != 0 ? 40 : 0));
    packet.time_ns = now;
    packet.link = LinkType::kRaw;
    packet.point = settings.several_points ? static_cast<PointId>(how & 3U) : PointId{0};
    engine.step(packet);
  }
  engine.finish();
  require(engine.counters().decode_packets <= size);
  return 0;
}

// The engine inline: any packets, each judged. The first octet chooses the settings; then packets follow, each with one octet (what it is and a
// step of time) and two octets of length. A packet is octets as they come, or TCP between two hosts with right checksums, so that its options and
// payload are looked at: port and direction, flags, sequence number, acknowledgement, options, and payload are the fuzzer's.
// In between octets to take connections over from come, some of them with the right beginning and sum, and restarts.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <source_location>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "engine/engine.h"
#include "engine/saved.h"
#include "wire/emit.h"

namespace {

using namespace weir;
using namespace weir::engine;

void require(bool holds, std::source_location where = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "inline_fuzz.cc:%u: not as it must be\n", static_cast<unsigned>(where.line()));
  std::abort();
}

/// Blocks what carries one octet, as a rule would.
class Blocker : public Observer {
 public:
  void on_data(const ConnectionInfo& info, const StreamChunk& chunk) override {
    if (engine != nullptr && std::ranges::find(chunk.bytes, std::byte{0xee}) != chunk.bytes.end()) engine->block(info.number, chunk.direction);
  }
  Engine* engine = nullptr;
};

Settings settings_of(std::uint8_t octet) {
  Settings settings;
  settings.inline_mode = true;
  settings.checksums = static_cast<ChecksumPolicy>(octet % 3);
  settings.follow_unseen = (octet & 4U) != 0;
  settings.all_tcp = (octet & 8U) != 0;
  if ((octet & 16U) != 0) {
    settings.limits.max_connections = 16;
    settings.limits.inline_copies_bytes = 4'096;
    settings.limits.reorder_pieces = 8;
    settings.limits.max_subflows = 3;
    settings.limits.watch_entries = 64;
    settings.limits.memory_bytes = 64 << 10;
  }
  return settings;
}

/// A packet with right checksums out of what the fuzzer says; numbers lie near each other, so that they meet.
std::vector<std::byte> made_of(std::span<const std::byte> from) {
  ByteReader in(from);
  const std::uint8_t where = in.u8();
  wire::EmitTcp header;
  const bool to_server = (where & 1U) != 0;
  const std::array<std::byte, 4> client{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}};
  const std::array<std::byte, 4> server{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{2}};
  header.src = IpAddress::v4(to_server ? client : server);
  header.dst = IpAddress::v4(to_server ? server : client);
  const auto port = static_cast<std::uint16_t>(5'000 + (where >> 1U & 7U));
  header.src_port = to_server ? port : 80;
  header.dst_port = to_server ? 80 : port;
  header.flags = wire::TcpFlags{in.u8()};
  header.seq = SeqNum{in.u16()};
  header.ack = SeqNum{in.u16()};
  header.window = in.u16();
  const std::size_t options = std::min<std::size_t>(in.u8() % 11U * 4U, in.remaining());
  header.options = in.take(options / 4 * 4);
  std::vector<std::byte> packet;
  wire::emit_tcp_packet(header, in.rest(), packet);
  return packet;
}

/// What the fuzzer says, as a state of that form whose sum is right.
std::vector<std::byte> sealed(std::span<const std::byte> body, unsigned form) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  SavedState none;
  const std::vector<std::byte> begun = write_saved(none, form);
  std::vector<std::byte> octets(2 * kWord + body.size());
  std::ranges::copy(std::span(begun).first(kWord), octets.begin());
  std::ranges::copy(body, octets.begin() + kWord);
  ByteWriter end(std::span(octets).last(kWord));
  end.u64(sum_of_saved(std::span(octets).first(octets.size() - kWord)));
  return octets;
}

std::uint64_t refusals(const Engine& engine) {
  std::uint64_t told = 0;
  for (std::size_t i = 1; i < kRefusalNames.size(); ++i) told += engine.refused(static_cast<Refusal>(i));
  return told;
}

/// What is saved can be restored.
std::unique_ptr<Engine> successor(const Engine& engine, const Settings& settings, Blocker& blocker, Since since, TimeNs now) {
  const std::vector<std::byte> saved = engine.save(since);
  auto next = std::make_unique<Engine>(settings, blocker);
  require(next->restore(saved, now).has_value());
  return next;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  Blocker blocker;
  const Settings settings = settings_of(data[0]);
  auto engine = std::make_unique<Engine>(settings, blocker);
  blocker.engine = engine.get();
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  TimeNs now = 1'700'000'000'000'000'000;
  std::uint64_t refused = 0, told = 0;
  while (rest.size() > 3) {
    const unsigned how = rest[0];
    const std::size_t length = std::min<std::size_t>(rest[1] << 8U | rest[2], rest.size() - 3);
    const auto bytes = std::as_bytes(rest.subspan(3, length));
    rest = rest.subspan(3 + length);
    constexpr TimeNs kSteps[] = {1'000, 1'000'000, 300'000'000, 70'000'000'000};
    now += kSteps[how >> 6U];
    if ((how & 15U) == 7) {  // octets for a new process, which need not be any that were saved
      (void)((how & 16U) != 0 ? engine->restore(sealed(bytes, (how & 32U) != 0 ? kOldestSavedForm : kSavedForm), now) : engine->restore(bytes, now));
      continue;
    }
    if ((how & 15U) == 8) {
      told += refusals(*engine);
      blocker.engine = nullptr;
      engine = successor(*engine, settings, blocker, static_cast<Since>((how >> 4U & 3U) % 3), now);
      blocker.engine = engine.get();
      continue;
    }
    std::vector<std::byte> packet = (how & 1U) != 0 ? std::vector<std::byte>(bytes.begin(), bytes.end()) : made_of(bytes);
    RawPacket raw;
    raw.bytes = packet;
    raw.original_bytes = static_cast<std::uint32_t>(packet.size());
    raw.time_ns = now;
    raw.link = LinkType::kRaw;
    const Judgement judged = engine->judge(raw);
    refused += judged.passes() ? 0U : 1U;
    std::ranges::fill(packet, std::byte{0xa5});
    if ((how & 48U) == 48) {
      for (const Ending& ending : engine->endings(judged.connection)) require(ending.host < 2);
      (void)engine->keys(judged.connection);
      require(engine->overview(0, 4).size() <= 4);
    }
  }
  require(told + refusals(*engine) == refused);
  blocker.engine = nullptr;
  successor(*engine, settings, blocker, Since::kAnything, now)->finish();
  engine->finish();
  require(engine->counters().memory_bytes != 0);
  return 0;
}

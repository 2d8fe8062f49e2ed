// Connections met in their middle: how long delivery waits for keys and other subflows, and what is told of the time in between.
#include <array>
#include <set>
#include <string>
#include <vector>

#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

constexpr TimeNs kMs = 1'000'000;

Settings one_clock(TimeNs hold_ns) {
  Settings settings;
  settings.hold_ns = hold_ns;
  return settings;
}

class Held : public Conversation {
 protected:
  /// Not inline: packets are looked at as they come.
  void begin(Settings settings) {
    start(settings, "alert tcp any any -> any any (content:\"attack\"; sid:1;)\n");
    settings.several_points = true;
    settings.checksums = ChecksumPolicy::kVerify;
    engine = std::make_unique<Engine>(settings, *inspection);
  }
  /// Data of the first subflow, whose beginning nobody saw.
  void say(std::uint64_t offset, std::string text, std::uint16_t port = 40'000) {
    const Dss dss = mapped(true, offset, static_cast<std::uint32_t>(offset) + 1, text.size());
    std::vector<std::byte> options(40);
    options.resize(emit_option(dss, options));
    while (options.size() % 4 != 0) options.push_back(std::byte{1});
    wire::EmitTcp header;
    header.src = IpAddress::v4(std::array{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}});
    header.dst = IpAddress::v4(std::array{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{2}});
    header.src_port = port;
    header.dst_port = 80;
    header.seq = SeqNum{kClientIsn + static_cast<std::uint32_t>(offset) + 1};
    header.ack = SeqNum{kServerIsn + 1};
    header.flags = wire::TcpFlags{0x18};
    header.window = 0xffff;
    header.options = options;
    std::vector<std::byte> bytes;
    wire::emit_tcp_packet(header, std::as_bytes(std::span(text)), bytes);
    RawPacket raw;
    raw.bytes = bytes;
    raw.original_bytes = static_cast<std::uint32_t>(bytes.size());
    raw.time_ns = now;
    raw.link = LinkType::kRaw;
    engine->step(raw);
  }
};

TEST_F(Held, WithOneClockAnAlertWaitsForNoMoreThanThat) {
  begin(one_clock(200 * kMs));
  say(0, "att");
  const TimeNs carried = now += 10 * kMs;
  say(3, "ack");
  now += 20 * kMs;
  say(6, " and more");
  engine->advance(now + 100 * kMs);
  EXPECT_TRUE(alerts.empty()) << "keys or other subflows may still come";
  engine->advance(now + 200 * kMs);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].time_ns, carried) << "the packet with the last octet of what was found";
  EXPECT_EQ(scanned[0] + scanned[1], "attack and more");
}

TEST_F(Held, WithSeveralClocksItWaitsAsLongAsTheLimitSays) {
  begin({});
  say(0, "attack");
  engine->advance(now + 9'900 * kMs);
  EXPECT_TRUE(alerts.empty());
  engine->advance(now + 10'000 * kMs);
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].time_ns, now);
}

TEST_F(Held, IdsWithoutKeysAreOthersInEachRun) {
  std::set<std::string> ids;
  for (const std::uint64_t run : {0ULL, 1ULL, 0x5eedULL, 0ULL}) {
    Settings settings = one_clock(kMs);
    settings.run = run;
    begin(settings);
    say(0, "attack");
    alerts.clear();
    engine->advance(now + kMs);
    ASSERT_EQ(alerts.size(), 1U);
    EXPECT_TRUE(alerts[0].connection.id.starts_with("x-")) << alerts[0].connection.id;
    ids.insert(alerts[0].connection.id);
  }
  EXPECT_EQ(ids.size(), 3U) << "the same run, the same ids";
}

}  // namespace
}  // namespace weir::engine

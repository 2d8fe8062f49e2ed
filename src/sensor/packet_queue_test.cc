#include "sensor/packet_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <thread>
#include <vector>

namespace weir::sensor {
namespace {

std::vector<std::byte> octets(std::uint32_t number) {
  std::vector<std::byte> bytes(number % 97);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number + i);
  return bytes;
}

TEST(PacketQueue, GivesWhatWasPutInOrder) {
  PacketQueue queue(4096);
  const auto bytes = octets(42);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.push({.bytes = bytes, .original_bytes = 100, .time_ns = 7, .link = LinkType::kRaw, .point = 3, .stays = true}));
  EXPECT_TRUE(queue.push({.bytes = {}, .original_bytes = 0, .time_ns = 8}));
  EXPECT_FALSE(queue.empty());
  std::array<RawPacket, 4> taken;
  ASSERT_EQ(queue.take(taken), 2U);
  EXPECT_TRUE(std::ranges::equal(taken[0].bytes, bytes));
  EXPECT_EQ(taken[0].original_bytes, 100U);
  EXPECT_EQ(taken[0].time_ns, 7);
  EXPECT_EQ(taken[0].link, LinkType::kRaw);
  EXPECT_EQ(taken[0].point, 3);
  EXPECT_FALSE(taken[0].stays);
  EXPECT_EQ(taken[1].time_ns, 8);
  EXPECT_EQ(queue.take(taken), 0U);
  EXPECT_TRUE(queue.empty());
}

TEST(PacketQueue, RefusesWhatDoesNotFitAndKeepsWhatIsLookedAt) {
  PacketQueue queue(256);
  const auto bytes = octets(96);
  EXPECT_TRUE(queue.push({.bytes = bytes}));
  EXPECT_TRUE(queue.push({.bytes = bytes}));
  EXPECT_FALSE(queue.push({.bytes = bytes}));
  std::array<RawPacket, 1> taken;
  ASSERT_EQ(queue.take(taken), 1U);
  EXPECT_FALSE(queue.push({.bytes = bytes})) << "the first packet is still being looked at";
  ASSERT_EQ(queue.take(taken), 1U);
  EXPECT_TRUE(queue.push({.bytes = bytes}));
  const std::vector<std::byte> large(1000);
  EXPECT_FALSE(queue.push({.bytes = large}));
}

TEST(PacketQueue, BetweenTwoThreads) {
  constexpr std::uint32_t kPackets = 200'000;
  PacketQueue queue(8192);
  std::thread producer([&] {
    for (std::uint32_t i = 0; i < kPackets; ++i) {
      const auto bytes = octets(i);
      while (!queue.push({.bytes = bytes, .original_bytes = i})) std::this_thread::yield();
    }
  });
  std::array<RawPacket, 16> taken;
  std::uint32_t next = 0, wrong = 0;
  while (next < kPackets) {
    const std::size_t count = queue.take(taken);
    for (std::size_t i = 0; i < count; ++i, ++next) wrong += taken[i].original_bytes != next || !std::ranges::equal(taken[i].bytes, octets(next));
    if (count == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace weir::sensor

#include "gateway/own_packets.h"

#include <gtest/gtest.h>

#include <array>

#include "wire/emit.h"

namespace weir::gateway {
namespace {

constexpr std::array<std::byte, 4> kClient{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}};
constexpr std::array<std::byte, 4> kServer{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{2}};

Endpoints flow(std::uint16_t client_port) { return {IpAddress::v4(kClient), IpAddress::v4(kServer), client_port, 80}; }

std::vector<std::byte> packet(std::uint16_t client_port) {
  wire::EmitTcp header;
  header.src = IpAddress::v4(kClient);
  header.dst = IpAddress::v4(kServer);
  header.src_port = client_port;
  header.dst_port = 80;
  std::vector<std::byte> bytes;
  wire::emit_tcp_packet(header, {}, bytes);
  return bytes;
}

class OwnPacketsTest : public ::testing::Test {
 protected:
  OwnPackets own{{.follows = [this](const Endpoints& f) { return ++asked, std::optional(knows(f)); },
                  .as_sent = [this](const Endpoints& f) { return ++asked, std::optional(f); },
                  .mark = [this](const Endpoints&, std::uint32_t, bool half_open) { told.emplace_back(half_open ? "half-open mark" : "mark"); },
                  .send = [this](std::span<const std::byte>, bool past) { told.emplace_back(past ? "past" : "through"); }}};
  /// Even ports in one direction; those that can be divided by three in the other one.
  static bool knows(const Endpoints& f) { return f.src_port == 80 ? f.dst_port % 3 == 0 : f.src_port % 2 == 0; }

  std::vector<std::string> told;
  std::size_t asked = 0;
  TimeNs now = 1'700'000'000'000'000'000;
};

TEST_F(OwnPacketsTest, NothingIsToldBeforeTheVerdictsAreOutAndMarksComeFirst) {
  own.add(packet(1'000), false);
  own.add(packet(1'001), false);
  own.mark(flow(1'000), 1);
  EXPECT_TRUE(told.empty());
  own.go(now);
  EXPECT_EQ(told, (std::vector<std::string>{"mark", "through", "past"}));
  EXPECT_EQ(own.waiting(), 0U);
}

TEST_F(OwnPacketsTest, WhichMarksAreOfHandshakesIsTold) {
  own.mark(flow(1'000), 1, true);
  own.mark(flow(1'001), 1);
  own.go(now);
  EXPECT_EQ(told, (std::vector<std::string>{"half-open mark", "mark"}));
}

TEST_F(OwnPacketsTest, AFlowIsAskedForOnceInATick) {
  for (int i = 0; i < 50; ++i) own.add(packet(1'000), false);
  own.go(now);
  own.add(packet(1'000), false);
  own.go(now + 1);
  EXPECT_EQ(asked, 1U);
  EXPECT_EQ(told.size(), 51U);
  own.add(packet(1'000), false);
  own.go(now + OwnPackets::kTick);
  EXPECT_EQ(asked, 2U);
}

TEST_F(OwnPacketsTest, WhatNoHostWouldTakeForItsPeersIsNotSent) {
  own.add(packet(1'001), true);
  own.add(packet(1'005), true);
  own.go(now);
  EXPECT_EQ(told, (std::vector<std::string>{"past"})) << "1'001 is known in neither direction";
  EXPECT_EQ(own.counters().astray, 1U);
  own.go(now + OwnPackets::kTick);
  // Nothing of it is followed: then nothing is translated.
  own.add(packet(1'001), false);
  own.go(now + OwnPackets::kTick);
  EXPECT_EQ(told.size(), 2U);
}

TEST_F(OwnPacketsTest, WhatMayNotBeAskedForWaitsForTheNextTick) {
  for (std::size_t i = 0; i < OwnPackets::kMostAsked + 10; ++i) own.add(packet(static_cast<std::uint16_t>(1'000 + i)), false);
  own.go(now);
  EXPECT_EQ(asked, OwnPackets::kMostAsked);
  EXPECT_EQ(own.waiting(), 10U);
  EXPECT_FALSE(own.as_sent(flow(1'000)));
  EXPECT_EQ(own.counters().put_off, 2U);
  own.go(now + OwnPackets::kTick);
  EXPECT_EQ(own.waiting(), 0U);
  EXPECT_TRUE(own.as_sent(flow(1'000)));
  EXPECT_EQ(told.size(), OwnPackets::kMostAsked + 10);
}

TEST_F(OwnPacketsTest, BeyondTheirBoundsPacketsAreCountedAndMarksAreSetAtOnce) {
  for (std::size_t i = 0; i < OwnPackets::kMostPackets + 3; ++i) own.add(packet(1'000), false);
  EXPECT_EQ(own.waiting(), OwnPackets::kMostPackets);
  EXPECT_EQ(own.counters().dropped, 3U);
  for (std::size_t i = 0; i < OwnPackets::kMostMarks + 1; ++i) own.mark(flow(1'000), 1);
  EXPECT_EQ(told.size(), OwnPackets::kMostMarks);
  EXPECT_EQ(own.counters().marks_early, OwnPackets::kMostMarks);
}

}  // namespace
}  // namespace weir::gateway

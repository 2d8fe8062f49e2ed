#include "gateway/address_nat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/decode.h"
#include "wire/sample_packets.h"

namespace weir::gateway {
namespace {

namespace sample = wire::sample;
using rewrite::MappingOrder;
using sample::hex;

constexpr TimeNs kSecond = 1'000'000'000;
const sample::Octets kOffered = sample::ip_tcp({.flags = 0x10, .options = hex("1e10 3002 c0000207 8936a068bc687219"), .payload = {}});

rewrite::NatSettings settings() {
  rewrite::NatSettings nat;
  nat.pools = {{.outside = {sample::v4(0xcb007102)}, .first_port = 20000, .last_port = 20099}};
  nat.inside = inspect::rules::AddressGroup{.in = {{sample::v4(0xc0000200), sample::v4(0xc00002ff)}}, .out = {}};
  return nat;
}

rewrite::AddAddrContext from_server() {
  return {.connection = 1, .sender = 1, .sender_key = 0x0102030405060708, .receiver_key = 0xa1b2c3d4e5f60718, .sender_port = 8000, .peer_port = 8000};
}

struct FakeKernel {
  bool takes = true;
  std::vector<MappingOrder> orders;
  AddressNat::Apply apply() {
    return [this](std::span<const MappingOrder> given) -> std::expected<void, std::string> {
      if (!takes) return std::unexpected(std::string("no"));
      orders.insert(orders.end(), given.begin(), given.end());
      return {};
    };
  }
};

TEST(AddressNat, TheKernelHasTheMappingBeforeThePacketGoes) {
  FakeKernel kernel;
  AddressNat nat(settings(), kernel.apply());
  const auto result = nat.treat(kOffered, from_server(), 0);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->packet.empty());
  ASSERT_EQ(kernel.orders.size(), 1U);
  EXPECT_EQ(kernel.orders.front().outside, (rewrite::HostPort{sample::v4(0xcb007102), 20000}));
  ASSERT_EQ(result->changes.size(), 1U);
  EXPECT_EQ(explain(result->changes.front()), "ADD_ADDR 2: 192.0.2.7 is told as 203.0.113.2:20000");
  EXPECT_EQ(nat.counters().translated, 1U);
  EXPECT_EQ(nat.counters().mappings, 1U);
}

TEST(AddressNat, WhatTheKernelDoesNotTakeIsNotTold) {
  FakeKernel kernel{.takes = false, .orders = {}};
  AddressNat nat(settings(), kernel.apply());
  const auto result = nat.treat(kOffered, from_server(), 0);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->problem, "no");
  wire::Decoded decoded;
  wire::decode_ip(result->packet, static_cast<std::uint32_t>(result->packet.size()), 0, 0, decoded);
  EXPECT_FALSE(decoded.tcp.has_mptcp);
  EXPECT_EQ(wire::check_tcp_checksum(decoded), wire::ChecksumState::kRight);
  EXPECT_EQ(explain(result->changes.front()), "ADD_ADDR 2: 192.0.2.7 is taken out: kernel");
  EXPECT_EQ(nat.counters().kernel_errors, 1U);
  EXPECT_EQ(nat.counters().taken_out, 1U);
  EXPECT_EQ(nat.treat(kOffered, from_server(), 1)->problem, "no") << "offered again, it is known, and the kernel still has it not";
  kernel.takes = true;
  const auto at_last = nat.treat(kOffered, from_server(), 2);
  EXPECT_TRUE(at_last->problem.empty());
  EXPECT_EQ(at_last->changes.front().what, rewrite::AddAddrChange::What::kTranslated);
}

TEST(AddressNat, MappingsAreRenewedAndEnd) {
  FakeKernel kernel;
  AddressNat nat(settings(), kernel.apply());
  ASSERT_TRUE(nat.treat(kOffered, from_server(), 0));
  nat.advance(100 * kSecond);
  EXPECT_EQ(kernel.orders.size(), 1U);
  nat.advance(200 * kSecond);
  ASSERT_EQ(kernel.orders.size(), 2U);
  EXPECT_EQ(kernel.orders.back().what, MappingOrder::What::kInstall);
  nat.end(1, 200 * kSecond);
  nat.advance(300 * kSecond);
  ASSERT_EQ(kernel.orders.size(), 3U);
  EXPECT_EQ(kernel.orders.back().what, MappingOrder::What::kRemove);
  EXPECT_EQ(nat.counters().mappings, 0U);
}

TEST(AddressNat, OtherSettingsHoldOnlyIfTheKernelTakesThem) {
  FakeKernel kernel;
  AddressNat nat(settings(), kernel.apply());
  rewrite::NatSettings next = settings();
  next.pools.front().first_port = 30000;
  next.pools.front().last_port = 30000;
  EXPECT_EQ(nat.use(next, [] { return std::expected<void, std::string>(std::unexpect, "no"); }).error(), "no");
  const auto before = nat.treat(kOffered, from_server(), 0);
  EXPECT_EQ(kernel.orders.back().outside.port, 20000);
  ASSERT_TRUE(nat.use(next, [] { return std::expected<void, std::string>(); }));
  EXPECT_EQ(nat.treat(kOffered, from_server(), 1)->packet, before->packet) << "what runs goes on";
  rewrite::AddAddrContext other = from_server();
  other.connection = 2;
  EXPECT_NE(nat.treat(kOffered, other, 1)->packet, before->packet);
  EXPECT_EQ(kernel.orders.back().outside.port, 30000);
}

TEST(AddressNat, AnotherProcessGoesOn) {
  FakeKernel kernel;
  AddressNat before(settings(), kernel.apply());
  const auto told = before.treat(kOffered, from_server(), 0);
  FakeKernel fresh;
  AddressNat after(settings(), fresh.apply());
  ASSERT_TRUE(after.restore(before.save(), kSecond));
  EXPECT_EQ(fresh.orders.size(), 1U);
  EXPECT_EQ(after.treat(kOffered, from_server(), kSecond)->packet, told->packet);
}

}  // namespace
}  // namespace weir::gateway

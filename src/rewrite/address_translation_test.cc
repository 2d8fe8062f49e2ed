#include "rewrite/address_translation.h"

#include <gtest/gtest.h>

#include "wire/sample_packets.h"

namespace weir::rewrite {
namespace {

namespace sample = wire::sample;

constexpr TimeNs kSecond = 1'000'000'000;

const IpAddress kInside = sample::v4(0x0a020202);  // 10.2.2.2
const IpAddress kInside6 = sample::v6(0x202);
const IpAddress kFixed = sample::v4(0x0a020203);    // 10.2.2.3
const IpAddress kOutside = sample::v4(0xcb007102);  // 203.0.113.2
const IpAddress kOutside6 = sample::v6(0x7102);
const IpAddress kFixedOutside = sample::v4(0xcb007109);

NatSettings settings() {
  NatSettings nat;
  nat.fixed = {{kFixed, kFixedOutside}};
  nat.pools = {{.outside = {kOutside, kOutside6}, .first_port = 20000, .last_port = 20003}};
  nat.inside = inspect::rules::AddressGroup{.in = {{sample::v4(0x0a000000), sample::v4(0x0affffff)}, {sample::v6(0), sample::v6(0xffff)}}, .out = {}};
  return nat;
}

Offer offer(std::uint64_t connection, const IpAddress& address, std::optional<std::uint16_t> port = std::nullopt) {
  return {.connection = connection, .host = 1, .address = address, .address_id = 2, .port = port, .sender_port = 8000, .peer_port = 8000};
}

TEST(AddressTranslation, AFixedPairKeepsPorts) {
  AddressTranslation nat(settings());
  EXPECT_EQ(nat.offer(offer(1, kFixed), 0), (HostPort{kFixedOutside, 0}));
  EXPECT_EQ(nat.offer(offer(2, kFixed, 7777), 0), (HostPort{kFixedOutside, 7777}));
  EXPECT_TRUE(nat.take_orders(0).empty());
  EXPECT_EQ(nat.mappings(), 0U);
}

TEST(AddressTranslation, AFixedPairTellsThePortWhereThePeerKnowsAnother) {
  AddressTranslation nat(settings());
  Offer forwarded = offer(1, kFixed);
  forwarded.peer_port = 80;
  EXPECT_EQ(nat.offer(forwarded, 0), (HostPort{kFixedOutside, 8000}));
  forwarded.address_id = 3;
  forwarded.room_for_port = false;
  EXPECT_EQ(nat.offer(forwarded, 0), std::unexpected(NoTranslation::kNoRoom));
}

TEST(AddressTranslation, AClientMayOfferAFixedPairButOpensNoWayThroughAPool) {
  AddressTranslation nat(settings());
  Offer of_client = offer(1, kInside);
  of_client.host = 0;
  EXPECT_EQ(nat.offer(of_client, 0), std::unexpected(NoTranslation::kNotOffered));
  of_client.address = kFixed;
  EXPECT_TRUE(nat.offer(of_client, 0));
}

TEST(AddressTranslation, APoolGivesAPortOfItsRangeAndOrdersTheMapping) {
  AddressTranslation nat(settings());
  const auto told = nat.offer(offer(1, kInside), 0);
  EXPECT_EQ(told, (HostPort{kOutside, 20000}));
  const auto orders = nat.take_orders(0);
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders.front().what, MappingOrder::What::kInstall);
  EXPECT_EQ(orders.front().outside, *told);
  EXPECT_EQ(orders.front().inside, (HostPort{kInside, 8000}));
  EXPECT_EQ(orders.front().timeout_seconds, 300);
  EXPECT_EQ(nat.offer(offer(2, kInside6), 0), (HostPort{kOutside6, 20000}));
}

TEST(AddressTranslation, TheSameOfferGetsTheSame) {
  AddressTranslation nat(settings());
  const auto told = nat.offer(offer(1, kInside), 0);
  EXPECT_EQ(nat.take_orders(0).size(), 1U);
  EXPECT_EQ(nat.offer(offer(1, kInside), kSecond), told);
  EXPECT_EQ(nat.offer(offer(2, kInside), kSecond), told) << "the same endpoint, of another connection";
  EXPECT_TRUE(nat.take_orders(kSecond).empty());
  Offer no_room = offer(1, kInside);
  no_room.room_for_port = false;
  EXPECT_EQ(nat.offer(no_room, kSecond), std::unexpected(NoTranslation::kNoRoom)) << "told with a port before";
}

TEST(AddressTranslation, APoolOfItsOwnTakesThePortThatThePeerChooses) {
  NatSettings own = settings();
  own.pools = {{.outside = {kOutside, kOutside6}}};  // all ports
  AddressTranslation nat(own);
  Offer without_room = offer(1, kInside6);
  without_room.room_for_port = false;
  EXPECT_EQ(nat.offer(without_room, 0), (HostPort{kOutside6, 0}));
  EXPECT_EQ(nat.take_orders(0).front().outside, (HostPort{kOutside6, 8000}));
  EXPECT_EQ(nat.offer(offer(2, kInside, 7777), 0), (HostPort{kOutside, 7777})) << "a told port is kept where it can be";
  Offer other = offer(3, sample::v6(0x203));
  other.room_for_port = false;
  EXPECT_EQ(nat.offer(other, 0), std::unexpected(NoTranslation::kNoRoom)) << "that port is another host's";
  other.room_for_port = true;
  EXPECT_EQ(nat.offer(other, 0), (HostPort{kOutside6, 1}));
}

TEST(AddressTranslation, TheEchoIsToldInTheInsidesOwnWords) {
  AddressTranslation nat(settings());
  const auto without = nat.offer(offer(1, kInside), 0);
  Offer second = offer(1, kInside, 7777);
  second.address_id = 3;
  const auto with = nat.offer(second, 0);
  ASSERT_TRUE(without && with);
  const auto first_original = nat.original(1, 1, 2, *without);
  ASSERT_TRUE(first_original);
  EXPECT_EQ(first_original->address, kInside);
  EXPECT_FALSE(first_original->port);
  EXPECT_EQ(nat.original(1, 1, 3, *with)->port, 7777);
  EXPECT_FALSE(nat.original(1, 1, 2, *with)) << "another ID's";
  EXPECT_FALSE(nat.original(1, 0, 2, *without)) << "another host's";
  EXPECT_FALSE(nat.original(2, 1, 2, *without)) << "another connection's";
}

TEST(AddressTranslation, AMappingIsRenewedWhileItIsUsedAndRemovedAfterwards) {
  AddressTranslation nat(settings());
  const auto told = nat.offer(offer(1, kInside), 0);
  EXPECT_TRUE(nat.offer(offer(2, kInside), 0));
  nat.take_orders(0);
  TimeNs now = 0;
  for (int i = 0; i < 3; ++i) {
    now = *nat.next_deadline();
    EXPECT_LT(now, 300 * kSecond * (i + 1));
    const auto renewed = nat.take_orders(now);
    ASSERT_EQ(renewed.size(), 1U);
    EXPECT_EQ(renewed.front().what, MappingOrder::What::kInstall);
  }
  const std::byte id{2};
  nat.withdraw(1, 1, std::span(&id, 1), now);
  EXPECT_FALSE(nat.original(1, 1, 2, *told));
  EXPECT_TRUE(nat.take_orders(now + AddressTranslation::kLingerSeconds * kSecond).empty()) << "another connection uses it";
  nat.end(2, now);
  EXPECT_TRUE(nat.take_orders(now).empty()) << "it lingers";
  now = *nat.next_deadline();
  const auto removed = nat.take_orders(now);
  ASSERT_EQ(removed.size(), 1U);
  EXPECT_EQ(removed.front().what, MappingOrder::What::kRemove);
  EXPECT_EQ(removed.front().outside, *told);
  EXPECT_EQ(nat.mappings(), 0U);
  EXPECT_FALSE(nat.next_deadline());
}

TEST(AddressTranslation, ALingeringMappingIsHadAgain) {
  AddressTranslation nat(settings());
  const auto told = nat.offer(offer(1, kInside), 0);
  nat.end(1, 0);
  EXPECT_EQ(nat.offer(offer(2, kInside), kSecond), told);
  nat.take_orders(kSecond);
  const auto orders = nat.take_orders(100 * kSecond);
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders.front().what, MappingOrder::What::kInstall);
}

TEST(AddressTranslation, AnIdForAnotherAddressGivesTheFirstUp) {
  AddressTranslation nat(settings());
  const auto first = nat.offer(offer(1, kInside), 0);
  const auto second = nat.offer(offer(1, sample::v4(0x0a020209)), 0);
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(nat.original(1, 1, 2, *first));
  EXPECT_EQ(nat.original(1, 1, 2, *second)->address, sample::v4(0x0a020209));
}

TEST(AddressTranslation, IsBounded) {
  NatSettings few = settings();
  AddressTranslation nat(few);
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_TRUE(nat.offer(offer(i, sample::v4(0x0a030000 + i)), 0));
  EXPECT_EQ(nat.offer(offer(9, sample::v4(0x0a030009)), 0), std::unexpected(NoTranslation::kPoolEmpty));
  few.most_mappings = 2;
  AddressTranslation small(few);
  for (std::uint32_t i = 0; i < 2; ++i) EXPECT_TRUE(small.offer(offer(i, sample::v4(0x0a030000 + i)), 0));
  EXPECT_EQ(small.offer(offer(9, sample::v4(0x0a030009)), 0), std::unexpected(NoTranslation::kLimit));

  AddressTranslation many(settings());
  for (std::size_t i = 0; i <= AddressTranslation::kMostOffers; ++i) {
    Offer one = offer(1, kFixed);
    one.address_id = static_cast<std::uint8_t>(i);
    EXPECT_EQ(many.offer(one, 0).has_value(), i < AddressTranslation::kMostOffers);
  }
}

TEST(AddressTranslation, OtherAddressesAreNoneOfIts) {
  AddressTranslation nat(settings());
  EXPECT_EQ(nat.offer(offer(1, sample::v4(0xc0000201)), 0), std::unexpected(NoTranslation::kNotConcerned));
  NatSettings only4 = settings();
  only4.pools.front().outside = {kOutside};
  AddressTranslation no6(only4);
  EXPECT_EQ(no6.offer(offer(1, kInside6), 0), std::unexpected(NoTranslation::kNotConcerned)) << "IPv6 is routed, not translated";
  EXPECT_TRUE(AddressTranslation({}).empty());
}

TEST(AddressTranslation, GoesOnInAnotherProcess) {
  AddressTranslation before(settings());
  const auto told = before.offer(offer(1, kInside), 0);
  Offer fixed = offer(1, kFixed, 7777);
  fixed.address_id = 3;
  const auto fixed_told = before.offer(fixed, 0);
  const auto saved = before.save();

  AddressTranslation after(settings());
  ASSERT_TRUE(after.restore(saved, kSecond));
  EXPECT_EQ(after.offer(offer(1, kInside), kSecond), told);
  EXPECT_EQ(after.original(1, 1, 3, *fixed_told)->port, 7777);
  const auto orders = after.take_orders(kSecond);
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders.front().inside, (HostPort{kInside, 8000}));
  EXPECT_EQ(after.save(), saved);

  NatSettings other = settings();
  other.fixed.clear();
  other.pools.front().outside = {sample::v4(0xcb007103)};
  AddressTranslation changed(other);
  EXPECT_TRUE(changed.restore(saved, kSecond));
  EXPECT_EQ(changed.mappings(), 0U) << "what the settings do not allow is not taken over";
  EXPECT_FALSE(changed.original(1, 1, 3, *fixed_told));
}

TEST(AddressTranslation, WhatRunsGoesOnByOtherSettings) {
  AddressTranslation nat(settings());
  const auto told = nat.offer(offer(1, kInside), 0);
  ASSERT_TRUE(told);
  nat.take_orders(0);
  const IpAddress other = sample::v4(0xcb007105);
  NatSettings next = settings();
  next.pools = {{.outside = {other}, .first_port = 30000, .last_port = 30000, .timeout_seconds = 60}};
  nat.use(next);
  EXPECT_EQ(nat.offer(offer(1, kInside), kSecond), told) << "the same offer, again";
  EXPECT_TRUE(nat.original(1, 1, 2, *told));
  EXPECT_EQ(nat.offer(offer(2, kInside), kSecond), (HostPort{other, 30000})) << "another one is told by the new pool";
  EXPECT_EQ(nat.take_orders(kSecond).size(), 1U);
  const auto renewed = nat.take_orders(150 * kSecond);
  ASSERT_EQ(renewed.size(), 2U) << "both live on";
  for (const MappingOrder& order : renewed) EXPECT_EQ(order.what, MappingOrder::What::kInstall);
  nat.end(1, 151 * kSecond);
  const auto removed = nat.take_orders(181 * kSecond);
  ASSERT_FALSE(removed.empty());
  EXPECT_EQ(nat.mappings(), 1U) << "what no pool has ends with its connection";
}

TEST(AddressTranslation, AMappingsTimeoutIsThatOfItsPoolFromNowOn) {
  AddressTranslation nat(settings());
  ASSERT_TRUE(nat.offer(offer(1, kInside), 0));
  nat.take_orders(0);
  NatSettings next = settings();
  next.pools.front().timeout_seconds = 40;
  nat.use(next);
  const auto renewed = nat.take_orders(150 * kSecond);
  ASSERT_EQ(renewed.size(), 1U);
  EXPECT_EQ(renewed.front().timeout_seconds, 40);
  EXPECT_EQ(nat.next_deadline(), 170 * kSecond);
}

TEST(AddressTranslation, WhatAFixedPairTellsFollowsTheSettings) {
  AddressTranslation nat(settings());
  const auto told = nat.offer(offer(1, kFixed), 0);
  nat.use(settings());
  EXPECT_TRUE(nat.original(1, 1, 2, *told)) << "the same settings again";
  NatSettings next = settings();
  next.fixed = {{kFixed, sample::v4(0xcb00710a)}};
  nat.use(next);
  EXPECT_FALSE(nat.original(1, 1, 2, *told));
  EXPECT_EQ(nat.offer(offer(1, kFixed), 0), (HostPort{sample::v4(0xcb00710a), 0}));
  nat.use({});
  EXPECT_TRUE(nat.empty());
  EXPECT_EQ(nat.offer(offer(1, kFixed), 0), std::unexpected(NoTranslation::kNotConcerned));
}

TEST(AddressTranslation, BelievesNoSavedOctet) {
  AddressTranslation before(settings());
  ASSERT_TRUE(before.offer(offer(1, kInside), 0));
  const auto saved = before.save();
  for (std::size_t size = 0; size < saved.size(); ++size) EXPECT_FALSE(AddressTranslation(settings()).restore(Bytes(saved).first(size), 0));
  for (std::size_t at = 0; at < saved.size(); ++at)
    for (const unsigned value : {0U, 1U, 0xffU}) {
      auto wrong = saved;
      wrong[at] = static_cast<std::byte>(value);
      AddressTranslation after(settings());
      after.restore(wrong, 0);
      for (const MappingOrder& order : after.take_orders(0)) EXPECT_TRUE(order.outside.address == kOutside || order.outside.address == kOutside6);
      after.end(1, 0);
    }
}

}  // namespace
}  // namespace weir::rewrite

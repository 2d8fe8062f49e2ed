#include "rewrite/option_space.h"

#include "rewrite/changed_packet_test.h"

namespace weir::rewrite {
namespace {

namespace sample = wire::sample;

const Octets kTimestamps = hex("0101 080a 00000001 00000002");
const Octets kSmall = hex("1e08 2001 00000005");
const Octets kLarge = hex("1e12 3002 c0000207 01bb e7e387c1cfb8d490");  // 18 octets

std::optional<OptionPlace> find_mptcp(const Octets& packet, const TcpPlace& place) {
  OptionPlaces places(Bytes(packet).subspan(place.options(), place.options_bytes));
  while (const auto option = places.next())
    if (option->kind == 30) return option;
  return std::nullopt;
}

std::expected<Octets, Unchangeable> replaced(const Octets& packet, const Octets& by) {
  const auto place = find_tcp(packet);
  if (!place) return std::unexpected(place.error());
  const auto option = find_mptcp(packet, *place);
  if (!option) return std::unexpected(Unchangeable::kMalformed);
  return replace_option(packet, *place, *option, by);
}

Octets options_of(const Octets& packet) {
  const wire::Decoded decoded = read_back(packet);
  return {decoded.tcp.options.begin(), decoded.tcp.options.end()};
}

TEST(ReplaceOption, GrowsAndShrinksInEveryHeader) {
  for (const Octets& packet : in_every_header(kTimestamps + kSmall)) {
    const auto grown = replaced(packet, kLarge);
    ASSERT_TRUE(grown);
    expect_whole(*grown);
    EXPECT_EQ(grown->size(), packet.size() + 12);
    EXPECT_EQ(options_of(*grown), kTimestamps + kLarge + hex("0101"));
    EXPECT_TRUE(std::ranges::equal(read_back(*grown).tcp.payload, sample::text("hello")));
    const auto shrunk = replaced(*grown, kSmall);
    ASSERT_TRUE(shrunk);
    expect_whole(*shrunk);
    EXPECT_EQ(options_of(*shrunk), kTimestamps + kSmall + hex("01010101 01010101 01010101"));
    EXPECT_EQ(shrunk->size(), grown->size());
  }
}

TEST(ReplaceOption, OneOfTheSameLengthLeavesTheRestAsItStands) {
  const Octets packet = sample::ip_tcp({.options = kTimestamps + kSmall + kSmall});
  const auto changed = replaced(packet, hex("1e08 2001 00000009"));
  ASSERT_TRUE(changed);
  EXPECT_EQ(options_of(*changed), kTimestamps + hex("1e08 2001 00000009") + kSmall);
  expect_whole(*changed);
}

TEST(ReplaceOption, UsesItsOwnPaddingBeforeItGrows) {
  const Octets packet = sample::ip_tcp({.options = hex("1e10 3002 c0000207 8936a068bc687219 0101 0101") + kTimestamps});
  const auto changed = replaced(packet, kLarge);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->size(), packet.size());
  EXPECT_EQ(options_of(*changed), kLarge + hex("0101") + kTimestamps);
}

TEST(ReplaceOption, GivesUpPaddingBetweenOptionsWhereNothingElseFits) {
  const Octets v6_without_port = hex("1e1c 3002 20010db8000000000000000000000007 0102030405060708");
  const Octets v6_with_port = hex("1e1e 3002 20010db8000000000000000000000007 01bb 0102030405060708");
  const Octets packet = sample::ip_tcp({.src = sample::v6(1), .dst = sample::v6(2), .options = kTimestamps + v6_without_port, .payload = {}});
  const auto changed = replaced(packet, v6_with_port);
  ASSERT_TRUE(changed);
  expect_whole(*changed);
  EXPECT_EQ(options_of(*changed), hex("080a 00000001 00000002") + v6_with_port);
}

TEST(ReplaceOption, SaysWhenThereIsNoRoom) {
  const Octets three = kTimestamps + kSmall + hex("1e14 0181 0102030405060708 0102030405060708");
  EXPECT_EQ(replaced(sample::ip_tcp({.options = three}), kLarge), std::unexpected(Unchangeable::kNoRoom));
  // Full to the brim is no reason to refuse.
  EXPECT_TRUE(replaced(sample::ip_tcp({.options = three}), kSmall));
  // Data that would no longer fit into every path's packets.
  const Octets long_payload(1400, std::byte{'a'});
  EXPECT_EQ(replaced(sample::ip_tcp({.options = kSmall, .payload = long_payload}), kLarge), std::unexpected(Unchangeable::kNoRoom));
  EXPECT_TRUE(replaced(sample::ip_tcp({.options = kSmall, .payload = long_payload}), kSmall));
}

TEST(ReplaceOption, BehindTheEndOfTheListNothingComesToLife) {
  const Octets packet = sample::ip_tcp({.options = kSmall + hex("01000000 1e040181")});
  const auto changed = replaced(packet, kLarge);
  ASSERT_TRUE(changed);
  EXPECT_EQ(mptcp_count(*changed), 1U);
  expect_whole(*changed);
}

TEST(RemoveOption, MakesNoOperationsOfIt) {
  Octets packet = sample::ip_tcp({.options = kTimestamps + kSmall});
  const auto place = find_tcp(packet);
  ASSERT_TRUE(place);
  const auto option = find_mptcp(packet, *place);
  ASSERT_TRUE(option);
  remove_option(packet, *place, *option);
  EXPECT_EQ(options_of(packet), kTimestamps + hex("01010101 01010101"));
  expect_whole(packet);
}

TEST(OptionPlaces, WalksAsReceiversDo) {
  const Octets space = hex("01 0204 05b4 01 1e04 0181 1e0c 00");
  OptionPlaces places(space);
  const auto mss = places.next();
  ASSERT_TRUE(mss);
  EXPECT_EQ(mss->kind, 2);
  EXPECT_EQ(mss->at, 1U);
  const auto capable = places.next();
  ASSERT_TRUE(capable);
  EXPECT_EQ(capable->at, 6U);
  EXPECT_EQ(capable->bytes, 4U);
  EXPECT_FALSE(capable->broken);
  const auto broken = places.next();
  ASSERT_TRUE(broken);
  EXPECT_TRUE(broken->broken);
  EXPECT_EQ(broken->bytes, 3U);
  EXPECT_FALSE(places.next());
  EXPECT_FALSE(places.next());
}

}  // namespace
}  // namespace weir::rewrite

#include "rewrite/add_addr.h"

#include "rewrite/changed_packet_test.h"
#include "track/keys.h"

namespace weir::rewrite {
namespace {

namespace sample = wire::sample;
using wire::mptcp::AddAddr;
using What = AddAddrChange::What;

constexpr std::uint64_t kKeyA = 0x0102030405060708;
constexpr std::uint64_t kKeyB = 0xa1b2c3d4e5f60718;
const Octets kTimestamps = hex("0101 080a 00000001 00000002");
const IpAddress kInside = sample::v4(0xc0000207);  // 192.0.2.7, of the vectors
const IpAddress kOutside = sample::v4(0xcb007102);
const IpAddress kInside6 = sample::v6(7);
const IpAddress kOutside6 = sample::v6(0x7102);

/// Of the server A, whose offers the vectors are.
AddAddrContext from_server() { return {.connection = 1, .sender = 1, .sender_key = kKeyA, .receiver_key = kKeyB, .sender_port = 8000, .peer_port = 8000}; }
AddAddrContext from_client() { return {.connection = 1, .sender = 0, .sender_key = kKeyB, .receiver_key = kKeyA, .sender_port = 40000, .peer_port = 40000}; }

NatSettings pool(bool whole) {
  NatSettings nat;
  nat.pools = {{.outside = {kOutside, kOutside6}}};
  if (!whole) nat.pools.front().first_port = 20000;
  nat.inside = inspect::rules::AddressGroup{.in = {{sample::v4(0xc0000200), sample::v4(0xc00002ff)}, {sample::v6(0), sample::v6(0xff)}}, .out = {}};
  return nat;
}

Octets option(const AddAddr& value) {
  Octets out(40);
  out.resize(wire::mptcp::emit_option(value, out));
  while (out.size() % 4 != 0) out.push_back(std::byte{1});
  return out;
}

Octets packet(const Octets& options, bool ipv6 = false) {
  return sample::ip_tcp(
      {.src = ipv6 ? sample::v6(1) : sample::v4(1), .dst = ipv6 ? sample::v6(2) : sample::v4(2), .flags = 0x10, .options = options, .payload = {}});
}

AddAddr the_one(const Octets& changed) {
  const auto options = mptcp_options(changed);
  EXPECT_EQ(options.size(), 1U);
  return options.size() == 1 && std::holds_alternative<AddAddr>(options.front()) ? std::get<AddAddr>(options.front()) : AddAddr{};
}

void expect_proven(const AddAddr& told) {
  ASSERT_TRUE(told.hmac);
  EXPECT_EQ(*told.hmac, track::add_addr_hmac(kKeyA, kKeyB, told.address_id, told.address, told.port.value_or(0)));
}

TEST(TranslateAddAddr, TellsTheOutsideAddressAndProvesIt) {
  AddressTranslation nat(pool(false));
  const Octets offered = packet(kTimestamps + hex("1e10 3002 c0000207 8936a068bc687219"));
  const auto result = translate_add_addr(offered, from_server(), nat, 0);
  ASSERT_TRUE(result && result->changed());
  expect_whole(result->packet);
  const AddAddr told = the_one(result->packet);
  EXPECT_EQ(told.address, kOutside);
  EXPECT_EQ(told.port, 20000);
  EXPECT_EQ(told.address_id, 2);
  expect_proven(told);
  EXPECT_EQ(result->packet.size(), offered.size() + 4);
  ASSERT_EQ(result->changes.size(), 1U);
  EXPECT_EQ(result->changes.front().what, What::kTranslated);
  EXPECT_EQ(result->changes.front().before, (HostPort{kInside, 0}));
  EXPECT_EQ(nat.take_orders(0).size(), 1U);
  const auto again = translate_add_addr(offered, from_server(), nat, 1);
  EXPECT_EQ(again->packet, result->packet) << "repeated, it is told the same";
  EXPECT_TRUE(nat.take_orders(1).empty());
}

TEST(TranslateAddAddr, APortOfTheOptionIsTheInsideListeners) {
  AddressTranslation nat(pool(true));
  const auto result = translate_add_addr(packet(kTimestamps + hex("1e12 3002 c0000207 01bb e7e387c1cfb8d490 0101")), from_server(), nat, 0);
  ASSERT_TRUE(result && result->changed());
  const AddAddr told = the_one(result->packet);
  EXPECT_EQ(told.address, kOutside);
  EXPECT_EQ(told.port, 443);
  expect_proven(told);
  EXPECT_EQ(nat.take_orders(0).front().inside, (HostPort{kInside, 443}));
}

TEST(TranslateAddAddr, EchoesComeBackAsTheyWereSent) {
  for (const bool ipv6 : {false, true})
    for (const bool port : {false, true})
      for (const bool whole : {false, true}) {
        AddressTranslation nat(pool(whole));
        AddAddr offered{.address_id = 2, .address = ipv6 ? kInside6 : kInside, .port = port ? std::optional<std::uint16_t>(443) : std::nullopt, .hmac = 0};
        offered.hmac = track::add_addr_hmac(kKeyA, kKeyB, 2, offered.address, offered.port.value_or(0));
        const auto out = translate_add_addr(packet(kTimestamps + option(offered), ipv6), from_server(), nat, 0);
        if (ipv6 && port) continue;  // 44 octets: no host sends it
        ASSERT_TRUE(out && out->changed());
        expect_whole(out->packet);
        AddAddr echo = the_one(out->packet);
        expect_proven(echo);
        echo.echo = true;
        echo.hmac.reset();
        const auto in = translate_add_addr(packet(kTimestamps + option(echo), ipv6), from_client(), nat, 0);
        ASSERT_TRUE(in && in->changed());
        expect_whole(in->packet);
        const AddAddr heard = the_one(in->packet);
        EXPECT_TRUE(heard.echo);
        EXPECT_EQ(heard.address, offered.address);
        EXPECT_EQ(heard.port, offered.port);
        EXPECT_EQ(heard.address_id, 2);
        EXPECT_EQ(in->changes.front().what, What::kEcho);
      }
}

TEST(TranslateAddAddr, Ipv6WithPortAndTimestampsFitsWithoutPadding) {
  AddressTranslation nat(pool(false));
  AddAddr offered{.address_id = 2, .address = kInside6, .port = std::nullopt, .hmac = track::add_addr_hmac(kKeyA, kKeyB, 2, kInside6, 0)};
  const auto result = translate_add_addr(packet(kTimestamps + option(offered), true), from_server(), nat, 0);
  ASSERT_TRUE(result && result->changed());
  expect_whole(result->packet);
  EXPECT_EQ(the_one(result->packet).port, 20000);
  EXPECT_EQ(read_back(result->packet).tcp.options.size(), 40U);
  EXPECT_EQ(read_back(result->packet).tcp.ts_value, 1U);
}

TEST(TranslateAddAddr, Ipv6WithoutRoomGetsThePeersPortOrGoes) {
  const Octets sack = hex("0101 050a 00000001 00000002");
  AddAddr offered{.address_id = 2, .address = kInside6, .port = std::nullopt, .hmac = track::add_addr_hmac(kKeyA, kKeyB, 2, kInside6, 0)};
  const Octets full = packet(sack + option(offered), true);
  AddressTranslation whole(pool(true));
  const auto told = translate_add_addr(full, from_server(), whole, 0);
  ASSERT_TRUE(told && told->changed());
  EXPECT_EQ(the_one(told->packet).address, kOutside6);
  EXPECT_FALSE(the_one(told->packet).port);

  const Octets fuller = packet(hex("1e08 2001 00000005 02040101") + option(offered), true);
  AddressTranslation shared(pool(false));
  const auto gone = translate_add_addr(fuller, from_server(), shared, 0);
  ASSERT_TRUE(gone && gone->changed());
  expect_whole(gone->packet);
  EXPECT_EQ(mptcp_count(gone->packet), 1U) << "the DSS stays";
  EXPECT_EQ(gone->changes.front().what, What::kTakenOut);
  EXPECT_EQ(gone->changes.front().why, NoTranslation::kNoRoom);
  EXPECT_TRUE(shared.take_orders(0).empty());
}

TEST(TranslateAddAddr, WhatIsNotProvenIsNotMadeRight) {
  AddressTranslation nat(pool(false));
  const Octets forged = packet(hex("1e10 3002 c0000207 8936a068bc687218"));
  const auto result = translate_add_addr(forged, from_server(), nat, 0);
  ASSERT_TRUE(result && result->changed());
  EXPECT_EQ(mptcp_count(result->packet), 0U);
  EXPECT_EQ(result->changes.front().what, What::kWrongHmac);

  AddAddrContext keyless = from_server();
  keyless.receiver_key.reset();
  const auto unknown = translate_add_addr(packet(hex("1e10 3002 c0000207 8936a068bc687219")), keyless, nat, 0);
  ASSERT_TRUE(unknown && unknown->changed());
  EXPECT_EQ(mptcp_count(unknown->packet), 0U);
  EXPECT_EQ(unknown->changes.front().what, What::kKeysUnknown);
  EXPECT_TRUE(nat.take_orders(0).empty());
}

TEST(TranslateAddAddr, Version0HasNoHmac) {
  AddressTranslation nat(pool(false));
  AddAddrContext v0 = from_server();
  v0.version = 0;
  v0.sender_key.reset();
  const auto result = translate_add_addr(packet(kTimestamps + hex("1e08 3402 c0000207")), v0, nat, 0);
  ASSERT_TRUE(result && result->changed());
  EXPECT_EQ(the_one(result->packet).address, kOutside);
  EXPECT_EQ(the_one(result->packet).version, 0);
  EXPECT_FALSE(the_one(result->packet).hmac);
}

TEST(TranslateAddAddr, EveryOptionOfTheSegmentIsSeen) {
  AddressTranslation nat(pool(false));
  const auto result =
      translate_add_addr(packet(hex("1e08 2001 00000005 1e10 3003 c0000207 0000000000000000 1e10 3002 c0000207 8936a068bc687219")), from_server(), nat, 0);
  ASSERT_TRUE(result && result->changed());
  expect_whole(result->packet);
  ASSERT_EQ(result->changes.size(), 2U);
  EXPECT_EQ(result->changes.at(0).what, What::kWrongHmac);
  EXPECT_EQ(result->changes.at(1).what, What::kTranslated);
  EXPECT_EQ(std::get<AddAddr>(mptcp_options(result->packet).at(1)).address, kOutside);
}

TEST(TranslateAddAddr, RemoveAddrPassesAndGivesTheMappingUp) {
  AddressTranslation nat(pool(false));
  ASSERT_TRUE(translate_add_addr(packet(hex("1e10 3002 c0000207 8936a068bc687219")), from_server(), nat, 0));
  nat.take_orders(0);
  const auto result = translate_add_addr(packet(hex("1e05 4001 02010101")), from_server(), nat, 0);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->changed());
  const auto orders = nat.take_orders(*nat.next_deadline());
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders.front().what, MappingOrder::What::kRemove);
}

TEST(TranslateAddAddr, OtherPacketsAreLeftAsTheyAre) {
  AddressTranslation nat(pool(false));
  for (const Octets& options :
       {kTimestamps, hex("1e08 2001 00000005"), hex("1e10 3002 08080808 8936a068bc687219"), hex("1e08 3102 cb007102"), hex("1e10 3002")}) {
    const auto result = translate_add_addr(packet(options), from_server(), nat, 0);
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->changed());
    EXPECT_TRUE(result->changes.empty());
  }
  EXPECT_FALSE(translate_add_addr(sample::ipv4(17, sample::udp(53, {})), from_server(), nat, 0));
}

TEST(MayTellAddresses, IsTrueForAllThatDo) {
  const Octets dss = hex("1e08 2001 00000005");
  for (const Octets& option : {hex("1e10 3002 c0000207 8936a068bc687219"), hex("1e04 4002"), hex("1e0a 3102")})
    for (const Octets& one : in_every_header(kTimestamps + dss + option)) EXPECT_TRUE(may_tell_addresses(one));
  EXPECT_FALSE(may_tell_addresses(sample::ip_tcp({.options = kTimestamps + dss})));
  EXPECT_FALSE(may_tell_addresses(packet(kTimestamps + dss, true)));
  for (const Octets& whole : in_every_header(kTimestamps + dss))
    for (std::size_t size = 0; size < whole.size(); ++size) may_tell_addresses(Bytes(whole).first(size));
}

TEST(TranslateAddAddr, AnyOctetMayBeAnything) {
  for (const Octets& whole : in_every_header(kTimestamps + hex("1e10 3002 c0000207 8936a068bc687219 1e04 4001 01010101")))
    for (std::size_t at = 0; at < whole.size(); ++at)
      for (const unsigned value : {0U, 3U, 0x1eU, 0xffU}) {
        AddressTranslation nat(pool(true));
        Octets odd = whole;
        sample::set8(odd, at, value);
        const auto result = translate_add_addr(odd, from_server(), nat, 0);
        if (result && result->changed()) {
          EXPECT_EQ(wire::check_tcp_checksum(read_back(result->packet)), wire::ChecksumState::kRight);
        }
      }
}

}  // namespace
}  // namespace weir::rewrite

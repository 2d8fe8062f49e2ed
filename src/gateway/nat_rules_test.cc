#include "gateway/nat_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using rewrite::MappingOrder;
using rewrite::NatSettings;
using testing::HasSubstr;
using testing::Not;

IpAddress address(const char* text) { return parse_ip_address(text).value_or(IpAddress{}); }

TEST(NatRules, FixedPairsGoBothWaysAndTheInsideKeepsItsOwnAddresses) {
  NatSettings settings;
  settings.fixed = {{address("10.0.5.2"), address("203.0.113.9")}, {address("fd00::2"), address("2001:db8::9")}};
  settings.inside = inspect::rules::AddressGroup{
      .in = {{address("10.0.0.0"), address("10.255.255.255")}, {address("10.1.0.0"), address("11.0.0.0")}, {address("192.0.2.1"), address("192.0.2.1")}},
      .out = {{address("10.9.0.0"), address("10.9.0.255")}}};
  const std::string text = nat_rules(settings);
  EXPECT_THAT(text, HasSubstr("map inwards4 { type ipv4_addr : ipv4_addr; elements = { 203.0.113.9 : 10.0.5.2 }; }"));
  EXPECT_THAT(text, HasSubstr("map outwards4 { type ipv4_addr : ipv4_addr; elements = { 10.0.5.2 : 203.0.113.9 }; }"));
  EXPECT_THAT(text, HasSubstr("map inwards6 { type ipv6_addr : ipv6_addr; elements = { 2001:db8::9 : fd00::2 }; }"));
  EXPECT_THAT(text, HasSubstr("ip daddr { 10.0.0.0-11.0.0.0, 192.0.2.1 } ip daddr != { 10.9.0.0-10.9.0.255 } meta nfproto ipv4 accept\n"
                              "    snat ip to ip saddr map @outwards4\n"));
  EXPECT_THAT(text, Not(HasSubstr("nfproto ipv6")));
}

TEST(NatRules, AMappingIsForJoinsOnly) {
  const std::string text = nat_rules({});
  EXPECT_THAT(text, HasSubstr("tcp flags & (syn | ack) == syn tcp option mptcp subtype 1 dnat ip to ip daddr . tcp dport map @listeners4"));
  EXPECT_THAT(text, HasSubstr("tcp flags & (syn | ack) == syn tcp option mptcp subtype 1 snat ip6 to ip6 saddr map @sources6"));
}

TEST(NatRules, ChangesAreWholeTransactions) {
  MappingOrder order{.outside = {address("203.0.113.2"), 4000}, .inside = {address("10.2.2.2"), 8000}, .timeout_seconds = 300};
  EXPECT_EQ(nat_change(order, address("203.0.113.2")),
            "add element inet weir_nat listeners4 { 203.0.113.2 . 4000 : 10.2.2.2 . 8000 }\n"
            "delete element inet weir_nat listeners4 { 203.0.113.2 . 4000 }\n"
            "add element inet weir_nat listeners4 { 203.0.113.2 . 4000 timeout 300s : 10.2.2.2 . 8000 }\n"
            "add element inet weir_nat sources4 { 10.2.2.2 : 203.0.113.2 }\n"
            "delete element inet weir_nat sources4 { 10.2.2.2 }\n"
            "add element inet weir_nat sources4 { 10.2.2.2 timeout 300s : 203.0.113.2 }\n");
  order.what = MappingOrder::What::kRemove;
  EXPECT_EQ(nat_change(order, std::nullopt),
            "add element inet weir_nat listeners4 { 203.0.113.2 . 4000 : 10.2.2.2 . 8000 }\n"
            "delete element inet weir_nat listeners4 { 203.0.113.2 . 4000 }\n");
}

}  // namespace
}  // namespace weir::gateway

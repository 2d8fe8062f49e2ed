#include "probe/raw/way_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "probe/targets/target_text.h"

namespace weir::probe::raw {
namespace {

using testing::HasSubstr;

IpAddress address(std::string_view text) { return parse_ip_address(text).value(); }

/// Two uplinks: lan0 (1) with 10.1.0.2/24 and the default route by 10.1.0.1, wan1 (2) with 10.2.0.2/24, whose default by 10.2.0.1 is for what speaks from
/// there, as a rule has it; IPv6 by lan0 alone. 127.0.0.0/8 and the host's own are here.
class Host : public HostNetwork {
 public:
  Host() {
    add("lo", true, "127.0.0.1", 104);
    add("lan0", false, "10.1.0.2", 120);
    add("wan1", false, "10.2.0.2", 120);
    add("lan0", false, "fe80::2", 64);
    add("lan0", false, "2001:db8:1::2", 64);
    add("wan1", false, "fe80::3", 64);
  }
  std::expected<Route, int> route_to(const RouteQuestion& q) override {
    for (const HostAddress& own : own_)
      if (own.address == q.target || (own.loopback && is_within(q.target, own)))
        return Route{.interface = 9, .here = true, .gateway = {}, .source = own.address};
    const bool from_wan1 = q.source == address("10.2.0.2");
    for (const HostAddress& own : own_) {
      if (own.loopback || !is_within(q.target, own)) continue;
      if (q.interface == 0 || q.interface == number_of(own.interface))
        return Route{.interface = number_of(own.interface), .here = false, .gateway = {}, .source = own.address};
    }
    if (q.target.is_v4() && (q.interface == 0 || q.interface == 2) && from_wan1) return by(2, "10.2.0.1", "10.2.0.2");
    if (q.interface > 1) return std::unexpected(ENETUNREACH);
    return q.target.is_v4() ? by(1, "10.1.0.1", "10.1.0.2") : by(1, "fe80::1", "2001:db8:1::2");
  }
  std::vector<HostAddress> addresses() const override { return own_; }
  std::string name_of(unsigned interface) const override { return interface == 1 ? "lan0" : interface == 2 ? "wan1" : ""; }
  unsigned number_of(const std::string& interface) const override { return interface == "lan0" ? 1 : interface == "wan1" ? 2 : 0; }

 private:
  void add(const char* interface, bool loopback, const char* text, unsigned bits) { own_.push_back({interface, loopback, address(text), bits}); }
  static Route by(unsigned interface, const char* gateway, const char* source) {
    return {.interface = interface, .here = false, .gateway = address(gateway), .source = address(source)};
  }

  std::vector<HostAddress> own_;
};

class WayFinderTest : public testing::Test {
 protected:
  static WayWishes wishes(std::optional<std::string> interface, std::initializer_list<std::string_view> sources = {},
                          std::initializer_list<std::string_view> gateways = {}) {
    WayWishes out{.interface = std::move(interface), .sources = {}, .gateways = {}};
    for (const auto text : sources) out.sources.push_back(address(text));
    for (const auto text : gateways) out.gateways.push_back(address(text));
    return out;
  }
  /// The way, where the wishes are right and there is one.
  KernelWay way(const WayWishes& wished, std::string_view target) {
    auto finder = WayFinder::make(wished, host);
    EXPECT_TRUE(finder) << finder.error().what << ": " << finder.error().why;
    if (!finder) return {};
    const auto found = finder->way_to(address(target));
    EXPECT_TRUE(found) << found.error();
    return found.value_or(KernelWay{});
  }
  std::string no_way(const WayWishes& wished, std::string_view target) {
    auto finder = WayFinder::make(wished, host);
    EXPECT_TRUE(finder);
    if (!finder) return {};
    const auto found = finder->way_to(address(target));
    EXPECT_FALSE(found);
    return found ? "" : found.error();
  }
  /// "WHAT: WHY" of wishes that contradict each other, or the host.
  std::string wrong(const WayWishes& wished) {
    const auto finder = WayFinder::make(wished, host);
    EXPECT_FALSE(finder);
    return finder ? "" : finder.error().what + ": " + finder.error().why;
  }
  static KernelWay expected(unsigned interface, std::string_view source, std::optional<std::string_view> gateway, bool hosts = true) {
    return {.interface = interface, .source = address(source), .gateway = gateway ? std::optional(address(*gateway)) : std::nullopt, .hosts = hosts};
  }

  Host host;
};

TEST_F(WayFinderTest, WithoutWishesItIsTheKernelsOwn) {
  EXPECT_EQ(way({}, "192.0.2.1"), expected(1, "10.1.0.2", "10.1.0.1"));
  EXPECT_EQ(way({}, "10.2.0.7"), expected(2, "10.2.0.2", std::nullopt));
  EXPECT_EQ(way({}, "2001:db8:9::1"), expected(1, "2001:db8:1::2", "fe80::1"));
  EXPECT_THAT(no_way({}, "10.1.0.2"), HasSubstr("is this host itself"));
  EXPECT_THAT(no_way({}, "127.0.0.5"), HasSubstr("is this host itself"));
}

TEST_F(WayFinderTest, AnInterfaceHoldsForBothFamilies) {
  EXPECT_EQ(way(wishes("wan1"), "192.0.2.1"), expected(2, "10.2.0.2", "10.2.0.1")) << "by the rule for its address";
  EXPECT_EQ(no_way(wishes("wan1"), "2001:db8:9::1"), "there is no way to it by wan1: Network is unreachable");
  EXPECT_EQ(wrong(wishes("wan7")), "-i wan7: there is no such interface");
}

TEST_F(WayFinderTest, ASourceOfTheHostsGoesWhereItsRulesSay) {
  EXPECT_EQ(way(wishes({}, {"10.2.0.2"}), "192.0.2.1"), expected(2, "10.2.0.2", "10.2.0.1"));
  EXPECT_EQ(way(wishes({}, {"10.2.0.2"}), "2001:db8:9::1"), expected(1, "2001:db8:1::2", "fe80::1")) << "the other family is free";
  EXPECT_EQ(wrong(wishes("lan0", {"10.2.0.2"})), "--source 10.2.0.2: is an address of wan1, not of lan0 (-i)");
}

TEST_F(WayFinderTest, ASourceThatNoHostHasGoesOutWhereItsNetIs) {
  EXPECT_EQ(way(wishes({}, {"10.1.0.77"}), "192.0.2.1"), expected(1, "10.1.0.77", "10.1.0.1", false));
  EXPECT_THAT(wrong(wishes({}, {"198.51.100.1"})), HasSubstr("is in no net of this host's interfaces"));
  EXPECT_EQ(way(wishes("lan0", {"198.51.100.1"}), "192.0.2.1"), expected(1, "198.51.100.1", "10.1.0.1", false)) << "routed here, says who names the interface";
  EXPECT_THAT(wrong(wishes("wan1", {"10.1.0.77"})), HasSubstr("is in the net of lan0, not of wan1"));
}

TEST_F(WayFinderTest, WhatNoHostSpeaksFromIsRefused) {
  for (const auto& [source, why] : {std::pair("0.0.0.1", "no address of a host"),
                                    {"127.0.0.1", "loopback"},
                                    {"224.0.0.1", "multicast"},
                                    {"255.255.255.255", "no address of a host"},
                                    {"10.1.0.255", "the broadcast address of lan0's net"},
                                    {"::", "no address of a host"},
                                    {"::1", "loopback"},
                                    {"ff02::1", "multicast"}})
    EXPECT_THAT(wrong(wishes({}, {source})), HasSubstr(why)) << source;
  EXPECT_EQ(wrong(wishes({}, {"10.1.0.2", "2001:db8:1::2", "10.1.0.3"})), "--source: 10.1.0.3 is the second of its family");
}

TEST_F(WayFinderTest, AGatewayIsTakenForAllButItsOwnLink) {
  EXPECT_EQ(way(wishes({}, {}, {"10.2.0.9"}), "192.0.2.1"), expected(2, "10.2.0.2", "10.2.0.9"));
  EXPECT_EQ(way(wishes({}, {}, {"10.2.0.9"}), "10.2.0.7"), expected(2, "10.2.0.2", std::nullopt)) << "on the link itself";
  EXPECT_EQ(way(wishes("lan0", {}, {"fe80::9"}), "2001:db8:9::1"), expected(1, "2001:db8:1::2", "fe80::9"));
}

TEST_F(WayFinderTest, AGatewayThatCannotBeOneIsRefused) {
  EXPECT_EQ(wrong(wishes({}, {}, {"10.1.0.2"})), "--gateway 10.1.0.2: is this host's own address");
  EXPECT_EQ(wrong(wishes({}, {}, {"192.0.2.1"})), "--gateway 192.0.2.1: is on no link of this host's");
  EXPECT_EQ(wrong(wishes("lan0", {}, {"10.2.0.1"})), "--gateway 10.2.0.1: is not on the link of lan0");
  EXPECT_THAT(wrong(wishes({}, {}, {"fe80::9"})), HasSubstr("is on every link"));
  EXPECT_EQ(wrong(wishes({}, {"10.1.0.2"}, {"10.2.0.9"})), "--gateway 10.2.0.9: is on the link of wan1, and --source 10.1.0.2 is an address of lan0");
}

TEST_F(WayFinderTest, WhoHoldsAnAddress) {
  const auto finder = WayFinder::make({}, host);
  ASSERT_TRUE(finder);
  EXPECT_EQ(finder->holder_of(address("10.2.0.2")), "wan1");
  EXPECT_EQ(finder->holder_of(address("10.2.0.3")), "");
  EXPECT_EQ(finder->holder_of(address("127.0.0.1")), "") << "loopback's are no one's";
}

TEST(HostAddressTest, IsWithinItsNetToTheBit) {
  const HostAddress net{.interface = "lan0", .loopback = false, .address = address("10.128.0.9"), .bits = 96 + 9};
  EXPECT_TRUE(is_within(address("10.255.255.255"), net));
  EXPECT_FALSE(is_within(address("10.127.255.255"), net));
  EXPECT_FALSE(is_within(address("::a80:9"), net)) << "of the other family";
}

}  // namespace
}  // namespace weir::probe::raw

#include "probe/raw/route_message.h"

#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::probe::raw {
namespace {

IpAddress address(std::string_view text) { return parse_ip_address(text).value(); }

/// A message as the kernel writes it.
class Message {
 public:
  Message(std::uint16_t type, std::uint8_t family, std::uint8_t dst_len = 0, std::uint8_t route_type = RTN_UNICAST) {
    nlmsghdr* const head = mnl_nlmsg_put_header(buffer_.data());
    head->nlmsg_type = type;
    auto* const route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(head, sizeof(rtmsg)));
    route->rtm_family = family;
    route->rtm_dst_len = dst_len;
    route->rtm_type = route_type;
  }
  Message& with(std::uint16_t attribute, std::string_view text) {
    const IpAddress value = address(text);
    mnl_attr_put(header(), attribute, value.wire().size(), value.wire().data());
    return *this;
  }
  Message& with(std::uint16_t attribute, const std::vector<std::uint8_t>& octets) {
    mnl_attr_put(header(), attribute, octets.size(), octets.data());
    return *this;
  }
  Message& with_number(std::uint16_t attribute, std::uint32_t value) {
    mnl_attr_put_u32(header(), attribute, value);
    return *this;
  }
  const nlmsghdr& get() const { return *reinterpret_cast<const nlmsghdr*>(buffer_.data()); }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

  alignas(nlmsghdr) std::array<char, 512> buffer_{};
};

TEST(RouteMessage, ADestinationIsANetWhateverStandsBehindItsLength) {
  for (const auto& [family, given, length, net] : {std::tuple(AF_INET, "10.128.0.0", 8, "10.0.0.0/8"),
                                                   {AF_INET, "10.2.0.0", 16, "10.2.0.0/16"},
                                                   {AF_INET, "192.0.2.255", 31, "192.0.2.254/31"},
                                                   {AF_INET, "192.0.2.7", 32, "192.0.2.7/32"},
                                                   {AF_INET6, "2001:db8:ffff::1", 33, "2001:db8:8000::/33"},
                                                   {AF_INET6, "::ffff:0.0.0.0", 96, "0.0.0.0/0"}}) {
    for (const auto type : {std::uint16_t{RTM_NEWROUTE}, std::uint16_t{RTM_NEWRULE}}) {
      const Message message = Message(type, static_cast<std::uint8_t>(family), static_cast<std::uint8_t>(length)).with(FRA_DST, given);
      const auto found = destination_of(message.get());
      ASSERT_TRUE(found) << given;
      EXPECT_EQ(found->bits, static_cast<unsigned>(length) + (family == AF_INET ? 96U : 0U));
      EXPECT_EQ(found->address, targets::first_of(address(given), found->bits));
      EXPECT_EQ(targets::to_string(*found), net);
    }
  }
}

TEST(RouteMessage, WithoutADestinationItIsForAllOfItsFamily) {
  EXPECT_EQ(destination_of(Message(RTM_NEWROUTE, AF_INET).get()), targets::parse_prefix("0.0.0.0/0").value());
  EXPECT_EQ(destination_of(Message(RTM_NEWRULE, AF_INET6).get()), targets::parse_prefix("::/0").value());
}

TEST(RouteMessage, WhatIsNoDestinationIsLeft) {
  EXPECT_FALSE(destination_of(Message(RTM_NEWROUTE, AF_PACKET).get()));
  EXPECT_FALSE(destination_of(Message(RTM_NEWROUTE, AF_INET, 33).with(RTA_DST, "10.0.0.0").get())) << "longer than its family's";
  EXPECT_FALSE(destination_of(Message(RTM_NEWROUTE, AF_INET, 8).with(RTA_DST, "fd00::").get())) << "of the other family";
  EXPECT_FALSE(destination_of(Message(RTM_NEWROUTE, AF_INET, 8).with(RTA_DST, std::vector<std::uint8_t>{10, 0}).get())) << "cut off";
  nlmsghdr header{};
  header.nlmsg_len = sizeof header;
  header.nlmsg_type = RTM_NEWROUTE;
  EXPECT_FALSE(destination_of(header)) << "nothing in it";
  EXPECT_FALSE(answered_route(header));
}

TEST(RouteMessage, AnAnswerTellsTheWay) {
  const Message message = Message(RTM_NEWROUTE, AF_INET, 32).with_number(RTA_OIF, 7).with(RTA_GATEWAY, "10.0.0.1").with(RTA_PREFSRC, "10.0.0.9");
  const auto answered = answered_route(message.get());
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->type, unsigned{RTN_UNICAST});
  EXPECT_EQ(answered->route, (Route{.interface = 7, .here = false, .gateway = address("10.0.0.1"), .source = address("10.0.0.9")}));
  EXPECT_EQ(answered_route(Message(RTM_NEWROUTE, AF_INET, 32, RTN_LOCAL).get())->type, unsigned{RTN_LOCAL});
  EXPECT_FALSE(answered_route(Message(RTM_NEWRULE, AF_INET).get()));
}

TEST(RouteMessage, AGatewayOfTheOtherFamily) {
  std::vector<std::uint8_t> via{AF_INET6, 0};
  const IpAddress gateway = address("fe80::1");
  via.insert(via.end(), gateway.wire().begin(), gateway.wire().end());
  EXPECT_EQ(answered_route(Message(RTM_NEWROUTE, AF_INET, 32).with(RTA_VIA, via).get())->route.gateway, gateway);
  via.pop_back();
  EXPECT_EQ(answered_route(Message(RTM_NEWROUTE, AF_INET, 32).with(RTA_VIA, via).get())->route.gateway, std::nullopt);
}

}  // namespace
}  // namespace weir::probe::raw

#include "capture/sent_flow.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <array>

namespace weir::capture {
namespace {

/// A message with what the kernel says of a flow from 10.1.1.2:40000 to 203.0.113.1:443, which the NAT leads to 10.1.2.2.
class Message {
 public:
  explicit Message(bool with_ports) {
    head_ = mnl_nlmsg_put_header(octets_.data());
    nlattr* const whole = mnl_attr_nest_start(head_, NFQA_CT);
    tuple(CTA_TUPLE_ORIG, {"10.1.1.2", "203.0.113.1"}, 40'000, 443, with_ports);
    tuple(CTA_TUPLE_REPLY, {"10.1.2.2", "10.1.1.2"}, 443, 40'000, with_ports);
    mnl_attr_nest_end(head_, whole);
  }
  const nlattr* conntrack() const { return static_cast<const nlattr*>(mnl_nlmsg_get_payload(head_)); }

 private:
  void tuple(std::uint16_t type, std::array<const char*, 2> addresses, std::uint16_t src_port, std::uint16_t dst_port, bool with_ports) {
    nlattr* const outer = mnl_attr_nest_start(head_, type);
    nlattr* const ip = mnl_attr_nest_start(head_, CTA_TUPLE_IP);
    mnl_attr_put_u32(head_, CTA_IP_V4_SRC, inet_addr(addresses[0]));
    mnl_attr_put_u32(head_, CTA_IP_V4_DST, inet_addr(addresses[1]));
    mnl_attr_nest_end(head_, ip);
    nlattr* const protocol = mnl_attr_nest_start(head_, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(head_, CTA_PROTO_NUM, IPPROTO_TCP);
    if (with_ports) {
      mnl_attr_put_u16(head_, CTA_PROTO_SRC_PORT, htons(src_port));
      mnl_attr_put_u16(head_, CTA_PROTO_DST_PORT, htons(dst_port));
    }
    mnl_attr_nest_end(head_, protocol);
    mnl_attr_nest_end(head_, outer);
  }

  alignas(NLMSG_ALIGNTO) std::array<char, 512> octets_{};
  nlmsghdr* head_ = nullptr;
};

TEST(SentFlow, IsThatOfThePacketsDirection) {
  const Message message(true);
  const auto sent = sent_flow(message.conntrack(), IP_CT_NEW);
  ASSERT_TRUE(sent);
  EXPECT_EQ(to_string(sent->src), "10.1.1.2");
  EXPECT_EQ(to_string(sent->dst), "203.0.113.1");
  EXPECT_EQ(sent->src_port, 40'000);
  EXPECT_EQ(sent->dst_port, 443);
  const auto answer = sent_flow(message.conntrack(), IP_CT_ESTABLISHED_REPLY);
  ASSERT_TRUE(answer);
  EXPECT_EQ(to_string(answer->src), "10.1.2.2");
  EXPECT_EQ(answer->dst_port, 40'000);
}

TEST(SentFlow, IsNoneWithoutPorts) { EXPECT_FALSE(sent_flow(Message(false).conntrack(), IP_CT_NEW)); }

}  // namespace
}  // namespace weir::capture

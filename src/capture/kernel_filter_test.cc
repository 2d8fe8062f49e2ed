// The filter as the kernel runs it: frames through a pair of datagram sockets with the filter attached.
#include "capture/kernel_filter.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace weir::capture {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Octets u16(std::uint16_t value) { return {static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)}; }

Octets ethernet(std::uint16_t type) { return Octets(12, 2) + u16(type); }
Octets vlan(std::uint16_t type, std::uint16_t tag = 5) { return u16(tag) + u16(type); }
Octets ipv4(std::uint8_t protocol, std::uint16_t fragment = 0x4000, std::size_t option_octets = 0) {
  Octets header{static_cast<std::uint8_t>(0x45 + option_octets / 4), 0, 0, 60, 0, 1};
  header = header + u16(fragment) + Octets{64, protocol, 0, 0};
  return header + Octets(8, 10) + Octets(option_octets, 1);
}
Octets ipv6(std::uint8_t next) { return Octets{0x60, 0, 0, 0, 0, 40, next, 64} + Octets(32, 0xfd); }
Octets ports(std::uint16_t from, std::uint16_t to) { return u16(from) + u16(to) + Octets(16, 0); }
Octets pppoe(std::uint16_t protocol) { return Octets{0x11, 0, 0, 1, 0, 60} + u16(protocol); }

bool passes(const Octets& frame, LinkType link = LinkType::kEthernet) {
  auto code = kernel_filter(link);
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
  EXPECT_EQ(::setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  (void)!::write(ends[0], frame.data(), frame.size());
  Octets got(frame.size() + 1);
  const ssize_t octets = ::read(ends[1], got.data(), got.size());
  ::close(ends[0]);
  ::close(ends[1]);
  if (octets < 0) return false;
  EXPECT_EQ(static_cast<std::size_t>(octets), frame.size()) << "whole";
  return true;
}

TEST(KernelFilter, IsShortEnoughForItsJumps) {
  for (const LinkType link : {LinkType::kEthernet, LinkType::kRaw}) EXPECT_LT(kernel_filter(link).size(), 256U);
}

TEST(KernelFilter, PassesWhatIsLookedAt) {
  const Octets four = ethernet(0x0800), six = ethernet(0x86dd), tcp = ports(1000, 80);
  EXPECT_TRUE(passes(four + ipv4(6) + tcp));
  EXPECT_TRUE(passes(four + ipv4(6, 0x4000, 8) + tcp));
  EXPECT_TRUE(passes(six + ipv6(6) + tcp));
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{0x8100, 0x88a8, 0x9100, 0x9200}) {
    EXPECT_TRUE(passes(ethernet(type) + vlan(0x0800) + ipv4(6) + tcp)) << type;
    EXPECT_TRUE(passes(ethernet(type) + vlan(0x8100) + vlan(0x86dd) + ipv6(6) + tcp)) << type;
    EXPECT_TRUE(passes(ethernet(type) + vlan(0x8100) + vlan(0x8100) + vlan(0x0800) + ipv4(6) + tcp)) << "deeper than it looks";
  }
  EXPECT_TRUE(passes(ethernet(0x8847) + Octets{0, 1, 0x11, 64} + ipv4(6) + tcp));
  EXPECT_TRUE(passes(ethernet(0x8864) + pppoe(0x0021) + ipv4(6) + tcp));
  EXPECT_TRUE(passes(ethernet(0x8100) + vlan(0x8864) + pppoe(0x0057) + ipv6(6) + tcp));
  EXPECT_TRUE(passes(Octets(12, 2) + u16(60) + Octets{0xaa, 0xaa, 3, 0, 0, 0} + u16(0x0800) + ipv4(6) + tcp)) << "SNAP";
  for (const std::uint8_t protocol : std::initializer_list<std::uint8_t>{4, 41, 47, 97, 137}) {
    EXPECT_TRUE(passes(four + ipv4(protocol) + tcp)) << +protocol;
    EXPECT_TRUE(passes(six + ipv6(protocol) + tcp)) << +protocol;
  }
  for (const std::uint8_t extension : std::initializer_list<std::uint8_t>{0, 43, 44, 51, 60}) EXPECT_TRUE(passes(six + ipv6(extension) + tcp)) << +extension;
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{53, 4789, 8472, 6081, 2152}) {
    for (const Octets& header :
         {four + ipv4(17), four + ipv4(17, 0, 12), six + ipv6(17), ethernet(0x8100) + vlan(0x0800) + ipv4(17), ethernet(0x8864) + pppoe(0x0021) + ipv4(17)}) {
      EXPECT_TRUE(passes(header + ports(40000, port))) << port;
      EXPECT_TRUE(passes(header + ports(port, 40000))) << port;
    }
  }
  EXPECT_TRUE(passes(four + ipv4(17, 0x2000) + ports(1, 2))) << "a first fragment";
  EXPECT_TRUE(passes(four + ipv4(1, 0x0001) + ports(1, 2))) << "a later one";
}

TEST(KernelFilter, DropsTheRest) {
  const Octets four = ethernet(0x0800), six = ethernet(0x86dd), any = ports(50000, 443);
  EXPECT_FALSE(passes(ethernet(0x0806) + Octets(46, 0))) << "ARP";
  EXPECT_FALSE(passes(ethernet(0x88cc) + Octets(46, 0))) << "LLDP";
  EXPECT_FALSE(passes(Octets(12, 2) + u16(38) + Octets{0x42, 0x42, 3} + Octets(43, 0))) << "spanning tree";
  EXPECT_FALSE(passes(four + ipv4(1) + any)) << "ICMP";
  EXPECT_FALSE(passes(six + ipv6(58) + any));
  EXPECT_FALSE(passes(six + ipv6(0) + Octets{58, 0, 5, 2, 0, 0, 1, 0} + any)) << "multicast listener report";
  EXPECT_FALSE(passes(four + ipv4(17) + any)) << "QUIC";
  EXPECT_FALSE(passes(four + ipv4(17, 0x4000, 8) + any));
  EXPECT_FALSE(passes(six + ipv6(17) + any));
  EXPECT_FALSE(passes(ethernet(0x8100) + vlan(0x0800) + ipv4(17) + any));
  EXPECT_FALSE(passes(ethernet(0x8864) + pppoe(0xc021) + Octets(20, 0))) << "LCP";
  EXPECT_FALSE(passes(ethernet(0x8863) + pppoe(0x0021) + ipv4(6) + any)) << "PPPoE discovery";
  EXPECT_FALSE(passes(four)) << "cut off";
  EXPECT_FALSE(passes(four + ipv4(17)));
}

TEST(KernelFilter, WithoutALinkHeader) {
  EXPECT_TRUE(passes(ipv4(6) + ports(1, 2), LinkType::kRaw));
  EXPECT_TRUE(passes(ipv6(6) + ports(1, 2), LinkType::kRaw));
  EXPECT_TRUE(passes(ipv4(17) + ports(1, 53), LinkType::kRaw));
  EXPECT_FALSE(passes(ipv4(17) + ports(1, 443), LinkType::kRaw));
  EXPECT_FALSE(passes(Octets(40, 0), LinkType::kRaw));
}

}  // namespace
}  // namespace weir::capture

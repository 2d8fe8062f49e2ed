#include "track/address_scope.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>

namespace weir::track {
namespace {

IpAddress address(const char* text) {
  std::array<std::byte, 16> octets{};
  if (inet_pton(AF_INET, text, octets.data()) == 1) return IpAddress::v4(std::span(octets).first<4>());
  EXPECT_EQ(inet_pton(AF_INET6, text, octets.data()), 1) << text;
  return IpAddress::v6(octets);
}

TEST(AddressScope, Private) {
  for (const char* text : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.3.4", "127.0.0.1", "fc00::1", "fd12::1", "fe80::1", "::1"}) {
    EXPECT_TRUE(is_private(address(text))) << text;
    EXPECT_FALSE(is_global(address(text))) << text;
  }
}

TEST(AddressScope, DocumentationAndBenchmarkRangesCountAsGlobal) {
  for (const char* text : {"192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "8.8.8.8", "172.32.0.1", "2001:db8::1", "2001:2::1", "2600::1"}) {
    EXPECT_TRUE(is_global(address(text))) << text;
    EXPECT_FALSE(is_private(address(text))) << text;
  }
}

TEST(AddressScope, SharedAndMulticastAreNeither) {
  for (const char* text : {"100.64.0.1", "224.0.0.1", "ff02::1", "0.0.0.0", "::"}) {
    EXPECT_FALSE(is_private(address(text))) << text;
    EXPECT_FALSE(is_global(address(text))) << text;
  }
}

}  // namespace
}  // namespace weir::track

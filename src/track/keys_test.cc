#include "track/keys.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::track {
namespace {

constexpr std::uint64_t kKeyA = 0x0102030405060708;
constexpr std::uint64_t kKeyB = 0xa1b2c3d4e5f60718;
constexpr std::uint32_t kNonceA = 0x11223344;
constexpr std::uint32_t kNonceB = 0x55667788;

JoinHmac bytes(const char* hex) {
  JoinHmac out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(std::stoi(std::string(hex + 2 * i, 2), nullptr, 16));
  return out;
}

TEST(Keys, TokenAndIdsnOfVersion1) {
  EXPECT_EQ(digest_key(kKeyA, 1).token, 0x66840ddaU);
  EXPECT_EQ(digest_key(kKeyA, 1).idsn, 0xf5a101d3d29d6f72U);
  EXPECT_EQ(digest_key(kKeyB, 1).token, 0xaf77ffdaU);
  EXPECT_EQ(digest_key(kKeyB, 1).idsn, 0x8912213bf1cbd03cU);
}

TEST(Keys, TokenAndIdsnOfVersion0) {
  EXPECT_EQ(digest_key(kKeyA, 0).token, 0xdd5783bcU);
  EXPECT_EQ(digest_key(kKeyA, 0).idsn, 0x3a95ed6e4ebb4ad5U);
  EXPECT_EQ(digest_key(kKeyB, 0).token, 0xfaaf6fe3U);
  EXPECT_EQ(digest_key(kKeyB, 0).idsn, 0xbfb51134cb95240bU);
}

TEST(Keys, JoinHmacs) {
  EXPECT_EQ(leftmost_64(join_hmac(1, kKeyB, kKeyA, kNonceB, kNonceA)), 0x2d275b444c0d23f1U);
  EXPECT_EQ(join_hmac(1, kKeyA, kKeyB, kNonceA, kNonceB), bytes("56b9ee0feceeab4f0da46f2170540e0942b55765"));
  EXPECT_EQ(leftmost_64(join_hmac(0, kKeyB, kKeyA, kNonceB, kNonceA)), 0xd9a765fc6b745010U);
  EXPECT_EQ(join_hmac(0, kKeyA, kKeyB, kNonceA, kNonceB), bytes("adad35e0ab4f356927ec0d0e75908890dc263a05"));
}

TEST(Keys, AddAddrHmac) {
  const std::array<std::byte, 4> octets{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{7}};
  const IpAddress address = IpAddress::v4(octets);
  EXPECT_EQ(add_addr_hmac(kKeyA, kKeyB, 2, address, 0), 0x8936a068bc687219U);
  EXPECT_EQ(add_addr_hmac(kKeyA, kKeyB, 2, address, 443), 0xe7e387c1cfb8d490U);
}

}  // namespace
}  // namespace weir::track

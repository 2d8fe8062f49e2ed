#include "wire/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "wire/sample_packets.h"

namespace weir::wire {
namespace {

using sample::hex;
using sample::Octets;

/// RFC 1071 §1, word by word.
std::uint16_t naive(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return static_cast<std::uint16_t>(sum);
}

Octets random_octets(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  Octets out(size);
  for (auto& octet : out) octet = static_cast<std::byte>(random());
  return out;
}

TEST(OnesComplementSum, Rfc1071Example) {
  const Octets in = hex("0001 f203 f4f5 f6f7");
  EXPECT_EQ(ones_complement_sum(in), 0xddf2);
  EXPECT_EQ(ones_complement_sum({}), 0);
  EXPECT_EQ(ones_complement_sum(Bytes(in).subspan(2, 1)), 0xf200);
}

TEST(OnesComplementSum, EqualsTheNaiveOneAtEveryLengthAndOffset) {
  const Octets in = random_octets(700, 1);
  for (std::size_t offset = 0; offset < 33; ++offset)
    for (std::size_t length = 0; length <= 600; ++length) {
      const Bytes piece = Bytes(in).subspan(offset, length);
      ASSERT_EQ(ones_complement_sum(piece), naive(piece)) << offset << " + " << length;
    }
}

TEST(OnesComplementSum, LongRangesAndCarriesEverywhere) {
  for (const std::size_t size : {65535U, 65536U, 1U << 20U}) {
    const Octets random = random_octets(size, 2);
    EXPECT_EQ(ones_complement_sum(random), naive(random));
    const Octets ones(size, std::byte{0xff});
    EXPECT_EQ(ones_complement_sum(ones), naive(ones));
  }
}

TEST(OnesComplementSum, OnlyZerosSumToZero) {
  for (std::size_t size = 1; size < 400; ++size) {
    Octets in(size);
    EXPECT_EQ(ones_complement_sum(in), 0);
    in.back() = std::byte{1};
    in.push_back(std::byte{0});
    EXPECT_NE(ones_complement_sum(in), 0);
    const Octets ones(size * 2, std::byte{0xff});
    EXPECT_EQ(ones_complement_sum(ones), 0xffff);
  }
}

TEST(ChecksumSum, PiecesCutAnywhereSumToTheWhole) {
  const Octets in = random_octets(101, 3);
  for (std::size_t a = 0; a <= in.size(); ++a)
    for (std::size_t b = a; b <= in.size(); ++b) {
      ChecksumSum sum;
      sum.add(Bytes(in).first(a));
      sum.add(Bytes(in).subspan(a, b - a));
      sum.add(Bytes(in).subspan(b));
      ASSERT_EQ(sum.sum(), naive(in)) << a << ", " << b;
    }
}

TEST(ChecksumSum, NumbersAreTheirOctets) {
  ChecksumSum sum;
  sum.add16(0x0102);
  sum.add32(0x03040506);
  sum.add(hex("ff"));
  sum.add64(0x0708090a0b0c0d0e);
  EXPECT_EQ(sum.sum(), naive(hex("0102 03040506 ff 0708090a0b0c0d0e")));
  EXPECT_EQ(sum.checksum(), static_cast<std::uint16_t>(~sum.sum()));
}

TEST(Ipv4HeaderChecksum, KnownHeader) {
  // The field itself counts as 0, whatever it holds.
  const Octets header = hex("45000073 00004000 4011b861 c0a80001 c0a800c7");
  EXPECT_EQ(ipv4_header_checksum(header), 0xb861);
  EXPECT_EQ(ones_complement_sum(header), 0xffff);
}

TEST(PseudoHeader, BothFamilies) {
  EXPECT_EQ(pseudo_header_sum(sample::v4(0x0a000001), sample::v4(0x0a000002), 6, 20), naive(hex("0a000001 0a000002 0006 0014")));
  EXPECT_EQ(pseudo_header_sum(sample::v6(1), sample::v6(2), 6, 0x12345),
            naive(hex("20010db8000000000000000000000001 20010db8000000000000000000000002 00012345 00000006")));
}

}  // namespace
}  // namespace weir::wire

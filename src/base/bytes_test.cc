#include "base/bytes.h"

#include <gtest/gtest.h>

#include <array>

namespace weir {
namespace {

template <class... Values>
std::array<std::byte, sizeof...(Values)> octets(Values... values) {
  return {static_cast<std::byte>(values)...};
}

TEST(ByteReader, ReadsBigEndianInOrder) {
  const auto in = octets(0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12);
  ByteReader reader(in);
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u24(), 0x040506U);
  EXPECT_EQ(reader.u32(), 0x0708090aU);
  EXPECT_EQ(reader.u64(), 0x0b0c0d0e0f101112U);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(ByteReader, PastTheEndGivesZerosForGood) {
  const auto in = octets(0xff, 0xff, 0xff);
  ByteReader reader(in);
  EXPECT_EQ(reader.u16(), 0xffff);
  EXPECT_EQ(reader.u32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0U) << "the octet that was left must not be read after a failure";
  EXPECT_TRUE(reader.rest().empty());
}

TEST(ByteReader, TakesExactlyOrNothing) {
  const auto in = octets(1, 2, 3, 4);
  for (std::size_t n = 0; n <= 6; ++n) {
    ByteReader reader(in);
    const Bytes taken = reader.take(n);
    EXPECT_EQ(reader.ok(), n <= 4) << n;
    EXPECT_EQ(taken.size(), n <= 4 ? n : 0) << n;
    EXPECT_EQ(reader.remaining(), n <= 4 ? 4 - n : 0) << n;
  }
  ByteReader reader(in);
  EXPECT_TRUE(reader.take<4>());
  EXPECT_FALSE(reader.take<1>());
  EXPECT_FALSE(reader.skip(0)) << "failure stays";
}

TEST(ByteReader, AnEmptyInputIsFineUntilRead) {
  ByteReader reader(Bytes{});
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.skip(0));
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(Fixed, FieldsAtConstantOffsets) {
  const auto in = octets(0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99);
  const auto view = fixed<9>(in);
  ASSERT_TRUE(view);
  EXPECT_EQ(u8_at<8>(*view), 0x99);
  EXPECT_EQ(u16_at<1>(*view), 0x2233);
  EXPECT_EQ(u32_at<5>(*view), 0x66778899U);
  EXPECT_EQ(u64_at<0>(*view), 0x1122334455667788U);
  EXPECT_FALSE(fixed<10>(in));
}

TEST(ByteWriter, WritesWhatTheReaderReads) {
  std::array<std::byte, 18> space{};
  ByteWriter writer(space);
  writer.u8(1);
  writer.u16(0x0203);
  writer.u24(0x040506);
  writer.u32(0x0708090a);
  writer.u64(0x0b0c0d0e0f101112);
  EXPECT_TRUE(writer.ok());
  EXPECT_EQ(writer.written(), 18U);
  ByteReader reader(space);
  for (unsigned i = 1; i <= 18; ++i) EXPECT_EQ(reader.u8(), i);
}

TEST(ByteWriter, NeverWritesAPart) {
  std::array<std::byte, 3> space{};
  ByteWriter writer(space);
  writer.u16(0xffff);
  writer.u16(0xffff);
  EXPECT_FALSE(writer.ok());
  EXPECT_EQ(space[2], std::byte{0});
  writer.u8(0xff);
  EXPECT_EQ(space[2], std::byte{0}) << "failure stays";
  EXPECT_EQ(writer.written(), 2U);
}

}  // namespace
}  // namespace weir

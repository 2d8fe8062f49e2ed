#include "inspect/match/compact.h"

#include <gtest/gtest.h>

#include <random>

namespace weir::inspect::match {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
  std::vector<std::byte> out;
  for (const unsigned v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

TEST(Compact, GivesBackWhatWasWritten) {
  std::mt19937_64 chance(7);
  for (int turn = 0; turn < 2'000; ++turn) {
    // Few different values, so that there is much to find.
    const auto some = [&] {
      std::vector<std::byte> out(chance() % 400);
      const unsigned kinds = 1U + static_cast<unsigned>(chance() % 5);
      for (auto& b : out) b = static_cast<std::byte>(chance() % kinds);
      return out;
    };
    const auto reference = some(), like = some(), plain = some();
    const std::uint64_t number = chance() >> (chance() % 64);
    CompactWriter writer;
    writer.number(number);
    writer.bytes_like(like, reference);
    writer.octet(200);
    writer.bytes(plain);
    CompactReader reader(writer.written());
    EXPECT_EQ(reader.number(), number);
    EXPECT_EQ(reader.bytes_like(reference), like);
    EXPECT_EQ(reader.octet(), 200);
    const auto taken = reader.bytes();
    EXPECT_TRUE(std::ranges::equal(taken, plain));
    ASSERT_TRUE(reader.ok());
  }
}

TEST(Compact, WhatIsKnownAlreadyCostsLittle) {
  std::vector<std::byte> reference;
  for (unsigned i = 0; i < 24; ++i) reference.push_back(static_cast<std::byte>(i * 37U + 5U));
  std::vector<std::byte> like = bytes_of({200, 0, 0, 0, 0, 0, 0, 0, 1});
  like.insert(like.end(), reference.begin() + 1, reference.end());
  like.resize(like.size() + 8);
  CompactWriter writer;
  writer.bytes_like(like, reference);
  EXPECT_LE(writer.written().size(), 12U);
}

TEST(Compact, EndsAtTheEnd) {
  const auto cut = bytes_of({5, 5U << 2U, 1, 2});
  CompactReader reader(cut);
  reader.bytes_like({});
  EXPECT_FALSE(reader.ok());
  CompactReader nothing({});
  EXPECT_EQ(nothing.number(), 0U);
  EXPECT_FALSE(nothing.ok());
}

}  // namespace
}  // namespace weir::inspect::match

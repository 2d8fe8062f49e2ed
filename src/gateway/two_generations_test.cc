#include "gateway/two_generations.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

TEST(TwoGenerations, WhatIsWantedAgainStaysWhateverElseComes) {
  TwoGenerations<int> table(1'000);
  table.put(1, 10);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    table.put(1'000 + i, 0);
    if (i % 400 == 0) {
      ASSERT_NE(table.find(1), nullptr) << i;
    }
    ASSERT_LE(table.size(), 1'000U);
  }
  EXPECT_EQ(*table.find(1), 10);
  EXPECT_GT(table.evicted(), 90'000U);
}

TEST(TwoGenerations, NothingGoesBeforeHalfATableHasComeAfterIt) {
  TwoGenerations<int> table(1'000);
  for (std::uint64_t i = 0; i < 3'000; ++i) {
    table.put(i, 1);
    if (i < 500 || i % 7 != 0) continue;
    TwoGenerations<int> as_it_is = table;
    ASSERT_NE(as_it_is.find(i - 499), nullptr) << i;
  }
}

TEST(TwoGenerations, OneOfAKind) {
  TwoGenerations<int> table(4);
  table.put(1, 1);
  table.put(2, 1);
  table.put(3, 1);  // 1 and 2 are old
  table.put(1, 2);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(*table.find(1), 2);
  EXPECT_EQ(table.find(9), nullptr);
}

}  // namespace
}  // namespace weir::gateway

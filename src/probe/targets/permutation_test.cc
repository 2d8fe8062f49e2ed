#include "probe/targets/permutation.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::probe::targets {
namespace {

TEST(Permutation, GivesEveryNumberOnce) {
  for (const std::uint64_t size : {1ULL, 2ULL, 3ULL, 255ULL, 256ULL, 257ULL, 10'000ULL, 65'537ULL}) {
    const Permutation order(size, 42);
    std::vector<bool> seen(size);
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint64_t at = order.at(i);
      ASSERT_LT(at, size);
      ASSERT_FALSE(seen[at]) << size << ": " << at << " twice";
      seen[at] = true;
    }
  }
}

TEST(Permutation, NeighboursInOrderAreNotNeighboursInSpace) {
  const Permutation order(1 << 16, 1);
  int near = 0;
  for (std::uint64_t i = 0; i + 1 < order.size(); ++i) near += order.at(i) / 256 == order.at(i + 1) / 256;
  EXPECT_LT(near, 512);  // chance makes 256
}

TEST(Permutation, AnotherSeedIsAnotherOrder) {
  const Permutation a(10'000, 1), b(10'000, 2), c(10'000, 1);
  int same = 0;
  for (std::uint64_t i = 0; i < a.size(); ++i) {
    same += a.at(i) == b.at(i);
    EXPECT_EQ(a.at(i), c.at(i));
  }
  EXPECT_LT(same, 20);
}

TEST(Permutation, TheLargestSpaceThatIsTaken) {
  const Permutation order((1ULL << 62) + 1, 9);
  EXPECT_LT(order.at(0), order.size());
  EXPECT_LT(order.at(order.size() - 1), order.size());
}

}  // namespace
}  // namespace weir::probe::targets

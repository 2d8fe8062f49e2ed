#include "track/flow_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace weir::track {
namespace {

TEST(FlowTable, FindsWhatAMapFinds) {
  FlowTable<int> table;
  std::map<std::uint64_t, int> reference;
  std::mt19937_64 random(7);
  // Few distinct low bits, so that runs are long and erasing must close holes across them.
  const auto hash = [&] { return (random() % 16) << 32U | (random() % 64 + 1); };
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t h = hash();
    if (random() % 3 == 0) {
      table.erase(h);
      reference.erase(h);
    } else {
      table.at(h) = i;
      reference[h] = i;
    }
    const std::uint64_t probe = hash();
    const int* found = table.find(probe);
    const auto expected = reference.find(probe);
    ASSERT_EQ(found != nullptr, expected != reference.end()) << "after " << i;
    if (found != nullptr) {
      ASSERT_EQ(*found, expected->second);
    }
  }
  EXPECT_EQ(table.size(), reference.size());
}

TEST(FlowKey, IsTheSameForBothDirections) {
  IpAddress a;
  IpAddress b;
  a.octets[15] = 1;
  b.octets[15] = 2;
  bool low = false;
  const FlowKey there = make_flow_key(a, 10, b, 20, 5, low);
  EXPECT_TRUE(low);
  const FlowKey back = make_flow_key(b, 20, a, 10, 5, low);
  EXPECT_FALSE(low);
  EXPECT_EQ(there, back);
  EXPECT_EQ(hash_flow_key(there, 9), hash_flow_key(back, 9));
  EXPECT_NE(hash_flow_key(there, 9), hash_flow_key(there, 10));
}

}  // namespace
}  // namespace weir::track

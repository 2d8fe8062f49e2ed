#include "base/seq.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(SeqNum, ComparesAcrossTheWrap) {
  const SeqNum near_end{0xffffff00};
  const SeqNum past_wrap = near_end + 0x200;
  EXPECT_EQ(past_wrap.value, 0x100U);
  EXPECT_TRUE(before(near_end, past_wrap));
  EXPECT_TRUE(after(past_wrap, near_end));
  EXPECT_EQ(past_wrap - near_end, 0x200);
  EXPECT_EQ(near_end - past_wrap, -0x200);
  EXPECT_EQ(past_wrap - 0x200U, near_end);
  EXPECT_FALSE(before(near_end, near_end));
  EXPECT_FALSE(after(near_end, near_end));
}

TEST(SeqNum, HalfTheSpaceApartIsTotal) {
  // RFC 9293 §3.4 leaves it open; here it is a definite answer and no overflow.
  EXPECT_TRUE(before(SeqNum{0x80000000}, SeqNum{0}));
  EXPECT_TRUE(before(SeqNum{0}, SeqNum{0x80000000}));
}

TEST(DataSeq, ComparesAcrossTheWrap) {
  const DataSeq near_end{~std::uint64_t{0}};
  EXPECT_EQ((near_end + 1).value, 0U);
  EXPECT_TRUE(before(near_end, near_end + 1));
  EXPECT_EQ((near_end + 5) - near_end, 5);
}

TEST(Extend, TakesTheNearestOfAllWithTheseLowBits) {
  struct Row {
    std::uint32_t low;
    std::uint64_t near, expected;
  };
  for (const Row& row : {
           Row{0x00000010, 0x00000001'00000000, 0x00000001'00000010},
           Row{0xfffffff0, 0x00000001'00000000, 0x00000000'fffffff0},
           Row{0x00000005, 0x00000001'ffffffff, 0x00000002'00000005},
           Row{0x7fffffff, 0x00000005'00000000, 0x00000005'7fffffff},
           Row{0x80000001, 0x00000005'00000000, 0x00000004'80000001},
           Row{0xffffffff, 0x00000000'00000000, 0xffffffff'ffffffff},
           Row{0x00000001, 0xffffffff'ffffffff, 0x00000000'00000001},
       }) {
    EXPECT_EQ(extend(row.low, DataSeq{row.near}).value, row.expected) << std::hex << row.low << " near " << row.near;
    EXPECT_EQ(unwrap(row.low, row.near), row.expected);
  }
}

static_assert(extend(1, DataSeq{0xffffffff}).value == 0x100000001);

}  // namespace
}  // namespace weir

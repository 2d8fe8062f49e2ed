#include "gateway/drain.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

TEST(Drain, IsOverWhenNothingIsLeftOrTheTimeIs) {
  Drain drain;
  EXPECT_FALSE(drain.over(1'000, 0)) << "it was not begun";
  drain.begin(1'000, 100);
  EXPECT_FALSE(drain.over(1'001, 3));
  EXPECT_TRUE(drain.over(1'001, 0));
  drain.begin(1'050, 100);
  EXPECT_TRUE(drain.over(1'100, 3)) << "begun once more it ends no later";
  drain.stop();
  EXPECT_FALSE(drain.runs());
  EXPECT_FALSE(drain.over(9'999, 0));
}

}  // namespace
}  // namespace weir::gateway

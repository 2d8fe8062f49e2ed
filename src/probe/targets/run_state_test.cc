#include "probe/targets/run_state.h"

#include <gtest/gtest.h>

#include <set>

namespace weir::probe::targets {
namespace {

TEST(RunState, IsReadAsItWasWritten) {
  const RunState state{.fingerprint = ~0ULL, .seed = 5, .position = 77, .unfinished = {3, 1, 2}, .output_bytes = 0, .csv_bytes = {}};
  EXPECT_EQ(parse_run_state(to_text(state)), state);
  EXPECT_EQ(parse_run_state(to_text(RunState{})), RunState{});
}

TEST(RunState, WhatIsCutOffOrChangedIsRefused) {
  const std::string text = to_text({.fingerprint = 1, .seed = 2, .position = 3, .unfinished = {4, 5}});
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_run_state(text.substr(0, size))) << size;
  EXPECT_FALSE(parse_run_state(text + "x"));
}

TEST(Order, NoneTwiceAndNoneMissedOverInterruptions) {
  constexpr std::uint64_t kSize = 1'000;
  RunState state{.fingerprint = 0, .seed = 9, .position = 0, .unfinished = {}};
  std::set<std::uint64_t> done;
  for (int run = 0; run < 10; ++run) {
    Order order(kSize, state);
    std::vector<std::uint64_t> open;
    for (int i = 0; i < 150; ++i) {
      const auto number = order.next();
      if (!number) break;
      if (i % 7 == 0) {
        open.push_back(*number);
      } else {
        EXPECT_TRUE(done.insert(*number).second) << *number << " twice";
      }
    }
    state = parse_run_state(to_text(order.state(open))).value();
  }
  Order rest(kSize, state);
  EXPECT_EQ(rest.left(), kSize - done.size());
  while (const auto number = rest.next()) EXPECT_TRUE(done.insert(*number).second);
  EXPECT_EQ(done.size(), kSize);
}

}  // namespace
}  // namespace weir::probe::targets

// The engine inline between the simulated hosts: what passes arrives whole, what must not arrive does not.
#include <gtest/gtest.h>

#include "inline_box.h"

namespace weir::simulate {
namespace {

constexpr std::uint64_t kSeeds = 200, kSeedsATest = 25;

class InlineSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(InlineSeeds, AllThatHostsSendArrivesAsItWasLookedAt) {
  for (std::uint64_t seed = GetParam(); seed < GetParam() + kSeedsATest; ++seed) {
    const InlineResult result = simulate_inline(seed, false, 0);
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_TRUE(result.wrong.empty()) << result.wrong.front();
    EXPECT_TRUE(result.ended);
    for (const auto& [name, count] : result.refused) {
      // What its receiver would throw away: damaged on the way, or overtaken by a later retransmission (RFC 7323 §5).
      EXPECT_TRUE(name == "bad_checksum" || name == "paws") << name << " " << count;
    }
  }
}

TEST_P(InlineSeeds, OtherCopiesOfWhatPassedDoNotPass) {
  for (std::uint64_t seed = GetParam(); seed < GetParam() + kSeedsATest; ++seed) {
    const InlineResult result = simulate_inline(seed, false, 0.1);
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_TRUE(result.wrong.empty()) << result.wrong.front();
    EXPECT_TRUE(result.ended);
  }
}

TEST_P(InlineSeeds, ASignatureNeverArrives) {
  for (std::uint64_t seed = GetParam(); seed < GetParam() + kSeedsATest; ++seed) {
    const InlineResult result = simulate_inline(seed, true, 0.05);
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_TRUE(result.wrong.empty()) << result.wrong.front();
    EXPECT_EQ(result.blocked_alerts, 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Simulated, InlineSeeds, testing::Range<std::uint64_t>(1, kSeeds + 1, kSeedsATest));

}  // namespace
}  // namespace weir::simulate

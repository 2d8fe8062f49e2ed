#include "gateway/directory.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weir::gateway {
namespace {

TEST(Directory, TheFirstClaimStandsUntilItsShardForgets) {
  Directory directory;
  EXPECT_EQ(directory.shard_of_token(7), std::nullopt);
  directory.claim_token(7, 1);
  directory.claim_token(7, 2);
  EXPECT_EQ(directory.shard_of_token(7), 1U);
  directory.forget_token(7, 2);
  EXPECT_EQ(directory.shard_of_token(7), 1U);
  directory.forget_token(7, 1);
  EXPECT_EQ(directory.shard_of_token(7), std::nullopt);
}

TEST(Directory, FlowsAndTokensAreApart) {
  Directory directory;
  directory.claim_token(7, 1);
  directory.assign_flow(7, 2);
  directory.assign_flow(7, 3);
  EXPECT_EQ(directory.shard_of_token(7), 1U);
  EXPECT_EQ(directory.shard_of_flow(7), 3U);
  directory.forget_flow(7, 3);
  EXPECT_EQ(directory.flows(), 0U);
  EXPECT_EQ(directory.tokens(), 1U);
}

TEST(Directory, KeepsToItsLimitAndCountsWhatGoes) {
  constexpr std::size_t kMost = 1'024;
  Directory directory({.tokens = kMost, .flows = kMost});
  for (std::uint32_t token = 0; token < 100 * kMost; ++token) directory.claim_token(token, 1);
  EXPECT_LE(directory.tokens(), kMost);
  EXPECT_GE(directory.evicted(), 98 * kMost);
}

TEST(Directory, OneOwnerHoweverManyClaimAtOnce) {
  constexpr unsigned kThreads = 4;
  constexpr std::uint32_t kTokens = 10'000;
  Directory directory;
  std::vector<std::vector<unsigned>> seen(kThreads);
  {
    std::vector<std::jthread> threads;
    for (unsigned shard = 0; shard < kThreads; ++shard) {
      threads.emplace_back([&, shard] {
        for (std::uint32_t token = 0; token < kTokens; ++token) {
          directory.claim_token(token, shard);
          seen[shard].push_back(*directory.shard_of_token(token));
        }
      });
    }
  }
  for (unsigned shard = 1; shard < kThreads; ++shard) EXPECT_EQ(seen[shard], seen[0]);
}

}  // namespace
}  // namespace weir::gateway

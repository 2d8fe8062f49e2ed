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

TEST(Directory, WaitsForAnAnswerToTheLatestJoinAndNotForEver) {
  constexpr TimeNs kSecond = 1'000'000'000;
  Directory directory;
  directory.expect_answer(7, {.shard = 1, .isn = 0xffffffff, .time_ns = kSecond});
  EXPECT_EQ(directory.shard_of_answer(7, 0, 2 * kSecond), 1U);
  EXPECT_EQ(directory.shard_of_answer(7, 1, 2 * kSecond), std::nullopt) << "it answers another SYN";
  directory.expect_answer(7, {.shard = 2, .isn = 100, .time_ns = 2 * kSecond});
  EXPECT_EQ(directory.shard_of_answer(7, 0, 2 * kSecond), std::nullopt);
  EXPECT_EQ(directory.shard_of_answer(7, 101, 61 * kSecond), 2U);
  EXPECT_EQ(directory.shard_of_answer(7, 101, 63 * kSecond), std::nullopt);
  directory.expect_answer(7, {.shard = 2, .isn = 100, .time_ns = 63 * kSecond});
  directory.forget_answer(7);
  EXPECT_EQ(directory.shard_of_answer(7, 101, 63 * kSecond), std::nullopt);
}

TEST(Directory, CountsJoinsThatWaitInVainForWantOfRoom) {
  constexpr std::size_t kMost = 1'024;
  Directory directory({.joins = kMost});
  for (std::uint64_t i = 0; i < 100 * kMost; ++i) directory.expect_answer(i, {.shard = 1, .isn = 0, .time_ns = 0});
  const auto evicted = directory.evicted();
  EXPECT_GE(evicted, 98 * kMost);
  // A minute later those are over anyway.
  for (std::uint64_t i = 0; i < kMost; ++i) directory.expect_answer(i, {.shard = 1, .isn = 0, .time_ns = 70'000'000'000});
  EXPECT_LT(directory.evicted() - evicted, kMost / 2);
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

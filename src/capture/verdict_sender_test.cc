#include "capture/verdict_sender.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <numeric>

namespace weir::capture {
namespace {

std::vector<std::byte> octet(std::size_t value) { return {static_cast<std::byte>(value)}; }

TEST(VerdictSender, SendsAllInOrder) {
  std::vector<int> sent;
  {
    VerdictSender sender([&](std::span<const std::byte> verdicts) {
      sent.push_back(std::to_integer<int>(verdicts[0]));
      return std::size_t{0};
    });
    for (std::size_t i = 0; i < 200; ++i) {
      auto verdicts = octet(i);
      sender.give(verdicts);
      EXPECT_TRUE(verdicts.empty());
    }
  }
  std::vector<int> all(200);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sent, all) << "what waits at the end is sent, too";
}

TEST(VerdictSender, IsSettledOnceTheKernelHasThem) {
  std::latch may_go(1);
  std::atomic<int> sent = 0;
  VerdictSender sender([&](std::span<const std::byte>) {
    may_go.wait();
    ++sent;
    return std::size_t{0};
  });
  EXPECT_TRUE(sender.settled());
  auto first = octet(1), second = octet(2);
  sender.give(first);
  sender.give(second);
  EXPECT_FALSE(sender.settled());
  may_go.count_down();
  sender.settle();
  EXPECT_EQ(sent, 2);
  EXPECT_TRUE(sender.settled());
}

TEST(VerdictSender, HoldsNoMoreThanItsBound) {
  std::latch may_go(1);
  VerdictSender sender([&](std::span<const std::byte>) {
    may_go.wait();
    return std::size_t{0};
  });
  for (std::size_t i = 0; i < VerdictSender::kMostWaiting; ++i) {
    auto verdicts = octet(i);
    sender.give(verdicts);
  }
  auto next = std::async(std::launch::async, [&] {
    auto verdicts = octet(VerdictSender::kMostWaiting);
    sender.give(verdicts);
  });
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout) << "it waits";
  may_go.count_down();
  EXPECT_EQ(next.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(VerdictSender, CountsWhatIsNotTaken) {
  VerdictSender sender([](std::span<const std::byte> verdicts) { return verdicts.size(); });
  std::vector<std::byte> verdicts(3);
  sender.give(verdicts);
  sender.settle();
  verdicts.resize(2);
  sender.send(verdicts);
  EXPECT_EQ(sender.errors(), 5U);
}

}  // namespace
}  // namespace weir::capture

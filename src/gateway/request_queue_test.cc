#include "gateway/request_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::gateway {
namespace {

class RequestQueueTest : public testing::Test {
 protected:
  void put(std::uint64_t connection) {
    queue_.put({.what = Command::What::kCutConnection, .connection = connection}, [this](const Answer& answer) { statuses_.push_back(answer.status); });
  }
  void run() {
    queue_.run([this](const Command& command) {
      done_.push_back(command.connection);
      return Answer{.status = 200, .body = {}};
    });
  }

  RequestQueue::Clock::time_point now_;
  RequestQueue queue_{[this] { return now_; }};
  std::vector<std::uint64_t> done_;
  std::vector<unsigned> statuses_;
};

TEST_F(RequestQueueTest, IsCarriedOutInOrder) {
  put(1);
  put(2);
  EXPECT_TRUE(done_.empty());
  run();
  run();
  EXPECT_EQ(done_, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(statuses_, (std::vector<unsigned>{200, 200}));
}

TEST_F(RequestQueueTest, WhatWaitedForTooLongIsNotDone) {
  put(1);
  now_ += RequestQueue::kPatience + std::chrono::seconds(1);
  put(2);
  run();
  EXPECT_EQ(done_, std::vector<std::uint64_t>{2});
  EXPECT_EQ(statuses_, (std::vector<unsigned>{503, 200}));
}

TEST_F(RequestQueueTest, TooManyAreRefusedAtOnce) {
  for (std::uint64_t i = 1; i <= RequestQueue::kMost + 3; ++i) put(i);
  EXPECT_EQ(statuses_, (std::vector<unsigned>{503, 503, 503}));
  EXPECT_EQ(queue_.refused(), 3U);
  run();
  EXPECT_EQ(done_.size(), RequestQueue::kMost);
}

TEST_F(RequestQueueTest, AtTheEndAllAreTold) {
  put(1);
  queue_.close();
  put(2);
  run();
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(statuses_, (std::vector<unsigned>{503, 503}));
  EXPECT_EQ(queue_.refused(), 2U);
}

TEST_F(RequestQueueTest, AReplyMayAskAgain) {
  queue_.put({}, [this](const Answer&) { put(5); });
  run();
  EXPECT_EQ(done_.size(), 1U);
  run();
  EXPECT_EQ(done_.back(), 5U);
}

}  // namespace
}  // namespace weir::gateway

#include "decide/join_book.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace weir::decide {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

IpAddress address(std::string_view text) { return *parse_ip_address(text); }

JoinRequest request(std::uint64_t connection = 1, TimeNs now = 0) {
  return {.connection = connection, .client = address("10.0.0.1"), .interface_in = "lan0", .interface_out = "wan1", .now = now};
}

TEST(JoinBook, LetsEverythingThroughWithoutLimits) {
  JoinBook book(10, 10);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(book.join(request(), {}), LimitReached::kNone);
}

TEST(JoinBook, CountsSubflowsAtOnceWithTheFirst) {
  JoinBook book(10, 10);
  const JoinLimits limits{.subflows = 3};
  EXPECT_EQ(book.open(1, address("10.0.0.1"), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(), limits), LimitReached::kSubflows);
  EXPECT_EQ(book.join(request(2), limits), LimitReached::kNone) << "another connection has its own";
  book.subflow_ended(1);
  EXPECT_EQ(book.join(request(), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(), limits), LimitReached::kSubflows);
  EXPECT_EQ(book.refused(LimitReached::kSubflows), 2U);
}

TEST(JoinBook, KnowsWhoMayOpen) {
  JoinBook book(10, 10);
  JoinRequest by_server = request();
  by_server.by_client = false;
  EXPECT_EQ(book.join(by_server, {.opened_by = MayOpen::kClient}), LimitReached::kOpenedBy);
  EXPECT_EQ(book.join(request(), {.opened_by = MayOpen::kServer}), LimitReached::kOpenedBy);
  EXPECT_EQ(book.join(request(), {.opened_by = MayOpen::kClient}), LimitReached::kNone);
  EXPECT_EQ(book.join(by_server, {.opened_by = MayOpen::kServer}), LimitReached::kNone);
}

TEST(JoinBook, LetsBackupsThroughOnly) {
  JoinBook book(10, 10);
  JoinRequest backup = request();
  EXPECT_EQ(book.join(backup, {.backup_only = true}), LimitReached::kBackupOnly);
  backup.backup = true;
  EXPECT_EQ(book.join(backup, {.backup_only = true}), LimitReached::kNone);
}

TEST(JoinBook, LetsSubflowsCrossNamedInterfacesOnly) {
  JoinBook book(10, 10);
  EXPECT_EQ(book.join(request(), {.paths = {"wan2"}}), LimitReached::kPaths);
  EXPECT_EQ(book.join(request(), {.paths = {"wan2", "wan1"}}), LimitReached::kNone);
  EXPECT_EQ(book.join(request(), {.paths = {"wan*"}}), LimitReached::kNone);
  JoinRequest inwards = request();
  std::swap(inwards.interface_in, inwards.interface_out);
  EXPECT_EQ(book.join(inwards, {.paths = {"wan1"}}), LimitReached::kNone);
}

TEST(JoinBook, BoundsJoinsASecond) {
  JoinBook book(10, 10);
  const JoinLimits limits{.joins_per_second = 10};
  TimeNs now = 1'700'000'000 * kSecond;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(book.join(request(1, now), limits), LimitReached::kNone) << i;
  EXPECT_EQ(book.join(request(1, now), limits), LimitReached::kJoinsPerSecond);
  now += kSecond / 10;
  EXPECT_EQ(book.join(request(1, now), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(1, now), limits), LimitReached::kJoinsPerSecond);
  int passed = 0;
  for (int i = 0; i < 10'000; ++i, now += kSecond / 1'000) passed += book.join(request(1, now), limits) == LimitReached::kNone ? 1 : 0;
  EXPECT_NEAR(passed, 100, 10) << "ten seconds of a flood";
}

TEST(JoinBook, BoundsWhatOneClientHas) {
  JoinBook book(10, 10);
  const JoinLimits limits{.host_connections = 2, .host_subflows = 4, .host_joins_per_second = 100};
  EXPECT_EQ(book.open(1, address("10.0.0.1"), limits), LimitReached::kNone);
  EXPECT_EQ(book.open(2, address("10.0.0.1"), limits), LimitReached::kNone);
  EXPECT_EQ(book.open(3, address("10.0.0.1"), limits), LimitReached::kHostConnections);
  EXPECT_EQ(book.open(4, address("10.0.0.2"), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(1), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(2), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(2), limits), LimitReached::kHostSubflows);
  book.connection_ended(1);
  EXPECT_EQ(book.join(request(2), limits), LimitReached::kNone);
  EXPECT_EQ(book.open(3, address("10.0.0.1"), limits), LimitReached::kNone);
  EXPECT_EQ(book.join(request(3), limits), LimitReached::kHostSubflows);
  const JoinLimits rate{.host_joins_per_second = 1};
  EXPECT_EQ(book.join(request(2, kSecond), rate), LimitReached::kNone);
  EXPECT_EQ(book.join(request(3, kSecond), rate), LimitReached::kHostJoinsPerSecond);
}

TEST(JoinBook, ForgetsTheConnectionUnusedForLongest) {
  JoinBook book(3, 2);
  const JoinLimits limits{.subflows = 2, .host_connections = 100};
  for (std::uint64_t i = 1; i <= 3; ++i) book.open(i, address("10.0.0.1"), limits);
  EXPECT_EQ(book.join(request(1), limits), LimitReached::kNone);
  book.open(4, address("10.0.0.1"), limits);
  EXPECT_EQ(book.connections(), 3U);
  EXPECT_EQ(book.evicted_connections(), 1U);
  EXPECT_EQ(book.join(request(1), limits), LimitReached::kSubflows) << "used last, it is still there";
  for (int i = 2; i < 6; ++i) book.open(10 + i, address("10.0.0." + std::to_string(i)), limits);
  EXPECT_EQ(book.hosts(), 2U);
  EXPECT_GT(book.evicted_hosts(), 0U);
  for (std::uint64_t i = 0; i < 20; ++i) book.subflow_ended(i), book.connection_ended(i), book.connection_ended(i);
  EXPECT_EQ(book.connections(), 0U);
}

TEST(JoinBook, NamesItsLimitsAsTheConfiguration) {
  EXPECT_EQ(name_of(LimitReached::kJoinsPerSecond), "joins_per_second");
  EXPECT_EQ(name_of(LimitReached::kHostSubflows), "host_subflows");
}

}  // namespace
}  // namespace weir::decide

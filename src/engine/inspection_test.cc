// Rules that are replaced while connections run, and what a connection keeps when others are busy.
#include "engine/inspection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "inspect/rules/parse.h"

namespace weir::engine {
namespace {

std::shared_ptr<const inspect::match::RuleSet> rules(const std::string& text) {
  auto parsed = inspect::rules::parse(text, "test", {});
  EXPECT_TRUE(parsed.refusals.empty());
  std::vector<inspect::match::Refused> refused;
  return inspect::match::RuleSet::make(std::move(parsed.rules), Limits{}, nullptr, refused);
}

class Inspected : public ::testing::Test, public Observer {
 protected:
  void on_alert(const AlertRecord& alert) override {
    alerts.emplace_back(alert.connection.number, alert.signature_id);
    latest = alert;
  }
  void say(Inspection& inspection, std::uint64_t connection, std::string_view text, Direction d = Direction::kToServer, Endpoints endpoints = {}) {
    ConnectionInfo info;
    info.number = connection;
    info.endpoints = endpoints;
    info.id = std::to_string(connection);
    inspection.on_data(
        info, {.direction = d, .offset = said[connection], .bytes = std::as_bytes(std::span(text)), .subflow = 0, .opened_by_server = false, .time_ns = 1});
    said[connection] += text.size();
  }
  using Alerts = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
  Alerts alerts;
  std::map<std::uint64_t, std::uint64_t> said;
  std::map<std::pair<std::uint64_t, Direction>, std::uint64_t> offsets;
  AlertRecord latest;
};

TEST_F(Inspected, ANewRuleSetIsForNewConnections) {
  Inspection inspection({.limits = {}, .rules = rules("alert tcp any any -> any any (content:\"attack\"; sid:1;)\n")}, *this);
  say(inspection, 1, "att");
  inspection.use(rules("alert tcp any any -> any any (content:\"tack\"; sid:2;)\nalert http any any -> any any (http.uri; content:\"/x\"; sid:3;)\n"));
  say(inspection, 1, "ack");
  say(inspection, 2, "attack");
  say(inspection, 3, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(alerts, (Alerts{{1, 1}, {2, 2}, {3, 3}})) << "what the first set had half found is found; buffers are gathered from now on";
}

TEST_F(Inspected, RunningConnectionsKeepTheirRulesAboutApplications) {
  Inspection inspection({.limits = {}, .rules = rules("alert http any any -> any any (http.uri; content:\"/x\"; sid:3;)\n")}, *this);
  say(inspection, 1, "GET ");
  inspection.use(nullptr);
  say(inspection, 1, "/x HTTP/1.1\r\nHost: a\r\n\r\n");
  say(inspection, 2, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(alerts, (Alerts{{1, 3}}));
}

TEST_F(Inspected, RulesForFewPortsOfTheClientAreFoundOnThese) {
  // The second names no direction: read the other way it is about what a client at port 80 is told.
  Inspection inspection({.limits = {},
                         .rules = rules("alert tcp any any -> any any (content:\"attack\"; sid:1;)\n"
                                        "alert tcp any any -> any 80 (content:\"attack\"; sid:2;)\n"
                                        "alert tcp any any <> any 80 (content:\"attack\"; sid:3;)\n")},
                        *this);
  const auto found = [&](std::uint64_t connection, std::uint16_t client, std::uint16_t server, Direction d) {
    alerts.clear();
    say(inspection, connection, "attack", d, {.src = {}, .dst = {}, .src_port = client, .dst_port = server});
    std::vector<std::uint32_t> sids;
    for (const auto& [number, sid] : alerts) sids.push_back(sid);
    std::ranges::sort(sids);
    return sids;
  };
  using Sids = std::vector<std::uint32_t>;
  EXPECT_EQ(found(1, 40'000, 80, Direction::kToServer), (Sids{1, 2, 3}));
  EXPECT_EQ(found(2, 40'000, 80, Direction::kToClient), (Sids{1, 3}));
  EXPECT_EQ(found(3, 80, 40'000, Direction::kToClient), (Sids{1, 2, 3}));
  EXPECT_EQ(found(4, 80, 40'000, Direction::kToServer), (Sids{1, 3}));
  EXPECT_EQ(found(5, 40'000, 443, Direction::kToServer), (Sids{1}));
  EXPECT_EQ(found(6, 40'000, 443, Direction::kToClient), (Sids{1}));
}

TEST_F(Inspected, HalfOfASignatureSurvivesPacking) {
  Limits limits;
  limits.hot_streams = 16;
  Inspection inspection(
      {.limits = limits, .rules = rules("alert tcp any any -> any any (content:\"attack\"; content:\"now\"; distance:1; within:8; sid:1;)\n")}, *this);
  Alerts expected;
  for (const std::string_view part : {"an att", "ack, no", "w"}) {
    for (std::uint64_t connection = 1; connection <= 100; ++connection) say(inspection, connection, part);
  }
  for (std::uint64_t connection = 1; connection <= 100; ++connection) expected.emplace_back(connection, 1);
  EXPECT_EQ(alerts, expected);
}

TEST_F(Inspected, AnIdleConnectionGoesOnWhereItWas) {
  // Both directions, what was set and told before, and rules that were replaced meanwhile.
  Limits limits;
  limits.hot_streams = 16;
  Inspection inspection({.limits = limits,
                         .rules = rules("alert tcp any any -> any any (content:\"login\"; flowbits:set,in; flowbits:noalert; sid:1;)\n"
                                        "alert tcp any any -> any any (content:\"secret\"; flowbits:isset,in; flow:to_client; sid:2;)\n"
                                        "alert tcp any any -> any any (content:\"login\"; sid:3;)\n")},
                        *this);
  Alerts expected;
  const auto all = [&](std::uint64_t first, std::uint64_t last, std::string_view text, Direction d, std::uint32_t sid) {
    for (std::uint64_t connection = first; connection <= last; ++connection) {
      // Each direction has offsets of its own.
      auto& offset = offsets[{connection, d}];
      said[connection] = offset;
      say(inspection, connection, text, d);
      offset += text.size();
      if (sid != 0) expected.emplace_back(connection, sid);
    }
  };
  all(1, 100, "log", Direction::kToServer, 0);
  all(1, 100, "the sec", Direction::kToClient, 0);
  all(1, 100, "in", Direction::kToServer, 3);
  inspection.use(rules("alert tcp any any -> any any (content:\"new\"; sid:4;)\n"));
  all(101, 200, "ne", Direction::kToServer, 0);
  all(1, 100, "ret new", Direction::kToClient, 2);
  all(101, 200, "w secret", Direction::kToServer, 4);
  all(1, 100, " login", Direction::kToServer, 0);  // was told
  EXPECT_EQ(alerts, expected);
  for (std::uint64_t connection = 1; connection <= 200; ++connection) {
    ConnectionRecord record;
    record.info.number = connection;
    inspection.on_connection(record);
  }
  EXPECT_EQ(alerts, expected);
}

TEST_F(Inspected, WhatWasSeenIsKnownAfterItWasIdle) {
  Limits limits;
  limits.hot_streams = 16;
  Inspection inspection({.limits = limits, .rules = rules("alert tcp any any -> any any (content:\"ab\"; mptcp.split; sid:1;)\n")}, *this);
  ConnectionInfo info;
  const auto data = [&](std::uint64_t connection, std::uint64_t offset, std::string_view text, std::uint32_t subflow) {
    info.number = connection;
    inspection.on_data(info, {.direction = Direction::kToServer,
                              .offset = offset,
                              .bytes = std::as_bytes(std::span(text)),
                              .subflow = subflow,
                              .opened_by_server = subflow == 3,
                              .time_ns = 1});
  };
  for (std::uint64_t connection = 1; connection <= 100; ++connection) {
    data(connection, 0, "xxxx", 0);
    inspection.on_gap(info, Direction::kToServer, 4, 5, 1);
  }
  for (std::uint64_t connection = 1; connection <= 100; ++connection) data(connection, 9, "a", 3);
  for (std::uint64_t connection = 1; connection <= 100; ++connection) data(connection, 10, "b", 7);
  ASSERT_EQ(alerts.size(), 100U);
  EXPECT_EQ(latest.subflows, (std::vector<std::uint32_t>{3, 7}));
  EXPECT_EQ(latest.dsn_first, 9U);
  EXPECT_EQ(latest.dsn_last, 10U);
  EXPECT_DOUBLE_EQ(latest.visibility, 6.0 / 11.0);
}

}  // namespace
}  // namespace weir::engine

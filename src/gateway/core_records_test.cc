// What the core tells of its decisions, and what becomes of a packet that is told of: without a kernel.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "gateway/core.h"
#include "gateway/crafted_test.h"
#include "track/keys.h"

namespace weir::gateway {
namespace {

using namespace wire::mptcp;
using namespace crafted;
using engine::RecordAction;

class CoreRecords : public ::testing::Test, public CoreSink, public engine::Observer {
 protected:
  CoreRecords() { begin({}); }
  void begin(decide::JoinLimits limits, CoreSettings settings = {}) {
    decide::PolicySettings policy;
    policy.otherwise.name = "default";
    policy.otherwise.limits = std::move(limits);
    core = std::make_unique<Core>(settings, std::make_shared<const decide::Policy>(std::move(policy)), Surroundings{}, *this, *this);
    engine::Settings how;
    how.inline_mode = true;
    how.checksums = engine::ChecksumPolicy::kVerify;
    engine = std::make_unique<engine::Engine>(how, *core);
    core->use(*engine);
  }
  Outcome take(const Sent& p) { return core->take(crafted::packet(p, now += 1'000'000, bytes)); }
  void connect(std::uint16_t client_port = 40'000) {
    for (Sent packet : handshake({.client_port = client_port})) {
      packet.mark = packet.flags == kSynFlag ? MarkState::kNone : MarkState::kTracked;
      take(packet);
    }
  }
  static std::uint32_t token() { return track::digest_key(kServerKey, 1).token; }
  static AddAddr offer(std::uint8_t id, const char* address = "198.51.100.7") {
    AddAddr add;
    add.address_id = id;
    add.address = *parse_ip_address(address);
    add.hmac = track::add_addr_hmac(kServerKey, kClientKey, id, add.address, 0);
    return add;
  }
  /// By the server, on an acknowledgement that keeps a DATA_ACK without the offer.
  Outcome offered(const AddAddr& add) {
    Dss dss;
    dss.data_ack = Dss::DataAck{.value = static_cast<std::uint32_t>(track::digest_key(kClientKey, 1).idsn + 1), .wide = false};
    return take({.to_server = false, .options = {add, dss}, .mark = MarkState::kTracked});
  }
  std::string action_of(std::string_view event) const {
    const auto found = std::ranges::find(raised, event, &engine::AnomalyRecord::event);
    if (found == raised.end()) return "none";
    return !found->action ? "unknown" : *found->action == RecordAction::kBlocked ? "blocked" : "allowed";
  }

  void on_policy(const report::PolicyRecord& record) override { told.push_back(record); }
  void send(std::span<const std::byte> /*packet*/, bool followed) override { sent_followed.push_back(followed); }
  void mark(const Endpoints& /*subflow*/, std::uint32_t /*value*/) override {}
  void mark_half_open(const Endpoints& /*subflow*/, std::uint32_t /*value*/) override {}
  void on_anomaly(const engine::AnomalyRecord& record) override { raised.push_back(record); }
  void on_connection(const engine::ConnectionRecord& record) override { ended.push_back(record); }

  TimeNs now = 1'700'000'000'000'000'000;
  std::vector<std::byte> bytes;
  std::vector<report::PolicyRecord> told;
  std::vector<bool> sent_followed;
  std::vector<engine::AnomalyRecord> raised;
  std::vector<engine::ConnectionRecord> ended;
  std::unique_ptr<Core> core;
  std::unique_ptr<engine::Engine> engine;
};

TEST_F(CoreRecords, WhatIsDecidedOfAConnectionHasTheIdOfItsOtherRecords) {
  connect();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].id.empty()) << "no key is known at a first SYN";
  ASSERT_TRUE(core->cut(engine->connection_of(token()), std::nullopt, now));
  ASSERT_EQ(told.size(), 2U);
  MpFastclose close;
  close.receiver_key = kServerKey + 1;
  take({.flags = kRstFlag, .options = {close}, .mark = MarkState::kBlocked});
  engine->finish();
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(told[1].id, ended[0].info.id);
  EXPECT_EQ(told[1].endpoints, ended[0].info.endpoints);
  EXPECT_EQ(told[0].endpoints, ended[0].info.endpoints) << "by these the first one is found";
  ASSERT_EQ(raised.size(), 1U);
  EXPECT_EQ(raised[0].connection->id, told[1].id);
}

TEST_F(CoreRecords, ARefusedJoinHasTheIdOfItsConnectionAndItsOwnAddresses) {
  begin({.subflows = 1});
  connect();
  take({.client_port = 41'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {MpJoinSyn{.backup = false, .address_id = 2, .token = token(), .nonce = 7}}});
  engine->finish();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].reason, "limits.subflows");
  EXPECT_EQ(told[1].id, ended.at(0).info.id);
  EXPECT_EQ(told[1].endpoints.src_port, 41'000);
}

TEST_F(CoreRecords, AnOfferThatIsTakenOutIsToldOnceAndCounted) {
  begin({.add_addr = decide::AddAddr::kDrop});
  connect();
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(offered(offer(5)).changed.empty());
  EXPECT_FALSE(offered(offer(6)).changed.empty());
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[1].action, "drop");
  EXPECT_EQ(told[1].rule, "default");
  EXPECT_EQ(told[1].reason, "ADD_ADDR 5: 198.51.100.7 is taken out: limits.add_addr");
  EXPECT_EQ(told[1].endpoints.src_port, 40'000);
  EXPECT_FALSE(told[1].id.empty());
  EXPECT_EQ(told[2].reason, "ADD_ADDR 6: 198.51.100.7 is taken out: limits.add_addr");
  EXPECT_EQ(core->counters().add_addr_dropped, 4U);
}

TEST_F(CoreRecords, AHostThatOffersWithoutEndFillsNoLog) {
  begin({.add_addr = decide::AddAddr::kDrop});
  connect();
  for (int i = 0; i < 200; ++i) offered(offer(static_cast<std::uint8_t>(i + 1)));
  EXPECT_EQ(told.size(), 33U);
  EXPECT_EQ(core->counters().add_addr_dropped, 200U);
}

TEST_F(CoreRecords, AForgedOptionSaysWhatBecameOfItsPacket) {
  connect();
  AddAddr forged = offer(5);
  forged.hmac = *forged.hmac + 1;
  EXPECT_EQ(offered(forged).what, Outcome::What::kDrop);
  EXPECT_EQ(action_of("add_addr_hmac_mismatch"), "blocked");
  // By the client: its peer has an address that anyone can reach.
  AddAddr unreachable = offer(6, "10.9.9.9");
  unreachable.hmac = track::add_addr_hmac(kClientKey, kServerKey, unreachable.address_id, unreachable.address, 0);
  EXPECT_EQ(take({.options = {unreachable}, .mark = MarkState::kTracked}).what, Outcome::What::kAccept);
  EXPECT_EQ(action_of("add_addr_private"), "allowed");
  take({.client_port = 41'000,
        .ssn = 0,
        .acks = 0,
        .flags = kSynFlag,
        .options = {MpJoinSyn{.backup = false, .address_id = 2, .token = token() + 1, .nonce = 7}}});
  EXPECT_EQ(action_of("join_unknown_token"), "blocked");
}

TEST_F(CoreRecords, AForgedOptionThatPassesIsAllowed) {
  begin({}, {.drop_forged = false});
  connect();
  MpFastclose close;
  close.receiver_key = kServerKey + 1;
  EXPECT_EQ(take({.options = {close}, .mark = MarkState::kTracked}).what, Outcome::What::kAccept);
  EXPECT_EQ(action_of("fastclose_key_mismatch"), "allowed");
}

TEST_F(CoreRecords, DecisionsThatGoAreCountedAsTheyGo) {
  begin({}, {.most_decisions = 6});
  const auto asks = [&](std::uint16_t client_port) {
    take({.client_port = client_port, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {capable()}});
    return core->counters().decisions_evicted;
  };
  for (std::uint16_t i = 0; i < 5; ++i) EXPECT_EQ(asks(static_cast<std::uint16_t>(40'000 + i)), 0U);
  EXPECT_EQ(asks(40'000), 0U) << "it comes again, and is young again";
  EXPECT_EQ(asks(40'001), 1U) << "for which the oldest one goes";
}

TEST_F(CoreRecords, WhatIsStrippedByALimitIsCountedAsThatAndFollowedNoMore) {
  begin({.host_connections = 1});
  connect();
  for (int i = 0; i < 2; ++i) take({.client_port = 40'001, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {capable()}});
  std::vector<Listed> all;
  core->list(all, 0, 10);
  EXPECT_EQ(all.size(), 1U);
  EXPECT_EQ(core->remembered(), 1U);
  EXPECT_EQ(core->counters().inspected, 1U);
  EXPECT_EQ(core->counters().stripped, 1U);
}

TEST_F(CoreRecords, WhoCutsTheLastSubflowCutsTheConnection) {
  connect();
  const auto number = engine->connection_of(track::digest_key(kServerKey, 1).token);
  ASSERT_TRUE(core->cut(number, 0, now));
  EXPECT_EQ(core->counters().blocked_connections, 1U);
}

TEST_F(CoreRecords, WhetherTheKernelFollowsAConnectionIsSaved) {
  connect();
  const auto state = engine->save();
  const auto decided = core->save();
  begin({});
  ASSERT_TRUE(engine->restore(state, now));
  ASSERT_TRUE(core->restore(decided, now));
  ASSERT_TRUE(core->cut(engine->connection_of(token()), std::nullopt, now));
  ASSERT_FALSE(sent_followed.empty());
  EXPECT_EQ(std::ranges::count(sent_followed, false), 0);
}

}  // namespace
}  // namespace weir::gateway

// The core over an engine, without a kernel: packets in, outcomes out.
#include "gateway/core.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "gateway/crafted_test.h"
#include "track/flow_table.h"
#include "track/keys.h"

namespace weir::gateway {
namespace {

using namespace wire::mptcp;

using namespace crafted;

constexpr std::uint32_t kClientNonce = 0x11223344;

class Streams : public engine::Observer {
 public:
  void on_data(const engine::ConnectionInfo& /*info*/, const engine::StreamChunk& chunk) override {
    for (const std::byte b : chunk.bytes) streams.push_back(static_cast<char>(b));
  }
  std::string streams;
};

class CoreTest : public ::testing::Test, public CoreSink {
 protected:
  CoreTest() { begin(); }

  void begin(std::int64_t inspect_depth_bytes = 0, unsigned shards = 1, std::int64_t linger_seconds = 10, bool offload = true) {
    CoreSettings settings;
    settings.offload = offload;
    settings.shards = shards;
    settings.inspect_depth_bytes = inspect_depth_bytes;
    decide::PolicySettings policy;
    decide::Rule rule;
    rule.name = "allowed";
    rule.action = decide::Action::kAllow;
    rule.match.port.in.push_back({kAllowedPort, kAllowedPort});
    policy.rules.push_back(rule);
    policy.otherwise.name = "default";
    core = std::make_unique<Core>(settings, std::make_shared<const decide::Policy>(std::move(policy)), Surroundings{}, *this, seen);
    engine::Settings how;
    how.inline_mode = true;
    how.limits.linger_seconds = linger_seconds;
    how.checksums = engine::ChecksumPolicy::kVerify;
    engine = std::make_unique<engine::Engine>(how, *core);
    core->use(*engine);
  }

  Outcome take(const Sent& p) { return core->take(crafted::packet(p, now += 1'000'000, bytes)); }
  /// The state that the verdict gives the flow; that of the packet where it gives none.
  MarkState state(const Sent& p) {
    const Outcome out = take(p);
    EXPECT_EQ(out.what, Outcome::What::kAccept);
    return out.mark ? marks.state(*out.mark) : p.mark;
  }

  static MpJoinSyn join_syn() { return {.backup = false, .address_id = 2, .token = track::digest_key(kServerKey, 1).token, .nonce = kClientNonce}; }
  /// A first subflow's handshake. The mark after it.
  MarkState connect(std::uint16_t server_port, std::uint16_t client_port = 40'000) {
    MarkState mark = MarkState::kNone;
    std::size_t passed = 0;
    for (Sent packet : handshake({.client_port = client_port, .server_port = server_port})) {
      packet.mark = mark;
      mark = state(packet);
      if (++passed < 3) {
        EXPECT_EQ(mark, MarkState::kTracked) << "a SYN says nothing for good";
      }
    }
    return mark;
  }

  static std::uint64_t key_of(std::uint16_t client_port) {
    return track::hash_flow(IpAddress::v4(kClient), client_port, IpAddress::v4(kServer), kInspectedPort, 0, 0);
  }
  bool led_to(const Sent& p, unsigned shard) {
    const Outcome out = take(p);
    return out.what == Outcome::What::kRepeat && out.mark && marks.shard(*out.mark) == shard;
  }
  /// With a mark, whichever of several shards its ports are for.
  void connect_here() {
    for (const Sent& packet : handshake({.mark = MarkState::kTracked})) take(packet);
    EXPECT_NE(engine->connection_of(join_syn().token), 0U);
  }

  /// From now on each client may have one connection at once.
  void one_at_once(decide::Action action = decide::Action::kInspect) {
    decide::PolicySettings policy;
    policy.otherwise.name = "default";
    policy.otherwise.action = action;
    policy.otherwise.limits.host_connections = 1;
    core->use(std::make_shared<const decide::Policy>(std::move(policy)));
  }
  MarkState asks(std::uint16_t client_port) { return state({.client_port = client_port, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {capable()}}); }
  /// A mapping with a DATA_ACK.
  static Dss mapped(bool to_server, std::uint64_t offset, std::uint32_t ssn, std::uint16_t length, std::uint64_t acked) {
    Dss dss;
    dss.data_ack = Dss::DataAck{.value = track::digest_key(to_server ? kServerKey : kClientKey, 1).idsn + 1 + acked, .wide = true};
    dss.mapping = Dss::Mapping{
        .dsn = track::digest_key(to_server ? kClientKey : kServerKey, 1).idsn + 1 + offset, .wide = true, .ssn = ssn, .length = length, .checksum = {}};
    return dss;
  }

  void on_policy(const report::PolicyRecord& record) override { told.push_back(record); }
  void send(std::span<const std::byte> packet, bool /*followed*/) override { own.emplace_back(packet.begin(), packet.end()); }
  void mark(const Endpoints& subflow, std::uint32_t value) override { marked.emplace_back(subflow, value); }
  void mark_half_open(const Endpoints& subflow, std::uint32_t value) override { half_open_marked.emplace_back(subflow, value); }

  std::optional<Endpoints> as_sent(const Endpoints& /*subflow*/) override { return ++asked, outside; }

  Marks marks;
  std::size_t asked = 0;
  std::optional<Endpoints> outside;
  Streams seen;
  TimeNs now = 1'700'000'000'000'000'000;
  std::vector<std::byte> bytes;
  std::vector<report::PolicyRecord> told;
  std::vector<std::vector<std::byte>> own;
  std::vector<std::pair<Endpoints, std::uint32_t>> marked, half_open_marked;
  std::unique_ptr<Core> core;
  std::unique_ptr<engine::Engine> engine;
};

TEST_F(CoreTest, AnAllowedSubflowGoesByOnceItIsEstablished) { EXPECT_EQ(connect(kAllowedPort), MarkState::kOffloaded); }

TEST_F(CoreTest, AnInspectedSubflowIsJudged) { EXPECT_EQ(connect(kInspectedPort), MarkState::kTracked); }

TEST_F(CoreTest, WhatIsOverIsForgottenAndCountsInNoLimitOfItsClient) {
  one_at_once();
  EXPECT_EQ(asks(40'000), MarkState::kTracked);
  EXPECT_EQ(asks(40'001), MarkState::kStripped) << "the first one still waits for its answer";
  // No one answers: the handshake is given up.
  engine->advance(now += 120'000'000'000);
  EXPECT_EQ(core->remembered(), 0U);
  EXPECT_EQ(asks(40'002), MarkState::kTracked);
}

// Most of an allowed connection goes by in the kernel: its FINs lie behind what was not seen.
TEST_F(CoreTest, AnAllowedConnectionThatHasEndedCountsNoMore) {
  one_at_once(decide::Action::kAllow);
  ASSERT_EQ(connect(kAllowedPort), MarkState::kOffloaded);
  EXPECT_EQ(asks(40'001), MarkState::kStripped);
  EXPECT_EQ(state({.server_port = kAllowedPort, .ssn = 700'000, .flags = kFinFlags, .mark = MarkState::kOffloaded}), MarkState::kOffloaded);
  EXPECT_EQ(asks(40'002), MarkState::kStripped) << "one half is open";
  EXPECT_EQ(state({.server_port = kAllowedPort, .to_server = false, .acks = 700'001, .flags = kFinFlags, .mark = MarkState::kOffloaded}), MarkState::kTracked)
      << "what still comes of it is looked at";
  EXPECT_EQ(asks(40'003), MarkState::kTracked);
  engine->advance(now += 120'000'000'000);
  core->advance(now);
  EXPECT_EQ(core->remembered(), 0U);
}

TEST_F(CoreTest, ABlockedConnectionCountsNoMore) {
  one_at_once();
  connect(kInspectedPort);
  EXPECT_EQ(asks(40'001), MarkState::kStripped);
  ASSERT_TRUE(core->cut(engine->connection_of(join_syn().token), std::nullopt, now));
  EXPECT_EQ(asks(40'002), MarkState::kTracked);
}

TEST_F(CoreTest, AnAllowedConnectionIsNotLookedIntoWhereItMayNotGoByInTheKernelEither) {
  for (const bool offload : {true, false}) {
    begin(0, 1, 10, offload);
    const auto mark = connect(kAllowedPort);
    EXPECT_EQ(mark, offload ? MarkState::kOffloaded : MarkState::kTracked);
    EXPECT_EQ(state({.server_port = kAllowedPort, .options = {mapped(true, 0, 1, 1, 0)}, .payload = "c", .mark = MarkState::kTracked}), mark);
    EXPECT_EQ(state({.server_port = kAllowedPort, .ssn = 2, .payload = "unmapped", .mark = MarkState::kTracked}), mark);
    EXPECT_TRUE(seen.streams.empty());
    connect(kInspectedPort, 40'001);
    take({.client_port = 40'001, .options = {mapped(true, 0, 1, 1, 0)}, .payload = "c", .mark = MarkState::kTracked});
    EXPECT_EQ(seen.streams, "c");
    seen.streams.clear();
  }
}

TEST_F(CoreTest, ARstOfOneHostAloneFreesNoLimit) {
  for (const auto action : {decide::Action::kAllow, decide::Action::kInspect}) {
    begin();
    one_at_once(action);
    const MarkState mark = connect(kAllowedPort);
    EXPECT_EQ(state({.server_port = kAllowedPort, .ssn = 1, .flags = kRstFlag, .mark = mark}), MarkState::kTracked);
    for (int i = 0; i < 30; ++i) {
      now += 1'000'000'000;
      state({.server_port = kAllowedPort, .mark = MarkState::kTracked});
      EXPECT_EQ(asks(static_cast<std::uint16_t>(40'001 + i)), MarkState::kStripped) << "it goes on: the server never got that";
    }
    engine->advance(now += 60'000'000'000);
    core->advance(now);
    EXPECT_EQ(asks(41'000), MarkState::kStripped) << "for as long as it may be there";
  }
}

TEST_F(CoreTest, ARstBehindWhichAllIsSilentFreesItsLimit) {
  one_at_once(decide::Action::kAllow);
  ASSERT_EQ(connect(kAllowedPort), MarkState::kOffloaded);
  state({.server_port = kAllowedPort, .ssn = 700'000, .flags = kRstFlag, .mark = MarkState::kOffloaded});
  EXPECT_EQ(asks(40'001), MarkState::kStripped);
  engine->advance(now += 60'000'000'000);
  core->advance(now);
  EXPECT_EQ(asks(40'002), MarkState::kTracked);
}

TEST_F(CoreTest, APacketThatEndsItsConnectionLeavesNothingOfIt) {
  begin(0, 1, 0);
  connect(kInspectedPort);
  EXPECT_GT(core->remembered(), 0U);
  take({.flags = kRstFlag, .mark = MarkState::kTracked});
  take({.to_server = false, .flags = kRstFlag, .mark = MarkState::kTracked});
  take({.mark = MarkState::kTracked});
  engine->advance(now += 200'000'000'000);
  core->advance(now);
  EXPECT_EQ(core->remembered(), 0U);
}

TEST_F(CoreTest, ASynWithBothOptionsFreesNoOtherConnection) {
  connect(kInspectedPort);
  // To an allowed port, with the token of the one that is inspected.
  take({.client_port = 41'000, .server_port = kAllowedPort, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {capable(), join_syn()}});
  EXPECT_EQ(state({.to_server = false, .mark = MarkState::kTracked}), MarkState::kTracked);
}

TEST_F(CoreTest, ASynAgainOfAnotherKindFreesNoOtherConnection) {
  connect(kInspectedPort);
  take({.client_port = 41'000, .server_port = kAllowedPort, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}});
  take({.client_port = 41'000, .server_port = kAllowedPort, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {capable()}});
  EXPECT_EQ(state({.to_server = false, .mark = MarkState::kTracked}), MarkState::kTracked);
}

TEST_F(CoreTest, AJoinOfAnAllowedConnectionDoesNotFreeTheFlowWhoseAddressesItHas) {
  connect(kAllowedPort, 41'000);
  // The same addresses as the allowed one's peer, on a flow that is plain to the engine: only a SYN was seen.
  EXPECT_EQ(state({.client_port = 42'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}}), MarkState::kTracked);
}

TEST_F(CoreTest, AMatchMarksEverySubflowAndNoSynMarksAnother) {
  connect(kInspectedPort);
  const std::uint64_t number = engine->connection_of(join_syn().token);
  ASSERT_NE(number, 0U);
  engine->block(number, Direction::kToServer);
  const Outcome out = take({.options = {}, .payload = "x", .mark = MarkState::kTracked});
  EXPECT_NE(out.what, Outcome::What::kAccept);
  ASSERT_EQ(marked.size(), 1U);
  EXPECT_EQ(marks.state(marked[0].second), MarkState::kBlocked);
  EXPECT_EQ(marked[0].first.dst_port, kInspectedPort);
  const Outcome syn = take({.client_port = 43'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}});
  EXPECT_EQ(syn.what, Outcome::What::kDrop) << "not a mark on the addresses of whoever they are";
}

TEST_F(CoreTest, HostsOfABlockedConnectionAreToldInPlaceAndAgainAsLongAsTheyGoOn) {
  connect(kInspectedPort);
  ASSERT_TRUE(core->cut(engine->connection_of(join_syn().token), std::nullopt, now));
  const auto is_told = [&](bool to_server, std::uint8_t flags) {
    const Outcome out = take({.to_server = to_server, .flags = flags, .payload = flags == kRstFlag ? "" : "more", .mark = MarkState::kBlocked});
    if (out.changed.empty()) {
      EXPECT_EQ(out.what, Outcome::What::kDrop);
    } else {
      EXPECT_EQ(out.what, Outcome::What::kAccept);
    }
    return !out.changed.empty();
  };
  EXPECT_TRUE(is_told(true, kAckFlag));
  EXPECT_TRUE(is_told(false, kAckFlag)) << "the client has not answered";
  // No one answers, and the end is given up; a host that sends later is told then.
  for (int i = 0; i < 100; ++i) core->advance(now += 100'000'000);
  EXPECT_EQ(core->closing(), 0U);
  own.clear();
  EXPECT_TRUE(is_told(true, kAckFlag));
  EXPECT_EQ(core->closing(), 1U);
  core->advance(now);
  EXPECT_FALSE(own.empty());
}

TEST_F(CoreTest, AMatchMarksASubflowWhoseHandshakeIsUnderWay) {
  constexpr std::uint32_t kServerNonce = 0x55667788;
  connect(kInspectedPort);
  const std::uint64_t number = engine->connection_of(join_syn().token);
  EXPECT_EQ(state({.client_port = 43'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}}), MarkState::kTracked);
  MpJoinSynAck answer{.backup = false, .address_id = 3, .hmac = 0, .nonce = kServerNonce};
  answer.hmac = track::leftmost_64(track::join_hmac(1, kServerKey, kClientKey, kServerNonce, kClientNonce));
  EXPECT_EQ(state({.client_port = 43'000, .to_server = false, .ssn = 0, .flags = kSynAckFlags, .options = {answer}, .mark = MarkState::kTracked}),
            MarkState::kTracked);
  engine->block(number, Direction::kToServer);
  EXPECT_NE(take({.payload = "x", .mark = MarkState::kTracked}).what, Outcome::What::kAccept);
  ASSERT_EQ(half_open_marked.size(), 1U);
  EXPECT_EQ(half_open_marked[0].first.src_port, 43'000);
  EXPECT_EQ(marks.state(half_open_marked[0].second), MarkState::kBlocked);
  const MpJoinAck third{track::join_hmac(1, kClientKey, kServerKey, kClientNonce, kServerNonce)};
  const Outcome out = take({.client_port = 43'000, .options = {third}, .mark = MarkState::kTracked});
  EXPECT_EQ(out.what, Outcome::What::kRepeat);
  EXPECT_EQ(marks.state(out.mark.value_or(0)), MarkState::kBlocked) << "and should the kernel have no entry yet, it has by this one";
}

TEST_F(CoreTest, WhatIsBlockedElsewhereIsMarkedAtTheStart) {
  connect(kInspectedPort);
  engine->block(engine->connection_of(join_syn().token), Direction::kToServer);
  core->hold_blocked();
  ASSERT_EQ(marked.size(), 1U);
  EXPECT_EQ(marks.state(marked[0].second), MarkState::kBlocked);
}

TEST_F(CoreTest, ManyBytesPastTheDepthAreNotJudgedOnAnySubflow) {
  begin(1);
  connect(kInspectedPort);
  take({.options = {mapped(true, 0, 1, 1, 0)}, .payload = "c", .mark = MarkState::kTracked});
  take({.to_server = false, .acks = 2, .options = {mapped(false, 0, 1, 1, 1)}, .payload = "s", .mark = MarkState::kTracked});
  // What the engine would refuse: no mapping covers it.
  EXPECT_EQ(state({.ssn = 2, .acks = 2, .payload = "unmapped", .mark = MarkState::kTracked}), MarkState::kOffloaded);
}

TEST_F(CoreTest, ARefusedSynIsAnsweredAsItsSenderKnowsItsPeer) {
  constexpr std::array<std::byte, 4> kClient{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}};
  constexpr std::array<std::byte, 4> kOutside{std::byte{203}, std::byte{0}, std::byte{113}, std::byte{7}};
  const Endpoints as_sent{.src = IpAddress::v4(kClient), .dst = IpAddress::v4(kOutside), .src_port = 40'000, .dst_port = 8'080};
  connect(kInspectedPort);
  MpJoinSyn stranger = join_syn();
  ++stranger.token;
  Sent syn{.client_port = 50'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {stranger}};
  const Outcome first = take(syn);
  EXPECT_EQ(first.what, Outcome::What::kRepeat);
  ASSERT_TRUE(first.mark);
  EXPECT_EQ(marks.state(*first.mark), MarkState::kRefused);
  EXPECT_TRUE(own.empty());
  syn.mark = MarkState::kRefused;
  syn.as_sent = as_sent;
  EXPECT_EQ(take(syn).what, Outcome::What::kDrop);
  ASSERT_EQ(own.size(), 1U);
  RawPacket raw;
  raw.bytes = own.front();
  raw.original_bytes = static_cast<std::uint32_t>(own.front().size());
  raw.link = LinkType::kRaw;
  wire::Decoded decoded;
  wire::decode(raw, decoded);
  EXPECT_TRUE(decoded.tcp.flags.rst());
  EXPECT_EQ(decoded.src, as_sent.dst);
  EXPECT_EQ(decoded.tcp.src_port, as_sent.dst_port);
  EXPECT_EQ(core->counters().dropped, 1U);
}

TEST_F(CoreTest, WhereNoOneKnowsHowARefusedSynWasSentTheKernelAnswers) {
  MpJoinSyn stranger = join_syn();
  ++stranger.token;
  Sent syn{.client_port = 50'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {stranger}, .mark = MarkState::kRefused};
  const Outcome out = take(syn);
  EXPECT_EQ(out.what, Outcome::What::kRepeat);
  EXPECT_EQ(out.mark, marks.refused_by_kernel());
  EXPECT_TRUE(own.empty());
  // The rules have found that no NAT has changed it.
  syn.mark = MarkState::kOwn;
  EXPECT_EQ(take(syn).what, Outcome::What::kDrop);
  EXPECT_EQ(own.size(), 1U);
  EXPECT_EQ(core->counters().told_by_kernel, 1U);
}

TEST_F(CoreTest, ConntrackIsAskedSeldomWhateverAClientsJoinsAre) {
  connect(kInspectedPort);
  const Sent syn{.client_port = 50'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}, .mark = MarkState::kRefused};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(take(syn).what, Outcome::What::kRepeat);
  EXPECT_EQ(asked, 1U);
  now += 2'000'000'000;
  outside =
      Endpoints{.src = {}, .dst = IpAddress::v4(std::array{std::byte{203}, std::byte{0}, std::byte{113}, std::byte{7}}), .src_port = 1, .dst_port = 8'080};
  EXPECT_EQ(take(syn).what, Outcome::What::kDrop);
  EXPECT_EQ(own.size(), 1U);
  EXPECT_EQ(asked, 2U);
}

TEST_F(CoreTest, WhatIsAnotherShardsIsLedThere) {
  begin(0, 2);
  Directory directory;
  core->use(directory);
  std::uint16_t port = 40'000;
  while (take({.client_port = port, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {capable()}}).what == Outcome::What::kRepeat) ++port;
  ASSERT_LT(port, 40'100) << "half of all first SYNs are this shard's";
  connect(kInspectedPort, port);
  EXPECT_EQ(directory.shard_of_token(join_syn().token), 0U);
  EXPECT_EQ(take({.client_port = 50'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}}).what, Outcome::What::kAccept);

  MpJoinSyn other = join_syn();
  ++other.token;
  directory.claim_token(other.token, 1);
  const Outcome led = take({.client_port = 50'001, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {other}});
  EXPECT_EQ(led.what, Outcome::What::kRepeat);
  ASSERT_TRUE(led.mark);
  EXPECT_EQ(marks.shard(*led.mark), 1U);
  EXPECT_EQ(core->counters().steered, static_cast<std::uint64_t>(port - 40'000) + 1);

  engine->finish();
  EXPECT_EQ(directory.tokens(), 1U) << "those of this shard are forgotten";
  EXPECT_EQ(directory.flows(), 0U);
}

TEST_F(CoreTest, TheAnswerToAJoinOnAddressesOfAnOlderFlowIsLedToTheJoinsShard) {
  begin(0, 2);
  Directory directory;
  core->use(directory);
  directory.claim_token(join_syn().token, 1);
  EXPECT_EQ(take({.client_port = 50'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}, .mark = MarkState::kTracked}).what,
            Outcome::What::kRepeat);
  // What the other shard notes as the JOIN passes.
  directory.expect_answer(key_of(50'000), {.shard = 1, .isn = kClientIsn, .time_ns = now});
  const Sent answer{.client_port = 50'000, .to_server = false, .ssn = 0, .flags = kSynAckFlags, .mark = MarkState::kTracked};
  EXPECT_TRUE(led_to(answer, 1));
  EXPECT_TRUE(led_to(answer, 1)) << "it is for that shard to say whether it is the right one";
  Sent another = answer;
  another.acks = 2;
  EXPECT_EQ(take(another).what, Outcome::What::kAccept) << "it answers another SYN";
  another = answer;
  another.flags = kAckFlag;
  EXPECT_EQ(take(another).what, Outcome::What::kAccept);
  now += 70'000'000'000;
  EXPECT_EQ(take(answer).what, Outcome::What::kAccept) << "no one waits for it any more";
}

TEST_F(CoreTest, NoAnswerToAJoinTakesTheAddressesOfASubflowThatRuns) {
  begin(0, 2);
  Directory directory;
  core->use(directory);
  connect_here();
  // Of another connection, whose client has sent it on these ports, and sends its answer, too.
  const Sent answer{.to_server = false, .ssn = 77, .acks = 8, .flags = kSynAckFlags, .mark = MarkState::kTracked};
  const auto joins = [&] { directory.expect_answer(key_of(40'000), {.shard = 1, .isn = kClientIsn + 7, .time_ns = now}); };
  joins();
  EXPECT_EQ(take(answer).what, Outcome::What::kDrop);
  EXPECT_EQ(engine->refused(engine::Refusal::kOtherTerms), 1U);
  EXPECT_EQ(state({.to_server = false, .mark = MarkState::kTracked}), MarkState::kTracked) << "it goes on here";
  now += 31'000'000'000;
  joins();
  EXPECT_TRUE(led_to(answer, 1)) << "its end may have gone by unseen";
}

TEST_F(CoreTest, AnAnswerToAJoinHasTheAddressesOfASubflowThatHasEnded) {
  begin(0, 2);
  Directory directory;
  core->use(directory);
  connect_here();
  directory.expect_answer(key_of(40'000), {.shard = 1, .isn = kClientIsn + 7, .time_ns = now});
  take({.flags = kRstFlag, .mark = MarkState::kTracked});
  EXPECT_TRUE(led_to({.to_server = false, .ssn = 77, .acks = 8, .flags = kSynAckFlags, .mark = MarkState::kTracked}, 1));
}

TEST_F(CoreTest, AnAnswerToAJoinIsLedByWayOfTheShardThatHasTheFlow) {
  begin(0, 3);
  Directory directory;
  core->use(directory);
  directory.assign_flow(key_of(50'000), 2);
  directory.expect_answer(key_of(50'000), {.shard = 1, .isn = kClientIsn, .time_ns = now});
  EXPECT_TRUE(led_to({.client_port = 50'000, .to_server = false, .ssn = 0, .flags = kSynAckFlags, .mark = MarkState::kTracked}, 2));
  EXPECT_TRUE(led_to({.client_port = 50'000, .to_server = false, .ssn = 0, .flags = kSynAckFlags}, 2)) << "whatever the kernel knows";
  directory.expect_answer(key_of(50'000), {.shard = 0, .isn = kClientIsn, .time_ns = now});
  EXPECT_TRUE(led_to({.client_port = 50'000, .to_server = false, .ssn = 0, .flags = kSynAckFlags}, 2)) << "to a JOIN of this shard, too";
}

TEST_F(CoreTest, OnlyTheRightAnswerEndsTheWaitForIt) {
  constexpr std::uint32_t kServerNonce = 0x55667788;
  begin(0, 2);
  Directory directory;
  core->use(directory);
  connect_here();
  directory.claim_flow(key_of(43'000), 1);  // of what was there before
  EXPECT_EQ(state({.client_port = 43'000, .ssn = 0, .acks = 0, .flags = kSynFlag, .options = {join_syn()}, .mark = MarkState::kTracked}), MarkState::kTracked);
  MpJoinSynAck answer{.backup = false, .address_id = 3, .hmac = 1, .nonce = kServerNonce};
  const auto waits = [&] { return directory.shard_of_answer(key_of(43'000), kClientIsn + 1, now) == 0U; };
  const auto comes = [&] {
    return take({.client_port = 43'000, .to_server = false, .ssn = 0, .flags = kSynAckFlags, .options = {answer}, .mark = MarkState::kTracked}).what;
  };
  EXPECT_EQ(comes(), Outcome::What::kDrop);
  EXPECT_TRUE(waits());
  EXPECT_EQ(directory.shard_of_flow(key_of(43'000)), 1U);
  answer.hmac = track::leftmost_64(track::join_hmac(1, kServerKey, kClientKey, kServerNonce, kClientNonce));
  EXPECT_EQ(comes(), Outcome::What::kAccept);
  EXPECT_FALSE(waits());
  EXPECT_EQ(directory.shard_of_flow(key_of(43'000)), 0U);
}

}  // namespace
}  // namespace weir::gateway

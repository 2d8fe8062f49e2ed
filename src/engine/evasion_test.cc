// Ways around the engine inline that were found by reading it, each by its name.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class Evasion : public Conversation {
 protected:
  static std::vector<std::uint8_t> timestamp(std::uint32_t value) {
    std::vector<std::uint8_t> option{8, 10};
    for (unsigned shift = 32; shift > 0; shift -= 8) option.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
    option.resize(10, 0);
    return option;
  }
  /// A mapping whose checksum is wrong.
  Dss unsound(std::uint64_t offset, std::uint32_t ssn, std::size_t length) const {
    Dss dss = mapped(true, offset, ssn, length);
    dss.mapping->checksum = 0x1234;
    return dss;
  }
  Judgement capable_syn(std::uint32_t ssn, std::uint32_t subflow = 0) {
    return send({.subflow = subflow, .ssn = ssn, .flags = 0x02, .acks = 0, .options = {MpCapable{}}});
  }
};

TEST_F(Evasion, AWrongDssChecksumIsNoWayPastInspection) {
  start();
  connect(true);
  EXPECT_EQ(refusal({.ssn = 1, .payload = "inno", .options = {unsound(0, 1, 4)}}), "none") << "plain TCP agrees: both fall back";
  start();
  scanned = {};
  connect(true);
  // One whose receiver checks is told by the flags; it takes nothing before the mapping is whole.
  EXPECT_EQ(refusal({.ssn = 1, .payload = "an attack", .options = {unsound(0, 1, 20)}}), "rule");
}

TEST_F(Evasion, WhereAnotherSubflowHasJoinedAWrongDssChecksumEndsItsOwn) {
  start();
  connect(true);
  Dss sound = mapped(true, 0, 1, 1);
  sound.mapping->checksum = [&] {
    std::uint32_t sum = 1 + 1 + ('c' << 8);  // SSN, length, data
    for (int i = 0; i < 4; ++i) sum += static_cast<std::uint32_t>(first_dsn(true) >> (16 * i) & 0xffff);
    while (sum >> 16U) sum = (sum & 0xffff) + (sum >> 16U);
    return static_cast<std::uint16_t>(~sum);
  }();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "c", .options = {sound}}), "none");
  EXPECT_EQ(refusal({.to_server = false, .acks = 2, .options = {ack_of(true, 1)}}), "none");
  join();
  EXPECT_EQ(refusal({.ssn = 2, .payload = "xyz", .options = {unsound(1, 2, 3)}}), "dss_checksum");
  EXPECT_EQ(refusal({.ssn = 2, .payload = "xyz", .options = {unsound(1, 2, 3)}}), "after_end");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 1, .payload = "att", .options = {unsound(1, 1, 6)}}), "none") << "other bytes: those did not pass";
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 4, .payload = "ack", .options = {unsound(1, 1, 6)}}), "dss_checksum");
}

TEST_F(Evasion, TheChecksumFlagOfTheThirdAckIsThatOfTheHandshake) {
  start();
  MpCapable syn;
  syn.checksum_required = true;
  send({.ssn = 0, .flags = 0x02, .acks = 0, .options = {syn}});
  syn.sender_key = kServerKey;
  send({.to_server = false, .ssn = 0, .flags = 0x12, .options = {syn}});
  MpCapable ack;
  ack.sender_key = kClientKey;
  ack.receiver_key = kServerKey;
  EXPECT_EQ(refusal({.options = {ack}}), "other_terms");
  ack.checksum_required = true;
  EXPECT_EQ(refusal({.options = {ack}}), "none");
}

TEST_F(Evasion, AHandshakeIsNotCompletedByAPacketThatIsRefused) {
  start();
  establish();
  send({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}});
  send({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack()}});
  EXPECT_EQ(refusal({.subflow = 1, .payload = "x", .options = {join_ack()}}), "not_joined");
  EXPECT_EQ(engine->overview(0, 1).at(0).record.subflows.at(1).state, SubflowState::kAttempted);
  EXPECT_EQ(refusal({.subflow = 1, .flags = 0x11, .options = {join_ack()}}), "not_joined");
  EXPECT_EQ(engine->overview(0, 1).at(0).record.subflows.at(1).state, SubflowState::kAttempted);
  EXPECT_EQ(refusal({.subflow = 1, .options = {join_ack()}}), "none");
}

TEST_F(Evasion, ASynOpensOneThing) {
  start();
  establish();
  const Packet both{.subflow = 3, .ssn = 0, .flags = 0x02, .acks = 0, .options = {MpCapable{}, join_syn()}};
  EXPECT_EQ(refusal(both), "malformed");
  EXPECT_EQ(send(both).connection, 0U);
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "none");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "none") << "again";
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {MpCapable{}}}), "other_terms");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn(9)}}), "other_terms") << "another nonce";
  EXPECT_TRUE(capable_syn(0, 5).passes());
  EXPECT_EQ(refusal({.subflow = 5, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn(5)}}), "other_terms");
}

TEST_F(Evasion, APlainSynThatNeverArrivedHidesNone) {
  start();
  establish();
  send({.ssn = 77'000'000, .flags = 0x02, .acks = 0});
  EXPECT_TRUE(capable_syn(77'000'000).opens_connection);
}

TEST_F(Evasion, SynsOnOneTupleAreKeptNoMoreThanTwo) {
  start();
  establish();
  for (std::uint32_t i = 0; i < 50; ++i) EXPECT_TRUE(capable_syn(10'000 + 1'000 * i).passes());
  EXPECT_EQ(engine->overview(0, 100).size(), 2U);
  EXPECT_EQ(gone.size(), 49U) << "and each that went was told to be gone";
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule") << "what is established is followed";
}

TEST_F(Evasion, ASynThatAnyoneSentStopsNoConnectionThatIsNotFollowed) {
  start();
  capable_syn(900'000'000);
  EXPECT_EQ(refusal({.ssn = 5, .payload = "GET /", .acks = 7}), "none");
  EXPECT_EQ(refusal({.to_server = false, .ssn = 7, .payload = "200 OK", .acks = 10}), "none");
  EXPECT_EQ(refusal({.ssn = 900'000'001, .payload = "attack"}), "not_joined");
}

TEST_F(Evasion, AnOldSegmentThatItsReceiverThrowsAwayChangesNothing) {
  start();
  establish();
  const auto stamped = [&](std::uint32_t ssn, std::uint32_t value) {
    return refusal({.ssn = ssn, .payload = "x", .acks = 2, .options = {mapped(true, ssn - 1, ssn, 1, 1)}, .other_options = timestamp(value)});
  };
  EXPECT_EQ(stamped(2, 1'000), "none");
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 3, .options = {ack_of(true, 2)}}), "none");
  EXPECT_EQ(refusal({.ssn = static_cast<std::uint32_t>(-90'000), .acks = 2, .other_options = timestamp(1'000 + (1U << 30U))}), "none");
  EXPECT_EQ(stamped(3, 1'001), "none") << "not older than what came";
  Dss fin = mapped(true, 30, 0, 1);
  fin.data_fin = true;
  EXPECT_EQ(refusal({.ssn = static_cast<std::uint32_t>(-90'000), .acks = 2, .options = {fin}}), "none");
  Dss end = mapped(true, 3, 0, 1);
  end.data_fin = true;
  EXPECT_EQ(refusal({.ssn = 4, .acks = 2, .options = {end}, .other_options = timestamp(1'002)}), "none") << "the right end still may come";
}

TEST_F(Evasion, ADataFinLiesWithinTheWindow) {
  start();
  establish();
  Dss fin = mapped(true, 1'000'000'000, 0, 1);
  fin.data_fin = true;
  EXPECT_EQ(refusal({.ssn = 2, .acks = 2, .options = {fin}}), "data_window");
}

TEST_F(Evasion, WhatAProbeOfAnIdleConnectionLooksLikePasses) {
  start();
  establish();
  EXPECT_EQ(refusal({.ssn = 1, .acks = 2}), "none");
  EXPECT_EQ(data(0, 1, 0, "c"), "none") << "with an octet";
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
}

TEST_F(Evasion, NothingJoinsWhatHasFallenBack) {
  start();
  connect();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain "}), "none");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "not_joined");
}

TEST_F(Evasion, AJoinUnderWayDoesNotCompleteAfterAFallback) {
  start();
  connect();
  send({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}});
  send({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack()}});
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain "}), "none");
  EXPECT_EQ(refusal({.subflow = 1, .options = {join_ack()}}), "not_joined");
}

TEST_F(Evasion, WhereASubflowHasJoinedMpFailIsNoFallback) {
  start();
  connect(true);
  join();
  EXPECT_EQ(refusal({.ssn = 1, .options = {ack_of(false, 0), MpFail{first_dsn(true)}}}), "none");
  EXPECT_NE(engine->overview(0, 1).at(0).record.state, ConnectionState::kFallback);
}

TEST_F(Evasion, WhatPassedBeforeAFallbackStandsBehindIt) {
  start();
  connect(true);
  Dss ahead = mapped(true, 3, 1, 3);
  ahead.mapping->checksum = 0;
  EXPECT_EQ(refusal({.ssn = 1, .payload = "abc", .options = {ahead}}), "unconfirmed");
}

TEST_F(Evasion, SegmentsWithASignatureThatNoSubflowHasDoNotPass) {
  start();
  establish();
  std::vector<std::uint8_t> md5(18, 0);
  md5[0] = 19;
  md5[1] = 18;
  EXPECT_EQ(refusal({.ssn = 2, .payload = "abc", .options = {}, .other_options = md5}), "malformed");
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
}

TEST_F(Evasion, WhatIsIdleForDaysIsStillKnown) {
  start();
  establish();
  now += 4LL * 86'400 * 1'000'000'000;
  for (int i = 0; i < 8; ++i) engine->advance(now);
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
}

TEST_F(Evasion, DataInTheMiddleThatCannotBePlacedIsToldAsUnseen) {
  start();
  const Judgement judged = send({.ssn = 500, .payload = "attack", .acks = 700, .options = {mapped(true, 1'000, 500, 60'000)}});
  EXPECT_TRUE(judged.unseen_path);
  Settings settings;
  settings.follow_unseen = false;
  start(settings);
  EXPECT_EQ(refusal({.ssn = 500, .payload = "attack", .acks = 700, .options = {mapped(true, 1'000, 500, 60'000)}}), "unmapped");
}

TEST_F(Evasion, SmallPiecesCostWhatTheyCost) {
  start();
  establish();
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(data(0, 2 + i, 1 + i, "x"), "none");
  EXPECT_GT(engine->overview(0, 1).at(0).waiting_bytes, 100U * 200);
}

}  // namespace
}  // namespace weir::engine

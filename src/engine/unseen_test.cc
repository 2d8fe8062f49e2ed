// Inline: packets that went by unseen, and outsiders who say that some did.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class Unseen : public Conversation {
 protected:
  /// Kind 8, as on the wire (RFC 7323 §3.2).
  static std::vector<std::uint8_t> times(std::uint32_t value, std::uint32_t echo) {
    std::vector<std::uint8_t> octets{8, 10};
    for (const std::uint32_t each : {value, echo}) {
      for (int shift = 24; shift >= 0; shift -= 8) octets.push_back(static_cast<std::uint8_t>(each >> shift));
    }
    return octets;
  }
  /// Bytes 1 to 99 of the stream to the server have gone by; its next is lost before it comes here, and one behind that waits.
  void lose_one() {
    EXPECT_EQ(data(0, 2, 1, std::string(99, '.')), "none");
    EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 101, .options = {ack_of(true, 100)}}), "none");
    EXPECT_EQ(data(0, 201, 200, "behind the hole"), "none");
  }
  Judgement ack(std::uint32_t ssn, std::uint32_t acks, std::vector<Option> options = {}) {
    return send({.to_server = false, .ssn = ssn, .acks = acks, .options = std::move(options)});
  }
};

TEST_F(Unseen, AnAcknowledgementThatAnyoneCanSendEndsNothing) {
  start();
  establish();
  lose_one();
  EXPECT_FALSE(ack(5'000, 201).unseen_path) << "in the window, and no more";
  EXPECT_FALSE(ack(2, 101, {ack_of(true, 100)}).unseen_path) << "the receiver still waits";
  EXPECT_EQ(data(0, 101, 100, std::string(100, '.')), "none") << "and gets what was lost";
  EXPECT_EQ(scanned[0].size(), 1U + 99 + 100 + 15);
}

TEST_F(Unseen, WhatNoHostContradictsForASecondIsFollowed) {
  start();
  establish();
  lose_one();
  EXPECT_FALSE(ack(5'000, 201).unseen_path) << "of a host whose numbers are not known for certain";
  now += 2'000'000'000;
  EXPECT_FALSE(ack(5'000, 201).unseen_path);
  EXPECT_EQ(data(0, 101, 100, std::string(100, '.')), "skipped") << "passed over";
}

TEST_F(Unseen, AnAcknowledgementThatAnyoneCanSendLosesNothing) {
  start();
  establish();
  lose_one();
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(ack(5'000 + i, 201).unseen_path);
    EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 101, .options = {ack_of(true, 100)}}), "none");
    now += 50'000'000;
  }
  EXPECT_EQ(data(0, 101, 100, std::string(100, '.')), "none");
  EXPECT_EQ(gaps[0], 0U);
}

TEST_F(Unseen, NoOneButItsHostMovesItsTimes) {
  start();
  establish();
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 1)}, .other_options = times(1'000, 500)}), "none");
  EXPECT_EQ(refusal({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}, .other_options = times(501, 1'000)}), "none");
  EXPECT_EQ(refusal({.ssn = 9'000, .acks = 2, .options = {ack_of(false, 1)}, .other_options = times(501 + (1U << 30U), 1'000)}), "none")
      << "far ahead, in another place";
  EXPECT_EQ(refusal({.ssn = 2, .payload = std::string(99, '.'), .acks = 2, .options = {mapped(true, 1, 2, 99, 1)}, .other_options = times(502, 1'000)}),
            "none");
  EXPECT_EQ(refusal({.ssn = 201, .payload = "behind", .acks = 2, .options = {mapped(true, 200, 201, 6, 1)}, .other_options = times(503, 1'000)}), "none");
  EXPECT_TRUE(send({.to_server = false, .ssn = 2, .acks = 201, .options = {ack_of(true, 100)}, .other_options = times(1'001, 503)}).unseen_path);
}

TEST_F(Unseen, AnAcknowledgementByItsReceiverTellsOfAnUnseenPath) {
  start();
  establish();
  lose_one();
  EXPECT_TRUE(ack(2, 201).unseen_path) << "at the very number that it stands at";
}

TEST_F(Unseen, AWholeDataAckTellsOfAnUnseenPath) {
  start();
  establish();
  lose_one();
  EXPECT_TRUE(ack(5'000, 201, {ack_of(true, 200)}).unseen_path);
}

TEST_F(Unseen, WhatSomeoneSaidCountsOnceItsReceiverSaysSo) {
  start();
  establish();
  lose_one();
  EXPECT_FALSE(ack(5'000, 201).unseen_path);
  EXPECT_TRUE(ack(2, 201, {ack_of(true, 200)}).unseen_path);
}

TEST_F(Unseen, AHalfDataAckOfAnyoneEndsNothing) {
  start();
  establish();
  join();
  EXPECT_EQ(data(0, 2, 1, std::string(99, '.')), "none");
  EXPECT_EQ(data(1, 1, 200, "behind the hole"), "none");
  Dss half = ack_of(true, 210);
  half.data_ack->wide = false;
  half.data_ack->value &= 0xffffffff;
  EXPECT_FALSE(ack(5'000, 101, {half}).unseen_path);
  EXPECT_EQ(gaps[0], 0U);
  EXPECT_EQ(data(0, 101, 100, std::string(100, '.')), "none") << "nothing was passed over";
}

TEST_F(Unseen, AnAcknowledgementAheadOfAnyoneIsNotRemembered) {
  start();
  establish();
  ack(5'000, 205);
  EXPECT_EQ(data(0, 2, 1, std::string(99, '.')), "none");
  EXPECT_EQ(data(0, 201, 200, "behind what was lost"), "none");
  EXPECT_EQ(data(0, 101, 100, std::string(100, '.')), "none") << "it comes again, and was not passed over";
}

TEST_F(Unseen, WhereHostsTellTimesOnlyWhatTellsThemTooCounts) {
  start();
  establish();
  send({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}, .other_options = times(1'000, 5'000)});
  send({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 1)}, .other_options = times(5'000, 1'000)});
  lose_one();
  EXPECT_FALSE(ack(2, 201).unseen_path);
  EXPECT_FALSE(send({.to_server = false, .ssn = 2, .acks = 201, .other_options = times(5'001, 0x7000'0000)}).unseen_path);
  EXPECT_TRUE(send({.to_server = false, .ssn = 2, .acks = 201, .other_options = times(5'001, 1'000)}).unseen_path);
}

TEST_F(Unseen, BehindWhatWentByBytesFollowWindowsThatWereNotSeen) {
  start();
  establish();
  // A queue that was full has let by more than a window, and its acknowledgement is the first thing seen.
  ack(2, 200'002, {ack_of(true, 200'001)});
  EXPECT_EQ(data(0, 260'000, 259'999, "on"), "none");
  EXPECT_FALSE(told("dsn_out_of_window"));
  EXPECT_EQ(data(0, 200'002, 200'001, "attack"), "rule");
}

TEST_F(Unseen, ATimeThatWasNotSeenShowsThatAWindowMayHaveBeenOpened) {
  start();
  establish();
  send({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}, .other_options = times(1'000, 5'000)});
  send({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 1)}, .other_options = times(5'000, 1'000)});
  EXPECT_EQ(refusal({.ssn = 100'002, .payload = "on", .acks = 2, .options = {mapped(true, 100'001, 100'002, 2, 1)}, .other_options = times(1'001, 5'100)}),
            "none");
  EXPECT_FALSE(told("dsn_out_of_window"));
  EXPECT_EQ(refusal({.ssn = 3, .payload = "on", .acks = 2, .options = {mapped(true, 140'001, 3, 2, 1)}, .other_options = times(1'002, 5'000)}), "data_window");
  EXPECT_TRUE(told("dsn_out_of_window")) << "its sender knows of no other window than the one that was seen";
}

TEST_F(Unseen, NoWindowIsHeldAgainstWhatGoesBy) {
  start();
  establish();
  Judgement last = send({.to_server = false, .ssn = 2, .acks = 2});
  engine->goes_by(last, true);
  data(0, 2, 90'000, "on");
  EXPECT_FALSE(told("dsn_out_of_window"));
  Dss fin = mapped(true, 500'000, 0, 1);
  fin.data_fin = true;
  send({.ssn = 2, .acks = 2, .options = {fin}});
  EXPECT_FALSE(told("dsn_out_of_window"));
}

TEST_F(Unseen, WhereAllWasSeenAWindowIsCertain) {
  start();
  establish();
  EXPECT_EQ(data(0, 2, 90'000, "on"), "data_window");
  EXPECT_TRUE(told("dsn_out_of_window"));
}

TEST_F(Unseen, AFinThatComesAgainAfterAllElseWasMissedIsNoConflict) {
  start();
  EXPECT_EQ(refusal({.to_server = false, .ssn = 100, .acks = 200, .options = {ack_of(true, 100)}}), "none") << "behind its FIN";
  EXPECT_EQ(refusal({.ssn = 200, .acks = 100, .options = {ack_of(false, 50)}}), "none");
  EXPECT_EQ(refusal({.to_server = false, .ssn = 99, .flags = 0x11, .acks = 200, .options = {ack_of(true, 100)}}), "none");
  EXPECT_FALSE(told("segment_overlap_conflict"));
}

}  // namespace
}  // namespace weir::engine

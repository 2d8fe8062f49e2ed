// What may pass inline: every invariant of DESIGN.md's mechanism 4 by its name.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

using Inline = Conversation;

TEST_F(Inline, DataOutOfOrderPassesAtOnceAndIsLookedAtInOrder) {
  start();
  establish();
  EXPECT_EQ(data(0, 8, 7, "ghi"), "none");
  EXPECT_EQ(scanned[0], "c");
  EXPECT_EQ(data(0, 2, 1, "abcdef"), "none");
  EXPECT_EQ(scanned[0], "cabcdefghi");
}

TEST_F(Inline, ThePacketThatCompletesASignatureDoesNotPass) {
  start();
  establish();
  join();
  EXPECT_EQ(data(1, 1, 4, "ack!"), "none") << "it waits at its receiver";
  EXPECT_EQ(data(0, 2, 1, "att"), "rule") << "it would make all of it deliverable";
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts[0].action, AlertRecord::Action::kBlocked);
  EXPECT_TRUE(alerts[0].split);
}

TEST_F(Inline, FillingAGapInASubflowReleasesWhatWaitsInTheConnection) {
  start();
  establish();
  join();
  EXPECT_EQ(data(1, 1, 4, "ack"), "none");
  EXPECT_EQ(data(0, 4, 3, "t"), "none");
  EXPECT_EQ(data(0, 2, 1, "at"), "rule") << "fills the subflow's gap, and with it the connection's";
}

TEST_F(Inline, AfterAMatchNothingOfThatDirectionPasses) {
  start();
  establish();
  join();
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
  EXPECT_EQ(data(0, 2, 1, "attack"), "blocked") << "a retransmission";
  EXPECT_EQ(data(1, 1, 1, "attack"), "blocked") << "a reinjection";
  EXPECT_EQ(data(1, 1, 9, "more"), "blocked");
  EXPECT_EQ(refusal({.subflow = 2, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "blocked") << "a new JOIN";
  EXPECT_EQ(refusal({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}}), "none") << "an ACK";
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .payload = "reply", .acks = 2, .options = {mapped(false, 1, 2, 5, 1)}}), "none") << "the other direction";
}

TEST_F(Inline, WhatIsBlockedByHandIsBlocked) {
  start();
  establish();
  engine->block(number, Direction::kToClient);
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .payload = "x", .acks = 2, .options = {mapped(false, 1, 2, 1, 1)}}), "blocked");
  EXPECT_EQ(data(0, 2, 1, "x"), "none");
}

TEST_F(Inline, NoSsnPassesWithTwoValues) {
  start();
  establish();
  EXPECT_EQ(data(0, 2, 1, "abcdef"), "none");
  EXPECT_EQ(data(0, 2, 1, "abcdef"), "none") << "the same again";
  EXPECT_EQ(data(0, 2, 1, "abcdeX"), "segment_conflict");
  EXPECT_EQ(data(0, 12, 11, "later"), "none");
  EXPECT_EQ(data(0, 12, 11, "LATER"), "segment_conflict") << "out of order, too";
  EXPECT_TRUE(told("segment_overlap_conflict"));
  EXPECT_EQ(scanned[0], "cabcdef");
}

TEST_F(Inline, NoDataSequenceNumberPassesWithTwoValues) {
  start();
  establish();
  join();
  EXPECT_EQ(data(0, 20, 11, "waits"), "none") << "out of order on its subflow: not yet in the connection's order";
  EXPECT_EQ(data(1, 1, 11, "WAITS"), "dsn_conflict");
  EXPECT_EQ(data(1, 1, 11, "waits"), "none") << "a reinjection that agrees";
  EXPECT_EQ(data(1, 6, 8, "xyzW"), "dsn_conflict") << "the last octet is another";
  EXPECT_TRUE(told("dsn_overlap_conflict"));
}

TEST_F(Inline, NoSsnPassesWithTwoMappings) {
  start();
  establish();
  join();
  EXPECT_EQ(data(1, 1, 10, "abc"), "none");
  EXPECT_EQ(data(1, 1, 13, "abc"), "mapping_conflict");
  EXPECT_EQ(data(1, 10, 30, "xyz"), "none") << "out of order";
  EXPECT_EQ(data(1, 10, 31, "xyz"), "mapping_conflict");
  EXPECT_TRUE(told("mapping_conflict"));
}

TEST_F(Inline, DataNeedsAMappingInItsOwnSegment) {
  start();
  establish();
  join();
  Packet p{.subflow = 1, .ssn = 1, .payload = "abcd", .options = {mapped(true, 1, 1, 8)}};
  EXPECT_EQ(refusal(p), "none");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 5, .payload = "efgh"}), "unmapped") << "carried only by an earlier segment";
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 5, .payload = "efgh", .options = {mapped(true, 1, 1, 8)}}), "none");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 9, .payload = "ij", .options = {mapped(true, 30, 20, 5)}}), "mapping_ahead");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 9, .payload = "ij", .options = {mapped(true, 9, 9, 1)}}), "unmapped") << "its second octet";
  EXPECT_EQ(scanned[0], "cabcdefgh");
}

// SSNs come around after 4 GiB: from 2 GiB on what was first sent lies ahead of what is sent now.
TEST_F(Inline, ASubflowGoesOnHoweverMuchItCarries) {
  start();
  establish();
  const std::string text(60'000, '.');
  const auto step = static_cast<std::uint32_t>(text.size());
  std::uint64_t sent = 1;
  for (; sent < 9ULL << 28U; sent += step) {
    ASSERT_EQ(data(0, static_cast<std::uint32_t>(sent + 1), sent, text), "none") << sent;
    const auto next = static_cast<std::uint32_t>(sent + 1 + step);
    ASSERT_EQ(refusal({.to_server = false, .ssn = 2, .acks = next, .options = {ack_of(true, sent + step)}}), "none") << sent;
    ASSERT_EQ(scanned[0].size(), sent == 1 ? step + 1 : step);
    scanned[0].clear();
  }
  EXPECT_EQ(data(0, static_cast<std::uint32_t>(sent + 1), sent, "attack"), "rule");
}

TEST_F(Inline, DataOutsideOfTheConnectionsWindowDoesNotPass) {
  start();
  establish();
  EXPECT_EQ(data(0, 2, 70'000, "far"), "data_window");
  EXPECT_EQ(refusal({.ssn = 2, .payload = "x", .options = {mapped(true, static_cast<std::uint64_t>(-5), 2, 1)}}), "data_window") << "before the first";
  EXPECT_EQ(data(0, 100'000, 99'999, "far"), "window") << "outside of the subflow's";
}

// RFC 9293 §3.10.7.4: an ACK at the same place with a smaller window changes nothing of what its receiver may send; Linux counts the connection's window by
// that.
TEST_F(Inline, AnAckInTheSamePlaceDoesNotShrinkTheConnectionsWindow) {
  start();
  establish();
  join();
  EXPECT_EQ(data(0, 2, 1, std::string(10'000, '.')), "none");
  EXPECT_EQ(data(1, 1, 10'001, std::string(10'000, '.')), "none");
  ASSERT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 10'002, .options = {ack_of(true, 10'001)}, .window = 60'000}), "none");
  ASSERT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 10'002, .options = {ack_of(true, 20'001)}, .window = 50'000}), "none");
  EXPECT_EQ(data(1, 10'001, 79'000, std::string(1'001, '.')), "none") << "ends at 20,001 and 60,000";
  EXPECT_FALSE(told("dsn_out_of_window"));
  EXPECT_EQ(data(1, 11'002, 80'001, "x"), "data_window");
}

TEST_F(Inline, AnAckThatIsLateDoesNotWidenTheConnectionsWindow) {
  start();
  establish();
  join();
  EXPECT_EQ(data(0, 2, 1, std::string(10'000, '.')), "none");
  ASSERT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 10'002, .options = {ack_of(true, 10'001)}, .window = 60'000}), "none");
  ASSERT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 10'001)}, .window = 50'000}), "none");
  EXPECT_EQ(data(1, 1, 69'001, std::string(1'000, '.')), "none") << "ends at 10,001 and 60,000";
  EXPECT_EQ(data(1, 1'001, 70'001, "x"), "data_window");
}

TEST_F(Inline, WhatIsAcknowledgedIsKeptNoLonger) {
  Settings settings;
  settings.limits.inline_copies_bytes = 1 << 16;
  start(settings);
  establish();
  const std::string block(16'000, 'x');
  std::uint32_t ssn = 2;
  for (int i = 0; i < 4; ++i, ssn += 16'000) EXPECT_EQ(data(0, ssn, ssn - 1, block), "none");
  EXPECT_EQ(data(0, ssn, ssn - 1, "one that has no room" + block.substr(0, 10'000)), "copies_full");
  EXPECT_EQ(engine->refused(Refusal::kCopiesFull), 1U);
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = ssn, .options = {ack_of(true, ssn - 1)}}), "none");
  EXPECT_EQ(data(0, ssn, ssn - 1, block), "none");
}

TEST_F(Inline, AGapIsNeverPassedOver) {
  start();
  establish();
  EXPECT_EQ(data(0, 8, 7, "ghi"), "none");
  now += 3'600'000'000'000 / 2;
  EXPECT_EQ(data(0, 11, 10, "jkl"), "none");
  EXPECT_EQ(scanned[0], "c");
  EXPECT_EQ(data(0, 2, 1, "abcdef"), "none");
  EXPECT_EQ(scanned[0], "cabcdefghijkl");
  EXPECT_EQ(gaps[0], 0U);
}

TEST_F(Inline, ASuperPacketIsOnePacket) {
  start();
  establish();
  // The peer's window has to allow for it.
  const std::string large(60'000, 'y');
  EXPECT_EQ(data(0, 2, 1, large + "attack"), "rule");
  EXPECT_EQ(scanned[0].size(), 1 + large.size() + 6);
}

TEST_F(Inline, WithChecksumsAMappingIsLookedAtAsItComes) {
  start();
  connect(true);
  const std::string text = "an attack";
  // The sum of RFC 8684 §3.3.1, over DSN, SSN, length and data.
  std::uint32_t sum = 0;
  const auto add = [&](std::uint64_t v, int words) {
    for (int i = 0; i < words; ++i) sum += static_cast<std::uint32_t>(v >> (16 * i) & 0xffff);
  };
  add(first_dsn(true), 4);
  add(1, 2);
  add(text.size(), 1);
  for (std::size_t i = 0; i < text.size(); ++i) sum += static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])) << (i % 2 == 0 ? 8 : 0);
  while (sum >> 16U) sum = (sum & 0xffff) + (sum >> 16U);
  Dss dss = mapped(true, 0, 1, text.size());
  dss.mapping->checksum = static_cast<std::uint16_t>(~sum);
  EXPECT_EQ(refusal({.ssn = 1, .payload = text.substr(0, 5), .options = {dss}}), "none");
  EXPECT_EQ(scanned[0], "an at") << "at once: its receiver may not look at checksums";
  EXPECT_EQ(refusal({.ssn = 6, .payload = text.substr(5), .options = {dss}}), "rule");
  EXPECT_EQ(scanned[0], text);
}

TEST_F(Inline, WhatItsReceiverThrowsAwayDoesNotPass) {
  start();
  establish();
  Packet p{.ssn = 2, .payload = "abc", .options = {mapped(true, 1, 2, 3)}};
  p.break_checksum = true;
  EXPECT_EQ(refusal(p), "bad_checksum");
  p.break_checksum = false;
  p.flags = 0x08;
  EXPECT_EQ(refusal(p), "ack") << "no ACK flag";
  EXPECT_EQ(scanned[0], "c");
}

TEST_F(Inline, AnAcknowledgementOfWhatNeverPassedIsNoneOfItsReceivers) {
  Settings settings;
  settings.follow_unseen = false;
  start(settings);
  establish();
  const Judgement judged = send({.to_server = false, .ssn = 2, .acks = 500, .options = {ack_of(true, 1)}});
  EXPECT_EQ(judged.refusal, Refusal::kAck);
  EXPECT_FALSE(judged.unseen_path) << "anyone may have sent it";
  EXPECT_FALSE(send({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 500)}}).unseen_path);
  EXPECT_TRUE(send({.ssn = 501, .payload = "x", .options = {mapped(true, 500, 501, 1)}}).unseen_path) << "its sender goes on behind it";
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule") << "it makes nothing pass that was not looked at";
}

TEST_F(Inline, BehindWhatWentAnotherWayTheStreamGoesOn) {
  start();
  establish();
  EXPECT_FALSE(send({.to_server = false, .ssn = 2, .acks = 102, .options = {ack_of(true, 101)}}).unseen_path);
  const Judgement judged = send({.ssn = 102, .payload = "attack", .options = {mapped(true, 101, 102, 6)}});
  EXPECT_EQ(judged.refusal, Refusal::kRule);
  EXPECT_TRUE(judged.unseen_path);
  EXPECT_EQ(gaps[0], 100U);
}

TEST_F(Inline, WhatWasPassedOverDoesNotPassAfterAll) {
  start();
  establish();
  join();
  send({.to_server = false, .ssn = 2, .acks = 12, .options = {ack_of(true, 11)}});
  EXPECT_EQ(data(0, 12, 11, "behind it"), "none");
  EXPECT_EQ(data(0, 2, 1, "the attack"), "skipped");
  EXPECT_EQ(data(0, 8, 7, "ck  behi"), "skipped") << "the end of it";
  EXPECT_EQ(data(1, 1, 1, "the attack"), "skipped") << "on another subflow";
  EXPECT_EQ(data(0, 21, 20, " goes on"), "none");
}

TEST_F(Inline, AnAcknowledgementAheadLetsGoOfNothing) {
  start();
  establish();
  EXPECT_EQ(data(0, 2, 1, "innocent"), "none");
  send({.to_server = false, .ssn = 2, .acks = 500, .options = {ack_of(true, 499)}});
  EXPECT_EQ(data(0, 2, 1, "attack.."), "segment_conflict");
  EXPECT_EQ(data(0, 2, 1, "innocent"), "none");
}

TEST_F(Inline, NoReceiverMakesItsStreamPassUnseenByAcknowledgingAhead) {
  start();
  establish();
  send({.to_server = false, .ssn = 2, .acks = 102, .options = {ack_of(true, 101)}});
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
}

TEST_F(Inline, UntilItsReceiverHasShownThatItSpeaksMptcpOnlyWhatPlainTcpWouldAgreeWithPasses) {
  start();
  connect();
  EXPECT_EQ(data(0, 1, 3, "ack"), "unconfirmed") << "should the server have fallen back, it would come first";
  EXPECT_EQ(data(0, 1, 0, "att"), "none");
  EXPECT_EQ(refusal({.to_server = false, .acks = 4, .options = {ack_of(true, 3)}}), "none");
  EXPECT_EQ(data(0, 4, 6, "xyz"), "none") << "it has acknowledged by DATA_ACK: it has not";
}

TEST_F(Inline, FirstDataWithoutAMappingFallsBackAndIsLookedAt) {
  start();
  connect();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain "}), "none");
  EXPECT_EQ(refusal({.ssn = 7, .payload = "attack"}), "rule");
  EXPECT_EQ(scanned[0], "plain attack");
}

TEST_F(Inline, AfterAFallbackNoMappingSaysOtherwise) {
  start();
  connect();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain "}), "none");
  EXPECT_EQ(refusal({.ssn = 7, .payload = "ack", .options = {mapped(true, 9, 7, 3)}}), "unconfirmed");
  EXPECT_EQ(refusal({.ssn = 7, .payload = "att", .options = {mapped(true, 6, 7, 3)}}), "none");
  EXPECT_EQ(refusal({.ssn = 10, .payload = "QQQ"}), "none");
  EXPECT_EQ(refusal({.ssn = 10, .payload = "ack"}), "segment_conflict");
}

TEST_F(Inline, NothingPassesBehindTheEnd) {
  start();
  establish();
  Dss fin = mapped(true, 1, 2, 4);
  fin.data_fin = true;
  EXPECT_EQ(refusal({.ssn = 2, .payload = "end", .options = {fin}}), "none");
  EXPECT_EQ(data(0, 5, 4, "more"), "after_end");
  Dss another = mapped(true, 20, 0, 1);
  another.data_fin = true;
  EXPECT_EQ(refusal({.ssn = 5, .options = {another}}), "dsn_conflict") << "another end";
}

TEST_F(Inline, NoFallbackGoesOnBehindTheEnd) {
  start();
  connect();
  Dss fin = mapped(true, 0, 0, 1);
  fin.data_fin = true;
  EXPECT_EQ(refusal({.ssn = 1, .options = {fin}}), "none") << "it may get lost";
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain"}), "after_end");
}

TEST_F(Inline, AMappingThatAgreesButIsAnotherMakesAReceiverOfOneSubflowFallBack) {
  start();
  establish();
  EXPECT_EQ(data(0, 2, 1, "abcd"), "none");
  EXPECT_EQ(refusal({.ssn = 4, .payload = "cd", .options = {mapped(true, 3, 4, 2)}}), "none") << "plain TCP agrees with all that passed";
  EXPECT_EQ(data(0, 8, 6, "h"), "unconfirmed") << "it may be plain TCP by now";
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 6, .options = {ack_of(true, 5)}}), "none");
  EXPECT_EQ(data(0, 8, 6, "h"), "none") << "it is not";
  EXPECT_EQ(refusal({.ssn = 6, .payload = "e", .options = {mapped(true, 5, 6, 1)}}), "none");
}

TEST_F(Inline, WhatFollowsAResetIsLookedAtAsItMayNotHaveArrived) {
  start();
  establish();
  EXPECT_EQ(refusal({.ssn = 2, .flags = 0x14, .acks = 2}), "none");
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
}

TEST_F(Inline, WhatIsOverIsNotTakenForANewOne) {
  start();
  establish();
  EXPECT_EQ(refusal({.ssn = 2, .flags = 0x14, .acks = 2}), "none");
  now += 3'000'000'000'000;
  for (int i = 0; i < 8; ++i) engine->advance(now);
  EXPECT_EQ(data(0, 2, 1, "late"), "after_end");
}

TEST_F(Inline, DataOfTwoMappingsInOneSegmentIsAmbiguous) {
  start();
  establish();
  Dss one = mapped(true, 1, 2, 3);
  one.data_ack.reset();
  Dss two = mapped(true, 7, 2, 3);
  two.data_ack.reset();
  one.mapping->wide = two.mapping->wide = false;
  one.mapping->dsn &= 0xffffffff;
  two.mapping->dsn &= 0xffffffff;
  EXPECT_EQ(refusal({.ssn = 2, .payload = "abc", .options = {one, two}}), "malformed");
}

}  // namespace
}  // namespace weir::engine

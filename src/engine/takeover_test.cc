// Inline: a tuple that carries a connection, and SYNs on it that anyone may have sent.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class Takeover : public Conversation {
 protected:
  static constexpr std::uint32_t kOther = 0x4000'0000;  ///< where the other use of the tuple has its ISNs, as SSNs of the first

  Packet syn() const {
    MpCapable offer;
    offer.version = 1;
    return {.ssn = kOther, .flags = 0x02, .acks = 0, .options = {offer}};
  }
  Packet syn_ack() const {
    MpCapable answer;
    answer.version = 1;
    answer.sender_key = kServerKey + 1;
    return {.to_server = false, .ssn = kOther, .flags = 0x12, .acks = kOther + 1, .options = {answer}};
  }
  Packet third_ack() const {
    MpCapable both;
    both.version = 1;
    both.sender_key = kClientKey + 1;
    both.receiver_key = kServerKey + 1;
    return {.ssn = kOther + 1, .acks = kOther + 1, .options = {both}};
  }
  /// The first connection on the tuple is looked at, as ever.
  void expect_followed() {
    EXPECT_EQ(data(0, 2, 1, "att"), "none");
    EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .payload = "x", .acks = 5, .options = {mapped(false, 1, 2, 1, 4)}}), "none");
    EXPECT_EQ(data(0, 5, 4, "ack"), "rule");
  }
};

TEST_F(Takeover, ASynAndItsAnswerSentByAnOutsiderTakeNoLiveConnection) {
  start();
  establish();
  const std::uint64_t first = number;
  EXPECT_EQ(refusal(syn()), "none") << "its receiver answers it with an ACK of the connection that it has";
  EXPECT_EQ(refusal(syn_ack()), "other_terms");
  EXPECT_EQ(refusal(third_ack()), "window") << "of the first connection, as nothing was answered";
  expect_followed();
  EXPECT_EQ(number, first);
}

TEST_F(Takeover, ALoneSynFromTheServersSideChangesNothing) {
  start();
  establish();
  Packet offer = syn();
  offer.to_server = false;
  EXPECT_EQ(refusal(offer), "none");
  expect_followed();
}

TEST_F(Takeover, ASynFromTheServersSideAndItsAnswerChangeNothing) {
  start();
  establish();
  Packet offer = syn();
  offer.to_server = false;
  EXPECT_EQ(refusal(offer), "none");
  Packet answer = syn_ack();
  answer.to_server = true;
  EXPECT_EQ(refusal(answer), "other_terms");
  expect_followed();
}

TEST_F(Takeover, ATupleIsUsedAgainOnceItsConnectionIsOver) {
  start();
  establish();
  const std::uint64_t first = number;
  EXPECT_EQ(refusal({.ssn = 2, .flags = 0x11, .acks = 2, .options = {ack_of(false, 1)}}), "none");
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .flags = 0x11, .acks = 3, .options = {ack_of(true, 1)}}), "none");
  EXPECT_EQ(refusal({.ssn = 3, .acks = 3}), "none");
  EXPECT_EQ(refusal(syn()), "none");
  EXPECT_EQ(refusal(syn_ack()), "none") << "TIME-WAIT is no reason (RFC 6191)";
  EXPECT_EQ(refusal(third_ack()), "none");
  EXPECT_NE(number, first);
}

TEST_F(Takeover, AChallengedHostEndsWhatItHasForgotten) {
  start();
  establish();
  const std::uint64_t first = number;
  EXPECT_EQ(refusal(syn()), "none");
  EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 1)}}), "none") << "the challenge ACK";
  EXPECT_EQ(refusal({.ssn = 2, .flags = 0x04, .acks = 0}), "none") << "RST, of a client that was started anew";
  EXPECT_EQ(refusal(syn()), "none");
  EXPECT_EQ(refusal(syn_ack()), "none");
  EXPECT_EQ(refusal(third_ack()), "none");
  EXPECT_NE(number, first);
}

TEST_F(Takeover, AServerThatWasStartedAnewAnswersLater) {
  start();
  establish();
  const std::uint64_t first = number;
  now += 20'000'000'000;
  EXPECT_EQ(refusal(syn()), "none");
  EXPECT_EQ(refusal(syn_ack()), "other_terms");
  now += 16'000'000'000;
  EXPECT_EQ(refusal(syn()), "none") << "again";
  EXPECT_EQ(refusal(syn_ack()), "none");
  EXPECT_EQ(refusal(third_ack()), "none");
  EXPECT_NE(number, first);
}

}  // namespace
}  // namespace weir::engine

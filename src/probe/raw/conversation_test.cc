#include "probe/raw/conversation.h"

#include <gtest/gtest.h>

namespace weir::probe::raw {
namespace {

Answer syn_ack(Question question, Outcome outcome) {
  Answer answer;
  answer.kind = Kind::kSynAck;
  answer.question = question;
  answer.outcome = outcome;
  answer.server.key = 7;
  return answer;
}
Answer reset(Question question) {
  Answer answer;
  answer.kind = Kind::kReset;
  answer.question = question;
  return answer;
}
Answer data(Question question, DataOutcome outcome) {
  Answer answer;
  answer.kind = Kind::kData;
  answer.question = question;
  answer.data = outcome;
  return answer;
}
/// Timeouts until something other than another try comes.
Move silence(Conversation& c) {
  for (unsigned i = 0; i < kMostTries - 1; ++i) EXPECT_EQ(on_timeout(c, kMostTries).kind, Move::Kind::kSend);
  return on_timeout(c, kMostTries);
}

TEST(Conversation, WhatRoutersSayOfTheSilent) {
  const auto judged = [](Verdict verdict, std::uint8_t type, std::uint8_t code) {
    Evidence evidence;
    evidence.icmp_type = type;
    evidence.icmp_code = code;
    const Verdict with = with_icmp(verdict, evidence);
    EXPECT_EQ(evidence.no_route, with == Verdict::kInconclusive);
    return with;
  };
  EXPECT_EQ(judged(Verdict::kTimeout, 0, 0), Verdict::kTimeout);
  EXPECT_EQ(judged(Verdict::kTimeout, 3, 1), Verdict::kInconclusive);   // host unreachable
  EXPECT_EQ(judged(Verdict::kTimeout, 3, 13), Verdict::kInconclusive);  // prohibited
  EXPECT_EQ(judged(Verdict::kTimeout, 3, 3), Verdict::kClosed);         // port unreachable
  EXPECT_EQ(judged(Verdict::kTimeout, 1, 0), Verdict::kInconclusive);   // IPv6: no route
  EXPECT_EQ(judged(Verdict::kTimeout, 1, 4), Verdict::kClosed);
  EXPECT_EQ(judged(Verdict::kV1, 3, 1), Verdict::kV1);  // it answered: whoever says otherwise is not believed
}

TEST(Conversation, VersionOneNeedsTheExactDataAck) {
  Conversation c;
  EXPECT_EQ(on_answer(c, syn_ack(Question::kV1, Outcome::kCapable)).kind, Move::Kind::kSend);
  EXPECT_EQ(c.step, Step::kDataV1);
  EXPECT_EQ(on_answer(c, data(Question::kV1, DataOutcome::kSilent)).kind, Move::Kind::kWait);
  EXPECT_EQ(on_answer(c, data(Question::kV1, DataOutcome::kNoDataAck)).kind, Move::Kind::kWait);
  const Move end = on_answer(c, data(Question::kV1, DataOutcome::kExact));
  EXPECT_EQ(end.kind, Move::Kind::kFinish);
  EXPECT_EQ(end.verdict, Verdict::kV1);
  EXPECT_TRUE(end.close);
}

TEST(Conversation, AnEchoIsAMirrorInEitherVersion) {
  Conversation c;
  EXPECT_EQ(on_answer(c, syn_ack(Question::kV1, Outcome::kEcho)).verdict, Verdict::kMirror);
  Conversation d;
  EXPECT_TRUE(on_answer(d, syn_ack(Question::kV1, Outcome::kPlain)).reset);
  EXPECT_EQ(d.step, Step::kSynV0);
  EXPECT_EQ(on_answer(d, syn_ack(Question::kV0, Outcome::kEcho)).verdict, Verdict::kMirror);
}

TEST(Conversation, VersionZeroAfterVersionOneWasAnsweredWithout) {
  Conversation c;
  on_answer(c, syn_ack(Question::kV1, Outcome::kPlain));
  on_answer(c, syn_ack(Question::kV0, Outcome::kCapable));
  EXPECT_EQ(c.step, Step::kDataV0);
  const Move end = on_answer(c, data(Question::kV0, DataOutcome::kExact));
  EXPECT_EQ(end.verdict, Verdict::kV0);
  EXPECT_EQ(end.closes, Question::kV0);
}

TEST(Conversation, TcpOnlyNeedsBothVersionsRefused) {
  Conversation c;
  on_answer(c, syn_ack(Question::kV1, Outcome::kPlain));
  EXPECT_EQ(on_answer(c, syn_ack(Question::kV0, Outcome::kPlain)).verdict, Verdict::kTcpOnly);
  Conversation d;
  on_answer(d, syn_ack(Question::kV1, Outcome::kPlain));
  EXPECT_EQ(silence(d).verdict, Verdict::kInconclusive);
}

TEST(Conversation, SilenceIsATimeoutOnlyIfAPlainSynIsNotAnsweredEither) {
  Conversation c;
  EXPECT_EQ(silence(c).kind, Move::Kind::kSend);
  EXPECT_EQ(c.step, Step::kPlain);
  Conversation d = c, e = c;
  EXPECT_EQ(silence(c).verdict, Verdict::kTimeout);
  EXPECT_EQ(on_answer(d, syn_ack(Question::kPlain, Outcome::kPlain)).verdict, Verdict::kInconclusive);
  EXPECT_EQ(on_answer(e, reset(Question::kPlain)).verdict, Verdict::kClosed);
}

TEST(Conversation, ALateAnswerToTheFirstQuestionStillCounts) {
  Conversation c;
  silence(c);
  on_answer(c, syn_ack(Question::kV1, Outcome::kCapable));
  EXPECT_EQ(c.step, Step::kDataV1);
}

TEST(Conversation, AResetIsClosedOnceAPlainSynIsRefusedToo) {
  Conversation c;
  EXPECT_EQ(on_answer(c, reset(Question::kV1)).kind, Move::Kind::kSend);
  Conversation d = c;
  EXPECT_EQ(on_answer(c, reset(Question::kPlain)).verdict, Verdict::kClosed);
  EXPECT_EQ(on_answer(d, syn_ack(Question::kPlain, Outcome::kPlain)).verdict, Verdict::kInconclusive);
  EXPECT_EQ(d.evidence.syn_v1, Outcome::kReset);
}

TEST(Conversation, WithoutADataAckTheJoinDecides) {
  Conversation c;
  on_answer(c, syn_ack(Question::kV1, Outcome::kCapable));
  const Move asked = silence(c);
  EXPECT_EQ(c.step, Step::kJoin);
  EXPECT_TRUE(asked.close);
  Conversation mirror = c, nothing = c, plain = c;
  EXPECT_EQ(on_answer(c, reset(Question::kJoin)).verdict, Verdict::kV1);
  EXPECT_EQ(on_answer(mirror, syn_ack(Question::kJoin, Outcome::kEcho)).verdict, Verdict::kMirror);
  EXPECT_EQ(on_answer(plain, syn_ack(Question::kJoin, Outcome::kPlain)).verdict, Verdict::kInconclusive);
  EXPECT_EQ(silence(nothing).verdict, Verdict::kInconclusive);
}

TEST(Conversation, AWrongDataAckIsNoSpeakerWhateverTheJoinSays) {
  Conversation c;
  on_answer(c, syn_ack(Question::kV1, Outcome::kCapable));
  on_answer(c, data(Question::kV1, DataOutcome::kWrong));
  silence(c);
  EXPECT_EQ(on_answer(c, reset(Question::kJoin)).verdict, Verdict::kInconclusive);
}

TEST(Conversation, AnswersToOtherQuestionsChangeNothing) {
  Conversation c;
  EXPECT_EQ(on_answer(c, syn_ack(Question::kV0, Outcome::kCapable)).kind, Move::Kind::kWait);
  EXPECT_EQ(on_answer(c, reset(Question::kJoin)).kind, Move::Kind::kWait);
  EXPECT_EQ(on_answer(c, data(Question::kV1, DataOutcome::kExact)).kind, Move::Kind::kWait);
  EXPECT_EQ(c.step, Step::kSynV1);
}

}  // namespace
}  // namespace weir::probe::raw

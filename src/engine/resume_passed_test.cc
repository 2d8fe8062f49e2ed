// What had passed and was not acknowledged when a process ended, and the one that goes on.
#include <random>

#include "engine/conversation_test.h"
#include "engine/saved.h"

namespace weir::engine {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

class ResumedPassed : public Conversation {
 protected:
  void SetUp() override {
    start(settings);
    establish();
  }
  void restore(std::span<const std::byte> saved) {
    settings.hash_seed += 7;
    resume(saved, settings);
  }
  void restart() { restore(engine->save(Since::kNothing)); }
  /// The server has all before that SSN, and so many octets of the stream.
  Judgement acknowledge(std::uint32_t ssn, std::uint64_t octets, std::uint32_t subflow = 0) {
    return send({.subflow = subflow, .to_server = false, .ssn = subflow == 0 ? 2U : 1U, .acks = ssn, .options = {ack_of(true, octets)}});
  }
  /// Whether a path that is not seen is told of, now or once the sender goes on.
  bool unseen(std::uint32_t ssn, std::uint64_t octets) {
    const bool told = acknowledge(ssn, octets).unseen_path;
    return send({.ssn = ssn, .payload = "on", .options = {mapped(true, octets, ssn, 2)}}).unseen_path || told;
  }
  std::string scanned_to_server() const { return scanned[0]; }

  Settings settings;
};

TEST_F(ResumedPassed, WhatWaitsOnItsSubflowIsKnown) {
  EXPECT_EQ(data(0, 8, 7, "behind"), "none");
  restart();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(scanned_to_server(), "beforebehind");
  EXPECT_FALSE(unseen(14, 13));
  EXPECT_EQ(gaps[0], 0U);
}

TEST_F(ResumedPassed, WhatWaitsInTheStreamIsKnown) {
  join();
  EXPECT_EQ(data(1, 1, 7, "behind"), "none");
  acknowledge(7, 1, 1);
  restart();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(scanned_to_server(), "beforebehind");
  EXPECT_FALSE(unseen(8, 13));
}

TEST_F(ResumedPassed, WhatWaitsOnBothLevelsIsKnown) {
  join();
  EXPECT_EQ(data(1, 7, 13, "last"), "none");
  EXPECT_EQ(data(0, 8, 19, "more"), "none");
  restart();
  EXPECT_EQ(data(1, 1, 7, "behind"), "none");
  restart();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(scanned_to_server(), "beforebehindlast");
  EXPECT_FALSE(acknowledge(11, 17, 1).unseen_path);
  restart();
  EXPECT_EQ(data(1, 11, 17, "::"), "none");
  EXPECT_EQ(scanned_to_server(), "::more");
  EXPECT_FALSE(unseen(12, 23));
}

TEST_F(ResumedPassed, WhatTheServerHasOfItNeedsNotComeAgain) {
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 8, 7, "behind"), "none");
  restart();
  EXPECT_FALSE(unseen(14, 13));
}

TEST_F(ResumedPassed, ASignatureFromBothSidesOfTheRestartIsFound) {
  EXPECT_EQ(data(0, 5, 4, "ack"), "none");
  restart();
  EXPECT_EQ(data(0, 2, 1, "att"), "rule");
}

TEST_F(ResumedPassed, ASignatureFromBothSidesOfTheRestartIsFoundOverSubflows) {
  join();
  EXPECT_EQ(data(1, 1, 4, "ack"), "none");
  acknowledge(4, 1, 1);
  restart();
  EXPECT_EQ(data(0, 2, 1, "att"), "rule");
}

TEST_F(ResumedPassed, NoNumberPassesWithTwoValues) {
  join();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 20, 19, "behind"), "none");
  restart();
  EXPECT_EQ(data(0, 2, 1, "BEFORE"), "segment_conflict");
  EXPECT_EQ(data(0, 20, 19, "BEHIND"), "segment_conflict");
  EXPECT_EQ(data(0, 20, 25, "behind"), "mapping_conflict");
  EXPECT_EQ(data(1, 1, 1, "BEFORE"), "dsn_conflict");
  EXPECT_EQ(data(1, 1, 19, "BEHIND"), "dsn_conflict");
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 20, 19, "behind"), "none");
  EXPECT_EQ(data(1, 1, 1, "before"), "none") << "the same by another subflow";
}

TEST_F(ResumedPassed, AcknowledgedOnItsSubflowAloneItIsComparedStill) {
  join();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  acknowledge(8, 1);
  restart();
  EXPECT_EQ(data(1, 1, 1, "BEFORE"), "dsn_conflict");
  EXPECT_EQ(data(1, 1, 1, "before"), "none");
}

TEST_F(ResumedPassed, WhatWasPassedOverIsRefusedStill) {
  acknowledge(50, 49);
  EXPECT_EQ(data(0, 50, 49, "behind"), "none");
  EXPECT_EQ(data(0, 2, 1, "attack"), "skipped");
  restart();
  EXPECT_EQ(data(0, 2, 1, "attack"), "skipped");
  join();
  EXPECT_EQ(data(1, 1, 1, "attack"), "skipped");
}

TEST_F(ResumedPassed, APlainOneWaitsToo) {
  start(settings);
  connect();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain "}), "none");
  EXPECT_EQ(refusal({.ssn = 10, .payload = "ack"}), "none");
  restart();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "PLAIN "}), "segment_conflict");
  EXPECT_EQ(refusal({.ssn = 7, .payload = "att"}), "rule");
}

TEST_F(ResumedPassed, BeyondTheLimitOnlyRangesAreKept) {
  settings.limits.saved_copies_bytes = 500;
  start(settings);
  establish();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 11, 10, std::string(600, 'x')), "none");
  const std::vector<std::byte> saved = engine->save(Since::kNothing);
  EXPECT_LT(saved.size(), 1'000U);
  EXPECT_EQ(engine->counters().limited_saved_copies, 1U);
  restore(saved);
  EXPECT_EQ(data(0, 8, 7, "gap"), "none");
  EXPECT_EQ(gaps[0], 600U) << "what is known to have passed is not looked at";
  EXPECT_FALSE(unseen(611, 610));
}

TEST_F(ResumedPassed, AtTheLimitSmallOnesKeepTheirOctets) {
  settings.limits.saved_copies_bytes = 500;
  start(settings);
  establish();
  EXPECT_EQ(data(0, 8, 7, "behind"), "none");
  const std::vector<std::byte> saved = engine->save(Since::kNothing);
  EXPECT_EQ(engine->counters().limited_saved_copies, 0U);
  restore(saved);
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(scanned_to_server(), "beforebehind");
}

TEST_F(ResumedPassed, WhatIsHeldIsCountedAndGivenBack) {
  join();
  EXPECT_EQ(data(0, 8, 7, std::string(1'000, 'x')), "none");
  EXPECT_EQ(data(1, 1, 1'100, std::string(1'000, 'y')), "none");
  restart();
  EXPECT_GE(engine->overview(0, 1)[0].waiting_bytes, 4'000U);
  const std::uint64_t most = engine->counters().memory_bytes;
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 1'008, 1'007, std::string(93, 'z')), "none");
  EXPECT_FALSE(acknowledge(1'001, 2'100, 1).unseen_path);
  EXPECT_FALSE(acknowledge(1'101, 2'100).unseen_path);
  EXPECT_EQ(engine->overview(0, 1)[0].waiting_bytes, 0U);
  EXPECT_LE(engine->counters().memory_bytes, most - 4'000U);
}

TEST_F(ResumedPassed, ByAStateThatIsOlderItIsNoUnseenPath) {
  const std::vector<std::byte> saved = engine->save(Since::kJudged);
  restore(saved);
  EXPECT_FALSE(unseen(14, 13));
  EXPECT_EQ(gaps[0], 12U);
  // Once it has settled, it is held to what was seen.
  now += 60 * kSecond;
  EXPECT_TRUE(unseen(30, 29));
}

TEST_F(ResumedPassed, AcknowledgedWhileItSettledItIsNoUnseenPathLater) {
  const std::vector<std::byte> saved = engine->save(Since::kJudged);
  restore(saved);
  acknowledge(14, 13);
  const std::vector<std::byte> again = engine->save(Since::kNothing);
  now += 60 * kSecond;
  EXPECT_FALSE(send({.ssn = 14, .payload = "on", .options = {mapped(true, 13, 14, 2)}}).unseen_path);
  restore(again);
  EXPECT_FALSE(send({.to_server = false, .ssn = 2, .acks = 14, .options = {ack_of(true, 13)}}).unseen_path);
  EXPECT_FALSE(send({.ssn = 14, .payload = "on", .options = {mapped(true, 13, 14, 2)}}).unseen_path);
}

TEST_F(ResumedPassed, WhatTheServerHadNeedsNotStopTheSubflowThatSendsItAgain) {
  for (const Since since : {Since::kJudged, Since::kAnything}) {
    start(settings);
    establish();
    join();
    const std::vector<std::byte> saved = engine->save(since);
    restore(saved);
    acknowledge(2, 7);  // it came by the other subflow
    EXPECT_EQ(data(1, 1, 7, "behind"), "none");
    EXPECT_EQ(data(0, 2, 1, "before"), "none");
    EXPECT_EQ(scanned_to_server(), "behind");
  }
}

TEST_F(ResumedPassed, AfterTheLastStateNothingPassed) {
  const std::vector<std::byte> saved = engine->save(Since::kNothing);
  restore(saved);
  EXPECT_TRUE(unseen(14, 13));
}

TEST_F(ResumedPassed, WhereAnythingMayHavePassedItIsUnseen) {
  const std::vector<std::byte> saved = engine->save(Since::kAnything);
  restore(saved);
  EXPECT_TRUE(unseen(14, 13));
}

TEST_F(ResumedPassed, NoReceiverSettlesFarAhead) {
  const std::vector<std::byte> saved = engine->save(Since::kJudged);
  restore(saved);
  acknowledge(2, 1U << 30U);
  EXPECT_EQ(data(0, 2, (1U << 30U) + 100, "far"), "none");
  EXPECT_TRUE(acknowledge(2, 1U << 30U).unseen_path);
}

/// Any octet of a state is believed only as far as it does no harm.
TEST_F(ResumedPassed, NoOutsiderSaysWhatHadPassed) {
  restore(engine->save(Since::kJudged));
  send({.to_server = false, .ssn = 5'000, .acks = 500});
  now += 200 * kSecond;
  EXPECT_TRUE(unseen(500, 499));
}

TEST_F(ResumedPassed, ATupleInUseStaysInUse) {
  restart();
  now += kSecond;
  EXPECT_EQ(refusal({.ssn = 700'000, .flags = 0x02, .acks = 0, .options = {MpCapable{}}}), "none");
  MpCapable syn_ack;
  syn_ack.sender_key = kServerKey + 1;
  EXPECT_EQ(refusal({.to_server = false, .ssn = 900'000, .flags = 0x12, .acks = 700'001, .options = {syn_ack}}), "other_terms");
  EXPECT_EQ(data(0, 2, 1, "on"), "none");
}

TEST_F(ResumedPassed, WhereThereIsRoomForLessWhatPassedMayComeAgain) {
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 20, 19, "one"), "none");
  EXPECT_EQ(data(0, 30, 29, "other"), "none");
  settings.limits.reorder_pieces = 1;
  restart();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
}

TEST_F(ResumedPassed, NoOctetOfItIsBelieved) {
  join();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 20, 19, "behind"), "none");
  EXPECT_EQ(data(1, 1, 40, "there"), "none");
  EXPECT_EQ(data(1, 10, 60, "beyond"), "none");
  acknowledge(6, 1, 1);
  const std::vector<std::byte> saved = engine->save(Since::kJudged);
  const std::size_t body = saved.size() - 8;
  const auto seal = [&](std::vector<std::byte>& octets) {
    std::uint64_t sum = sum_of_saved(std::span(octets).first(octets.size() - 8));
    for (std::size_t i = 0; i < 8; ++i, sum >>= 8U) octets[octets.size() - 1 - i] = static_cast<std::byte>(sum);
  };
  std::mt19937 random(1);
  for (std::size_t at = 8; at < body; ++at) {
    std::vector<std::byte> wrong = saved;
    wrong[at] ^= static_cast<std::byte>(1 + random() % 255);
    seal(wrong);
    start(settings);
    if (!engine->restore(wrong, now)) continue;
    data(0, 8, 7, "between12345");
    data(1, 6, 45, "more");
    acknowledge(30, 29);
    acknowledge(20, 70, 1);
    data(0, 26, 25, "on");
    (void)engine->save();
    engine->finish();
  }
  for (std::size_t size = 8; size < body; ++size) {
    std::vector<std::byte> cut(saved.begin(), saved.begin() + static_cast<std::ptrdiff_t>(size));
    cut.resize(size + 8);
    seal(cut);
    start(settings);
    EXPECT_FALSE(engine->restore(cut, now).has_value()) << size;
  }
}

TEST_F(ResumedPassed, APieceThatReachesBothWaysIsNotComparedAndNotSkipped) {
  EXPECT_EQ(data(0, 8, 7, "behind"), "none");
  const std::vector<std::byte> octets = engine->save();
  auto saved = read_saved(octets, {.connections = 1, .subflows = 1, .pieces = 9, .octets = 1'000'000});
  ASSERT_TRUE(saved.has_value());
  SavedPiece& piece = saved->connections[0].subflows[0].passed[0][0];
  piece.begin = 2;
  restore(write_saved(*saved));
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
}

}  // namespace
}  // namespace weir::engine

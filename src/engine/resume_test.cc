// Connections that another process goes on with.
#include "engine/conversation_test.h"
#include "engine/saved.h"

namespace weir::engine {
namespace {

class Resumed : public Conversation {
 protected:
  /// A new engine that knows what the one before saved.
  void restart(bool follow_unseen = true) {
    const std::vector<std::byte> saved = engine->save();
    Settings settings;
    settings.follow_unseen = follow_unseen;
    settings.hash_seed = 77;
    resume(saved, settings);
  }
};

TEST_F(Resumed, ItsStreamsGoOnWhereTheyWere) {
  start();
  establish();
  join();
  EXPECT_EQ(data(1, 1, 1, "before "), "none");
  const std::uint64_t known = number;
  restart();
  EXPECT_EQ(data(1, 8, 8, "att"), "none");
  EXPECT_EQ(number, known);
  EXPECT_EQ(data(0, 2, 11, "ack"), "rule") << "over both subflows";
  EXPECT_EQ(scanned[0], "attack");
}

TEST_F(Resumed, WhatWentByMeanwhileIsPassedOverOnceItIsAcknowledged) {
  start();
  establish();
  restart();
  send({.to_server = false, .ssn = 2, .acks = 50, .options = {ack_of(true, 49)}});
  EXPECT_EQ(data(0, 50, 49, "attack"), "rule");
}

TEST_F(Resumed, BytesBehindTheWindowThatWasKnownPass) {
  start();
  establish();
  restart();
  EXPECT_EQ(data(0, 2'000'000, 1'999'999, "later"), "none") << "the window was opened while no one looked on";
}

TEST_F(Resumed, ItsJoinsVerify) {
  start();
  establish();
  restart();
  EXPECT_NE(engine->connection_of(join_syn().token), 0U);
  join();
  EXPECT_EQ(data(1, 1, 1, "attack"), "rule");
}

TEST_F(Resumed, AWrongHmacIsStillOne) {
  start();
  establish();
  restart();
  send({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}});
  MpJoinSynAck answer = join_syn_ack();
  ++answer.hmac;
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {answer}}), "join_hmac");
}

TEST_F(Resumed, WhatWasBlockedStaysBlocked) {
  start();
  establish();
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
  restart();
  EXPECT_EQ(data(0, 2, 1, "attack"), "blocked");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "blocked");
}

TEST_F(Resumed, AFallenBackOneStaysPlain) {
  start();
  connect();
  EXPECT_EQ(refusal({.ssn = 1, .payload = "plain "}), "none");
  restart();
  EXPECT_EQ(refusal({.ssn = 7, .payload = "attack"}), "rule");
}

TEST_F(Resumed, ItCanBeEndedAtBothHosts) {
  start();
  establish();
  restart();
  const std::vector<Ending> endings = engine->endings(1);
  ASSERT_EQ(endings.size(), 2U);
  const Ending& client = endings[0].host == 0 ? endings[0] : endings[1];
  EXPECT_EQ(client.key, kClientKey);
  EXPECT_EQ(client.seq.value, kServerIsn + 2);
  EXPECT_EQ(client.endpoints.src_port, 80);
  const auto keys = engine->keys(1);
  ASSERT_TRUE(keys.has_value());
  EXPECT_EQ(keys->key[1], kServerKey);
  const auto shown = engine->overview(0, 10);
  ASSERT_EQ(shown.size(), 1U);
  EXPECT_TRUE(shown[0].resumed);
  EXPECT_EQ(shown[0].record.subflows.size(), 1U);
}

TEST_F(Resumed, OctetsThatWereNotSavedAreRefused) {
  start();
  establish();
  std::vector<std::byte> saved = engine->save();
  start();
  EXPECT_EQ(engine->restore({}, now).error(), SavedError::kNoneOfOurs);
  EXPECT_EQ(engine->restore(std::span(saved).first(saved.size() - 1), now).error(), SavedError::kTorn);
  for (std::size_t i = 8; i < saved.size(); ++i) {
    saved[i] ^= std::byte{0x10};
    EXPECT_FALSE(engine->restore(saved, now).has_value());
    saved[i] ^= std::byte{0x10};
  }
  EXPECT_EQ(engine->restore(saved, now).value(), 1U);
  EXPECT_EQ(engine->restore(saved, now).value(), 0U) << "it is there already";
}

}  // namespace
}  // namespace weir::engine

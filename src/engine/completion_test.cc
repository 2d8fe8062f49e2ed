// Inline: packets that complete a handshake, and may not pass.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

using Completion = Conversation;

TEST_F(Completion, AHalfOpenSubflowOfABlockedConnectionCarriesNothing) {
  start();
  establish();
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "none");
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack()}}), "none");
  EXPECT_EQ(engine->half_open(number).size(), 1U);
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
  EXPECT_EQ(refusal({.subflow = 1, .options = {join_ack()}}), "blocked");
  EXPECT_EQ(refusal({.subflow = 1}), "blocked") << "without its option";
  EXPECT_EQ(data(1, 1, 1, "attack"), "blocked");
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false, .payload = "reply", .options = {mapped(false, 1, 1, 5, 1)}}), "blocked");
  EXPECT_EQ(refusal({.subflow = 1, .flags = 0x04, .acks = 0}), "none") << "it may be given up";
}

TEST_F(Completion, ASynOfABlockedConnectionIsNotAnswered) {
  start();
  establish();
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "none");
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "blocked") << "again";
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack()}}), "blocked");
}

class Keys : public Conversation {
 protected:
  void answer(std::int64_t memory_bytes = 1 << 20) {
    Settings settings;
    settings.limits.memory_bytes = memory_bytes;
    start(settings);
    MpCapable offer = terms();
    send({.ssn = 0, .flags = 0x02, .acks = 0, .options = {offer}});
    offer.sender_key = kServerKey;
    send({.to_server = false, .ssn = 0, .flags = 0x12, .options = {offer}});
  }
  static MpCapable terms() {
    MpCapable terms;
    terms.version = 1;
    return terms;
  }
  static MpCapable both(std::uint64_t client_key) {
    MpCapable keys = terms();
    keys.sender_key = client_key;
    keys.receiver_key = kServerKey;
    return keys;
  }
};

TEST_F(Keys, OfAThirdAckThatIsRefusedNothingStays) {
  answer();
  MpCapable other = both(kClientKey + 1);
  other.data_level_length = 2;
  EXPECT_EQ(refusal({.payload = "more than two", .options = {other}}), "unmapped");
  EXPECT_FALSE(engine->keys(number)->key[0].has_value());
  EXPECT_TRUE(engine->endings(number).empty()) << "not established";
  EXPECT_EQ(refusal({.options = {both(kClientKey)}}), "none");
  EXPECT_EQ(engine->keys(number)->key[0], kClientKey);
  EXPECT_EQ(data(0, 1, 0, "attack"), "rule");
}

TEST_F(Keys, OfARefusedFallbackNothingStays) {
  answer(10);
  EXPECT_EQ(refusal({.payload = "more than there is room for"}), "memory");
  EXPECT_EQ(refusal({.options = {both(kClientKey)}}), "none");
  EXPECT_EQ(data(0, 1, 0, "attack"), "rule");
}

TEST_F(Keys, DataThatNoKeysCameWithCompletesNothing) {
  answer();
  EXPECT_EQ(data(0, 1, 0, "first"), "unconfirmed");
  EXPECT_TRUE(engine->endings(number).empty());
  EXPECT_EQ(refusal({.options = {both(kClientKey)}}), "none");
  EXPECT_EQ(engine->endings(number).size(), 2U);
}

TEST_F(Keys, FirstDataBringsThem) {
  answer();
  MpCapable keys = both(kClientKey);
  keys.data_level_length = 3;
  EXPECT_EQ(refusal({.payload = "att", .options = {keys}}), "none");
  EXPECT_EQ(scanned[0], "att");
  EXPECT_EQ(data(0, 4, 3, "ack"), "rule");
}

TEST_F(Keys, AThirdAckWithPlainDataFallsBack) {
  answer();
  EXPECT_EQ(refusal({.payload = "plain "}), "none");
  EXPECT_EQ(refusal({.ssn = 7, .payload = "attack"}), "rule");
  EXPECT_EQ(scanned[0], "plain attack");
}

}  // namespace
}  // namespace weir::engine

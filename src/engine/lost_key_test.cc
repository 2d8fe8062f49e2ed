// Inline: the opener's key never got to the answerer, so that both go on by plain TCP (RFC 8684 §3.1, §3.7).
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class LostKey : public Conversation {
 protected:
  /// The third ACK and the first data were lost before they came here.
  void connect_without_key() {
    MpCapable syn;
    syn.version = version;
    EXPECT_TRUE(send({.ssn = 0, .flags = 0x02, .acks = 0, .options = {syn}}).opens_connection);
    MpCapable syn_ack = syn;
    syn_ack.sender_key = kServerKey;
    EXPECT_EQ(refusal({.to_server = false, .ssn = 0, .flags = 0x12, .options = {syn_ack}}), "none");
  }
  Dss data_fin(std::uint64_t offset) const {
    Dss dss = mapped(true, offset, 0, 1);
    dss.data_fin = true;
    return dss;
  }
};

TEST_F(LostKey, PlainDataPassesAndIsLookedAt) {
  start();
  connect_without_key();
  EXPECT_EQ(refusal({.options = {data_fin(6)}}), "none") << "carries nothing";
  EXPECT_EQ(data(0, 1, 0, "before"), "unconfirmed") << "no one who has no key can place it";
  EXPECT_EQ(refusal({.to_server = false}), "none") << "the answerer has fallen back";
  EXPECT_EQ(refusal({.ssn = 7, .flags = 0x11}), "none") << "so does the opener: its FIN comes first";
  EXPECT_EQ(refusal({.ssn = 1, .payload = "before"}), "none");
  EXPECT_EQ(scanned[0], "before");
  EXPECT_EQ(refusal({.to_server = false, .ssn = 1, .payload = "answer", .acks = 8}), "none");
  EXPECT_EQ(scanned[1], "answer");
  EXPECT_TRUE(events.empty()) << events.front();
}

TEST_F(LostKey, ASignatureInPlainDataDoesNotPass) {
  start();
  connect_without_key();
  EXPECT_EQ(refusal({.options = {data_fin(6)}}), "none");
  EXPECT_EQ(refusal({.ssn = 1, .payload = "att"}), "none");
  EXPECT_EQ(refusal({.ssn = 4, .payload = "ack"}), "rule");
}

TEST_F(LostKey, AfterPlainDataNothingIsPlacedElsewhere) {
  start();
  connect_without_key();
  EXPECT_EQ(refusal({.options = {data_fin(6)}}), "none");
  EXPECT_EQ(refusal({.ssn = 1, .payload = "att"}), "none");
  EXPECT_EQ(data(0, 4, 90, "xyz"), "unconfirmed");
  EXPECT_EQ(refusal({.ssn = 4, .payload = "ack"}), "rule");
}

}  // namespace
}  // namespace weir::engine

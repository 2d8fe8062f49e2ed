// Options that no host of the connection would send: each refused by its name, and the connection lives on.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class Forged : public Conversation {
 protected:
  void SetUp() override {
    start();
    establish();
  }
  void TearDown() override { EXPECT_EQ(data(0, 2, 1, "it lives on"), "none"); }
  std::string option(Option what, std::uint8_t flags = 0x10) { return refusal({.ssn = 2, .flags = flags, .acks = 2, .options = {std::move(what)}}); }
};

TEST_F(Forged, AddAddr) {
  AddAddr add;
  add.address_id = 5;
  add.address = *parse_ip_address("198.51.100.7");
  add.hmac = track::add_addr_hmac(kClientKey, kServerKey, 5, add.address, 0);
  EXPECT_EQ(option(add), "none");
  add.hmac = *add.hmac + 1;
  EXPECT_EQ(option(add), "forged_add_addr");
  EXPECT_TRUE(told("add_addr_hmac_mismatch"));
}

TEST_F(Forged, MpPrioThatNamesASubflow) {
  // In version 1 it names none, and nothing proves it (RFC 8684 §3.3.8): one within the window is as good as the host's.
  MpPrio prio;
  prio.backup = true;
  EXPECT_EQ(option(prio), "none");
  EXPECT_EQ(refusal({.ssn = 0x1000'0000, .acks = 2, .options = {prio}}), "window");
  prio.address_id = 7;
  EXPECT_EQ(option(prio), "malformed");
  EXPECT_TRUE(told("option_malformed"));
}

TEST_F(Forged, RemoveAddr) {
  const std::array<std::byte, 1> id{std::byte{9}};
  EXPECT_EQ(option(RemoveAddr{id}), "forged_remove_addr");
  EXPECT_TRUE(told("remove_addr_unknown_id"));
}

TEST_F(Forged, MpFailWithoutChecksums) {
  EXPECT_EQ(option(MpFail{first_dsn(true)}), "forged_mp_fail");
  EXPECT_TRUE(told("mp_fail"));
}

TEST_F(Forged, Fastclose) {
  MpFastclose close;
  close.receiver_key = kServerKey + 1;
  EXPECT_EQ(option(close), "forged_fastclose");
  EXPECT_EQ(option(close, 0x14), "forged_fastclose") << "on a RST";
  EXPECT_TRUE(told("fastclose_key_mismatch"));
}

TEST_F(Forged, JoinOfAnUnknownToken) {
  MpJoinSyn syn = join_syn();
  ++syn.token;
  EXPECT_EQ(refusal({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {syn}}), "join_unknown_token");
  EXPECT_TRUE(told("join_unknown_token"));
}

TEST_F(Forged, JoinWithAWrongHmac) {
  send({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}});
  MpJoinSynAck answer = join_syn_ack();
  ++answer.hmac;
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {answer}}), "join_hmac");
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack()}}), "none");
  MpJoinAck ack = join_ack();
  ack.hmac[3] ^= std::byte{1};
  EXPECT_EQ(refusal({.subflow = 1, .options = {ack}}), "join_hmac");
  EXPECT_EQ(data(1, 1, 1, "x"), "not_joined");
  EXPECT_EQ(refusal({.subflow = 1, .options = {join_ack()}}), "none") << "the right one still may";
  EXPECT_EQ(data(1, 1, 1, "x"), "not_joined") << "before the fourth ACK";
  EXPECT_EQ(refusal({.subflow = 1, .to_server = false}), "none");
  EXPECT_EQ(data(1, 1, 20, "x"), "none");
  EXPECT_TRUE(told("join_hmac_mismatch"));
}

TEST_F(Forged, JoinReplayed) {
  join();
  EXPECT_EQ(refusal({.subflow = 2, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}}), "join_replay");
  EXPECT_TRUE(told("join_replay"));
}

TEST_F(Forged, OtherKeys) {
  MpCapable capable;
  capable.sender_key = kClientKey + 1;
  capable.receiver_key = kServerKey;
  EXPECT_EQ(option(capable), "other_terms");
}

class ForgedInVersion0 : public Forged {
 protected:
  void SetUp() override {
    version = 0;
    Forged::SetUp();
  }
};

TEST_F(ForgedInVersion0, MpPrioOfAnotherSubflow) {
  MpPrio prio;
  prio.backup = true;
  EXPECT_EQ(option(prio), "none");
  prio.address_id = 7;
  EXPECT_EQ(option(prio), "forged_mp_prio");
  EXPECT_TRUE(told("mp_prio_foreign"));
}

}  // namespace
}  // namespace weir::engine

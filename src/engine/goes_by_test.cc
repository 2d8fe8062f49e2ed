// Inline: how connections end whose bytes go by unseen.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

constexpr std::uint8_t kAck = 0x10, kFin = 0x11, kRst = 0x14;
constexpr TimeNs kSecond = 1'000'000'000;

class GoesBy : public Conversation {
 protected:
  void begin() {
    start();
    establish();
    see({.to_server = false, .ssn = 2, .acks = 2});
  }
  Judgement see(const Packet& p, bool in_window = true) {
    Judgement judgement = send(p);
    engine->goes_by(judgement, in_window);
    return judgement;
  }
  std::size_t live() const { return engine->endings(number).size() / 2; }
  void on_connection(const ConnectionRecord& record) override { records.push_back(record); }
  ConnectionState ends_as() {
    engine->advance(now += 60 * kSecond);
    EXPECT_EQ(records.size(), 1U);
    return records.empty() ? ConnectionState::kOpen : records.front().state;
  }
  Dss data_fin(bool to_server, std::uint64_t offset) const {
    Dss dss = mapped(to_server, offset, 0, 1, 1);
    dss.data_fin = true;
    return dss;
  }
  std::vector<ConnectionRecord> records;
};

// Numbers far behind what was seen, and after 3 GiB such as seem to be older.
TEST_F(GoesBy, AFinOfEachHostEndsItWhateverWentBy) {
  for (const std::uint32_t went_by : {1'000U, 1'000'000'000U, 3'221'225'472U}) {
    begin();
    EXPECT_FALSE(see({.ssn = 2 + went_by, .flags = kFin, .acks = 2}).over) << "the other one may go on for long";
    EXPECT_EQ(live(), 1U);
    const Judgement last = see({.to_server = false, .ssn = 2, .flags = kFin, .acks = 3 + went_by});
    EXPECT_TRUE(last.subflow_over);
    EXPECT_TRUE(last.over);
    EXPECT_EQ(live(), 0U);
    engine->advance(now += 60 * kSecond);
    EXPECT_EQ(records.size(), 1U);
    records.clear();
  }
}

TEST_F(GoesBy, TwoFinsOfOneHostEndNothing) {
  begin();
  see({.ssn = 1'000, .flags = kFin, .acks = 2});
  EXPECT_FALSE(see({.ssn = 1'000, .flags = kFin, .acks = 2}).subflow_over);
}

TEST_F(GoesBy, ADataFinOfEachHostClosesIt) {
  begin();
  see({.ssn = 90'002, .acks = 2, .options = {data_fin(true, 90'001)}});
  EXPECT_TRUE(see({.to_server = false, .ssn = 2, .acks = 90'002, .options = {data_fin(false, 1)}}).over);
  EXPECT_EQ(ends_as(), ConnectionState::kClosed);
}

TEST_F(GoesBy, ARstEndsItsSubflowAlone) {
  begin();
  join();
  EXPECT_EQ(live(), 2U);
  const Judgement rst = see({.subflow = 1, .ssn = 700'000, .flags = kRst});
  EXPECT_TRUE(rst.subflow_over);
  EXPECT_EQ(live(), 1U);
  EXPECT_TRUE(see({.ssn = 800'000, .flags = kRst, .acks = 2}).subflow_over);
  EXPECT_EQ(live(), 0U);
  EXPECT_EQ(ends_as(), ConnectionState::kReset);
}

// With so few hops to go that the other host never gets it.
TEST_F(GoesBy, AHostThatGoesOnAfterItsRstHasEndedNothing) {
  begin();
  EXPECT_FALSE(see({.ssn = 700'000, .flags = kRst, .acks = 2}).over) << "what one host says alone";
  see({.ssn = 700'000, .flags = kAck, .acks = 2});
  EXPECT_EQ(live(), 0U) << "on its way since before";
  now += 3 * kSecond;
  see({.to_server = false, .ssn = 9'000, .flags = kAck, .acks = 700'000});
  EXPECT_EQ(live(), 0U) << "who has not heard of it yet says nothing of it";
  see({.ssn = 710'000, .flags = kAck, .acks = 9'000});
  EXPECT_EQ(live(), 1U);
}

TEST_F(GoesBy, AJoinThatWasNeverCompleteDoesNotGoOn) {
  begin();
  send({.subflow = 1, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn()}});
  send({.subflow = 1, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack()}});
  see({.subflow = 1, .flags = kRst});
  now += 3 * kSecond;
  see({.subflow = 1, .flags = kAck});
  EXPECT_EQ(live(), 1U) << "the first one";
}

TEST_F(GoesBy, WhatIsInspectedGoesOnAfterARstToo) {
  start();
  establish();
  send({.ssn = 2, .flags = kRst, .acks = 2});
  EXPECT_EQ(live(), 0U);
  now += 3 * kSecond;
  EXPECT_EQ(data(0, 2, 1, "more"), "none");
  EXPECT_EQ(live(), 1U);
}

TEST_F(GoesBy, WhatNoOneHasFoundInsideItsWindowEndsNothing) {
  begin();
  see({.ssn = 700'000, .flags = kRst, .acks = 2}, false);
  see({.ssn = 700'000, .flags = kFin, .acks = 2}, false);
  see({.to_server = false, .ssn = 700'000, .flags = kFin, .acks = 2}, false);
  EXPECT_EQ(live(), 1U);
}

TEST_F(GoesBy, AFastcloseEndsItByItsKeyAlone) {
  begin();
  EXPECT_FALSE(see({.ssn = 700'000, .acks = 2, .options = {MpFastclose{kClientKey}}}).subflow_over);
  EXPECT_TRUE(see({.ssn = 700'000, .acks = 2, .options = {MpFastclose{kServerKey}}}).subflow_over);
  EXPECT_EQ(ends_as(), ConnectionState::kReset);
}

TEST_F(GoesBy, WhatBothHostsHaveEndedIsNotSaved) {
  begin();
  see({.ssn = 90'002, .acks = 2, .options = {data_fin(true, 90'001)}});
  see({.to_server = false, .ssn = 2, .acks = 90'002, .options = {data_fin(false, 1)}});
  const std::vector<std::byte> saved = engine->save();
  start();
  EXPECT_EQ(engine->restore(saved, now).value_or(1), 0U);
}

TEST_F(GoesBy, AFinThatWasSeenIsKnownToTheNextProcess) {
  begin();
  see({.ssn = 1'000'002, .flags = kFin, .acks = 2});
  const std::vector<std::byte> saved = engine->save();
  resume(saved, {});
  EXPECT_TRUE(see({.to_server = false, .ssn = 2, .flags = kFin, .acks = 1'000'003}).over);
}

}  // namespace
}  // namespace weir::engine

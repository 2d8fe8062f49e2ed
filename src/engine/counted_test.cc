// What a connection's record counts: what its hosts got, over restarts too.
#include <optional>

#include "engine/conversation_test.h"
#include "engine/saved.h"

namespace weir::engine {
namespace {

class Counted : public Conversation {
 protected:
  void SetUp() override {
    settings.limits.visibility_bytes = 100;
    start(settings);
    establish();
  }
  void restore(std::span<const std::byte> saved) { resume(saved, settings); }
  void restart() { restore(engine->save(Since::kNothing)); }
  /// The server has all before that SSN, and so many octets of the stream.
  void acknowledge(std::uint32_t ssn, std::uint64_t octets) { send({.to_server = false, .ssn = 2, .acks = ssn, .options = {ack_of(true, octets)}}); }
  const ConnectionRecord& record() {
    record_.reset();
    engine->finish();
    EXPECT_TRUE(record_.has_value());
    if (!record_) record_.emplace();
    return *record_;
  }
  void on_connection(const ConnectionRecord& ended) override { record_ = ended; }

  Settings settings;

 private:
  std::optional<ConnectionRecord> record_;
};

TEST_F(Counted, ARestartLosesNoCount) {
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  restart();
  EXPECT_EQ(data(0, 8, 7, "after"), "none");
  restart();
  join();
  EXPECT_EQ(data(1, 1, 12, "end"), "none");
  const ConnectionRecord& r = record();
  EXPECT_EQ(r.bytes[0], 1U + 6 + 5 + 3);
  EXPECT_EQ(r.bytes[1], 1U);
  EXPECT_EQ(r.gap_bytes[0], 0U);
  EXPECT_EQ(r.visibility, 1.0);
  EXPECT_TRUE(r.midstream) << "streams that are given out begin anew";
  ASSERT_EQ(r.subflows.size(), 2U);
  EXPECT_EQ(r.subflows[0].bytes[0], 12U);
  EXPECT_EQ(r.subflows[0].bytes[1], 1U);
  EXPECT_EQ(r.subflows[1].bytes[0], 3U);
}

TEST_F(Counted, WhatWaitsOverARestartCountsOnce) {
  EXPECT_EQ(data(0, 8, 7, "behind"), "none");
  restart();
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  const ConnectionRecord& r = record();
  EXPECT_EQ(r.bytes[0], 13U);
  EXPECT_EQ(r.subflows[0].bytes[0], 13U);
}

TEST_F(Counted, AStateOfTheFormBeforeIsTakenOverWithoutCounts) {
  EXPECT_EQ(data(0, 2, 1, "before"), "none");
  const std::vector<std::byte> octets = engine->save(Since::kNothing);
  auto saved = read_saved(octets, {.connections = 1, .subflows = 1, .pieces = 9, .octets = 1'000'000});
  ASSERT_TRUE(saved.has_value());
  const std::vector<std::byte> older = write_saved(*saved, kOldestSavedForm);
  EXPECT_LT(older.size(), octets.size());
  restore(older);
  EXPECT_EQ(data(0, 8, 7, "after"), "none");
  EXPECT_EQ(data(0, 2, 1, "BEFORE"), "segment_conflict");
  EXPECT_EQ(record().bytes[0], 5U);
}

TEST_F(Counted, AFormThatIsNotKnownIsRefused) {
  std::vector<std::byte> octets = engine->save();
  for (const char form : {'1', '4', '\0'}) {
    octets[7] = static_cast<std::byte>(form);
    start(settings);
    EXPECT_EQ(engine->restore(octets, now).error(), SavedError::kNoneOfOurs);
  }
}

TEST_F(Counted, WhatHadPassedTheProcessBeforeIsWatchedByItsState) {
  const std::vector<std::byte> saved = engine->save(Since::kJudged);
  restore(saved);
  acknowledge(1'002, 1'001);
  EXPECT_EQ(data(0, 1'002, 1'001, "on"), "none");
  const ConnectionRecord& r = record();
  EXPECT_FALSE(told("visibility_low"));
  EXPECT_EQ(r.visibility, 1.0);
  EXPECT_EQ(r.gap_bytes[0], 1'000U);
  EXPECT_EQ(r.bytes[0], 1U) << "up to the gap";
}

TEST_F(Counted, WhatHadPassedAndWasTheLastIsWatchedToo) {
  const std::vector<std::byte> saved = engine->save(Since::kJudged);
  restore(saved);
  acknowledge(1'002, 1'001);
  EXPECT_EQ(record().visibility, 1.0);
  EXPECT_FALSE(told("visibility_low"));
}

TEST_F(Counted, WhatWentByWhileNoOneLookedIsNot) {
  const std::vector<std::byte> saved = engine->save(Since::kAnything);
  restore(saved);
  acknowledge(1'002, 1'001);
  EXPECT_EQ(data(0, 1'002, 1'001, "on"), "none");
  EXPECT_LT(record().visibility, 0.1);
  EXPECT_TRUE(told("visibility_low"));
}

TEST_F(Counted, AGapBeforeARestartIsThereAfterIt) {
  acknowledge(52, 51);
  EXPECT_EQ(data(0, 52, 51, std::string(450, 'x')), "none");
  restart();
  EXPECT_EQ(data(0, 502, 501, std::string(500, 'x')), "none");
  acknowledge(1'002, 1'001);
  const ConnectionRecord& r = record();
  EXPECT_EQ(r.bytes[0], 1U);
  EXPECT_EQ(r.gap_bytes[0], 50U);
  EXPECT_FALSE(told("visibility_low")) << "one part in twenty";
}

TEST_F(Counted, WhatAMatchRefusesWasNotDelivered) {
  EXPECT_EQ(data(0, 2, 1, "attac"), "none");
  EXPECT_EQ(data(0, 7, 6, "k"), "rule");
  EXPECT_EQ(data(0, 7, 6, "k"), "blocked");
  const std::vector<std::byte> saved = engine->save(Since::kNothing);
  const ConnectionRecord& r = record();
  EXPECT_EQ(r.bytes[0], 6U);
  EXPECT_EQ(r.subflows[0].bytes[0], 6U);
  restore(saved);
  const ConnectionRecord& again = record();
  EXPECT_EQ(again.bytes[0], 6U);
  EXPECT_EQ(again.subflows[0].bytes[0], 6U);
}

TEST_F(Counted, WhatWaitedForARefusedPacketWasNotDeliveredEither) {
  EXPECT_EQ(data(0, 8, 7, "behind"), "none");
  EXPECT_EQ(data(0, 2, 1, "attack"), "rule");
  const ConnectionRecord& r = record();
  EXPECT_EQ(r.bytes[0], 1U);
  EXPECT_EQ(r.subflows[0].bytes[0], 7U) << "it had come to the host, and waits there";
}

}  // namespace
}  // namespace weir::engine

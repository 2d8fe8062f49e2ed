#include "gateway/answers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>

#include "gateway/crafted_test.h"
#include "track/keys.h"

namespace weir::gateway {
namespace {

using crafted::Sent;
using What = Command::What;

class Unwritten : public Reports {
 public:
  engine::Observer& observer() override { return none_; }
  void on_policy(const report::PolicyRecord& /*record*/) override {}
  void flush() override {}
  void input_ended() override {}
  bool close() override { return true; }
  std::vector<std::pair<std::string_view, std::uint64_t>> counters() const override { return {}; }

 private:
  class : public engine::Observer {
  } none_;
};

/// Two workers, without threads and queues: packets are put into their cores here.
class AnswersTest : public ::testing::Test {
 protected:
  AnswersTest() {
    for (unsigned shard = 0; shard < 2; ++shard) {
      WorkerSettings settings;
      settings.engine.inline_mode = true;
      settings.engine.shard = settings.core.shard = shard;
      settings.engine.shards = 2;  // numbers of connections are those of several workers
      settings.engine.checksums = engine::ChecksumPolicy::kVerify;
      settings.clock = [this] { return now; };
      decide::PolicySettings policy;
      policy.otherwise.name = "default";
      workers.push_back(std::make_unique<Worker>(settings, std::make_shared<const decide::Policy>(std::move(policy)), Surroundings{},
                                                 std::make_unique<Unwritten>(), WorkerQueues{}, nullptr));
    }
  }

  void take(std::size_t worker, const Sent& sent) { workers[worker]->core().take(crafted::packet(sent, now += 1'000, bytes)); }
  void connect(std::size_t worker, std::uint16_t client_port) {
    for (const Sent& packet : crafted::handshake({.client_port = client_port}, crafted::kClientKey + client_port, crafted::kServerKey + client_port))
      take(worker, packet);
  }
  void connect_many(std::uint16_t number) {
    for (std::uint16_t i = 0; i < number; ++i) connect(i % 2, static_cast<std::uint16_t>(20'000 + i));
  }

  boost::json::object ask(const Command& command, unsigned status = 200) {
    const Answer answer = answers(command);
    EXPECT_EQ(answer.status, status) << answer.body;
    return boost::json::parse(answer.body).as_object();
  }
  /// Numbers of the page's connections; `after` is what the next page is asked for with, 0 where there is none.
  std::vector<std::uint64_t> page(std::uint32_t most, std::uint64_t& after) {
    const auto body = ask({.what = What::kList, .connection = after, .most = most});
    std::vector<std::uint64_t> numbers;
    for (const auto& one : body.at("connections").as_array()) numbers.push_back(one.at("id").to_number<std::uint64_t>());
    after = body.at("after").is_null() ? 0 : body.at("after").to_number<std::uint64_t>();
    return numbers;
  }

  TimeNs now = 1'700'000'000'000'000'000;
  std::vector<std::byte> bytes;
  std::vector<std::unique_ptr<Worker>> workers;
  std::expected<void, ReloadFailure> reloads;
  bool drains = false;
  Answers answers{{.ask_all =
                       [this](const std::function<void(Worker&)>& what) {
                         for (const auto& worker : workers) worker->ask(what);
                       },
                   .reload = [this] { return reloads; },
                   .status = [] { return std::string(R"({"version":"1"})"); },
                   .drain = [this](bool begin) { drains = begin; },
                   .wall_clock = [this] { return now; }}};
};

TEST_F(AnswersTest, PagesShowEachConnectionOnceInTheOrderOfTheirNumbersWhateverWorkerHasThem) {
  EXPECT_TRUE(ask({.what = What::kList}).at("connections").as_array().empty());
  connect_many(200);
  for (const std::uint32_t most : {1U, 64U, 65U, 100U, 199U, 200U, 1'000U}) {
    std::vector<std::uint64_t> all;
    std::uint64_t after = 0;
    do {
      const auto some = page(most, after);
      EXPECT_LE(some.size(), most);
      ASSERT_FALSE(some.empty());
      if (after != 0) {
        EXPECT_EQ(some.size(), most) << "a page that is not the last one is full";
      }
      all.insert(all.end(), some.begin(), some.end());
    } while (after != 0);
    EXPECT_EQ(all.size(), 200U) << most;
    EXPECT_TRUE(std::ranges::is_sorted(all, std::ranges::less_equal{}) && std::ranges::adjacent_find(all) == all.end()) << most;
  }
}

TEST_F(AnswersTest, AListThatIsTooLongForOneAnswerGoesOnWithTheNextPage) {
  connect_many(100);
  // Each with as many subflows as are followed: some 60 KiB of each.
  for (std::uint16_t i = 0; i < 100; ++i) {
    const auto token = track::digest_key(crafted::kServerKey + 20'000U + i, 1).token;
    for (std::uint16_t join = 1; join < 250; ++join) {
      const wire::mptcp::MpJoinSyn option{.backup = false, .address_id = 2, .token = token, .nonce = join};
      take(i % 2, {.client_port = static_cast<std::uint16_t>(30'000 + i * 250U + join), .ssn = 0, .acks = 0, .flags = crafted::kSynFlag, .options = {option}});
    }
  }
  std::uint64_t after = 0;
  const Answer first = answers({.what = What::kList});
  EXPECT_LT(first.body.size(), Answers::kPageBytes + (1U << 20U));
  const auto one = page(Command::kMostListed, after);
  ASSERT_NE(after, 0U);
  EXPECT_EQ(after, one.back());
  const auto other = page(Command::kMostListed, after);
  EXPECT_EQ(after, 0U);
  EXPECT_EQ(one.size() + other.size(), 100U);
}

TEST_F(AnswersTest, OneConnectionIsShownAsInTheListAndWithoutItsKeys) {
  connect_many(3);
  const Answer list = answers({.what = What::kList});
  const auto body = boost::json::parse(list.body);
  for (const auto& one : body.at("connections").as_array()) {
    const auto number = one.at("id").to_number<std::uint64_t>();
    EXPECT_EQ(boost::json::serialize(ask({.what = What::kConnection, .connection = number})), boost::json::serialize(one));
    EXPECT_EQ(one.at("action"), "inspect");
    EXPECT_EQ(one.at("rule"), "default");
    ASSERT_EQ(one.at("subflows").as_array().size(), 1U);
    EXPECT_EQ(one.at("subflows").at(0).at("client"), "10.0.0.1");
  }
  EXPECT_EQ(list.body.find("key"), std::string::npos);
  EXPECT_EQ(list.body.find("token"), std::string::npos);
  ask({.what = What::kConnection, .connection = 99}, 404);
}

TEST_F(AnswersTest, WhatIsCutIsBlockedAndNothingElseIs) {
  connect_many(4);
  std::uint64_t after = 0;
  const auto all = page(10, after);
  ASSERT_EQ(all.size(), 4U);
  EXPECT_TRUE(ask({.what = What::kCutConnection, .connection = all[1]}).at("done").as_bool());
  for (const std::uint64_t number : all) EXPECT_EQ(ask({.what = What::kConnection, .connection = number}).at("blocked").as_bool(), number == all[1]) << number;
  ask({.what = What::kCutConnection, .connection = 99}, 404);
}

TEST_F(AnswersTest, ASubflowIsCutOnlyIfItIsThereAndTheLastOneWithItsConnection) {
  connect_many(1);
  std::uint64_t after = 0;
  const auto number = page(10, after).at(0);
  ask({.what = What::kCutSubflow, .connection = number, .subflow = 7}, 404);
  EXPECT_EQ(workers[0]->core().closing(), 0U);
  ask({.what = What::kCutSubflow, .connection = number, .subflow = 0});
  EXPECT_EQ(workers[0]->core().closing(), 1U);
  EXPECT_TRUE(ask({.what = What::kConnection, .connection = number}).at("blocked").as_bool()) << "else its hosts would wait for what never comes";
}

TEST_F(AnswersTest, AReloadWithErrorsIsSaid) {
  EXPECT_TRUE(ask({.what = What::kReload}).at("done").as_bool());
  reloads = std::unexpected(ReloadFailure{.said = {"weir.yaml:7: \"stripp\" is none"}, .left_out = 0});
  const auto answer = ask({.what = What::kReload}, 422);
  EXPECT_TRUE(answer.contains("error"));
  EXPECT_EQ(answer.at("problems").as_array(), boost::json::array({"weir.yaml:7: \"stripp\" is none"}));
  EXPECT_FALSE(answer.contains("left_out"));
  reloads.error().left_out = 3;
  EXPECT_EQ(ask({.what = What::kReload}, 422).at("left_out"), 3);
}

TEST_F(AnswersTest, DrainBeginsAndEndsAndStatusIsHandedOn) {
  ask({.what = What::kDrain});
  EXPECT_TRUE(drains);
  ask({.what = What::kTakeIn});
  EXPECT_FALSE(drains);
  EXPECT_EQ(ask({.what = What::kStatus}).at("version"), "1");
}

}  // namespace
}  // namespace weir::gateway

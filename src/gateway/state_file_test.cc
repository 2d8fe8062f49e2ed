#include "gateway/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "gateway/saved_decisions.h"

namespace weir::gateway {
namespace {

std::vector<std::byte> octets(std::string_view text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

SavedState some() { return {.shards = {{octets("engine"), octets("core")}, {octets(""), octets("another")}}, .nat = octets("nat")}; }

class StateFile : public testing::Test {
 protected:
  StateFile() {
    std::string name = testing::TempDir() + "weir-state-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~StateFile() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/gateway.state"; }

 private:
  std::string folder_;
};

TEST_F(StateFile, ComesBackAsItWasWritten) {
  ASSERT_FALSE(write_state_file(path(), write_state(some())));
  const auto read = read_state_file(path());
  ASSERT_TRUE(read && *read);
  ASSERT_EQ((*read)->shards.size(), 2U);
  EXPECT_EQ((*read)->shards[0].engine, octets("engine"));
  EXPECT_EQ((*read)->shards[1].core, octets("another"));
  EXPECT_EQ((*read)->nat, octets("nat"));
}

TEST_F(StateFile, IsForItsOwnerAlone) {
  ::umask(0);
  for (int times = 0; times < 2; ++times) {
    ASSERT_FALSE(write_state_file(path(), write_state(some())));
    struct stat about{};
    ASSERT_EQ(::stat(path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
    std::filesystem::permissions(path(), std::filesystem::perms::all);
  }
  EXPECT_FALSE(std::filesystem::exists(path() + ".new"));
}

TEST_F(StateFile, NoneIsNoProblem) {
  const auto read = read_state_file(path());
  ASSERT_TRUE(read.has_value());
  EXPECT_FALSE(read->has_value());
}

TEST_F(StateFile, ADamagedOneIsToldOf) {
  const auto whole = write_state(some());
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(parse_state(Bytes(whole).first(size))) << size;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto wrong = whole;
    wrong[at] ^= std::byte{0x40};
    EXPECT_FALSE(parse_state(wrong)) << at;
  }
  std::ofstream(path()) << "something else";
  const auto read = read_state_file(path());
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().what, path());
  EXPECT_EQ(read.error().why, "was not written by this version");
}

TEST_F(StateFile, WhereItCannotBeWrittenTheOldOneStays) {
  ASSERT_FALSE(write_state_file(path(), write_state(some())));
  EXPECT_TRUE(write_state_file(path() + "/no/such/folder", write_state({})));
  std::filesystem::create_directory(path() + ".new");
  EXPECT_TRUE(write_state_file(path(), write_state({})));
  const auto read = read_state_file(path());
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->shards.size(), 2U);
}

TEST_F(StateFile, WhereItCannotBeWrittenItIsSaidWhatIsLost) {
  const auto problem = write_state_file(path() + ".d/gateway.state", write_state({}));
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->what, path() + ".d/gateway.state");
  EXPECT_TRUE(problem->why.starts_with("No such file or directory; without it running connections do not outlive a restart")) << problem->why;
}

std::vector<SavedDecision> decisions() {
  const auto one = std::make_shared<const decide::Decision>(decide::Decision{
      .action = decide::Action::kInspect,
      .rule = "guests",
      .reason = "it comes in at lan0",
      .limits = {.subflows = 2, .paths = {"wan0", "wan*"}, .opened_by = decide::MayOpen::kClient, .joins_per_second = 3, .backup_only = true, .versions = 2}});
  SavedDecision first{.connection = 7, .decision = one, .client = {}, .client_port = 4'000, .server_port = 443, .counted = 2, .blocked = true};
  SavedDecision second = first;
  second.connection = 8;
  second.blocked = false;
  second.offloaded = second.kept_mark = true;
  return {first, second};
}

TEST(SavedDecisions, ComeBackWithTheirLimits) {
  const auto read = read_decisions(write_decisions(decisions()), 10);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  const SavedDecision& one = read->front();
  EXPECT_EQ(one.connection, 7U);
  EXPECT_EQ(one.decision->rule, "guests");
  EXPECT_EQ(one.decision->limits, decisions().front().decision->limits);
  EXPECT_EQ(one.counted, 2U);
  EXPECT_TRUE(one.blocked);
  EXPECT_FALSE((*read)[1].blocked);
  EXPECT_TRUE((*read)[1].offloaded);
  EXPECT_TRUE((*read)[1].kept_mark);
  EXPECT_EQ(one.decision, (*read)[1].decision) << "shared as before";
}

TEST(SavedDecisions, OfTheFormBeforeAreRead) {
  auto whole = write_decisions(decisions(), kOldestDecisionsForm);
  const auto read = read_decisions(whole, 10);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2U);
  EXPECT_TRUE((*read)[1].offloaded);
  EXPECT_FALSE((*read)[1].kept_mark);
  whole[7] = std::byte{'3'};
  EXPECT_FALSE(read_decisions(whole, 10));
}

TEST(SavedDecisions, AreBounded) { EXPECT_EQ(read_decisions(write_decisions(decisions()), 1)->size(), 1U); }

TEST(SavedDecisions, NoOctetIsBelieved) {
  const auto whole = write_decisions(decisions());
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read_decisions(Bytes(whole).first(size), 10)) << size;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const unsigned value : {0U, 1U, 0x7fU, 0xffU}) {
      auto wrong = whole;
      wrong[at] = static_cast<std::byte>(value);
      const auto read = read_decisions(wrong, 10);
      if (!read) continue;
      for (const SavedDecision& one : *read) {
        EXPECT_LE(one.decision->action, decide::Action::kProxy);
        EXPECT_LE(one.counted, 65'536U);
      }
    }
  }
}

}  // namespace
}  // namespace weir::gateway

// In a network namespace of its own, as root; else skipped.
#include "gateway/rules_keeper.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include "capture/nf_queue.h"

namespace weir::gateway {
namespace {

std::string output_of(const std::string& command) {
  std::string said;
  FILE* const pipe = ::popen(("PATH=/usr/sbin:/sbin:/usr/bin:/bin " + command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return said;
  std::array<char, 4'096> piece{};
  for (std::size_t got = 0; (got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;) said.append(piece.data(), got);
  ::pclose(pipe);
  return said;
}

KernelRuleSettings for_proxy(std::uint32_t table) {
  KernelRuleSettings settings;
  settings.proxy = true;
  settings.proxy_port = 8'080;
  settings.proxy_table = table;
  return settings;
}

class RulesKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace of its own (root)";
    output_of("ip link set lo up");  // what is delivered here is routed over it
    auto started = RulesKeeper::start();
    ASSERT_TRUE(started) << started.error();
    keeper = *std::move(started);
    KernelRuleSettings standard;
    if (const auto tried = keeper->install(standard); !tried) GTEST_SKIP() << tried.error();
  }
  static std::string delivery_rules() { return output_of("ip rule show") + output_of("ip -6 rule show"); }
  static bool delivers(const char* table) { return delivery_rules().find(std::string("lookup ") + table) != std::string::npos; }
  static bool has_chains() { return output_of("iptables-save").find("WEIR-") != std::string::npos; }
  static bool answers() { return output_of("nft list tables").find("inet weir_reset") != std::string::npos; }

  std::unique_ptr<RulesKeeper> keeper;
};

TEST_F(RulesKeeperTest, AllIsThereAndAllIsGone) {
  EXPECT_TRUE(has_chains());
  EXPECT_TRUE(answers());
  const auto done = keeper->install(for_proxy(991));
  ASSERT_TRUE(done) << done.error();
  EXPECT_TRUE(delivers("991"));
  ASSERT_TRUE(keeper->install(for_proxy(992)));
  EXPECT_FALSE(delivers("991"));
  EXPECT_TRUE(delivers("992"));
  EXPECT_EQ(keeper->look(), RulesThere::kUnread);
  ASSERT_TRUE(keeper->remove());
  EXPECT_EQ(keeper->look(), RulesThere::kNone);
  EXPECT_FALSE(has_chains());
  EXPECT_FALSE(answers());
  EXPECT_FALSE(delivers("992"));
}

TEST_F(RulesKeeperTest, WhoeverTakesThemAwayIsFoundOut) {
  const KernelRuleSettings standard;
  EXPECT_EQ(keeper->stand(standard), true);
  for (const char* const taken :
       {"nft flush ruleset", "iptables -t mangle -F", "ip6tables -t mangle -F FORWARD", "iptables -t raw -F", "nft delete table inet weir_reset",
        "iptables -t mangle -F WEIR-HELD", "iptables -t mangle -R WEIR-QUEUE 2 -j NFQUEUE --queue-num 40", "ip6tables -t mangle -I WEIR-JUDGE -j RETURN",
        "iptables -t mangle -A FORWARD -j WEIR-FORWARD"}) {
    output_of(taken);
    EXPECT_EQ(keeper->stand(standard), false) << taken;
    ASSERT_TRUE(keeper->install(standard)) << taken;
    EXPECT_EQ(keeper->stand(standard), true) << taken;
  }
}

TEST_F(RulesKeeperTest, WhatFailsLeavesNothingAndIsNotTakenForInstalled) {
  const auto done = keeper->install(for_proxy(991));
  ASSERT_TRUE(done) << done.error();
  KernelRuleSettings wrong = for_proxy(992);
  wrong.interfaces = {"a-name-that-is-too-long-for-any-interface"};
  EXPECT_FALSE(keeper->install(wrong));
  EXPECT_TRUE(delivers("991")) << "as before";
  EXPECT_FALSE(delivers("992"));
  EXPECT_TRUE(has_chains());
  ASSERT_TRUE(keeper->remove());
  EXPECT_FALSE(delivers("991"));
  EXPECT_FALSE(has_chains());
}

TEST_F(RulesKeeperTest, OthersRulesAreNoChangeOfThese) {
  const KernelRuleSettings standard;
  output_of("iptables -t mangle -I FORWARD -p tcp --dport 22 -j ACCEPT; iptables -t mangle -N OTHER; iptables -t raw -A PREROUTING -j ACCEPT");
  EXPECT_EQ(keeper->stand(standard), true);
  EXPECT_EQ(keeper->stand(for_proxy(991)), false) << "others than were installed";
}

TEST_F(RulesKeeperTest, AJumpThatIsThereTwiceGoes) {
  const auto jumps = [] {
    const std::string all = output_of("iptables -t mangle -S FORWARD");
    return std::ranges::count(all, '\n') - 1;
  };
  output_of("iptables -t mangle -A FORWARD -j WEIR-FORWARD; iptables -t mangle -A FORWARD -j WEIR-FORWARD");
  ASSERT_EQ(jumps(), 3);
  ASSERT_TRUE(keeper->install(KernelRuleSettings()));
  EXPECT_EQ(jumps(), 1);
  output_of("iptables -t mangle -A FORWARD -j WEIR-FORWARD; iptables -t raw -A OUTPUT -j WEIR-OWN");
  const auto removed = keeper->remove();
  EXPECT_TRUE(removed) << removed.error();
  EXPECT_FALSE(has_chains());
}

/// iptables as it is, until it is told to do otherwise.
class RulesKeeperThatFailsTest : public RulesKeeperTest {
 protected:
  void SetUp() override {
    RulesKeeperTest::SetUp();
    if (IsSkipped()) return;
    folder = std::filesystem::path(::testing::TempDir()) / ("weir-programs-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    for (const char* const name : {"iptables", "ip6tables", "iptables-restore", "ip6tables-restore", "ip"}) {
      std::ofstream(folder / name) << "#!/bin/sh\n[ -e " << folder << "/instead ] && . " << folder << "/instead\nexec /usr/sbin/" << name << " \"$@\"\n";
      std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
    }
    auto started = RulesKeeper::start(folder.string() + "/");
    ASSERT_TRUE(started) << started.error();
    keeper = *std::move(started);
    const auto installed = keeper->install(standard);
    ASSERT_TRUE(installed) << installed.error();
  }
  void TearDown() override {
    std::error_code ignored;
    if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
  }
  void instead(const std::string& command) const {
    std::ofstream(folder / "next") << command << '\n';
    std::filesystem::rename(folder / "next", folder / "instead");
  }
  void as_it_is() const { std::filesystem::remove(folder / "instead"); }
  static std::string all() { return output_of("iptables -t mangle -S"); }
  /// Until the keeper has answered.
  std::optional<std::expected<bool, std::string>> answer() const {
    for (int tries = 0; tries < 2'000; ++tries) {
      if (auto answered = keeper->answered()) return answered;
      ::usleep(10'000);
    }
    return std::nullopt;
  }

  std::filesystem::path folder;
  KernelRuleSettings standard;
};

TEST_F(RulesKeeperThatFailsTest, WhatCouldNotBeLookedAtIsNotTakenForGone) {
  const std::string before = all();
  instead("case \"$*\" in *-C*|*-S*) echo 'Resource temporarily unavailable' >&2; exit 4;; esac");
  for (const auto& wrong : {keeper->stand(standard).error(), keeper->look().error(), keeper->install(standard).error(), keeper->remove().error()})
    EXPECT_EQ(wrong, "iptables: Resource temporarily unavailable");
  EXPECT_EQ(all(), before);
  instead("case \"$*\" in *-S*) exit 3;; esac");
  EXPECT_EQ(keeper->stand(standard).error(), "iptables: ended with status 3");
  as_it_is();
  EXPECT_EQ(keeper->stand(standard), true);
  EXPECT_TRUE(keeper->remove());
  EXPECT_FALSE(has_chains());
}

TEST_F(RulesKeeperThatFailsTest, WhoAsksWithoutWaitingGetsTheAnswerLaterAndOnlyThatOfTheLastQuestion) {
  ASSERT_TRUE(keeper->begin_stand(standard));
  EXPECT_TRUE(keeper->is_asked());
  EXPECT_EQ(answer(), (std::expected<bool, std::string>(true)));
  EXPECT_FALSE(keeper->is_asked());
  EXPECT_FALSE(keeper->answered().has_value());
  output_of("nft flush ruleset");
  ASSERT_TRUE(keeper->begin_stand(standard));
  EXPECT_EQ(answer(), (std::expected<bool, std::string>(false)));
  ASSERT_TRUE(keeper->begin_install(standard));
  EXPECT_EQ(answer(), (std::expected<bool, std::string>(true)));
  output_of("nft flush ruleset");
  ASSERT_TRUE(keeper->begin_stand(standard));
  ASSERT_TRUE(keeper->install(standard)) << "in order";
  EXPECT_FALSE(keeper->answered().has_value()) << "it was about rules that are there again";
  EXPECT_EQ(keeper->stand(standard), true);
}

TEST_F(RulesKeeperThatFailsTest, OneThatDoesNotAnswerIsNotWaitedForTwice) {
  instead("while [ -e " + folder.string() + "/instead ]; do sleep 0.01; done");
  ASSERT_TRUE(keeper->begin_stand(standard));
  EXPECT_EQ(keeper->begin_stand(standard).error(), "the process that keeps them does not answer");
  EXPECT_FALSE(keeper->answered().has_value());
  keeper->end_within(50'000'000);
  EXPECT_EQ(keeper->stand(standard).error(), "the process that keeps them does not answer");
  EXPECT_EQ(keeper->remove().error(), "the process that keeps them does not answer");
  keeper->end_within(60'000'000'000);
  as_it_is();
  auto removed = keeper->remove();
  for (int tries = 0; !removed && tries < 2'000; ++tries) {
    ::usleep(10'000);
    removed = keeper->remove();
  }
  EXPECT_TRUE(removed) << "late answers are passed over";
  EXPECT_FALSE(has_chains());
}

TEST_F(RulesKeeperTest, AQueueThatSomeoneReads) {
  KernelRuleSettings other;
  other.queue = 40;
  auto queue = capture::NfQueue::open({.number = 64});
  ASSERT_TRUE(queue);
  EXPECT_EQ(keeper->look(), RulesThere::kRead);
  EXPECT_EQ(keeper->look(other), RulesThere::kRead);
  EXPECT_EQ(keeper->look(KernelRuleSettings()), RulesThere::kUnread) << "its own";
  EXPECT_TRUE(keeper->hold(KernelRuleSettings())) << "by others, then";
  EXPECT_EQ(keeper->look(), RulesThere::kUnread);
  EXPECT_TRUE(has_chains());
  ASSERT_TRUE(keeper->install(KernelRuleSettings()));
  queue->reset();
  EXPECT_EQ(keeper->look(other), RulesThere::kUnread);
}

}  // namespace
}  // namespace weir::gateway

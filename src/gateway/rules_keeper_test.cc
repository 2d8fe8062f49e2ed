// In a network namespace of its own, as root; else skipped.
#include "gateway/rules_keeper.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>

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
  EXPECT_EQ(keeper->are_there(), true);
  ASSERT_TRUE(keeper->remove(Marks()));
  EXPECT_EQ(keeper->are_there(), false);
  EXPECT_FALSE(has_chains());
  EXPECT_FALSE(answers());
  EXPECT_FALSE(delivers("992"));
}

TEST_F(RulesKeeperTest, WhoeverTakesThemAwayIsFoundOut) {
  EXPECT_EQ(keeper->stand(), true);
  const KernelRuleSettings standard;
  for (const char* const taken :
       {"nft flush ruleset", "iptables -t mangle -F", "ip6tables -t mangle -F FORWARD", "iptables -t raw -F", "nft delete table inet weir_reset"}) {
    output_of(taken);
    EXPECT_EQ(keeper->stand(), false) << taken;
    ASSERT_TRUE(keeper->install(standard)) << taken;
    EXPECT_EQ(keeper->stand(), true) << taken;
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
  ASSERT_TRUE(keeper->remove(Marks()));
  EXPECT_FALSE(delivers("991"));
  EXPECT_FALSE(has_chains());
}

}  // namespace
}  // namespace weir::gateway

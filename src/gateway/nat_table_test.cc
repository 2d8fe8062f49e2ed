// On the machine's own kernel, in a network namespace of this process alone: needs root.
#include "gateway/nat_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace weir::gateway {
namespace {

using rewrite::MappingOrder;
using rewrite::NatSettings;
using testing::HasSubstr;
using testing::Not;

IpAddress address(const char* text) { return parse_ip_address(text).value_or(IpAddress{}); }

/// What nft says; the test's own namespace is what it is asked of.
std::string nft(const std::string& command) {
  std::string said;
  std::FILE* pipe = popen(("nft " + command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return said;
  std::array<char, 4096> piece{};
  while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) said += piece.data();
  pclose(pipe);
  return said;
}

class NatTableTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs network namespaces";
    if (nft("list tables").find("rror") != std::string::npos) GTEST_SKIP() << "needs nft";
    settings_.fixed = {{address("10.0.5.2"), address("203.0.113.9")}, {address("fd00::2"), address("2001:db8::9")}};
    settings_.inside = inspect::rules::AddressGroup{
        .in = {{address("10.0.0.0"), address("10.255.255.255")}, {address("10.0.0.0"), address("10.0.0.255")}, {address("fd00::"), address("fd00::ffff")}},
        .out = {{address("10.9.0.0"), address("10.9.0.255")}}};
    settings_.most_mappings = 1024;
  }
  NatSettings settings_;
};

MappingOrder install(const char* outside, std::uint16_t port, const char* inside) {
  return {.outside = {address(outside), port}, .inside = {address(inside), 8000}, .timeout_seconds = 300};
}

TEST_F(NatTableTest, ComesChangesAndGoesAndLeavesOthersAlone) {
  nft("'add table ip others; add chain ip others c { type nat hook postrouting priority 100; }; add rule ip others c masquerade'");
  const std::string others = nft("list table ip others");
  ASSERT_THAT(others, HasSubstr("masquerade"));
  auto table = NatTable::make(settings_);
  ASSERT_TRUE(table) << table.error();
  EXPECT_THAT(nft("list map inet weir_nat inwards4"), HasSubstr("203.0.113.9 : 10.0.5.2"));
  EXPECT_THAT(nft("list map inet weir_nat inwards6"), HasSubstr("2001:db8::9 : fd00::2"));

  const std::array orders{install("203.0.113.2", 4000, "10.2.2.2"), install("2001:db8::2", 4000, "fd00::22"), install("203.0.113.3", 4001, "10.2.2.2")};
  const auto applied = (*table)->apply(orders);
  ASSERT_TRUE(applied) << applied.error();
  EXPECT_THAT(nft("list map inet weir_nat listeners4"), HasSubstr("203.0.113.2 . 4000 timeout 5m"));
  EXPECT_THAT(nft("list map inet weir_nat listeners6"), HasSubstr("2001:db8::2 . 4000 timeout 5m"));
  EXPECT_THAT(nft("list map inet weir_nat sources4"), HasSubstr(": 203.0.113.2"));
  EXPECT_TRUE((*table)->apply(orders)) << "renewed";

  std::array removal{orders[0]};
  removal[0].what = MappingOrder::What::kRemove;
  ASSERT_TRUE((*table)->apply(removal));
  EXPECT_THAT(nft("list map inet weir_nat listeners4"), Not(HasSubstr("203.0.113.2 . 4000")));
  EXPECT_THAT(nft("list map inet weir_nat sources4"), HasSubstr("10.2.2.2")) << "another mapping of that host is there";
  ASSERT_TRUE((*table)->apply(removal)) << "gone already";
  removal[0] = orders[2];
  removal[0].what = MappingOrder::What::kRemove;
  ASSERT_TRUE((*table)->apply(removal));
  EXPECT_THAT(nft("list map inet weir_nat sources4"), Not(HasSubstr("10.2.2.2")));

  auto again = NatTable::make(settings_);
  ASSERT_TRUE(again) << "in place of the one that is there: " << again.error();
  EXPECT_TRUE((*again)->remove());
  EXPECT_TRUE((*again)->remove());
  EXPECT_THAT(nft("list tables"), Not(HasSubstr("weir")));
  EXPECT_EQ(nft("list table ip others"), others);
}

TEST_F(NatTableTest, IsMadeAnewWhereSomeoneTookItAway) {
  auto table = NatTable::make(settings_);
  ASSERT_TRUE(table) << table.error();
  const std::array first{install("203.0.113.2", 4000, "10.2.2.2")}, second{install("203.0.113.2", 4001, "10.2.2.3")};
  ASSERT_TRUE((*table)->apply(first));
  nft("flush ruleset");
  ASSERT_TRUE((*table)->apply(second));
  const std::string listeners = nft("list map inet weir_nat listeners4");
  EXPECT_THAT(listeners, HasSubstr("203.0.113.2 . 4000"));
  EXPECT_THAT(listeners, HasSubstr("203.0.113.2 . 4001"));
  EXPECT_THAT(nft("list map inet weir_nat inwards4"), HasSubstr("203.0.113.9 : 10.0.5.2"));
}

TEST_F(NatTableTest, GoesOnWithOtherPairsAndKeepsItsMappings) {
  auto table = NatTable::make(settings_);
  ASSERT_TRUE(table) << table.error();
  ASSERT_TRUE((*table)->apply(std::array{install("203.0.113.2", 4000, "10.2.2.2")}));
  NatSettings next = settings_;
  next.fixed = {{address("10.0.5.3"), address("203.0.113.10")}};
  const auto used = (*table)->use(next);
  ASSERT_TRUE(used) << used.error();
  const std::string inwards = nft("list map inet weir_nat inwards4");
  EXPECT_THAT(inwards, HasSubstr("203.0.113.10 : 10.0.5.3"));
  EXPECT_THAT(inwards, Not(HasSubstr("203.0.113.9")));
  EXPECT_THAT(nft("list map inet weir_nat listeners4"), HasSubstr("203.0.113.2 . 4000"));

  const std::string before = nft("list table inet weir_nat | sed 's/expires [^ ]*//g'");
  NatSettings wrong = settings_;
  wrong.fixed = {{address("10.0.5.2"), address("203.0.113.9")}, {address("10.0.5.3"), address("203.0.113.9")}};
  EXPECT_FALSE((*table)->use(wrong));
  EXPECT_EQ(nft("list table inet weir_nat | sed 's/expires [^ ]*//g'"), before) << "what the kernel does not take changes nothing";
  nft("flush ruleset");
  ASSERT_TRUE((*table)->apply(std::array{install("203.0.113.2", 4001, "10.2.2.3")}));
  EXPECT_THAT(nft("list map inet weir_nat inwards4"), HasSubstr("203.0.113.10 : 10.0.5.3")) << "made anew by the settings that it took last";
}

TEST_F(NatTableTest, SaysWhatTheKernelDoesNotTake) {
  settings_.fixed = {{address("10.0.5.2"), address("203.0.113.9")}, {address("10.0.5.3"), address("203.0.113.9")}};
  const auto table = NatTable::make(settings_);
  ASSERT_FALSE(table) << "one address outside for two inside";
  EXPECT_THAT(table.error(), HasSubstr("the kernel does not take NAT by nftables: "));
}

}  // namespace
}  // namespace weir::gateway

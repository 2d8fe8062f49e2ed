#include "gateway/kernel_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::gateway {
namespace {

const Jumps kThere = {.mangle = {"FORWARD -j WEIR-FORWARD", "POSTROUTING -m mark ! --mark 0x0/0xff000000 -j WEIR-SAVE"},
                      .raw = {"OUTPUT -m mark --mark 0xe000000/0x7f000000 -j WEIR-OWN"}};

std::string rules(bool fail_open, std::vector<std::string> interfaces = {}, bool jumps = false) {
  KernelRuleSettings settings;
  settings.fail_open = fail_open;
  settings.interfaces = std::move(interfaces);
  return iptables_rules(settings, Family::kIpv4, jumps ? kThere : Jumps{});
}

TEST(KernelRules, FailOpenPassesWhatNoOneTakesButNeverWhatWasBlocked) {
  const std::string text = rules(true);
  EXPECT_NE(text.find("-j NFQUEUE --queue-num 64 --queue-bypass\n"), std::string::npos);
  EXPECT_NE(text.find("-m connmark --mark 0x4000000/0x7000000 -g WEIR-HELD\n"), std::string::npos);
  EXPECT_NE(text.find("-A WEIR-HELD -j NFQUEUE --queue-num 65\n"), std::string::npos);
  EXPECT_EQ(rules(false).find("bypass"), std::string::npos);
}

TEST(KernelRules, ASynOnAddressesInUseSavesNoMark) {
  const std::string text = rules(true);
  const auto returns = text.find("-A WEIR-SAVE -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack ! --ctstate NEW -j RETURN\n");
  ASSERT_NE(returns, std::string::npos);
  EXPECT_GT(text.find("-A WEIR-SAVE -j CONNMARK --save-mark"), returns);
}

TEST(KernelRules, InvalidPacketsWithoutMptcpFollowTheFailMode) {
  EXPECT_NE(rules(true).find("-A WEIR-JUDGE -m conntrack --ctstate INVALID -j WEIR-QUEUE\n"), std::string::npos);
}

TEST(KernelRules, MarksOfMoreShardsThanThereAreHaveAPlace) {
  KernelRuleSettings settings;
  settings.shards = 3;
  const std::string text = iptables_rules(settings, Family::kIpv4, {});
  EXPECT_NE(text.find("-A WEIR-QUEUE -m mark --mark 0x88000000/0xf8000000 -j NFQUEUE --queue-num 65 --queue-bypass\n"), std::string::npos);
  EXPECT_NE(text.find("-A WEIR-QUEUE -m mark --mark 0xf8000000/0xf8000000 -j NFQUEUE --queue-num 64 --queue-bypass\n"), std::string::npos) << "shard 15";
  EXPECT_NE(text.find("-A WEIR-QUEUE -j NFQUEUE --queue-balance 64:66 --queue-bypass\n"), std::string::npos);
  EXPECT_NE(text.find("-A WEIR-HELD -m mark --mark 0xa8000000/0xf8000000 -j NFQUEUE --queue-num 69\n"), std::string::npos) << "shard 5";
}

TEST(KernelRules, OwnPacketsThatConntrackWouldMistakeGoPastIt) {
  const std::string text = rules(true);
  EXPECT_NE(text.find("COMMIT\n*raw\n:WEIR-OWN - [0:0]\n-A WEIR-OWN -j CT --notrack\n-A OUTPUT -m mark --mark 0xe000000/0x7f000000 -j WEIR-OWN\nCOMMIT\n"),
            std::string::npos);
  const std::string gone = iptables_removal(kThere);
  EXPECT_NE(gone.find("*raw\n:WEIR-OWN - [0:0]\n-D OUTPUT -m mark --mark 0xe000000/0x7f000000 -j WEIR-OWN\n-X WEIR-OWN\nCOMMIT\n"), std::string::npos);
}

TEST(KernelRules, ARefusedSynThatNatHasChangedIsAnsweredByTheKernelButNeverOnAddressesInUse) {
  const std::string text = rules(true);
  const auto by_kernel = text.find("-A WEIR-JUDGE -m mark --mark 0x7000000/0x87000000 -j RETURN\n");
  const auto translated = text.find("-A WEIR-JUDGE -m mark --mark 0x7000000/0x7000000 -m conntrack --ctstate NEW -m conntrack --ctstate DNAT -g WEIR-HELD\n");
  const auto as_it_is = text.find("-A WEIR-JUDGE -m mark --mark 0x7000000/0x7000000 -j MARK --set-xmark 0x6000000/0x7000000\n");
  ASSERT_NE(by_kernel, std::string::npos);
  ASSERT_NE(translated, std::string::npos);
  ASSERT_NE(as_it_is, std::string::npos);
  EXPECT_LT(by_kernel, translated);
  EXPECT_LT(translated, as_it_is);
  EXPECT_LT(as_it_is, text.find("-A WEIR-JUDGE -m mark --mark 0x6000000/0x7000000 -g WEIR-HELD\n"));
  // Whoever takes the table away that answers: no refused SYN passes.
  EXPECT_NE(text.find("-A WEIR-SAVE -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m mark --mark 0x7000000/0x7000000 -j DROP\n"), std::string::npos);
  const std::string answers = reset_rules(Marks());
  EXPECT_EQ(answers.find(reset_removal()), 0U) << "in place of the one that is there";
  EXPECT_NE(answers.find("meta mark & 0x87000000 == 0x7000000 reject with tcp reset"), std::string::npos);
}

TEST(KernelRules, AJumpThatIsThereIsNotMadeAgain) {
  const std::string fresh = rules(true), again = rules(true, {}, true);
  EXPECT_NE(fresh.find("-A FORWARD -j WEIR-FORWARD\n"), std::string::npos);
  EXPECT_EQ(again.find("-A FORWARD"), std::string::npos);
  EXPECT_EQ(again.find("-A POSTROUTING"), std::string::npos);
  EXPECT_EQ(again.find("-D "), std::string::npos);
}

TEST(KernelRules, AJumpThatIsThereTwiceIsThereOnceAfterwardsAndNotAtAllAtTheEnd) {
  const Jumps doubled = {.mangle = {"FORWARD -j WEIR-FORWARD", "FORWARD -j WEIR-FORWARD", "OTHER -j WEIR-FORWARD"}, .raw = {}};
  const auto count = [](const std::string& text, std::string_view line) {
    int found = 0;
    for (std::size_t at = 0; (at = text.find(line, at)) != std::string::npos; at += line.size()) ++found;
    return found;
  };
  const std::string text = iptables_rules(KernelRuleSettings(), Family::kIpv4, doubled), gone = iptables_removal(doubled);
  EXPECT_EQ(count(text, "-D FORWARD -j WEIR-FORWARD\n"), 1);
  EXPECT_EQ(count(text, "-A FORWARD -j WEIR-FORWARD\n"), 0);
  EXPECT_EQ(count(text, "OTHER"), 0) << "someone's own";
  EXPECT_EQ(count(gone, "-D FORWARD -j WEIR-FORWARD\n"), 2);
  EXPECT_EQ(count(gone, "-D OTHER -j WEIR-FORWARD\n"), 1) << "else the chain could not go";
}

TEST(KernelRules, InterfacesAreTheOnlyOnesLookedAt) {
  const std::string text = rules(true, {"lan0"});
  EXPECT_NE(text.find("-A WEIR-FORWARD -i lan0 -g WEIR-JUDGE\n-A WEIR-FORWARD -o lan0 -g WEIR-JUDGE\n"), std::string::npos);
  EXPECT_EQ(text.find("-A WEIR-FORWARD -j"), std::string::npos);
}

TEST(KernelRules, BeforeRoutingOnlyForAProxy) {
  KernelRuleSettings settings;
  EXPECT_EQ(iptables_rules(settings, Family::kIpv4, {}).find("PREROUTING"), std::string::npos);
  EXPECT_TRUE(delivery(settings, Family::kIpv4, true).empty());
  settings.proxy = true;
  settings.proxy_port = 8'080;
  settings.proxy_table = 99;
  std::string text = iptables_rules(settings, Family::kIpv4, {});
  EXPECT_NE(text.find("-A PREROUTING -p tcp -j WEIR-PROXY\n"), std::string::npos);
  EXPECT_NE(text.find("-A WEIR-DELIVER -p tcp -j TPROXY --on-port 8080 --tproxy-mark 0x5000000/0xff000000\n"), std::string::npos);
  EXPECT_EQ(delivery(settings, Family::kIpv6, true).size(), 2U);
  settings.proxy_table = 0;
  EXPECT_EQ(iptables_rules(settings, Family::kIpv4, {}).find("TPROXY"), std::string::npos);
  // Policy has no proxy any more.
  settings.proxy = false;
  text = iptables_rules(settings, Family::kIpv4, {.mangle = {"PREROUTING -p tcp -j WEIR-PROXY"}, .raw = {}});
  EXPECT_NE(text.find("-D PREROUTING -p tcp -j WEIR-PROXY\n"), std::string::npos);
  EXPECT_EQ(text.find("-A WEIR-PROXY"), std::string::npos);
}

TEST(KernelRules, TheFilterFitsIntoWhatTheKernelTakes) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const std::string text = ordinary_filter(family);
    const int lines = std::stoi(text);
    EXPECT_LE(lines, 64);
    EXPECT_EQ(std::ranges::count(text, ','), lines);
  }
}

TEST(Marks, LeaveTheBitsOfOthers) {
  const Marks marks(0x0ff0'0000);
  EXPECT_TRUE(Marks::is_mask(0x0ff0'0000));
  EXPECT_FALSE(Marks::is_mask(0x0f0f'0000));
  EXPECT_FALSE(Marks::is_mask(0x00f0'0000));
  const std::uint32_t mark = marks.with(0xf00f'ffff, MarkState::kBlocked, 3);
  EXPECT_EQ(mark & ~marks.mask(), 0xf00f'ffffU);
  EXPECT_EQ(marks.state(mark), MarkState::kBlocked);
  EXPECT_EQ(marks.shard(mark), 3U);
}

}  // namespace
}  // namespace weir::gateway

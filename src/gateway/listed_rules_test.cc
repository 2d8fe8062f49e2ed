#include "gateway/listed_rules.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using Queues = std::vector<std::pair<std::uint16_t, std::uint16_t>>;

TEST(ListedRules, JumpsAndQueuesAmongOthersRules) {
  const ListedRules listed = read_listed(
      "-P FORWARD ACCEPT\n-N WEIR-FORWARD\n-N OTHER\n"
      "-A FORWARD -m comment --comment \"before -j WEIR-FORWARD\" -j OTHER\n"
      "-A FORWARD -j WEIR-FORWARD\n-A FORWARD -j WEIR-FORWARD\n"
      "-A OTHER -p tcp -j NFQUEUE --queue-num 7\n"
      "-A OTHER -i lan0 -g WEIR-JUDGE\n"
      "-A WEIR-QUEUE -m mark --mark 0x80000000/0xf8000000 -j NFQUEUE --queue-num 64 --queue-bypass\n"
      "-A WEIR-QUEUE -j NFQUEUE --queue-balance 64:65 --queue-bypass\n"
      "-A WEIR-HELD -j NFQUEUE --queue-num 66");
  EXPECT_EQ(listed.jumps, (std::vector<std::string>{"FORWARD -j WEIR-FORWARD", "FORWARD -j WEIR-FORWARD", "OTHER -i lan0 -g WEIR-JUDGE"}));
  EXPECT_EQ(listed.queues, (Queues{{64, 64}, {64, 65}, {66, 66}}));
  EXPECT_TRUE(listed.has_jump("FORWARD -j WEIR-FORWARD"));
  EXPECT_FALSE(listed.has_jump("POSTROUTING -j WEIR-SAVE"));
  EXPECT_EQ(listed.rules.find("queue-num 7"), std::string::npos);
}

TEST(ListedRules, AChangeOfWeirsRulesIsSeenAndOneOfOthersIsNot) {
  const std::string ours = "-A FORWARD -j WEIR-FORWARD\n-A WEIR-QUEUE -j NFQUEUE --queue-num 64\n";
  const std::string before = read_listed(ours).rules;
  EXPECT_EQ(read_listed("-A FORWARD -j ACCEPT\n-A INPUT -j DROP\n" + ours + "-A FORWARD -j DROP\n").rules, before);
  EXPECT_NE(read_listed("-A FORWARD -j WEIR-FORWARD\n-A WEIR-QUEUE -j NFQUEUE --queue-num 40\n").rules, before);
  EXPECT_NE(read_listed("-A FORWARD -j WEIR-FORWARD\n" + ours).rules, before);
  EXPECT_EQ(read_listed("").rules, "");
}

TEST(ListedRules, NumbersThatAreNoneLeadNowhere) {
  EXPECT_TRUE(read_listed("-A WEIR-QUEUE -j NFQUEUE --queue-num\n-A WEIR-QUEUE -j NFQUEUE --queue-num x\n-A WEIR-QUEUE -j NFQUEUE --queue-balance 1:99999\n")
                  .queues.empty());
}

}  // namespace
}  // namespace weir::gateway

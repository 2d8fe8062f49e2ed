#include "decide/policy.h"

#include <gtest/gtest.h>

#include "inspect/rules/groups.h"

namespace weir::decide {
namespace {

inspect::rules::AddressGroup addresses(std::string_view text) { return *inspect::rules::parse_addresses(text, {}); }

Facts facts(std::string_view client, std::string_view server, std::uint16_t port = 443) {
  Facts facts;
  facts.connection = {*parse_ip_address(client), *parse_ip_address(server), 40'000, port};
  facts.version = 1;
  return facts;
}

TEST(Policy, TheFirstRuleThatMatchesDecides) {
  PolicySettings settings;
  Rule one, two;
  one.name = "one";
  one.match.server = addresses("[198.51.100.0/24,!198.51.100.7]");
  one.action = Action::kStrip;
  two.name = "two";
  two.match.server = addresses("198.51.100.0/24");
  two.action = Action::kReset;
  settings.rules = {one, two};
  const Policy policy(settings);
  EXPECT_EQ(policy.decide(facts("10.0.0.1", "198.51.100.6"))->rule, "one");
  EXPECT_EQ(policy.decide(facts("10.0.0.1", "198.51.100.7"))->action, Action::kReset);
  EXPECT_EQ(policy.decide(facts("10.0.0.1", "192.0.2.1"))->rule, "default");
}

}  // namespace
}  // namespace weir::decide

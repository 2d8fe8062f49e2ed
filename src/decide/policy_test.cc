#include "decide/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "inspect/rules/groups.h"

namespace weir::decide {
namespace {

inspect::rules::AddressGroup addresses(std::string_view text) { return *inspect::rules::parse_addresses(text, {}); }
inspect::rules::PortGroup ports(std::string_view text) { return *inspect::rules::parse_ports(text, {}); }

Facts facts(std::string_view client, std::string_view server, std::uint16_t port = 443) {
  Facts facts;
  facts.connection = {*parse_ip_address(client), *parse_ip_address(server), 40'000, port};
  facts.version = 1;
  return facts;
}

Lookups lookups() {
  auto categories = std::make_shared<Categories>();
  categories->add(*categories->category("finance"), "bank.example");
  categories->add(*categories->category("news"), "198.51.100.9");
  Feed feed;
  feed.entries = {{"", *parse_ip_address("198.51.100.1"), 443, FeedVerdict::kV1, 0, 0, ""},
                  {"", *parse_ip_address("198.51.100.2"), 443, FeedVerdict::kTcpOnly, 0, 0, ""},
                  {"cdn.example", *parse_ip_address("198.51.100.3"), 443, FeedVerdict::kV0, 0, 5, ""},
                  {"cdn.example", *parse_ip_address("198.51.100.4"), 443, FeedVerdict::kStripped, 0, 4, ""}};
  return {categories, {{"mptcp", std::make_shared<FeedIndex>(feed)}}};
}

Policy with(Match match) {
  PolicySettings settings;
  settings.inside = addresses("10.0.0.0/8");
  settings.has_inside = true;
  settings.rules.push_back({.name = "it", .line = 7, .match = std::move(match), .action = Action::kStrip, .limits = {}});
  return Policy(settings, lookups());
}

bool matches(const Match& match, const Facts& facts) { return with(match).decide(facts)->rule == "it"; }

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
  const auto otherwise = policy.decide(facts("10.0.0.1", "192.0.2.1"));
  EXPECT_EQ(otherwise->rule, "default");
  EXPECT_EQ(otherwise->reason, "no rule matches");
}

TEST(Policy, MatchesEachConditionByItself) {
  const Facts base = facts("10.0.0.1", "198.51.100.1");
  EXPECT_TRUE(matches({}, base));
  EXPECT_TRUE(matches({.client = addresses("10.0.0.0/24")}, base));
  EXPECT_FALSE(matches({.client = addresses("!10.0.0.0/24")}, base));
  EXPECT_TRUE(matches({.server = addresses("[198.51.100.0-198.51.100.9,2001:db8::/32]")}, base));
  EXPECT_FALSE(matches({.server = addresses("2001:db8::/32")}, base));
  EXPECT_TRUE(matches({.server = addresses("2001:db8::/32")}, facts("10.0.0.1", "2001:db8::77")));
  EXPECT_TRUE(matches({.port = ports("[80,440:450]")}, base));
  EXPECT_FALSE(matches({.port = ports("!443")}, base));
  EXPECT_TRUE(matches({.versions = 2}, base));
  EXPECT_FALSE(matches({.versions = 1}, base));
  Facts unknown = base;
  unknown.version.reset();
  EXPECT_FALSE(matches({.versions = 3}, unknown));
}

TEST(Policy, MatchesInterfaces) {
  Facts base = facts("10.0.0.1", "198.51.100.1");
  base.interface_in = "lan0";
  base.interface_out = "wan12";
  EXPECT_TRUE(matches({.interface_in = {{"lan0"}, {}}, .interface_out = {{"wan*"}, {}}}, base));
  EXPECT_FALSE(matches({.interface_in = {{"lan"}, {}}}, base));
  EXPECT_FALSE(matches({.interface_out = {{"wan*"}, {"wan12"}}}, base));
  EXPECT_TRUE(matches({.interface_out = {{}, {"wan1"}}}, base));
}

TEST(Policy, KnowsDirectionsByInside) {
  const auto bit = [](FlowDirection direction) { return static_cast<std::uint8_t>(1U << static_cast<unsigned>(direction)); };
  EXPECT_TRUE(matches({.directions = bit(FlowDirection::kOutbound)}, facts("10.0.0.1", "198.51.100.1")));
  EXPECT_TRUE(matches({.directions = bit(FlowDirection::kInbound)}, facts("198.51.100.1", "10.0.0.1")));
  EXPECT_TRUE(matches({.directions = bit(FlowDirection::kInternal)}, facts("10.0.0.2", "10.0.0.1")));
  EXPECT_TRUE(matches({.directions = bit(FlowDirection::kExternal)}, facts("198.51.100.1", "198.51.100.2")));
  EXPECT_FALSE(matches({.directions = bit(FlowDirection::kOutbound)}, facts("198.51.100.1", "10.0.0.1")));
}

TEST(Policy, KnowsTimesAndDays) {
  const auto at = [](unsigned weekday, unsigned hour, unsigned minute) {
    Facts out = facts("10.0.0.1", "198.51.100.1");
    out.time = LocalTime{static_cast<std::uint8_t>(weekday), static_cast<std::uint16_t>(hour * 60 + minute)};
    return out;
  };
  const Match office{.weekdays = 0b11111, .times = {{480, 1'050}}};
  EXPECT_TRUE(matches(office, at(0, 8, 0)));
  EXPECT_TRUE(matches(office, at(4, 17, 29)));
  EXPECT_FALSE(matches(office, at(4, 17, 30)));
  EXPECT_FALSE(matches(office, at(5, 9, 0)));
  EXPECT_FALSE(matches(office, facts("10.0.0.1", "198.51.100.1"))) << "no time is known";
  // Friday night, over midnight: Saturday's early hours belong to it, Friday's do not.
  const Match night{.weekdays = 0b10000, .times = {{1'320, 360}}};
  EXPECT_TRUE(matches(night, at(4, 23, 0)));
  EXPECT_TRUE(matches(night, at(5, 5, 59)));
  EXPECT_FALSE(matches(night, at(5, 6, 0)));
  EXPECT_FALSE(matches(night, at(4, 5, 0)));
  const Match sunday_night{.weekdays = 0b1000000, .times = {{1'320, 360}}};
  EXPECT_TRUE(matches(sunday_night, at(0, 1, 0)));
  EXPECT_TRUE(matches({.weekdays = 0b1000000, .times = {}}, at(6, 0, 0)));
}

TEST(Policy, MatchesNamesAndWildcards) {
  Facts base = facts("10.0.0.1", "198.51.100.1");
  const std::vector<std::string> names{"a.b.cdn.example"};
  EXPECT_FALSE(matches({.names = {{"*.cdn.example"}, {}}}, base)) << "no name is known";
  EXPECT_TRUE(matches({.names = {{}, {"*.cdn.example"}}}, base));
  base.names = names;
  EXPECT_TRUE(matches({.names = {{"*.cdn.example"}, {}}}, base));
  EXPECT_TRUE(matches({.names = {{"*.example"}, {}}}, base));
  EXPECT_FALSE(matches({.names = {{"cdn.example", "*.a.b.cdn.example", "*.dn.example"}, {}}}, base));
  EXPECT_TRUE(matches({.names = {{"a.b.cdn.example"}, {}}}, base));
  EXPECT_FALSE(matches({.names = {{"*.cdn.example"}, {"*.b.cdn.example"}}}, base));
}

TEST(Policy, MatchesCategoriesByNameAndAddress) {
  Facts base = facts("10.0.0.1", "198.51.100.1");
  const std::vector<std::string> names{"www.bank.example"};
  EXPECT_FALSE(matches({.categories = {{"finance"}, {}}}, base));
  base.names = names;
  EXPECT_TRUE(matches({.categories = {{"finance"}, {}}}, base));
  EXPECT_FALSE(matches({.categories = {{}, {"finance"}}}, base));
  EXPECT_FALSE(matches({.categories = {{"news"}, {}}}, base));
  EXPECT_TRUE(matches({.categories = {{"news"}, {}}}, facts("10.0.0.1", "198.51.100.9")));
}

TEST(Policy, MatchesTheFeed) {
  EXPECT_TRUE(matches({.feeds = {{"mptcp"}, {}}}, facts("10.0.0.1", "198.51.100.1")));
  EXPECT_FALSE(matches({.feeds = {{"mptcp"}, {}}}, facts("10.0.0.1", "198.51.100.1", 80)));
  EXPECT_FALSE(matches({.feeds = {{"mptcp"}, {}}}, facts("10.0.0.1", "198.51.100.2")));
  EXPECT_TRUE(matches({.feeds = {{"mptcp:tcp_only"}, {}}}, facts("10.0.0.1", "198.51.100.2")));
  EXPECT_TRUE(matches({.feeds = {{}, {"mptcp"}}}, facts("10.0.0.1", "192.0.2.1")));
  Facts named = facts("10.0.0.1", "192.0.2.1");
  const std::vector<std::string> names{"cdn.example"};
  named.names = names;
  EXPECT_TRUE(matches({.feeds = {{"mptcp"}, {}}}, named)) << "another address of a name that was probed; the entry seen last counts";
}

TEST(Policy, MatchesEventsAndInventory) {
  Facts base = facts("10.0.0.1", "198.51.100.1");
  EXPECT_FALSE(matches({.anomalies = ~EventSet{0}}, base));
  base.anomalies = bit_of(inspect::Event::join_flood);
  EXPECT_TRUE(matches({.anomalies = bit_of(inspect::Event::join_flood) | bit_of(inspect::Event::mp_fail)}, base));
  EXPECT_FALSE(matches({.anomalies = bit_of(inspect::Event::mp_fail)}, base));
  EXPECT_FALSE(matches({.client_known = Known::kNew}, base)) << "there is no inventory";
  base.client = Known::kNew;
  base.service = Known::kKnown;
  EXPECT_TRUE(matches({.client_known = Known::kNew, .service_known = Known::kKnown}, base));
  EXPECT_FALSE(matches({.service_known = Known::kNew}, base));
  EXPECT_TRUE(with({.anomalies = 1}).asks_for_anomalies());
  EXPECT_FALSE(with({}).asks_for_anomalies());
}

TEST(Policy, StripsAVersionThatTheLimitsLeaveOut) {
  PolicySettings settings;
  settings.otherwise.limits.versions = 2;
  const Policy policy(settings);
  Facts base = facts("10.0.0.1", "198.51.100.1");
  EXPECT_EQ(policy.decide(base)->action, Action::kInspect);
  base.version = 0;
  EXPECT_EQ(policy.decide(base)->action, Action::kStrip);
  EXPECT_EQ(policy.decide(base)->reason, "its version is none of limits.versions (1)");
  base.version = 9;
  EXPECT_EQ(policy.decide(base)->action, Action::kStrip);
}

TEST(Policy, ExplainsWhatEachRuleMissed) {
  const Policy policy = with({.server = addresses("192.0.2.0/24")});
  const Explanation why = policy.explain(facts("10.0.0.1", "198.51.100.9"));
  ASSERT_EQ(why.answers.size(), 2U);
  EXPECT_EQ(why.answers[0].rule, "it");
  EXPECT_EQ(why.answers[0].line, 7);
  EXPECT_EQ(why.answers[0].missed, Condition::kServer);
  EXPECT_EQ(why.answers[0].why, "server is 198.51.100.9");
  EXPECT_EQ(why.answers[1].rule, "default");
  EXPECT_EQ(why.direction, FlowDirection::kOutbound);
  EXPECT_EQ(why.categories, std::vector<std::string>{"news"});
  EXPECT_EQ(why.decision->rule, "default");
}

/// Purpose: random rules over a small world, and the same read naively.
class World {
 public:
  explicit World(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

  IpAddress address() {
    IpAddress out;
    if (below(2) == 0) {
      const std::array<std::byte, 4> v4{std::byte{10}, std::byte{0}, static_cast<std::byte>(below(3)), static_cast<std::byte>(below(8))};
      out.set_v4(v4);
    } else {
      out = *parse_ip_address("2001:db8::");
      out.octets[14] = static_cast<std::uint8_t>(below(3));
      out.octets[15] = static_cast<std::uint8_t>(below(8));
    }
    return out;
  }
  std::string name() {
    std::string out;
    for (std::uint32_t i = 0, labels = 1 + below(4); i < labels; ++i) out += std::string(i ? "." : "") + static_cast<char>('a' + below(3));
    return out;
  }
  inspect::rules::AddressRange range() {
    const IpAddress a = address(), b = address();
    return {std::min(a, b), std::max(a, b)};
  }
  inspect::rules::AddressGroup group() {
    inspect::rules::AddressGroup out;
    for (std::uint32_t i = below(6); i > 0; --i) out.in.push_back(range());
    for (std::uint32_t i = below(4); i > 0; --i) out.out.push_back(range());
    return out;
  }
  inspect::rules::PortGroup port_group() {
    inspect::rules::PortGroup out;
    const auto range = [&] {
      const auto first = static_cast<std::uint16_t>(below(40));
      return inspect::rules::PortRange{first, static_cast<std::uint16_t>(first + below(10))};
    };
    for (std::uint32_t i = below(5); i > 0; --i) out.in.push_back(range());
    for (std::uint32_t i = below(3); i > 0; --i) out.out.push_back(range());
    return out;
  }
  Words patterns() {
    Words out;
    const auto one = [&] { return (below(2) == 0 ? "*." : "") + name(); };
    for (std::uint32_t i = below(4); i > 0; --i) out.in.push_back(one());
    for (std::uint32_t i = below(2); i > 0; --i) out.out.push_back(one());
    return out;
  }

 private:
  std::mt19937 random_;
};

bool naive_pattern(const std::string& pattern, const std::string& name) {
  if (!pattern.starts_with("*.")) return name == pattern;
  return name.size() > pattern.size() - 1 && name.ends_with(pattern.substr(1));
}

bool naive_category(const std::vector<std::string>& listed, const std::string& name) {
  return std::ranges::any_of(listed, [&](const std::string& each) { return name == each || name.ends_with("." + each); });
}

bool naive(const Match& match, const Facts& facts, const std::vector<std::string>& listed) {
  const auto any = [&](const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&](const auto& p) { return std::ranges::any_of(facts.names, [&](const auto& n) { return naive_pattern(p, n); }); });
  };
  if (!match.client.contains(facts.connection.src) || !match.server.contains(facts.connection.dst) || !match.port.contains(facts.connection.dst_port))
    return false;
  if (!match.names.in.empty() && !any(match.names.in)) return false;
  if (any(match.names.out)) return false;
  const bool is_listed = std::ranges::any_of(facts.names, [&](const auto& n) { return naive_category(listed, n); });
  return (match.categories.in.empty() || is_listed) && (match.categories.out.empty() || !is_listed);
}

TEST(Policy, FastLookUpsAgreeWithANaiveReading) {
  std::size_t matched = 0, asked = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    World world(seed);
    std::vector<std::string> listed;
    auto categories = std::make_shared<Categories>();
    const auto number = *categories->category("it");
    for (std::uint32_t i = world.below(6); i > 0; --i) {
      listed.push_back(world.name());
      categories->add(number, listed.back());
    }
    PolicySettings settings;
    for (std::uint32_t i = 0; i < 5; ++i) {
      Rule rule;
      rule.name = std::to_string(i);
      if (world.below(2) == 0) rule.match.client = world.group();
      if (world.below(2) == 0) rule.match.server = world.group();
      if (world.below(3) == 0) rule.match.port = world.port_group();
      if (world.below(3) == 0) rule.match.names = world.patterns();
      if (world.below(4) == 0) rule.match.categories = world.below(2) == 0 ? Words{{"it"}, {}} : Words{{}, {"it"}};
      settings.rules.push_back(rule);
    }
    const Policy policy(settings, {categories, {}});
    for (int i = 0; i < 100; ++i, ++asked) {
      Facts question;
      question.connection = {world.address(), world.address(), 1, static_cast<std::uint16_t>(world.below(50))};
      std::vector<std::string> names;
      for (std::uint32_t n = world.below(3); n > 0; --n) names.push_back(world.name());
      question.names = names;
      std::string expected = "default";
      for (const Rule& rule : settings.rules) {
        if (expected == "default" && naive(rule.match, question, listed)) expected = rule.name;
      }
      matched += expected == "default" ? 0 : 1;
      ASSERT_EQ(policy.decide(question)->rule, expected) << "seed " << seed << ", question " << i;
      ASSERT_EQ(policy.explain(question).decision, policy.decide(question)) << "seed " << seed;
    }
  }
  EXPECT_GT(matched, asked / 10);
  EXPECT_LT(matched, asked);
}

}  // namespace
}  // namespace weir::decide

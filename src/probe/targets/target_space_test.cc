#include "probe/targets/target_space.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "probe/targets/categories.h"

namespace weir::probe::targets {
namespace {

Prefix net(const char* text) { return parse_prefix(text).value(); }

TEST(TargetText, NamesAddressesPrefixesAndPorts) {
  EXPECT_EQ(parse_target("Example.ORG.")->name, "example.org");
  EXPECT_EQ(parse_target("example.org:8443")->port, 8443);
  EXPECT_EQ(to_string(*parse_target("192.0.2.77/24")->prefix), "192.0.2.0/24");
  EXPECT_EQ(parse_target("192.0.2.1:80")->port, 80);
  EXPECT_EQ(to_string(*parse_target("2001:db8::1")->prefix), "2001:db8::1/128");
  const auto six = parse_target("[2001:db8::/64]:443");
  EXPECT_EQ(to_string(*six->prefix), "2001:db8::/64");
  EXPECT_EQ(six->port, 443);
  for (const char* wrong : {"", "a b", "192.0.2.0/33", "192.0.2.1:0", "192.0.2.1:65536", "[2001:db8::1", "host:", "1.2.3", "a..b", "-/-", "x/24"})
    EXPECT_FALSE(parse_target(wrong)) << wrong;
}

TEST(TargetText, AUrlIsNoneAndWhatToWriteInsteadIsTold) {
  const std::pair<const char*, const char*> urls[] = {{"http://host/", "host:80"},
                                                      {"https://user@host/a?b", "host:443"},
                                                      {"http://[2001:db8::1]:8080/x", "[2001:db8::1]:8080"},
                                                      {"ftp://host", "host:PORT"},
                                                      {"https://", "HOST:PORT"}};
  for (const auto& [url, instead] : urls) {
    const auto target = parse_target(url);
    ASSERT_FALSE(target) << url;
    EXPECT_EQ(target.error(), std::string("is a URL: write ") + instead);
  }
}

TEST(TargetText, AnAddressThatMayHaveAPortIsAskedBack) {
  EXPECT_FALSE(parse_target("::1:80"));
  for (const char* clear : {"::1", "::", "[::1]:80", "[::1:80]", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1"}) EXPECT_TRUE(parse_target(clear)) << clear;
}

TEST(Categories, OfAddressesAndOfThePrefixesAroundThem) {
  Categories categories;
  categories.add(net("192.0.2.0/24"), "cdn");
  categories.add(net("192.0.2.128/25"), "video");
  categories.add(net("192.0.2.200"), "shops");
  categories.add(net("192.0.2.200"), "cdn");
  categories.add(net("2001:db8::/32"), "cdn");
  const auto of = [&](const char* address) {
    std::vector<std::string> found;
    categories.append(parse_ip_address(address).value(), found);
    return std::set(found.begin(), found.end());
  };
  EXPECT_EQ(of("192.0.2.1"), (std::set<std::string>{"cdn"}));
  EXPECT_EQ(of("192.0.2.200"), (std::set<std::string>{"cdn", "video", "shops"}));
  EXPECT_EQ(of("192.0.3.1"), std::set<std::string>{});
  EXPECT_EQ(of("2001:db8:7::1"), (std::set<std::string>{"cdn"}));
}

TEST(TargetText, AListHasCommentsAndRemarks) {
  const auto lines = list_lines("# a list\n\nexample.org first\r\n  192.0.2.1 # one\nlast");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].text, "example.org");
  EXPECT_EQ(lines[1].text, "192.0.2.1");
  EXPECT_EQ(lines[2].number, 5U);
}

TEST(TargetSpace, EveryTargetOnceWhateverIsNamedTwice) {
  const Block blocks[] = {
      {net("192.0.2.0/28"), 443}, {net("192.0.2.8/29"), 443}, {net("192.0.2.3"), 443}, {net("192.0.2.3"), 80}, {net("2001:db8::/126"), 443}};
  const auto space = TargetSpace::make(blocks, {});
  ASSERT_TRUE(space);
  EXPECT_EQ(space->size(), 16U + 1 + 4);
  std::set<Target> seen;
  for (std::uint64_t i = 0; i < space->size(); ++i) seen.insert(space->at(i));
  EXPECT_EQ(seen.size(), space->size());
  EXPECT_TRUE(seen.contains({parse_ip_address("2001:db8::3").value(), 443}));
}

TEST(TargetSpace, WhatIsExcludedIsNotThere) {
  const Block blocks[] = {{net("192.0.2.0/24"), 80}};
  const Prefix excluded[] = {net("192.0.2.0/30"), net("192.0.2.128/25"), net("192.0.2.7"), net("10.0.0.0/8")};
  const auto space = TargetSpace::make(blocks, excluded);
  ASSERT_TRUE(space);
  EXPECT_EQ(space->size(), 128U - 4 - 1);
  for (std::uint64_t i = 0; i < space->size(); ++i) {
    const unsigned last = space->at(i).address.octets[15];
    EXPECT_TRUE(last >= 4 && last < 128 && last != 7) << last;
  }
  EXPECT_EQ(TargetSpace::make(blocks, std::vector{net("192.0.0.0/8")})->size(), 0U);
}

TEST(TargetSpace, TheWholeOfIpv4HasItsNumbersAndOfIpv6ItIsTooMany) {
  const Block v4[] = {{net("0.0.0.0/0"), 80}};
  const auto space = TargetSpace::make(v4, {});
  ASSERT_TRUE(space);
  EXPECT_EQ(space->size(), 1ULL << 32);
  EXPECT_EQ(to_string(space->at((1ULL << 32) - 1).address), "255.255.255.255");
  const Block v6[] = {{net("::/0"), 80}};
  EXPECT_FALSE(TargetSpace::make(v6, {}));
}

TEST(TargetSpace, TheFingerprintTellsSpacesApart) {
  const Block a[] = {{net("192.0.2.0/24"), 80}}, b[] = {{net("192.0.2.0/24"), 443}};
  EXPECT_NE(TargetSpace::make(a, {})->fingerprint(), TargetSpace::make(b, {})->fingerprint());
  EXPECT_NE(TargetSpace::make(a, {})->fingerprint(), TargetSpace::make(a, std::vector{net("192.0.2.9")})->fingerprint());
}

}  // namespace
}  // namespace weir::probe::targets

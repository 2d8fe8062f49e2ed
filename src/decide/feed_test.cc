#include "decide/feed.h"

#include <gtest/gtest.h>

#include <string>

#include "decide/utc_time.h"

namespace weir::decide {
namespace {

constexpr std::int64_t kNow = 1'795'849'200;  // 2026-11-28T07:00:00Z

FeedEntry entry(std::string name, std::string_view address, FeedVerdict verdict, std::int64_t seen_s = kNow, std::uint16_t port = 443) {
  return {std::move(name), *parse_ip_address(address), port, verdict, seen_s, seen_s, "seen"};
}

Feed feed(std::vector<FeedEntry> entries) { return {kNow, kNow + 86'400, std::move(entries)}; }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(UtcTime, IsTextAndBack) {
  EXPECT_EQ(utc_text(kNow), "2026-11-28T07:00:00Z");
  EXPECT_EQ(parse_utc("2026-11-28T07:00:00Z"), kNow);
  EXPECT_EQ(utc_text(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_text(-5), "1970-01-01T00:00:00Z");
  for (const char* bad :
       {"", "2026-11-28T07:00:00", "2026-02-30T07:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28 07:00:00Z", "+026-11-28T07:00:00Z", "1969-11-28T07:00:00Z"})
    EXPECT_FALSE(parse_utc(bad)) << bad;
}

TEST(Feed, IsWrittenInItsFormAndReadBack) {
  const Feed before = feed({entry("", "192.0.2.1", FeedVerdict::kTcpOnly), entry("www.example", "192.0.2.1", FeedVerdict::kV1),
                            entry("a.example", "2001:db8::1", FeedVerdict::kStripped)});
  const std::string text = serialise(before);
  EXPECT_TRUE(text.starts_with(
      "weir-feed 1\nwritten\t2026-11-28T07:00:00Z\nvalid-until\t2026-11-29T07:00:00Z\nname\taddress\tport\tverdict\tfirst_seen\tlast_seen\tevidence\n"
      "-\t192.0.2.1\t443\ttcp_only\t2026-11-28T07:00:00Z\t2026-11-28T07:00:00Z\tseen\n"))
      << text;
  const auto after = parse_feed(text);
  ASSERT_TRUE(after) << after.error().line << ": " << after.error().why;
  EXPECT_EQ(*after, before);
}

TEST(Feed, PutsEntriesInOrderAndKeepsTheNewestOfTheSame) {
  const auto after = parse_feed(serialise(
      feed({entry("b", "2001:db8::1", FeedVerdict::kV1), entry("b", "192.0.2.9", FeedVerdict::kV0, kNow - 5), entry("B.", "192.0.2.9", FeedVerdict::kV1)})));
  ASSERT_TRUE(after);
  ASSERT_EQ(after->entries.size(), 2U);
  EXPECT_EQ(after->entries[0].verdict, FeedVerdict::kV1);
  EXPECT_TRUE(after->entries[0].address.is_v4());
}

TEST(Feed, KeepsItsFormWhateverEvidenceSays) {
  Feed odd = feed({entry("end", "192.0.2.1", FeedVerdict::kV1), entry("no name at all\n", "192.0.2.2", FeedVerdict::kV1)});
  odd.entries[0].evidence = "tab\tand\nline";
  odd.entries[1].evidence = std::string(kMostEvidenceBytes - 1, 'x') + "\xc3\xa4";
  const auto after = parse_feed(serialise(odd));
  ASSERT_TRUE(after) << after.error().why;
  EXPECT_EQ(after->entries[0].name, "end");
  EXPECT_EQ(after->entries[0].evidence, "tab and line");
  EXPECT_EQ(after->entries[1].name, "");
  EXPECT_EQ(after->entries[1].evidence.size(), kMostEvidenceBytes - 1);
}

TEST(Feed, RefusesEveryBeginningOfItself) {
  const std::string text = serialise(feed({entry("www.example", "192.0.2.1", FeedVerdict::kV1), entry("", "2001:db8::1", FeedVerdict::kMirror)}));
  for (std::size_t bytes = 0; bytes < text.size(); ++bytes) EXPECT_FALSE(parse_feed(std::string_view(text).substr(0, bytes))) << bytes;
}

TEST(Feed, RefusesWhatWasChanged) {
  const std::string text = serialise(feed({entry("www.example", "192.0.2.1", FeedVerdict::kV1)}));
  const struct {
    std::string_view from, to, why;
    std::size_t line;
  } cases[] = {
      {"weir-feed 1", "weir-feed 2", "version", 1},
      {"weir-feed 1", "something", "no feed", 1},
      {"written", "wrote", "written", 2},
      {"valid-until\t2026", "valid-until\t2025", "before written", 3},
      {"name\t", "names\t", "columns", 4},
      {"www.example", "www.Example", "lower case", 5},
      {"192.0.2.1", "192.0.2.256", "address", 5},
      {"\t443\t", "\t0\t", "port", 5},
      {"\tv1\t", "\tv2\t", "verdict", 5},
      {"seen\nend", "\a\nend", "evidence", 5},
      {"seen\nend", "seen\tmore\nend", "columns", 5},
      {"\nend\t1", "\nend\t2", "counts 2", 6},
      {"www.example", "www.exampla", "SHA-256", 6},
      {"\nend\t1", "\nend\t1\t", "columns", 6},
  };
  for (const auto& each : cases) {
    const auto read = parse_feed(replaced(text, each.from, each.to));
    ASSERT_FALSE(read) << each.to;
    EXPECT_EQ(read.error().line, each.line) << each.to << ": " << read.error().why;
    EXPECT_NE(read.error().why.find(each.why), std::string::npos) << read.error().why;
  }
  EXPECT_FALSE(parse_feed(text + "\n"));
}

TEST(Feed, MergesRuns) {
  const Feed earlier = feed({entry("a", "192.0.2.1", FeedVerdict::kV1, kNow - 100), entry("b", "192.0.2.2", FeedVerdict::kV1, kNow - 100),
                             entry("c", "192.0.2.3", FeedVerdict::kV1, kNow - 100)});
  Feed run = feed({entry("d", "192.0.2.4", FeedVerdict::kV0), entry("a", "192.0.2.1", FeedVerdict::kTcpOnly), entry("b", "192.0.2.2", FeedVerdict::kTimeout)});
  run.valid_until_s = kNow + 5;
  const Feed all = merged(earlier, run);
  ASSERT_EQ(all.entries.size(), 4U);
  EXPECT_EQ(all.valid_until_s, kNow + 5);
  EXPECT_EQ(all.entries[0].verdict, FeedVerdict::kTcpOnly);
  EXPECT_EQ(all.entries[0].first_seen_s, kNow - 100);
  EXPECT_EQ(all.entries[0].last_seen_s, kNow);
  EXPECT_EQ(all.entries[1].verdict, FeedVerdict::kV1) << "a run that found out nothing leaves it";
  EXPECT_EQ(all.entries[1].last_seen_s, kNow - 100);
  EXPECT_EQ(all.entries[2].name, "c");
  EXPECT_EQ(all.entries[3].name, "d");
}

TEST(Feed, AgesOut) {
  Feed old = feed({entry("a", "192.0.2.1", FeedVerdict::kV1, kNow - 100), entry("b", "192.0.2.2", FeedVerdict::kV1)});
  EXPECT_EQ(age_out(old, kNow - 99), 1U);
  ASSERT_EQ(old.entries.size(), 1U);
  EXPECT_EQ(old.entries[0].name, "b");
  EXPECT_FALSE(old.stale(kNow));
  EXPECT_TRUE(old.stale(kNow + 86'400));
}

}  // namespace
}  // namespace weir::decide

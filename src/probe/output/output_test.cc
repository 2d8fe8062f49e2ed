#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "probe/output/feed_entries.h"
#include "probe/output/json_lines.h"
#include "probe/output/summary.h"

namespace weir::probe::output {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Record speaker(std::span<const Name> names = {}) {
  Record record;
  record.time_ns = 1'795'849'200'000'000'000;
  record.finding.target = {parse_ip_address("192.0.2.1").value(), 443};
  record.finding.verdict = Verdict::kV1;
  record.finding.evidence.syn_v1 = Outcome::kCapable;
  record.finding.evidence.data_v1 = DataOutcome::kExact;
  record.finding.packets = 3;
  record.names = names;
  return record;
}

TEST(JsonLines, IsOneObjectALineWithTheEvidence) {
  const Name names[] = {{.name = "www.example", .category = "cdn"}};
  std::string line;
  append_json_line(line, speaker(names));
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
  const auto object = boost::json::parse(line).as_object();
  EXPECT_EQ(object.at("verdict").as_string(), "v1");
  EXPECT_EQ(object.at("evidence").as_object().at("data_ack_v1").as_string(), "exact");
  EXPECT_EQ(object.at("names").as_array().at(0).as_object().at("category").as_string(), "cdn");
  EXPECT_FALSE(object.contains("trace"));
}

TEST(JsonLines, ATraceNamesThePairOfHops) {
  trace::Report report;
  report.hops = {{.ttl = 1, .router = parse_ip_address("10.0.0.1"), .control = {}, .quoted = trace::Quoted::kIntact},
                 {.ttl = 2, .router = parse_ip_address("10.0.0.2"), .control = {}, .quoted = trace::Quoted::kRemoved}};
  report.loss = trace::Loss::kRemoved;
  report.before = 1;
  report.behind = 2;
  Record record = speaker();
  record.trace = &report;
  std::string line;
  append_json_line(line, record);
  EXPECT_THAT(line, HasSubstr(R"("before":{"ttl":1,"address":"10.0.0.1"},"behind":{"ttl":2,"address":"10.0.0.2"})"));
}

TEST(Summary, AnEarlierRunIsLinesOfThisToolAndNothingElse) {
  std::string line;
  append_json_line(line, speaker());
  for (const std::string wrong : {"no JSON\n", "{\"ip\":5}\n", "{\"event_type\":\"tls\"}\n"}) {
    EXPECT_EQ(read_earlier(line + wrong + line).error(), 2U);
    EXPECT_EQ(read_earlier(wrong).error(), 1U);
  }
  EXPECT_EQ(read_earlier("no JSON").error(), 1U);
  EXPECT_TRUE(read_earlier("").value().empty());
}

TEST(Summary, NothingHasChangedSinceARunThatHadNoneOfTheTargets) {
  Record record = speaker();
  Earlier other;
  other[{.address = record.finding.target.address, .port = 80}] = Verdict::kV1;
  Summary feed(other, false), asked(other);
  for (Summary* const summary : {&feed, &asked}) {
    record.before = summary->before(record.finding.target);
    summary->take(record);
  }
  EXPECT_THAT(feed.text({}), Not(HasSubstr("earlier run")));
  EXPECT_THAT(asked.text({}), HasSubstr("0 changed since the earlier run, 1 new"));
}

TEST(JsonLines, WhatASummaryTakesIsReadAgain) {
  const Name names[] = {{.name = "www.example", .category = "cdn"}};
  const std::vector<std::string> categories{"cdn", "video"};
  Record record = speaker(names);
  record.categories = categories;
  record.before = Verdict::kTcpOnly;
  std::string line;
  append_json_line(line, record);
  const auto read = read_line(line);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->finding.target, record.finding.target);
  EXPECT_EQ(read->finding.verdict, Verdict::kV1);
  EXPECT_EQ(read->names.at(0).name, "www.example");
  EXPECT_EQ(read->categories, categories);
  EXPECT_EQ(read->before, Verdict::kTcpOnly);
  EXPECT_FALSE(read_line(line.substr(0, 40)));
}

TEST(Feed, OneEntryForEachNameAndOneWithout) {
  const Name names[] = {{.name = "a.example", .category = "x"}, {.name = "a.example", .category = "y"}, {.name = "b.example", .category = {}}};
  std::vector<decide::FeedEntry> entries;
  append_feed_entries(entries, speaker(names));
  append_feed_entries(entries, speaker());
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].name, "a.example");
  EXPECT_EQ(entries[1].name, "b.example");
  EXPECT_EQ(entries[2].name, "");
  EXPECT_EQ(entries[2].evidence, "MP_CAPABLE v1: a key; data: DATA_ACK exact");
}

TEST(NftSets, HoldSpeakersAlone) {
  std::vector<decide::FeedEntry> entries;
  append_feed_entries(entries, speaker());
  Record other = speaker();
  other.finding.verdict = Verdict::kMirror;
  other.finding.target.address = parse_ip_address("192.0.2.9").value();
  append_feed_entries(entries, other);
  const std::string text = nft_sets(entries);
  EXPECT_THAT(text, HasSubstr("192.0.2.1 . 443,"));
  EXPECT_THAT(text, Not(HasSubstr("192.0.2.9")));
}

TEST(Summary, TellsSharesAndChanges) {
  std::string before;
  Record record = speaker();
  record.finding.verdict = Verdict::kTcpOnly;
  append_json_line(before, record);
  Summary summary(read_earlier(before + "{\"timestamp\":\"20").value());
  const Name names[] = {{.name = "<b>.example", .category = "cdn"}};
  Record changed = speaker(names);
  const std::vector<std::string> categories{"cdn"};
  changed.categories = categories;
  changed.before = summary.before(changed.finding.target);
  summary.take(changed);
  Record fresh = speaker();
  fresh.finding.target.port = 80;
  summary.take(fresh);
  EXPECT_EQ(summary.changed(), 1U);
  EXPECT_EQ(summary.fresh(), 1U);
  EXPECT_EQ(summary.changes().at(0).before, Verdict::kTcpOnly);
  const std::string page = summary.html(0);
  EXPECT_THAT(page, HasSubstr("&lt;b>.example"));
  EXPECT_THAT(page, HasSubstr("cdn"));
  EXPECT_THAT(summary.text({}), HasSubstr("100.0 %"));
}

}  // namespace
}  // namespace weir::probe::output

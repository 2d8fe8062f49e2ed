#include "report/summary.h"

#include <gtest/gtest.h>

#include <string>

#include "report/explain.h"
#include "report/progress.h"
#include "report/table.h"

namespace weir::report {
namespace {

engine::ConnectionRecord record(std::uint64_t number) {
  engine::ConnectionRecord r;
  r.info.number = number;
  r.info.id = "id-" + std::to_string(number);
  r.info.first_ns = static_cast<TimeNs>(number);
  r.version = 1;
  r.state = engine::ConnectionState::kClosed;
  r.bytes[0] = 1'234'567;
  r.subflows.resize(2);
  r.subflows[1].id = 1;
  return r;
}

Summary summary() {
  return Summary([](PointId) { return std::string("here"); });
}

TEST(Summary, ListsFewConnectionsWithTheirSubflows) {
  auto s = summary();
  s.on_connection(record(1));
  const std::string text = s.text({}, {});
  EXPECT_NE(text.find("id-1"), std::string::npos);
  EXPECT_NE(text.find("1,234,567"), std::string::npos);
  EXPECT_NE(text.find("subflow 1"), std::string::npos);
  EXPECT_EQ(text.find('\033'), std::string::npos) << "no colour where there is no terminal";
}

TEST(Summary, SaysWhenThereIsNothing) { EXPECT_NE(summary().text({}, {}).find("No MPTCP connection"), std::string::npos); }

TEST(Summary, OfManyShowsThoseThatMatter) {
  auto s = summary();
  for (std::uint64_t number = 1; number <= 5'000; ++number) {
    if (number == 2'500) {
      engine::AnomalyRecord a;
      a.event = "join_hmac_mismatch";
      a.connection = record(number).info;
      s.on_anomaly(a);
    }
    auto r = record(number);
    if (number == 7) r.visibility = 0.3;
    s.on_connection(r);
  }
  const std::string text = s.text({}, {});
  EXPECT_NE(text.find("id-2500 "), std::string::npos);
  EXPECT_NE(text.find("id-7 "), std::string::npos);
  EXPECT_NE(text.find("5,000 with MPTCP"), std::string::npos);
  EXPECT_LT(text.size(), 20'000U);
  EXPECT_LT(text.find("id-2500 "), text.find("id-7 ")) << "anomalies first";
}

TEST(Summary, ExplainsAnomaliesAndMendsForeignBytes) {
  auto s = summary();
  engine::AnomalyRecord a;
  a.event = "option_stripped";
  a.detail = {{"where", std::string("\033[2J")}};
  s.on_anomaly(a);
  const std::string text = s.text({}, {});
  EXPECT_NE(text.find(explain_event("option_stripped")), std::string::npos);
  EXPECT_EQ(text.find('\033'), std::string::npos);
}

TEST(Summary, SaysWhereAnOptionIsTakenOut) {
  Summary s([](PointId point) { return "point" + std::to_string(point); });
  engine::AnomalyRecord a;
  a.event = "option_stripped";
  a.detail = {{"option", std::string("MP_JOIN")}, {"direction", std::string("to_client")}};
  a.between = {1, 0};
  s.on_anomaly(a);
  EXPECT_NE(s.text({}, {}).find("MP_JOIN is taken out between point1 and point0 on the way to the client."), std::string::npos) << s.text({}, {});
}

TEST(Summary, NamesAConnectionsServerOnce) {
  auto s = summary();
  auto r = record(1);
  r.names = {
      {"www.example", engine::ServerName::Source::kDns}, {"www.example", engine::ServerName::Source::kSni}, {"\033[2J", engine::ServerName::Source::kHttp}};
  s.on_connection(r);
  EXPECT_NE(s.text({}, {}).find("www.example, ?[2J"), std::string::npos);
}

TEST(Table, RemarksGoBelowWhereTheTerminalIsNarrow) {
  Table table({{"NAME"}, {"COUNT", true}, {"REMARK"}});
  table.row({"a", "1", "short"});
  table.row({"bcd", "20", "a remark that is too long for the line"});
  EXPECT_EQ(table.text({}), "  NAME  COUNT  REMARK\n  a         1  short\n  bcd      20  a remark that is too long for the line\n");
  EXPECT_EQ(table.text({.width = 30, .colour = false}),
            "  NAME  COUNT  REMARK\n  a         1  short\n  bcd      20\n        a remark that is too\n        long for the line\n");
}

TEST(Grouped, Thousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
}

TEST(Progress, LineFitsItsWidth) {
  for (std::size_t width = 1; width < 120; ++width) EXPECT_LE(progress_line(123'456'789, 987'654'321, 1.5, width).size(), width);
  EXPECT_NE(progress_line(50, 100, 1, 80).find("50%"), std::string::npos);
  EXPECT_NE(progress_line(50'000'000, 100'000'000, 1, 80).find("0:01 left"), std::string::npos);
  EXPECT_EQ(progress_line(50, 0, 1, 80), "50 B, 50 B/s");
}

}  // namespace
}  // namespace weir::report

#include "gateway/control.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

TEST(Control, KnowsItsPaths) {
  const auto list = parse_command("GET", "/api/v1/connections?after=7");
  ASSERT_TRUE(list);
  EXPECT_EQ(list->what, Command::What::kList);
  EXPECT_EQ(list->connection, 7U);
  const auto cut = parse_command("POST", "/api/v1/connections/12/cut");
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->what, Command::What::kCutConnection);
  EXPECT_EQ(cut->connection, 12U);
  const auto subflow = parse_command("POST", "/api/v1/connections/12/subflows/0/cut");
  ASSERT_TRUE(subflow);
  EXPECT_EQ(subflow->what, Command::What::kCutSubflow);
  EXPECT_EQ(subflow->subflow, 0U);
  EXPECT_EQ(parse_command("POST", "/api/v1/reload")->what, Command::What::kReload);
  EXPECT_EQ(parse_command("GET", "/api/v1/status")->what, Command::What::kStatus);
  EXPECT_EQ(parse_command("POST", "/api/v1/drain")->what, Command::What::kDrain);
  EXPECT_EQ(parse_command("DELETE", "/api/v1/drain")->what, Command::What::kTakeIn);
  const auto one = parse_command("GET", "/api/v1/connections/12");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->what, Command::What::kConnection);
  EXPECT_EQ(one->connection, 12U);
  EXPECT_EQ(parse_command("DELETE", "/api/v1/connections/12")->what, Command::What::kCutConnection);
  const auto gone = parse_command("DELETE", "/api/v1/connections/12/subflows/3");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->what, Command::What::kCutSubflow);
  EXPECT_EQ(gone->subflow, 3U);
  const auto page = parse_command("GET", "/api/v1/connections?limit=20&after=7");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->connection, 7U);
  EXPECT_EQ(page->most, 20U);
  EXPECT_EQ(list->most, Command::kMostListed);
}

TEST(Control, SaysWhatIsWrong) {
  struct Case {
    const char *method, *target;
    unsigned status;
  };
  for (const Case& each : {Case{"GET", "/", 404},
                           Case{"GET", "/api/v1/connections/1/cut", 405},
                           Case{"POST", "/api/v1/connections", 405},
                           Case{"POST", "/api/v1/connections/0/cut", 404},
                           Case{"POST", "/api/v1/connections/-1/cut", 404},
                           Case{"POST", "/api/v1/connections/99999999999999999999999/cut", 404},
                           Case{"POST", "/api/v1/connections/1/subflows//cut", 404},
                           Case{"POST", "/api/v1/connections/1/cut/", 404},
                           Case{"GET", "/api/v1/connections?before=1", 400},
                           Case{"GET", "/api/v1/connections?", 400},
                           Case{"GET", "/api/v1/connections?limit=0", 400},
                           Case{"GET", "/api/v1/connections?limit=1001", 400},
                           Case{"GET", "/api/v1/connections?after=1&", 400},
                           Case{"GET", "/api/v1/connections?after=1&after=2", 400},
                           Case{"GET", "/api/v1/connections/1/subflows/0", 405},
                           Case{"PUT", "/api/v1/reload", 405},
                           Case{"POST", "/api/v1/reload?x", 400},
                           Case{"DELETE", "/api/v1/connections", 405},
                           Case{"GET", "/api/v1/connections/1/", 404},
                           Case{"GET", "/api/v1/connections?after=1x", 400}}) {
    const auto command = parse_command(each.method, each.target);
    ASSERT_FALSE(command) << each.target;
    EXPECT_EQ(command.error().status, each.status) << each.target;
    EXPECT_TRUE(command.error().body.starts_with("{\"error\":\"")) << command.error().body;
  }
}

TEST(Control, AListOfManyShardsGoesOnWhereItEnded) {
  const auto of = [](std::vector<std::uint64_t> numbers) {
    std::vector<Listed> all;
    for (const std::uint64_t n : numbers) all.push_back({.connection = n, .json = std::to_string(n)});
    return all;
  };
  std::string first, last;
  report::JsonWriter json(first);
  json.begin_array();
  EXPECT_EQ(append_list(json, of({3, 6, 9, 1, 4, 7}), 4), 6U);
  json.end_array();
  EXPECT_EQ(first, "[1,3,4,6]");
  report::JsonWriter rest(last);
  rest.begin_array();
  EXPECT_EQ(append_list(rest, of({9, 7}), 4), 0U);
  rest.end_array();
  EXPECT_EQ(last, "[7,9]");
}

}  // namespace
}  // namespace weir::gateway

#include "report/eve.h"
#include "report/line_output.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "engine/counters.h"

namespace weir::report {
namespace {

using engine::ConnectionState;

constexpr TimeNs kTime = 1'795'486'560'123'456'789;  // 2026-11-24T02:16:00.123456789Z

IpAddress v4(std::uint8_t last) {
  const std::byte octets[4] = {std::byte{10}, std::byte{0}, std::byte{0}, std::byte{last}};
  return IpAddress::v4(octets);
}

/// Writes through a file, and gives the lines back as values.
class EveTest : public testing::Test {
 protected:
  EveTest() : path_(testing::TempDir() + "eve_test." + std::to_string(::getpid())) {}
  ~EveTest() override { std::filesystem::remove(path_); }

  template <typename Tell>
  std::vector<boost::json::object> lines(Tell&& tell) {
    auto output = LineOutput::open(path_, LineOutput::Mode::kReplace);
    EXPECT_TRUE(output);
    EveWriter eve(*output, [](PointId point) { return "point" + std::to_string(point); });
    tell(eve);
    eve.flush();
    EXPECT_FALSE(output->close());
    std::vector<boost::json::object> found;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) found.push_back(boost::json::parse(line).as_object());
    return found;
  }

  static engine::ConnectionRecord record() {
    engine::ConnectionRecord r;
    r.info.number = 1;
    r.info.id = "3f0c11aa-9be2d004";
    r.info.endpoints = {v4(1), v4(2), 40000, 80};
    r.info.first_ns = kTime - 5'000'000'000;
    r.last_ns = kTime;
    r.version = 1;
    r.state = ConnectionState::kClosed;
    r.bytes[0] = 100;
    r.bytes[1] = 200;
    engine::SubflowRecord f;
    f.endpoints = r.info.endpoints;
    f.auth = engine::Auth::kVerified;
    f.state = engine::SubflowState::kClosed;
    f.bytes[0] = 100;
    f.points = {0, 1};
    r.subflows = {f};
    return r;
  }

 private:
  std::string path_;
};

TEST_F(EveTest, ConnectionHasTheContractsFields) {
  const auto found = lines([](EveWriter& eve) { eve.on_connection(record()); });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(boost::json::serialize(found[0]),
            R"({"timestamp":"2026-11-24T02:16:00.123456+0000","event_type":"mptcp","src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2","dest_port":80,)"
            R"("proto":"TCP","community_id":"1:3k1SoWXs/FltHw2aBCgUTgbDQF4=","mptcp":{"id":"3f0c11aa-9be2d004","version":1,"state":"closed","checksum":false,)"
            R"("bytes_toserver":100,"bytes_toclient":200,"gap_bytes_toserver":0,"gap_bytes_toclient":0,"visibility":1,"duplicate_bytes":0,)"
            R"("subflows":[{"id":0,"src_ip":"10.0.0.1","src_port":40000,"dest_ip":"10.0.0.2","dest_port":80,"opener":"client","addr_id":0,"backup":false,)"
            R"("auth":"verified","bytes_toserver":100,"bytes_toclient":0,"state":"closed","capture_points":["point0","point1"]}]}})");
}

TEST_F(EveTest, OptionalFieldsComeOnlyWhenTheyApply) {
  auto r = record();
  r.version.reset();
  r.state = ConnectionState::kFallback;
  r.fallback_reason = engine::FallbackReason::kNoDss;
  r.midstream = true;
  r.visibility = 0.99999999;
  r.subflows[0].seen_as = {{v4(3), v4(2), 5, 80}};
  const auto found = lines([&](EveWriter& eve) { eve.on_connection(r); });
  const auto& mptcp = found.at(0).at("mptcp").as_object();
  EXPECT_TRUE(mptcp.at("version").is_null());
  EXPECT_EQ(mptcp.at("fallback_reason").as_string(), "no_dss");
  EXPECT_EQ(mptcp.at("midstream"), true);
  EXPECT_LT(mptcp.at("visibility").as_double(), 1) << "1 is kept for all bytes";
  EXPECT_EQ(mptcp.at("subflows").at(0).at("seen_as").at(0).at("src_ip").as_string(), "10.0.0.3");
}

TEST_F(EveTest, AnomalyNamesItsConnectionOrItsAddresses) {
  const auto found = lines([](EveWriter& eve) {
    engine::AnomalyRecord a;
    a.time_ns = kTime;
    a.event = "join_flood";
    a.connection = record().info;
    a.detail = {{"expected", std::uint64_t{64}}, {"seen", std::int64_t{-1}}, {"inferred", true}, {"text", std::string("\"\n")}};
    eve.on_anomaly(a);
    a.connection.reset();
    a.type = engine::AnomalyType::kDecode;
    a.event = "decoder.ipv4.trunc_pkt";
    a.detail.clear();
    eve.on_anomaly(a);
    a.endpoints = engine::Endpoints{v4(1), v4(2), 0, 0};
    eve.on_anomaly(a);
  });
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].at("mptcp").at("id").as_string(), "3f0c11aa-9be2d004");
  EXPECT_EQ(boost::json::serialize(found[0].at("anomaly")),
            R"({"type":"mptcp","event":"join_flood","detail":{"expected":64,"seen":-1,"inferred":true,"text":"\"\n"}})");
  EXPECT_FALSE(found[1].contains("src_ip"));
  EXPECT_EQ(boost::json::serialize(found[1].at("anomaly")), R"({"type":"decode","event":"decoder.ipv4.trunc_pkt","detail":{}})");
  EXPECT_EQ(found[2].at("dest_ip").as_string(), "10.0.0.2");
  EXPECT_FALSE(found[2].contains("community_id"));
}

TEST_F(EveTest, AnAnomalyBetweenTwoPointsNamesThem) {
  const auto found = lines([](EveWriter& eve) {
    engine::AnomalyRecord a;
    a.event = "option_stripped";
    a.detail = {{"subflow", std::uint64_t{1}}};
    a.between = {3, 1};
    eve.on_anomaly(a);
  });
  EXPECT_EQ(boost::json::serialize(found.at(0).at("anomaly").at("detail")), R"({"subflow":1,"between":["point3","point1"]})");
}

TEST_F(EveTest, AnAnomalySaysWhatBecameOfItsPacket) {
  const auto found = lines([](EveWriter& eve) {
    engine::AnomalyRecord a;
    a.event = "add_addr_hmac_mismatch";
    for (const auto action : {engine::RecordAction::kAllowed, engine::RecordAction::kBlocked}) {
      a.action = action;
      eve.on_anomaly(a);
    }
  });
  EXPECT_EQ(boost::json::serialize(found.at(0).at("anomaly")), R"({"type":"mptcp","event":"add_addr_hmac_mismatch","action":"allowed","detail":{}})");
  EXPECT_EQ(found.at(1).at("anomaly").at("action").as_string(), "blocked");
}

TEST_F(EveTest, ADecisionNamesItsConnectionOnceThatHasAnId) {
  const auto found = lines([](EveWriter& eve) {
    PolicyRecord decision{
        .time_ns = kTime, .endpoints = record().info.endpoints, .id = {}, .action = "inspect", .rule = "default", .reason = "no rule matches"};
    eve.write_policy(decision);
    decision.id = record().info.id;
    eve.write_policy(decision);
    eve.on_connection(record());
  });
  EXPECT_FALSE(found.at(0).contains("mptcp"));
  EXPECT_EQ(boost::json::serialize(found.at(0).at("mptcp_policy")), R"({"action":"inspect","rule":"default","reason":"no rule matches"})");
  EXPECT_EQ(found.at(1).at("mptcp").at("id"), found.at(2).at("mptcp").at("id"));
  for (const auto& one : found) EXPECT_EQ(one.at("community_id"), found.at(2).at("community_id"));
}

TEST_F(EveTest, NamesOfTheServer) {
  auto r = record();
  r.names = {{"www.example", engine::ServerName::Source::kDns}, {"\n", engine::ServerName::Source::kSni}, {"h", engine::ServerName::Source::kHttp}};
  const auto found = lines([&](EveWriter& eve) { eve.on_connection(r); });
  EXPECT_EQ(boost::json::serialize(found.at(0).at("mptcp").at("names")),
            R"([{"name":"www.example","source":"dns"},{"name":"\n","source":"sni"},{"name":"h","source":"http"}])");
}

TEST_F(EveTest, InventoryTellsWhatIsNewAndTheWholeEntry) {
  inspect::InventoryNews news;
  news.version = 1;
  news.entry.key = {.address = v4(2), .role = inspect::InventoryRole::kServer, .port = 80};
  news.entry.speaks = true;
  news.entry.versions = 2;
  news.entry.first_ns = news.entry.last_ns = kTime;
  news.entry.agreed = 1;
  const auto found = lines([&](EveWriter& eve) {
    eve.write_inventory(record().info, kTime, news);
    news.what = inspect::InventoryNews::What::kAddress;
    news.address = inspect::InventoryAddress{.address = v4(9), .port = 0, .offered = true, .authentic = true, .used = false};
    eve.write_inventory(record().info, kTime, news);
  });
  EXPECT_EQ(found.at(0).at("event_type").as_string(), "inventory");
  EXPECT_EQ(found.at(0).at("mptcp").at("id").as_string(), "3f0c11aa-9be2d004");
  EXPECT_EQ(boost::json::serialize(found.at(0).at("inventory")),
            R"({"new":"speaker","version":1,"address":"10.0.0.2","role":"server","port":80,"speaks":true,"versions":[1],)"
            R"("first_seen":"2026-11-24T02:16:00.123456+0000","last_seen":"2026-11-24T02:16:00.123456+0000",)"
            R"("agreed":1,"refused":0,"unanswered":0,"fallback":0,"most_subflows":0,"addresses":[]})");
  EXPECT_EQ(boost::json::serialize(found.at(1).at("inventory").at("new_address")), R"({"address":"10.0.0.9","offered":true,"authentic":true,"used":false})");
}

TEST_F(EveTest, FlowIsSuricatas) {
  const auto found = lines([](EveWriter& eve) {
    engine::FlowRecord f;
    f.info = record().info;
    f.info.id = "x-0000000000000001";
    f.last_ns = kTime;
    f.state = ConnectionState::kReset;
    f.packets[0] = 3;
    f.bytes[1] = 9;
    f.gap_bytes[1] = 1;
    eve.on_flow(f);
    f.state = ConnectionState::kOpen;
    eve.input_ended();
    eve.on_flow(f);
  });
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(boost::json::serialize(found[0].at("flow")),
            R"({"pkts_toserver":3,"pkts_toclient":0,"bytes_toserver":0,"bytes_toclient":9,"start":"2026-11-24T02:15:55.123456+0000",)"
            R"("end":"2026-11-24T02:16:00.123456+0000","age":5,"state":"closed","reason":"timeout","alerted":false})");
  EXPECT_EQ(boost::json::serialize(found[0].at("tcp")), R"({"state":"closed","rst":true,"tc_gap":true})");
  EXPECT_EQ(found[0].at("mptcp").at("id").as_string(), "x-0000000000000001");
  EXPECT_EQ(found[1].at("flow").at("state").as_string(), "established");
  EXPECT_EQ(found[1].at("flow").at("reason").as_string(), "shutdown");
}

TEST_F(EveTest, CountersNestByTheirDots) {
  const auto found = lines([](EveWriter& eve) {
    const NamedCounter counters[] = {{"decode.packets", 3}, {"mptcp.unanswered", 1}, {"anomalies", 2}, {"decode.bytes", 4}};
    eve.write_stats(kTime, 7, counters);
  });
  EXPECT_EQ(boost::json::serialize(found.at(0).at("stats")), R"({"uptime":7,"anomalies":2,"decode":{"bytes":4,"packets":3},"mptcp":{"unanswered":1}})");
}

TEST_F(EveTest, AnInterfacesDotIsNoNesting) {
  const auto found = lines([](EveWriter& eve) {
    const NamedCounter counters[] = {{"capture.interfaces.eth0\x1f"
                                      "100.packets",
                                      3},
                                     {"capture.interfaces.eth0.packets", 1},
                                     {"capture.interfaces.eth0.bytes", 2},
                                     {"capture.workers", 4}};
    eve.write_stats(kTime, 7, counters);
  });
  EXPECT_EQ(boost::json::serialize(found.at(0).at("stats")),
            R"({"uptime":7,"capture":{"interfaces":{"eth0.100":{"packets":3},"eth0":{"bytes":2,"packets":1}},"workers":4}})");
}

// "a" beside "a.b" would be one name for a number and for an object.
TEST(Counters, NoNameIsAnothersBeginning) {
  std::set<std::string> groups;
  for (const auto& info : engine::kCounterTable)
    if (const auto dot = info.name.find('.'); dot != std::string_view::npos) groups.emplace(info.name.substr(0, dot));
  for (const auto& info : engine::kCounterTable) EXPECT_FALSE(groups.contains(std::string(info.name))) << info.name;
}

}  // namespace
}  // namespace weir::report

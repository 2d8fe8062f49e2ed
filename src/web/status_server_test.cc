#include "web/status_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <vector>

#include "web/http_client_test.h"

namespace weir::web {
namespace {

class StatusServerTest : public testing::Test {
 protected:
  StatusServerTest() : server_(*StatusServer::open("127.0.0.1:0", "1.2.3")) { server_->start(); }

  int connect() const { return connect_to(*server_); }
  std::string ask(const std::string& request) const { return web::ask(*server_, request); }
  std::string get(const std::string& path) const { return ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"); }
  static std::string body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
  static std::string first_line(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

  std::unique_ptr<StatusServer> server_;
};

TEST_F(StatusServerTest, MetricsNameEveryCounterAndInterface) {
  server_->publish({.uptime_s = 7,
                    .counters = {{"mptcp.connections", 5}, {"memory.bytes", 1'000}},
                    .interfaces = {{.name = "eth\"0", .watched = true, .packets = 10, .dropped = 2, .ring_full = 1}},
                    .problems = {}});
  const std::string answer = get("/metrics");
  EXPECT_EQ(first_line(answer), "HTTP/1.1 200 OK");
  for (const char* line :
       {"# TYPE weir_mptcp_connections_total counter\n", "\nweir_mptcp_connections_total 5\n", "# TYPE weir_memory_bytes gauge\n", "\nweir_memory_bytes 1000\n",
        "\nweir_capture_dropped_total{interface=\"eth\\\"0\"} 2\n", "\nweir_build_info{version=\"1.2.3\"} 1\n", "\nweir_uptime_seconds 7\n"})
    EXPECT_NE(answer.find(line), std::string::npos) << line << answer;
}

TEST_F(StatusServerTest, HealthSaysWhatIsWrong) {
  server_->publish({});
  EXPECT_EQ(body(get("/healthz")), "ok\n");
  server_->publish({.uptime_s = 0, .counters = {}, .interfaces = {}, .problems = {"eth1: the interface is away"}});
  const std::string answer = get("/healthz");
  EXPECT_EQ(first_line(answer), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(boost::json::parse(body(answer)), boost::json::parse(R"({"status": "failing", "problems": ["eth1: the interface is away"]})"));
}

TEST_F(StatusServerTest, StatusIsJson) {
  server_->publish({.uptime_s = 1, .counters = {{"a.b", 2}}, .interfaces = {{.name = "eth0"}}, .problems = {}});
  EXPECT_EQ(boost::json::parse(body(get("/api/v1/status"))), boost::json::parse(R"({"version": "1.2.3", "uptime": 1, "draining": false, "problems": [],
      "interfaces": [{"name": "eth0", "watched": true, "packets": 0, "dropped": 0, "ring_full": 0}], "counters": {"a.b": 2}})"));
}

TEST_F(StatusServerTest, AnInterfaceThatIsNotCountedHasNoNumbers) {
  server_->publish({.uptime_s = 1, .counters = {}, .interfaces = {{.name = "lan0", .watched = false, .counted = false}}, .problems = {}});
  EXPECT_EQ(boost::json::parse(body(get("/api/v1/status"))).at("interfaces"), boost::json::parse(R"([{"name": "lan0", "watched": false}])"));
  const std::string metrics = get("/metrics");
  EXPECT_NE(metrics.find("\nweir_capture_interface_watched{interface=\"lan0\"} 0\n"), std::string::npos);
  EXPECT_EQ(metrics.find("weir_capture_packets_total{"), std::string::npos);
}

TEST_F(StatusServerTest, WhatDrainsIsNotForNewConnections) {
  server_->publish({.uptime_s = 0, .counters = {}, .interfaces = {}, .problems = {}, .draining = true});
  const std::string answer = get("/healthz");
  EXPECT_EQ(first_line(answer), "HTTP/1.1 503 Service Unavailable");
  EXPECT_EQ(boost::json::parse(body(answer)), boost::json::parse(R"({"status": "draining", "problems": []})"));
  EXPECT_NE(get("/metrics").find("\nweir_draining 1\n"), std::string::npos);
}

TEST_F(StatusServerTest, NothingElseIsAnswered) {
  EXPECT_EQ(first_line(get("/")), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(first_line(get("/../etc/passwd")), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(first_line(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")).substr(0, 12), "");  // a body is not read
  EXPECT_EQ(first_line(ask("DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n")), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n"), "");
  std::string many = "GET /metrics HTTP/1.1\r\n";
  for (int i = 0; i < 10'000; ++i) many += "A: b\r\n";
  EXPECT_EQ(ask(many + "\r\n"), "");
  EXPECT_EQ(ask(std::string(3, '\0') + "\r\n\r\n"), "");
}

TEST_F(StatusServerTest, IdleConnectionsKeepNoOneOutForLong) {
  server_->publish({});
  std::vector<int> idle(40);
  for (int& connection : idle) connection = connect();
  std::string answer;
  for (const auto until = std::time(nullptr) + 15; answer.empty() && std::time(nullptr) < until;) answer = get("/healthz");
  EXPECT_EQ(first_line(answer), "HTTP/1.1 200 OK");
  for (const int connection : idle) ::close(connection);
}

TEST(StatusServer, AnAddressInUseIsAnError) {
  const auto first = StatusServer::open("127.0.0.1:0", "");
  ASSERT_TRUE(first);
  const auto second = StatusServer::open("127.0.0.1:" + std::to_string((*first)->port()), "");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().why, "Address already in use");
}

TEST(StatusServer, Addresses) {
  for (const char* good : {"127.0.0.1:8384", "[::1]:0", "0.0.0.0:65535"}) EXPECT_TRUE(is_listen_address(good)) << good;
  for (const char* bad : {"", "8384", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:1x", "localhost:1", "::1:80", "[::1]", "[127.0.0.1]:1"})
    EXPECT_FALSE(is_listen_address(bad)) << bad;
}

}  // namespace
}  // namespace weir::web

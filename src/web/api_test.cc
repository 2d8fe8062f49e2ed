#include "web/api.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <thread>

#include "web/http_client_test.h"
#include "web/status_server.h"

namespace weir::web {
namespace {

constexpr const char* kToken = "correct-horse-battery";

/// A server whose program answers with what it was asked.
class ApiTest : public testing::Test {
 protected:
  std::unique_ptr<StatusServer> serve(Api api) {
    auto server = *StatusServer::open("127.0.0.1:0", "1.2.3");
    server->use(std::move(api));
    server->publish({});
    server->start();
    return server;
  }
  static Api echo() {
    return {.token = kToken, .closed_why = {}, .ask = [](const ApiRequest& request, const ApiReply& reply) {
              reply({.status = 200, .body = request.method + " " + request.target});
            }};
  }
  static std::string with_token(const std::string& line, const std::string& more = "") {
    return line + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + kToken + "\r\n" + more + "\r\n";
  }
  static std::string status(const std::string& answer) { return answer.substr(9, 3); }
};

TEST_F(ApiTest, WhoHasTheTokenIsAnsweredByTheProgram) {
  const auto server = serve(echo());
  EXPECT_TRUE(ask(*server, with_token("DELETE /api/v1/connections/7?x=1")).ends_with("\r\n\r\nDELETE /api/v1/connections/7?x=1"));
  EXPECT_TRUE(ask(*server, with_token("POST /api/v1/reload", "Content-Length: 0\r\n")).ends_with("POST /api/v1/reload"));
}

TEST_F(ApiTest, NoOneElseIs) {
  const auto server = serve(echo());
  for (const std::string head : {"", "Authorization: Bearer wrong\r\n", "Authorization: Basic Y29ycmVjdA==\r\n", "X-Token: correct-horse-battery\r\n"}) {
    const std::string answer = ask(*server, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n" + head + "\r\n");
    EXPECT_EQ(status(answer), "401") << head;
    EXPECT_NE(answer.find("WWW-Authenticate: Bearer"), std::string::npos);
    EXPECT_EQ(answer.find(kToken), std::string::npos);
  }
  EXPECT_EQ(status(ask(*server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")), "200");
  EXPECT_EQ(status(ask(*server, "POST /metrics HTTP/1.1\r\nHost: x\r\n\r\n")), "405");
}

TEST_F(ApiTest, WithoutATokenItIsClosedAndSaysWhy) {
  const auto server = serve({.token = {}, .closed_why = "name a token_file", .ask = {}});
  const std::string answer = ask(*server, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \r\n\r\n");
  EXPECT_EQ(status(answer), "403");
  EXPECT_TRUE(answer.ends_with("{\"error\":\"name a token_file\"}\n")) << answer;
}

TEST_F(ApiTest, BodiesAreNotTaken) {
  const auto server = serve(echo());
  EXPECT_EQ(ask(*server, with_token("POST /api/v1/reload", "Content-Length: 1\r\n")), "");
  EXPECT_EQ(status(ask(*server, with_token("POST /api/v1/reload", "Transfer-Encoding: chunked\r\n"))), "400");
}

TEST_F(ApiTest, AnAnswerMayComeFromAnotherThreadAndLate) {
  std::promise<ApiReply> asked;
  const auto server = serve({.token = kToken, .closed_why = {}, .ask = [&](const ApiRequest&, ApiReply reply) { asked.set_value(std::move(reply)); }});
  auto answer = std::async(std::launch::async, [&] { return ask(*server, with_token("GET /api/v1/status")); });
  const ApiReply reply = asked.get_future().get();
  EXPECT_EQ(status(ask(*server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")), "200");  // no one waits for it
  reply({.status = 404, .body = "{}"});
  EXPECT_EQ(status(answer.get()), "404");
  reply({.status = 200, .body = "twice"});
}

TEST_F(ApiTest, AnAnswerMayComeWhenTheServerIsGone) {
  std::promise<ApiReply> asked;
  auto server = serve({.token = kToken, .closed_why = {}, .ask = [&](const ApiRequest&, ApiReply reply) { asked.set_value(std::move(reply)); }});
  const auto answer = std::async(std::launch::async, [&] { return ask(*server, with_token("GET /api/v1/status")); });
  const ApiReply reply = asked.get_future().get();
  server.reset();
  reply({.status = 200, .body = "{}"});
}

TEST(Loopback, Addresses) {
  for (const char* near : {"127.0.0.1:8384", "127.9.0.1:1", "[::1]:8384"}) EXPECT_TRUE(is_loopback(near)) << near;
  for (const char* far : {"0.0.0.0:8384", "10.0.0.1:1", "[::]:8384", "off"}) EXPECT_FALSE(is_loopback(far)) << far;
}

}  // namespace
}  // namespace weir::web

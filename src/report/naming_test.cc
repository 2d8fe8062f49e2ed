// Names in records: by DNS, TLS and HTTP, for the whole connection.
#include "report/naming.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::report {
namespace {

using Source = engine::ServerName::Source;
using Names = std::vector<engine::ServerName>;

constexpr TimeNs kSecond = 1'000'000'000;

IpAddress ip(const std::string& text) { return *parse_ip_address(text); }

class NamingTest : public testing::Test, public engine::Observer {
 protected:
  void on_connection(const engine::ConnectionRecord& record) override { told.push_back(record.names); }
  void on_flow(const engine::FlowRecord& record) override { told.push_back(record.names); }
  void on_alert(const engine::AlertRecord& record) override { told.push_back(record.names); }

  static engine::ConnectionInfo info(std::uint64_t number, TimeNs first_ns) {
    engine::ConnectionInfo out;
    out.number = number;
    out.id = "x-" + std::to_string(number);
    out.endpoints = {ip("10.0.0.1"), ip("192.0.2.7"), 40'000, 443};
    out.first_ns = first_ns;
    return out;
  }
  void resolve(const std::string& name, TimeNs now) {
    inspect::apps::DnsRecord message;
    message.time_ns = now;
    message.response = true;
    message.rcode = "NOERROR";
    message.name = name;
    message.answers = {{.name = name, .type = "A", .data = "192.0.2.7", .ttl_s = 300, .addresses = {ip("192.0.2.7")}}};
    names.answer(ip("10.0.0.1"), message);
  }
  void end(std::uint64_t number, TimeNs first_ns) {
    engine::ConnectionRecord record;
    record.info = info(number, first_ns);
    naming.on_connection(record);
  }
  SharedNames names{100};
  Naming naming{names, *this, 2};
  std::vector<Names> told;
};

TEST_F(NamingTest, TheNameOfItsBeginningStays) {
  resolve("first.example", 1 * kSecond);
  naming.on_handshake(info(1, 2 * kSecond), engine::Handshake::kEstablished, 2 * kSecond);
  resolve("second.example", 3 * kSecond);
  engine::AlertRecord alert;
  alert.connection = info(1, 2 * kSecond);
  naming.on_alert(alert);
  end(1, 2 * kSecond);
  end(2, 4 * kSecond);
  const Names first{{"first.example", Source::kDns}}, second{{"second.example", Source::kDns}};
  EXPECT_EQ(told, (std::vector<Names>{first, first, second}));
}

TEST_F(NamingTest, AnAnswerThatIsHeardOfLater) {
  naming.on_handshake(info(1, 2 * kSecond), engine::Handshake::kEstablished, 2 * kSecond);
  resolve("late.example", 1 * kSecond);
  end(1, 2 * kSecond);
  end(2, 0);
  EXPECT_EQ(told, (std::vector<Names>{{{"late.example", Source::kDns}}, {}})) << "and none for what began before it";
}

TEST_F(NamingTest, ServerNameIndicationAndHostOnceEach) {
  inspect::apps::TlsRecord tls;
  tls.sni = "secret.example";
  inspect::apps::HttpRecord http;
  for (const char* host : {"a.example", "a.example", "b.example", "c.example", "d.example"}) {
    http.hostname = host;
    naming.on_application({info(1, 0), http});
  }
  naming.on_application({info(2, 0), tls});
  tls.sni = std::string(300, 'a');
  naming.on_application({info(2, 0), tls});
  end(1, 0);
  end(2, 0);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].size(), Naming::kMostNames);
  EXPECT_EQ(told[1], (Names{{"secret.example", Source::kSni}}));
}

TEST_F(NamingTest, BoundedAndCounted) {
  inspect::apps::TlsRecord tls;
  tls.sni = "a.example";
  for (std::uint64_t number = 1; number <= 3; ++number) naming.on_application({info(number, 0), tls});
  EXPECT_EQ(naming.left_out(), 1U);
  end(1, 0);
  naming.on_application({info(4, 0), tls});
  EXPECT_EQ(naming.left_out(), 1U) << "one that has ended makes room";
}

TEST_F(NamingTest, DatagramsOfDns) {
  const auto send = [&](std::string_view octets, bool to_client) {
    engine::DnsDatagram datagram;
    datagram.time_ns = kSecond;
    datagram.endpoints = {ip("10.0.0.1"), ip("10.0.0.53"), 5'000, 53};
    if (to_client) datagram.endpoints = {ip("10.0.0.53"), ip("10.0.0.1"), 53, 5'000};
    datagram.message = std::as_bytes(std::span(octets));
    naming.on_dns_datagram(datagram);
  };
  using namespace std::string_view_literals;
  const std::string question = std::string(
      "\x01\x61\x07"
      "example\0\0\x01\0\x01"sv);
  send(std::string("\x12\x34\x01\0\0\x01\0\0\0\0\0\0"sv) + question, false);
  send(std::string("\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0"sv) + question + std::string("\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07"sv), true);
  send("no message", true);
  end(1, 2 * kSecond);
  EXPECT_EQ(told, (std::vector<Names>{{{"a.example", Source::kDns}}}));
  EXPECT_EQ(names.counters(),
            (std::vector<NamedCounter>{{"names.entries", 1}, {"names.unasked", 0}, {"names.odd", 0}, {"names.malformed", 1}, {"evicted.names", 0}}));
}

}  // namespace
}  // namespace weir::report

// Which answers name a connection's server, and for how long.
#include "inspect/names.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::inspect {
namespace {

constexpr TimeNs kSecond = 1'000'000'000;

IpAddress ip(const std::string& text) { return *parse_ip_address(text); }
const IpAddress kClient = ip("10.0.0.1"), kResolver = ip("10.0.0.53");

apps::DnsRecord query(const std::string& name, std::uint16_t id = 7) {
  apps::DnsRecord out;
  out.id = id;
  out.name = name;
  out.type = "A";
  out.rcode = "NOERROR";
  return out;
}

apps::DnsRecord::Answer address(const std::string& owner, const std::string& what, std::uint32_t ttl_s = 300) {
  return {.name = owner, .type = ip(what).is_v4() ? "A" : "AAAA", .data = what, .ttl_s = ttl_s, .addresses = {ip(what)}};
}

apps::DnsRecord::Answer alias(const std::string& owner, const std::string& target, std::uint32_t ttl_s = 300) {
  return {.name = owner, .type = "CNAME", .data = target, .ttl_s = ttl_s, .addresses = {}};
}

apps::DnsRecord answer(const std::string& name, std::vector<apps::DnsRecord::Answer> answers, std::uint16_t id = 7) {
  apps::DnsRecord out = query(name, id);
  out.response = true;
  out.answers = std::move(answers);
  return out;
}

class Names : public ::testing::Test {
 protected:
  void ask(const apps::DnsRecord& message, TimeNs now = 0, std::uint16_t port = 5'000) { names.datagram({kClient, kResolver, port, 53}, message, now); }
  void tell(const apps::DnsRecord& message, TimeNs now = 1, std::uint16_t port = 5'000) { names.datagram({kResolver, kClient, 53, port}, message, now); }
  std::string found(const std::string& server, TimeNs at = 2) { return names.find(kClient, ip(server), at).value_or("-"); }
  NameTable names{8};
};

TEST_F(Names, TheNameThatWasAskedForAndNotTheLastOfTheChain) {
  ask(query("WWW.Example.org"));
  // In whatever order they stand; what is not of the chain does not count.
  tell(answer("www.example.org", {address("edge7.cdn.example", "192.0.2.7"), alias("cdn.example.net", "edge7.cdn.example"),
                                  alias("www.example.org", "cdn.example.net"), address("victim.example", "192.0.2.99")}));
  EXPECT_EQ(found("192.0.2.7"), "www.example.org");
  EXPECT_EQ(found("192.0.2.99"), "-");
  EXPECT_EQ(names.find(ip("10.0.0.2"), ip("192.0.2.7"), 2), std::nullopt) << "another client has not asked";
}

TEST_F(Names, AChainThatLeadsBackEnds) {
  ask(query("a.example"));
  tell(answer("a.example", {alias("a.example", "b.example"), alias("b.example", "a.example"), address("b.example", "192.0.2.1")}));
  EXPECT_EQ(found("192.0.2.1"), "a.example");
}

TEST_F(Names, BothFamiliesAndHints) {
  ask(query("dual.example"));
  auto message = answer("dual.example", {address("dual.example", "192.0.2.1"), address("dual.example", "2001:db8::1")});
  message.answers.push_back({.name = "dual.example", .type = "HTTPS", .data = "", .ttl_s = 60, .addresses = {ip("192.0.2.2"), ip("2001:db8::2")}});
  tell(message);
  for (const char* server : {"192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"}) EXPECT_EQ(found(server), "dual.example") << server;
}

TEST_F(Names, AnAnswerToNoQueryCountsForNothing) {
  tell(answer("forged.example", {address("forged.example", "192.0.2.1")}));
  ask(query("real.example"));
  tell(answer("forged.example", {address("forged.example", "192.0.2.1")}));
  tell(answer("real.example", {address("real.example", "192.0.2.1")}, 8));             // another id
  tell(answer("real.example", {address("real.example", "192.0.2.1")}), 1, 5'001);      // another port
  tell(answer("real.example", {address("real.example", "192.0.2.1")}), 60 * kSecond);  // too late
  EXPECT_EQ(found("192.0.2.1", 61 * kSecond), "-");
  EXPECT_EQ(names.unasked(), 5U);
  EXPECT_EQ(names.size(), 0U);
}

TEST_F(Names, ForItsTimeToLiveAndNotBefore) {
  ask(query("a.example"), 100 * kSecond);
  tell(answer("a.example", {alias("a.example", "b.example", 200), address("b.example", "192.0.2.1", 1'000)}), 101 * kSecond);
  EXPECT_EQ(found("192.0.2.1", 100 * kSecond), "-") << "a connection from before";
  EXPECT_EQ(found("192.0.2.1", 101 * kSecond), "a.example");
  EXPECT_EQ(found("192.0.2.1", 301 * kSecond), "a.example") << "the shortest of the chain";
  EXPECT_EQ(found("192.0.2.1", 302 * kSecond), "-");
  ask(query("zero.example"), 0);
  tell(answer("zero.example", {address("zero.example", "192.0.2.3", 0)}), 0);
  EXPECT_EQ(found("192.0.2.3", 60 * kSecond), "zero.example") << "at least a minute";
  ask(query("long.example"), 0);
  tell(answer("long.example", {address("long.example", "192.0.2.4", 0xffffffff)}), 0);
  EXPECT_EQ(found("192.0.2.4", 86'401 * kSecond), "-") << "at most a day";
}

TEST_F(Names, TheLastNameCounts) {
  ask(query("a.example"));
  tell(answer("a.example", {address("a.example", "192.0.2.1")}));
  ask(query("b.example"), 10);
  tell(answer("b.example", {address("b.example", "192.0.2.1")}), 11);
  EXPECT_EQ(found("192.0.2.1", 12), "b.example");
}

TEST_F(Names, FailuresAndOddNames) {
  ask(query("a.example"));
  auto failed = answer("a.example", {address("a.example", "192.0.2.1")});
  failed.rcode = "SERVFAIL";
  tell(failed);
  EXPECT_EQ(names.size(), 0U);
  ask(query(std::string("a\0b.example", 11)));
  ask(query("a b.example"));
  EXPECT_EQ(names.odd(), 2U);
}

TEST_F(Names, BoundedAndCounted) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example", server = "192.0.2." + std::to_string(i);
    ask(query(name));
    tell(answer(name, {address(name, server)}));
  }
  EXPECT_EQ(names.size(), 8U);
  EXPECT_EQ(names.evicted(), 24U) << "12 names and 12 queries";
  EXPECT_EQ(found("192.0.2.19"), "n19.example");
  EXPECT_EQ(found("192.0.2.0"), "-");
}

TEST_F(Names, OverTcpNoQueryIsNeeded) {
  names.answer(kClient, answer("tcp.example", {address("tcp.example", "192.0.2.1")}), 1);
  EXPECT_EQ(found("192.0.2.1"), "tcp.example");
}

}  // namespace
}  // namespace weir::inspect

#include "inspect/rules/parse.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::inspect::rules {
namespace {

Rule good(const std::string& text, const Variables& variables = default_variables()) {
  auto out = parse(text, "test.rules", variables);
  EXPECT_TRUE(out.refusals.empty()) << out.refusals[0].keyword << ": " << out.refusals[0].why;
  EXPECT_EQ(out.rules.size(), 1U);
  return out.rules.empty() ? Rule{} : out.rules[0];
}

Refusal bad(const std::string& text) {
  auto out = parse(text, "test.rules", default_variables());
  EXPECT_TRUE(out.rules.empty()) << text;
  EXPECT_EQ(out.refusals.size(), 1U) << text;
  return out.refusals.empty() ? Refusal{} : out.refusals[0];
}

std::string options(const std::string& text) { return "alert tcp any any -> any any (" + text + " sid:1;)"; }
const Content& content(const Rule& rule, std::size_t i) { return std::get<Content>(rule.conditions.at(i).what); }
std::string bytes(const Content& c) { return {reinterpret_cast<const char*>(c.bytes.data()), c.bytes.size()}; }
IpAddress ip(const char* text) { return *parse_ip_address(text); }

TEST(RuleParser, Header) {
  const Rule r = good("drop http [10.0.0.0/8,!10.1.0.0/16,2001:db8::/32] ![25,1000:] <> $HOME_NET [80:90,443] (sid:7; rev:3;)");
  EXPECT_EQ(r.action, Action::kDrop);
  EXPECT_EQ(r.protocol, Protocol::kHttp);
  EXPECT_TRUE(r.both_ways);
  EXPECT_TRUE(r.src.contains(ip("10.2.3.4")));
  EXPECT_FALSE(r.src.contains(ip("10.1.3.4")));
  EXPECT_TRUE(r.src.contains(ip("2001:db8::1")));
  EXPECT_FALSE(r.src.contains(ip("192.0.2.1")));
  EXPECT_TRUE(r.src_port.contains(80));
  EXPECT_FALSE(r.src_port.contains(25));
  EXPECT_FALSE(r.src_port.contains(65'535));
  EXPECT_TRUE(r.dst.contains(ip("192.168.1.1")));
  EXPECT_TRUE(r.dst_port.contains(85));
  EXPECT_FALSE(r.dst_port.contains(91));
}

TEST(RuleParser, NegatedVariableAndRange) {
  const Rule r = good("alert tcp $EXTERNAL_NET any -> 192.0.2.5-192.0.2.9 any (sid:1;)");
  EXPECT_FALSE(r.src.contains(ip("10.0.0.1")));
  EXPECT_TRUE(r.src.contains(ip("203.0.113.1")));
  EXPECT_TRUE(r.dst.contains(ip("192.0.2.9")));
  EXPECT_FALSE(r.dst.contains(ip("192.0.2.10")));
}

TEST(RuleParser, WhatIsNegatedIsOneException) {
  const Variables v{{"HOME_NET", "[10.0.0.0/8,!10.1.0.0/16]"}, {"EXTERNAL_NET", "!$HOME_NET"}};
  const Rule r = good("alert tcp $EXTERNAL_NET ![80,!80,8080] -> !$EXTERNAL_NET ![1:1024,!443] (sid:1;)", v);
  EXPECT_TRUE(r.src.contains(ip("8.8.8.8")));
  EXPECT_TRUE(r.src.contains(ip("2001:db8::1")));
  EXPECT_TRUE(r.src.contains(ip("10.1.0.1")));
  EXPECT_FALSE(r.src.contains(ip("10.2.0.1")));
  EXPECT_TRUE(r.dst.contains(ip("10.2.0.1")));
  EXPECT_FALSE(r.dst.contains(ip("10.1.255.255")));
  EXPECT_FALSE(r.dst.contains(ip("11.0.0.0")));
  EXPECT_FALSE(r.src_port.contains(8080));
  EXPECT_TRUE(r.src_port.contains(80));
  EXPECT_TRUE(r.dst_port.contains(443));
  EXPECT_TRUE(r.dst_port.contains(0));
  EXPECT_FALSE(r.dst_port.contains(444));
  EXPECT_FALSE(good("alert tcp ::/0 any -> any any (sid:1;)").src.contains(ip("10.0.0.1")));
  EXPECT_TRUE(good("alert tcp ::/0 any -> any any (sid:1;)").src.contains(ip("2001:db8::1")));
  EXPECT_TRUE(good("alert tcp !::/0 any -> any any (sid:1;)").src.contains(ip("10.0.0.1")));
  EXPECT_TRUE(good("alert tcp [any,!10.0.0.0/8] any -> any any (sid:1;)").src.contains(ip("1.2.3.4")));
}

TEST(RuleParser, PositionsWithoutAMatchBefore) {
  const Rule r = good(options(R"(content:"ab"; distance:-2; within:4; isdataat:5; isdataat:5,relative;)"));
  EXPECT_EQ(content(r, 0).offset, 0);
  EXPECT_EQ(content(r, 0).depth, 2);
  EXPECT_EQ(std::get<IsDataAt>(r.conditions[1].what).bytes, 6U) << "an octet at offset 5";
  EXPECT_EQ(std::get<IsDataAt>(r.conditions[2].what).bytes, 5U);
}

TEST(RuleParser, ContentBytes) {
  const Rule r = good(options(R"(content:"a|00 4142|b\;\"\\\:c"; nocase; content:!"no"; offset:2; depth:10;)"));
  EXPECT_EQ(bytes(content(r, 0)), std::string("a\0AB"
                                              "b;\"\\:c",
                                              10));
  EXPECT_TRUE(content(r, 0).nocase);
  EXPECT_TRUE(content(r, 1).negated);
  EXPECT_EQ(content(r, 1).offset, 2);
  EXPECT_EQ(content(r, 1).depth, 10);
}

TEST(RuleParser, RelativeWithoutAMatchBeforeCountsFromTheBeginning) {
  const Rule r = good(options(R"(content:"abc"; distance:4; within:6; content:"d"; distance:1;)"));
  EXPECT_FALSE(content(r, 0).relative);
  EXPECT_EQ(content(r, 0).offset, 4);
  EXPECT_EQ(content(r, 0).depth, 6);
  EXPECT_TRUE(content(r, 1).relative);
}

TEST(RuleParser, BuffersStickyAndModifier) {
  const Rule sticky =
      good("alert http any any -> any any (flow:to_client; http.header; content:\"x\"; file.data; content:\"y\"; pkt_data; content:\"z\"; sid:1;)");
  EXPECT_EQ(sticky.conditions[0].buffer, Buffer::kHttpResponseHeader);
  EXPECT_EQ(sticky.conditions[1].buffer, Buffer::kResponseFileData);
  EXPECT_EQ(sticky.conditions[2].buffer, Buffer::kStream);
  const Rule modifier = good(options(R"(content:"/a"; http_uri; content:"b"; pcre:"/c/Ui"; urilen:<20;)"));
  EXPECT_EQ(modifier.conditions[0].buffer, Buffer::kHttpUri);
  EXPECT_EQ(modifier.conditions[1].buffer, Buffer::kStream);
  EXPECT_EQ(modifier.conditions[2].buffer, Buffer::kHttpUri);
  EXPECT_EQ(modifier.conditions[3].buffer, Buffer::kHttpUri);
  EXPECT_EQ(std::get<BufferSize>(modifier.conditions[3].what).size.highest, 19U);
  EXPECT_EQ(good(options("tls.sni; dotprefix; content:\".example.org\"; endswith;")).conditions[0].buffer, Buffer::kTlsSniDotted);
}

TEST(RuleParser, NumbersAndTests) {
  const Rule r = good(options(
      R"(mptcp.subflows:>2; mptcp.version:0-1; mptcp.opener:server; mptcp.split; dsize:100<>200; byte_test:4,!&,0x80,-2,relative,little,bitmask 0xff0; byte_jump:2,0,relative,multiplier 2,align,post_offset -4; isdataat:!10,relative;)"));
  EXPECT_TRUE(r.mptcp.split && *r.mptcp.opened_by_server);
  EXPECT_FALSE(r.mptcp.subflows->holds(2));
  EXPECT_TRUE(r.mptcp.subflows->holds(3));
  EXPECT_TRUE(r.mptcp.version->holds(1));
  EXPECT_FALSE(r.payload_size->holds(100));
  EXPECT_TRUE(r.payload_size->holds(199));
  const auto& test = std::get<ByteTest>(r.conditions[0].what);
  EXPECT_TRUE(test.negated && test.compare == Compare::kAnd && test.value == 0x80 && test.read.bitmask == 0xff0);
  EXPECT_FALSE(test.read.relative) << "nothing was matched before";
  EXPECT_EQ(std::get<ByteJump>(r.conditions[1].what).post_offset, -4);
  EXPECT_TRUE(std::get<IsDataAt>(r.conditions[2].what).relative) << "a jump was made before";
}

TEST(RuleParser, AboutTheRule) {
  const Rule r = good(options(
      R"(msg:"a \"b\"\; c"; classtype:trojan-activity; reference:url,example.org/x; metadata:k v, k w; threshold:type both, track by_src, count 3, seconds 60; flowbits:isset,a|b; flow:established,to_server;)"));
  EXPECT_EQ(r.message, "a \"b\"; c");
  EXPECT_EQ(r.category, "A Network Trojan was detected");
  EXPECT_EQ(r.priority, 1U);
  EXPECT_EQ(r.metadata.size(), 2U);
  EXPECT_EQ(r.threshold->count, 3U);
  EXPECT_EQ(r.flowbits[0].names.size(), 2U);
  EXPECT_TRUE(r.flow.to_server && r.flow.established);
}

TEST(RuleParser, LinesCommentsAndContinuation) {
  const auto out = parse(
      "# no\n\n  # alert tcp any any -> any any (sid:9;)\nalert tcp any any \\\n -> any any \\\n (sid:1;)\r\nalert tcp any any -> any any (sid:2;) # said\n",
      "f", {});
  ASSERT_EQ(out.rules.size(), 2U);
  EXPECT_TRUE(out.refusals.empty());
  EXPECT_EQ(out.rules[0].line, 4);
  EXPECT_EQ(out.rules[1].line, 7);
}

TEST(RuleParser, OfTheSameSidTheHigherRevStays) {
  const auto out = parse(
      "alert tcp any any -> any any (sid:1; rev:1;)\nalert tcp any any -> any any (sid:1; rev:5;)\nalert tcp any any -> any any (sid:1; rev:2;)\n", "f", {});
  ASSERT_EQ(out.rules.size(), 1U);
  EXPECT_EQ(out.rules[0].rev, 5U);
  EXPECT_EQ(out.refusals.size(), 2U);
}

TEST(RuleParser, RefusesByName) {
  struct Case {
    std::string text, keyword;
  };
  const Case cases[] = {
      {options("fly:1;"), "fly"},
      {options("content:\"\";"), "content"},
      {options("content:\"|4|\";"), "content"},
      {options("content:\"|41\";"), "content"},
      {options("content:x;"), "content"},
      {options("content:\"a\\q\";"), "content"},
      {options("content:\"abc\"; depth:2;"), "depth"},
      {options("content:\"abc\"; within:2;"), "within"},
      {options("content:\"abc\"; offset:1; distance:2;"), "distance"},
      {options("content:\"abc\"; offset:x;"), "offset"},
      {options("content:\"abc\"; startswith; depth:9;"), "depth"},
      {options("content:\"abc\"; distance:var;"), "distance"},
      {options("nocase;"), "nocase"},
      {options("content:\"a\"; nocase:1;"), "nocase"},
      {options("content;"), "content"},
      {options("pcre:\"abc\";"), "pcre"},
      {options("pcre:\"/abc/q\";"), "pcre"},
      {options("byte_test:4,?,1,0;"), "byte_test"},
      {options("byte_test:9,=,1,0;"), "byte_test"},
      {options("byte_extract:1,0,x;"), "byte_extract"},
      {options("bsize:3;"), "bsize"},
      {options("flow:to_server,to_client;"), "flow"},
      {options("flowbits:fly,x;"), "flowbits"},
      {options("threshold:type limit, count 1;"), "threshold"},
      {options("classtype:none-such;"), "classtype"},
      {options("mptcp.opener:both;"), "mptcp.opener"},
      {options("mptcp.version:<0;"), "mptcp.version"},
      {options("flow:established; flow:to_server;"), "flow"},
      {options("flow:only_stream,no_stream;"), "flow"},
      {options("flow:not_established;"), "flow"},
      {options("dsize:>5; dsize:<9;"), "dsize"},
      {options("mptcp.version:0; mptcp.version:1;"), "mptcp.version"},
      {options("content:\"a\"; http_uri; http_header;"), "http_header"},
      {options("http.uri; http.host; content:\"a\";"), "http.host"},
      {options("http.uri;"), ""},
      {options("content:\"abc\"; distance:-2; within:4;"), ""},
      {"alert http any any -> any any (app-layer-protocol:tls; sid:1;)", "app-layer-protocol"},
      {"alert ip4 any any -> any any (sid:1;)", "ip4"},
      {"alert tcp [10.0.0.1,!10.0.0.0/8] any -> any any (sid:1;)", ""},
      {"alert tcp !any any -> any any (sid:1;)", ""},
      {"alert tcp any ![!80,80] -> any any (sid:1;)", ""},
      {"alert tcp 10.0.0.0/255.0.255.0 any -> any any (sid:1;)", ""},
      {"alert udp any any -> any any (sid:1;)", "udp"},
      {"alert tcp any any -> any any (content:\"a\"; sid:1;", ""},
      {"alert tcp any any -> any any (content:\"a\"; sid:1)", "sid"},
      {"fly tcp any any -> any any (sid:1;)", ""},
      {"alert tcp $NO any -> any any (sid:1;)", ""},
      {"alert tcp 10.0.0.0/33 any -> any any (sid:1;)", ""},
      {"alert tcp any 70000 -> any any (sid:1;)", ""},
      {"alert tcp any any - any any (sid:1;)", ""},
      {"alert tcp any any -> any any sid:1;", ""},
      {"alert tcp any any -> any any (msg:\"no sid\";)", ""},
      {"alert tcp any any -> any any (sid:1;) more", ""},
      {"alert", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Refusal r = bad(c.text);
    EXPECT_EQ(r.keyword, c.keyword);
    EXPECT_FALSE(r.why.empty());
    EXPECT_EQ(r.line, 1);
    EXPECT_GT(r.column, 0);
  }
}

TEST(RuleParser, VariablesThatLeadToThemselvesEnd) {
  const auto out = parse("alert tcp $A any -> any any (sid:1;)", "f", {{"A", "[$B]"}, {"B", "$A"}});
  EXPECT_EQ(out.refusals.size(), 1U);
}

}  // namespace
}  // namespace weir::inspect::rules

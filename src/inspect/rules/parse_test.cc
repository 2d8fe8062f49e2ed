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
  EXPECT_EQ(sticky.conditions[0].subject.buffer, Buffer::kHttpResponseHeader);
  EXPECT_EQ(sticky.conditions[1].subject.buffer, Buffer::kResponseFileData);
  EXPECT_EQ(sticky.conditions[2].subject.buffer, Buffer::kStream);
  const Rule modifier = good(options(R"(content:"/a"; http_uri; content:"b"; pcre:"/c/Ui"; urilen:<20;)"));
  EXPECT_EQ(modifier.conditions[0].subject.buffer, Buffer::kHttpUri);
  EXPECT_EQ(modifier.conditions[1].subject.buffer, Buffer::kStream);
  EXPECT_EQ(modifier.conditions[2].subject.buffer, Buffer::kHttpUri);
  EXPECT_EQ(modifier.conditions[3].subject.buffer, Buffer::kHttpUri);
  EXPECT_EQ(std::get<BufferSize>(modifier.conditions[3].what).size.highest, 19U);
  const Rule dotted = good(options("tls.sni; dotprefix; content:\".example.org\"; endswith;"));
  EXPECT_EQ(dotted.conditions[0].subject.buffer, Buffer::kTlsSni);
  EXPECT_EQ(dotted.conditions[0].subject.transforms.at(0).kind, Transform::Kind::kDotPrefix);
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

TEST(RuleParser, ExpressionsMayHoldQuotes) {
  const Rule r = good(options(R"(pcre:"/^["']?a\;"b/i";)"));
  EXPECT_EQ(std::get<Pcre>(r.conditions[0].what).expression, R"(^["']?a;"b)");
}

TEST(RuleParser, Variables) {
  const Rule r = good(options(
      R"(content:"a"; byte_extract:2,1,size,relative,little,multiplier 2; byte_math:bytes 1, offset 0, oper <<, rvalue size, result more, relative, bitmask 0xf0; content:"b"; distance:more; within:size; byte_test:1,>,size,more,relative; byte_jump:1,more,relative; isdataat:more,relative;)"));
  EXPECT_EQ(r.variables, (std::vector<std::string>{"size", "more"}));
  const auto& extract = std::get<ByteExtract>(r.conditions[1].what);
  EXPECT_TRUE(extract.result == 0 && extract.multiplier == 2 && extract.read.bytes == 2 && extract.read.endian == Endian::kLittle);
  const auto& math = std::get<ByteMath>(r.conditions[2].what);
  EXPECT_TRUE(math.result == 1 && math.value_variable == 0 && math.operation == Arithmetic::kShiftLeft && math.read.bitmask == 0xf0);
  EXPECT_EQ(content(r, 3).distance_variable, 1);
  EXPECT_EQ(content(r, 3).within_variable, 0);
  const auto& test = std::get<ByteTest>(r.conditions[4].what);
  EXPECT_TRUE(test.value_variable == 0 && test.read.offset_variable == 1);
  EXPECT_EQ(std::get<ByteJump>(r.conditions[5].what).read.offset_variable, 1);
  EXPECT_EQ(std::get<IsDataAt>(r.conditions[6].what).bytes_variable, 1);
}

TEST(RuleParser, Base64AndTransformations) {
  const Rule r = good(options(
      R"(http.header; content:"Basic "; base64_decode:bytes 40, offset 2, relative; base64_data; content:"a"; content:"b"; distance:1; http.uri; strip_whitespace; xor:"0aff"; pcrexform:"a(b)\;"; content:"c";)"));
  const auto& base64 = std::get<Base64>(r.conditions[1].what);
  EXPECT_TRUE(base64.bytes == 40 && base64.offset == 2 && base64.relative);
  ASSERT_EQ(base64.decoded.size(), 2U);
  EXPECT_TRUE(std::get<Content>(base64.decoded[1].what).relative);
  const auto& transforms = r.conditions[2].subject.transforms;
  ASSERT_EQ(transforms.size(), 3U);
  EXPECT_EQ(transforms[1].argument, "\n\xff");
  EXPECT_EQ(transforms[2].argument, "a(b);");
}

TEST(RuleParser, AboutTheConnection) {
  const Rule r = good(options(
      R"(xbits:set,a,track ip_pair,expire 90; xbits:isset,b,track ip_dst; flowint:n,+,2; flowint:n,>=,m; flowint:m,isset; stream_size:server,<,9; app-layer-protocol:!tls; tag:session,5,packets; ip_proto:6; noalert;)"));
  EXPECT_TRUE(r.xbits[0].track == XBits::Track::kPair && r.xbits[0].expire_s == 90 && r.xbits[1].operation == XBits::Operation::kIsSet);
  EXPECT_TRUE(r.flowints[0].changes() && r.flowints[0].value == 2 && r.flowints[1].value_name == "m");
  EXPECT_EQ(r.stream_sizes[0].size.highest, 8U);
  EXPECT_TRUE(r.speaks->negated && r.speaks->protocol == AppProtocol::kTls && r.no_alert);
}

TEST(RuleParser, FilesAndVersions) {
  const Rule r = good(options(R"(filesize:>10MB; filename:"a"; fileext:"zip"; filestore:response,file; prefilter;)"));
  EXPECT_EQ(std::get<NumberIn>(r.conditions[0].what).any_of[0].lowest, (10U << 20U) + 1);
  EXPECT_EQ(r.conditions[0].subject.buffer, Buffer::kResponseFileSize);
  EXPECT_EQ(bytes(content(r, 2)), ".zip");
  EXPECT_TRUE(content(r, 2).ends && content(r, 2).nocase);
  const Rule tls = good(options("flow:to_client; ssl_version:tls1.0,tls1.1;"));
  EXPECT_EQ(tls.conditions[0].subject.buffer, Buffer::kTlsServerVersion);
  EXPECT_EQ(std::get<NumberIn>(tls.conditions[0].what).any_of.size(), 2U);
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
      {options("bsize:3;"), "bsize"},
      {options("byte_extract:1,0;"), "byte_extract"},
      {options("byte_extract:1,0,2x;"), "byte_extract"},
      {options("byte_extract:9,0,x;"), "byte_extract"},
      {options("byte_extract:1,0,x,dce;"), "byte_extract"},
      {options("byte_extract:1,0,x; byte_extract:1,1,x;"), "byte_extract"},
      {options("byte_extract:1,0,x; content:\"a\"; distance:y;"), "distance"},
      {options("byte_extract:1,0,x; http.uri; content:\"a\"; offset:x;"), "offset"},
      {options("byte_extract:1,0,x; http.uri; isdataat:x;"), "isdataat"},
      {options("byte_math:bytes 1, offset 0, oper %, rvalue 2, result x;"), "byte_math"},
      {options("byte_math:bytes 1, offset 0, oper /, rvalue 0, result x;"), "byte_math"},
      {options("byte_math:bytes 1, offset 0, oper +, result x;"), "byte_math"},
      {options("base64_data; content:\"a\";"), "base64_data"},
      {options("base64_decode:bytes 8; content:\"a\";"), ""},
      {options("base64_decode:bytes 8; base64_data;"), ""},
      {options("base64_decode:bites 8; base64_data; content:\"a\";"), "base64_decode"},
      {options("xbits:set,x;"), "xbits"},
      {options("xbits:set,x,track tx;"), "xbits"},
      {options("xbits:fly,x,track ip_src;"), "xbits"},
      {options("xbits:set,x,track ip_src,expire 0;"), "xbits"},
      {options("flowint:x,+;"), "flowint"},
      {options("flowint:x,isset,1;"), "flowint"},
      {options("flowint:x,**,1;"), "flowint"},
      {options("stream_size:server,<;"), "stream_size"},
      {options("stream_size:nobody,<,3;"), "stream_size"},
      {options("tag:flow,3,packets;"), "tag"},
      {options("to_lowercase; content:\"a\";"), "to_lowercase"},
      {options("http.uri; content:\"a\"; to_lowercase;"), "to_lowercase"},
      {options("http.uri; xor:\"0g\"; content:\"a\";"), "xor"},
      {options("http.uri; xor; content:\"a\";"), "xor"},
      {options("http.uri; to_md5:1; content:\"a\";"), "to_md5"},
      {options("file.data; absent;"), "absent"},
      {options("http.referer; absent; content:\"a\";"), ""},
      {options("http.referer; absent:or_else;"), ""},
      {options("filesize:>3PB;"), "filesize"},
      {options("filesize:KB;"), "filesize"},
      {options("filestore:sideways;"), "filestore"},
      {options("ssl_version:tls1.0,!tls1.1;"), "ssl_version"},
      {options("tls.version:7;"), "tls.version"},
      {options("ssl_state:client_keyx;"), "ssl_state"},
      {options("ip_proto:17;"), "ip_proto"},
      {options("prefilter;"), "prefilter"},
      {options("flags:S;"), "flags"},
      {options("filemd5:list;"), "filemd5"},
      {options("lua:x.lua;"), "lua"},
      {options("app-layer-event:http.x;"), "app-layer-event"},
      {options("app-layer-protocol:smb;"), "app-layer-protocol"},
      {"alert tcp-pkt any any -> any any (sid:1;)", "tcp-pkt"},
      {"alert http2 any any -> any any (sid:1;)", "http2"},
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
